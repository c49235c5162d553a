# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which archive of a copy is meant, and how it is read there."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    SEALED,
    Listed,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import (
    FLAGS,
    NO_FOLDER,
    inside,
    last_words,
    parse_listing,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import SIGNATURE
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.fetched_file import (
    MIB,
    Call,
    FetchError,
    Source,
)

PIECE_OF_COPY = 64  # MiB a round trip; each takes rclone a connection of its own
NO_RCLONE, NO_CONFIG = 90, 91
# As of module_utils/_backup/copies.py: only the configuration file counts.
RCLONE = r"""PATH="$PATH:/usr/local/bin"; unset $(env | grep -oE '^(RCLONE|AWS)_[A-Za-z0-9_]+') _; """


class NotReadyError(FetchError):
    """The host cannot read the copy yet."""


@dataclass(frozen=True)
class Wanted:
    """Which archive is meant.

    Attributes:
        path: its name, encrypted or not; empty for the newest of the cluster.
        cluster: the cluster's name.
        uid: the cluster's identity, or its beginning; empty where it is not known.
        adopt: whether archives without an identity are the cluster's.
    """

    path: str
    cluster: str
    uid: str
    adopt: bool


def in_copy(call: Call, target: str, configuration: str, wanted: Wanted, *, host: str, environment: str) -> Source:
    """An archive in one of the copies: the one that is named, encrypted or not, else the newest.

    Args:
        call: runs a command on the host, and returns its exit code, output and messages.
        target: the folder, as rclone calls it.
        configuration: rclone's configuration file on the host.
        wanted: which archive is meant.
        host: for messages.
        environment: what the task sets for its commands, as a shell reads it.

    Raises:
        NotReadyError: if rclone or its configuration is still to come.
        FetchError: if there is no such archive, or the copy cannot be listed.
    """
    config = shlex.quote(configuration)
    prefix = (f"export {environment}; " if environment else "") + RCLONE
    flags = " ".join([f"--config={config}", *FLAGS])
    rc, out, err = call(
        f"{prefix}command -v rclone >/dev/null || exit {NO_RCLONE}; test -r {config} || exit {NO_CONFIG}; "
        f"rclone lsjson --files-only {flags} {shlex.quote(target)}"
    )
    if rc in (NO_RCLONE, NO_CONFIG):
        lacks = "rclone is not installed" if rc == NO_RCLONE else f"there is no {configuration}"
        raise NotReadyError(
            f"copy: {lacks} on {host}, which is to read {target}. The role backup brings it, but not in check mode"
        )
    if rc not in (0, NO_FOLDER):
        raise FetchError(f"copy: {target} cannot be listed: rclone says {last_words(err)}")
    sizes = {item.name: item.size for item in parse_listing(out if rc == 0 else "", time.time())}
    name = choose(target, list(sizes), wanted)

    def source(name: str, beside: Source | None = None) -> Source:
        place = inside(target, name)

        def piece(start: int, count: int) -> str:
            section = f"--offset={start * MIB} --count={count * MIB}"
            return f"{prefix}rclone cat {section} {flags} {shlex.quote(place)} | base64"

        return Source(place, sizes[name], PIECE_OF_COPY, piece, beside)

    return source(name, source(name + SIGNATURE) if name + SIGNATURE in sizes else None)


def choose(target: str, names: Sequence[str], wanted: Wanted) -> str:
    """Which of the archives is meant."""
    if not wanted.path:
        return newest(target, names, wanted)
    asked = os.path.basename(wanted.path)
    found = [name for name in (asked, asked + SEALED) if name in names]
    if found:
        return found[0]
    raise FetchError(f"copy: {target} has no {asked}. It has {some(named_archives(names)) or 'no archives at all'}")


def newest(target: str, names: Sequence[str], wanted: Wanted) -> str:
    """The newest archive of the cluster; where its identity is not known, there must be no other of its name."""
    cluster, uid = wanted.cluster, wanted.uid
    named = [item for item in named_archives(names, cluster) if not item.bad]
    identities = sorted({item.uid for item in named} - {""})
    if not uid and len(identities) > 1:
        one_of_each = some([next(item for item in named if item.uid == one) for one in identities])
        raise FetchError(
            f"copy: {target} has archives of several clusters with the name {cluster}, {one_of_each}: name the one "
            "that is meant, by the beginning of the UID of its namespace kube-system as in the names (cluster_uid)"
        )
    owner = Owner(cluster, uid or "".join(identities), wanted.adopt)
    found = [item.name for item in named if owner.owns(item.uid)]
    if found:
        return found[0]
    whose = f"archive of the cluster {cluster}{f' with the identity {uid}' if uid else ''}"
    there = f"It has {some(named_archives(names)) or 'no archives at all'}"
    if any(not item.uid for item in named):
        there += ". One that carries no cluster's identity must be named, or adopted"
    raise FetchError(f"copy: {target} has no {whose}. {there}")


def some(items: list[Listed]) -> str:
    """The newest few of some archives."""
    return ", ".join([item.name for item in items if not item.bad][:3])
