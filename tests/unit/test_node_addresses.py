"""What kubeadm's documents say of a node's addresses, as the roles render them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

FACTS = {"default_ipv4": {"address": "192.0.2.99"}, "architecture": "x86_64", "hostname": "h"}
HOSTS: dict[str, Any] = {
    "cp1": {"kubernetes_node_ip": "192.0.2.11, 2001:DB8::11"},
    "cp2": {"kubernetes_node_ip": "2001:0DB8:0::12"},
    "cp3": {},
}
INVENTORY = {"children": {"kube_control_plane": {"hosts": HOSTS}}}
NODE_IP = "(REGISTRATION.kubeletExtraArgs | selectattr('name', 'equalto', 'node-ip') | first).value"


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    shown = {
        "advertised": "{{ __control_plane_init.localAPIEndpoint.advertiseAddress }}",
        "kubelet": f"{{{{ {NODE_IP.replace('REGISTRATION', '__control_plane_init.nodeRegistration')} }}}}",
        "endpoint": "{{ __control_plane_cluster.controlPlaneEndpoint }}",
        "names": "{{ __control_plane_sans }}",
    }
    return render(tmp_path_factory.mktemp("plane"), "control_plane", INVENTORY, FACTS, shown)


@pytest.mark.parametrize(
    ("host", "advertised", "kubelet", "endpoint"),
    [
        ("cp1", "192.0.2.11", "192.0.2.11,2001:db8::11", "192.0.2.11:6443"),
        ("cp2", "2001:db8::12", "2001:db8::12", "[2001:db8::12]:6443"),
        ("cp3", "192.0.2.99", "192.0.2.99", "192.0.2.99:6443"),
    ],
)
def test_control_plane(
    planes: dict[str, dict[str, Any]], host: str, advertised: str, kubelet: str, endpoint: str
) -> None:
    found = planes[host]
    assert (found["advertised"], found["kubelet"], found["endpoint"]) == (advertised, kubelet, endpoint)


def test_the_certificate_holds_every_address(planes: dict[str, dict[str, Any]]) -> None:
    wanted = {"192.0.2.11", "2001:db8::11", "2001:db8::12", "192.0.2.99"}
    assert all(wanted <= set(found["names"]) for found in planes.values())


def test_worker(tmp_path: Path) -> None:
    shown = {"kubelet": f"{{{{ {NODE_IP.replace('REGISTRATION', '__worker_join.nodeRegistration')} }}}}"}
    found = render(tmp_path, "worker", {"hosts": HOSTS}, FACTS, shown)
    assert {host: values["kubelet"] for host, values in found.items()} == {
        "cp1": "192.0.2.11,2001:db8::11",
        "cp2": "2001:db8::12",
        "cp3": "192.0.2.99",
    }
