# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges variables before anything is touched: all checks, on one host's variables and across hosts.

Each check stands in the file of its subject: argument_specs (types, unknown names), numbers, programs (versions of
programs), calendars, kubespray, versions, inventory (groups, what all hosts share), api_endpoint, ports, network (pods,
services), pod_network (what its plugin has), nodes (names, addresses), labels, etcd, kubeadm, components (kubelet,
kube-proxy, audit, containerd), kubelet (values with which it would not start), fitting (what needs something else),
hardening, authentication, downloads, locked, controller, charts, addons, backups, users, text, thresholds (of time,
below what they are compared with), empty_values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    addons,
    api_endpoint,
    argument_specs,
    authentication,
    backups,
    calendars,
    charts,
    components,
    controller,
    downloads,
    empty_values,
    etcd,
    fitting,
    handlers,
    hardening,
    inventory,
    kubeadm,
    kubelet,
    kubespray,
    labels,
    locked,
    network,
    nodes,
    numbers,
    pod_network,
    ports,
    programs,
    switches,
    text,
    thresholds,
    users,
    versions,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

# What a value is by itself: its type, then whether it is one of its kind. A value that is wrong is not judged any
# further, so that nothing is said that only follows.
FORM_CHECKS: list[list[Callable[[HostInput, Inputs], Iterator[Fault]]]] = [
    [argument_specs.types, argument_specs.undefined],
    [numbers.numbers, programs.program_versions, fitting.not_empty, calendars.calendars, users.users],
    [thresholds.thresholds],
]
HOST_CHECKS: list[Callable[[HostInput, Inputs], Iterator[Fault]]] = [
    argument_specs.names,
    kubespray.variables,
    versions.version,
    network.cidrs,
    network.masks,
    api_endpoint.endpoint,
    ports.port_clashes,
    etcd.supplied_pki,
    etcd.settings,
    nodes.node_name,
    nodes.node_address,
    nodes.identity,
    versions.proxy_mode,
    downloads.checksums,
    downloads.sources,
    downloads.digest_forms,
    versions.runtime,
    versions.crictl,
    versions.etcd,
    fitting.runtime_sources,
    fitting.registry_logins,
    handlers.handlers,
    hardening.control_plane,
    hardening.default_deny,
    authentication.authentication,
    kubeadm.kubeadm_fields,
    kubeadm.kubeadm_values,
    kubeadm.ignored_checks,
    components.component_settings,
    components.image_garbage,
    kubelet.kubelet_values,
    kubelet.docker_values,
    components.graceful_shutdown,
    components.containerd_fields,
    switches.switches,
    labels.labels,
    empty_values.empty_values,
    backups.backups,
    text.text,
]
CLUSTER_CHECKS: list[Callable[[Inputs], Iterator[Fault]]] = [
    inventory.groups,
    etcd.members,
    api_endpoint.api_address,
    nodes.clashes,
    inventory.agreement,
    kubeadm.proxy_configuration,
    fitting.network_plugin,
    pod_network.shared_inputs,
    pod_network.peers,
    pod_network.charts,
    controller.needs,
    controller.files,
    charts.releases,
    addons.addons,
    downloads.digests,
    locked.locked,
    versions.skew,
    text.pinned_images,
]
# The first word of a fault's text is the variable that it is about.
VARIABLE = re.compile(r"\w+")


def find_faults(inputs: Inputs, *, of_switches: bool = True) -> list[Fault]:
    """Every fault of every host's variables and across hosts.

    Args:
        inputs: what is judged.
        of_switches: whether feature gates, admission plugins and flags are, too.
    """
    found: list[Fault] = []
    rest = inputs
    for checks in FORM_CHECKS:
        found += [fault for check in checks for host in rest.played for fault in check(host, rest)]
        rest = replace(rest, hosts=[_without_wrong(host, found, rest) for host in rest.hosts])
    of_hosts = [check for check in HOST_CHECKS if of_switches or check is not switches.switches]
    return [
        *found,
        *(fault for check in CLUSTER_CHECKS for fault in check(rest)),
        *(fault for check in of_hosts for host in rest.played for fault in check(host, rest)),
    ]


def early_faults(inputs: Inputs, everything: bool) -> list[Fault]:
    """What can be told before any host is reached: what is not known then, as facts are, is no fault yet.

    Args:
        inputs: what is judged.
        everything: whether the errors of all checks count, whose warnings come once hosts are reached; else only names,
            and the forms of the values that are set.
    """
    known = replace(inputs, hosts=[replace(host, problems={}) for host in inputs.hosts])
    if everything:
        return [fault for fault in find_faults(known) if fault.severity == ERROR]
    hosts = [
        replace(host, values={name: value for name, value in host.values.items() if name in host.names})
        for host in known.played
    ]
    checks = [argument_specs.names, *(check for checks in FORM_CHECKS for check in checks)]
    return [fault for check in checks for host in hosts for fault in check(host, known)]


def _without_wrong(host: HostInput, found: Sequence[Fault], inputs: Inputs) -> HostInput:
    """A host whose wrong values are the defaults, as far as others than the role know them."""
    named = {VARIABLE.match(fault.text) for fault in found if fault.host == host.name and fault.severity == ERROR}
    wrong = {match[0] for match in named if match}
    if not wrong:
        return host
    usual = argument_specs.defaults(inputs.specs)
    values = {name: value for name, value in host.values.items() if name not in wrong}
    values.update({name: usual[name] for name in wrong if usual.get(name) is not None})
    return replace(host, values=values)
