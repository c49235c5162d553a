# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The charts of network plugins: where they are, and the values that make the pod network what it shall be.

What Flannel's and Calico's charts render is changed as their manifests are; Cilium is told all by values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import Object
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint import readable_endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import (
    CALICO,
    CILIUM,
    FLANNEL,
    NEVER,
    PodNetwork,
    overhead,
)


@dataclass(frozen=True)
class Chart:
    """A plugin's chart.

    Attributes:
        release: the release's name.
        namespace: where it goes.
        url: where its project has it; {} is the version.
    """

    release: str
    namespace: str
    url: str


CHARTS = {
    CILIUM: Chart("cilium", "kube-system", "https://helm.cilium.io/cilium-{}.tgz"),
    CALICO: Chart(
        *("calico", "tigera-operator"),
        "https://github.com/projectcalico/calico/releases/download/v{0}/tigera-operator-v{0}.tgz",
    ),
    FLANNEL: Chart(
        "flannel", "kube-flannel", "https://github.com/flannel-io/flannel/releases/download/v{}/flannel.tgz"
    ),
}
SOURCES = ("chart", "url")
# From this minor version of Cilium on its kinds for BGP are of v2.
SETTLED_BGP = (1, 18)
# By which Cilium's advertisement is found.
ADVERTISED = {"groundwork.kubernetes/advertise": "pods"}
NAME = "groundwork"
WIREGUARD_FIELDS = {4: "wireguardEnabled", 6: "wireguardEnabledV6"}
MINOR = re.compile(r"v?(\d+)\.(\d+)")


@dataclass(frozen=True)
class Around:
    """What of the cluster a plugin's chart depends on.

    Attributes:
        nodes: how many nodes there are; 0 where that is not known.
        node_version: the IP version between nodes.
        api: host and port of the API, by which Cilium reaches it where there is no kube-proxy; empty where there is.
    """

    nodes: int = 0
    node_version: int = 4
    api: tuple[str, int] | None = None


def api_of(proxy_mode: str, endpoint: str, port: int, addresses: Sequence[str]) -> tuple[str, int] | None:
    """Where Cilium finds the API without kube-proxy: the endpoint, or else a control plane.

    Args:
        proxy_mode: that of kube-proxy.
        endpoint: the API's endpoint; empty where there is none.
        port: the API's port where the endpoint has none.
        addresses: those of a control plane.
    """
    if proxy_mode != "none":
        return None
    found = readable_endpoint(endpoint)
    if found:
        return found[0], found[1] or port
    return (addresses[0], port) if addresses else None


def release_of(
    network: PodNetwork, chart: Mapping[str, Any], values: Mapping[str, Any], around: Around
) -> dict[str, Any]:
    """The release of a plugin, as the role charts has them.

    Args:
        network: what the pod network shall be.
        chart: where the chart is, if it is not where its project has it, and its checksum.
        values: the user's.
        around: what of the cluster it depends on.
    """
    known = CHARTS[network.plugin]
    source = {name: chart[name] for name in (*SOURCES, "checksum") if chart.get(name)}
    if not any(name in source for name in SOURCES):
        source["url"] = known.url.format(network.version)
    return {
        "name": known.release,
        "namespace": known.namespace,
        "version": network.version,
        "base_values": base_values(network, around),
        "values": dict(values),
        # Calico's would remove the network before the operator goes.
        "skip_hooks": ["pre-delete", "post-delete"],
        "one_minor": network.plugin == CILIUM,
        **source,
    }


def base_values(network: PodNetwork, around: Around) -> dict[str, Any]:
    """What a chart is told below the user's values."""
    if network.plugin == CILIUM:
        return _cilium(network, around)
    if network.plugin == FLANNEL:
        return {"podCidr": network.cidrs.get(4, ""), "podCidrv6": network.cidrs.get(6, "")}
    return {}


def _cilium(network: PodNetwork, around: Around) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kubeProxyReplacement": around.api is not None,
        # Each node's pods have addresses of the network that Kubernetes gives the node, as with other plugins.
        "ipam": {"mode": "kubernetes"},
        "ipv4": {"enabled": 4 in network.cidrs},
        "ipv6": {"enabled": 6 in network.cidrs},
        "enableIPv4Masquerade": network.masquerade and 4 in network.cidrs,
        "enableIPv6Masquerade": network.masquerade and 6 in network.cidrs,
        "encryption": {"enabled": network.wireguard, "type": "wireguard"},
        "bgpControlPlane": {"enabled": bool(network.bgp_peers)},
        # Helm's own way makes another authority each time.
        "hubble": {"tls": {"auto": {"method": "cronJob"}}},
    }
    if around.api:
        found.update(k8sServiceHost=around.api[0], k8sServicePort=around.api[1])
    if network.encapsulation == NEVER:
        found.update(routingMode="native", autoDirectNodeRoutes=True)
        found.update({f"ipv{version}NativeRoutingCIDR": cidr for version, cidr in network.cidrs.items()})
    else:
        found.update(routingMode="tunnel", tunnelProtocol=network.tunnel)
    if network.mtu:
        # That of the hosts' packets, of which Cilium subtracts what it adds.
        found["MTU"] = network.mtu + overhead(network, around.node_version)
    if network.interface:
        found["devices"] = [network.interface]
    if around.nodes == 1:
        # Its two pods do not run on one node.
        found["operator"] = {"replicas": 1}
    return found


def afterwards(network: PodNetwork, by_operator: bool) -> list[Object]:
    """Objects of kinds that a plugin may define only when it runs.

    Args:
        network: what the pod network shall be.
        by_operator: whether Calico's operator has installed it.
    """
    found: list[Object] = []
    if network.plugin == CALICO and by_operator and network.wireguard:
        enabled = {name: True for version, name in WIREGUARD_FIELDS.items() if version in network.cidrs}
        found.append(_calico("FelixConfiguration", "default", enabled))
    if network.bgp_peers and network.plugin == CALICO:
        found.append(_calico("BGPConfiguration", "default", {"asNumber": network.bgp_as_number}))
        found += [_calico_peer(peer) for peer in network.bgp_peers]
    if network.bgp_peers and network.plugin == CILIUM:
        found += _cilium_peers(network)
    return found


def _calico(kind: str, name: str, spec: Mapping[str, Any]) -> Object:
    return {"apiVersion": "crd.projectcalico.org/v1", "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def _peer_name(peer: Mapping[str, Any]) -> str:
    return "peer-" + str(peer["address"]).lower().replace(":", "-").replace(".", "-").strip("-")


def _calico_peer(peer: Mapping[str, Any]) -> Object:
    labels = peer.get("nodes") or {}
    selector = " && ".join(f"{label} == '{value}'" for label, value in sorted(labels.items()))
    spec = {"peerIP": str(peer["address"]), "asNumber": int(peer["as_number"])}
    return _calico("BGPPeer", _peer_name(peer), {**spec, "nodeSelector": selector or "all()"})


def _cilium_peers(network: PodNetwork) -> list[Object]:
    numbers = MINOR.match(network.version)
    minor = (int(numbers[1]), int(numbers[2])) if numbers else SETTLED_BGP
    version = "cilium.io/v2" if minor >= SETTLED_BGP else "cilium.io/v2alpha1"

    def made(kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Object:
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": dict(spec)}

    families = [
        {"afi": f"ipv{one}", "safi": "unicast", "advertisements": {"matchLabels": ADVERTISED}}
        for one in sorted(network.cidrs)
    ]
    advertised = {"advertisements": [{"advertisementType": "PodCIDR"}]}
    found = [
        made("CiliumBGPAdvertisement", f"{NAME}-pods", advertised, labels=ADVERTISED),
        made("CiliumBGPPeerConfig", NAME, {"families": families}),
    ]
    # A node may be of one such configuration alone.
    groups: dict[tuple[tuple[str, str], ...], list[Mapping[str, Any]]] = {}
    for peer in network.bgp_peers:
        groups.setdefault(tuple(sorted((peer.get("nodes") or {}).items())), []).append(peer)
    for number, (labels, peers) in enumerate(sorted(groups.items())):
        instance = {
            "name": NAME,
            "localASN": network.bgp_as_number,
            "peers": [
                {
                    "name": _peer_name(peer),
                    "peerASN": int(peer["as_number"]),
                    "peerAddress": str(peer["address"]),
                    "peerConfigRef": {"name": NAME},
                }
                for peer in peers
            ],
        }
        selector = {"nodeSelector": {"matchLabels": dict(labels)}} if labels else {}
        found.append(made("CiliumBGPClusterConfig", f"{NAME}-{number}", {**selector, "bgpInstances": [instance]}))
    return found
