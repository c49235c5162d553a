# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter control_planes_to_ask."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.outside import hosts_to_ask
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.preflight import read_nodes

DOCUMENTATION = r"""
name: control_planes_to_ask
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The control planes outside of a run that must be read
description:
  - A kubelet must never be newer than an API server. Names the control planes that a run leaves out and whose API
    servers did not tell their version to a node of the run.
  - Names them also where a host is new and no control plane of the run tells by which machines the cluster's nodes run,
    so that clones of hosts outside of the run are found.
  - Names none where no kubelet would become newer and no host is new, so that such a run asks nobody.
options:
  _input:
    description: By host, what M(groundwork.kubernetes.host_facts) returned.
    type: dict
    required: true
  settings:
    description: By host, the C(settings) that M(groundwork.kubernetes.validate_inputs) returned.
    type: dict
    required: true
seealso:
  - module: groundwork.kubernetes.preflight_report
"""

EXAMPLES = r"""
- name: Show who must be asked
  ansible.builtin.debug:
    msg: "{{ results | groundwork.kubernetes.control_planes_to_ask(inputs.settings) }}"
"""

RETURN = r"""
_value:
  description: The hosts.
  type: list
  elements: str
  sample: [cp-2]
"""


def control_planes_to_ask(results: Any, settings: Any) -> List[str]:
    """The hosts to ask."""
    try:
        return hosts_to_ask(read_nodes(results, settings))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"control_planes_to_ask needs what host_facts returns: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"control_planes_to_ask": control_planes_to_ask}
