# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has of networks for pods, and what its own network allows."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_network_info
short_description: What a host has of networks for pods, and what its own network allows
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Tells how large packets may be on the interface that has the node's address, which network plugins have left
    something on the host, and which programs manage its interfaces.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options:
  addresses:
    description: The node's addresses. The interface that has the first of them counts.
    type: list
    elements: str
    default: []
seealso:
  - module: groundwork.kubernetes.pod_routes
"""

EXAMPLES = r"""
- name: Look at the host's network
  groundwork.kubernetes.pod_network_info:
    addresses: [192.0.2.11]
"""

RETURN = r"""
interface:
  description: The interface that has the node's address; empty where none has.
  returned: success
  type: str
  sample: eth0
mtu:
  description: The size of packets that it allows; 0 where there is none.
  returned: success
  type: int
  sample: 1500
tunnel:
  description: Whether the host has the device of M(groundwork.kubernetes.pod_routes).
  returned: success
  type: bool
managers:
  description: Which of C(NetworkManager) and C(systemd-networkd) run.
  returned: success
  type: list
  elements: str
current:
  description: The network plugin that pods get, by the first configuration; empty where that is of none that is known.
  returned: success
  type: str
  sample: bridge
plugins:
  description: The network plugins whose configuration the host has, each with that file and the plugin's interfaces.
  returned: success
  type: dict
  sample: {bridge: [/etc/cni/net.d/10-bridge.conflist]}
"""

import os
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_remains import current, present
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_network import CONFIGURATIONS
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.tunnel import DEVICE, parse_links

SPEC: Dict[str, Any] = {"addresses": {"type": "list", "elements": "str", "default": []}}
# What each has while it runs.
MANAGERS = {"NetworkManager": "/run/NetworkManager", "systemd-networkd": "/run/systemd/netif/state"}


def listed(folder: str) -> List[str]:
    """The names in a folder; none where there is no such folder."""
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def info(links: List[Dict[str, Any]], addresses: List[str], configurations: List[str]) -> Dict[str, Any]:
    """The result but for the managers.

    Args:
        links: the host's interfaces with their addresses, as ip prints them.
        addresses: the node's.
        configurations: the names of files of network plugins.
    """
    by_address = {
        normal(str(one["local"])): link for link in links for one in link.get("addr_info") or [] if "local" in one
    }
    own = next((by_address[normal(address)] for address in addresses if normal(address) in by_address), {})
    names = [str(link["ifname"]) for link in links]
    return {
        "interface": own.get("ifname", ""),
        "mtu": own.get("mtu", 0),
        "tunnel": DEVICE in names,
        "current": current(configurations),
        "plugins": present(configurations, names),
    }


def main() -> None:
    """Look."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    ip = module.get_bin_path("ip", required=True, opt_dirs=["/usr/sbin", "/sbin"])
    _rc, out, _err = module.run_command([ip, "-json", "address", "show"], check_rc=True, expand_user_and_vars=False)
    found = info(parse_links(out), module.params["addresses"], listed(CONFIGURATIONS))
    module.exit_json(changed=False, **found, managers=[name for name, path in MANAGERS.items() if os.path.exists(path)])


if __name__ == "__main__":
    main()
