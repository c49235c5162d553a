# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes to the pods of other nodes, now and after every boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_routes
short_description: Routes to the pods of other nodes
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
description:
  - Gives a host one route for each other node, from the node's pod CIDR to the node's address. It is what the reference
    CNI plugin C(bridge) needs between hosts of one network.
  - The routes carry a routing protocol number of their own. Routes with that number that are not asked for any more are
    removed; no route with another number ever is.
  - A route of another program that is asked for, to the same CIDR by the same gateway, is taken over. It gets the
    number and is like any other route of this module from then on. If its metric is another one, it stays beside the
    module's. A route of another program to the same CIDR by another way is an error.
  - Only the main routing table is used.
  - Hosts with a router between them, which knows nothing of pods, need a tunnel. With O(encapsulation), packets to
    such hosts, or to all, go by the VXLAN device C(pod-vxlan). Nothing is learnt or flooded by it, since its hardware
    address follows from the host's O(tunnel.local).
  - The routes are kept in C(/etc/kubernetes/pod-routes), which C(kubernetes-pod-routes.service) sets at boot, after the
    network is online and before the kubelet starts.
  - All faults are reported at once, before anything is changed.
options:
  routes:
    description:
      - The routes this host has to have, IPv4 and IPv6, without one to its own pods.
      - Required for O(state=present).
    type: list
    elements: dict
    suboptions:
      cidr:
        description: A node's pod CIDR.
        type: str
        required: true
      via:
        description:
          - The node's address of the same family. It must be in a network this host is attached to, unless
            O(encapsulation) takes the packets there.
        type: str
        required: true
      endpoint:
        description: The node's address to which encapsulated packets are sent. Required with O(encapsulation).
        type: str
  encapsulation:
    description:
      - Which packets to pods go through the tunnel. With V(cross-subnet) those to hosts that are in no network of this
        host, with V(always) all.
    type: str
    choices: [never, cross-subnet, always]
    default: never
  tunnel:
    description: The device of the tunnel. Required with O(encapsulation).
    type: dict
    suboptions:
      local:
        description: This host's address to which others send encapsulated packets.
        type: str
        required: true
      cidrs:
        description:
          - This host's own pod CIDRs. The device gets the first address of each, which no pod has, for what the host
            itself sends to pods.
        type: list
        elements: str
        required: true
      mtu:
        description: The largest packet that passes; V(0) leaves that of a device as it is, and gives a new one 1450.
        type: int
        default: 0
      vni:
        description: The tunnel's number in the packets.
        type: int
        default: 77
      port:
        description: The UDP port.
        type: int
        default: 4789
  tunnel_only:
    description:
      - Only what O(tunnel) needs is set; what is not wanted any more, routes, files and service stay.
      - When a cluster begins to encapsulate, all hosts do this first, so that each can receive before others send.
    type: bool
    default: false
  keep_tunnel:
    description:
      - With O(encapsulation=never), a device that is there stays, for packets that others still send.
      - When a cluster ceases to encapsulate, it goes when the routes of all hosts were changed.
    type: bool
    default: false
  state:
    description:
      - V(present) leads to exactly the routes of O(routes).
      - V(absent) removes all routes with this protocol number, the file and the service. O(routes) is not used then.
    type: str
    choices: [present, absent]
    default: present
  proto:
    description:
      - The routing protocol number that marks the routes, from 5 to 255 without those of other programs.
      - Remove the routes (O(state=absent)) before giving another number, or the old ones count as another program's.
    type: int
    default: 77
notes:
  - systemd-networkd removes other programs' routes from links it sets up, when it starts and when it sets a link up
    again, unless C(networkd.conf) has C(ManageForeignRoutes=no). See
    U(https://www.freedesktop.org/software/systemd/man/latest/networkd.conf.html).
    NetworkManager may do so when a connection is set up again, and the kernel does when an interface goes down.
  - The service is bound to those programs by C(PartOf), so a restart of one sets the routes again. After a reload, or
    after an interface was down, run C(systemctl restart kubernetes-pod-routes).
  - Needs iproute2 with C(-Numeric), which is 5.2 or later, and systemd; for a tunnel its program C(bridge) too.
seealso:
  - module: groundwork.kubernetes.bridge_nf
"""

EXAMPLES = r"""
- name: Route to the pods of two other nodes
  groundwork.kubernetes.pod_routes:
    routes:
      - cidr: 10.244.1.0/24
        via: 192.0.2.11
      - cidr: 10.244.2.0/24
        via: 192.0.2.12

- name: Reach the pods of a node behind a router
  groundwork.kubernetes.pod_routes:
    routes:
      - cidr: 10.244.1.0/24
        via: 192.0.2.11
        endpoint: 192.0.2.11
      - cidr: 10.244.2.0/24
        via: 198.51.100.12
        endpoint: 198.51.100.12
    encapsulation: cross-subnet
    tunnel:
      local: 192.0.2.10
      cidrs: [10.244.0.0/24]
      mtu: 1450

- name: Remove all routes to pods
  groundwork.kubernetes.pod_routes:
    state: absent
"""

RETURN = r"""
commands:
  description:
    - The lines that were, or would be, given to C(ip -batch), those that begin with C(fdb) to C(bridge -batch).
  type: list
  elements: str
  returned: success
  sample: [route replace 10.244.1.0/24 via 192.0.2.11 proto 77]
changed_paths:
  description: Files that were, or would be, written or removed.
  type: list
  elements: str
  returned: success
  sample: [/etc/kubernetes/pod-routes]
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_routes import RouteHost, apply, make_plan
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.routes import RouteError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.tunnel import PORT, VNI

ROOT = "/"  # tests put a folder here

SPEC: Dict[str, Any] = {
    "routes": {
        "type": "list",
        "elements": "dict",
        "options": {
            "cidr": {"type": "str", "required": True},
            "via": {"type": "str", "required": True},
            "endpoint": {"type": "str"},
        },
    },
    "encapsulation": {"type": "str", "choices": ["never", "cross-subnet", "always"], "default": "never"},
    "tunnel": {
        "type": "dict",
        "options": {
            "local": {"type": "str", "required": True},
            "cidrs": {"type": "list", "elements": "str", "required": True},
            "mtu": {"type": "int", "default": 0},
            "vni": {"type": "int", "default": VNI},
            "port": {"type": "int", "default": PORT},
        },
    },
    "tunnel_only": {"type": "bool", "default": False},
    "keep_tunnel": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "proto": {"type": "int", "default": 77},
}
REQUIRED = [
    ("state", "present", ["routes"]),
    ("encapsulation", "cross-subnet", ["tunnel"]),
    ("encapsulation", "always", ["tunnel"]),
]


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, required_if=REQUIRED, supports_check_mode=True)
    try:
        host = RouteHost(module, ROOT)
        plan = make_plan(host, module.params)
        if plan.changed and not module.check_mode:
            apply(host, plan, module.params["state"] == "present")
    except RouteError as error:
        module.fail_json(msg=str(error))
    result: Dict[str, Any] = {
        "changed": plan.changed,
        "commands": plan.commands,
        "changed_paths": [change.path for change in plan.files if change.changed],
    }
    if module._diff:
        result["diff"] = plan.diff()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
