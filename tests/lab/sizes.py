"""Which hosts a lab gets and loses when another size is asked for, and whether etcd survives that."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

GROUPS = {
    "control_plane": "kube_control_plane",
    "worker": "kube_node",
    "etcd": "etcd",
    "load_balancer": "kube_load_balancer",
    "mirror": "kube_mirror",
}


@dataclass(frozen=True)
class Host:
    """A container as the lab knows it by its labels."""

    name: str
    address: str
    group: str


@dataclass(frozen=True)
class Resize:
    """What another size means for the hosts."""

    kept: list[Host]
    added: list[Host]
    removed: list[Host]

    def etcd_hosts(self) -> list[Host]:
        """The hosts that exist and run etcd's members: of a group of their own, or the control planes."""
        existing = [*self.kept, *self.removed]
        own = [host for host in existing if host.group == GROUPS["etcd"]]
        return own or [host for host in existing if host.group == GROUPS["control_plane"]]

    def control_planes(self) -> list[Host]:
        """The control planes that exist."""
        return [host for host in (*self.kept, *self.removed) if host.group == GROUPS["control_plane"]]

    def endpoint_fault(self) -> str | None:
        """Why a cluster cannot have so many control planes: one has an address of its own, several share another."""
        existing, gone = self.control_planes(), [host for host in self.removed if host in self.control_planes()]
        added = [host for host in self.added if host.group == GROUPS["control_plane"]]
        before, after = len(existing), len(existing) - len(gone) + len(added)
        if not before or (before > 1) == (after > 1):
            return None
        return (
            f"the cluster that runs has {before} control plane{'' if before == 1 else 's'} and cannot have {after}, "
            "since the address of its API would be another, which no cluster can change: make clean first"
        )


def resize(existing: Collection[Host], counts: Mapping[str, int], address: Callable[[str, int], str]) -> Resize:
    """Compare the hosts that exist with the number wanted of each group.

    Args:
        existing: all hosts of the lab.
        counts: how many hosts by group, as GROUPS calls them; a group that is left out gets none.
        address: gives the address of a group's host, counted from 1.

    Raises:
        RuntimeError: No control plane is wanted.
    """
    if counts.get("control_plane", 0) < 1:
        raise RuntimeError("a cluster needs at least one control plane")
    wanted = [
        Host(f"{group.replace('_', '-')}-{number}", address(group, number), GROUPS[group])
        for group in GROUPS
        for number in range(1, counts.get(group, 0) + 1)
    ]
    there, names = {host.name for host in existing}, {host.name for host in wanted}
    return Resize(
        kept=[host for host in existing if host.name in names],
        added=[host for host in wanted if host.name not in there],
        removed=[host for host in existing if host.name not in names],
    )


def health_by_member(members: str, health: str) -> dict[str, bool]:
    """Which voting members are healthy, by name.

    Args:
        members: JSON of `etcdctl member list`.
        health: JSON of `etcdctl endpoint health --cluster`.
    """
    healthy = {entry["endpoint"] for entry in json.loads(health) if entry["health"]}
    listed: list[dict[str, Any]] = json.loads(members)["members"]
    voters = [member for member in listed if not member.get("isLearner")]
    return {
        member.get("name") or f"{member['ID']:x}": bool(healthy.intersection(member.get("clientURLs", ())))
        for member in voters
    }


def quorum_fault(members: Mapping[str, bool], removed: Iterable[str]) -> str | None:
    """Why hosts must not go, if etcd would have no quorum without them.

    Args:
        members: whether each voting member is healthy, by name.
        removed: names of the hosts that would go.
    """
    leaving = sorted(set(removed) & set(members))
    left = [name for name, healthy in members.items() if healthy and name not in leaving]
    needed = len(members) // 2 + 1
    if not leaving or len(left) >= needed:
        return None
    return (
        f"without {' and '.join(leaving)} etcd would have {len(left)} of {len(members)} members and needs {needed}: "
        "nothing was removed. make clean removes the whole lab"
    )
