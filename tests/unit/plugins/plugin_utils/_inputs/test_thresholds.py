"""Thresholds of time against what they are compared with, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs, inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.input_reader import ROLES
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.thresholds import thresholds

PERIOD = "control_plane_cluster_configuration"


def _yearly(days: str) -> str:
    return (
        f"certificates_renew_days is {days}, but kubeadm's certificates hold for 365 days: every run would renew all "
        "of them; give less than 365"
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"certificates_renew_days": 364}, []),
        ({"certificates_renew_days": 365}, [_yearly("365")]),
        ({"certificates_renew_days": "400"}, [_yearly("400")]),
        ({"certificates_renew_days": 365, PERIOD: {"certificateValidityPeriod": "17520h0m0s"}}, []),
        (
            {PERIOD: {"certificateValidityPeriod": "240h"}},
            [
                "certificates_renew_days is 30, but kubeadm's certificates hold for 10 days "
                f"({PERIOD}.certificateValidityPeriod): every run would renew all of them; give less than 10"
            ],
        ),
        # What cannot be read is told elsewhere.
        ({PERIOD: {"certificateValidityPeriod": "ten days"}}, []),
        ({PERIOD: ["certificateValidityPeriod"], "certificates_renew_days": "soon"}, []),
        (
            {"etcd_certificate_days": 20, "etcd_certificate_renew_days": 20},
            [
                "certificates_renew_days is 30, but etcd_certificate_days is 20: every run would renew all "
                "certificates of external etcd; give certificates_renew_days less than etcd_certificate_days",
                "etcd_certificate_renew_days is 20, but etcd_certificate_days is 20: every run would renew all of "
                "etcd's certificates; give etcd_certificate_renew_days less than etcd_certificate_days",
            ],
        ),
        (
            {"etcd_ca_days": 300},
            [
                "etcd_ca_renew_days is 365, but etcd_ca_days is 300: every run would renew etcd's CA; give "
                "etcd_ca_renew_days less than etcd_ca_days"
            ],
        ),
        ({"certificates_renew_days": 10}, []),
        (
            {"certificates_renew_days": 10, "certificates_timer": True},
            [
                "certificates_timer_days is 14, but certificates_renew_days is 10: the timer would fail before the "
                "playbook renews; give certificates_timer_days less than certificates_renew_days"
            ],
        ),
        ({"backup_timer": True, "backup_timer_max_age": 0}, []),
        ({"backup_timer": False, "backup_timer_max_age": 60}, []),
        (
            {"backup_timer": True, "backup_timer_max_age": 60},
            [
                "backup_timer_min_age is 720, but backup_timer_max_age is 60: backups would be too old before the next "
                "is made; give backup_timer_min_age less than backup_timer_max_age"
            ],
        ),
    ],
)
def test_thresholds(values: dict[str, Any], expected: list[str]) -> None:
    host = HostInput("cp-1", values)
    given = Inputs([host], {}, argument_specs.load_specs(ROLES))
    found = list(thresholds(host, given))
    assert [(fault.id, fault.text) for fault in found] == [("value-invalid", text) for text in expected]


def test_it_is_judged_before_any_host_is_reached() -> None:
    host = HostInput("cp-1", {"certificates_renew_days": 365}, names=frozenset(["certificates_renew_days"]))
    found = inputs.early_faults(Inputs([host], {}, argument_specs.load_specs(ROLES)), False)
    assert [fault.text for fault in found] == [_yearly("365")]
