# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a restore, and what is found to stand against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Info = Mapping[str, Any]
CONTROLLER = "localhost"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        cluster: the cluster's name.
        confirm: the name that was given to confirm it.
        members: hosts that hold etcd's members.
        control_planes: hosts of the control plane.
        addresses: the inventory's address of each host.
        archive: path of the archive; empty: the newest.
        archive_host: the host that has it; empty: whichever, localhost: the controller.
        controller: what the controller has, in the form of restore_info's archives.
        copy: the one of the copies that the archive is in; empty: it is on a host or on the controller.
        copies: names of all copies.
        identity: the file with the private key for encrypted archives.
        read: what restore_info returned as archive when hosts read the chosen one in full, by host; empty before.
        brought: what backup_fetch returned when it brought an archive to the controller; empty before.
        rollback: whether an earlier restore is to be undone.
        other_cluster: whether an archive of another cluster is taken.
        cluster_uid: the identity of the cluster whose archives are meant, or its beginning; empty: what etcd tells,
            else the one that all archives of the name carry.
        adopt: whether archives of the name without an identity are the cluster's.
        save: whether what runs now is to be saved.
        rebuild: whether an empty host is made the first of a cluster again.
        check: whether it is check mode, which needs no confirmation.
        trusted_signers: public keys of those who make the cluster's archives, besides those of the hosts.
        unverified: whether an archive is taken of which it is not known who made it.
    """

    cluster: str
    members: Sequence[str]
    control_planes: Sequence[str]
    addresses: Mapping[str, str] = field(default_factory=dict)
    confirm: str = ""
    archive: str = ""
    archive_host: str = ""
    controller: Sequence[Info] = ()
    copy: str = ""
    copies: Sequence[str] = ()
    identity: str = ""
    read: Mapping[str, Info] = field(default_factory=dict)
    brought: Info = field(default_factory=dict)
    rollback: bool = False
    other_cluster: bool = False
    cluster_uid: str = ""
    adopt: bool = False
    save: bool = True
    rebuild: bool = False
    check: bool = False
    trusted_signers: Sequence[str] = ()
    unverified: bool = False


@dataclass
class Findings:
    """What stands against a restore, and what the user should know of it."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
