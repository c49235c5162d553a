# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a backup may be put back on a host, and with which mode.

An archive is made of whatever a host had, so that it holds a file is no reason to place it: only what is named is.
Nothing that a kubelet would run is among it, whoever signed the archive. Modes and owners are ours, not the archive's.
"""

from __future__ import annotations

import os
import re
from typing import Dict, List, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import FILES
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import Part

PLACES = ("/etc/kubernetes/", "/etc/etcd/pki/")
# The folders of static pods, also of those that are stopped.
STATIC_PODS = re.compile(r"/manifests[^/]*(/|$)")
# What a cluster cannot be rebuilt without: authorities, the key of service accounts, keys of encryption at rest.
KNOWN = [
    "/etc/kubernetes/pki/ca.crt",
    "/etc/kubernetes/pki/ca.key",
    "/etc/kubernetes/pki/front-proxy-ca.crt",
    "/etc/kubernetes/pki/front-proxy-ca.key",
    "/etc/kubernetes/pki/sa.key",
    "/etc/kubernetes/pki/sa.pub",
    "/etc/kubernetes/pki/etcd/ca.crt",
    "/etc/kubernetes/pki/etcd/ca.key",
    "/etc/kubernetes/encryption/*.yaml",
    "/etc/kubernetes/encryption*.yaml",
]
SMALL = 1024 * 1024  # more than any file of keys or settings has
PUBLIC, PRIVATE = 0o644, 0o600


def path_faults(include: Sequence[str]) -> List[str]:
    """What is wrong with the paths that are asked for."""
    found = []
    for path in include:
        if not path.startswith(PLACES) or os.path.normpath(path) != path:
            found.append(f"include: {path} is not a path below {' or '.join(PLACES)} in its shortest form")
        elif STATIC_PODS.search(path):
            found.append(f"include: {path} is a static pod, which the kubelet would run: it is never taken of a backup")
    return found


def chosen(archive: str, parts: Sequence[Part], include: Sequence[str]) -> Dict[str, Part]:
    """The parts that are to be put back, by their paths.

    Args:
        archive: for messages.
        parts: of the archive.
        include: paths, in which ``*`` stands for any characters but a slash.

    Raises:
        BackupError: if one of them is none that may be placed.
    """
    patterns = [re.compile("[^/]*".join(map(re.escape, path.split("*")))) for path in include]
    found = {}
    for part in parts:
        path = part.name[len(FILES) :]
        if not part.name.startswith(f"{FILES}/") or not any(pattern.fullmatch(path) for pattern in patterns):
            continue
        if not path.startswith(PLACES) or os.path.normpath(path) != path or STATIC_PODS.search(path):
            raise BackupError("unsafe_member", f"{archive} has {path}, which is never put back: nothing was changed")
        if part.size > SMALL:
            raise BackupError(
                "unsafe_member", f"{archive} has {path} with {part.size} bytes, more than {SMALL}: nothing was changed"
            )
        found[path] = part
    return found


def mode_of(path: str) -> int:
    """The mode of a file: certificates are public, nothing else is."""
    return PUBLIC if path.endswith(".crt") else PRIVATE
