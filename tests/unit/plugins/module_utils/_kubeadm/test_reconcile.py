"""What a changed configuration calls for on a control plane that runs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    RULES,
    STEPS,
    make_plan,
    replace_arguments,
)

APPLIED: dict[str, dict[str, Any]] = {
    "InitConfiguration": {"nodeRegistration": {"name": "cp1", "kubeletExtraArgs": [{"name": "v", "value": "1"}]}},
    "ClusterConfiguration": {
        "kubernetesVersion": "v1.36.5",
        "controlPlaneEndpoint": "192.0.2.1:6443",
        "apiServer": {"certSANs": ["localhost"]},
        "networking": {"podSubnet": "10.244.0.0/16"},
        "dns": {"disabled": False},
    },
    "KubeletConfiguration": {"cgroupDriver": "systemd"},
    "KubeProxyConfiguration": {"mode": "iptables"},
}


def documents(change: str = "", value: Any = None) -> list[dict[str, Any]]:
    """The documents, with one field changed; without a value, it is left out."""
    found = [{"kind": kind, **fields} for kind, fields in APPLIED.items()]
    if not change:
        return found
    kind, *path = change.split(".")
    if not path:
        return [document for document in found if document["kind"] != kind]
    result = []
    for original in found:
        target = document = {**original}
        if document["kind"] == kind:
            for name in path[:-1]:
                target[name] = {**target.get(name, {})}
                target = target[name]
            target[path[-1]] = value
        result.append(document)
    return result


def test_nothing_has_changed() -> None:
    plan = make_plan(documents(), documents())
    assert (plan.paths, plan.refused, plan.steps, plan.warnings) == ([], [], [], [])


@pytest.mark.parametrize(
    ("change", "value", "steps"),
    [
        ("ClusterConfiguration.apiServer.extraArgs", [{"name": "v", "value": "4"}], ["control-plane", "upload-config"]),
        ("ClusterConfiguration.scheduler.extraEnvs", [{"name": "A"}], ["control-plane", "upload-config"]),
        ("ClusterConfiguration.featureGates", {"A": True}, ["control-plane", "upload-config"]),
        ("ClusterConfiguration.apiServer.certSANs", ["api.example.org"], ["certificate", "upload-config"]),
        ("ClusterConfiguration.certificateValidityPeriod", "4380h", ["upload-config"]),
        ("ClusterConfiguration.dns.imageTag", "v1.14.3", ["upload-config", "coredns"]),
        ("ClusterConfiguration.dns.disabled", None, ["upload-config", "coredns"]),
        (
            "ClusterConfiguration.imageRepository",
            "mirror.example.org",
            ["control-plane", "upload-config", "coredns", "kube-proxy"],
        ),
        ("KubeletConfiguration.maxPods", 200, ["kubelet", "upload-config"]),
        ("InitConfiguration.nodeRegistration.kubeletExtraArgs", [], ["kubelet"]),
        ("InitConfiguration.patches", {"directory": "/p"}, ["control-plane", "kubelet"]),
        ("KubeProxyConfiguration.mode", "nftables", ["kube-proxy", "restart-kube-proxy"]),
        ("InitConfiguration.nodeRegistration.taints", [], []),
        ("InitConfiguration.bootstrapTokens", [{"ttl": "1h"}], []),
        ("InitConfiguration.timeouts", {"tlsBootstrap": "9m0s"}, []),
    ],
)
def test_steps(change: str, value: Any, steps: list[str]) -> None:
    plan = make_plan(documents(), documents(change, value))
    assert len(plan.paths) == 1
    assert plan.paths[0].startswith(change)
    assert plan.refused == []
    assert plan.steps == steps
    assert plan.warnings == []


@pytest.mark.parametrize(
    ("change", "value", "message"),
    [
        (
            "ClusterConfiguration.networking.podSubnet",
            "10.0.0.0/16",
            "is '10.244.0.0/16' and should become '10.0.0.0/16': it cannot be changed after the cluster has been init",
        ),
        ("ClusterConfiguration.controlPlaneEndpoint", "api:6443", "set kubernetes_api_endpoint to 192.0.2.1:6443"),
        ("ClusterConfiguration.clusterName", "other", "set it back"),
        ("ClusterConfiguration.kubernetesVersion", "v1.37.0", "this module upgrades no cluster"),
        ("ClusterConfiguration.etcd.local.extraArgs", [], "etcd's settings are not changed together"),
        ("InitConfiguration.nodeRegistration.name", "cp9", "join"),
        ("InitConfiguration.nodeRegistration.criSocket", "unix:///x", "migrate_runtime"),
        ("InitConfiguration.localAPIEndpoint.bindPort", 7443, "build a new cluster"),
    ],
)
def test_refused(change: str, value: Any, message: str) -> None:
    plan = make_plan(documents(), documents(change, value))
    assert len(plan.refused) == 1
    assert plan.refused[0].startswith(f"{change} is ")
    assert message in plan.refused[0]
    assert plan.steps == []


@pytest.mark.parametrize(
    ("change", "value", "warning"),
    [
        ("ClusterConfiguration.dns.disabled", True, "CoreDNS is not wanted any more"),
        ("ClusterConfiguration.proxy.disabled", True, "kube-proxy is not wanted any more"),
    ],
)
def test_addon_that_is_not_wanted_any_more(change: str, value: Any, warning: str) -> None:
    plan = make_plan(documents(), documents(change, value))
    assert plan.steps == ["upload-config"]
    assert len(plan.warnings) == 1
    assert plan.warnings[0].startswith(warning)


def test_faults_are_told_all_at_once() -> None:
    after = documents("ClusterConfiguration.networking.podSubnet", "10.0.0.0/16")
    after[0]["localAPIEndpoint"] = {"bindPort": 7443}
    plan = make_plan(documents(), after)
    assert [line.split(" ")[0] for line in plan.refused] == [
        "ClusterConfiguration.networking.podSubnet",
        "InitConfiguration.localAPIEndpoint.bindPort",
    ]


def test_rules_only_name_steps_that_exist() -> None:
    assert {step for rule in RULES.values() if isinstance(rule, list) for step in rule} == set(STEPS)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("InitConfiguration.localAPIEndpoint.advertiseAddress", "2001:DB8::11", "2001:db8:0::11"),
        ("ClusterConfiguration.controlPlaneEndpoint", "[2001:DB8::11]:6443", "[2001:db8::11]:6443"),
        ("ClusterConfiguration.networking.podSubnet", "10.244.0.0/16, FD00::/56", "10.244.0.0/16,fd00::/56"),
        ("ClusterConfiguration.apiServer.certSANs", ["2001:DB8::11", "cp"], ["2001:db8::11", "cp"]),
        (
            "ClusterConfiguration.etcd.external.endpoints",
            ["https://[2001:DB8::1]:2379"],
            ["https://[2001:db8::1]:2379"],
        ),
        (
            "InitConfiguration.nodeRegistration.kubeletExtraArgs",
            [{"name": "node-ip", "value": "192.0.2.11, 2001:DB8::11"}],
            [{"name": "node-ip", "value": "192.0.2.11,2001:db8::11"}],
        ),
    ],
)
def test_another_spelling_of_an_address_is_no_change(path: str, before: Any, after: Any) -> None:
    plan = make_plan(documents(path, before), documents(path, after))
    assert (plan.paths, plan.refused, plan.steps) == ([], [], [])


FLAGS = 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///run/c.sock --v=2"\n'


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], "--container-runtime-endpoint=unix:///run/c.sock --v=2"),
        ([{"name": "v", "value": "2"}], [], "--container-runtime-endpoint=unix:///run/c.sock"),
        ([], [{"name": "v", "value": "4"}], "--container-runtime-endpoint=unix:///run/c.sock --v=4"),
        ([], [{"name": "a", "value": ""}], "--container-runtime-endpoint=unix:///run/c.sock --v=2 --a="),
        ([], [{"name": "a", "value": None}], "--container-runtime-endpoint=unix:///run/c.sock --v=2"),
        ([{"name": "v", "value": None}], [], "--container-runtime-endpoint=unix:///run/c.sock"),
    ],
)
def test_arguments_of_the_kubelet(before: list[Any], after: list[Any], expected: str) -> None:
    assert replace_arguments(FLAGS, before, after) == f'KUBELET_KUBEADM_ARGS="{expected}"\n'
