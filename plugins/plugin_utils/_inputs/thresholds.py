# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges thresholds of time: at or above what they are compared with, a run would never come to rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_types import DURATION
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.calendars import between_events
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.components import seconds
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.numbers import as_number

RENEW, WARN = "certificates_renew_days", "preflight_certificate_days"
TIMER, CALENDAR = "backup_timer", "backup_timer_calendar"
MIN_AGE, MAX_AGE, VERIFIED = "backup_timer_min_age", "backup_timer_max_age", "verify_backup_max_age"
HEARTBEAT, ELECTION, HEARTBEATS = "etcd_heartbeat_interval", "etcd_election_timeout", 5


class Pair(NamedTuple):
    """A threshold, what it must be less than, what would come of it, and the switch that turns it on (empty: none)."""

    variable: str
    limit: str
    outcome: str
    switch: str = ""


PAIRS = (
    Pair(RENEW, "etcd_certificate_days", "every run would renew all certificates of external etcd"),
    Pair("etcd_certificate_renew_days", "etcd_certificate_days", "every run would renew all of etcd's certificates"),
    Pair("etcd_ca_renew_days", "etcd_ca_days", "every run would renew etcd's CA"),
    Pair(WARN, "etcd_certificate_days", "every run would warn of all certificates of external etcd"),
    Pair("certificates_timer_days", RENEW, "the timer would fail before the playbook renews", "certificates_timer"),
    Pair(MIN_AGE, MAX_AGE, "backups would be too old before the next is made", TIMER),
    Pair(MIN_AGE, VERIFIED, "verify would fail before the next backup is made", TIMER),
    Pair("backup_timer_delay", MIN_AGE, "more than one host would make each backup", TIMER),
    Pair("verify_settle", "verify_timeout", "all checks would end before a part may get healthy"),
    Pair("verify_timeout", "verify_stale_minutes", "a run would remove what another one is at work with"),
)
# In what they are given, where its name does not tell, and how many seconds that is.
UNITS = {
    "backup_timer_delay": (" seconds", 1),
    MIN_AGE: (" minutes", 60),
    MAX_AGE: (" minutes", 60),
    VERIFIED: (" hours", 3600),
    "verify_settle": (" seconds", 1),
    "verify_timeout": (" seconds", 1),
    "verify_stale_minutes": (" minutes", 60),
}
# What must be longer than the longest time between two runs of the backups' timer, and what would come of it.
OUTLASTING = (
    (MAX_AGE, "hosts would say that backups are too old before the next is due"),
    (VERIFIED, "verify would fail before the next backup is due"),
)
CONFIGURATION, PERIOD, CA_PERIOD = (
    "control_plane_cluster_configuration",
    "certificateValidityPeriod",
    "caCertificateValidityPeriod",
)
DAY = 24 * 3600
USUAL_DAYS = {PERIOD: 365.0, CA_PERIOD: 3650.0}  # how long kubeadm's certificates hold


def thresholds(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Thresholds that are not below what they are compared with."""
    values = {**argument_specs.defaults(inputs.specs), **host.values}
    texts = [_compared(pair, values) for pair in PAIRS]
    texts += [*_of_etcd(values), *_of_kubeadm(values, inputs), *_of_calendar(values)]
    yield from (host.fault("value-invalid", text) for text in texts if text)


def _compared(pair: Pair, values: Mapping[str, Any]) -> str:
    """What is wrong with a pair; a limit of 0 is none."""
    given, most = as_number(values.get(pair.variable)), as_number(values.get(pair.limit))
    if given is None or not most or (pair.switch and not _is_on(values.get(pair.switch))):
        return ""
    (unit, size), (other, other_size) = (UNITS.get(name, ("", 1)) for name in (pair.variable, pair.limit))
    if given * size < most * other_size:
        return ""
    return (
        f"{pair.variable} is {given:g}{unit}, but {pair.limit} is {most:g}{other}: {pair.outcome}; give "
        f"{pair.variable} less than {pair.limit}"
    )


def _of_etcd(values: Mapping[str, Any]) -> Iterator[str]:
    """Certificates that would outlive the CA that the role makes, and elections that etcd refuses."""
    days, most = (as_number(values.get(name)) for name in ("etcd_certificate_days", "etcd_ca_days"))
    if days is not None and most and days > most and not values.get("etcd_ca_certificate"):
        yield (
            f"etcd_certificate_days is {days:g}, but etcd_ca_days is {most:g}: etcd's certificates would be good for "
            "longer than the CA that signs them; give etcd_certificate_days no more than etcd_ca_days"
        )
    heartbeat, election = as_number(values.get(HEARTBEAT)), as_number(values.get(ELECTION))
    # Flags of one's own, with which these are not used, are judged with all other flags.
    if heartbeat and election and not values.get("etcd_settings") and election < HEARTBEATS * heartbeat:
        yield (
            f"{ELECTION} is {election:g}, but {HEARTBEAT} is {heartbeat:g}: etcd does not start with less than "
            f"{HEARTBEATS} heartbeats; give {ELECTION} at least {HEARTBEATS * heartbeat:g}"
        )


def _of_kubeadm(values: Mapping[str, Any], inputs: Inputs) -> Iterator[str]:
    """Days against how long kubeadm's certificates hold, and these against its authorities."""
    days, most = _lifetime(PERIOD, inputs), _lifetime(CA_PERIOD, inputs)
    cause = "" if days == USUAL_DAYS[PERIOD] else f" ({CONFIGURATION}.{PERIOD})"
    for variable, outcome in ((RENEW, "renew"), (WARN, "warn of")):
        given = as_number(values.get(variable))
        if given is not None and given >= days:
            yield (
                f"{variable} is {given:g}, but kubeadm's certificates hold for {days:g} days{cause}: every run would "
                f"{outcome} all of them; give less than {days:g}"
            )
    if days > most:
        yield (
            f"{CONFIGURATION}.{PERIOD} is {days:g} days, but {CA_PERIOD} is {most:g}: certificates would be good for "
            f"longer than the authorities that sign them; give {PERIOD} no more than {CA_PERIOD}"
        )


def _of_calendar(values: Mapping[str, Any]) -> Iterator[str]:
    """Ages of backups against the time between two runs of their timer."""
    calendar = str(values.get(CALENDAR) or "")
    between = between_events(calendar) if _is_on(values.get(TIMER)) else None
    if not between:
        return
    least, most = between
    given = as_number(values.get(MIN_AGE))
    if given is not None and given >= least:
        yield (
            f"{MIN_AGE} is {given:g} minutes, but {CALENDAR} {calendar!r} comes after {least} minutes: runs would make "
            f"no backup; give {MIN_AGE} less than {least}"
        )
    for variable, outcome in OUTLASTING:
        given, (unit, size) = as_number(values.get(variable)), UNITS[variable]
        if given and given * size <= most * 60:
            shown = f"{most * 60 / size:g}"
            yield (
                f"{variable} is {given:g}{unit}, but {CALENDAR} {calendar!r} lets {shown}{unit} pass: {outcome}; give "
                f"{variable} more than {shown}, or 0 for no limit"
            )


def _lifetime(field: str, inputs: Inputs) -> float:
    """How many days kubeadm's certificates, or its authorities, hold."""
    configuration = inputs.leader().values.get(CONFIGURATION)
    period = str(configuration.get(field) or "") if isinstance(configuration, Mapping) else ""
    days = seconds(period) / DAY if DURATION.fullmatch(period) else 0
    return days or USUAL_DAYS[field]


def _is_on(value: Any) -> bool:
    return boolean(value or False, strict=False)
