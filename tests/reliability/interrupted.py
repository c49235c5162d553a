"""ansible-playbook is killed with SIGKILL in the middle of a run, several times, and run again to the end."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cluster import Cluster, kill_tree, say
from .faults import Fault, Outcome
from .repair import Member

TASK_WITHIN = 900.0
# What a module goes on with on a host after the connection is gone.
WORKING = r"""
ps -eo args= | sed -nE 's,^([^ ]*/)?(kubeadm [a-z]+).*,\2,p; s,^/usr/bin/python3$,a module,p' | sort -u | paste -sd,
"""


@dataclass(frozen=True)
class Point:
    """When to kill: so many seconds after a task has begun."""

    task: str  # a part of its name
    seconds: float
    power: bool = False  # whether the hosts that are at work then lose their power, too
    turn: int = 1  # which of the tasks of this name

    def __str__(self) -> str:
        """When, for people."""
        return f"{self.seconds:g} s into '{self.task}'" + (f", time {self.turn}" if self.turn > 1 else "")


def tasks(output: str) -> list[str]:
    """The tasks that have begun, without their roles' names."""
    return re.findall(r"^TASK \[(?:[\w.]+ : )?(.*)\] \*", output, re.MULTILINE)


def reach(process: subprocess.Popen[bytes], log: Path, point: Point, playbook: str) -> bool:
    """Wait until the playbook is there; false where it came to its end before.

    Raises:
        RuntimeError: if it fails before.
    """
    deadline = time.monotonic() + TASK_WITHIN
    while process.poll() is None and sum(point.task in task for task in tasks(log.read_text())) < point.turn:
        if time.monotonic() > deadline:
            kill_tree(process)
            raise RuntimeError(f"{playbook} came to no task '{point.task}': see {log}")
        time.sleep(0.1)
    if process.poll() is None:
        time.sleep(point.seconds)
    if process.poll():
        raise RuntimeError(f"{playbook} failed before '{point.task}': see {log}")
    return process.poll() is None


def kill_at(cluster: Cluster, point: Point, label: str, playbook: str = "site", **variables: Any) -> tuple[str, Path]:
    """Run a playbook, kill it there, and say what that did, and where its log is."""
    process, log = cluster.start_playbook(playbook, label, **variables)
    if not reach(process, log, point, playbook):
        return f"{point}: {playbook} had come to its end", log
    kill_tree(process)
    note = f"{point}: killed in '{tasks(log.read_text())[-1]}'"
    working = {host.name: cluster.shell(host.name, WORKING).strip() for host in cluster.hosts}
    for host, what in working.items():
        if what and point.power:
            cluster.kill(host)
            note += f"; {host} lost its power in {what}"
        elif what:
            note += f"; {what} went on on {host}"
    for host in sorted(cluster.down):
        cluster.start(host)
    return note, log


def finish(cluster: Cluster, outcome: Outcome, log: str) -> None:
    """Run site to its end, and once more: that changes nothing."""
    run = cluster.site(f"{log}-last")
    again = cluster.site(f"{log}-again")
    outcome.notes.append(
        f"the last run took {run.seconds:.0f} s and changed {run.changed}; another one {again.changed}"
    )
    outcome.expect(again.changed == 0, f"a run after the last changes {again.changed} things: see {again.log}")


# What a module has begun goes on on its host when Ansible is gone, and the next run waits for it. So the power of the
# host is taken, too, where it is to stay half done.
FIRST = (
    Point("Install the programs of containerd", 2),
    Point("Install the programs of Kubernetes", 2, power=True),
    Point("Begin to initialize the first control plane", 3, power=True),
    Point("Begin to initialize the first control plane", 10, power=True),
    Point("Begin to initialize the first control plane", 6),
)
PLANES = (
    Point("Join the host, one after the other", 3, power=True),
    Point("Join the host, one after the other", 4),
    Point("Join the host, one after the other", 10, power=True),
)
MEMBERS = (
    Point("Configure the service", 0.5),
    Point("Start the members of a new cluster", 0.5, power=True),
    Point("Sign the certificates on a host that has the CA", 0.5),
)
LAST = (
    Point("Join the worker", 3, power=True),
    Point("Join the worker", 3),
    Point("Route to the pods", 0.5),
)
JOIN = (
    Point("Join the host, one after the other", 5, power=True),
    Point("Join the host, one after the other", 10, power=True),
    Point("Join the host, one after the other", 15, power=True),
    Point("Join the host, one after the other", 20, power=True),
    Point("Join the host, one after the other", 5),
)


@dataclass
class OnFreshHosts(Fault):
    """While a cluster is built; there is no endpoint to probe before the end."""

    begins: bool = True
    where: str = "the machine that runs Ansible"

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Run it to the end."""
        finish(cluster, outcome, self.name)

    def run(self, cluster: Cluster) -> Outcome:
        """Without a probe, as nothing answers yet."""
        outcome = Outcome(self.name, self.title, self.where)
        cluster.up()
        self.inject(cluster, outcome)
        self.heal(cluster, outcome)
        outcome.recovered = cluster.wait_healthy()
        outcome.failures += cluster.prove_healthy()
        return outcome


@dataclass
class InterruptedSite(OnFreshHosts):
    """At one point after the other."""

    name: str = "interrupted-site"
    title: str = "ansible-playbook is killed while it builds a cluster"
    points: Sequence[Point] = (*FIRST, *PLANES, *LAST)

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Kill it at every point."""
        for number, point in enumerate(self.points, 1):
            say(f"{self.name}: {point}")
            outcome.notes.append(kill_at(cluster, point, f"killed-{number}")[0])


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
            say(f"{self.name}: {point}")
            outcome.notes.append(kill_at(cluster, point, f"killed-join-{number}")[0])

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Run it to the end."""
        finish(cluster, outcome, self.name)
