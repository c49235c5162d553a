# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of backups: what leaves the hosts, and whom a restore trusts."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import signer_faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    HostInput,
    Inputs,
)

SSH_KEYS = ("ssh-ed25519 ", "ssh-rsa ")
SSH_KEY = re.compile(r"(ssh-ed25519|ssh-rsa) ([A-Za-z0-9+/]+={0,2})(?: .*)?")
BECH32, GENERATORS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l", (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
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
    recipients = host.values.get("backup_encrypt_to") or []
    for at, recipient in enumerate(recipients if isinstance(recipients, list) else str(recipients).split(",")):
        wrong = recipient_fault(str(recipient))
        if wrong:
            yield host.fault("value-invalid", f"backup_encrypt_to[{at}] {wrong}")
    signers = host.values.get("backup_trusted_signers")
    for fault in signer_faults(map(str, signers)) if isinstance(signers, list) else []:
        yield host.fault("value-invalid", f"backup_trusted_signers: {fault}")


def backup_programs(host: HostInput) -> list[str]:
    """The programs that backups need of a host, and that no package of the role brings."""
    brought = host.values.get("backup_packages")
    if not isinstance(brought, list):  # the role's own
        return []
    needed = {"age": "backup_encrypt_to", "rclone": "backup_copies"}
    return [program for program, variable in needed.items() if host.values.get(variable) and program not in brought]


def recipient_fault(text: str) -> str:
    """Why a text is no public key of age; empty where it is one. A private key is not shown."""
    if text.upper().startswith(("AGE-SECRET-KEY-", "AGE-PLUGIN-")) or "PRIVATE KEY" in text:
        return "is a private key (not shown), which belongs on no host; give the public key, which begins with age1"
    if text.startswith(SSH_KEYS):
        found = SSH_KEY.fullmatch(text)
        return "" if found and _is_key_of(*found.groups()) else f"{text!r} is no public key of ssh; copy the whole line"
    if text.startswith("age1") and is_bech32(text):
        return ""
    advice = "copy it whole" if text.startswith("age1") else "age-keygen prints one, which begins with age1"
    return f"{text!r} is no public key of age; {advice}"


def _is_key_of(kind: str, encoded: str) -> bool:
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        return False
    # A key begins with the length and the name of its kind.
    return data[:4] == len(kind).to_bytes(4, "big") and data[4 : 4 + len(kind)] == kind.encode() and len(data) > 36


def is_bech32(text: str) -> bool:
    """Whether a text is in the coding of age's keys and has the right checksum (BIP 173)."""
    name, _separator, data = text.rpartition("1")
    if not name or len(data) < 6 or set(data) - set(BECH32) or text != text.lower():
        return False
    codes = [ord(letter) for letter in name]
    values = [code >> 5 for code in codes] + [0] + [code & 31 for code in codes] + [BECH32.index(one) for one in data]
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(GENERATORS):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum == 1
