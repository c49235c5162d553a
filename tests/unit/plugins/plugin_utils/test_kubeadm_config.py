"""kubeadm's documents in each version of its API."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils.kubeadm_config import (
    ConfigError,
    convert,
    skip_phases,
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
        pytest.param(
            [
                {"kind": CLUSTER, "scheduler": {"extraEnvs": []}, "encryptionAlgorithm": "RSA-4096"},
                {"kind": INIT, "timeouts": {"etcdAPICall": "1m"}, "nodeRegistration": {"imagePullSerial": False}},
            ],
            V1BETA3,
            [
                "ClusterConfiguration.encryptionAlgorithm is not known to kubeadm 1.30.14; it came with 1.31",
                "ClusterConfiguration.scheduler.extraEnvs is not known",
                "InitConfiguration.nodeRegistration.imagePullSerial is not known",
                "InitConfiguration.timeouts is not known",
            ],
            id="what v1beta3 cannot express",
        ),
        pytest.param(
            [{"kind": JOIN, "patches": {"directory": "/p"}, "nodeRegistration": {"imagePullPolicy": "Never"}}],
            V1BETA2,
            [
                "JoinConfiguration.nodeRegistration.imagePullPolicy is not known to kubeadm 1.20.2; it came with 1.22",
                "JoinConfiguration.patches is not known",
            ],
            id="what v1beta2 cannot express",
        ),
        pytest.param(
            [{"kind": INIT, "timeouts": {"controlPlaneComponentHealthCheck": "6m0s"}}],
            V1BETA3,
            ["InitConfiguration.timeouts"],
            id="nowhere to put the time",
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
