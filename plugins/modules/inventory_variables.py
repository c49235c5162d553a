# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin inventory_variables."""

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_variables
short_description: Variables as the inventory has them, whatever hosts say
version_added: 0.1.0
description:
  - The result of any module may hold facts. Where Ansible injects facts as variables, which is its default, they win
    over the inventory and over role defaults. So a host that was taken over can set the variables that decide what is
    done on other hosts for it.
  - This gives variables without that. Inventory, plays, roles, registered variables, C(set_fact) and extra variables
    count in Ansible's own order. Facts count only where a variable refers to them, and only Ansible's own, whose names
    begin with C(ansible_).
  - C(kubernetes_node_name) is given only if it does not depend on facts at all, since it decides which node is changed.
  - What is registered from it no fact can override. So the parameters of tasks with C(delegate_to) are taken from it.
  - Runs once on the controller and connects to no host.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  names:
    description: The names of the variables. One that is set nowhere is left out of the result.
    type: list
    elements: str
    required: true
notes:
  - Set C(run_once), since the result holds the variables of all hosts of the play.
  - Set C(no_log) where a variable is secret.
"""

EXAMPLES = r"""
- name: Take from the inventory what is done on control planes
  groundwork.kubernetes.inventory_variables:
    names: [kubernetes_node_name, worker_labels]
  register: inventory
  run_once: true

- name: Label the node
  groundwork.kubernetes.node:
    name: '{{ inventory.hosts[inventory_hostname].kubernetes_node_name }}'
    labels: '{{ inventory.hosts[inventory_hostname].worker_labels }}'
  delegate_to: cp-1
  delegate_facts: true
"""

RETURN = r"""
hosts:
  description: The values by host and name.
  returned: success
  type: dict
  sample: {worker-1: {kubernetes_node_name: worker-1, worker_labels: {tier: web}}}
"""
