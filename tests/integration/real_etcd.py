"""Real etcd processes on loopback.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.timer_program import build

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".build" / "collections"
BINARIES = Path(os.environ.get("GROUNDWORK_ETCD_DIR", ""))
Run = Callable[..., dict[str, Any]]
needs_etcd = pytest.mark.skipif(
    not (BINARIES / "etcd").is_file(), reason="GROUNDWORK_ETCD_DIR names no folder with the binaries of etcd"
)


def free_port() -> int:
    """A port of loopback that nothing listens on.

    It is not one of those that the kernel gives to outgoing connections, so that nobody has it when a member that was
    stopped starts again.
    """
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(10_000, first)  # noqa: S311
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def etcdctl(
    endpoints: Sequence[str], *command: str, check: bool = True, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Call etcdctl; what must succeed has more time than its five seconds, since the machine may be busy."""
    environment = {"ETCDCTL_API": "3", "PATH": os.environ["PATH"]}
    limit = ["--command-timeout=60s"] if check else []
    arguments = [f"{BINARIES}/etcdctl", f"--endpoints={','.join(endpoints)}", *limit, *command]
    return subprocess.run(arguments, check=check, capture_output=True, text=True, env=environment, input=text)


class Member:
    """One etcd process, its ports, and its data directory, which is named like it."""

    def __init__(self, folder: Path, name: str = "m0") -> None:
        """Nothing is started yet."""
        self.name, self.data, self.log = name, folder / name, folder / f"{name}.log"
        self.client, self.peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, initial_cluster: str = "", *options: str) -> None:
        """Start it; without others, it is a cluster of its own and awaited."""
        command = [
            f"{BINARIES}/etcd", f"--name={self.name}", f"--data-dir={self.data}", "--unsafe-no-fsync",
            f"--listen-client-urls={self.client}", f"--advertise-client-urls={self.client}",
            f"--listen-peer-urls={self.peer}", f"--initial-advertise-peer-urls={self.peer}",
            f"--initial-cluster={initial_cluster or f'{self.name}={self.peer}'}", *options,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        if not initial_cluster:
            wait(self.healthy, self.log)

    def kill(self) -> None:
        """End it at once."""
        if self.process:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def ctl(self, *command: str, check: bool = True, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Call etcdctl on it."""
        return etcdctl([self.client], *command, check=check, text=text)

    def healthy(self) -> bool:
        """Whether it serves."""
        return self.ctl("endpoint", "health", check=False).returncode == 0

    def fill(self, keys: int, size: int = 300) -> None:
        """Write keys such as a cluster has."""
        for start in range(0, keys, 100):
            puts = "".join(f"put /registry/pods/{n:06} {'x' * size}{n}\n" for n in range(start, start + 100))
            self.ctl("txn", text=f"\n{puts}\n\n")

    def identify(self, uid: str) -> None:
        """Write as much of Kubernetes' namespace kube-system as tells which cluster it is."""
        meta = f'\n\x0bkube-system\x12\0\x1a\0"\0*${uid}2\0'
        self.ctl("put", "/registry/namespaces/kube-system", text=f"k8s\0\n\x0f\n\x02v1\x12\tNamespace\x12\x3b{meta}")

    def records(self) -> dict[str, str]:
        """Every key and its value, as base64."""
        answer = json.loads(self.ctl("get", "", "--prefix", "--write-out=json").stdout)
        return {record["key"]: record.get("value", "") for record in answer.get("kvs", [])}


class Cluster:
    """Running members, m0 and so on."""

    def __init__(self, folder: Path, size: int = 3, *options: str) -> None:
        """Start them all."""
        self.folder, self.options = folder, options
        self.members = [Member(folder, f"m{number}") for number in range(size)]
        self.initial = ",".join(f"{one.name}={one.peer}" for one in self.members)
        self.start()

    def start(self) -> None:
        """Start them all, and wait until they serve."""
        for member in self.members:
            member.start(self.initial, *self.options)
        self.wait(self.healthy)

    def stop(self) -> None:
        """End them all at once."""
        for member in self.members:
            member.kill()

    def healthy(self) -> bool:
        """Whether all serve."""
        return all(member.healthy() for member in self.members)

    def wait(self, ready: Callable[[], bool]) -> None:
        """Wait until something is so."""
        wait(ready, *(member.log for member in self.members))

    @property
    def endpoints(self) -> list[str]:
        """Their client URLs."""
        return [member.client for member in self.members]

    def ctl(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Call etcdctl on all of them."""
        return etcdctl(self.endpoints, *command, check=check)

    def named(self, name: str) -> Member:
        """One of them."""
        return next(member for member in self.members if member.name == name)


def wait(ready: Callable[[], bool], *logs: Path) -> None:
    """Wait until something is so, or show the ends of logs."""
    end = time.monotonic() + 180
    while not ready():
        assert time.monotonic() < end, [log.read_text()[-2000:] for log in logs]
        time.sleep(0.1)


def run_by_timer(folder: Path, module: str, **parameters: Any) -> dict[str, Any]:
    """The result of a module that runs as a timer runs it: as a program, without Ansible."""
    program, settings = folder / f"{module}.pyz", folder / f"{module}.json"
    program.write_bytes(build(module))
    settings.write_text(
        json.dumps({"parameters": parameters, "name": module, "stamp": str(folder / "good"), "state_file": None})
    )
    command = ["/bin/sh", str(program), str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}, cwd="/")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
