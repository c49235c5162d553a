# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables of the cluster's networks: their form, their sizes, and whether their IP versions fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import (
    Network,
    families,
    is_cidr,
    networks,
    right_spelling,
    shown_families,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    WORKER,
    HostInput,
    Inputs,
    version_tuple,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.numbers import as_number

PODS, SERVICES = "kubernetes_pod_cidr", "kubernetes_service_cidr"
CONFIGURATION, KUBELET = "control_plane_cluster_configuration", "kubernetes_kubelet_configuration"
# Plugins whose pods get addresses of the node's own part, by the plugin host-local.
OF_NODE_RANGES = ("bridge", "canal", "flannel")
ARGUMENTS = f"{CONFIGURATION}.controllerManager.extraArgs"
# What kubeadm accepts (cmd/kubeadm/app/apis/kubeadm/validation), by IP version: the part of the pod network that a
# node gets unless the controller manager is set up otherwise, how many more bits a node's part may have, and how many
# addresses a service network may have.
NODE_PREFIX = {4: 24, 6: 64}
NODE_PREFIX_MAX_DIFFERENCE = 16
SERVICE_HOST_BITS_MAX = 20
SERVICE_ADDRESSES_MIN = 10
MASK = "node-cidr-mask-size"
MASKS = {4: f"{MASK}-ipv4", 6: f"{MASK}-ipv6"}
# Dual stack was behind a feature gate before, and the masks by IP version were for dual stack alone.
DUAL_STACK_SINCE = 21
DUAL_STACK_GATE = "IPv6DualStack"


def cidrs(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """The pod and service networks: form, size, overlap, IP versions."""
    for variable in (PODS, SERVICES):
        yield from _form(host, variable)
    pods, services = networks(host.text(PODS)), networks(host.text(SERVICES))
    for pod in pods:
        for service in services:
            if pod.version == service.version and pod.overlaps(service):
                text = f"{PODS} {pod} and {SERVICES} {service} overlap; choose another for one"
                yield host.fault("cidr-clash", text)
    for service in services:
        yield from _service_network_size(host, service)
    if pods and services:
        yield from _families(host, families(pods), families(services))
    yield from _dual_stack(host, inputs)


def _form(host: HostInput, variable: str) -> Iterator[Fault]:
    """How a variable's networks are written; nothing is put right silently."""
    value = host.text(variable)
    if value and not all(map(is_cidr, value.split(","))):
        right = right_spelling(value)
        advice = f"write {right}" if right else "write it like 10.244.0.0/16"
        text = f"{variable} {value!r} is not in CIDR notation as Kubernetes reads it; {advice}"
        yield host.fault("cidr-invalid", text)
    for network in networks(value):
        if network.is_loopback or network.is_link_local or network.is_multicast or network.is_unspecified:
            text = f"{variable} {network} has addresses that are not routed between hosts; choose a private network"
            yield host.fault("cidr-invalid", text)
    found = families(networks(value))
    if len(found) > 2 or len(found) != len(set(found)):
        text = f"{variable} {value} has more than one network of an IP version; give one, or one of each"
        yield host.fault("cidr-invalid", text)


def _service_network_size(host: HostInput, service: Network) -> Iterator[Fault]:
    if service.max_prefixlen - service.prefixlen > SERVICE_HOST_BITS_MAX:
        limit = service.max_prefixlen - SERVICE_HOST_BITS_MAX
        text = f"{SERVICES} {service} is larger than Kubernetes allows; use a /{limit}"
        yield host.fault("cidr-invalid", text)
    elif service.num_addresses < SERVICE_ADDRESSES_MIN:
        text = f"{SERVICES} {service} has under {SERVICE_ADDRESSES_MIN} addresses; use a shorter prefix"
        yield host.fault("cidr-invalid", text)


def _families(host: HostInput, pods: list[int], services: list[int]) -> Iterator[Fault]:
    if list(dict.fromkeys(pods)) == list(dict.fromkeys(services)):
        return
    what = f"{PODS} {host.text(PODS)} and {SERVICES} {host.text(SERVICES)}"
    if set(pods) != set(services):
        text = f"{what} are of different IP versions; give both a network of each"
    else:
        text = (
            f"{what} have their IP versions in different orders, {shown_families(pods)} and "
            f"{shown_families(services)}; write both in the same, the one first that nodes prefer"
        )
    yield host.fault("cidr-clash", text)


def has_dual_stack(host: HostInput, inputs: Inputs) -> bool:
    """Whether the cluster's version can have both IP versions, by itself or by a feature gate that is set."""
    gates = (_mapping(inputs.leader().values.get(CONFIGURATION))).get("featureGates")
    gate = _mapping(gates).get(DUAL_STACK_GATE)
    return str(gate).lower() == "true" if gate is not None else not _is_older(host, DUAL_STACK_SINCE)


def _is_older(host: HostInput, minor: int) -> bool:
    version = host.text("kubernetes_version")
    return bool(version) and version_tuple(version)[1] < minor


def _dual_stack(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Both IP versions where this version of Kubernetes has only one."""
    found = {variable: families(networks(host.text(variable))) for variable in (PODS, SERVICES)}
    found["kubernetes_node_ip"] = [address.version for address in host.ips]
    both = [variable for variable, versions in found.items() if len(set(versions)) > 1]
    if both and not has_dual_stack(host, inputs):
        text = (
            f"{' and '.join(both)} of both IP versions cannot be had with kubernetes_version "
            f"{host.text('kubernetes_version')}, where dual stack is off; use 1.{DUAL_STACK_SINCE} or newer, or "
            f"featureGates: {{{DUAL_STACK_GATE}: true}} in {CONFIGURATION}"
        )
        yield host.fault("family-clash", text)


# The part of the pod network that each node gets


@dataclass(frozen=True)
class Masks:
    """The prefixes of nodes' networks.

    Attributes:
        size: what the controller manager uses.
        checked: what kubeadm judges by.
        argument: the controller manager's argument that sets it.
    """

    size: int
    checked: int
    argument: str


def arguments(configuration: Any, component: str) -> dict[str, str]:
    """The extra arguments of a component of the control plane, written as a list or as a mapping."""
    return extra_arguments(_mapping(_mapping(configuration).get(component)).get("extraArgs"))


def extra_arguments(given: Any) -> dict[str, str]:
    """Extra arguments by name, written as a list or as a mapping."""
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items()}
    pairs = [pair for pair in given if isinstance(pair, Mapping)] if isinstance(given, (list, tuple)) else []
    return {str(pair.get("name")): str(pair.get("value")) for pair in pairs}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def masks(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Whether the pod networks have room for every node of the inventory, by the masks in force."""
    given = arguments(inputs.leader().values.get(CONFIGURATION), "controllerManager")
    pods = networks(host.text(PODS))
    if not pods or given.get("allocate-node-cidrs", "true").lower() == "false":
        return
    wrong = list(_mask_faults(host, inputs, given, families(pods)))
    yield from wrong
    nodes = len({*inputs.members(CONTROL_PLANE), *inputs.members(WORKER)})
    for pod in pods if not wrong else []:
        mask = _masks(pod.version, given, by_family=has_dual_stack(host, inputs))
        yield from _room(host, pod, mask, nodes)
        yield from _pods(host, pod, mask)


def _masks(version: int, given: Mapping[str, str], *, by_family: bool) -> Masks:
    """The masks of one IP version, of arguments that were found good."""
    usual, own = NODE_PREFIX[version], MASKS[version] if by_family else MASK
    size = int(given.get(own) or given.get(MASK) or usual)
    return Masks(size, int(given.get(own) or usual), own)


def _pods(host: HostInput, pod: Network, mask: Masks) -> Iterator[Fault]:
    """Whether a node's part has addresses for as many pods as the user lets it have, where pods get them of it."""
    most = as_number(_mapping(host.values.get(KUBELET)).get("maxPods"))
    # The network's own address, that of the bridge, and the last one.
    addresses = max(2 ** (pod.max_prefixlen - mask.size) - 3, 0)
    if most and most > addresses and host.text("cni_plugin") in OF_NODE_RANGES:
        text = (
            f"{KUBELET}.maxPods is {most:g}, but a node's /{mask.size} of {PODS} {pod} has {addresses} addresses for "
            f"pods, and those beyond it would not start; give {addresses} or less, or nodes a shorter prefix "
            f"({mask.argument} in {ARGUMENTS})"
        )
        yield host.fault("value-invalid", text)


def _mask_faults(host: HostInput, inputs: Inputs, given: Mapping[str, str], pods: list[int]) -> Iterator[Fault]:
    """Masks that are no prefixes, or that the controller manager does not start with."""
    limits = {MASK: 32 if 4 in pods else 128, MASKS[4]: 32, MASKS[6]: 128}
    for name in sorted(limits.keys() & given.keys()):
        if not given[name].isdigit() or not 1 <= int(given[name]) <= limits[name]:
            text = (
                f"{ARGUMENTS}: {name} {given[name]!r} is no prefix; give a number from 1 to {limits[name]}, "
                f"{NODE_PREFIX[6 if name == MASKS[6] else 4]} for example"
            )
            yield host.fault("value-invalid", text)
    allowed = {MASK} if len(pods) == 1 else set()
    if len(pods) > 1 or not _is_older(host, DUAL_STACK_SINCE):
        allowed |= {MASKS[version] for version in pods}
    refused = sorted((limits.keys() & given.keys()) - allowed)
    if MASK in given and len(limits.keys() & given.keys()) > 1 and not refused:
        refused = [MASK]
    if refused:
        text = (
            f"{ARGUMENTS}: the controller manager does not start with {' and '.join(refused)} where {PODS} is "
            f"{host.text(PODS)}; use {' and '.join(sorted(allowed - set(refused)))}"
        )
        yield host.fault("value-invalid", text)


def _room(host: HostInput, pod: Network, mask: Masks, nodes: int) -> Iterator[Fault]:
    """Whether a pod network has room for every node's part of it, and kubeadm takes it."""
    difference, checked = mask.size - pod.prefixlen, mask.checked - pod.prefixlen
    where = f"{mask.argument} in {ARGUMENTS}"
    if difference < 0 or 2**difference < nodes:
        room = 2**difference if difference >= 0 else 0
        text = (
            f"{PODS} {pod} has room for {room} nodes of /{mask.size} each, but there are {nodes}; use a shorter "
            f"prefix, or a longer one for nodes ({where})"
        )
        yield host.fault("cidr-invalid", text)
    elif checked > NODE_PREFIX_MAX_DIFFERENCE:
        limit = mask.checked - NODE_PREFIX_MAX_DIFFERENCE
        text = (
            f"{PODS} {pod} is larger than kubeadm allows with nodes of /{mask.checked}; use a prefix of /{limit} or "
            f"longer, or a shorter one for nodes ({where})"
        )
        yield host.fault("cidr-invalid", text)
    elif checked < 0:
        text = (
            f"{PODS} {pod} is smaller than kubeadm allows, which judges by {mask.argument} and takes it for "
            f"{mask.checked}; set that in {ARGUMENTS} instead of {MASK}"
        )
        yield host.fault("cidr-invalid", text)
