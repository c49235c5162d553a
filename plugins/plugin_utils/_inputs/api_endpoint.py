# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables that say where the API is reached: the endpoint, what distributes its calls, and ports."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import (
    Address,
    host_and_port,
    read_address,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint import (
    BALANCED_BY_US,
    LOCAL,
    Settings,
    address_faults,
    form_fault,
    readable_endpoint,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.networks import networks
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    WORKER,
    HostInput,
    Inputs,
)


def endpoint(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """kubernetes_api_endpoint."""
    value = host.text("kubernetes_api_endpoint")
    wrong = form_fault(value) if value else ""
    if wrong:
        yield host.fault("endpoint-invalid", wrong)


def api_servers(host: HostInput, inputs: Inputs) -> dict[str, str]:
    """The API servers that a host asks for their versions: those of control planes outside of the run, and its own.

    By host, with an empty text where the address is not known. The other control planes report of themselves.
    """
    played = {one.name for one in inputs.played} - {host.name}
    known = {one.name: one for one in inputs.hosts if one.ips}
    return {
        name: host_and_port(str(known[name].ips[0]), known[name].port("kubernetes_api_port", 6443))
        if name in known
        else ""
        for name in inputs.members(CONTROL_PLANE)
        if name not in played
    }


def api_address(inputs: Inputs) -> Iterator[Fault]:
    """Where nodes and clients reach the API: an address that fits what distributes the calls."""
    planes, leader, kind = inputs.members(CONTROL_PLANE), inputs.leader(), inputs.balanced_by
    value = leader.text("kubernetes_api_endpoint")
    split = readable_endpoint(value)
    if not planes or (value and not split):
        return
    address = read_address(split[0]) if split else None
    if kind in BALANCED_BY_US:
        for name, text in address_faults(_settings(inputs, leader)):
            yield Fault(name, text)
        given = leader.text("endpoint_virtual_ip")
        if kind != LOCAL:
            what = "endpoint_virtual_ip" if given else "kubernetes_api_endpoint"
            yield from _in_cluster_networks(leader, what, read_address(given) if given else address)
    elif not value and len(planes) > 1:
        text = (
            f"{len(planes)} control planes, but kubernetes_api_endpoint is empty, so all nodes would depend on one "
            "of them; set it to a load balancer's name or address, or choose a kubernetes_api_load_balancer, "
            "before the cluster is made"
        )
        yield Fault("endpoint-missing", text)
    elif address and address.is_loopback and len({*planes, *inputs.members(WORKER)}) > 1:
        text = (
            f"kubernetes_api_endpoint {value} is a different host on each node; set the address of a load balancer, "
            "or kubernetes_api_load_balancer: local"
        )
        yield Fault("endpoint-invalid", text)
    else:
        yield from _in_cluster_networks(leader, "kubernetes_api_endpoint", address)
        own = [host.name for host in inputs.hosts if address in host.ips]
        if own and len(planes) > 1:
            text = (
                f"kubernetes_api_endpoint {value} is the address of {listed(own)} alone, so the API is lost with it; "
                "set the address of a load balancer before the cluster is made"
            )
            yield Fault("endpoint-missing", text, severity=WARNING)


def _settings(inputs: Inputs, leader: HostInput) -> Settings:
    """What the role endpoint would judge, as far as variables show it."""
    known = {host.name: [str(address) for address in host.ips] for host in inputs.hosts}
    holders = {
        host.name: known[host.name][0] for host in inputs.hosts if inputs.holds_virtual_ip(host) and known[host.name]
    }
    return Settings(
        load_balancer=inputs.balanced_by,
        endpoint=leader.text("kubernetes_api_endpoint"),
        virtual_ip=leader.text("endpoint_virtual_ip"),
        api_port=leader.port("kubernetes_api_port", 6443),
        local_port=leader.port("kubernetes_api_local_port", 7443),
        balancers=holders,
        control_planes=holders,
        hosts=known,
    )


def _in_cluster_networks(leader: HostInput, what: str, address: Address | None) -> Iterator[Fault]:
    """Whether an address of the API lies where pods and services have theirs."""
    for variable in ("kubernetes_pod_cidr", "kubernetes_service_cidr"):
        for network in networks(leader.text(variable)):
            if address and address in network:
                text = f"{what} {address} lies in {variable} {network}; choose an address outside of it"
                yield Fault("address-clash", text)
