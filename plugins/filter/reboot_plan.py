# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter reboot_plan."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.reboot_plan import Seen, make_plan

DOCUMENTATION = r"""
name: reboot_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which hosts are rebooted, and what forbids it
description:
  - Judges what was seen of all hosts before the first is rebooted.
  - A host is due if it waits for a reboot, if a reboot of it was begun and has not ended, or if O(only_if_needed) is
    not set.
extends_documentation_fragment: [groundwork.kubernetes.walk]
options:
  _input:
    description: By host, what M(groundwork.kubernetes.reboot_info) returned.
    type: dict
    required: true
  only_if_needed:
    description: Whether hosts are left out that do not wait for a reboot.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show which hosts are due
  ansible.builtin.debug:
    msg: "{{ (seen | groundwork.kubernetes.reboot_plan(names=names, nodes=nodes, only_if_needed=true)).due }}"
"""

RETURN = r"""
_value:
  description:
    - C(due), the hosts in their order, C(plan), records for M(groundwork.kubernetes.show), C(faults),
      texts, and C(rows), records for M(groundwork.kubernetes.show).
  type: dict
"""


def reboot_plan(
    hosts: Any,
    *,
    names: Any,
    nodes: Any,
    previews: Optional[Mapping[str, Any]] = None,
    guards: Optional[Mapping[str, Any]] = None,
    expected: Sequence[str] = (),
    expected_members: Sequence[str] = (),
    members: Sequence[Mapping[str, Any]] = (),
    done: Optional[Mapping[str, Any]] = None,
    only_if_needed: bool = False,
) -> Dict[str, Any]:
    """The plan as a dictionary."""
    try:
        known = [str(member["name"]) for member in members]
        seen = Seen(names, hosts, nodes, previews or {}, guards or {}, expected, expected_members, known)
        plan = make_plan(seen, only_if_needed)
        return {**plan.describe(), "rows": plan.rows(done or {})}
    except (AttributeError, KeyError, TypeError, PlanError) as error:
        raise AnsibleFilterError(f"reboot_plan needs what the modules return: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"reboot_plan": reboot_plan}
