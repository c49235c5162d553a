"""Which services a runtime leaves, and what its pods leave."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.runtimes import (
    reserved_by,
    runtime_name,
    services_to_end,
)

DOCKER = ["docker.socket", "docker.service"]


@pytest.mark.parametrize(
    ("socket", "name"),
    [
        ("/var/run/dockershim.sock", "docker"),
        ("unix:///var/run/cri-dockerd.sock", "cri-dockerd"),
        ("unix:///run/containerd/containerd.sock", "containerd"),
        ("unix:///var/run/crio/crio.sock", "crio"),
        ("unix:///run/other.sock", ""),
        ("", ""),
    ],
)
def test_the_runtime_of_a_socket(socket: str, name: str) -> None:
    assert runtime_name(socket) == name


@pytest.mark.parametrize(
    ("old", "new", "ended"),
    [
        ("docker", "containerd", DOCKER),
        ("docker", "crio", [*DOCKER, "containerd.service"]),
        ("cri-dockerd", "containerd", ["cri-dockerd.service", "cri-docker.socket", "cri-docker.service", *DOCKER]),
        ("crio", "containerd", ["crio.service"]),
        ("containerd", "crio", ["containerd.service"]),
        ("containerd", "cri-dockerd", []),
        ("containerd", "containerd", []),
    ],
)
def test_services_that_kubernetes_needs_no_more(old: str, new: str, ended: list[str]) -> None:
    assert services_to_end(old, new) == ended


def test_addresses_that_are_reserved_for_pods(tmp_path: Path) -> None:
    network = tmp_path / "pods"
    network.mkdir()
    for name, text in (("10.244.1.2", "one\neth0"), ("10.244.1.3", "two\neth0"), ("last_reserved_ip.0", "10.244.1.3")):
        (network / name).write_text(text)
    assert reserved_by(["one"], str(tmp_path)) == [str(network / "10.244.1.2")]
    assert reserved_by(["one"], str(tmp_path / "none")) == []
