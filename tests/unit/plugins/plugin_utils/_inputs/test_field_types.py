"""Values of another type than their field, in everything that becomes a component's or kubeadm's configuration."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.components import component_settings
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.kubeadm import kubeadm_fields
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

KUBELET, PROXY = "kubernetes_kubelet_configuration", "kubernetes_proxy_configuration"
INIT, CLUSTER = "control_plane_init_configuration", "control_plane_cluster_configuration"
JOIN, AUDIT = "worker_join_configuration", "control_plane_audit_policy"
BOOLEAN = "is no boolean; give it true or false, without quotes"
INTEGER = "is no whole number; give it one, unquoted"
TEXT = "is no text; put it in quotes"
TEXTS = "is no list; give it a list of texts"
MAPS = "is no list; give it a list of maps"
TIME = "is no time; write it like 30s, 1h30m or 8760h"
MAP = "is no map; give it one"


def judged(variable: str, value: Any, version: str = "1.36.5") -> list[str]:
    host = HostInput("n1", {"kubernetes_version": version, variable: value})
    inputs = Inputs([host], {}, {})
    found = [fault.text for check in (component_settings, kubeadm_fields) for fault in check(host, inputs)]
    assert all(text.startswith(variable) for text in found), found
    return [text[len(variable) + 1 :] for text in found]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (KUBELET, {"failSwapOn": False, "maxPods": 5, "cgroupRoot": "/", "clusterDNS": ["192.0.2.1"]}, []),
        (KUBELET, {"failSwapOn": None, "maxPods": None, "cgroupRoot": None, "clusterDNS": None}, []),
        (KUBELET, {"failSwapOn": "no"}, [f"failSwapOn 'no' {BOOLEAN}"]),
        (KUBELET, {"failSwapOn": 0}, [f"failSwapOn 0 {BOOLEAN}"]),
        (KUBELET, {"maxPods": "5"}, [f"maxPods '5' {INTEGER}"]),
        (KUBELET, {"maxPods": 5.5}, [f"maxPods 5.5 {INTEGER}"]),
        (KUBELET, {"maxPods": True}, [f"maxPods True {INTEGER}"]),
        (KUBELET, {"maxPods": float("inf")}, [f"maxPods inf {INTEGER}"]),
        (KUBELET, {"maxPods": 5.0, "memoryThrottlingFactor": 0.9}, []),
        (
            KUBELET,
            {"memoryThrottlingFactor": "0.9"},
            ["memoryThrottlingFactor '0.9' is no number; give it one, without quotes"],
        ),
        (KUBELET, {"reservedSystemCPUs": 0}, [f"reservedSystemCPUs 0 {TEXT}"]),
        (KUBELET, {"syncFrequency": {}}, [f"syncFrequency (a map) {TIME}"]),
        (KUBELET, {"featureGates": []}, ["featureGates (a list) is no map; give it names with true or false"]),
        (
            KUBELET,
            {"featureGates": {"A": "true", "B": True}},
            [f"featureGates.A 'true' {BOOLEAN}"],
        ),
        (KUBELET, {"evictionHard": {"memory.available": 5}}, [f"evictionHard.memory.available 5 {TEXT}"]),
        (KUBELET, {"clusterDNS": [None]}, [f"clusterDNS[0] None {TEXT}"]),
        (KUBELET, {"tlsCurvePreferences": [4588, 29]}, []),
        (KUBELET, {"tlsCurvePreferences": [29, "X25519"]}, [f"tlsCurvePreferences[1] 'X25519' {INTEGER}"]),
        (KUBELET, {"authentication": True}, [f"authentication True {MAP}"]),
        (
            KUBELET,
            {"authentication": {"webhook": {"cacheTTL": 5, "enabled": "x"}}},
            [
                f"authentication.webhook.cacheTTL 5 {TIME}",
                f"authentication.webhook.enabled 'x' {BOOLEAN}",
            ],
        ),
        (
            KUBELET,
            {"shutdownGracePeriodByPodPriority": [{"priority": "1"}, "x"]},
            [
                f"shutdownGracePeriodByPodPriority[1] 'x' {MAP}",
                f"shutdownGracePeriodByPodPriority[0].priority '1' {INTEGER}",
            ],
        ),
        (KUBELET, {"registerWithTaints": [{"key": "a", "effect": "NoSchedule"}], "logging": {"verbosity": 3}}, []),
        (PROXY, {"conntrack": {"min": "0"}}, [f"conntrack.min '0' {INTEGER}"]),
        (PROXY, {"iptables": {"masqueradeAll": "yes"}}, [f"iptables.masqueradeAll 'yes' {BOOLEAN}"]),
        (PROXY, {"nodePortAddresses": "192.0.2.0/24"}, [f"nodePortAddresses '192.0.2.0/24' {TEXTS}"]),
        (AUDIT, {"rules": {"level": "None"}}, [f"rules (a map) {MAPS}"]),
        (AUDIT, {"rules": [{"level": "None", "verbs": "get"}]}, [f"rules[0].verbs 'get' {TEXTS}"]),
        (
            AUDIT,
            {"rules": [{"level": "None", "resources": [{"group": "", "resources": ["pods"]}]}]},
            [],
        ),
        (AUDIT, {"rules": [{"level": "None", "resources": ["pods"]}]}, [f"rules[0].resources[0] 'pods' {MAP}"]),
        (CLUSTER, {"apiServer": {"certSANs": "a.example"}}, [f"apiServer.certSANs 'a.example' {TEXTS}"]),
        (CLUSTER, {"networking": "x"}, [f"networking 'x' {MAP}"]),
        (CLUSTER, {"clusterName": 5}, [f"clusterName 5 {TEXT}"]),
        (
            CLUSTER,
            {"apiServer": {"extraVolumes": [{"name": "a", "readOnly": "true"}]}},
            [f"apiServer.extraVolumes[0].readOnly 'true' {BOOLEAN}"],
        ),
        (INIT, {"localAPIEndpoint": {"bindPort": "6443"}}, [f"localAPIEndpoint.bindPort '6443' {INTEGER}"]),
        (INIT, {"nodeRegistration": {"taints": None}}, []),
        # The key itself is not shown.
        (INIT, {"certificateKey": 12345}, [f"certificateKey (not shown) {TEXT}"]),
        (INIT, {"bootstrapTokens": ["hunter2"]}, [f"bootstrapTokens[0] (not shown) {MAP}"]),
        (JOIN, {"discovery": {"tlsBootstrapToken": 12345}}, [f"discovery.tlsBootstrapToken (not shown) {TEXT}"]),
        (INIT, {"bootstrapTokens": [{"token": 12345}]}, [f"bootstrapTokens[0].token (not shown) {TEXT}"]),
        (
            JOIN,
            {"nodeRegistration": {"ignorePreflightErrors": "all"}},
            [f"nodeRegistration.ignorePreflightErrors 'all' {TEXTS}"],
        ),
    ],
)
def test_a_value_of_another_type(variable: str, value: Any, expected: list[str]) -> None:
    assert judged(variable, value) == expected


def test_what_is_of_another_type_hides_nothing_else() -> None:
    found = judged(CLUSTER, {"networking": "x", "clusterNam": "y", "apiServer": {"extraArg": []}})
    assert found[0] == f"networking 'x' {MAP}"
    assert sum("did you mean" in text for text in found) == 2
