# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ca_rotation_plan."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.ca_rotation import State
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.ca_rotation_plan import (
    STAGES,
    Cluster,
    Wish,
    make_plan,
    results,
)

DOCUMENTATION = r"""
name: ca_rotation_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: How far the rotation of the cluster's authority is, what is next, and what came of a stage
description:
  - Decides for all hosts together, from what M(groundwork.kubernetes.ca_rotation_info) and
    M(groundwork.kubernetes.ca_rotation_cluster) read.
options:
  _input:
    description: By the hosts' names, what M(groundwork.kubernetes.ca_rotation_info) returned.
    type: dict
    required: true
  cluster:
    description: What M(groundwork.kubernetes.ca_rotation_cluster) returned; empty if it did not run.
    type: dict
    default: {}
  stage:
    description: The stage that is wanted. Empty to look only.
    type: str
    choices: ['', trust, restart, issue, drop]
    default: ''
  nodes:
    description: By host that must be there, the name of its node.
    type: dict
    default: {}
  namespaces:
    description: The namespaces whose workloads are restarted.
    type: list
    elements: str
    default: []
  allow_old_pods:
    description: Whether pods may stay that trust the old authority alone.
    type: bool
    default: false
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
- name: Show how far it is
  groundwork.kubernetes.show:
    text: "{{ ({'cp-1': found} | groundwork.kubernetes.ca_rotation_plan).text | join('\n') }}"
"""

RETURN = r"""
_value:
  description:
    - C(text) tells how far it is, C(next) which stage is next, C(items) are the steps of the stage for
      M(groundwork.kubernetes.show), C(faults) why none may be taken, and C(results) what came of O(items).
    - C(new) is the new authority in PEM, C(new_host) a control plane that has it or is to make it, C(trusted) what the
      cluster's objects hand out after the stage. C(hosts) and C(cluster) tell where there is something to do.
  type: dict
"""


def ca_rotation_plan(
    infos: Mapping[str, Mapping[str, Any]],
    *,
    cluster: Optional[Mapping[str, Any]] = None,
    stage: str = "",
    nodes: Optional[Mapping[str, str]] = None,
    namespaces: Sequence[str] = (),
    allow_old_pods: bool = False,
    items: Sequence[Mapping[str, Any]] = (),
    seconds: Optional[Mapping[str, float]] = None,
) -> Dict[str, Any]:
    """The plan as a dictionary."""
    if stage not in ("", *STAGES):
        raise AnsibleFilterError(f"ca_rotation_plan: the stage '{stage}' is none of {', '.join(STAGES)}")
    try:
        hosts = {str(name): State.of(dict(info["state"])) for name, info in infos.items()}
        found, planned = Cluster.of(cluster or {}), [PlanItem.of(item) for item in items]
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(
            f"ca_rotation_plan: this is nothing that ca_rotation_info and ca_rotation_cluster return: {error}"
        ) from error
    wish = Wish(stage, nodes or {}, list(namespaces), allow_old_pods)
    return {
        **make_plan(hosts, found, wish, time.time()).describe(),
        "results": [asdict(row) for row in results(planned, hosts, found, wish, seconds or {})],
    }


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"ca_rotation_plan": ca_rotation_plan}
