# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter lost_members."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._addresses import normal, url_hosts

DOCUMENTATION = r"""
name: lost_members
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The members of etcd that stand for hosts which are gone or begin anew
description:
  - A member whose host is not among O(known) is lost if it is not healthy. A healthy one is left alone, for the
    inventory may be incomplete.
  - A member whose host is about to join is lost in any case. It is what an earlier life of the host, or an interrupted
    join, has left.
  - A member that has never started has no name. It is told by the addresses of its peer URLs.
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
    description: Names and addresses of the hosts that are about to join.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show who is lost
  ansible.builtin.debug:
    msg: "{{ etcd.members | groundwork.kubernetes.lost_members(['cp-1', '192.0.2.11'], ['cp-2', '192.0.2.12']) }}"
"""

RETURN = r"""
_value:
  description: The members that are lost.
  type: list
  elements: dict
"""


def _names(member: Dict[str, Any]) -> List[str]:
    """What a member may be known by: its name and the addresses of its peer URLs."""
    return [name for name in (member["name"], *url_hosts(member["peer_urls"])) if name]


def lost_members(members: Any, known: List[str], joining: List[str] | None = None) -> List[Dict[str, Any]]:
    """Members of hosts that are gone or begin anew."""
    try:
        known_ones, joining_ones = set(map(normal, known)), set(map(normal, joining or []))
        return [
            member
            for member in members
            if set(_names(member)) & joining_ones or (not member["healthy"] and not set(_names(member)) & known_ones)
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"lost_members needs the members that etcd_info returns: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"lost_members": lost_members}
