# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What preflight needs of the variables afterwards, to judge a host."""

from __future__ import annotations

from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import containerd, public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import api_endpoint, downloads, images
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.backups import backup_programs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.etcd import ETCD_CA_CERTIFICATE, ETCD_CA_KEY
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.fixed_settings import wanted_settings
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.handlers import handler_programs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    HostInput,
    Inputs,
    runs_kubelet,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.ports import port_settings, wanted_ports

SETTINGS = (
    "cni_bgp_peers",
    "cni_bridge_network",
    "cni_encapsulation",
    "cni_install",
    "cni_mtu",
    "cni_plugin",
    "cni_tunnel",
    "cni_wireguard",
    "endpoint_interface",
    "kubernetes_api_port",
    "kubernetes_container_runtime",
    "kubernetes_ignore_preflight_errors",
    "kubernetes_kubelet_configuration",
    "kubernetes_node_ip",
    "kubernetes_node_name",
    "kubernetes_pod_cidr",
    "kubernetes_proxy_mode",
    "kubernetes_service_cidr",
    "kubernetes_version",
)


def host_settings(host: HostInput, inputs: Inputs) -> dict[str, Any]:
    """A host's part in the cluster and the variables by which preflight judges it."""
    found = {name: value for name, value in host.values.items() if name in SETTINGS or name.startswith("preflight_")}
    endpoint_value, split = "", endpoint.readable_endpoint(host.text("kubernetes_api_endpoint"))
    # A node's own proxy answers only when the node has joined.
    if split and inputs.balanced_by != endpoint.LOCAL:
        shown = f"[{split[0]}]" if ":" in split[0] else split[0]
        endpoint_value = f"{shown}:{split[1] or host.port('kubernetes_api_port', 6443)}"
    roles, folder = inputs.roles_of(host.name), host.text("etcd_data_dir") or "/var/lib/etcd"
    found.update(port_settings(host, inputs))
    planes = set(inputs.members(CONTROL_PLANE))
    reads = runs_kubelet(roles) and host.text("kubernetes_container_runtime") == "containerd"
    return {
        **found,
        "roles": roles,
        "runs_kubelet": runs_kubelet(roles),
        "ports": sorted({port for port, _program in wanted_ports(roles, found)}),
        "limited": not planes <= {one.name for one in inputs.played},
        "api_servers": api_endpoint.api_servers(host, inputs),
        "left_out": {one.text("kubernetes_node_name") or one.name: one.name for one in inputs.hosts if one.limited},
        "left_out_addresses": {str(ip): one.name for one in inputs.hosts if one.limited for ip in one.ips},
        "left_out_roles": {one.name: inputs.roles_of(one.name) for one in inputs.hosts if one.limited},
        "etcd_data_dir": folder,
        "fsync_folder": folder if ETCD in roles and (host.values.get("preflight_etcd_fsync_ms") or 0) > 0 else "",
        "external_etcd": not inputs.stacked,
        "etcd_hosts": bool(inputs.members(ETCD)),
        "etcd_ca": public_keys.public_keys(host.text(ETCD_CA_CERTIFICATE)),
        "etcd_ca_key_elsewhere": bool(host.text(ETCD_CA_KEY))
        or host.name not in (host.values.get("etcd_ca_hosts") or [host.name]),
        "api_endpoint": endpoint_value,
        "artifacts": downloads.urls(host, inputs),
        "containerd": containerd.foreign_files(host.values) if reads else {"imports": []},
        "images": images.images(host, inputs),
        "handler_programs": handler_programs(host) if runs_kubelet(roles) else [],
        "backup_programs": backup_programs(host) if CONTROL_PLANE in roles else [],
        "virtual_ip": inputs.virtual_ip(),
        "holds_virtual_ip": inputs.holds_virtual_ip(host),
        "fixed_settings": wanted_settings(host, inputs),
    }
