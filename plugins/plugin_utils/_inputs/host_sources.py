# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what a host can have of where programs and images come from, and what its proxies must leave alone."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import is_bypassed, read_address
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import Network, networks, ranges
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import CONTROL_PLANE, Node

SERVICES = ".svc"


def connections(node: Node) -> Iterator[Fault]:
    """What a node cannot reach; the API endpoint is judged across hosts."""
    for connection in node.facts["connections"] if node.runs_kubelet else []:
        if connection["target"] == node.setting("api_endpoint") or connection["state"] == "connected":
            continue
        via = f" through {connection['via']}" if connection["via"] else ""
        text = (
            f"cannot reach {connection['target']}{via}: {connection['error']}; open the way, set a mirror, or correct "
            "preflight_endpoints"
        )
        yield node.fault("endpoint-unreachable", text, WARNING if node.in_cluster else ERROR)


def artifacts(node: Node) -> Iterator[Fault]:
    """Files of this run that are not where they are to be downloaded from."""
    for one in node.facts["missing_artifacts"]:
        text = f"{one['url']} cannot be had: {one['error']}; correct the version or URL, or put it onto the mirror"
        yield node.fault("artifact-missing", text)


def images(node: Node) -> Iterator[Fault]:
    """Images of this run that no server of their registry has."""
    cut_off = {urlsplit(one["target"]).hostname for one in node.facts["connections"] if one["state"] != "connected"}
    sharing: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    for one in node.facts["missing_images"]:
        if all(not error["answered"] and urlsplit(error["url"]).hostname in cut_off for error in one["errors"]):
            continue  # said as endpoint-unreachable
        sharing[tuple((error["url"], error["error"]) for error in one["errors"])].append(one["image"])
    for errors, names in sharing.items():
        why = "; ".join(f"{url} says {error}" for url, error in errors)
        text = (
            f"{', '.join(names)} cannot be pulled: {why}; put what is missing onto the mirror, or correct "
            "kubernetes_image_repository, container_runtime_registry_mirrors or the account"
        )
        yield node.fault("image-missing", text)


def bypasses(nodes: Sequence[Node]) -> Iterator[Fault]:
    """What of the cluster would be asked for through the proxy that kubeadm, kubectl and the API servers get."""
    others = {address for node in nodes for address in node.setting("left_out_addresses") or {}}
    addresses = sorted({*others, *(address for node in nodes for address in node.addresses)})
    for node in nodes:
        proxies = node.facts["proxies"]
        if not proxies["schemes"] or not node.runs_kubelet:
            continue
        lacking = list(_lacking(node, addresses, proxies["no_proxy"]))
        if lacking:
            given = " and ".join(f"{scheme}_proxy" for scheme in proxies["schemes"])
            text = (
                f"{given} is set where Ansible's modules run, and no_proxy lacks {', '.join(lacking)}: kubeadm, "
                "kubectl and API servers would ask the proxy for them; add what is lacking"
            )
            yield node.fault("no-proxy-incomplete", text, WARNING if node.in_cluster else ERROR)


def _lacking(node: Node, addresses: Sequence[str], no_proxy: str) -> Iterator[str]:
    split = endpoint.readable_endpoint(str(node.setting("api_endpoint") or ""))
    if split and not is_bypassed(split[0], split[1] or 443, no_proxy):
        yield f"{split[0]} (kubernetes_api_endpoint)"
    port = int(node.setting("kubernetes_api_port") or 6443)
    through = [address for address in addresses if not is_bypassed(address, port, no_proxy)]
    if through:
        yield f"{' '.join(ranges(through))} (nodes)"
    left_alone = _networks(no_proxy)
    for variable in ("kubernetes_service_cidr", "kubernetes_pod_cidr"):
        for network in networks(node.setting(variable)):
            if left_alone is not None and not any(_within(network, other) for other in left_alone):
                yield f"{network} ({variable})"
    if CONTROL_PLANE in node.roles and not is_bypassed(f"name.namespace{SERVICES}", 443, no_proxy):
        yield f"{SERVICES} (webhooks and aggregated APIs)"


def _networks(no_proxy: str) -> list[Network] | None:
    """The networks in it; None where it means everything."""
    found: list[Network] = []
    for part in (part.strip() for part in no_proxy.split(",")):
        if part == "*":
            return None
        if "/" in part or read_address(part):
            try:
                found.append(ipaddress.ip_network(part.strip("[]"), strict=False))
            except ValueError:
                continue
    return found


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]
