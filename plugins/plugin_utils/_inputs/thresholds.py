# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges thresholds of time: at or above what they are compared with, a run would never come to rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.components import DURATION, seconds
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.numbers import as_number

RENEW = "certificates_renew_days"
# A threshold, what it must be less than, what turns the comparison on (empty: always), and what would come of it.
PAIRS = (
    (RENEW, "etcd_certificate_days", "", "every run would renew all certificates of external etcd"),
    ("etcd_certificate_renew_days", "etcd_certificate_days", "", "every run would renew all of etcd's certificates"),
    ("etcd_ca_renew_days", "etcd_ca_days", "", "every run would renew etcd's CA"),
    ("certificates_timer_days", RENEW, "certificates_timer", "the timer would fail before the playbook renews"),
    (
        "backup_timer_min_age",
        "backup_timer_max_age",
        "backup_timer",
        "backups would be too old before the next is made",
    ),
)
CONFIGURATION, PERIOD = "control_plane_cluster_configuration", "certificateValidityPeriod"
USUAL_DAYS, DAY = 365, 24 * 3600  # how long kubeadm's certificates hold


def thresholds(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Thresholds that are not below what they are compared with."""
    values = {**argument_specs.defaults(inputs.specs), **host.values}
    for variable, limit, switch, outcome in PAIRS:
        given, most = as_number(values.get(variable)), as_number(values.get(limit))
        # A limit of 0 is none.
        if given is None or not most or given < most or (switch and not _is_on(values.get(switch))):
            continue
        yield host.fault(
            "value-invalid",
            f"{variable} is {given:g}, but {limit} is {most:g}: {outcome}; give {variable} less than {limit}",
        )
    given, days = as_number(values.get(RENEW)), _lifetime(inputs)
    if given is not None and given >= days:
        cause = "" if days == USUAL_DAYS else f" ({CONFIGURATION}.{PERIOD})"
        text = (
            f"{RENEW} is {given:g}, but kubeadm's certificates hold for {days:g} days{cause}: every run would renew "
            f"all of them; give less than {days:g}"
        )
        yield host.fault("value-invalid", text)


def _lifetime(inputs: Inputs) -> float:
    """How many days kubeadm's certificates hold."""
    configuration = inputs.leader().values.get(CONFIGURATION)
    period = str(configuration.get(PERIOD) or "") if isinstance(configuration, Mapping) else ""
    days = seconds(period) / DAY if DURATION.fullmatch(period) else 0
    return days or USUAL_DAYS


def _is_on(value: Any) -> bool:
    return boolean(value or False, strict=False)
