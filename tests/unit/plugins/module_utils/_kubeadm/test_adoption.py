"""What a cluster that was made by other means has stored, held against what is given."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import adoption

GIVEN: dict[str, Any] = {
    "kind": "ClusterConfiguration",
    "kubernetesVersion": "v1.20.2",
    "controlPlaneEndpoint": "192.0.2.11:6443",
    "imageRepository": "registry.k8s.io",
    "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/12", "dnsDomain": "cluster.local"},
}
# As kubeadm 1.20 stores it: with its defaults, and arguments as a map.
STORED: dict[str, Any] = {
    "apiVersion": "kubeadm.k8s.io/v1beta2",
    "kind": "ClusterConfiguration",
    "apiServer": {"extraArgs": {"authorization-mode": "Node,RBAC"}, "timeoutForControlPlane": "4m0s"},
    "certificatesDir": "/etc/kubernetes/pki",
    "clusterName": "kubernetes",
    "controlPlaneEndpoint": "192.0.2.11:6443",
    "controllerManager": {},
    "dns": {"type": "CoreDNS"},
    "etcd": {"local": {"dataDir": "/var/lib/etcd"}},
    "imageRepository": "registry.k8s.io",
    "kubernetesVersion": "v1.20.2",
    "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/12", "dnsDomain": "cluster.local"},
    "scheduler": {},
}
NETWORKS = STORED["networking"]


@pytest.mark.parametrize(
    ("stored", "given", "paths", "refused"),
    [
        ({}, {}, [], []),
        ({"kubernetesVersion": "v1.19.0"}, {}, [], []),
        ({"clusterName": "old"}, {}, ["clusterName"], ["clusterName"]),
        ({"clusterName": "old"}, {"clusterName": "old"}, [], []),
        ({"certificatesDir": "/srv/pki"}, {}, ["certificatesDir"], ["certificatesDir"]),
        ({"controlPlaneEndpoint": "api:6443"}, {}, ["controlPlaneEndpoint"], ["controlPlaneEndpoint"]),
        ({"networking": {**NETWORKS, "dnsDomain": "x"}}, {}, ["networking.dnsDomain"], ["networking.dnsDomain"]),
        (
            {"etcd": {"external": {"caFile": "/ca.crt", "endpoints": ["https://e"]}}},
            {},
            ["etcd.external.caFile", "etcd.external.endpoints"],
            ["etcd.external.caFile"],
        ),
        ({"etcd": {"local": {"dataDir": "/srv/etcd"}}}, {}, ["etcd.local.dataDir"], ["etcd.local.dataDir"]),
        ({"imageRepository": "k8s.gcr.io"}, {}, ["imageRepository"], []),
        ({"apiServer": {"extraArgs": {"v": "4"}}}, {}, ["apiServer.extraArgs.v"], []),
        (
            {"apiServer": {"timeoutForControlPlane": "4m0s", "extraArgs": {"v": "4", "a": "b"}}},
            {"apiServer": {"extraArgs": [{"name": "a", "value": "b"}, {"name": "v", "value": "4"}]}},
            [],
            [],
        ),
        ({}, {"dns": {"disabled": True}, "proxy": {"disabled": False}}, [], []),
        ({}, {"apiServer": {"extraArgs": [{"name": "authorization-mode", "value": "Node,RBAC"}]}}, [], []),
        ({}, {"apiServer": {"certSANs": ["api.example.com"]}}, ["apiServer.certSANs"], []),
    ],
)
def test_compare(stored: dict[str, Any], given: dict[str, Any], paths: list[str], refused: list[str]) -> None:
    documents = [{"kind": "InitConfiguration"}, {**GIVEN, **given}]
    plan = adoption.compare({**STORED, **stored}, documents)
    assert [path.partition(".")[2] for path in plan.paths] == paths
    assert [line.split()[0].partition(".")[2] for line in plan.refused] == refused


def test_what_is_given_stays_as_it_is() -> None:
    given = {"kind": "ClusterConfiguration", "apiServer": {"extraArgs": [{"name": "v", "value": "4"}]}}
    adoption.compare({}, [given])
    assert given["apiServer"] == {"extraArgs": [{"name": "v", "value": "4"}]}
