# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges an inventory's groups before any play chooses its hosts by them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    GROUP_VARIABLES,
    LOAD_BALANCER,
    WORKER,
    Groups,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.spelling import is_near

# The groups that plays take unless the command line names others.
MIRROR = "mirror_group", "kube_mirror"
USUAL = {CONTROL_PLANE: "kube_control_plane", WORKER: "kube_node", ETCD: "etcd", LOAD_BALANCER: "kube_load_balancer"}
# What other tools and older releases of Kubespray call them. The first pattern is Kubernetes' alone, the second may be
# anything's.
CALLED = {
    CONTROL_PLANE: (r"(kube|k8s)_(masters?|control_?planes?|controllers?|controlplane)", r"masters?|control_?planes?"),
    WORKER: (r"(kube|k8s|kubernetes)_(nodes?|workers?|minions?|agents?)", r"workers?|nodes?|minions?|agents?"),
    ETCD: (r"(kube|k8s)_etcds?|etcd_(hosts?|members?|nodes?|servers?)", r"etcds?"),
    LOAD_BALANCER: (r"(kube|k8s)_(lb|load_?balancers?|haproxy)", r"lb|load_?balancers?"),
}
GENERATED = ("all", "ungrouped")


@dataclass(frozen=True)
class Inventory:
    """An inventory as plays see it.

    Attributes:
        groups: its groups with their hosts.
        names: the group of each part of a cluster.
        run: the hosts that this run has, as --limit leaves them.
        set_elsewhere: for variables that name groups, what hosts have for them, with those hosts.
        beside: hosts that serve the cluster and are no part of it.
    """

    groups: Groups
    names: Mapping[str, str]
    run: Sequence[str]
    set_elsewhere: Mapping[str, Mapping[str, Sequence[str]]]
    beside: Sequence[str] = ()

    def members(self, role: str) -> Sequence[str]:
        """The hosts of a part of the cluster."""
        return self.groups.get(self.names[role], [])

    @cached_property
    def placed(self) -> set[str]:
        """The hosts that are in any part of the cluster, or beside it."""
        return {*self.beside, *(host for role in self.names for host in self.members(role))}

    @property
    def all_names(self) -> str:
        """The groups' names in words."""
        *first, last = self.names.values()
        return f"{', '.join(first)} and {last}"


def judge(inventory: Inventory) -> list[Fault]:
    """All faults of the inventory; none that only follow from others."""
    if not inventory.groups.get("all"):
        text = "the inventory has no host, so nothing would be done; name a file or folder with hosts by -i"
        return [Fault("group-missing", text)]
    found = [*_variables(inventory), *_resembling(inventory)]
    if found:
        return found
    if not inventory.members(CONTROL_PLANE):
        return [_no_control_plane(inventory)]
    return [*_run(inventory), *_unplaced(inventory), *_etcd(inventory)]


def _variables(inventory: Inventory) -> Iterator[Fault]:
    """Variables by which roles would look into other groups than plays."""
    roles = {named: role for role, named in GROUP_VARIABLES.items()}
    for variable, values in inventory.set_elsewhere.items():
        taken = inventory.names[roles[variable]]
        for value, hosts in values.items():
            if value != taken:
                text = (
                    f"{variable} is {value} on {listed(hosts)}, but plays choose their hosts before they know the "
                    f"inventory's variables, and take the group {taken}; give it on the command line, as "
                    f"-e {variable}={value}, or name the group {taken}"
                )
                yield Fault("group-variable", text)


def _resembling(inventory: Inventory) -> Iterator[Fault]:
    """Groups with hosts that are left out, because the group's name is nearly what it should be."""
    for role, name in inventory.names.items():
        for group in _called_like(inventory, role, 0):
            left_out = [host for host in inventory.groups[group] if host not in inventory.members(role)]
            text = (
                f"the group {group} is not looked at, but resembles {name}, in which {listed(left_out)} "
                f"{_are(left_out)} not; rename the group to {name}, or take it for that by "
                f"-e {GROUP_VARIABLES[role]}={group}"
            )
            yield Fault("group-similar", text)


def _called_like(inventory: Inventory, role: str, pattern: int) -> list[str]:
    """The groups, none of a cluster, that would be one by their names, and have hosts that it lacks.

    Args:
        inventory: the inventory.
        role: the part of the cluster.
        pattern: 0 for names that are nearly the group's or only Kubernetes'; 1 for those that may be of anything.
    """
    name = inventory.names[role]
    # Who names groups by variables may have several clusters in one inventory.
    if name != USUAL[role]:
        return []
    found = []
    for group in sorted(inventory.groups.keys() - {*inventory.names.values(), *GENERATED}):
        plain = group.lower().replace("-", "_")
        near = pattern == 0 and (plain == name or (is_near(plain, name) and not plain[-1].isdigit()))
        called = re.fullmatch(CALLED[role][pattern], plain) is not None
        hosts = [host for host in inventory.groups[group] if host not in inventory.members(role)]
        # Of hosts that have their place, a group whose name is not nearly the same says nothing.
        if (near and hosts) or (called and any(host not in inventory.placed for host in hosts)):
            found.append(group)
    return found


def _no_control_plane(inventory: Inventory) -> Fault:
    name, variable = inventory.names[CONTROL_PLANE], GROUP_VARIABLES[CONTROL_PLANE]
    like = _called_like(inventory, CONTROL_PLANE, 1)
    advice = (
        f"the group {like[0]} may be meant: rename it, or give -e {variable}={like[0]}" if like else "add a host to it"
    )
    text = f"the inventory group {name} ({variable}) has no host, so there would be no cluster; {advice}"
    return Fault("group-missing", text)


def _run(inventory: Inventory) -> Iterator[Fault]:
    """Whether the run has a host of the cluster at all."""
    if not inventory.placed & set(inventory.run):
        text = (
            f"nothing would be done, as {listed(inventory.run)} {_are(inventory.run)} in none of the groups "
            f"{inventory.all_names}; change --limit, or put the host into its group"
        )
        yield Fault("run-empty", text)


def _unplaced(inventory: Inventory) -> Iterator[Fault]:
    """Hosts that have no part in the cluster."""
    hosts = [host for host in inventory.groups["all"] if host not in inventory.placed and host != "localhost"]
    if not hosts or not inventory.placed & set(inventory.run):
        return
    text = f"{listed(hosts)} {_are(hosts)} in none of the groups {inventory.all_names}, so that nothing is done there"
    likely = [(group, inventory.names[role]) for role in inventory.names for group in _called_like(inventory, role, 1)]
    if likely:
        text += "".join(f"; the group {group} may be meant for {name}" for group, name in likely)
    yield Fault("host-unplaced", text, severity=WARNING)


def _etcd(inventory: Inventory) -> Iterator[Fault]:
    """etcd as a service on control planes, which inventories of Kubespray have without a thought."""
    beside = [host for host in inventory.members(ETCD) if host in inventory.members(CONTROL_PLANE)]
    if beside:
        text = (
            f"the group {inventory.names[ETCD]} has {listed(beside)}, so etcd runs there as a service beside the "
            "control plane; with no host in the group kubeadm runs it as pods, and neither can become the other later"
        )
        yield Fault("etcd-beside", text, severity=WARNING)


def _are(hosts: Sequence[str]) -> str:
    return "is" if len(hosts) == 1 else "are"


def judge_tags(asked: Sequence[str], left_out: Sequence[str], own: Sequence[str]) -> list[Fault]:
    """Tags that no task has, by which a run would end as if there were nothing to do, or leave nothing out.

    Args:
        asked: what --tags names; "all" where it is not given.
        left_out: what --skip-tags names.
        own: the tags of the task that judges, which has all that somebody gave to the playbook.
    """
    given = set(own) - {"always"}
    found = []
    if not (given | {"all", "untagged"}) & set(asked):
        text = (
            f"no task has the tag {', '.join(asked)} of --tags, so nothing would be done; remove it: --limit chooses "
            "hosts, and each operation has a playbook of its own"
        )
        found.append(Fault("tag-unknown", text))
    unknown = sorted(set(left_out) - given)
    if unknown:
        text = f"no task has the tag {', '.join(unknown)} of --skip-tags, so nothing is left out by it"
        found.append(Fault("tag-unknown", text, severity="warning"))
    return found
