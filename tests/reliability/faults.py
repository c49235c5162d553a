"""Faults of hosts and members: what is done to whom, how it is made good, and what is watched meanwhile."""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from .cluster import COMPONENTS, Cluster, say
from .figures import Figures
from .probe import CallError

# Seconds of probing before anything happens.
CALM = 8.0


@dataclass
class Outcome:
    """What a fault did to the cluster."""

    name: str
    title: str
    target: str = ""
    figures: Figures | None = None
    recovered: float | None = None  # seconds from the repair until all was healthy
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def expect(self, condition: bool, failure: str) -> None:
        """Note a failure unless the condition holds."""
        if not condition:
            self.failures.append(failure)


@dataclass
class Fault(ABC):
    """Something that goes wrong, and is made good."""

    name: str
    title: str
    topologies: tuple[str, ...] = ("stacked",)
    # Endpoints with which it can be made.
    endpoints: tuple[str, ...] = ("haproxy", "local", "first")
    # Whether it makes its own cluster, from fresh hosts.
    begins: bool = False
    # The longest time without a successful read or write that is promised, in seconds; none: there is no promise.
    gap: float | None = 20.0
    hold: float = 45.0

    def prepare(self, cluster: Cluster, outcome: Outcome) -> None:  # noqa: B027  most need nothing
        """What is done before the probe begins."""

    @abstractmethod
    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Do it, and say to whom."""

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """Look at the cluster while it lasts."""
        time.sleep(self.hold)

    @abstractmethod
    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Make it good."""

    def after(self, cluster: Cluster, outcome: Outcome) -> None:  # noqa: B027  most need nothing
        """What is done after the probe has ended."""

    def run(self, cluster: Cluster) -> Outcome:
        """Probe, inject, observe, heal, and wait until all is healthy."""
        outcome = Outcome(self.name, self.title)
        cluster.wait_healthy()
        self.prepare(cluster, outcome)
        with cluster.probed(self.name) as figures:
            time.sleep(CALM)
            try:
                self.inject(cluster, outcome)
                self.observe(cluster, outcome)
            finally:
                say(f"{self.name}: made good")
                self.heal(cluster, outcome)
            outcome.recovered = cluster.wait_healthy()
        outcome.figures = figures()
        self.after(cluster, outcome)
        outcome.failures += cluster.prove_healthy()
        judge(outcome, self.gap)
        return outcome


def judge(outcome: Outcome, gap: float | None) -> None:
    """Hold the figures against what is promised."""
    figures = outcome.figures
    if figures is None:
        return
    outcome.expect(figures.lost == 0, f"{figures.lost} acknowledged writes are lost")
    outcome.expect(figures.writes > 0, "no write succeeded at all")
    if gap is not None:
        outcome.expect(
            figures.read_gap <= gap, f"no read succeeded for {figures.read_gap:.1f} s, promised are {gap:.0f} s"
        )
        outcome.expect(
            figures.write_gap <= gap, f"no write succeeded for {figures.write_gap:.1f} s, promised are {gap:.0f} s"
        )


def watch_leaders(cluster: Cluster, outcome: Outcome, before: dict[str, str], seconds: float) -> None:
    """Note when another host takes over what the target led, and fail where none does."""
    waiting = {component for component in COMPONENTS if before[component] == outcome.target}
    started = time.monotonic()
    while time.monotonic() - started < seconds:
        now: dict[str, str] = {}
        with contextlib.suppress(CallError):
            now = cluster.holders()
        for component in sorted(waiting):
            holder = now.get(component, outcome.target)
            if holder != outcome.target:
                passed = time.monotonic() - started
                outcome.notes.append(f"{component}: {outcome.target} to {holder} in {passed:.0f} s")
                waiting.discard(component)
        time.sleep(0.5)
    outcome.failures += [f"no other host leads {component} after {seconds:.0f} s" for component in sorted(waiting)]


@dataclass
class HostFault(Fault):
    """A host is taken away, and comes back as it was."""

    choose: Callable[[Cluster], str] = Cluster.etcd_leader
    way: str = "kill"
    way_back: str = "start"

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Take it away."""
        outcome.target = self.choose(cluster)
        self.before = cluster.holders()
        say(f"{self.name}: {self.way} {outcome.target}")
        getattr(cluster, self.way)(outcome.target)

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """See whether leadership moves."""
        watch_leaders(cluster, outcome, self.before, self.hold)

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Bring it back."""
        if outcome.target in cluster.down:
            getattr(cluster, self.way_back)(outcome.target)


@dataclass
class Cut(HostFault):
    """A host loses its network, goes on running, and gets it back."""

    way: str = "cut"
    way_back: str = "plug"


@dataclass
class KillProcess(Fault):
    """The leader's process dies, and comes back by itself."""

    name: str = "kill-etcd-process"
    title: str = "The process of the etcd member that leads is killed"
    topologies: tuple[str, ...] = ("stacked", "external")

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Kill it."""
        outcome.target = cluster.etcd_leader()
        say(f"{self.name}: {outcome.target}")
        cluster.shell(outcome.target, "pkill -KILL -x etcd")

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """See who leads next."""
        super().observe(cluster, outcome)
        outcome.notes.append(f"{cluster.etcd_leader()} leads afterwards")

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Nothing: the kubelet or systemd starts it again."""


def nth(group: str, number: int) -> Callable[[Cluster], str]:
    """Chooses the host of a group at a place in the inventory."""
    return lambda cluster: cluster.names(group)[number - 1]


def last(group: str) -> Callable[[Cluster], str]:
    """Chooses the last host of a group. With a local endpoint the probe runs on the first worker."""
    return lambda cluster: cluster.names(group)[-1]


def holder(component: str) -> Callable[[Cluster], str]:
    """Chooses the host that leads a component."""
    return lambda cluster: cluster.holders()[component]


BALANCED = ("haproxy",)
ETCD = ("external",)
HOST_FAULTS: list[Fault] = [
    HostFault("kill-1", "The first control plane host loses its power", choose=nth("kube_control_plane", 1)),
    HostFault("kill-2", "The second control plane host loses its power", choose=nth("kube_control_plane", 2)),
    HostFault("kill-3", "The third control plane host loses its power", choose=nth("kube_control_plane", 3)),
    HostFault("kill-etcd-leader", "The host that leads etcd loses its power", choose=Cluster.etcd_leader),
    HostFault(
        "kill-scheduler-leader", "The host of the leading scheduler loses its power", choose=holder(COMPONENTS[0])
    ),
    HostFault(
        "kill-manager-leader",
        "The host of the leading controller manager loses its power",
        choose=holder(COMPONENTS[1]),
    ),
    HostFault(
        "kill-endpoint",
        "The host with the endpoint's address loses its power",
        endpoints=BALANCED,
        choose=Cluster.endpoint_holder,
    ),
    Cut("cut-etcd-leader", "The host that leads etcd is cut off the network", choose=Cluster.etcd_leader),
    Cut(
        "cut-endpoint",
        "The host with the endpoint's address is cut off the network",
        endpoints=BALANCED,
        choose=Cluster.endpoint_holder,
    ),
    Cut("cut-worker", "A worker is cut off the network", choose=last("kube_node"), hold=60.0),
    HostFault("kill-member", "The first etcd host loses its power", ETCD, choose=nth("etcd", 1)),
    HostFault("kill-member-leader", "The etcd host that leads loses its power", ETCD, choose=Cluster.etcd_leader),
    Cut("cut-member-leader", "The etcd host that leads is cut off the network", ETCD, choose=Cluster.etcd_leader),
    KillProcess(),
]
