# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what is asked of the pod network: whether its plugin has that, and what of it excludes what else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
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
    of_inputs,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.argument_specs import defaults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

# What the role's defaults are where they are not the same for all plugins.
USUAL = {BRIDGE: {"encapsulation": NEVER}, CALICO: {"tunnel": IPIP}}


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
    """What decides about packets between nodes; None where the plugin is not known or its ways are wrong."""
    plugin = str(values.get("cni_plugin") or BRIDGE)
    given = {
        name: values[f"cni_{name}"]
        for name in ("encapsulation", "tunnel", "wireguard", "bgp_peers")
        if values.get(f"cni_{name}") not in (None, "")
    }
    try:
        return of_inputs({"plugin": plugin, **USUAL.get(plugin, {}), **given}, {})
    except (ManifestError, ValueError, TypeError):
        return None


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
