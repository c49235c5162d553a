# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the archives that carry a cluster's name are its own, where a restore is planned."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import SHORT, named_archives
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner, matches
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import Info

BEGAN_ANEW = "If that is meant, for example as the cluster lost its data and began anew"


@dataclass(frozen=True)
class Identities:
    """The cluster's identity, as far as it is known, and those that archives of its name carry.

    Attributes:
        cluster: the cluster's name.
        given: the identity that the user gives or etcd has; empty where nobody does.
        adopt: whether archives without an identity are the cluster's.
        listed: paths of all archives of the name, with the identities they carry.
    """

    cluster: str
    given: str
    adopt: bool
    listed: Sequence[tuple[str, str]]

    @property
    def several(self) -> dict[str, str]:
        """The identities that the archives carry, by their beginnings, each with the path of one."""
        return {uid[:SHORT]: path for path, uid in self.listed if uid}

    @property
    def owner(self) -> Owner:
        """The cluster whose archives count: where none is given, the one that all of them are of."""
        only = next(iter(self.several)) if len(self.several) == 1 else ""
        return Owner(self.cluster, self.given or only, self.adopt)

    def owns(self, uid: str) -> bool:
        """Whether an archive with some identity is the cluster's."""
        return self.owner.owns(uid)

    def no_archive(self) -> str:
        """Why none of the archives of the name is taken; nothing where there are none."""
        if not self.listed:
            return ""
        several = self.several
        if not self.owner.uid and len(several) > 1:
            return (
                f"there are backups of several clusters with the name {self.cluster}, {', '.join(several.values())}, "
                "and etcd does not tell which this is: set restore_cluster_uid to the beginning of the UID of its "
                f"namespace kube-system, {' or '.join(several)}"
            )
        left = [f"{path} of {uid}" if uid else f"{path} without an identity" for path, uid in self.listed]
        whose = f"{self.cluster}, whose identity is {self.owner.uid}," if self.owner.uid else self.cluster
        return (
            f"no good backup of {whose} was found, but {', '.join(left[:3])}. {BEGAN_ANEW}, set restore_cluster_uid to "
            "the identity; name one without an identity (restore_archive), or tell that all of them are this cluster's "
            "(backup_adopt_unidentified)"
        )

    def fault(self, path: str, uid: str) -> str:
        """What stands against an archive with some identity, or nothing."""
        if not uid or not self.given or matches(uid, self.given):
            return ""
        return (
            f"{path} is a backup of a cluster of the same name with another identity, {uid}, where this one has "
            f"{self.given}. {BEGAN_ANEW}, set restore_cluster_uid to {uid[:SHORT]}"
        )

    def warnings(self, path: str, uid: str, newer: Sequence[str]) -> list[str]:
        """What the user should know of the archive that is taken.

        Args:
            path: the archive.
            uid: the identity that it carries.
            newer: archives of the name that are newer.
        """
        if self.adopt:
            return []
        if not uid:
            return [f"{path} carries no cluster's identity: only its name tells that it is this cluster's"]
        passed = [item for item, one in self.listed if not one and item in newer]
        newest = max(passed, key=os.path.basename, default="")
        return [f"{newest} is newer, but carries no cluster's identity: name it to restore it"] if newest else []


def uid_in(path: str) -> str:
    """The beginning of a cluster's identity in an archive's name."""
    return next((item.uid for item in named_archives([path])), "")


def uid_of(item: Info) -> str:
    """The identity that an archive carries."""
    return str(item.get("cluster_uid", ""))


def live_uid(hosts: Mapping[str, Info]) -> str:
    """The identity that etcd has on the first host where it is known."""
    lives = [info["live"].get("cluster_uid", "") for info in hosts.values() if info["live"]]
    return next((str(uid) for uid in lives if uid), "")


def listed(hosts: Mapping[str, Info]) -> list[tuple[str, str]]:
    """All archives of the name on the hosts, with the identities they carry."""
    found = [(item["path"], uid_of(item)) for info in hosts.values() for item in info["archives"]]
    return found + [(path, uid_in(path)) for info in hosts.values() for path in info["encrypted"]]
