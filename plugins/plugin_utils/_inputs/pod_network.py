# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what is asked of the pod network: whether its plugin has that, and what of it excludes what else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import is_address
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifests import network_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import (
    BRIDGE,
    CALICO,
    CANAL,
    CILIUM,
    CROSS_SUBNET,
    FLANNEL,
    HONOURED_BY,
    IPIP,
    KNOWN,
    NEVER,
    TUNNELS,
    PodNetwork,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network_release import (
    CHARTS,
    Around,
    api_of,
    release_of,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.argument_specs import defaults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.charts import (
    Placed,
    checksum_faults,
    rendered,
    source_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

SHARED = (
    *("mtu", "encapsulation", "tunnel", "interface", "masquerade", "wireguard", "block_size"),
    *("bgp_as_number", "bgp_peers"),
)
VERSIONS = {
    CALICO: "cni_calico_version",
    CANAL: "cni_calico_version",
    CILIUM: "cni_cilium_version",
    FLANNEL: "cni_flannel_version",
}
# What the role's defaults are where they are not the same for all plugins and ways to install them.
USUAL = {(BRIDGE, "manifest"): {"encapsulation": NEVER}, (CALICO, "manifest"): {"tunnel": IPIP}}


def shared_inputs(inputs: Inputs) -> Iterator[Fault]:
    """Inputs that the plugin cannot honour, each with the plugin."""
    leader = inputs.leader()
    plugin, usual = leader.text("cni_plugin") or BRIDGE, defaults(inputs.specs)
    for variable, plugins in HONOURED_BY.items():
        asked = variable in leader.names and _asks(leader.values.get(variable), usual.get(variable))
        if asked and plugin not in plugins:
            who = f"{' and '.join(plugins) if plugins != KNOWN else 'plugins that the role knows'} can"
            text = (
                f"{variable} is {leader.text(variable)}, and cni_plugin {plugin} cannot honour it, but {who}; take the "
                "variable away, or use one of these"
            )
            yield Fault("plugin-cannot", text)
    if plugin in KNOWN:
        yield from _ways(leader, plugin)


def _asks(value: Any, usual: Any) -> bool:
    """Whether a value is another one than the default; the text of a default counts for a value that was wrong."""
    if isinstance(usual, bool):
        return boolean(value, strict=False) != usual
    return "{{" not in str(value) and str(value) != str(usual)


def network_settings(values: Mapping[str, Any]) -> PodNetwork | None:
    """What is asked of the pod network; None where the plugin is not known or what is asked is wrong."""
    plugin = str(values.get("cni_plugin") or BRIDGE)
    given = {name: values[f"cni_{name}"] for name in SHARED if values.get(f"cni_{name}") not in (None, "")}
    version = VERSIONS.get(plugin)
    given.update({"version": str(values[version])} if version and values.get(version) else {})
    usual = USUAL.get((plugin, str(values.get("cni_install") or "manifest")), {})
    pod_cidr = {"pod_cidr": values["kubernetes_pod_cidr"]} if values.get("kubernetes_pod_cidr") else {}
    try:
        return network_of({"plugin": plugin, **usual, **given, **pod_cidr})
    except (ManifestError, ValueError, TypeError):
        return None


def by_chart(host: HostInput) -> bool:
    """Whether a chart installs the plugin."""
    return host.text("cni_plugin") == CILIUM or (
        host.text("cni_plugin") in CHARTS and host.text("cni_install") == "chart"
    )


def plugin_release(host: HostInput) -> dict[str, Any] | None:
    """The release of the plugin's chart, as far as it is known without the cluster; None where there is none."""
    network = network_settings(host.values) if by_chart(host) else None
    if network is None:
        return None
    chart, values = (host.values.get(name) for name in ("cni_chart", "cni_values"))
    api = api_of(
        host.text("kubernetes_proxy_mode"),
        host.text("kubernetes_api_endpoint"),
        host.port("kubernetes_api_port", 6443),
        host.addresses,
    )
    return release_of(
        network,
        chart if isinstance(chart, Mapping) else {},
        values if isinstance(values, Mapping) else {},
        Around(api=api),
    )


def charts(inputs: Inputs) -> Iterator[Fault]:
    """What is wrong with the plugin's chart, and what Helm says of it."""
    leader = inputs.leader()
    plugin, install = leader.text("cni_plugin"), leader.text("cni_install")
    if plugin == CILIUM and install == "manifest":
        yield Fault("plugin-cannot", "cni_install is manifest, and cni_plugin cilium has a chart alone; use chart")
        return
    if install == "chart" and plugin not in CHARTS:
        text = f"cni_install is chart, and cni_plugin {plugin or BRIDGE} has none; {' and '.join(CHARTS)} have one"
        yield Fault("plugin-cannot", text)
    crds = leader.values.get("cni_calico_crds")
    if isinstance(crds, Mapping) and by_chart(leader):
        yield from checksum_faults("cni_calico_crds", crds)
    release = plugin_release(leader)
    if release:
        placed = Placed("cni_chart", release)
        found = [*checksum_faults(placed.place, release), *source_faults(placed, inputs)]
        yield from found
        if not found:
            yield from rendered([placed], f"cni_plugin {plugin} has a chart", inputs)


def peers(inputs: Inputs) -> Iterator[Fault]:
    """Peers of BGP that have no address."""
    given = inputs.leader().values.get("cni_bgp_peers")
    for at, peer in enumerate(given if isinstance(given, list) else []):
        if isinstance(peer, Mapping) and not is_address(str(peer.get("address"))):
            text = f"cni_bgp_peers[{at}].address {str(peer.get('address'))!r} is no address; write it like 192.0.2.1"
            yield Fault("value-invalid", text)


def _ways(host: HostInput, plugin: str) -> Iterator[Fault]:
    tunnel, encapsulation = host.text("cni_tunnel"), host.text("cni_encapsulation")
    if tunnel and "{{" not in tunnel and tunnel not in TUNNELS[plugin]:
        text = f"cni_tunnel is {tunnel}, and cni_plugin {plugin} has {' and '.join(TUNNELS[plugin])}; use that"
        yield Fault("plugin-cannot", text)
    wireguard = boolean(host.values.get("cni_wireguard") or False, strict=False)
    if wireguard and plugin in (FLANNEL, CANAL) and encapsulation in (NEVER, CROSS_SUBNET):
        text = (
            f"cni_wireguard is true, and cni_encapsulation {encapsulation}: with cni_plugin {plugin} WireGuard is the "
            "tunnel for all packets; set cni_encapsulation: always"
        )
        yield Fault("plugin-cannot", text)
    if plugin == CILIUM and encapsulation == CROSS_SUBNET:
        text = (
            "cni_encapsulation is cross-subnet, and cni_plugin cilium cannot honour it: it has a tunnel for all "
            "packets or for none; use always or never"
        )
        yield Fault("plugin-cannot", text)
    if plugin == CANAL and ":" in host.text("kubernetes_pod_cidr"):
        text = (
            f"kubernetes_pod_cidr is {host.text('kubernetes_pod_cidr')}, and cni_plugin canal gives pods addresses of "
            "IPv4 alone; use an IPv4 network, or calico"
        )
        yield Fault("plugin-cannot", text)
