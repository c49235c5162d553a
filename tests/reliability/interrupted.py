"""ansible-playbook is killed with SIGKILL in the middle of site, several times, and run again to the end."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .cluster import Cluster, kill_tree, say
from .faults import Fault, Outcome
from .repair import Member

TASK_WITHIN = 900.0
# What a module goes on with on a host after the connection is gone.
WORKING = (
    "pgrep -a 'kubeadm|python3' | grep -oE 'kubeadm (init|join|reset)|AnsiballZ_[a-z_]+' | sort -u | paste -sd, || true"
)


@dataclass(frozen=True)
class Point:
    """When to kill: so many seconds after a task has begun."""

    task: str  # a part of its name
    seconds: float


def tasks(output: str) -> list[str]:
    """The tasks that have begun, without their roles' names."""
    return re.findall(r"^TASK \[(?:[\w.]+ : )?(.*)\] \*", output, re.MULTILINE)


def kill_at(cluster: Cluster, point: Point, label: str) -> str:
    """Run site, kill it there, and say where that was.

    Raises:
        RuntimeError: if site ends before.
    """
    process, log = cluster.start_playbook("site", label)
    deadline = time.monotonic() + TASK_WITHIN
    while not any(point.task in task for task in tasks(log.read_text())):
        if process.poll() is not None or time.monotonic() > deadline:
            kill_tree(process)
            raise RuntimeError(f"site came to no task '{point.task}': see {log}")
        time.sleep(0.1)
    time.sleep(point.seconds)
    ended = process.poll() is not None
    kill_tree(process)
    if ended:
        raise RuntimeError(f"site ended before it could be killed: see {log}")
    working = {host.name: cluster.shell(host.name, WORKING).strip() for host in cluster.hosts}
    left = "; ".join(f"{what} went on on {host}" for host, what in working.items() if what)
    return f"killed in '{tasks(log.read_text())[-1]}', {point.seconds:.0f} s after '{point.task}' began" + (
        f" ({left})" if left else ""
    )


def finish(cluster: Cluster, outcome: Outcome, log: str) -> None:
    """Run site to its end, and once more: that changes nothing."""
    run = cluster.site(f"{log}-last")
    again = cluster.site(f"{log}-again")
    outcome.notes.append(
        f"the last run took {run.seconds:.0f} s and changed {run.changed}; another one {again.changed}"
    )
    outcome.expect(again.changed == 0, f"a run after the last changes {again.changed} things: see {again.log}")


# Names of tasks are looked for in what a run prints.
FIRST = (
    Point("Install the programs of containerd", 2),
    Point("Install the programs of Kubernetes", 2),
    Point("Initialize the first control plane", 4),
    Point("Initialize the first control plane", 14),
)
LAST = (
    Point("Join the host, or apply", 4),
    Point("Route to the pods", 0.5),
)
PLANES = (
    Point("Join the host, one after the other", 3),
    Point("Join the host, one after the other", 15),
    Point("Join the host, one after the other", 50),
)
JOIN = (
    Point("Join the host, one after the other", 5),
    Point("Join the host, one after the other", 12),
    Point("Join the host, one after the other", 20),
    Point("Join the host, one after the other", 30),
)


@dataclass
class InterruptedSite(Fault):
    """On fresh hosts; there is no endpoint to probe before the end."""

    name: str = "interrupted-site"
    title: str = "ansible-playbook is killed while it builds a cluster"
    begins: bool = True
    points: Sequence[Point] = (*FIRST, *PLANES, *LAST)

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Kill it at every point."""
        for number, point in enumerate(self.points, 1):
            say(f"{self.name}: '{point.task}' and {point.seconds:.0f} s")
            outcome.notes.append(kill_at(cluster, point, f"killed-{number}"))

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Run it to the end."""
        finish(cluster, outcome, self.name)

    def run(self, cluster: Cluster) -> Outcome:
        """Without a probe, as nothing answers yet."""
        outcome = Outcome(self.name, self.title, "the machine that runs Ansible")
        cluster.up()
        self.inject(cluster, outcome)
        self.heal(cluster, outcome)
        outcome.recovered = cluster.wait_healthy()
        outcome.failures += cluster.prove_healthy()
        return outcome


@dataclass
class InterruptedJoin(Fault):
    """While a control plane that was set up anew joins a cluster in use."""

    name: str = "interrupted-join"
    title: str = "ansible-playbook is killed while a control plane joins again"
    gap: float | None = 30.0
    hold: float = 0.0
    points: Sequence[Point] = JOIN

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Set the last control plane up anew, and kill every run that would join it."""
        outcome.target = cluster.control_planes[-1]
        member = Member(cluster, outcome.target)
        member.lose()
        member.replace()
        for number, point in enumerate(self.points, 1):
            say(f"{self.name}: '{point.task}' and {point.seconds:.0f} s")
            outcome.notes.append(kill_at(cluster, point, f"killed-join-{number}"))

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Run it to the end."""
        finish(cluster, outcome, self.name)
