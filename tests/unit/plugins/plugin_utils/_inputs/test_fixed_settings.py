"""Settings that a cluster keeps for life: what is set, what runs, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.fixed_settings import (
    fixed_settings,
    wanted_settings,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs, Node

VALUES: dict[str, Any] = {
    "kubernetes_control_plane_group": "kube_control_plane",
    "kubernetes_node_group": "kube_node",
    "kubernetes_etcd_group": "etcd",
    "kubernetes_load_balancer_group": "kube_load_balancer",
    "kubernetes_version": "1.36.5",
    "kubernetes_api_endpoint": "",
    "kubernetes_api_port": 6443,
    "kubernetes_cluster_name": "kubernetes",
    "kubernetes_pod_cidr": "10.244.0.0/16",
    "kubernetes_service_cidr": "10.96.0.0/12",
    "kubernetes_dns_domain": "cluster.local",
    "kubernetes_container_runtime": "containerd",
}
RUNS = {
    "cluster_name": "kubernetes",
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/12",
    "advertise_address": "192.0.2.1",
    "api_port": "6443",
    "certificates_dir": "/etc/kubernetes/pki",
    "etcd": "stacked",
    "endpoint": "192.0.2.1:6443",
    "dns_domain": "cluster.local",
    "cri_socket": "unix:///run/containerd/containerd.sock",
    "node_name": "cp1",
}
REBUILD = "it cannot be changed after the cluster has been initialized; set it back, or build a new cluster"
RUNTIME = "the playbook migrate_runtime moves a node to another container runtime; run it first, or set it back"
REJOIN = "the node would have to join again under it; set it back, or remove the node and join it again"
ENDPOINT = (
    "all kubeconfigs and certificates name it, so it cannot be changed after the cluster has been initialized; set "
    "kubernetes_api_endpoint to {}"
)


def judged(
    values: dict[str, Any] | None = None,
    runs: dict[str, str] | None = None,
    groups: dict[str, list[str]] | None = None,
    name: str = "cp1",
    cluster: dict[str, Any] | None = None,
) -> list[str]:
    """What is said of a host of a cluster that runs as its inventory says, except for what is given."""
    groups = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], **(groups or {})}
    addresses = {"cp1": "192.0.2.1", "cp2": "192.0.2.2", "w1": "192.0.2.9"}
    hosts = [
        HostInput(one, {**VALUES, "kubernetes_node_name": one, "kubernetes_node_ip": addresses[one], **(values or {})})
        for one in sorted({*groups["kube_control_plane"], *groups["kube_node"]})
    ]
    inputs = Inputs(hosts, groups, {})
    own = next(host for host in hosts if host.name == name)
    settings = {"roles": inputs.roles_of(name), "fixed_settings": wanted_settings(own, inputs)}
    facts = {"cluster": {"kubelet_conf": True, "settings": RUNS if runs is None else runs, **(cluster or {})}}
    found = list(fixed_settings(Node(name, facts, settings)))
    assert all((fault.id, fault.severity, fault.host) == ("setting-fixed", "error", name) for fault in found)
    return [fault.text for fault in found]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"kubernetes_pod_cidr": "10.245.0.0/16"},
            f"kubernetes_pod_cidr is 10.245.0.0/16, and the cluster runs with 10.244.0.0/16: {REBUILD}",
        ),
        (
            {"kubernetes_service_cidr": "10.100.0.0/16"},
            f"kubernetes_service_cidr is 10.100.0.0/16, and the cluster runs with 10.96.0.0/12: {REBUILD}",
        ),
        (
            {"kubernetes_cluster_name": "other"},
            f"kubernetes_cluster_name is other, and the cluster runs with kubernetes: {REBUILD}",
        ),
        (
            {"kubernetes_dns_domain": "example.com"},
            f"kubernetes_dns_domain is example.com, and the cluster runs with cluster.local: {REBUILD}",
        ),
        (
            {"kubernetes_api_endpoint": "192.0.2.250:8443"},
            "kubernetes_api_endpoint is 192.0.2.250:8443, and the cluster runs with 192.0.2.1:6443: "
            + ENDPOINT.format("192.0.2.1:6443"),
        ),
        (
            {"kubernetes_api_endpoint": "api.example.com"},
            "kubernetes_api_endpoint is api.example.com:6443, and the cluster runs with 192.0.2.1:6443: "
            + ENDPOINT.format("192.0.2.1:6443"),
        ),
        # The endpoint that follows from it is not told as well.
        ({"kubernetes_api_port": 6444}, f"kubernetes_api_port is 6444, and the cluster runs with 6443: {REBUILD}"),
        (
            {"kubernetes_container_runtime": "crio"},
            "kubernetes_container_runtime is unix:///var/run/crio/crio.sock, and this node runs with "
            f"unix:///run/containerd/containerd.sock: {RUNTIME}",
        ),
        ({"kubernetes_node_name": "new"}, f"kubernetes_node_name is new, and this node runs with cp1: {REJOIN}"),
        (
            {"control_plane_cluster_configuration": {"networking": {"podSubnet": "10.245.0.0/16"}}},
            "control_plane_cluster_configuration.networking.podSubnet is 10.245.0.0/16, and the cluster runs with "
            f"10.244.0.0/16: {REBUILD}",
        ),
        (
            {"control_plane_cluster_configuration": {"etcd": {"external": {"endpoints": ["https://192.0.2.7:2379"]}}}},
            "etcd, by kubernetes_etcd_group, is external, and the cluster runs with stacked: etcd's settings are not "
            "changed together with the control plane; set it back",
        ),
        (
            {"control_plane_init_configuration": {"localAPIEndpoint": {"bindPort": 7000}}},
            "control_plane_init_configuration.localAPIEndpoint.bindPort is 7000, and the cluster runs with 6443: "
            f"{REBUILD}",
        ),
    ],
)
def test_what_would_change(values: dict[str, Any], text: str) -> None:
    assert judged(values) == [text]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param({}, id="all the same"),
        pytest.param({"values": {"kubernetes_pod_cidr": "10.245.0.0/16"}, "runs": {}}, id="nothing is known"),
        pytest.param({"values": {"kubernetes_pod_cidr": None}}, id="nothing is wanted"),
        pytest.param(
            {"values": {"kubernetes_api_endpoint": "192.0.2.1"}}, id="the endpoint that is, without the usual port"
        ),
        pytest.param(
            {"groups": {"kube_control_plane": ["cp1", "cp2"]}, "name": "cp2", "runs": {"endpoint": "192.0.2.1:6443"}},
            id="the first control plane's address is the endpoint of the second",
        ),
        pytest.param(
            {
                "values": {"kubernetes_pod_cidr": "fd00:0::/48", "kubernetes_service_cidr": "FD01::/112"},
                "runs": {"pod_cidr": "fd00::/48", "service_cidr": "fd01::/112"},
            },
            id="the same network in another spelling",
        ),
        pytest.param({"runs": {**RUNS, "cri_socket": "/var/run/containerd/containerd.sock"}}, id="the same socket"),
        pytest.param(
            {
                "values": {
                    "control_plane_cluster_configuration": {
                        "controllerManager": {"extraArgs": [{"name": "cluster-cidr", "value": "10.0.0.0/8"}]}
                    }
                },
                "runs": {"pod_cidr": "10.0.0.0/8"},
            },
            id="an argument of the user's own in the manifest",
        ),
        pytest.param(
            {"values": {"kubernetes_kubelet_configuration": {"clusterDomain": "a"}}, "runs": {"dns_domain": "a"}},
            id="a kubelet that is told another domain",
        ),
        pytest.param(
            {"values": {"kubernetes_pod_cidr": "10.245.0.0/16"}, "name": "w1", "runs": {"pod_cidr": "10.244.0.0/16"}},
            id="what a worker has of another cluster's control plane",
        ),
        pytest.param(
            {"values": {"kubernetes_pod_cidr": "10.245.0.0/16"}, "cluster": {"kubelet_conf": False}},
            id="in no cluster",
        ),
        pytest.param(
            {"values": {"kubernetes_pod_cidr": "10.245.0.0/16"}, "cluster": {"node": {"interrupted": "init"}}},
            id="an initialization that begins again",
        ),
        pytest.param({"values": {"kubernetes_version": "9.9.9"}}, id="a version that is not known"),
    ],
)
def test_what_is_no_fault(case: dict[str, Any]) -> None:
    assert judged(**case) == []


def test_a_worker_keeps_its_name_and_runtime() -> None:
    runs = {"node_name": "w1", "cri_socket": "unix:///run/containerd/containerd.sock"}
    assert judged(name="w1", runs=runs) == []
    values = {"worker_join_configuration": {"nodeRegistration": {"name": "other"}}}
    assert judged(values, name="w1", runs=runs) == [
        f"worker_join_configuration.nodeRegistration.name is other, and this node runs with w1: {REJOIN}"
    ]
