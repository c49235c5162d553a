# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without what kube-proxy has left of another mode."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kube_proxy_rules
short_description: Remove from a host what kube-proxy has left of another mode
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - kube-proxy is asked on the host in which mode it runs. Where that is O(mode), the chains of iptables, the tables of
    nftables, the sets of ipset and the interface C(kube-ipvs0) that only other modes have are removed.
  - Where kube-proxy does not tell, or runs in another mode, nothing is removed, and a warning says so. With V(none),
    nothing is removed as long as it runs.
  - Chains that the kubelet has too, and rules of others, stay.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
options:
  mode:
    description: The mode in which kube-proxy is to run; V(none) where something else brings services to pods.
    type: str
    choices: [iptables, ipvs, nftables, none]
    required: true
  port:
    description: The port of kube-proxy's metrics on the host's loopback address, where it tells its mode.
    type: int
    default: 10249
notes:
  - The kernel's virtual services of IPVS stay, since a program of others may have made them. Where there are any and
    kube-proxy has another mode, a warning says so; they go with a restart of the host.
"""

EXAMPLES = r"""
- name: Remove what is left after a change to nftables
  groundwork.kubernetes.kube_proxy_rules:
    mode: nftables
"""

RETURN = r"""
mode:
  description: The mode in which kube-proxy runs; empty where it does not tell.
  returned: success
  type: str
  sample: iptables
removed:
  description: What was, or would be, removed, one line for each thing.
  returned: success
  type: list
  elements: str
  sample: [interface kube-ipvs0]
"""

import os
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import proxy_rules
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_programs import NetworkPrograms
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.proxy_rules import ProxyError, Stale

SPEC: Dict[str, Any] = {
    "mode": {"type": "str", "choices": list(proxy_rules.MODES), "required": True},
    "port": {"type": "int", "default": proxy_rules.PORT},
}
LINKS = "/sys/class/net"
VIRTUAL_SERVICES = "/proc/net/ip_vs"


class Host(NetworkPrograms):
    """The programs that know a host's rules."""

    def find(self, mode: str) -> Stale:
        """What is left of other modes than this one."""
        programs = {name: self.program(name) for name in ("nft", "ipset")}
        return proxy_rules.find(mode, self.savers(), self.run, programs, os.listdir(LINKS))

    def remove(self, stale: Stale) -> None:
        """Remove it, each table of rules in one step."""
        for program, removal in stale.rules:
            self.remove_rules(program, removal)
        self.delete_tables(stale.tables)
        self.destroy_sets(stale.sets)
        if stale.link:
            self.delete_link(proxy_rules.IPVS_LINK)


def known_mode(module: AnsibleModule) -> str:
    """The mode in which kube-proxy runs; empty where it does not tell, of which a warning says why."""
    try:
        return proxy_rules.running_mode(module.params["port"])
    except ProxyError as error:
        module.warn(f"{error}; what it may have left of another mode stays")
        return ""


def main() -> None:
    """Remove it."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    wanted, mode = module.params["mode"], known_mode(module)
    if mode and mode != wanted:
        module.warn(f"kube-proxy runs in mode {mode} in place of {wanted}; what it may have left of another mode stays")
    if mode != wanted:
        module.exit_json(changed=False, mode=mode, removed=[])
    host = Host(module, ProxyError)
    try:
        stale = host.find(mode)
        lines = stale.lines()
        if lines and not module.check_mode:
            host.remove(stale)
            left = host.find(mode).lines()
            if left:
                raise ProxyError(f"these came back while they were removed: {'; '.join(left)}")
    except (ProxyError, OSError) as error:
        module.fail_json(msg=str(error))
    if mode != proxy_rules.IPVS and os.path.exists(VIRTUAL_SERVICES):
        with open(VIRTUAL_SERVICES, encoding="utf-8") as stream:
            count = proxy_rules.virtual_services(stream.read())
        if count:
            module.warn(
                f"The kernel has {count} virtual services of IPVS, and kube-proxy runs in mode {mode}: if they are "
                "not of another program, restart the host"
            )
    result: Dict[str, Any] = {"changed": bool(lines), "mode": mode, "removed": lines}
    if module._diff:
        result["diff"] = diff_lines("kube-proxy", lines, [])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
