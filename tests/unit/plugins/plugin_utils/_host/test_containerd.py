"""containerd's configuration by its version."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.containerd_config import containerd_config
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.containerd import (
    foreign_files,
    newest_configuration,
)

CRI_1, IMAGES, RUNTIME = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("1.6.20", 2),
        ("1.7.28-0ubuntu1", 2),
        ("1.6.20~ds1-1+deb12u1", 2),
        ("3:1.7.27-1.el9", 2),
        ("2.0.0", 3),
        ("2.1.4-1.el9", 3),
        ("0:2.2.0-1", 3),
        ("10.1.0", 3),
    ],
)
def test_version_of_the_configuration(version: str, number: int) -> None:
    config = containerd_config(version, "registry.k8s.io/pause:3.10.1", "systemd")
    assert config["version"] == number
    assert set(config["plugins"]) == ({CRI_1} if number == 2 else {IMAGES, RUNTIME})


@pytest.mark.parametrize(
    ("version", "most"),
    [
        ("1.6.20~ds1-1+deb12u1", None),
        ("1.6.32", 2),
        ("1.7.16", None),
        ("1.7.17", 2),
        ("3:1.7.27-1.el9", 2),
        ("2.0.0", 3),
        ("2.2.1-1", 3),
        ("2.3.0", 4),
        ("2.5.0", None),
        ("", None),
    ],
)
def test_the_newest_configuration_with_which_it_starts(version: str, most: int | None) -> None:
    assert newest_configuration(version) == most


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"container_runtime_install_method": "archive", "container_runtime_containerd_version": "2.1.9"},
            (["/etc/containerd/conf.d/*.toml"], "container_runtime_containerd_version", "2.1.9"),
        ),
        (
            {
                "container_runtime_install_method": "package",
                "container_runtime_containerd_version": "2.1.9",
                "container_runtime_packages": ["runc", "containerd.io=2.2.0-1"],
                "container_runtime_containerd_config": {"imports": ["other/*.toml"]},
            },
            (["other/*.toml"], "container_runtime_packages", "2.2.0-1"),
        ),
        (
            {"container_runtime_install_method": "package", "container_runtime_packages": ["containerd"]},
            (["/etc/containerd/conf.d/*.toml"], "container_runtime_packages", ""),
        ),
    ],
    ids=["archive", "pinned package", "package"],
)
def test_which_files_of_others_it_reads(values: dict[str, Any], expected: tuple[list[str], str, str]) -> None:
    assert tuple(foreign_files(values).values()) == expected


def runc(plugin: dict[str, Any]) -> Any:
    return plugin["containerd"]["runtimes"]["runc"]


@pytest.mark.parametrize(("driver", "systemd"), [("systemd", True), ("cgroupfs", False)])
def test_what_kubernetes_needs(driver: str, systemd: bool) -> None:
    first = containerd_config("1.6.20", "pause:3.2", driver)["plugins"][CRI_1]
    second = containerd_config("2.1.4", "pause:3.2", driver)["plugins"]
    wanted = {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": systemd}}
    assert runc(first) == runc(second[RUNTIME]) == wanted
    assert first["sandbox_image"] == second[IMAGES]["pinned_images"]["sandbox"] == "pause:3.2"
    assert first["registry"] == second[IMAGES]["registry"] == {"config_path": "/etc/containerd/certs.d"}
    assert first["cni"]["bin_dir"] == "/opt/cni/bin"
    assert second[RUNTIME]["cni"]["bin_dirs"] == ["/opt/cni/bin"]
