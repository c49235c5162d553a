"""Two real API servers on one real etcd, each with a configuration of its own that only a restart makes it read.

GROUNDWORK_KUBERNETES_DIR names the folder with kube-apiserver and kubectl, GROUNDWORK_ETCD_DIR the one with etcd.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KUBERNETES = Path(os.environ.get("GROUNDWORK_KUBERNETES_DIR", ""))
ETCD = Path(os.environ.get("GROUNDWORK_ETCD_DIR", ""))
START_TIMEOUT = 600
FLAG = "encryption-provider-config"


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ApiServer:
    """One API server, in a folder that stands for its host's /etc/kubernetes."""

    def __init__(self, folder: Path, shared: Path, etcd: str) -> None:
        """Nothing is started yet."""
        self.folder, self.shared, self.etcd = folder, shared, etcd
        self.kubeconfig, self.manifest = folder / "admin.conf", folder / "manifests" / "kube-apiserver.yaml"
        self.url = f"https://127.0.0.1:{free_port()}"
        self.process: subprocess.Popen[bytes] | None = None
        self.manifest.parent.mkdir(parents=True)

    @property
    def log(self) -> str:
        """What it said since it was started last."""
        return (self.folder / "kube-apiserver.log").read_text()

    def restart(self, arguments: dict[str, str]) -> None:
        """Run it with these arguments, and write them down as kubeadm does in the static pod."""
        self.stop()
        given = [f"--{name}={value}" for name, value in arguments.items()]
        self.manifest.write_text("spec:\n" + "".join(f"    - {argument}\n" for argument in given))
        command = [
            str(KUBERNETES / "kube-apiserver"), f"--etcd-servers={self.etcd}", f"--cert-dir={self.folder}/certs",
            "--bind-address=127.0.0.1", f"--secure-port={self.url.rpartition(':')[2]}",
            f"--service-account-key-file={self.shared}/sa.key",
            f"--service-account-signing-key-file={self.shared}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={self.shared}/tokens.csv", "--authorization-mode=Node,RBAC",
            "--service-cluster-ip-range=10.96.0.0/24", "--disable-admission-plugins=ServiceAccount", *given,
        ]  # fmt: skip
        with (self.folder / "kube-apiserver.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self._write_kubeconfig()
        end = time.monotonic() + START_TIMEOUT
        while self.kubectl("get", "--raw=/readyz", check=False).returncode:
            assert self.process.poll() is None, f"the API server ended:\n{self.log[-3000:]}"
            assert time.monotonic() < end, f"the API server is not ready:\n{self.log[-3000:]}"
            time.sleep(1)

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=60)

    def kubectl(self, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Call kubectl."""
        command = [KUBERNETES / "kubectl", f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.folder}/cache"]
        return subprocess.run([*command, *arguments], input=stdin, check=check, capture_output=True, text=True)

    def secrets(self) -> dict[str, str]:
        """All Secrets that were made by add, with their content; fails if one of any origin cannot be read."""
        listed = json.loads(self.kubectl("get", "secrets", "--all-namespaces", "--output=json").stdout)["items"]
        return {
            item["metadata"]["name"]: base64.b64decode(item["data"]["value"]).decode()
            for item in listed
            if "value" in (item.get("data") or {})
        }

    def add(self, name: str, namespace: str = "default") -> None:
        """Make a Secret whose content is known by its name."""
        self.kubectl("create", "secret", "generic", name, f"--namespace={namespace}", f"--from-literal=value=of-{name}")

    def _write_kubeconfig(self) -> None:
        token = (self.shared / "tokens.csv").read_text().partition(",")[0]
        cluster = {"server": self.url, "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(json.dumps(config))


class Cluster:
    """etcd, and the API servers on it by the names of their hosts."""

    def __init__(self, folder: Path, hosts: list[str]) -> None:
        """Start etcd only."""
        self.folder = folder
        self.client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        command = [
            str(ETCD / "etcd"), f"--data-dir={folder}/etcd", f"--listen-client-urls={self.client}",
            f"--advertise-client-urls={self.client}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        ]  # fmt: skip
        with (folder / "etcd.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        subprocess.run(["openssl", "genrsa", "-out", folder / "sa.key", "2048"], check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f'{secrets.token_hex(16)},admin,admin,"system:masters"\n')
        self.servers = {host: ApiServer(folder / host, folder, self.client) for host in hosts}

    def stored(self, resource: str = "secrets") -> dict[str, bytes]:
        """What etcd holds of a resource: the beginning of each value, by key."""
        command = [ETCD / "etcdctl", f"--endpoints={self.client}", "get", f"/registry/{resource}/", "--prefix"]
        environment = {**os.environ, "ETCDCTL_API": "3"}
        done = subprocess.run([*command, "--write-out=json"], check=True, capture_output=True, env=environment)
        pairs = json.loads(done.stdout).get("kvs", [])
        return {base64.b64decode(pair["key"]).decode(): base64.b64decode(pair["value"]) for pair in pairs}

    def stop(self) -> None:
        """End everything."""
        for server in self.servers.values():
            server.stop()
        self.process.terminate()
        self.process.wait(timeout=30)


def missing() -> str:
    """What the tests need and is not there."""
    for variable, folder, names in (
        ("GROUNDWORK_KUBERNETES_DIR", KUBERNETES, ("kube-apiserver", "kubectl")),
        ("GROUNDWORK_ETCD_DIR", ETCD, ("etcd", "etcdctl")),
    ):
        for name in names:
            if not (folder / name).is_file():
                return f"{variable} names no folder with {name}"
    return ""


def play(
    folder: Path, play: dict[str, Any], hosts: list[str], variables: dict[str, Any], absent: Sequence[str] = ()
) -> dict[str, Any]:
    """Run a play with real Ansible on this machine, for hosts that it only has in name; its result.

    Args:
        folder: where its files are.
        play: the play.
        hosts: the hosts that take part.
        variables: given on the command line.
        absent: hosts of the inventory that do not take part.
    """
    root = Path(__file__).resolve().parents[4]
    (folder / "play.yml").write_text(
        json.dumps([{"hosts": ":".join(hosts), "connection": "local", "gather_facts": False, **play}])
    )
    (folder / "variables.json").write_text(json.dumps({"ansible_python_interpreter": sys.executable, **variables}))
    groups = {"kube_control_plane": {"hosts": {host: {} for host in [*hosts, *absent]}}}
    (folder / "hosts.json").write_text(json.dumps({"all": {"children": groups}}))
    environment = {
        **os.environ,
        "PATH": f"{KUBERNETES}:{os.environ['PATH']}",
        "HOME": str(folder),
        "ANSIBLE_CONFIG": str(folder / "none.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{root}/.build/collections:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    command = [sys.executable, "-m", "ansible", "playbook", "--inventory=hosts.json", "play.yml"]
    command += ["--extra-vars=@variables.json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    start = done.stdout.find("{")
    assert start >= 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout[start:])
    result["output"] = done.stdout
    return result
