# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter hardening_report."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.hardening_report import report

DOCUMENTATION = r"""
name: hardening_report
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: One table of what hosts fulfil of the CIS Kubernetes Benchmark
description:
  - Puts together what M(groundwork.kubernetes.hardening_info) found on all hosts.
options:
  _input:
    description: The found items by host.
    type: dict
    required: true
  strict:
    description: Whether what is promised and cannot be checked counts as missing, too.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Print what all hosts fulfil
  ansible.builtin.debug:
    msg: "{{ ({inventory_hostname: hardening.found} | groundwork.kubernetes.hardening_report).table.splitlines() }}"
"""

RETURN = r"""
_value:
  description: >-
    C(table) as aligned text, C(missing) with a line for each item that was promised and is not fulfilled, and
    C(summary) in one line.
  type: dict
"""


def hardening_report(results: Any, strict: bool = True) -> Dict[str, Any]:
    """The table, and what is missing."""
    try:
        return report(results, strict=strict)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"hardening_report needs results of hardening_info by host: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"hardening_report": hardening_report}
