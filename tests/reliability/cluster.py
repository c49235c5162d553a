"""The cluster under test: the lab's hosts, the collection's playbooks and modules, and what it says of itself."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from lab.__main__ import Lab, say
from lab.sizes import Host

from . import probe
from .figures import Figures, summarize
from .probe import Access, Api, CallError

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / ".build" / "reliability"
COMPONENTS = ("kube-scheduler", "kube-controller-manager")
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
ETCD_MANIFEST = "/etc/kubernetes/manifests/etcd.yaml"
PARKED_MANIFEST = "/root/etcd.yaml.parked"
# Small enough to be filled within a minute. etcd's own default is 2 GiB.
ETCD_QUOTA = 128 * 1024 * 1024
# Two members are left where one is lost; hosts of the lab have the machine's product UUID and disk.
IGNORED = ["members-even", "duplicate-product-uuid", "disk-slow"]
HEALTHY_WITHIN = 420.0
PAUSE = 2.0


@dataclass(frozen=True)
class Topology:
    """How many hosts of each group, and where etcd runs."""

    name: str
    counts: dict[str, int]
    variables: dict[str, Any]
    etcd_pki: dict[str, str]  # how a module on a host of etcd speaks to it

    @property
    def stacked(self) -> bool:
        """Whether etcd's members are static pods of the control planes."""
        return not self.counts.get("etcd")


TOPOLOGIES = {
    "stacked": Topology(
        "stacked",
        {"control_plane": 3, "worker": 2},
        {
            "control_plane_cluster_configuration": {
                "etcd": {"local": {"extraArgs": [{"name": "quota-backend-bytes", "value": str(ETCD_QUOTA)}]}}
            },
            "preflight_ignore": IGNORED,
        },
        {
            "cacert": "/etc/kubernetes/pki/etcd/ca.crt",
            "cert": "/etc/kubernetes/pki/etcd/healthcheck-client.crt",
            "key": "/etc/kubernetes/pki/etcd/healthcheck-client.key",
        },
    ),
    "small": Topology(
        "small",
        {"control_plane": 1, "worker": 1},
        {"preflight_ignore": IGNORED},
        {
            "cacert": "/etc/kubernetes/pki/etcd/ca.crt",
            "cert": "/etc/kubernetes/pki/etcd/healthcheck-client.crt",
            "key": "/etc/kubernetes/pki/etcd/healthcheck-client.key",
        },
    ),
    "external": Topology(
        "external",
        {"control_plane": 1, "worker": 1, "etcd": 3},
        {"etcd_quota_backend_bytes": ETCD_QUOTA, "preflight_ignore": IGNORED},
        {
            "cacert": "/etc/etcd/pki/ca.crt",
            "cert": "/etc/etcd/pki/member.crt",
            "key": "/etc/etcd/pki/member.key",
        },
    ),
}


@dataclass(frozen=True)
class Run:
    """A playbook's run that ended by itself."""

    playbook: str
    code: int
    log: Path
    seconds: float

    @property
    def output(self) -> str:
        """All that it printed."""
        return self.log.read_text()

    @property
    def changed(self) -> int:
        """Changes on all hosts, from the recap."""
        return changes(self.output)


def changes(output: str) -> int:
    """The sum of changed= in a recap."""
    return sum(map(int, re.findall(r"ok=\d+ +changed=(\d+) +unreachable=", output)))


@dataclass
class Cluster:
    """One cluster in the lab."""

    topology: Topology
    endpoint: str
    extra: dict[str, Any] = field(default_factory=dict)
    lab: Lab = field(default_factory=Lab)
    down: set[str] = field(default_factory=set)  # hosts that are switched off or cut off now
    runs: int = 0

    # Hosts

    @property
    def hosts(self) -> list[Host]:
        """All hosts that exist."""
        return self.lab.hosts.running()

    def names(self, group: str) -> list[str]:
        """The hosts of a group that can be reached now."""
        return [host.name for host in self.hosts if host.group == group and host.name not in self.down]

    @property
    def control_planes(self) -> list[str]:
        """Control planes that can be reached."""
        return self.names("kube_control_plane")

    @property
    def etcd_hosts(self) -> list[str]:
        """Hosts with a member of etcd that can be reached."""
        return self.names("kube_control_plane" if self.topology.stacked else "etcd")

    def address(self, name: str) -> str:
        """A host's address."""
        return next(host.address for host in self.hosts if host.name == name)

    def shell(self, name: str, script: str) -> str:
        """Standard output of a shell's commands on a host."""
        return self.lab.hosts.run(name, "sh", "-c", script)

    def kill(self, name: str) -> None:
        """Take the power away."""
        self.down.add(name)
        self.lab.hosts.kill([name])

    def start(self, name: str) -> None:
        """Give it back."""
        self.lab.hosts.start([name])
        self.down.discard(name)

    def cut(self, name: str) -> None:
        """Pull the network cable."""
        self.down.add(name)
        self.lab.hosts.cut([name])

    def plug(self, name: str) -> None:
        """Plug it in again."""
        self.lab.hosts.plug([name])
        self.down.discard(name)

    # Playbooks and modules

    @cached_property
    def variables(self) -> Path:
        """The file with what is set beyond the lab's inventory."""
        endpoints: dict[str, dict[str, Any]] = {
            "haproxy": {
                "kubernetes_api_load_balancer": "haproxy",
                "kubernetes_api_endpoint": f"{self.lab.settings.virtual_ip}:8443",
            },
            "local": {"kubernetes_api_load_balancer": "local"},
            "first": {"kubernetes_api_endpoint": f"{self.lab.settings.address('control_plane', 1)}:6443"},
        }
        chosen = {**self.topology.variables, **endpoints[self.endpoint], **self.extra}
        LOGS.mkdir(parents=True, exist_ok=True)
        path = LOGS / f"variables-{self.topology.name}.json"
        path.write_text(json.dumps(chosen, indent=2) + "\n")
        return path

    def up(self) -> None:
        """Fresh hosts."""
        self.down.clear()
        self.__dict__.pop("access", None)
        self.lab.up(self.topology.counts)

    def command(self, playbook: str) -> list[str]:
        """How a playbook is run."""
        return ["ansible-playbook", "-i", "inventories/lab", "-e", f"@{self.variables}", f"playbooks/{playbook}.yml"]

    def start_playbook(
        self, playbook: str, label: str, *options: str, **variables: Any
    ) -> tuple[subprocess.Popen[bytes], Path]:
        """Begin a playbook; its output goes to a file."""
        self.runs += 1
        log = LOGS / f"{self.topology.name}-{self.runs:02d}-{label}.log"
        with log.open("wb") as stream:
            command = [*self.command(playbook), "-e", json.dumps(variables), *options]
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
            )
        return process, log

    def playbook(self, playbook: str, label: str = "", *options: str, **variables: Any) -> Run:
        """Run a playbook to its end, whatever that is."""
        started = time.monotonic()
        process, log = self.start_playbook(playbook, label or playbook, *options, **variables)
        code = process.wait()
        # The administrator's kubeconfig may be new.
        self.__dict__.pop("access", None)
        return Run(playbook, code, log, time.monotonic() - started)

    def site(self, label: str = "site") -> Run:
        """Run site, which must succeed.

        Raises:
            RuntimeError: if it does not.
        """
        run = self.playbook("site", label)
        if run.code:
            raise RuntimeError(f"site failed: see {run.log}")
        return run

    def module(self, host: str, name: str, /, **arguments: Any) -> dict[str, Any]:
        """What one of the collection's modules returns on a host; failed is true where it failed.

        Raises:
            RuntimeError: if it did not run.
        """
        environment = {
            **os.environ,
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        command = ["ansible", host, "-i", "inventories/lab", "-m", f"groundwork.kubernetes.{name}"]
        done = subprocess.run(
            [*command, "-a", json.dumps(arguments)],
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        try:
            report = json.loads(done.stdout[done.stdout.index("{") :])
            result: dict[str, Any] = report["plays"][0]["tasks"][0]["hosts"][host]
        except (ValueError, LookupError) as error:
            raise RuntimeError(f"{shlex.join(command)}: {done.stdout}{done.stderr}") from error
        return result

    def etcd_module(self, host: str, name: str, /, **arguments: Any) -> dict[str, Any]:
        """The same for a module that speaks to etcd: all members are its endpoints."""
        members = [
            one for one in self.hosts if one.group == ("kube_control_plane" if self.topology.stacked else "etcd")
        ]
        endpoints = [f"https://{one.address}:2379" for one in members]
        return self.module(host, name, endpoints=endpoints, **self.topology.etcd_pki, **arguments)

    # The API

    @cached_property
    def access(self) -> Access:
        """The administrator, at the endpoint that the kubeconfig names."""
        kubeconfig = yaml.safe_load((self.lab.settings.state / "admin.conf").read_text())
        cluster, user = kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]

        def text(data: str) -> str:
            return base64.b64decode(data).decode()

        return Access(
            server=cluster["server"],
            authority=text(cluster["certificate-authority-data"]),
            certificate=text(user["client-certificate-data"]),
            key=text(user["client-key-data"]),
        )

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, timeout: float = 5.0) -> dict[str, Any]:
        """Ask the API of any control plane that answers.

        Raises:
            CallError: if none does, or the API refuses.
        """
        error = CallError("no control plane can be reached")
        for name in self.control_planes:
            server = f"https://{self.address(name)}:6443"
            try:
                return Api(Access(**{**asdict(self.access), "server": server, "timeout": timeout})).call(
                    method, path, body
                )
            except CallError as failure:
                error = failure
                if failure.status and failure.status < 500:
                    break
        raise error

    def holders(self) -> dict[str, str]:
        """Which host leads each component."""
        found = {}
        for component in COMPONENTS:
            lease = self.call("GET", f"{LEASES}/{component}", timeout=2.0)
            found[component] = lease["spec"]["holderIdentity"].rsplit("_", 1)[0]
        return found

    def endpoint_holder(self) -> str:
        """The host that has the endpoint's address.

        Raises:
            RuntimeError: if none has.
        """
        address = self.lab.settings.virtual_ip
        for name in self.control_planes:
            if f" {address}/" in self.shell(name, "ip -4 -oneline address"):
                return name
        raise RuntimeError(f"no host has the address {address}")

    # etcd

    def etcdctl(self, arguments: str) -> Any:
        """What etcdctl says on the first host where it succeeds, parsed.

        Raises:
            RuntimeError: if it succeeds on none.
        """
        error = RuntimeError("no host of etcd can be reached")
        for name in self.etcd_hosts:
            try:
                return json.loads(self.shell(name, f"timeout 20 /usr/local/sbin/etcdctl {arguments} -w json"))
            except (RuntimeError, ValueError) as failure:  # noqa: PERF203  each host is a try of its own
                error = RuntimeError(str(failure))
        raise error

    def members(self) -> dict[int, str]:
        """Names of etcd's members, by their ids."""
        return {entry["ID"]: entry.get("name", "") for entry in self.etcdctl("member list")["members"]}

    def etcd_leader(self) -> str:
        """The host whose member leads."""
        for name in self.etcd_hosts:
            with contextlib.suppress(RuntimeError):
                status = json.loads(self.shell(name, "timeout 20 /usr/local/sbin/etcdctl endpoint status -w json"))[0]
                return self.members()[status["Status"]["leader"]]
        raise RuntimeError("no member of etcd knows a leader")

    def lead_etcd(self, name: str) -> None:
        """Hand leadership to the member of a host."""
        leader = self.etcd_leader()
        identity = next(number for number, member in self.members().items() if member == name)
        if leader != name:
            endpoint = f"https://{self.address(leader)}:2379"
            self.shell(leader, f"/usr/local/sbin/etcdctl --endpoints={endpoint} move-leader {identity:x}")

    def stop_etcd(self, name: str) -> None:
        """Stop a member as an administrator would."""
        if self.topology.stacked:
            self.shell(name, f"mv {ETCD_MANIFEST} {PARKED_MANIFEST}")
            self.shell(name, "for i in $(seq 120); do pgrep -x etcd > /dev/null || exit 0; sleep 0.5; done; exit 1")
        else:
            self.shell(name, "systemctl stop etcd")

    def start_etcd(self, name: str) -> None:
        """Start it again."""
        if self.topology.stacked:
            self.shell(name, f"if [ -e {PARKED_MANIFEST} ]; then mv {PARKED_MANIFEST} {ETCD_MANIFEST}; fi")
        else:
            self.shell(name, "systemctl reset-failed etcd; systemctl start --no-block etcd")

    # Health

    def sick(self) -> list[str]:
        """Everything that is not as it must be."""
        try:
            return self._sick_etcd() + self._sick_nodes() + self._sick_pods()
        except (RuntimeError, CallError) as error:
            return [str(error).strip().splitlines()[-1]]

    def _sick_etcd(self) -> list[str]:
        # It fails if one member is not healthy.
        self.etcdctl("endpoint health --cluster")
        names = set(self.members().values())
        return [f"{name} is no member of etcd" for name in self.etcd_hosts if name not in names]

    def _sick_nodes(self) -> list[str]:
        nodes = {node["metadata"]["name"]: node for node in self.call("GET", "/api/v1/nodes")["items"]}
        expected = self.control_planes + self.names("kube_node")
        missing = [f"{name} is no node" for name in expected if name not in nodes]
        return missing + [f"{name} is not ready" for name, node in nodes.items() if not is_ready(node)]

    def _sick_pods(self) -> list[str]:
        pods = self.call("GET", "/api/v1/namespaces/kube-system/pods")["items"]
        return [f"{pod['metadata']['name']} is not ready" for pod in pods if not is_ready(pod)]

    def wait_healthy(self, within: float = HEALTHY_WITHIN) -> float:
        """Seconds until nothing is sick.

        Raises:
            RuntimeError: if something stays sick.
        """
        started = time.monotonic()
        while True:
            sick = self.sick()
            passed = time.monotonic() - started
            if not sick:
                return passed
            if passed > within:
                raise RuntimeError(f"not healthy after {within:.0f} s: {'; '.join(sick)}")
            time.sleep(PAUSE)

    def prove_healthy(self) -> list[str]:
        """What the collection itself finds wrong: etcd_info and the playbook verify."""
        etcd = self.etcd_module(self.etcd_hosts[0], "etcd_info")
        found = [] if etcd.get("healthy") else [f"etcd_info calls etcd sick: {etcd.get('error') or etcd.get('msg')}"]
        verify = self.playbook("verify")
        return found + ([f"verify failed: see {verify.log}"] if verify.code else [])

    # The probe

    @contextlib.contextmanager
    def probed(self, label: str) -> Iterator[Callable[[], Figures]]:
        """Probe the endpoint meanwhile; afterwards the figures can be had."""
        log = LOGS / f"{self.topology.name}-{label}-probe.jsonl"
        source = Path(probe.__file__).read_text()
        command, server = ["python3", "-c", source], self.access.server
        if self.endpoint == "local":
            # No address leads to it from outside.
            worker = f"{self.lab.settings.name}-{self.names('kube_node')[0]}"
            command, server = ["podman", "exec", "--interactive", worker, *command], "https://127.0.0.1:7443"
        given = {"access": {**asdict(self.access), "server": server}}
        with log.open("wb") as stream:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stream)
        assert process.stdin
        process.stdin.write(json.dumps(given).encode() + b"\n")
        process.stdin.flush()
        try:
            yield lambda: summarize(map(json.loads, log.read_text().splitlines()))
        finally:
            process.stdin.close()
            process.wait(timeout=2 * probe.PATIENCE)


def is_ready(thing: dict[str, Any]) -> bool:
    """Whether a node or a pod has the condition Ready."""
    conditions = thing.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def kill_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started: what a power cut does to the machine that runs Ansible."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    doomed = [process.pid]
    for pid in doomed:
        doomed += children.get(pid, [])
    # The parent goes first, so that it sees none of its children fail.
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


__all__ = ["COMPONENTS", "ETCD_QUOTA", "LOGS", "ROOT", "TOPOLOGIES", "Cluster", "Run", "changes", "kill_tree", "say"]
