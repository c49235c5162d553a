# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter ports_between."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.between import plan
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.preflight import read_nodes

DOCUMENTATION = r"""
name: ports_between
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Where hosts listen for each other and what they probe, before a cluster's programs are there
description:
  - By host, what M(groundwork.kubernetes.port_listener) takes (C(places), C(expected), C(seconds)) and what
    M(groundwork.kubernetes.port_probe) takes (C(targets)).
  - Only the ways that the cluster needs, by what hosts are in it. Hosts that have joined have no part in it; the
    programs that run there are probed by the others.
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
- name: Show what the hosts would do
  ansible.builtin.debug:
    msg: "{{ results | groundwork.kubernetes.ports_between(inputs.settings) }}"
"""

RETURN = r"""
_value:
  description: By host, what it does; hosts that do nothing are left out.
  type: dict
"""


def ports_between(results: Any, settings: Any) -> Dict[str, Dict[str, Any]]:
    """What each host does."""
    try:
        return plan(read_nodes(results, settings))
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"ports_between needs what host_facts returns: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"ports_between": ports_between}
