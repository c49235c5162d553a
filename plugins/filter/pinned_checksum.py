# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter pinned_checksum."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import find, is_digest, malformed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import FILE, LockError, read

DOCUMENTATION = r"""
name: pinned_checksum
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The checksum of a download, not from its own server where that can be
description:
  - Gives a checksum that says more than the file beside the download, if one is known.
  - A checksum in hexadecimal digits stays as it is.
  - With O(lock), only what it has counts.
  - In the place of a checksum file's URL comes the digest that O(digests) holds, else the one that the collection's
    release holds. Where there is neither, the URL stays.
options:
  _input:
    description: The checksum as hexadecimal digits, or the URL of a checksum file.
    type: str
    required: true
  program:
    description: The program, such as V(etcd) or V(kubeadm).
    type: str
    required: true
  version:
    description: Its version.
    type: str
    required: true
  architecture:
    description: The architecture, as the names of downloads spell it.
    type: str
    required: true
  digests:
    description: Further digests, by program, version and architecture.
    type: dict
    default: {}
  lock:
    description: Path of a lock on the controller, which the playbook C(lock) makes. Empty for none.
    type: str
    default: ''
positional: program, version, architecture, digests
"""

EXAMPLES = r"""
- name: The checksum of etcd's archive
  ansible.builtin.debug:
    msg: "{{ etcd_checksum | groundwork.kubernetes.pinned_checksum('etcd', '3.6.15', 'amd64', kubernetes_digests) }}"
"""

RETURN = r"""
_value:
  description: The checksum, or the URL of a checksum file.
  type: str
  sample: sha256:83855e114566a8a8c44c548d515670f51de3a5e1da8b2effb59870e2f10c25a3
"""


def pinned_checksum(
    checksum: Any, program: str, version: str, architecture: str, digests: Any = None, *, lock: str = ""
) -> Any:
    """The best that is known of a download."""
    if lock:
        return _locked(lock, program, str(version), architecture)
    wrong = list(malformed(digests))
    if wrong:
        raise AnsibleFilterError(f"kubernetes_digests: {'; '.join(wrong)}")
    if is_digest(checksum):
        return checksum
    found = find(program, str(version), architecture, digests)
    return f"sha256:{found}" if found else checksum


def _locked(path: str, program: str, version: str, architecture: str) -> str:
    try:
        artifact = read(path).find(FILE, program, version, architecture)
    except LockError as error:
        raise AnsibleFilterError(f"kubernetes_lock: {error}") from None
    if artifact is None:
        raise AnsibleFilterError(
            f"kubernetes_lock: {path} has no {program} {version} for {architecture}; run the playbook lock with this "
            "inventory, or correct the version"
        )
    return f"sha256:{artifact.sha256}"


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"pinned_checksum": pinned_checksum}
