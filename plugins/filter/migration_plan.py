# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter migration_plan."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.migration_plan import (
    Target,
    plan_migration,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.reboot_plan import Seen

DOCUMENTATION = r"""
name: migration_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which nodes move to another container runtime, and what forbids it
description:
  - Judges what was seen of all hosts before the first is touched.
  - A host is due if its node reports another runtime, or another version where that is known, or if its kubelet is told
    of another socket, or if a migration of it was begun and has not ended.
extends_documentation_fragment: [groundwork.kubernetes.walk]
options:
  _input:
    description: By host, what M(groundwork.kubernetes.runtime_info) returned.
    type: dict
    required: true
  targets:
    description: By host, the C(runtime), C(version) and C(socket) that it is to have.
    type: dict
    required: true
  missing:
    description: By host, the images that it cannot have, as M(groundwork.kubernetes.host_facts) returned them.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show which hosts are due
  ansible.builtin.debug:
    msg: "{{ (seen | groundwork.kubernetes.migration_plan(targets=targets, names=names, nodes=nodes)).due }}"
"""

RETURN = r"""
_value:
  description:
    - C(due), the hosts in their order, C(exchange), those of them whose runtime is still to be exchanged, C(plan),
      records for M(groundwork.kubernetes.show), C(faults), texts, and C(rows), records for
      M(groundwork.kubernetes.show).
  type: dict
"""


def unavailable(missing: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is wrong with images, one text for all that have the same errors."""
    sharing: dict[str, list[str]] = {}
    for one in missing:
        why = "; ".join(f"{error['url']} says {error['error']}" for error in one["errors"])
        sharing.setdefault(why, []).append(str(one["image"]))
    return [
        f"{', '.join(names)} cannot be pulled: {why}; correct container_runtime_registry_mirrors, its certificate or "
        "account, or put what is missing there"
        for why, names in sharing.items()
    ]


def migration_plan(
    hosts: Any,
    *,
    targets: Any,
    names: Any,
    nodes: Any,
    previews: Optional[Mapping[str, Any]] = None,
    guards: Optional[Mapping[str, Any]] = None,
    missing: Optional[Mapping[str, Any]] = None,
    expected: Sequence[str] = (),
    expected_members: Sequence[str] = (),
    members: Sequence[Mapping[str, Any]] = (),
    done: Optional[Mapping[str, Any]] = None,
) -> Dict[str, Any]:
    """The plan as a dictionary."""
    try:
        known = [str(member["name"]) for member in members]
        seen = Seen(names, {}, nodes, previews or {}, guards or {}, expected, expected_members, known)
        wanted = {host: Target(*(str(one[key]) for key in Target._fields)) for host, one in targets.items()}
        lacking = {host: unavailable(found) for host, found in (missing or {}).items()}
        plan, exchanged = plan_migration(seen, hosts, wanted, lacking)
        reported = {host: target.reported for host, target in wanted.items()}
        return {**plan.describe(), "exchange": exchanged, "reported": reported, "rows": plan.rows(done or {})}
    except (AttributeError, KeyError, TypeError, PlanError) as error:
        raise AnsibleFilterError(f"migration_plan needs what the modules return: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"migration_plan": migration_plan}
