"""Hosts that are lost with their disks, and replaced by running site."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .cluster import Cluster, say
from .faults import Fault, Outcome


class Member:
    """A host that is lost and comes back empty under the same name."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.host = next(host for host in cluster.hosts if host.name == name)

    def lose(self) -> None:
        """Take it away with its disk, and out of the inventory."""
        self.cluster.lab.hosts.remove([self.host.name])

    def replace(self) -> None:
        """Put an empty host in its place, unless that was done."""
        if self.host not in self.cluster.hosts:
            self.cluster.lab.hosts.add([self.host])


@dataclass
class Replace(Fault):
    """A host with a member of etcd is lost, taken out by site, and joined again by site as an empty host."""

    place: int = 1
    hold: float = 10.0
    gap: float | None = 30.0

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Lose it."""
        outcome.target = cluster.etcd_hosts[self.place - 1]
        self.member = Member(cluster, outcome.target)
        self.members = cluster.members()
        say(f"{self.name}: {outcome.target}")
        self.member.lose()

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """Site takes what is left of it out of etcd and of the nodes."""
        time.sleep(self.hold)
        run = cluster.site(f"site-without-{outcome.target}")
        outcome.notes.append(f"taken out in {run.seconds:.0f} s")
        left = cluster.members()
        outcome.expect(outcome.target not in left.values(), f"{outcome.target} is a member still: {left}")
        nodes = [node["metadata"]["name"] for node in cluster.call("GET", "/api/v1/nodes")["items"]]
        outcome.expect(outcome.target not in nodes, f"{outcome.target} is a node still")

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Join the empty host."""
        self.member.replace()
        run = cluster.site(f"site-with-{outcome.target}")
        outcome.notes.append(f"joined again in {run.seconds:.0f} s")

    def after(self, cluster: Cluster, outcome: Outcome) -> None:
        """It is another member, and a further run changes nothing."""
        members = cluster.members()
        outcome.expect(sorted(members.values()) == sorted(self.members.values()), f"members are {members}")
        outcome.expect(members.keys() != self.members.keys(), "the lost member is still there")
        again = cluster.site("site-again")
        outcome.expect(again.changed == 0, f"a further run of site changes {again.changed} things: see {again.log}")


@dataclass
class Rebuild(Replace):
    """A host is set up anew under its name; one run of site makes it a member again."""

    hold: float = 15.0

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Lose it, and put an empty one in its place."""
        super().inject(cluster, outcome)
        self.member.replace()

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """Nothing but the probe."""
        time.sleep(self.hold)


REPAIRS: list[Fault] = [
    Replace("replace-1", "The first control plane is lost, taken out, and replaced", place=1),
    Rebuild("rebuild-2", "The second control plane is set up anew under its name", place=2),
    Rebuild("rebuild-3", "The third control plane is set up anew under its name", place=3),
    Replace("replace-member", "The first etcd host is lost, taken out, and replaced", ("external",), place=1),
    Rebuild("rebuild-member", "The second etcd host is set up anew under its name", ("external",), place=2),
]
