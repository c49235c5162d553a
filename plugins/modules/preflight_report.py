# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin preflight_report."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_report
short_description: Judges all hosts by what host_facts read of them
version_added: 0.1.0
description:
  - Runs once on the controller and connects to no host.
  - Finds every fault of every host, such as too little memory, ports in use, routes that overlap the cluster's
    networks, cgroups that the kubelet refuses or certificates that expired, and every fault across hosts, such as
    duplicate identities, clocks that differ and CAs that differ.
  - Fails with one message in which faults are grouped by host. Faults that do no certain harm are warnings.
  - What Kubernetes itself does on a host that is in a cluster, such as listening on its ports, is no fault.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  results:
    description: By host, what M(groundwork.kubernetes.host_facts) returned.
    type: dict
    required: true
  settings:
    description: By host, the C(settings) that M(groundwork.kubernetes.validate_inputs) returned.
    type: dict
    required: true
  between:
    description:
      - What hosts found out of the ports between them. By host, what M(groundwork.kubernetes.port_listener)
        (C(listened)) and M(groundwork.kubernetes.port_probe) (C(probed)) returned, and the hosts whose listener had
        ended before it was to (C(gone)).
    type: dict
    default: {}
  left_out:
    description:
      - What M(groundwork.kubernetes.host_facts) returned for control planes that the run leaves out, each with the host
        as C(item), as a loop registers it. P(groundwork.kubernetes.control_planes_to_ask#filter) tells which are
        needed.
      - Used to tell whether a kubelet would be newer than an API server, and whether a host is a clone of one of them.
    type: list
    elements: dict
    default: []
  ignore:
    description:
      - Identifiers of faults to let pass on all hosts, or a mapping of hosts (V(*) for all) to such lists.
      - An ignored error becomes a warning, an ignored warning disappears.
    type: raw
    default: []
notes:
  - Set C(run_once), since one run looks at all hosts of the play.
seealso:
  - module: groundwork.kubernetes.host_facts
  - module: groundwork.kubernetes.validate_inputs
"""

EXAMPLES = r"""
- name: Validate the variables of all hosts
  groundwork.kubernetes.validate_inputs:
  run_once: true
  register: inputs

- name: Read the host
  groundwork.kubernetes.host_facts:
  register: facts

- name: Judge all hosts
  groundwork.kubernetes.preflight_report:
    results: "{{ dict(ansible_play_batch | zip(ansible_play_batch | map('extract', hostvars, 'facts'))) }}"
    settings: '{{ inputs.settings }}'
    ignore:
      '*': [duplicate-product-uuid]
      node1: [memory-too-small]
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
      description: The host; empty for the cluster as a whole.
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
packages:
  description: By host, the packages that bring its missing programs.
  returned: success
  type: dict
"""
