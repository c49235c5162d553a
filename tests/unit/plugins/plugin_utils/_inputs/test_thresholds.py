"""Thresholds of time against what they are compared with, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs, inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.calendars import between_events
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
                f"({PERIOD}.certificateValidityPeriod): every run would renew all of them; give less than 10",
                "preflight_certificate_days is 30, but kubeadm's certificates hold for 10 days "
                f"({PERIOD}.certificateValidityPeriod): every run would warn of all of them; give less than 10",
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
                "preflight_certificate_days is 30, but etcd_certificate_days is 20: every run would warn of all "
                "certificates of external etcd; give preflight_certificate_days less than etcd_certificate_days",
            ],
        ),
        (
            {"etcd_ca_days": 300, "etcd_certificate_days": 300},
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
                "backup_timer_min_age is 720 minutes, but backup_timer_max_age is 60 minutes: backups would be too old "
                "before the next is made; give backup_timer_min_age less than backup_timer_max_age",
                "backup_timer_max_age is 60 minutes, but backup_timer_calendar '*-*-* 02:00:00' lets 1440 minutes "
                "pass: hosts would say that backups are too old before the next is due; give backup_timer_max_age "
                "more than 1440, or 0 for no limit",
            ],
        ),
        # What was made at one time is too old before the next.
        ({"verify_backup_max_age": 10}, []),
        ({"backup_timer": True, "verify_backup_max_age": 25}, []),
        (
            {"backup_timer": True, "verify_backup_max_age": 12},
            [
                "backup_timer_min_age is 720 minutes, but verify_backup_max_age is 12 hours: verify would fail before "
                "the next backup is made; give backup_timer_min_age less than verify_backup_max_age",
                "verify_backup_max_age is 12 hours, but backup_timer_calendar '*-*-* 02:00:00' lets 24 hours pass: "
                "verify would fail before the next backup is due; give verify_backup_max_age more than 24, or 0 for "
                "no limit",
            ],
        ),
        (
            {"backup_timer": True, "backup_timer_calendar": "weekly"},
            [
                "backup_timer_max_age is 2880 minutes, but backup_timer_calendar 'weekly' lets 10080 minutes pass: "
                "hosts would say that backups are too old before the next is due; give backup_timer_max_age more "
                "than 10080, or 0 for no limit"
            ],
        ),
        (
            {"backup_timer": True, "backup_timer_calendar": "hourly"},
            [
                "backup_timer_min_age is 720 minutes, but backup_timer_calendar 'hourly' comes after 60 minutes: runs "
                "would make no backup; give backup_timer_min_age less than 60"
            ],
        ),
        ({"backup_timer": True, "backup_timer_calendar": "hourly", "backup_timer_min_age": 45}, []),
        ({"backup_timer": True, "backup_timer_calendar": "sometimes"}, []),
        (
            {"backup_timer": True, "backup_timer_delay": 3600, "backup_timer_min_age": 45},
            [
                "backup_timer_delay is 3600 seconds, but backup_timer_min_age is 45 minutes: more than one host would "
                "make each backup; give backup_timer_delay less than backup_timer_min_age"
            ],
        ),
        (
            {"preflight_certificate_days": 365},
            [
                "preflight_certificate_days is 365, but kubeadm's certificates hold for 365 days: every run would "
                "warn of all of them; give less than 365"
            ],
        ),
        (
            {"preflight_certificate_days": 90, "etcd_certificate_days": 80, "etcd_certificate_renew_days": 20},
            [
                "preflight_certificate_days is 90, but etcd_certificate_days is 80: every run would warn of all "
                "certificates of external etcd; give preflight_certificate_days less than etcd_certificate_days"
            ],
        ),
        ({"etcd_certificate_days": 3650}, []),
        ({"etcd_certificate_days": 4000, "etcd_ca_certificate": "one that holds for longer"}, []),
        (
            {"etcd_certificate_days": 4000},
            [
                "etcd_certificate_days is 4000, but etcd_ca_days is 3650: etcd's certificates would be good for longer "
                "than the CA that signs them; give etcd_certificate_days no more than etcd_ca_days"
            ],
        ),
        ({PERIOD: {"certificateValidityPeriod": "87600h"}}, []),
        (
            {PERIOD: {"certificateValidityPeriod": "87600h", "caCertificateValidityPeriod": "43800h"}},
            [
                f"{PERIOD}.certificateValidityPeriod is 3650 days, but caCertificateValidityPeriod is 1825: "
                "certificates would be good for longer than the authorities that sign them; give "
                "certificateValidityPeriod no more than caCertificateValidityPeriod"
            ],
        ),
        ({"etcd_heartbeat_interval": 200}, []),
        (
            {"etcd_heartbeat_interval": 250},
            [
                "etcd_election_timeout is 1000, but etcd_heartbeat_interval is 250: etcd does not start with less than "
                "5 heartbeats; give etcd_election_timeout at least 1250"
            ],
        ),
        ({"etcd_heartbeat_interval": 250, "etcd_settings": {"election-timeout": 2000}}, []),
        (
            {"verify_settle": 300},
            [
                "verify_settle is 300 seconds, but verify_timeout is 300 seconds: all checks would end before a part "
                "may get healthy; give verify_settle less than verify_timeout"
            ],
        ),
        (
            {"verify_timeout": 3600},
            [
                "verify_timeout is 3600 seconds, but verify_stale_minutes is 30 minutes: a run would remove what "
                "another one is at work with; give verify_timeout less than verify_stale_minutes"
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


@pytest.mark.parametrize(
    ("calendar", "between"),
    [
        ("daily", (1440, 1440)),
        ("MONTHLY", (40320, 44640)),
        ("semi-annually", None),
        ("*-*-* 02:00:00", (1440, 1440)),
        ("02:00 Europe/Berlin", (1440, 1440)),
        ("*:0/15", (15, 15)),
        ("0/6:30", (360, 360)),
        ("02,14:00", (720, 720)),
        ("*-*-* 22..23:00:00", (60, 1380)),
        ("*-*-* 1/5:00", (240, 300)),
        ("Sun 03:00", (10080, 10080)),
        ("Mon,Thu *-*-* 02:00", (4320, 5760)),
        ("Mon..Fri 02:00", (1440, 4320)),
        ("Fri..Mon", (1440, 5760)),
        ("*-*-1 02:00", None),
        ("2026-*-* 02:00", None),
        ("at night", None),
    ],
)
def test_the_time_between_two_runs(calendar: str, between: tuple[int, int] | None) -> None:
    assert between_events(calendar) == between
