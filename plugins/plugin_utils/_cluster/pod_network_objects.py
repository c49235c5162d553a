# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets what a pod network shall be in the objects of Flannel, Calico, its operator and Canal."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    ManifestError,
    Object,
    Ref,
    in_order,
    is_foundation,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import (
    ALWAYS,
    CALICO,
    CANAL,
    CROSS_SUBNET,
    FLANNEL,
    IPIP,
    NEVER,
    VXLAN,
    WIREGUARD_OVERHEAD,
    PodNetwork,
    routed,
)

# The container of each plugin's DaemonSet whose image has its version.
CONTAINERS = {FLANNEL: "kube-flannel", CALICO: "calico-node", CANAL: "calico-node"}
# Pods are made anew when it changes: they read their ConfigMaps only when they start.
ANNOTATION = "groundwork.kubernetes/network"
MODES = {NEVER: "Never", CROSS_SUBNET: "CrossSubnet", ALWAYS: "Always"}
OPERATOR_KINDS = {IPIP: "IPIP", VXLAN: "VXLAN"}
# Flannel takes the size of the hosts' packets and subtracts this, for IPv6 as well.
FLANNEL_VXLAN_OVERHEAD = 50
BARE_MTU = re.compile(r'(?<!")__CNI_MTU__(?!")')
VERSION = re.compile(r"v?(\d+\.\d+\.\d+)")
DAEMON_SETS = "DaemonSet"


def set_network(objects: Sequence[Object], network: PodNetwork) -> list[Object]:
    """The objects of a plugin as its network shall be; those of a part of it, such as one step of a chart, too.

    Raises:
        ManifestError: if a configuration in them cannot be read.
    """
    result = list(objects)
    for item in result:
        _flannel_configuration(item, network)
        _calico_configuration(item, network)
        _installation(item, network)
        for container in _containers(item):
            if container.get("name") == "kube-flannel" and network.plugin in (FLANNEL, CANAL):
                _flannel_container(container, network)
            elif container.get("name") == "calico-node" and network.plugin == CALICO:
                _calico_container(container, network)
    return _with_pools(result, network)


def refuse_other_version(objects: Sequence[Object], network: PodNetwork) -> None:
    """Refuse a plugin of another version than the variables say, as where a patch has changed nothing but an image.

    Raises:
        ManifestError: naming the image and the version.
    """
    for item in objects:
        for container in _containers(item):
            if container.get("name") != CONTAINERS.get(network.plugin) or not network.version:
                continue
            image = str(container.get("image") or "")
            tag = VERSION.match(image.partition("@")[0].rpartition("/")[2].partition(":")[2])
            if tag and tag[1] != network.version:
                project = CALICO if network.plugin == CANAL else network.plugin
                raise ManifestError(
                    f"{Ref.of(item)} has the image {image}, and cni_{project}_version is {network.version}: it takes "
                    "the manifest of its version, whose definitions and rights belong to its images, so change the "
                    "manifest, its checksum and the version together"
                )


def _containers(item: Object) -> Iterator[dict[str, Any]]:
    if item["kind"] == DAEMON_SETS:
        spec = (((item.get("spec") or {}).get("template") or {}).get("spec")) or {}
        yield from (one for one in spec.get("containers") or [] if isinstance(one, dict))


def _set_env(container: dict[str, Any], wanted: Mapping[str, Any]) -> None:
    """Set variables of a container: text, a mapping for where it comes from, or None for one that goes."""
    kept = [one for one in container.get("env") or [] if one["name"] not in wanted]
    new = [
        {"name": name, **(value if isinstance(value, Mapping) else {"value": value})}
        for name, value in wanted.items()
        if value is not None
    ]
    container["env"] = kept + new


def _json(item: Object, key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ManifestError(f"{key} of {Ref.of(item)} is no JSON: {error}") from error


def _flannel_configuration(item: Object, network: PodNetwork) -> None:
    data = item.get("data")
    if item["kind"] != "ConfigMap" or not isinstance(data, dict) or "net-conf.json" not in data:
        return
    configuration = _json(item, "net-conf.json", data["net-conf.json"])
    before = configuration.get("Backend") or {}
    after = _flannel_backend(network)
    # Its port and number stay where it is the same.
    same = before if before.get("Type") == after["Type"] else {}
    kept = {key: value for key, value in same.items() if key not in ("DirectRouting", "MTU")}
    configuration["Backend"] = {**kept, **after}
    data["net-conf.json"] = json.dumps(configuration, indent=2) + "\n"
    if network.mtu and after["Type"] == "host-gw" and "cni-conf.json" in data:
        # This kind has no MTU of its own.
        plugins = _json(item, "cni-conf.json", data["cni-conf.json"])
        for plugin in plugins.get("plugins") or []:
            if plugin.get("type") == "flannel":
                plugin["delegate"] = {**(plugin.get("delegate") or {}), "mtu": network.mtu}
        data["cni-conf.json"] = json.dumps(plugins, indent=2) + "\n"


def _flannel_backend(network: PodNetwork) -> dict[str, Any]:
    if network.wireguard:
        return {"Type": "wireguard", **({"MTU": network.mtu + WIREGUARD_OVERHEAD} if network.mtu else {})}
    if network.encapsulation == NEVER:
        return {"Type": "host-gw"}
    return {
        "Type": VXLAN,
        **({"DirectRouting": True} if network.encapsulation == CROSS_SUBNET else {}),
        **({"MTU": network.mtu + FLANNEL_VXLAN_OVERHEAD} if network.mtu else {}),
    }


def _flannel_container(container: dict[str, Any], network: PodNetwork) -> None:
    # An address stands for the interface that has it.
    address = {"valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    _set_env(container, {"FLANNELD_IFACE": network.interface or address})
    for key in ("args", "command"):
        if not network.masquerade and key in container:
            container[key] = [one for one in container[key] if one not in ("--ip-masq", "--ip-masq=true")]


def _calico_configuration(item: Object, network: PodNetwork) -> None:
    data = item.get("data")
    if item["kind"] != "ConfigMap" or not isinstance(data, dict) or "veth_mtu" not in data:
        return
    if network.mtu:
        data["veth_mtu"] = str(network.mtu)
    if "masquerade" in data:
        data["masquerade"] = "true" if network.masquerade else "false"
    text = data.get("cni_network_config")
    if network.plugin == CALICO and text and 6 in network.cidrs:
        data["cni_network_config"] = _with_versions(item, text, network)


def _with_versions(item: Object, text: str, network: PodNetwork) -> str:
    """The CNI configuration with the IP versions that pods get addresses of."""
    bare = bool(BARE_MTU.search(text))
    plugins = _json(item, "cni_network_config", BARE_MTU.sub('"__CNI_MTU__"', text))
    for plugin in plugins.get("plugins") or []:
        if (plugin.get("ipam") or {}).get("type") == "calico-ipam":
            for version in (4, 6):
                plugin["ipam"][f"assign_ipv{version}"] = "true" if version in network.cidrs else "false"
    changed = json.dumps(plugins, indent=2)
    return changed.replace('"__CNI_MTU__"', "__CNI_MTU__") if bare else changed


def _calico_container(container: dict[str, Any], network: PodNetwork) -> None:
    method = f"interface={network.interface}" if network.interface else "kubernetes-internal-ip"
    wanted: dict[str, Any] = {
        "IP": "autodetect" if 4 in network.cidrs else "none",
        "IP_AUTODETECTION_METHOD": method if 4 in network.cidrs else None,
        "IP6": "autodetect" if 6 in network.cidrs else None,
        "IP6_AUTODETECTION_METHOD": method if 6 in network.cidrs else None,
        "CALICO_ROUTER_ID": None if 4 in network.cidrs else "hash",
        "FELIX_IPV6SUPPORT": "true" if 6 in network.cidrs else "false",
        "FELIX_WIREGUARDENABLED": "true" if network.wireguard and 4 in network.cidrs else None,
        "FELIX_WIREGUARDENABLEDV6": "true" if network.wireguard and 6 in network.cidrs else None,
    }
    for version in (4, 6):
        pool = _pool(network, version) if version in network.cidrs else {}
        prefix = f"CALICO_IPV{version}POOL_"
        wanted[f"{prefix}CIDR"] = pool.get("cidr")
        wanted[f"{prefix}BLOCK_SIZE"] = str(pool["blockSize"]) if pool else None
        wanted[f"{prefix}NAT_OUTGOING"] = ("true" if pool["natOutgoing"] else "false") if pool else None
        wanted[f"{prefix}VXLAN"] = pool.get("vxlanMode")
        if version == 4:
            wanted[f"{prefix}IPIP"] = pool.get("ipipMode")
    _set_env(container, wanted)


def _pool(network: PodNetwork, version: int) -> dict[str, Any]:
    mode = MODES[network.encapsulated(version)]
    return {
        "cidr": network.cidrs[version],
        "blockSize": network.block_size_of(version),
        "ipipMode": mode if network.tunnel == IPIP else "Never",
        "vxlanMode": mode if network.tunnel == VXLAN else "Never",
        "natOutgoing": network.masquerade,
        "nodeSelector": "all()",
        "allowedUses": ["Workload", "Tunnel"],
    }


def _with_pools(objects: Sequence[Object], network: PodNetwork) -> list[Object]:
    """The objects with Calico's pools, which it would make once when it starts, and then leave as they are."""
    groups = {
        str((item.get("spec") or {}).get("group"))
        for item in objects
        if item["kind"] == "CustomResourceDefinition" and item["metadata"]["name"].startswith("ippools.")
    }
    nodes = any(container.get("name") == "calico-node" for item in objects for container in _containers(item))
    if network.plugin != CALICO or not nodes or "crd.projectcalico.org" not in groups:
        return list(objects)
    pools: list[Object] = [
        {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": f"default-ipv{version}-ippool"},
            "spec": _pool(network, version),
        }
        for version in sorted(network.cidrs)
    ]
    # Before what would make them.
    ordered = in_order(objects)
    first = sum(map(is_foundation, ordered))
    return [*ordered[:first], *pools, *ordered[first:]]


def _installation(item: Object, network: PodNetwork) -> None:
    if item["kind"] != "Installation" or not item["apiVersion"].startswith("operator.tigera.io/"):
        return
    calico = item.setdefault("spec", {}).setdefault("calicoNetwork", {})
    calico["bgp"] = "Enabled" if routed(network) else "Disabled"
    if network.mtu:
        calico["mtu"] = network.mtu
    found: dict[int, dict[str, Any]] = {
        ipaddress.ip_network(pool["cidr"]).version: pool for pool in calico.get("ipPools") or []
    }
    calico["ipPools"] = []
    for version in sorted(network.cidrs):
        by = {"interface": network.interface} if network.interface else {"kubernetes": "NodeInternalIP"}
        calico[f"nodeAddressAutodetectionV{version}"] = by
        mode = network.encapsulated(version)
        encapsulation = OPERATOR_KINDS[network.tunnel] + ("CrossSubnet" if mode == CROSS_SUBNET else "")
        calico["ipPools"].append(
            {
                "name": f"default-ipv{version}-ippool",
                "nodeSelector": "all()",
                **found.get(version, {}),
                "cidr": network.cidrs[version],
                "blockSize": network.block_size_of(version),
                "encapsulation": "None" if mode == NEVER else encapsulation,
                "natOutgoing": "Enabled" if network.masquerade else "Disabled",
            }
        )


def mark(objects: Sequence[Object], network: PodNetwork) -> None:
    """Have pods of the plugin made anew when a ConfigMap of the plugin changes."""
    data = [item.get("data") for item in objects if item["kind"] == "ConfigMap"]
    if not data:
        return
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
    for item in objects:
        if any(container.get("name") == CONTAINERS.get(network.plugin) for container in _containers(item)):
            metadata = item["spec"]["template"].setdefault("metadata", {})
            metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: digest}
