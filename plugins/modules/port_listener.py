# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listens for a short time in the place of programs that are not there yet."""

from __future__ import annotations

DOCUMENTATION = r"""
module: port_listener
short_description: Listens for a short time in the place of programs that are not there yet
version_added: 0.1.0
description:
  - Answers the module M(groundwork.kubernetes.port_probe) of other hosts, so that they find out which ports are open
    between them before a cluster's programs are there.
  - What listens runs in the background. It ends when all hosts of O(expected) have said that they are done, with
    O(state=absent), or when its time is over. A later one takes the place of an earlier one.
  - It has no files, opens nothing in a firewall, and answers only those who know its name, with as much as they sent.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
attributes:
  check_mode:
    details: It listens in check mode too, since that changes nothing that stays.
options:
  state:
    description: Whether to listen, or to end what listens.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: The name by which other hosts ask for this one.
    type: str
  places:
    description: Where to listen.
    type: list
    elements: dict
    default: []
    suboptions:
      protocol:
        description: Whether it is a port of TCP or UDP, or a protocol of its own above IP.
        type: str
        choices: [tcp, udp, ip]
        required: true
      address:
        description: An address of the host.
        type: str
        required: true
      number:
        description: The port, or the number of the protocol.
        type: int
        required: true
  expected:
    description: The hosts that will say that they are done.
    type: list
    elements: str
    default: []
  seconds:
    description: How long it listens at most.
    type: float
    default: 60
  pod:
    description:
      - The identifier of a pod of this host, C(metadata.uid), in whose network it listens in place of the pod's own
        programs. It may listen there while another one listens on the host.
    type: str
  bridge:
    description:
      - An interface of the host that pods are bridged by, if it is there. What it does not let pass reaches no pod.
      - A bridge has the MTU of the smallest interface in it, so that of a pod that was made before the MTU has grown.
    type: str
seealso:
  - module: groundwork.kubernetes.port_probe
"""

EXAMPLES = r"""
- name: Listen in the place of the API server
  groundwork.kubernetes.port_listener:
    name: '{{ inventory_hostname }}'
    places: [{protocol: tcp, address: 192.0.2.11, number: 6443}]
    expected: [worker-1, worker-2]

- name: End it
  groundwork.kubernetes.port_listener:
    state: absent
"""

RETURN = r"""
unheard:
  description: C(protocol), C(address), C(number) and C(error) of places where it cannot listen.
  returned: with O(state=present)
  type: list
  elements: dict
mtu:
  description: The size of packets that the pod's interface allows, and O(bridge).
  returned: with O(pod)
  type: int
stopped:
  description: Whether something listened.
  returned: with O(state=absent)
  type: bool
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import pod_namespace
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_listener import start, stop
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.port_messages import PROTOCOLS, Place

OPTIONS: Dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "name": {"type": "str"},
    "places": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "protocol": {"type": "str", "choices": list(PROTOCOLS), "required": True},
            "address": {"type": "str", "required": True},
            "number": {"type": "int", "required": True},
        },
    },
    "expected": {"type": "list", "elements": "str", "default": []},
    "seconds": {"type": "float", "default": 60},
    "pod": {"type": "str"},
    "bridge": {"type": "str"},
}


def main() -> None:
    """Begin to listen, or end it."""
    module = AnsibleModule(
        argument_spec=OPTIONS, supports_check_mode=True, required_if=[("state", "present", ["name"])]
    )
    options = module.params
    places = [Place(**place) for place in options["places"]]
    network: Dict[str, int] = {}
    try:
        if options["pod"]:
            limits = [pod_namespace.mtu(options["bridge"])] if options["bridge"] else []
            pod_namespace.enter(options["pod"])
            network = {"mtu": min([pod_namespace.mtu(), *filter(None, limits)])}
        if options["state"] == "absent":
            module.exit_json(changed=False, stopped=stop())
        faults = start(options["name"], places, options["expected"], options["seconds"])
    except pod_namespace.PodError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        # Nothing is known then, which is no reason to stop.
        why = f"another process has the name that listeners have: {error}"
        if options["state"] == "absent":
            module.exit_json(changed=False, stopped=False)
        faults = dict.fromkeys(places, why)
    unheard = [{**place._asdict(), "error": why} for place, why in faults.items()]
    module.exit_json(changed=False, unheard=unheard, **network)


if __name__ == "__main__":
    main()
