# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out which ports of other hosts can be reached, and how large packets may be on the way."""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_probe
short_description: Finds out which ports of other hosts can be reached, and how large packets may be on the way
version_added: 0.1.0
description:
  - Tries all places at the same time. Where M(groundwork.kubernetes.port_listener) listens, it expects the answer of
    the right host; where a program of the cluster does, it only opens a connection.
  - The size of packets is found by packets that fill it, over the places themselves, so that nothing else needs to be
    open. With TCP both directions are tried.
  - It judges nothing; M(groundwork.kubernetes.preflight_report) does.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  name:
    description: The name by which other hosts expect this one.
    type: str
    required: true
  targets:
    description: What to try.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: The host's name.
        type: str
        required: true
      protocol:
        description: Whether it is a port of TCP or UDP, or a protocol of its own above IP.
        type: str
        choices: [tcp, udp, ip]
        required: true
      address:
        description: The host's address.
        type: str
        required: true
      number:
        description: The port, or the number of the protocol.
        type: int
        required: true
      listener:
        description: Whether M(groundwork.kubernetes.port_listener) listens there, or a program of the cluster.
        type: bool
        default: true
      mtu:
        description: The size of packets that the interfaces of both hosts allow; 0 leaves that out.
        type: int
        default: 0
  timeout:
    description: Seconds to wait for an answer.
    type: float
    default: 3
  patience:
    description: For how many seconds what cannot be reached is tried again.
    type: float
    default: 0
  pod:
    description: The identifier of a pod of this host, C(metadata.uid), from whose network all is tried.
    type: str
seealso:
  - module: groundwork.kubernetes.port_listener
"""

EXAMPLES = r"""
- name: Try the port of the API server
  groundwork.kubernetes.port_probe:
    name: '{{ inventory_hostname }}'
    targets: [{host: control-plane-1, protocol: tcp, address: 192.0.2.11, number: 6443, mtu: 1500}]
"""

RETURN = r"""
closed:
  description: >-
    C(host), C(protocol), C(address), C(number), C(state) (refused, timeout, unreachable, or other where another program
    or host answers) and C(error) of places that cannot be reached.
  returned: success
  type: list
  elements: dict
narrow:
  description: >-
    C(host) and C(address) to which packets must be smaller than C(wanted), with the size that passes (C(mtu), 0 where
    none does) and whether a router on the way tells so (C(told)).
  returned: success
  type: list
  elements: dict
untold:
  description: Hosts whose listeners could not be told that this one is done.
  returned: success
  type: list
  elements: str
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import pod_namespace
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_messages import PROTOCOLS, Place
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_probe import Probe, Target

OPTIONS: Dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "targets": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "host": {"type": "str", "required": True},
            "protocol": {"type": "str", "choices": list(PROTOCOLS), "required": True},
            "address": {"type": "str", "required": True},
            "number": {"type": "int", "required": True},
            "listener": {"type": "bool", "default": True},
            "mtu": {"type": "int", "default": 0},
        },
    },
    "timeout": {"type": "float", "default": 3},
    "patience": {"type": "float", "default": 0},
    "pod": {"type": "str"},
}


def main() -> None:
    """Try the places."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    options = module.params
    targets = [
        Target(one["host"], Place(one["protocol"], one["address"], one["number"]), one["listener"], one["mtu"])
        for one in options["targets"]
    ]
    try:
        if options["pod"]:
            pod_namespace.enter(options["pod"])
    except pod_namespace.PodError as error:
        module.fail_json(msg=str(error))
    probe = Probe(options["name"], options["timeout"], options["patience"])
    module.exit_json(changed=False, **probe.run(targets)._asdict())


if __name__ == "__main__":
    main()
