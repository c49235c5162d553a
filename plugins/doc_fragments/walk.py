# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by the filters that plan a walk from node to node."""

from __future__ import annotations


class ModuleDocFragment:
    """What was seen of the cluster before the walk."""

    DOCUMENTATION = r"""
options:
  names:
    description: The names of the hosts as nodes.
    type: dict
    required: true
  nodes:
    description: What M(groundwork.kubernetes.node_info) returned of all nodes.
    type: list
    elements: dict
    required: true
  previews:
    description: By host, what M(groundwork.kubernetes.drain) returned in check mode, of those that are nodes.
    type: dict
    default: {}
  guards:
    description: By host, what M(groundwork.kubernetes.etcd_guard) returned, of those that have a member of etcd.
    type: dict
    default: {}
  expected:
    description: The hosts that must be nodes. One that is none by its name would have its turn without a drain.
    type: list
    elements: str
    default: []
  expected_members:
    description: The hosts that must be members of etcd.
    type: list
    elements: str
    default: []
  members:
    description: The members of etcd, as M(groundwork.kubernetes.etcd_info) returned them.
    type: list
    elements: dict
    default: []
  done:
    description: By host, the record of what came of it, of those that had their turn.
    type: dict
    default: {}
"""
