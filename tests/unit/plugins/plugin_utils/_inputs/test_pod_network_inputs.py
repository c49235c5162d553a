"""What is taken from elsewhere for a network plugin, told from variables alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import needed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.pod_network import plugin_release

USUAL = {"kubernetes_pod_cidr": "10.244.0.0/16", "cni_cilium_version": "1.20.1", "cni_calico_version": "3.32.1"}


def host(**values: Any) -> HostInput:
    return HostInput("cp1", {**USUAL, **values})


def test_the_chart_of_cilium_is_needed_with_its_values() -> None:
    values = {"cni_plugin": "cilium", "cni_install": "chart", "cni_chart": {"checksum": "sha256:1"}, "cni_mtu": 1400}
    given = host(**values, kubernetes_proxy_mode="none", kubernetes_node_ip="192.0.2.1", cni_values={"a": 1})
    (release,) = needed.charts(given)
    assert (release["url"], release["checksum"]) == ("https://helm.cilium.io/cilium-1.20.1.tgz", "sha256:1")
    assert (release["base_values"]["k8sServiceHost"], release["base_values"]["MTU"]) == ("192.0.2.1", 1450)
    assert release["values"] == {"a": 1}
    assert needed.manifests(given) == []


def test_definitions_of_an_operator_come_with_its_chart() -> None:
    crds = {"path": "operator-crds.yaml", "checksum": "sha256:2"}
    given = host(cni_plugin="calico", cni_install="chart", cni_chart={"chart": "t.tgz"}, cni_calico_crds=crds)
    (release,) = needed.charts(given)
    assert (release["chart"], release["version"], needed.manifests(given)) == ("t.tgz", "3.32.1", [crds])


@pytest.mark.parametrize(
    "values",
    [
        {"cni_plugin": "calico", "cni_install": "manifest"},
        {"cni_plugin": "bridge"},
        {"cni_plugin": "canal", "cni_install": "chart"},
        # What is wrong is said elsewhere.
        {"cni_plugin": "cilium", "cni_install": "chart", "cni_tunnel": "ipip"},
        {"cni_plugin": "cilium", "cni_install": "chart", "cni_mtu": "large"},
    ],
)
def test_no_chart(values: dict[str, Any]) -> None:
    assert plugin_release(host(**values)) is None
