"""Versions that belong to a minor version of Kubernetes, and the judgement of those that a user sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs, inputs, versions
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minors

SPECS = argument_specs.load_specs(Path(__file__).resolve().parents[5] / "roles")
STACKED = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], "etcd": []}
EXTERNAL = {"kube_control_plane": ["w1"], "etcd": ["cp1"]}
CHECKS = (versions.runtime, versions.crictl, versions.etcd)


def judged(values: dict[str, Any], groups: dict[str, list[str]]) -> list[Any]:
    """The faults of a host that sets these variables and has the roles' defaults for the others."""
    own = {name: value for name, value in argument_specs.defaults(SPECS).items() if value is not None} | values
    own = {**argument_specs.following(SPECS, own["kubernetes_version"]), **own}
    hosts = [HostInput("cp1", own), HostInput("w1", {"kubernetes_version": own["kubernetes_version"]})]
    given = Inputs(hosts, groups, SPECS)
    return [fault for check in CHECKS for fault in check(hosts[0], given)]


PINNED: list[tuple[str, str, str, str]] = [
    # containerd
    ("1.20.2", "container_runtime_containerd_version", "1.6.20", ""),
    ("1.20.2", "container_runtime_containerd_version", "2.1.9", "error runtime-unsupported"),
    ("1.26.15", "container_runtime_containerd_version", "1.5.18", "error runtime-unsupported"),
    ("1.26.15", "container_runtime_containerd_version", "2.3.4", ""),
    ("1.35.9", "container_runtime_containerd_version", "1.7.28", ""),
    ("1.35.9", "container_runtime_containerd_version", "2.1.4", "warning runtime-unsupported"),
    ("1.35.9", "container_runtime_containerd_version", "2.0.11", "warning runtime-unsupported"),
    ("1.36.5", "container_runtime_containerd_version", "1.7.34", "warning runtime-unsupported"),
    ("1.36.5", "container_runtime_containerd_version", "2.2.0", ""),
    ("1.36.5", "container_runtime_containerd_version", "2.4.1", ""),
    # crictl
    ("1.36.5", "kubernetes_crictl_version", "1.35.0", ""),
    ("1.36.5", "kubernetes_crictl_version", "1.37.0", ""),
    ("1.36.5", "kubernetes_crictl_version", "1.34.0", "warning crictl-skew"),
    ("1.36.5", "kubernetes_crictl_version", "0.0.1", "warning crictl-skew"),
    # etcd's tools on control planes
    ("1.36.5", "etcd_version", "3.6.8", ""),
    ("1.36.5", "etcd_version", "3.5.34", "warning etcd-unsupported"),
    ("1.20.2", "etcd_version", "3.4.23", ""),
]


@pytest.mark.parametrize(("kubernetes", "variable", "version", "expected"), PINNED)
def test_what_is_set(kubernetes: str, variable: str, version: str, expected: str) -> None:
    faults = judged({"kubernetes_version": kubernetes, variable: version}, STACKED)
    assert [f"{fault.severity} {fault.id}" for fault in faults] == ([expected] if expected else [])
    assert all(f"{variable} {version}" in fault.text and "; " in fault.text for fault in faults)


@pytest.mark.parametrize(
    ("kubernetes", "version", "expected"),
    [
        ("1.36.5", "3.6.8", ""),
        ("1.36.5", "3.5.24", ""),
        ("1.36.5", "3.5.23", "error etcd-unsupported"),
        ("1.36.5", "3.4.45", "error etcd-unsupported"),
        ("1.36.5", "3.7.2", "warning etcd-unsupported"),
        ("1.31.14", "3.5.16", ""),
        ("1.20.2", "3.4.23", ""),
        ("1.20.2", "3.5.16", "warning etcd-unsupported"),
    ],
)
def test_etcd_on_hosts_of_its_own(kubernetes: str, version: str, expected: str) -> None:
    faults = judged({"kubernetes_version": kubernetes, "etcd_version": version}, EXTERNAL)
    assert [f"{fault.severity} {fault.id}" for fault in faults] == ([expected] if expected else [])
    assert all(f"etcd_version {version}" in fault.text and "; " in fault.text for fault in faults)


@pytest.mark.parametrize(
    "values",
    [
        {"kubernetes_install_method": "package", "kubernetes_crictl_version": "1.20.0"},
        {"container_runtime_install_method": "package", "container_runtime_containerd_version": "1.6.20"},
        {"kubernetes_container_runtime": "crio", "container_runtime_containerd_version": "1.6.20"},
        {
            "etcd_version": "3.5.34",
            "control_plane_cluster_configuration": {"etcd": {"local": {"imageTag": "3.5.34-0"}}},
        },
    ],
)
def test_what_is_not_used_is_not_judged(values: dict[str, Any]) -> None:
    assert judged(values, STACKED) == []


@pytest.mark.parametrize("groups", [STACKED, EXTERNAL])
@pytest.mark.parametrize("minor", minors())
def test_what_belongs_to_a_minor_fits(minor: str, groups: dict[str, list[str]]) -> None:
    assert len(argument_specs.following(SPECS, minor)) == 5
    assert judged({"kubernetes_version": f"{minor}.0"}, groups) == []


@pytest.mark.parametrize("version", [None, "", "latest", "1.99.0", 2])
def test_without_a_version_nothing_follows(version: Any) -> None:
    assert argument_specs.following(SPECS, version) == {}


def test_all_of_them_are_among_the_checks() -> None:
    assert set(CHECKS) <= set(inputs.HOST_CHECKS)
