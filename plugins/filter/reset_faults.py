# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter reset_faults."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, url_hosts

DOCUMENTATION = r"""
name: reset_faults
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What stands against a reset of hosts
description:
  - A host that is a Node or a member of etcd in a cluster that lives on, by its name or by an address, must be removed
    from it first.
  - Where that cluster cannot be asked, it is not known, and every host that has joined a cluster is refused.
  - What M(groundwork.kubernetes.reset) has found against it counts too.
options:
  _input:
    description: What M(groundwork.kubernetes.reset) returned in check mode, by host.
    type: dict
    required: true
  inventory:
    description: C(kubernetes_node_name) of the hosts, by host.
    type: dict
    required: true
  cluster:
    description: The cluster's name.
    type: str
    required: true
  confirm:
    description: The name that was given to confirm it.
    type: str
    default: ''
  confirmed:
    description: Whether no confirmation is needed, as nothing will be done.
    type: bool
    default: false
  lives:
    description: The control planes that are not reset, and hold the cluster or cannot be reached.
    type: list
    elements: str
    default: []
  nodes:
    description: The cluster's nodes. Without, they are not known.
    type: list
    elements: dict
  members:
    description: The members of its etcd. Without, they are not known.
    type: list
    elements: dict
"""

EXAMPLES = r"""
- name: Refuse
  ansible.builtin.assert:
    that: found | groundwork.kubernetes.reset_faults(inventory.hosts, cluster='example', confirm=reset_confirm) == []
"""

RETURN = r"""
_value:
  description: The faults, each with its host or variable.
  type: list
  elements: str
"""


def reset_faults(
    found: Any,
    inventory: Mapping[str, Any],
    *,
    cluster: str,
    confirm: str = "",
    confirmed: bool = False,
    lives: Sequence[str] = (),
    nodes: Optional[Sequence[Mapping[str, Any]]] = None,
    members: Optional[Sequence[Mapping[str, Any]]] = None,
) -> List[str]:
    """All that stands against it."""
    try:
        faults = [f"{host}: {fault}" for host, result in found.items() for fault in result["faults"]]
        for host, result in found.items():
            name = inventory[host]["kubernetes_node_name"]
            faults += [f"{host}: {fault}" for fault in _part_of(name, result, lives, nodes, members)]
        if not confirmed and confirm != cluster and any(result["plan"] for result in found.values()):
            given = f"reset_confirm is {confirm!r}, which is" if confirm else "reset_confirm is empty and"
            faults.append(
                f"{given} not the cluster's name (kubernetes_cluster_name). If all of the plan is to be removed, add "
                f"-e reset_confirm={cluster}"
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(f"reset_faults needs what the module reset returns, by host: {error!r}") from error
    return faults


def _part_of(
    name: str,
    result: Mapping[str, Any],
    lives: Sequence[str],
    nodes: Optional[Sequence[Mapping[str, Any]]],
    members: Optional[Sequence[Mapping[str, Any]]],
) -> List[str]:
    """Why a host must not be taken from a cluster that lives on."""
    if not lives or not (result["node"] or result["member"]):
        return []
    unknown = [what for what, known in (("nodes", nodes), ("members of etcd", members)) if known is None]
    if unknown:
        return [
            f"it has joined a cluster, and {' and '.join(unknown)} of that cannot be asked for, since its control "
            f"planes {', '.join(lives)} are left out of this run and do not answer: repair one. If the whole cluster "
            "is to go, leave no control plane out; take one that is gone for good out of the inventory"
        ]
    own = set(map(normal, result["addresses"]))
    is_node = any(name == node["name"] or own.intersection(map(normal, node["internal_ips"])) for node in nodes or [])
    is_member = any(name == one["name"] or own.intersection(url_hosts(one["peer_urls"])) for one in members or [])
    parts = [*(["a Node"] if is_node else []), *(["a member of etcd"] if is_member else [])]
    if not parts:
        return []
    return [
        f"{name} is {' and '.join(parts)} of a cluster that lives on, with the control planes {', '.join(lives)}: the "
        f"playbook remove_node takes it out of the cluster and resets it, or reset all hosts"
    ]


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"reset_faults": reset_faults}
