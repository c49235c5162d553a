# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter pod_proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_proof import faults, parts, tried

DOCUMENTATION = r"""
name: pod_proof
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What nodes do to prove that their pods talk, and what came of it
description:
  - Gives what M(groundwork.kubernetes.port_listener) and M(groundwork.kubernetes.port_probe) take on each node, and
    what M(groundwork.kubernetes.pod_network_proof) takes at the end.
  - Every pod tries every other one at its own addresses and at the cluster IP of its Service, with TCP and UDP.
options:
  _input:
    description: What M(groundwork.kubernetes.pod_network_proof) returned at the beginning.
    type: dict
    required: true
  names:
    description: The name of each host's node, by host.
    type: dict
    required: true
  heard:
    description: What M(groundwork.kubernetes.port_listener) returned, with the host as C(item).
    type: list
    elements: dict
    default: []
  probed:
    description: What M(groundwork.kubernetes.port_probe) returned, with the host as C(item).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Show what the pod of a node would try
  ansible.builtin.debug:
    msg: "{{ (result | groundwork.kubernetes.pod_proof({'host-1': 'worker-1'})).nodes['worker-1'].targets }}"
"""

RETURN = r"""
_value:
  description:
    - C(nodes) has the part of each node by its name, with C(uid), C(places), C(expected), C(seconds) and C(targets).
    - C(faults) has what does not work, C(tried) the nodes that tried and were tried.
  type: dict
"""


def pod_proof(
    proof: Any, names: Mapping[str, str], heard: Sequence[Any] = (), probed: Sequence[Any] = ()
) -> Dict[str, Any]:
    """The parts, the faults, and who was tried."""
    try:
        listening = {names[one["item"]]: one for one in heard if "mtu" in one}
        outcomes = {names[one["item"]]: one for one in probed if "closed" in one}
        return {
            "nodes": parts(proof, listening),
            "faults": faults(proof, listening, outcomes),
            "tried": tried(proof, listening, outcomes),
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"pod_proof needs what the modules return: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"pod_proof": pod_proof}
