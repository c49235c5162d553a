# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster's pod network shall be, whichever plugin makes it, and what its packets carry besides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_tunnel import VXLAN_OVERHEAD

NEVER, CROSS_SUBNET, ALWAYS = "never", "cross-subnet", "always"
VXLAN, GENEVE, IPIP = "vxlan", "geneve", "ipip"
BRIDGE, FLANNEL, CALICO, CANAL, CILIUM = "bridge", "flannel", "calico", "canal", "cilium"
KNOWN = (BRIDGE, FLANNEL, CALICO, CANAL, CILIUM)
# The tunnels of each plugin.
TUNNELS: dict[str, tuple[str, ...]] = {
    BRIDGE: (VXLAN,),
    FLANNEL: (VXLAN,),
    CALICO: (VXLAN, IPIP),
    CANAL: (VXLAN,),
    CILIUM: (VXLAN, GENEVE),
}
# The plugins that have what a variable asks for.
HONOURED_BY: dict[str, tuple[str, ...]] = {
    "cni_mtu": KNOWN,
    "cni_encapsulation": KNOWN,
    "cni_tunnel": KNOWN,
    "cni_masquerade": KNOWN,
    "cni_interface": (FLANNEL, CALICO, CANAL, CILIUM),
    "cni_wireguard": (FLANNEL, CALICO, CANAL, CILIUM),
    "cni_block_size": (CALICO,),
    "cni_bgp_as_number": (CALICO, CILIUM),
    "cni_bgp_peers": (CALICO, CILIUM),
}
# As people write them.
SHOWN = {VXLAN: "VXLAN", GENEVE: "Geneve", IPIP: "IP in IP"}
# What tunnels add to a packet, by the IP version between nodes.
OVERHEADS = {VXLAN: VXLAN_OVERHEAD, GENEVE: VXLAN_OVERHEAD, IPIP: {4: 20, 6: 40}}
WIREGUARD_OVERHEAD = 80
CALICO_WIREGUARD_OVERHEAD = {4: 60, 6: 80}
# Calico's block of 26 bits has 64 addresses, and so has one of 122 bits of IPv6.
DEFAULT_BLOCK_SIZE = 26
# Values of a command line are texts.
CONVERT: dict[str, Callable[[Any], Any]] = {
    "mtu": int,
    "block_size": int,
    "bgp_as_number": int,
    "wireguard": boolean,
    "masquerade": boolean,
}


@dataclass(frozen=True)
class PodNetwork:
    """The shared inputs of network plugins.

    Attributes:
        plugin: its name.
        version: that of the plugin; empty where it does not matter.
        cidrs: the pod networks by IP version.
        mtu: the pods' MTU; 0 leaves it to the plugin.
        encapsulation: whether packets to pods of other hosts go through a tunnel: never, cross-subnet or always.
        tunnel: which one.
        interface: the hosts' interface for it; empty for the one that has the node's address.
        wireguard: whether packets between hosts are encrypted.
        masquerade: whether hosts put their own address on what pods send out of the cluster.
        block_size: how many bits a block of IPv4 addresses has that a node gets.
        bgp_as_number: the hosts' number.
        bgp_peers: with whom they speak BGP, each with address, as_number and the labels of the nodes that do.
    """

    plugin: str
    version: str = ""
    cidrs: Mapping[int, str] = field(default_factory=dict)
    mtu: int = 0
    encapsulation: str = ALWAYS
    tunnel: str = VXLAN
    interface: str = ""
    wireguard: bool = False
    masquerade: bool = True
    block_size: int = DEFAULT_BLOCK_SIZE
    bgp_as_number: int = 64512
    bgp_peers: Sequence[Mapping[str, Any]] = ()

    def block_size_of(self, version: int) -> int:
        """The bits of a block of this IP version that has as many addresses as one of IPv4."""
        return self.block_size if version == 4 else 96 + self.block_size

    def encapsulated(self, version: int) -> str:
        """The encapsulation of pods' packets of this IP version: IP in IP has none for IPv6."""
        return NEVER if self.tunnel == IPIP and version != 4 else self.encapsulation


def of_inputs(given: Mapping[str, Any], cidrs: Mapping[int, str]) -> PodNetwork:
    """The network of a mapping with its attributes, without cidrs.

    Raises:
        ManifestError: if a key is none of them, or the plugin or one of its ways is not known.
    """
    names = {one.name for one in fields(PodNetwork)} - {"cidrs"}
    unknown = sorted(given.keys() - names)
    if unknown or given.get("plugin") not in KNOWN:
        wrong = f"has {', '.join(unknown)}" if unknown else f"has the plugin {given.get('plugin')!r}"
        raise ManifestError(f"network {wrong}, which is not known here; it takes {', '.join(sorted(names))}")
    typed = {name: CONVERT[name](value) if name in CONVERT else value for name, value in given.items()}
    network = PodNetwork(**typed, cidrs=cidrs)
    if network.encapsulation not in (NEVER, CROSS_SUBNET, ALWAYS) or network.tunnel not in TUNNELS[network.plugin]:
        raise ManifestError(
            f"network: {network.plugin} has no encapsulation {network.encapsulation} by {network.tunnel}"
        )
    return network


def overhead(network: PodNetwork, node_version: int = 4) -> int:
    """What a network adds to packets between nodes that have addresses of an IP version."""
    tunnel = 0 if network.encapsulation == NEVER else OVERHEADS[network.tunnel][node_version]
    if not network.wireguard:
        return tunnel
    if network.plugin == CALICO:
        # One or the other, never one inside the other.
        return max(tunnel, CALICO_WIREGUARD_OVERHEAD[node_version])
    return WIREGUARD_OVERHEAD + (tunnel if network.plugin == CILIUM else 0)


def routed(network: PodNetwork) -> bool:
    """Whether Calico needs BGP, between nodes or to others."""
    return network.tunnel == IPIP or network.encapsulation == NEVER or bool(network.bgp_peers)
