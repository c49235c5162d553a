"""A real registry, an HTTP server over the lab's cache, and an inventory of two hosts that nobody reaches."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[4]
CACHE = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "groundwork-kubernetes")
VERSION = os.environ.get("KUBERNETES_VERSION", "1.20.2")
PROGRAM = CACHE / "registry" / "docker-registry"
NAME = "registry.k8s.io"
IMAGES = ["groundwork/busybox:1", "pause:3.2", "etcd:3.4.13-0"]
# The password of the registry that has one, "a password", as htpasswd of Apache writes it with -B.
ACCOUNT = "robot:$2b$04$Dqyy07xxsCEmFMyf0Xg5aeLYPEb5OSG0BqAw1LDuFZOZbUsLQjUre\n"
PASSWORD = "a password"  # noqa: S105  it is for these tests
COMPONENTS = ["kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def registry(folder: Path, account: str = "") -> Iterator[str]:
    """A real registry with its data in a folder, for everybody or for an account."""
    port = free_port()
    access = f"auth: {{htpasswd: {{realm: proof, path: {folder}/accounts}}}}\n" if account else ""
    (folder / "accounts").write_text(account)
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n{access}"
    )
    command = [str(PROGRAM), "serve", str(folder / "config.yml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(f"http://127.0.0.1:{port}/v2/")
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@dataclass
class Servers:
    """The two servers, by their addresses."""

    files: str
    registry: str

    def push(self, reference: str, text: str = "", form: str = "oci") -> None:
        """Put a small image under a name; another text makes another image. v2s2 is the form that Docker has."""
        with tempfile.TemporaryDirectory() as folder:
            layout(Path(folder), (text or reference).encode())
            target = f"docker://{self.registry.removeprefix('http://')}/{reference}"
            command = ["skopeo", "--insecure-policy", "copy", "--all", "--quiet", "--dest-tls-verify=false"]
            command.append(f"--format={form}")
            subprocess.run([*command, f"oci:{folder}:one", target], check=True)


def layout(folder: Path, text: bytes) -> None:
    """An image for two architectures whose one layer holds a text, as a folder that skopeo reads."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        member = tarfile.TarInfo("text")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    tree = raw.getvalue()
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tree).hexdigest()}"]}
    below = []
    for architecture in ("amd64", "arm64"):
        platform = {"os": "linux", "architecture": architecture}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": put(json.dumps({**platform, "rootfs": rootfs}).encode(), "config.v1+json"),
            "layers": [put(tree, "layer.v1.tar")],
        }
        below.append({**put(json.dumps(manifest).encode(), "manifest.v1+json"), "platform": platform})
    both = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": below}
    one = put(json.dumps(both).encode(), "index.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    named = {**one, "annotations": {"org.opencontainers.image.ref.name": "one"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))


def wait_for(address: str) -> None:
    """Wait until a server answers."""
    for _attempt in range(100):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


@dataclass
class Inventory:
    """An inventory of two hosts that nobody reaches, and how playbooks are run on it."""

    folder: Path
    variables: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def lock(self) -> Path:
        """The lock's file."""
        return Path(self.variables["kubernetes_lock"])

    def entries(self) -> list[dict[str, Any]]:
        """What the lock has."""
        found: list[dict[str, Any]] = yaml.safe_load(self.lock.read_text())["artifacts"]
        return found

    def run(self, playbook: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run one of the collection's playbooks, or one in the inventory's folder."""
        path = ROOT / "playbooks" / f"{playbook}.yml"
        inventory = {
            "all": {
                "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **self.variables},
                "children": {
                    "kube_control_plane": {"hosts": {"cp1": None}},
                    "kube_node": {"hosts": {"cp1": None, "w1": None}},
                    "kube_mirror": {"hosts": {"m1": {"ansible_become": False}}},
                },
            }
        }
        inventory["all"]["vars"].update(variables)
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
        command = [Path(sys.executable).with_name("ansible-playbook"), "-i", self.folder / "hosts.yml"]
        path = path if path.exists() else self.folder / f"{playbook}.yml"
        settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_INJECT_FACT_VARS": "false"}
        return subprocess.run(
            [*command, path, *arguments],
            cwd=ROOT,
            env={**os.environ, **settings, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self, playbook: str, *arguments: str, **variables: Any) -> str:
        """The output of a run that succeeds."""
        done = self.run(playbook, *arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, playbook: str, *arguments: str, **variables: Any) -> str:
        """The output of a run that fails."""
        done = self.run(playbook, *arguments, **variables)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr
