# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of backups: what leaves the hosts, and whom a restore trusts."""

from __future__ import annotations

from collections.abc import Iterator

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import signer_faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    HostInput,
    Inputs,
)

LEAVING = ("backup_copies", "backup_controller_directory")


def backups(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Copies without encryption, and signers that are no public keys."""
    if CONTROL_PLANE not in inputs.roles_of(host.name):
        return
    leaving = [variable for variable in LEAVING if host.values.get(variable)]
    allowed = boolean(host.values.get("backup_plain_copies") or False, strict=False)
    if leaving and not host.values.get("backup_encrypt_to") and not allowed:
        text = (
            f"{' and '.join(leaving)} would take archives off the host without encryption, with the keys of the "
            "cluster's authorities and all Secrets in them; name public keys of age in backup_encrypt_to, or set "
            "backup_plain_copies"
        )
        yield host.fault("backup-plain", text)
    signers = host.values.get("backup_trusted_signers")
    for fault in signer_faults(map(str, signers)) if isinstance(signers, list) else []:
        yield host.fault("value-invalid", f"backup_trusted_signers: {fault}")
