"""kubeadm's documents in each version of its API."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import fields as fields_utils
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.configuration import (
    ConfigError,
    convert,
    skip_phases,
    warnings,
)

Documents = list[dict[str, Any]]
V1BETA2, V1BETA3, V1BETA4 = "1.20.2", "1.30.14", "1.36.5"
INIT, CLUSTER, JOIN = "InitConfiguration", "ClusterConfiguration", "JoinConfiguration"


def api(version: str, kind: str, **fields: Any) -> dict[str, Any]:
    """A document as kubeadm reads it."""
    return {"apiVersion": f"kubeadm.k8s.io/{version}", "kind": kind, **fields}


@pytest.mark.parametrize(
    ("documents", "version", "expected"),
    [
        pytest.param([], V1BETA4, [], id="nothing"),
        pytest.param([{"kind": CLUSTER}], V1BETA4, [api("v1beta4", CLUSTER)], id="api of 1.36"),
        pytest.param([{"kind": CLUSTER}], V1BETA3, [api("v1beta3", CLUSTER)], id="api of 1.30"),
        pytest.param([{"kind": CLUSTER}], V1BETA2, [api("v1beta2", CLUSTER)], id="api of 1.20"),
        pytest.param([api("v1beta4", CLUSTER)], V1BETA2, [api("v1beta2", CLUSTER)], id="written with its api"),
        pytest.param(
            [{"kind": "KubeletConfiguration", "maxPods": 9}, {"kind": "KubeProxyConfiguration", "mode": "ipvs"}],
            V1BETA2,
            [
                {"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "maxPods": 9},
                {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "ipvs"},
            ],
            id="component configurations",
        ),
        pytest.param(
            [{"kind": CLUSTER, "apiServer": {"extraArgs": [{"name": "v", "value": 2}, {"name": "a", "value": True}]}}],
            V1BETA4,
            [
                api(
                    "v1beta4",
                    CLUSTER,
                    apiServer={"extraArgs": [{"name": "v", "value": "2"}, {"name": "a", "value": "true"}]},
                )
            ],
            id="values of arguments become text",
        ),
        pytest.param(
            [{"kind": CLUSTER, "apiServer": {"extraArgs": 2 * [{"name": "v", "value": "2"}]}}],
            V1BETA4,
            [api("v1beta4", CLUSTER, apiServer={"extraArgs": 2 * [{"name": "v", "value": "2"}]})],
            id="arguments may be repeated",
        ),
        pytest.param(
            [
                {
                    "kind": CLUSTER,
                    "apiServer": {"extraArgs": [{"name": "profiling", "value": False}]},
                    "controllerManager": {"extraArgs": [{"name": "v", "value": 2}]},
                    "scheduler": {"extraArgs": []},
                    "etcd": {"local": {"extraArgs": [{"name": "quota-backend-bytes", "value": "8"}]}},
                },
                {"kind": INIT, "nodeRegistration": {"kubeletExtraArgs": [{"name": "node-ip", "value": "::1"}]}},
            ],
            V1BETA3,
            [
                api(
                    "v1beta3",
                    CLUSTER,
                    apiServer={"extraArgs": {"profiling": "false"}},
                    controllerManager={"extraArgs": {"v": "2"}},
                    scheduler={"extraArgs": {}},
                    etcd={"local": {"extraArgs": {"quota-backend-bytes": "8"}}},
                ),
                api("v1beta3", INIT, nodeRegistration={"kubeletExtraArgs": {"node-ip": "::1"}}),
            ],
            id="arguments were maps",
        ),
        pytest.param(
            [{"kind": INIT, "timeouts": {"controlPlaneComponentHealthCheck": "6m0s"}}, {"kind": CLUSTER}],
            V1BETA2,
            [api("v1beta2", INIT), api("v1beta2", CLUSTER, apiServer={"timeoutForControlPlane": "6m0s"})],
            id="time for the control plane",
        ),
        pytest.param(
            [{"kind": JOIN, "timeouts": {"discovery": "1m0s"}, "discovery": {"file": {"kubeConfigPath": "/x"}}}],
            V1BETA3,
            [api("v1beta3", JOIN, discovery={"file": {"kubeConfigPath": "/x"}, "timeout": "1m0s"})],
            id="time for discovery",
        ),
        pytest.param(
            [
                {"kind": INIT, "timeouts": {"discovery": "1m0s", "controlPlaneComponentHealthCheck": "6m0s"}},
                {"kind": CLUSTER},
            ],
            V1BETA3,
            [api("v1beta3", INIT), api("v1beta3", CLUSTER, apiServer={"timeoutForControlPlane": "6m0s"})],
            id="an initialization discovers nothing",
        ),
        pytest.param(
            [{"kind": JOIN, "timeouts": {"discovery": "1m0s", "controlPlaneComponentHealthCheck": "6m0s"}}],
            V1BETA3,
            [api("v1beta3", JOIN, discovery={"timeout": "1m0s"})],
            id="a join takes the time for the control plane from the cluster",
        ),
        pytest.param(
            [
                {"kind": INIT, "dryRun": False, "nodeRegistration": {"imagePullPolicy": "IfNotPresent", "name": "a"}},
                {"kind": CLUSTER, "encryptionAlgorithm": "RSA-2048", "networking": {}, "proxy": None},
            ],
            V1BETA2,
            [api("v1beta2", INIT, nodeRegistration={"name": "a"}), api("v1beta2", CLUSTER, networking={})],
            id="what this kubeadm does anyway",
        ),
        pytest.param(
            [
                {"kind": CLUSTER, "apiServer": {"timeoutForControlPlane": "6m0s"}, "dns": {"type": "CoreDNS"}},
                {"kind": JOIN, "discovery": {"timeout": "1m0s"}},
            ],
            V1BETA2,
            [
                api("v1beta2", CLUSTER, apiServer={"timeoutForControlPlane": "6m0s"}, dns={"type": "CoreDNS"}),
                api("v1beta2", JOIN, discovery={"timeout": "1m0s"}),
            ],
            id="an old name where the version has it",
        ),
        pytest.param(
            [
                {
                    "kind": INIT,
                    "nodeRegistration": {
                        "taints": [
                            {"key": "a", "value": True, "effect": "NoSchedule"},
                            {"key": "b", "value": 1, "effect": "NoSchedule"},
                            {"key": "c", "effect": "NoSchedule"},
                        ]
                    },
                },
                {"kind": CLUSTER, "apiServer": {"extraEnvs": [{"name": "DEBUG", "value": False}]}},
                {
                    "kind": "KubeletConfiguration",
                    "maxPods": 9,
                    "registerWithTaints": [{"key": "a", "value": 2, "effect": "NoSchedule"}],
                    "systemReserved": {"cpu": 1, "memory": "1Gi"},
                },
            ],
            V1BETA4,
            [
                api(
                    "v1beta4",
                    INIT,
                    nodeRegistration={
                        "taints": [
                            {"key": "a", "value": "true", "effect": "NoSchedule"},
                            {"key": "b", "value": "1", "effect": "NoSchedule"},
                            {"key": "c", "effect": "NoSchedule"},
                        ]
                    },
                ),
                api("v1beta4", CLUSTER, apiServer={"extraEnvs": [{"name": "DEBUG", "value": "false"}]}),
                {
                    "apiVersion": "kubelet.config.k8s.io/v1beta1",
                    "kind": "KubeletConfiguration",
                    "maxPods": 9,
                    "registerWithTaints": [{"key": "a", "value": "2", "effect": "NoSchedule"}],
                    "systemReserved": {"cpu": "1", "memory": "1Gi"},
                },
            ],
            id="values that Kubernetes reads as text",
        ),
        pytest.param(
            [{"kind": CLUSTER, "featureGates": {"Any": True}, "dns": {"disabled": False}}],
            V1BETA4,
            [api("v1beta4", CLUSTER, featureGates={"Any": True}, dns={"disabled": False})],
            id="names of feature gates are free",
        ),
        pytest.param(
            [{"kind": CLUSTER, "dns": {"disabled": True}, "proxy": {"disabled": False}}],
            V1BETA3,
            [api("v1beta3", CLUSTER)],
            id="add-ons are no fields",
        ),
        pytest.param(
            [{"kind": CLUSTER, "dns": {"disabled": False, "imageTag": "v1"}}],
            V1BETA2,
            [api("v1beta2", CLUSTER, dns={"imageTag": "v1"})],
            id="the rest of dns stays",
        ),
        pytest.param(
            [{"kind": CLUSTER, "dns": {"disabled": True}}],
            V1BETA4,
            [api("v1beta4", CLUSTER, dns={"disabled": True})],
            id="add-ons are fields",
        ),
        pytest.param(
            [{"kind": INIT, "skipPhases": ["addon"], "patches": {"directory": "/p"}}],
            V1BETA3,
            [api("v1beta3", INIT, skipPhases=["addon"], patches={"directory": "/p"})],
            id="phases to skip are a field",
        ),
        pytest.param([{"kind": INIT, "skipPhases": ["addon"]}], V1BETA2, [api("v1beta2", INIT)], id="and were none"),
        pytest.param(
            [{"kind": INIT, "nodeRegistration": {"taints": []}}],
            V1BETA2,
            [api("v1beta2", INIT, nodeRegistration={"taints": []})],
            id="no taints is not the same as none named",
        ),
        pytest.param(
            [{"kind": "ResetConfiguration", "force": True}],
            V1BETA4,
            [api("v1beta4", "ResetConfiguration", force=True)],
            id="a kind of v1beta4",
        ),
    ],
)
def test_convert(documents: Documents, version: str, expected: Documents) -> None:
    given = copy.deepcopy(documents)
    assert convert(documents, version) == expected
    assert documents == given


@pytest.mark.parametrize(
    ("documents", "version", "faults"),
    [
        pytest.param(
            [{"kind": "Pod"}, 3, {}],
            V1BETA4,
            ["document 1 has the kind 'Pod'", "document 2 is no mapping", "document 3 has the kind None"],
            id="what is no configuration",
        ),
        pytest.param(
            [{"kind": CLUSTER}, {"kind": CLUSTER}],
            V1BETA4,
            ["document 1: there is another", "document 2: there is another document of kind ClusterConfiguration"],
            id="a kind twice",
        ),
        pytest.param(
            [api("v1beta3", CLUSTER)],
            V1BETA3,
            ["ClusterConfiguration has the apiVersion kubeadm.k8s.io/v1beta3; write it in the form of"],
            id="an older form",
        ),
        pytest.param(
            [{"kind": CLUSTER, "apiServer": {"extraArgs": {"v": "2"}}, "scheduler": {"extraArgs": [{"name": "v"}]}}],
            V1BETA4,
            [
                "ClusterConfiguration.apiServer.extraArgs must be a list",
                "ClusterConfiguration.scheduler.extraArgs must",
            ],
            id="arguments in an older form",
        ),
        pytest.param(
            [{"kind": CLUSTER, "apiServer": {"extraArgs": 2 * [{"name": "v", "value": "2"}]}}],
            V1BETA3,
            ["ClusterConfiguration.apiServer.extraArgs has v more than once"],
            id="arguments repeated",
        ),
        *(
            pytest.param(documents, version, faults, id=f"values that are none, {version}")
            for version in (V1BETA2, V1BETA4)
            for documents, faults in [
                (
                    [{"kind": INIT, "nodeRegistration": {"kubeletExtraArgs": [{"name": "v", "value": None}]}}],
                    ["InitConfiguration.nodeRegistration.kubeletExtraArgs: v has no value; give it one, or remove it"],
                ),
                (
                    [{"kind": CLUSTER, "etcd": {"local": {"extraArgs": [{"name": "a", "value": ["b", "c"]}]}}}],
                    ["ClusterConfiguration.etcd.local.extraArgs: a is a list or a map; give it one value"],
                ),
                (
                    [{"kind": "KubeletConfiguration", "evictionHard": {"memory.available": None, "b": "1"}}],
                    ["KubeletConfiguration.evictionHard.memory.available has no value; give it one, or remove it"],
                ),
            ]
        ),
        pytest.param(
            [
                {
                    "kind": CLUSTER,
                    "apiServer": {
                        "extraEnvs": [
                            {"name": "A", "value": None},
                            {"name": "B"},
                            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
                        ]
                    },
                }
            ],
            V1BETA4,
            ["ClusterConfiguration.apiServer.extraEnvs: A has no value; give it one, or remove it"],
            id="a variable without a value",
        ),
        pytest.param(
            [
                {"kind": CLUSTER, "scheduler": {"extraEnvs": []}, "encryptionAlgorithm": "RSA-4096"},
                {"kind": INIT, "timeouts": {"etcdAPICall": "1m"}, "nodeRegistration": {"imagePullSerial": False}},
            ],
            V1BETA3,
            [
                "InitConfiguration.timeouts.etcdAPICall is not known",
                "InitConfiguration.nodeRegistration.imagePullSerial is not known",
                "ClusterConfiguration.scheduler.extraEnvs is not known",
                "ClusterConfiguration.encryptionAlgorithm is not known to kubeadm 1.30.14; it came with 1.31",
            ],
            id="what v1beta3 cannot express",
        ),
        pytest.param(
            [{"kind": JOIN, "patches": {"directory": "/p"}, "nodeRegistration": {"imagePullPolicy": "Never"}}],
            V1BETA2,
            [
                "JoinConfiguration.patches.directory is not known",
                "JoinConfiguration.nodeRegistration.imagePullPolicy is not known to kubeadm 1.20.2; it came with 1.22",
            ],
            id="what v1beta2 cannot express",
        ),
        pytest.param(
            [{"kind": INIT, "timeouts": {"controlPlaneComponentHealthCheck": "6m0s"}}],
            V1BETA3,
            ["InitConfiguration.timeouts.controlPlaneComponentHealthCheck is not known"],
            id="nowhere to put the time",
        ),
        pytest.param(
            [
                {
                    "kind": CLUSTER,
                    "apiServer": {"timeoutForControlPlane": "6m0s", "extraVolumes": [{"name": "a", "hostpath": "/a"}]},
                    "apiserver": {"certSANs": []},
                    "dns": {"type": "CoreDNS"},
                    "podSubnet": "10.244.0.0/16",
                    "nonsense": 1,
                },
                {"kind": JOIN, "discovery": {"timeout": "1m0s"}},
            ],
            V1BETA4,
            [
                "ClusterConfiguration.apiServer.timeoutForControlPlane is not known to kubeadm 1.36.5 any more; "
                "write InitConfiguration.timeouts.controlPlaneComponentHealthCheck",
                "ClusterConfiguration.apiServer.extraVolumes.hostpath is no field of kubeadm's configuration; "
                "did you mean hostPath?",
                "ClusterConfiguration.apiserver is no field of kubeadm's configuration; did you mean apiServer?",
                "ClusterConfiguration.dns.type is not known to kubeadm 1.36.5 any more; leave it out",
                "ClusterConfiguration.podSubnet is no field of kubeadm's configuration; "
                "did you mean ClusterConfiguration.networking.podSubnet?",
                "ClusterConfiguration.nonsense is no field of kubeadm's configuration; remove it",
                "JoinConfiguration.discovery.timeout is not known to kubeadm 1.36.5 any more; "
                "write JoinConfiguration.timeouts.discovery",
            ],
            id="old and misspelt names",
        ),
        pytest.param(
            [{"kind": CLUSTER, "dns": {"type": "CoreDNS"}}],
            V1BETA3,
            ["ClusterConfiguration.dns.type is not known to kubeadm 1.30.14 any more"],
            id="a name that v1beta2 had",
        ),
        pytest.param(
            [{"kind": CLUSTER, "scheduler": {"extraEnvs": [{"name": "A", "value": "1"}]}}],
            V1BETA3,
            ["ClusterConfiguration.scheduler.extraEnvs is not known to kubeadm 1.30.14; it came with 1.31"],
            id="a list whose items v1beta3 lacks",
        ),
        pytest.param(
            [{"kind": "UpgradeConfiguration"}],
            V1BETA3,
            ["UpgradeConfiguration is not known to kubeadm 1.30.14; it came with 1.31"],
            id="a kind of v1beta4",
        ),
        pytest.param(
            [{"kind": CLUSTER, "etcd": {"external": {"httpEndpoints": []}}}],
            "1.34.1",
            ["ClusterConfiguration.etcd.external.httpEndpoints is not known to kubeadm 1.34.1; it came with 1.35"],
            id="a younger field of v1beta4",
        ),
    ],
)
def test_refused(documents: Documents, version: str, faults: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        convert(documents, version)
    assert len(error.value.faults) == len(faults)
    assert all(found.startswith(fault) for found, fault in zip(error.value.faults, faults, strict=True))


@pytest.mark.parametrize(
    ("documents", "version", "phases"),
    [
        ([{"kind": CLUSTER}], V1BETA2, []),
        ([{"kind": CLUSTER, "dns": {"disabled": True}}], V1BETA4, []),
        ([{"kind": CLUSTER, "dns": {"disabled": True}}], V1BETA3, ["addon/coredns"]),
        ([{"kind": CLUSTER, "dns": {"disabled": False}, "proxy": {"disabled": True}}], V1BETA2, ["addon/kube-proxy"]),
        ([{"kind": INIT, "skipPhases": ["z", "a"]}, {"kind": CLUSTER, "dns": {"disabled": True}}], V1BETA4, ["a", "z"]),
        (
            [{"kind": INIT, "skipPhases": ["z"]}, {"kind": CLUSTER, "dns": {"disabled": True}}],
            V1BETA3,
            ["addon/coredns", "z"],
        ),
        ([{"kind": JOIN, "skipPhases": ["preflight"]}], V1BETA2, ["preflight"]),
    ],
)
def test_skip_phases(documents: Documents, version: str, phases: list[str]) -> None:
    assert skip_phases(documents, version) == phases


def test_newer_than_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fields_utils._data(), "newest", "1.35")
    documents = [{"kind": CLUSTER, "brandNew": True}]
    assert warnings(documents, V1BETA4) == [
        "ClusterConfiguration.brandNew is no field of kubeadm's configuration; remove it"
    ]
    assert convert(documents, V1BETA4) == [api("v1beta4", CLUSTER, brandNew=True)]
    assert warnings(documents, "1.35.0") == []
    with pytest.raises(ConfigError):
        convert(documents, "1.35.0")
