# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin show."""

from __future__ import annotations

DOCUMENTATION = r"""
module: show
short_description: Shows a text, a plan, or what came of it
version_added: 0.1.0
description:
  - Runs on the controller and connects to no host.
  - Ansible prints its message always, as M(ansible.builtin.debug)'s. No line of it is broken, whether the default
    callback prints results as YAML or as JSON.
  - The callback P(groundwork.kubernetes.report#callback) also writes the records of a plan and of results to its file.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  text:
    description: Lines to show first.
    type: str
  plan:
    description:
      - The steps of a plan in their order, which are shown as a table. Without steps, it says so.
    type: list
    elements: dict
    suboptions:
      host:
        description: The host or node.
        type: str
        required: true
      subject:
        description: What of the host it is about.
        type: str
        required: true
      before:
        description: What there is before the step; empty if nothing.
        type: str
        required: true
      after:
        description: What there is after the step; empty if nothing.
        type: str
        required: true
      restarts:
        description: What the step restarts.
        type: list
        elements: str
        default: []
      evicts:
        description: The pods that the step evicts.
        type: list
        elements: str
        default: []
      disrupts:
        description: A sentence on what else the step disrupts, and for how long.
        type: str
        default: ''
  results:
    description: What came of the steps, which is shown as a table.
    type: list
    elements: dict
    suboptions:
      host:
        description: The host or node.
        type: str
        required: true
      subject:
        description: What of the host it is about.
        type: str
        required: true
      before:
        description: What there was before the step; empty if nothing.
        type: str
        required: true
      after:
        description: What there is now; empty if nothing.
        type: str
        required: true
      seconds:
        description: How long the step took.
        type: float
        required: true
      result:
        description: What came of it.
        type: str
        choices: [changed, unchanged, failed, not reached]
        required: true
notes:
  - One of the options is needed.
  - Set C(run_once) where it is about all hosts.
"""

EXAMPLES = r"""
- name: Print the plan
  groundwork.kubernetes.show:
    plan: '{{ preview.plan }}'
  run_once: true
"""

RETURN = r"""
msg:
  description: What is shown, as a text or, where the default callback prints results as JSON, as a list of lines.
  returned: success
  type: raw
  sample: |-
    STEP  HOST      WHAT     BEFORE  AFTER
    1     worker-1  kubelet  1.20.2  1.20.3
          restarts kubelet
"""
