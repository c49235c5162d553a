# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter certificate_plan."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.certificate_plan import (
    Host,
    make_plan,
    results,
    table,
)

DOCUMENTATION = r"""
name: certificate_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Which certificates of a cluster are renewed, and what came of it
description:
  - Decides for all hosts together, from what M(groundwork.kubernetes.certificates_info) read on each.
options:
  _input:
    description: By the hosts' names, what the module returned. One that could not be reached is left out.
    type: dict
    required: true
  renew_days:
    description: How many days a certificate must still be good.
    type: int
    default: 30
  before:
    description: The same as the input before the plan was carried out, for C(results).
    type: dict
    default: {}
  items:
    description: The steps that were planned, for C(results).
    type: list
    elements: dict
    default: []
  seconds:
    description: How long it took on each host, for C(results).
    type: dict
    default: {}
seealso:
  - module: groundwork.kubernetes.show
"""

EXAMPLES = r"""
- name: Show what would be renewed
  ansible.builtin.debug:
    msg: "{{ ({'cp-1': found} | groundwork.kubernetes.certificate_plan(renew_days=30))['items'] }}"
"""

RETURN = r"""
_value:
  description:
    - C(items) are the steps for M(groundwork.kubernetes.show), C(faults) why none may be taken, C(notes)
      what people should look at, C(table) all certificates as lines of text, and C(results) what came of O(items), for
      M(groundwork.kubernetes.show).
    - C(control_planes), C(ended), C(kubelets), C(bootstraps), C(etcd), C(etcd_clients) and C(copies) are the hosts with
      something to do of that kind.
  type: dict
"""


def certificate_plan(
    infos: Mapping[str, Mapping[str, Any]],
    *,
    renew_days: int = 30,
    before: Optional[Mapping[str, Mapping[str, Any]]] = None,
    items: Sequence[Mapping[str, Any]] = (),
    seconds: Optional[Mapping[str, float]] = None,
) -> Dict[str, Any]:
    """The plan as a dictionary."""
    now = time.time()
    try:
        hosts, earlier = ([Host.of(str(name), info) for name, info in found.items()] for found in (infos, before or {}))
        plan = [PlanItem.of(item) for item in items]
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"certificate_plan: this is nothing that certificates_info returns: {error}"
        ) from error
    return {
        **make_plan(hosts, float(renew_days), now).describe(),
        "table": table(hosts, now),
        "results": [asdict(row) for row in results(earlier, hosts, plan, seconds or {}, now)],
    }


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"certificate_plan": certificate_plan}
