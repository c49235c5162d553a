# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lost_members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, FrozenSet, List, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, url_hosts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.membership_plan import answers

DOCUMENTATION = r"""
name: lost_members
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The members of etcd that stand for hosts which are gone or begin anew
description:
  - A member that answers is not lost, whatever is on its host or in the inventory, unless O(named) has it or the host's
    join was interrupted.
  - A member that does not answer is lost if its host begins anew, or is none of O(known).
  - A member that has never started has no name. It is recognised by the addresses of its peer URLs.
options:
  _input:
    description: Members as M(groundwork.kubernetes.etcd_info) returns them.
    type: list
    elements: dict
    required: true
  known:
    description: Names and addresses of the hosts that the inventory has.
    type: list
    elements: str
    required: true
  joining:
    description: Names and addresses of the hosts that have nothing of a control plane and are about to join.
    type: list
    elements: str
    default: []
  resuming:
    description: Names and addresses of the hosts whose join was begun and never finished, so that it is taken back.
    type: list
    elements: str
    default: []
  named:
    description: Names or addresses of members that are given up, even if they answer.
    type: list
    elements: str
    default: []
  complete:
    description: Whether O(known) has all hosts. If not, no member is lost because its host is not there.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show who is lost
  ansible.builtin.debug:
    msg: "{{ etcd.members | groundwork.kubernetes.lost_members(['cp-1', '192.0.2.11'], ['cp-2', '192.0.2.12']) }}"
"""

RETURN = r"""
_value:
  description: The members that are C(lost), and C(faults) that must be put right before anything is removed.
  type: dict
"""


@dataclass(frozen=True)
class Hosts:
    """Names and addresses of hosts, by what is to become of them."""

    known: FrozenSet[str]
    joining: FrozenSet[str]
    resuming: FrozenSet[str]
    named: FrozenSet[str]
    complete: bool

    def judge(self, member: Dict[str, Any]) -> Optional[str]:
        """Why a member must not be removed; nothing if it is lost, None if it stays."""
        places = set(url_hosts(member["peer_urls"])) - {None, ""}
        own = {member["name"], *places} - {"", None}
        called = f"{member['name'] or 'a member without a name'} ({', '.join(member['peer_urls'])})"
        begins = self.joining | self.resuming
        if own & self.named:
            if own & (self.known - begins):
                return (
                    f"control_plane_lost_nodes names {called}, whose host is a control plane of the inventory: take it "
                    "out of the inventory, or out of the variable"
                )
            return ""
        if places & self.resuming:
            return ""
        if own & begins and answers(member):
            return (
                f"etcd's member {called} works, and the host of that name or address has nothing of a control plane: "
                "two hosts share a name or address, or it runs from other folders. Give the new host a name and an "
                "address of its own. If the member is given up all the same: "
                f"control_plane_lost_nodes: [{member['name']}]"
            )
        gone = self.complete and not own & self.known and not answers(member)
        return "" if own & begins or gone else None


def _set(names: Sequence[str]) -> FrozenSet[str]:
    return frozenset(normal(str(name)) for name in names)


def lost_members(
    members: Any,
    known: Sequence[str],
    joining: Sequence[str] = (),
    *,
    resuming: Sequence[str] = (),
    named: Sequence[str] = (),
    complete: bool = True,
) -> Dict[str, List[Any]]:
    """Members of hosts that are gone or begin anew, and what stands against it."""
    try:
        hosts = Hosts(_set(known), _set(joining), _set(resuming), _set(named), complete)
        judged = [(member, hosts.judge(member)) for member in members]
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"lost_members needs the members that etcd_info returns: {error!r}") from error
    return {
        "lost": [member for member, fault in judged if fault == ""],
        "faults": [fault for _member, fault in judged if fault],
    }


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"lost_members": lost_members}
