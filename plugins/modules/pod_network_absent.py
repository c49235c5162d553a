# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without what network plugins have left on it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pod_network_absent
short_description: Remove from a host what network plugins have left on it
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Removes the plugins' services, chains and rules of iptables, tables of nftables, sets of ipset, interfaces, routes,
    files, and last their configuration in C(/etc/cni/net.d), by which a later run still finds them if this one ends
    before.
  - What belongs to nobody but the plugin goes. Tables, policies and rules of others stay, and so do the configurations
    and bridges of other programs.
  - Pods on the network lose it. M(groundwork.kubernetes.pod_network_exchange) says whether there are any.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
options:
  plugins:
    description: The plugins of which nothing stays.
    type: list
    elements: str
    choices: [bridge, flannel, calico, canal, cilium]
    required: true
  keep:
    description: Plugins whose configuration stays, since the cluster uses them.
    type: list
    elements: str
    choices: [bridge, flannel, calico, canal, cilium]
    default: []
seealso:
  - module: groundwork.kubernetes.pod_network_info
  - module: groundwork.kubernetes.reset
"""

EXAMPLES = r"""
- name: Remove what Flannel has left
  groundwork.kubernetes.pod_network_absent:
    plugins: [flannel]
"""

RETURN = r"""
removed:
  description: What was, or would be, removed, one line for each thing.
  returned: success
  type: list
  elements: str
  sample: [interface flannel.1, path /etc/cni/net.d/10-flannel.conflist]
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_remains import PLUGINS
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_removal import FAILURES, NetworkHost

SPEC: Dict[str, Any] = {
    "plugins": {"type": "list", "elements": "str", "choices": list(PLUGINS), "required": True},
    "keep": {"type": "list", "elements": "str", "choices": list(PLUGINS), "default": []},
}


def main() -> None:
    """Remove it."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    try:
        host = NetworkHost(module, module.params["plugins"], module.params["keep"])
        left = host.find()
        lines = left.lines()
        if lines and not module.check_mode:
            host.remove(left)
    except FAILURES as error:
        module.fail_json(msg=str(error))
    result: Dict[str, Any] = {"changed": bool(lines), "removed": lines}
    if module._diff:
        result["diff"] = diff_lines("network plugins", lines, [])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
