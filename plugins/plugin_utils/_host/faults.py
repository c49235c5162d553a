# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of inputs and hosts: how they are named, ignored and shown."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_checks import HOST_CHECKS

ERROR, WARNING = "error", "warning"
EVERY_HOST = "*"

# Every fault that can be found, and so every name that preflight_ignore knows.
FAULTS: dict[str, str] = {
    # the inventory
    "etcd-beside": "etcd runs as a service on control planes",
    "group-similar": "a group with hosts is nearly named like one of the cluster's",
    "group-variable": "a variable of the inventory names another group than plays take",
    "host-unplaced": "hosts are in no group of the cluster",
    "run-empty": "no host of the run is in a group of the cluster",
    "tag-unknown": "--tags or --skip-tags names what no task has",
    # inputs
    "addon-unfit": "an add-on does not fit the cluster, another add-on or its own values",
    "address-clash": "hosts share an address, or an address lies in a cluster network",
    "address-from-host": "the host alone reports the address that its serving certificate would be approved for",
    "backup-plain": "archives of backups would leave the hosts without encryption",
    "chart-refused": "Helm refuses a chart's values, or what the chart renders cannot be applied",
    "checksum-invalid": "a checksum is neither SHA-256 nor a URL",
    "checksum-missing": "a download needs a checksum that nobody publishes beside it",
    "cidr-clash": "the pod and service networks overlap or differ in address families",
    "cidr-invalid": "a network is no CIDR, or its size cannot work",
    "cluster-differs": "a variable that describes the whole cluster differs between hosts",
    "controller-lacks": "the controller lacks a library, collection or program that the run needs",
    "crictl-skew": "crictl and Kubernetes are more than one minor version apart",
    "digest-missing": "only its own server says what a download must be",
    "endpoint-invalid": "kubernetes_api_endpoint is not host[:port], or does not fit the load balancer",
    "endpoint-missing": "several control planes, but no endpoint that survives the loss of one",
    "etcd-unsupported": "etcd and Kubernetes do not fit together",
    "file-missing": "a file or folder on the controller is not there",
    "family-clash": "IP versions of nodes' addresses, networks and Kubernetes do not fit together",
    "facts-missing": "facts of a host were not gathered",
    "foreign-unused": "variables of Kubespray that have no effect here",
    "foreign-variable": "a variable of Kubespray whose meaning would be lost",
    "group-missing": "an inventory group that is needed is missing or empty",
    "image-unpinned": "an image with the administrator's rights is named by a tag, not by its digest",
    "kubeadm-field": "a field that kubeadm's configuration of this version does not have",
    "load-balancer-unused": "hosts for load balancers that are not used",
    "lock-differs": "the lock and the inventory have different checksums of one thing",
    "lock-invalid": "the lock cannot be read",
    "lock-missing": "a run needs what the lock does not have",
    "members-even": "an even number of etcd members",
    "members-too-many": "more than 7 etcd members",
    "name-clash": "nodes share a name",
    "name-from-host": "a node's name is made of facts, which the host itself reports",
    "name-invalid": "a name is not a DNS name as Kubernetes requires",
    "plugin-cannot": "the network plugin has not what is asked of it",
    "port-clash": "two programs of a host would listen on one port",
    "proxy-missing": "nothing would bring services to pods",
    "proxy-mode-unsupported": "kube-proxy of this version lacks the mode",
    "runtime-unsupported": "the container runtime and Kubernetes do not fit together",
    "skew-unsupported": "versions of hosts are further apart than Kubernetes supports",
    "source-unprotected": "a source of programs, packages or images is not https, or its certificate is not verified",
    "text-invalid": "text that would become something else in a file or command",
    "unknown-field": "a setting of a component of Kubernetes or of containerd that this version does not have",
    "unknown-ignore": "preflight_ignore names no fault",
    "unknown-variable": "no role has such a variable",
    "value-invalid": "a value has the wrong type or is not among the choices",
    "value-undefined": "a value refers to something undefined",
    "variable-unused": "a variable does nothing where it is set",
    "version-invalid": "kubernetes_version is not a version this collection can install",
    # certificates and keys, of hosts or of variables
    "ca-differs": "hosts that must share a CA or key have different ones",
    "ca-invalid": "a CA's certificate is no CA's",
    "certificate-early": "a certificate is not valid yet",
    "certificate-expired": "a certificate has expired",
    "certificate-expiring": "a certificate expires soon",
    "certificate-foreign": "a certificate was not signed by the CA beside it",
    "key-exposed": "a private key can be read by every user",
    "key-mismatch": "a private key does not belong to its certificate",
    "key-unchecked": "whether keys belong to their certificates is not known",
    "pem-unreadable": "a certificate or key cannot be read",
    # hosts
    **{name: check.what for name, check in HOST_CHECKS.items()},
}


# What the module drain says of a pod that may take longer than it waits.
OF_TIME = re.compile(r"\btimeout( is \d+ s: raise )timeout(, or set )grace_period( to give it less)")


@dataclass(frozen=True)
class Fault:
    """Something that makes an input or a host unfit.

    Attributes:
        id: a key of FAULTS.
        text: what is wrong; what to do.
        host: the host; empty for the cluster as a whole.
        severity: error or warning.
    """

    id: str
    text: str
    host: str = ""
    severity: str = ERROR


def did_you_mean(word: str, words: Iterable[str], closeness: float = 0.75) -> str:
    """A question that names the most similar word; empty where none is similar."""
    match = difflib.get_close_matches(word, list(words), n=1, cutoff=closeness)
    return f"did you mean {match[0]}?" if match else ""


def parse_ignore(value: Any) -> dict[str, frozenset[str]]:
    """The faults to ignore, by host.

    Args:
        value: a list of identifiers for every host, or a mapping of hosts to such lists.

    Raises:
        ValueError: where it is neither.
    """
    by_host = value if isinstance(value, Mapping) else {EVERY_HOST: value or []}
    for names in by_host.values():
        if isinstance(names, str) or not isinstance(names, Sequence):
            raise ValueError("it must be a list of fault identifiers, or map hosts to such lists")
    return {str(host): frozenset(map(str, names)) for host, names in by_host.items()}


def check_ignore(value: Any) -> list[Fault]:
    """What is wrong with preflight_ignore itself."""
    try:
        named = set().union(*parse_ignore(value).values())
    except ValueError as error:
        return [Fault("value-invalid", f"preflight_ignore: {error}")]
    return [
        Fault("unknown-ignore", f"preflight_ignore: {name} is no fault; {did_you_mean(name, FAULTS) or 'remove it'}")
        for name in sorted(named - FAULTS.keys())
    ]


def apply_ignore(faults: Iterable[Fault], value: Any) -> list[Fault]:
    """The faults with ignored errors made warnings and ignored warnings left out."""
    kept = []
    for fault in faults:
        if fault.id not in ignored_faults(value, fault.host):
            kept.append(fault)
        elif fault.severity == ERROR:
            kept.append(replace(fault, severity=WARNING, text=f"{fault.text} (ignored)"))
    return kept


def ignored_faults(value: Any, host: str = "") -> list[str]:
    """The names that preflight_ignore has for a host, or without one for the cluster as a whole."""
    ignored = parse_ignore(value)
    return sorted(ignored.get(EVERY_HOST, frozenset()) | ignored.get(host, frozenset()))


def listed(hosts: Sequence[str]) -> str:
    """Hosts' names with commas between; not all where they are many."""
    return ", ".join(hosts) if len(hosts) <= 5 else f"{', '.join(hosts[:4])} and {len(hosts) - 4} more hosts"


def _heading(hosts: Sequence[str], every: Sequence[str]) -> str:
    """How a group of hosts is named."""
    if hosts == [""]:
        return "cluster"
    if len(hosts) > 1 and set(hosts) >= set(every):
        return "all hosts"
    return listed(hosts)


def group_faults(faults: Iterable[Fault], hosts: Sequence[str]) -> dict[str, list[Fault]]:
    """The faults under the hosts that share them: the cluster's first, then all hosts', then the others'."""
    sharing: dict[tuple[str, str, str], list[str]] = {}
    for fault in faults:
        names = sharing.setdefault((fault.severity, fault.id, fault.text), [])
        if fault.host not in names:
            names.append(fault.host)
    groups: dict[str, list[Fault]] = {}
    order = sorted(sharing.items(), key=lambda item: ("" not in item[1], -len(item[1]), item[1], item[0]))
    for (severity, name, text), sharers in order:
        groups.setdefault(_heading(sharers, hosts), []).append(Fault(name, text, sharers[0], severity))
    return groups


def count(faults: Sequence[Fault], severity: str) -> str:
    """So many errors, in words."""
    number = sum(fault.severity == severity for fault in faults)
    return f"{number} {severity}{'' if number == 1 else 's'}"


def render(faults: Iterable[Fault], hosts: Sequence[str], title: str) -> str:
    """All faults as a text that is grouped by host and can be read."""
    groups = group_faults(faults, hosts)
    shown = [fault for group in groups.values() for fault in group]
    lines = [f"{title}: {count(shown, ERROR)}, {count(shown, WARNING)}"]
    for heading, group in groups.items():
        lines += ["", heading, *(f"  {fault.severity} [{fault.id}] {fault.text}" for fault in group)]
    return "\n".join(lines)


def as_result(
    faults: Sequence[Fault], hosts: Sequence[str], title: str, ending: str, printed: bool = False
) -> dict[str, Any]:
    """An action's result: failed where there is an error, else only warnings, each on one line.

    Args:
        faults: what was found, after ignoring.
        hosts: all hosts that were looked at.
        title: the message's beginning.
        ending: what the message ends with when there is an error.
        printed: whether the errors were printed already, so that the message only counts them.
    """
    groups = group_faults(faults, hosts)
    shown = [fault for group in groups.values() for fault in group]
    summary = f"{title}: {count(shown, ERROR)}, {count(shown, WARNING)}"
    if any(fault.severity == ERROR for fault in faults):
        text = f"{summary}, listed above. {ending}" if printed else f"{render(faults, hosts, title)}\n\n{ending}"
        return {"changed": False, "failed": True, "msg": text}
    warnings = [
        f"{title}, {heading}: [{fault.id}] {fault.text}" for heading, group in groups.items() for fault in group
    ]
    return {
        "changed": False,
        "msg": summary,
        "faults": [asdict(fault) for fault in faults],
        **({"warnings": warnings} if warnings else {}),
    }


def show_errors(faults: Sequence[Fault], hosts: Sequence[str], title: str) -> bool:
    """Print all faults where one is an error, line by line, which Ansible does not do with a result's text.

    Only Ansible's own output for people is helped so. Another callback, as of pipelines, gets the text in the result.

    Args:
        faults: what was found, after ignoring.
        hosts: all hosts that were looked at.
        title: what was looked at.

    Returns:
        Whether they were printed.
    """
    for_people = constants.DEFAULT_STDOUT_CALLBACK in ("default", "ansible.builtin.default")
    printed = for_people and any(fault.severity == ERROR for fault in faults)
    if printed:
        Display().display(f"[ERROR]: {render(faults, hosts, title)}\n", color=constants.COLOR_ERROR, stderr=True)
    return printed


def advise_by_variable(text: str, role: str) -> str:
    """What modules say of options allow_*, and drain of its time, with the variables of the role that sets them."""
    text = re.sub(r"(?<!\w)allow_(?=bare_pods|emptydir|past_budgets|downtime)", f"{role}_allow_", text)
    if role == "drain":
        time = r"drain_timeout\1drain_timeout\2drain_grace_period\3"
    else:  # it gives pods the time that they want
        time = rf"{role}_drain_timeout\1{role}_drain_timeout"
    return OF_TIME.sub(time, text)
