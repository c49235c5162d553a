"""A playbook that walks over a cluster's hosts, under observation: python3 -m reliability.walk.

Meanwhile a workload is asked through the NodePort of every node, a probe reads and writes through the API's endpoint,
and the versions of all API servers and kubelets are noted, and how many of etcd's members answer. It prints one JSON
object. With --kill the playbook is killed in a task; with --lose or --cut a host loses its power or its network then,
until the playbook has ended.
"""

from __future__ import annotations

import argparse
import http
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .cluster import LOGS, TOPOLOGIES, Cluster, changes
from .figures import Figures
from .interrupted import Point, kill_at, reach, tasks
from .probe import Access, Api, CallError

ASK_PAUSE, LOOK_PAUSE, ASK_LIMIT = 0.2, 2.0, 5.0
# So many calls in a row that do not fail: the workload is reached through all nodes again.
STEADY, STEADY_WITHIN = 25, 180.0


def number(version: str) -> tuple[int, ...]:
    """A version as a tuple that compares."""
    return tuple(int(part) for part in version.removeprefix("v").partition("-")[0].split("."))


def newer_kubelets(kubelets: Mapping[str, str], servers: Mapping[str, str]) -> list[str]:
    """The kubelets that are newer than an API server which they may reach."""
    if not servers:
        return []
    oldest = min(servers.values(), key=number)
    return [
        f"{node} {version}, an API server {oldest}"
        for node, version in kubelets.items()
        if number(version) > number(oldest)
    ]


@dataclass
class Clients:
    """Ask the workload through every node, one after the other, each time with a new connection."""

    addresses: list[str]
    port: int
    calls: int = 0
    failed: list[str] = field(default_factory=list)
    good: int = 0  # calls in a row that did not fail
    worked_on: Callable[[str], bool] = lambda _address: False  # whether a node need not answer now

    def ask(self) -> None:
        """Ask the next node."""
        address = self.addresses[self.calls % len(self.addresses)]
        self.calls += 1
        try:
            connection = http.client.HTTPConnection(address, self.port, timeout=ASK_LIMIT)
            connection.request("GET", "/")
            status = connection.getresponse().status
            connection.close()
            fault = "" if status == http.HTTPStatus.OK else str(status)
        except (OSError, http.client.HTTPException) as error:
            fault = str(error) or type(error).__name__
        self.good = 0 if fault else self.good + 1
        if fault and not self.worked_on(address):
            self.failed.append(f"{time.strftime('%H:%M:%S')} {address}: {fault}")


@dataclass
class Versions:
    """What API servers and kubelets run; an API server that does not answer counts as it was."""

    access: Access
    addresses: list[str]
    servers: dict[str, str] = field(default_factory=dict)
    samples: int = 0
    newer: set[str] = field(default_factory=set)

    def ask(self) -> None:
        """Note what they run now."""
        kubelets: dict[str, str] = {}
        for address in self.addresses:
            api = Api(Access(**{**asdict(self.access), "server": f"https://{address}:6443"}))
            try:
                self.servers[address] = api.call("GET", "/version")["gitVersion"]
                kubelets = kubelets or reported(api.call("GET", "/api/v1/nodes")["items"])
            except (CallError, OSError):
                continue
        self.samples += bool(kubelets)
        self.newer.update(newer_kubelets(kubelets, self.servers))


@dataclass
class Members:
    """How many of etcd's members answer, also where they are choosing a leader: without most there is no quorum."""

    members: list[Api]
    samples: int = 0
    fewest: int = 0

    def ask(self) -> None:
        """Ask all at once."""
        with ThreadPoolExecutor(len(self.members)) as pool:
            there = sum(pool.map(answers, self.members))
        self.fewest = min(self.fewest, there) if self.samples else there
        self.samples += 1


def answers(member: Api) -> bool:
    """Whether a member of etcd answers."""
    try:
        member.call("GET", "/health")
    except CallError as error:
        return bool(error.status)
    return True


def members_of(cluster: Cluster) -> list[Api]:
    """Where etcd's members are asked, as their own probe does."""
    names = cluster.etcd_hosts
    pki = {name: cluster.shell(names[0], f"cat {path}") for name, path in cluster.topology.etcd_pki.items()}
    return [
        Api(Access(f"https://{cluster.address(name)}:2379", pki["cacert"], pki["cert"], pki["key"])) for name in names
    ]


def is_worked_on(node: Mapping[str, Any]) -> bool:
    """Whether a node is cordoned, so that a load balancer would not ask it."""
    return bool(node["spec"].get("unschedulable"))


def reported(nodes: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The versions of kubelets, by node."""
    return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in nodes}


def again(ask: Callable[[], None], pause: float, ended: threading.Event) -> threading.Thread:
    """Ask again and again, in a thread, until the end."""

    def work() -> None:
        while not ended.wait(pause):
            ask()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@dataclass(frozen=True)
class Report:
    """What was seen."""

    code: int  # the playbook's; -9 where it was killed
    log: str
    seconds: float
    changed: int
    ended: str  # where it was killed, or what was done to which host
    calls: int
    failed: list[str]
    samples: int
    newer: list[str]
    members: int  # the fewest of etcd that answered at a time
    api: Figures


@dataclass
class Watch:
    """Who asks meanwhile."""

    clients: Clients
    versions: Versions
    members: Members
    others: list[Callable[[], None]] = field(default_factory=list)

    def begin(self, ended: threading.Event) -> list[threading.Thread]:
        """Ask in threads until the end."""
        looks = [self.versions.ask, self.members.ask, *self.others]
        return [again(self.clients.ask, ASK_PAUSE, ended), *(again(look, LOOK_PAUSE, ended) for look in looks)]


def watch(cluster: Cluster, port: int, hosts_go: bool, joining: str) -> Watch:
    """What is asked of a cluster; where hosts go, those that shut down are started, since containers stay off."""
    nodes = [*cluster.control_planes, *cluster.names("kube_node")]
    names = {cluster.address(name): name for name in nodes if name != joining}
    planes = [cluster.address(name) for name in cluster.control_planes]
    found = Watch(Clients(list(names), port), Versions(cluster.access, planes), Members(members_of(cluster)))

    def worked_on(address: str) -> bool:
        try:
            return is_worked_on(cluster.call("GET", f"/api/v1/nodes/{names[address]}"))
        except CallError as error:
            return error.status == http.HTTPStatus.NOT_FOUND

    if hosts_go:
        found.clients.worked_on = worked_on
        found.others.append(cluster.lab.hosts.start_stopped)
    return found


@dataclass(frozen=True)
class Harm:
    """What happens to a host at a point of the run."""

    point: Point
    host: str  # leader: the one that leads etcd then
    power: bool  # its power, otherwise its network

    def do(self, cluster: Cluster) -> str:
        """Do it, and say which host it was."""
        host = cluster.etcd_leader() if self.host == "leader" else self.host
        (cluster.kill if self.power else cluster.cut)(host)
        return host

    def undo(self, cluster: Cluster, host: str) -> None:
        """Give it back."""
        (cluster.start if self.power else cluster.plug)(host)


def harm_at(cluster: Cluster, clients: Clients, harm: Harm, label: str, playbook: str) -> tuple[int, str, Path]:
    """Run a playbook to its end, with harm at a point, and wait until the cluster is well again."""
    process, log = cluster.start_playbook(playbook, label)
    if not reach(process, log, harm.point, playbook):
        return 0, f"{harm.point}: {playbook} had come to its end", log
    host = harm.do(cluster)
    code = process.wait()
    harm.undo(cluster, host)
    cluster.wait_healthy()
    deadline = time.monotonic() + STEADY_WITHIN
    while clients.good < STEADY and time.monotonic() < deadline:
        time.sleep(ASK_PAUSE)
    return code, f"{harm.point}: {host} lost its {'power' if harm.power else 'network'}", log


def observe(cluster: Cluster, watched: Watch, playbook: str, end: Point | Harm | None) -> Report:
    """Run the playbook, or kill it at a point, or do harm to a host there."""
    ended, started = threading.Event(), time.monotonic()
    label = f"{playbook}-{time.strftime('%H%M%S')}"
    with cluster.probed(label) as figures:
        threads = watched.begin(ended)
        if isinstance(end, Harm):
            code, note, log = harm_at(cluster, watched.clients, end, label, playbook)
        elif end:
            note, log = kill_at(cluster, end, label, playbook)
            code = -9 if "killed in" in note else 0
        else:
            process, log = cluster.start_playbook(playbook, label)
            code, note = process.wait(), ""
        ended.set()
        for thread in threads:
            thread.join()
    output = log.read_text()
    return Report(
        code=code,
        log=str(log),
        seconds=round(time.monotonic() - started, 1),
        changed=changes(output),
        ended=note or (tasks(output) or ["nothing"])[-1],
        calls=watched.clients.calls,
        failed=watched.clients.failed,
        samples=min(watched.versions.samples, watched.members.samples),
        newer=sorted(watched.versions.newer),
        members=watched.members.fewest,
        api=figures(),
    )


def main() -> None:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(prog="reliability.walk", description=__doc__)
    parser.add_argument("playbook")
    parser.add_argument("--port", type=int, required=True, help="the workload's NodePort")
    parser.add_argument("--variables", type=json.loads, default={}, metavar="JSON")
    parser.add_argument(
        "--hosts-go",
        action="store_true",
        help="hosts reboot or leave: what shuts down is started, and nodes that are cordoned or gone need not answer",
    )
    parser.add_argument("--joining", default="", metavar="HOST", help="this host joins, and need not answer")
    parser.add_argument("--kill", default="", metavar="TASK", help="kill it in the task with this in its name")
    parser.add_argument("--lose", default="", metavar="HOST", help="take this host's power instead (leader: etcd's)")
    parser.add_argument("--cut", default="", metavar="HOST", help="take this host's network instead")
    parser.add_argument("--turn", type=int, default=1, metavar="N", help="the task's Nth time (1)")
    parser.add_argument("--after", type=float, default=1.0, metavar="SECONDS", help="so long after the task began (1)")
    options = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    cluster = Cluster(TOPOLOGIES["stacked"], "haproxy", options.variables)
    kind = TOPOLOGIES["external"] if cluster.names("etcd") else cluster.topology
    cluster.topology = replace(kind, name="walk", variables={})
    point = Point(options.kill, options.after, turn=options.turn) if options.kill else None
    watched = watch(cluster, options.port, options.hosts_go, options.joining)
    target = options.lose or options.cut
    end = Harm(point, target, bool(options.lose)) if point and target else point
    print(json.dumps(asdict(observe(cluster, watched, options.playbook, end))))


if __name__ == "__main__":
    main()
