"""Two of three members are stopped: whatever could do harm is refused, and nothing is touched."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from .cluster import Cluster, Run, say
from .faults import Fault, Outcome
from .repair import Member

# Files whose content must be the same afterwards, and which there are.
HASHES = (
    "find /etc/kubernetes /etc/etcd /etc/systemd/system /var/lib/groundwork /var/lib/kubelet/config.yaml "
    "/root/.kube/config -type f -print0 2> /dev/null | sort -z | xargs -0 sha256sum; "
    "systemctl show --property=ActiveEnterTimestamp kubelet containerd etcd 2> /dev/null"
)
# Members on hosts that are switched off cost a module this time with every question.
SHORT = {"timeout": 2, "dial_timeout": 1}
NEW_MEMBER = {"name": "another", "peer_urls": ["https://192.0.2.99:2380"]}


def operations(member: str) -> list[tuple[str, dict[str, Any]]]:
    """Modules that change members, and how they are called."""
    guarded = [
        ("etcd_guard", {"member": member, "operation": name}) for name in ("restart", "upgrade", "defragment", "remove")
    ]
    return [
        *guarded,
        ("etcd_guard", {"member": member, "operation": "restart", "allow_downtime": True, "move_leader": True}),
        ("etcd_defrag", {"force": True}),
        ("etcd_defrag", {"disarm": True}),
        ("etcd_member", {"name": member, "state": "absent"}),
        ("etcd_member", NEW_MEMBER),
        ("etcd_member", {**NEW_MEMBER, "learner": False}),
    ]


@dataclass
class NoQuorum(Fault):
    """Two members are stopped on hosts that go on running; modules and site are tried; the members start again."""

    name: str = "no-quorum"
    title: str = "Two of three etcd members are stopped"
    topologies: tuple[str, ...] = ("stacked", "external")
    gap: float | None = None  # without the quorum the API answers nothing
    stopped: list[str] = field(default_factory=list)

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Note what there is, and stop the last two."""
        self.members = cluster.members()
        self.stopped = cluster.etcd_hosts[1:]
        outcome.target = " and ".join(self.stopped)
        say(f"{self.name}: {outcome.target}")
        for name in self.stopped:
            # The role etcd would start a service that was merely stopped.
            (cluster.stop_etcd if cluster.topology.stacked else cluster.kill)(name)
        self.before = hashes(cluster)

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """Everything is refused, and names those that are stopped."""
        survivor = next(name for name in cluster.etcd_hosts if name not in self.stopped)
        for member in (survivor, self.stopped[0]):
            for module, arguments in operations(member):
                label = f"{module} {' '.join(f'{key}={value}' for key, value in arguments.items())}"
                result = cluster.etcd_module(survivor, module, **SHORT, **arguments)
                self._expect_refusal(cluster, outcome, label, bool(result.get("failed")), str(result.get("msg", "")))
        run = cluster.playbook("site", "site-no-quorum")
        outcome.notes.append(f"site: {first_failure(run)}")
        outcome.expect(run.code != 0 or run.changed == 0, f"site changed something: see {run.log}")
        verify = cluster.playbook("verify", "verify-no-quorum", verify_settle=0)
        outcome.expect(verify.code != 0, f"verify passes: see {verify.log}")
        expect_untouched(cluster, outcome, self.before)

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Start them."""
        for name in self.stopped:
            (cluster.start_etcd if cluster.topology.stacked else cluster.start)(name)

    def after(self, cluster: Cluster, outcome: Outcome) -> None:
        """The members are those that there were."""
        outcome.expect(cluster.members() == self.members, f"members before {self.members}, after {cluster.members()}")

    def _expect_refusal(self, cluster: Cluster, outcome: Outcome, label: str, failed: bool, message: str) -> None:
        outcome.expect(failed, f"{label} is not refused")
        unnamed = [name for name in self.stopped if name not in message and cluster.address(name) not in message]
        outcome.expect(not unnamed, f"{label} does not name {', '.join(unnamed)}: {message}")
        if label.startswith("etcd_guard") and not outcome.notes:
            outcome.notes.append(f"guard: {message}")


@dataclass
class NoQuorumRepair(Fault):
    """One host is gone for good and a second member is stopped: site must not take the lost member out."""

    name: str = "no-quorum-repair"
    title: str = "One control plane is lost and the member of a second one is stopped"
    gap: float | None = None

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Lose the last, stop the one before."""
        self.kept, self.stopped, lost = cluster.control_planes
        outcome.target = f"{lost} lost, {self.stopped} stopped"
        self.members = cluster.members()
        self.lost = Member(cluster, lost)
        say(f"{self.name}: {outcome.target}")
        self.lost.lose()
        cluster.stop_etcd(self.stopped)
        time.sleep(5)
        self.before = hashes(cluster)

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """Site refuses, whether the lost host is in the inventory as a new one or not at all."""
        for label in ("gone", "new"):
            if label == "new":
                self.lost.replace()
            run = cluster.playbook("site", f"site-no-quorum-{label}")
            message = first_failure(run)
            outcome.notes.append(f"site, the lost host {label}: {message}")
            outcome.expect(run.code != 0, f"site goes on, the lost host {label}: see {run.log}")
            outcome.expect(self.stopped in message, f"site does not name {self.stopped}: see {run.log}")
        expect_untouched(cluster, outcome, self.before)

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Start the stopped member; then site can replace the lost one."""
        cluster.start_etcd(self.stopped)
        self.lost.replace()
        deadline = time.monotonic() + 300
        while cluster.etcd_module(self.kept, "etcd_info").get("has_quorum") is not True:
            if time.monotonic() > deadline:
                raise RuntimeError("etcd has no quorum after its member was started")
            time.sleep(5)
        cluster.site("site-repair")


def hashes(cluster: Cluster) -> dict[str, set[str]]:
    """What is configured on each host that can be reached."""
    reached = [host.name for host in cluster.hosts if host.name not in cluster.down]
    return {name: set(cluster.shell(name, HASHES).splitlines()) for name in reached}


def expect_untouched(cluster: Cluster, outcome: Outcome, before: dict[str, set[str]]) -> None:
    """What was configured before is the same."""
    after = hashes(cluster)
    for name, lines in before.items():
        differs = lines ^ after[name]
        outcome.expect(not differs, f"{name} was touched: {sorted(differs)}")
    outcome.notes.append(f"{sum(map(len, before.values()))} files and services are as they were")


def first_failure(run: Run) -> str:
    """What the first failed task of a run says, on one line."""
    lines = run.output.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(("fatal: ", "failed: ", "[ERROR]: ")):
            text = [part.strip() for part in lines[number : number + 12] if part.strip()]
            text = [*text[:1], *takewhile(lambda part: not part.startswith(("Origin: ", "[ERROR]: ")), text[1:])]
            message = next((part.removeprefix("msg: ") for part in text if part.startswith("msg: ")), "")
            if message in ("", "|-", ">-", "|"):
                message = " ".join(text[1:])
            return f"{line.split(' =>')[0]}: {message}"[:600]
    return f"it ended with {run.code} and {run.changed} changes"
