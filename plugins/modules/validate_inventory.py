# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin validate_inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_inventory
short_description: Validates the inventory's groups and variables before any play chooses its hosts by them
version_added: 0.1.0
description:
  - Runs once on the controller and connects to no host. The first play of every playbook of this collection runs it.
  - Fails where a playbook would find no control plane or, by C(--limit), no host of the cluster at all, where a group
    with hosts is nearly named like one of the cluster's, and where a variable of the inventory names another group than
    plays take, which only know the command line's variables.
  - Fails where C(--tags) or C(--skip-tags) names a tag that no task has, since the playbooks have none of their own.
    Tags that you give to an imported playbook are known. For that the task needs the tag C(always).
  - Fails where the name of a variable of the cluster's hosts is none of this collection's but nearly one, and where a
    value has the wrong form. What needs facts of hosts to be known is left to the roles.
  - Warns of hosts that are in no group of the cluster, and of etcd as a service on control planes.
  - Faults are let pass by C(preflight_ignore), as with the role C(preflight).
options:
  variables:
    description: >-
      What of the variables is judged: names and V(forms), or the errors of V(all) checks of
      M(groundwork.kubernetes.validate_inputs), as far as they can be told before facts are gathered.
    type: str
    choices: [forms, all]
    default: forms
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
notes:
  - Set C(run_once), since one run looks at the whole inventory, and use it in a play of all hosts, since C(--limit) may
    leave out any of them.
"""

EXAMPLES = r"""
- name: Judge the inventory
  hosts: all
  gather_facts: false
  tasks:
    - name: Validate the inventory's groups
      groundwork.kubernetes.validate_inventory:
      run_once: true
"""

RETURN = r"""
faults:
  description: Warnings and ignored errors.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The host; empty for the inventory as a whole.
      type: str
    id:
      description: The fault's identifier.
      type: str
    severity:
      description: V(warning).
      type: str
    text:
      description: What is wrong, and what to do.
      type: str
"""
