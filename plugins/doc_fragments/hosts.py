# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by the filters over hosts of the inventory."""

from __future__ import annotations


class ModuleDocFragment:
    """The hosts and their variables; C(hosts.registered) for filters over what etcd_host_info returned."""

    DOCUMENTATION = r"""
options:
  _input:
    description: Names of hosts in the inventory.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts.
    type: dict
    required: true
"""

    REGISTERED = r"""
options:
  register:
    description: Name of the variable that holds what M(groundwork.kubernetes.etcd_host_info) returned of a host.
    type: str
    required: true
  play_hosts:
    description: The hosts that take part in the run.
    type: list
    elements: str
    required: true
"""
