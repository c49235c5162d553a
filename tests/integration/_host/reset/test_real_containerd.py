"""The namespace of Kubernetes in a real containerd: it goes, and another one stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_runtime

CACHE = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache/groundwork-kubernetes")
# The oldest is used: ctr of containerd 2 imports images by a service that this containerd is run without.
ARCHIVES = sorted(CACHE.glob("containerd-*-linux-amd64.tar.gz"))
IMAGES = sorted(CACHE.glob("images/pause_*.tar"))

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not ARCHIVES or not IMAGES, reason="needs root, and containerd and an image in the lab's cache"
)


class Module:
    """Runs programs as a module does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get_bin_path(self, name: str, **_options: Any) -> str | None:
        """A program of the archive."""
        return shutil.which(name, path=str(self.folder / "bin"))

    @staticmethod
    def run_command(command: list[str], **_options: Any) -> tuple[int, str, str]:
        """Its exit code and what it wrote."""
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def socket(tmp_path: Path) -> Iterator[Path]:
    """A containerd of the test's own."""
    with tarfile.open(ARCHIVES[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    configuration = tmp_path / "config.toml"
    configuration.write_text(
        f'version = 2\nroot = "{tmp_path}/root"\nstate = "{tmp_path}/state"\n'
        f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{tmp_path}/socket"\n'
    )
    with subprocess.Popen(
        [tmp_path / "bin/containerd", "--config", configuration], stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "socket").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield tmp_path / "socket"
        process.terminate()


def test_the_namespace_of_kubernetes_goes_alone(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an image, a container, its snapshot and a lease that somebody took."""
    monkeypatch.setattr(reset_runtime, "CONTAINERD", str(socket))
    runtime: Any = reset_runtime.Runtime(Module(socket.parent), f"unix://{socket}")
    ctr = [socket.parent / "bin/ctr", "--address", socket, "--namespace"]
    for namespace in ("mine", reset_runtime.NAMESPACE):
        subprocess.run([*ctr, namespace, "images", "import", "--snapshotter", "native", IMAGES[-1]], check=True)
    image = runtime.of_namespace("images", "list", "--quiet").split()[0]
    runtime.of_namespace("containers", "create", "--snapshotter", "native", image, "one")
    runtime.of_namespace("leases", "create")
    assert runtime.has_namespace()
    runtime.remove_namespace()
    assert not runtime.has_namespace()
    left = subprocess.run([*ctr, "mine", "images", "list", "--quiet"], check=True, capture_output=True, text=True)
    assert left.stdout.split() == [image]
