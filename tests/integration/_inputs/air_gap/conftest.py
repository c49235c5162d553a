"""The servers and the inventory of the tests."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from air_gap import (
    CACHE,
    COMPONENTS,
    IMAGES,
    NAME,
    PROGRAM,
    VERSION,
    Inventory,
    Servers,
    free_port,
    registry,
    wait_for,
)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Both servers, with the images of the cache."""
    if not PROGRAM.exists():
        pytest.skip("the lab's cache has no registry: make cluster fills it")
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(CACHE), str(port)]
    with contextlib.ExitStack() as running:
        images = running.enter_context(registry(tmp_path_factory.mktemp("registry")))
        web = running.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        found = Servers(f"http://127.0.0.1:{port}", images)
        wait_for(f"{found.files}/")
        for reference in (*IMAGES, *(f"{name}:v{VERSION}" for name in COMPONENTS)):
            # Registries have both.
            found.push(reference, form="v2s2" if "pause" in reference else "oci")
        yield found
        web.terminate()


@pytest.fixture
def inventory(servers: Servers, tmp_path: Path) -> Inventory:
    """An inventory that takes everything from the servers."""
    (tmp_path / "inventory").mkdir()
    files = servers.files
    found = {
        "crictl": CACHE / "crictl-v0.0.1-linux-amd64.tar.gz",
        "containerd": CACHE / "containerd-1.6.20-linux-amd64.tar.gz",
        "runc": CACHE / "runc/v1.1.5/runc.amd64",
        "cni_plugins": CACHE / "cni-plugins-linux-amd64-v1.1.1.tgz",
        "etcd": CACHE / "etcd-v3.4.23-linux-amd64.tar.gz",
    }
    places = {name: f"{files}/{path.relative_to(CACHE)}" for name, path in found.items()}
    return Inventory(
        tmp_path / "inventory",
        {
            "kubernetes_lock": str(tmp_path / "lock.yml"),
            "kubernetes_version": VERSION,
            "kubernetes_architecture": "amd64",
            "kubernetes_dns_enabled": False,
            "kubernetes_allow_http": True,
            "kubernetes_download_url": files,
            "kubernetes_crictl_version": "0.0.1",
            "kubernetes_crictl_url": places["crictl"],
            "container_runtime_containerd_version": "1.6.20",
            "container_runtime_containerd_url": places["containerd"],
            "container_runtime_containerd_checksum": f"{places['containerd']}.sha256",
            "container_runtime_runc_version": "1.1.5",
            "container_runtime_runc_url": places["runc"],
            "container_runtime_runc_checksum": f"{places['runc']}.sha256",
            "container_runtime_cni_plugins_version": "1.1.1",
            "container_runtime_cni_plugins_url": places["cni_plugins"],
            "container_runtime_cni_plugins_checksum": f"{places['cni_plugins']}.sha256",
            "etcd_version": "3.4.23",
            "etcd_archive_url": places["etcd"],
            "etcd_checksum": f"{places['etcd']}.sha256",
            "container_runtime_registry_mirrors": [{"registry": NAME, "mirrors": [{"url": servers.registry}]}],
            "verify_image": f"{NAME}/groundwork/busybox:1",
            "preflight_ignore": ["crictl-skew"],
        },
    )
