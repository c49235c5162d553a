# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of etcd: the number of its members, and the CAs that are given to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.flags import FlagError, environment, parse
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    HostInput,
    Inputs,
)

ETCD_CA_CERTIFICATE, ETCD_CA_KEY = "etcd_ca_certificate", "etcd_ca_key"
ETCD_CAS = ((ETCD_CA_CERTIFICATE, ETCD_CA_KEY), ("etcd_peer_ca_certificate", "etcd_peer_ca_key"))
# More members make etcd slower, not safer (https://etcd.io/docs/latest/faq/).
ETCD_MEMBERS_MAX = 7


def members(inputs: Inputs) -> Iterator[Fault]:
    """The number of etcd's members: odd, and not too many."""
    role = CONTROL_PLANE if inputs.stacked else ETCD
    number, where = len(inputs.members(role)), inputs.group(role)[0]
    if number > ETCD_MEMBERS_MAX:
        text = (
            f"{number} etcd members (group {where}) are more than {ETCD_MEMBERS_MAX}: each write waits for "
            f"{number // 2 + 1} of them; have {ETCD_MEMBERS_MAX} at the most"
        )
        if inputs.stacked:
            text += f", or put etcd on hosts of its own (group {inputs.group(ETCD)[0]})"
        yield Fault("members-too-many", text)
    elif number and number % 2 == 0:
        survived = {0: "no loss", 1: "1 loss"}.get(number // 2 - 1, f"{number // 2 - 1} losses")
        text = (
            f"{number} etcd members (group {where}) survive {survived}, no more than {number - 1} would, because "
            f"{number // 2 + 1} must agree; have {number - 1} or {number + 1}. To go on without a member that was "
            "lost, until it is replaced, set preflight_ignore: [members-even]"
        )
        # Two are worse than one: either loss stops both. More control planes than members need to be may have a reason.
        yield Fault("members-even", text, severity=WARNING if inputs.stacked and number > 2 else ERROR)


def settings(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """etcd_settings: what this version of etcd does not know, or what the role manages."""
    given, version = host.values.get("etcd_settings"), host.text("etcd_version")
    if not isinstance(given, Mapping) or (inputs.grouped and host.name not in inputs.members(ETCD)):
        return
    try:
        parse(version)
    except FlagError:
        return  # that is told as such
    try:
        environment(given, {}, version)
    except FlagError as error:
        for text in str(error).splitlines():
            yield host.fault("value-invalid", f"etcd_settings.{text}")


def supplied_pki(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """The CAs that variables give to etcd."""
    days = host.values.get("preflight_certificate_days") or 0
    if ETCD not in inputs.roles_of(host.name):
        return
    for names in ETCD_CAS:
        certificate, key = ((name, host.text(name)) for name in names)
        for fault in public_keys.supplied_authority(certificate, key, datetime.now(timezone.utc), days):
            yield replace(fault, host=host.name)
