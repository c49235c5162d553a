# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kubeadm_arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: kubeadm_arguments
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Arguments by name in the form of kubeadm's configuration
description:
  - Gives a list of names and values, as C(extraArgs) has it in C(kubeadm.k8s.io/v1beta4).
  - An argument whose value is an empty text is left out.
options:
  _input:
    description: Values by the arguments' names.
    type: dict
    required: true
seealso:
  - plugin: groundwork.kubernetes.kubeadm_merge
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show one argument
  ansible.builtin.debug:
    msg: "{{ {'profiling': 'false', 'request-timeout': ''} | groundwork.kubernetes.kubeadm_arguments }}"
"""

RETURN = r"""
_value:
  description: The arguments in their order.
  type: list
  elements: dict
  sample: [{name: profiling, value: 'false'}]
"""


def kubeadm_arguments(arguments: Any) -> List[Dict[str, Any]]:
    """Names and values."""
    if not isinstance(arguments, Mapping):
        raise AnsibleFilterError("kubeadm_arguments needs values by names")
    return [{"name": name, "value": value} for name, value in arguments.items() if value != ""]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"kubeadm_arguments": kubeadm_arguments}
