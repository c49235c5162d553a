"""The hosts after site: what must be so on each of them, read over ssh."""

from __future__ import annotations

import json
from typing import Any

import pytest

KUBECTL = "PATH=$PATH:/usr/local/bin kubectl --kubeconfig=/etc/kubernetes/admin.conf"


@pytest.fixture(name="name")
def _name(host: Any) -> str:
    return str(host.ansible.get_variables()["inventory_hostname"])


@pytest.fixture(name="control_plane")
def _control_plane(host: Any, name: str) -> Any:
    if not name.startswith("control-plane"):
        pytest.skip("asked of the control plane only")
    return host


def get(host: Any, arguments: str) -> Any:
    """What kubectl get says, parsed."""
    return json.loads(host.check_output(f"{KUBECTL} get {arguments} -o json"))


def test_swap_is_off_for_good(host: Any) -> None:
    assert len(host.file("/proc/swaps").content_string.strip().splitlines()) == 1
    entries = [line.split() for line in host.file("/etc/fstab").content_string.splitlines()]
    assert [entry for entry in entries if len(entry) > 2 and entry[2] == "swap" and not entry[0].startswith("#")] == []


def test_swap_was_on_before(host: Any, name: str) -> None:
    """The scenario's preparation did turn it on: otherwise the test above proves nothing."""
    if name != "worker-1":
        pytest.skip("the scenario prepares swap on worker-1 only")
    lines = host.file("/etc/fstab").content_string.splitlines()
    assert [line for line in lines if line.startswith("#") and "/dev/loop" in line]


@pytest.mark.parametrize(
    "key",
    ["net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables", "net.ipv4.ip_forward"],
)
def test_bridged_traffic_is_filtered(host: Any, key: str) -> None:
    assert host.sysctl(key) == 1
    assert f"{key} = 1" in host.file("/etc/sysctl.d/99-kubernetes.conf").content_string.splitlines()


def test_contradiction_is_gone(host: Any, name: str) -> None:
    if name != "worker-1":
        pytest.skip("the scenario prepares a contradiction on worker-1 only")
    lines = host.file("/etc/sysctl.d/zz-local.conf").content_string.splitlines()
    assert lines[0] == "# of this host"
    assert all(line.startswith("#") for line in lines)


@pytest.mark.parametrize("service", ["containerd", "kubelet"])
def test_services_run_and_come_back(host: Any, service: str) -> None:
    assert host.service(service).is_running
    assert host.service(service).is_enabled


def test_installed_as_asked(host: Any, name: str) -> None:
    held = host.run("apt-mark showhold").stdout.split()
    if name == "worker-2":
        assert {"kubeadm", "kubelet", "kubectl"} <= set(held)
        assert host.package("containerd").is_installed
        assert not host.file("/usr/local/bin/kubelet").exists
    else:
        assert held == []
        assert not host.package("containerd").is_installed
        assert host.file("/usr/local/bin/kubelet").mode == 0o755


def test_no_secret_is_readable_by_others(host: Any) -> None:
    found = host.check_output(
        "find /etc/kubernetes /root/.kube /var/lib/kubelet/pki \\( -name '*.conf' -o -name '*.key' -o -name config "
        "-o -name '*.pem' -o -name 'kubeadm*.yaml' \\) -type f -perm /077 2>/dev/null || true"
    )
    assert found.split() == []


def test_no_token_is_left_behind(host: Any) -> None:
    assert host.run("grep -rlE '[a-z0-9]{6}\\.[a-z0-9]{16}' /etc/kubernetes /root/.ansible").stdout.split() == []


def test_bootstrap_tokens_end_soon(control_plane: Any) -> None:
    secrets = get(control_plane, "secrets -n kube-system --field-selector type=bootstrap.kubernetes.io/token")["items"]
    uploads = [one for one in secrets if "description" in one["data"]]
    # kubeadm's own token of the initialization, for ten minutes; those of the joins are gone.
    assert len(secrets) - len(uploads) <= 1


def test_routes_to_the_other_nodes(host: Any) -> None:
    routes = json.loads(host.check_output("ip -json route show proto 77"))
    assert len(routes) == 2
    assert all(route["dst"].startswith("10.244.") and "gateway" in route for route in routes)


def test_nodes_are_ready(control_plane: Any) -> None:
    nodes = get(control_plane, "nodes")["items"]
    assert sorted(node["metadata"]["name"] for node in nodes) == ["control-plane-1", "worker-1", "worker-2"]
    for node in nodes:
        conditions = {one["type"]: one["status"] for one in node["status"]["conditions"]}
        assert conditions["Ready"] == "True", node["metadata"]["name"]


def test_control_plane_keeps_ordinary_pods_away(control_plane: Any) -> None:
    node = get(control_plane, "node control-plane-1")
    assert [taint["effect"] for taint in node["spec"]["taints"]] == ["NoSchedule"]


def test_images_came_through_the_mirror(host: Any, name: str) -> None:
    mirror = host.ansible.get_variables()["lab_registry"]
    assert mirror in host.file("/etc/containerd/certs.d/registry.k8s.io/hosts.toml").content_string, name
