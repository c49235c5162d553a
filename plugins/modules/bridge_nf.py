# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel modules and settings that pods' network needs, now and after every boot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bridge_nf
short_description: Kernel modules and settings for the network of pods
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
description:
  - Loads the kernel modules C(br_netfilter) and C(overlay), and lists them in C(/etc/modules-load.d/kubernetes.conf)
    for the next boot. What is built into the kernel is as good as loaded, also where C(/lib/modules) is empty and
    C(modprobe) fails.
  - Sets C(net.ipv4.ip_forward), C(net.bridge.bridge-nf-call-iptables) and C(net.bridge.bridge-nf-call-ip6tables) to 1,
    the running values and C(/etc/sysctl.d/99-kubernetes.conf) both.
  - Finds the lines in files read after that one which set another value at boot. Files are read in the order of
    C(sysctl.d(5)) of systemd; C(/etc/sysctl.conf) counts as last, as C(sysctl --system) reads it.
  - A line of C(modprobe.d(5)) that keeps a module from being loaded is an error. As C(modprobe) does, of the C(install)
    lines that fit a module, or one that it needs, only the first is looked at, and it is an error only if its command
    surely does not load the module. A C(blacklist) line is one because modules are loaded at boot by
    C(systemd-modules-load), which heeds it.
  - All faults are reported at once, before anything is changed.
options:
  modules:
    description:
      - Kernel modules to have, C(nf_conntrack) for example.
      - Without C(br_netfilter), the C(net.bridge) settings are left alone.
    type: list
    elements: str
    default: [br_netfilter, overlay]
  ipv6:
    description:
      - Sets C(net.ipv6.conf.all.forwarding) to 1 too, for clusters with IPv6 pods.
      - A host that forwards IPv6 ignores router advertisements. Where its default route comes from them, give
        C(net.ipv6.conf.IFACE.accept_ra) with the value 2 in O(sysctl).
    type: bool
    default: false
  sysctl:
    description:
      - More settings, names and values. Values are whole numbers or text.
      - A setting that the kernel does not show is an error, such as C(net.ipv4.route.flush), which can only be written.
      - A kubelet with C(protectKernelDefaults) needs C(vm.overcommit_memory) 1, C(kernel.panic) 10 (seconds) and
        C(kernel.panic_on_oops) 1.
    type: dict
    default: {}
  conflicts:
    description:
      - What to do with a line in a later file that sets another value.
      - V(override) makes it a comment that names this module, in files under C(/etc).
        A file elsewhere belongs to a package or is made at boot; it is an error, and the message says how to mask it.
      - V(fail) reports every such line as an error.
    type: str
    choices: [override, fail]
    default: override
notes:
  - Programs that set such values by other means are not seen, for example C(ufw) with C(/etc/ufw/sysctl.conf) or a
    profile of C(tuned).
  - The rules for files are those of C(sysctl.d(5)),
    U(https://www.freedesktop.org/software/systemd/man/latest/sysctl.d.html), and of C(sysctl(8)) of procps; the
    settings those of U(https://kubernetes.io/docs/setup/production-environment/container-runtimes/).
seealso:
  - module: groundwork.kubernetes.pod_routes
"""

EXAMPLES = r"""
- name: Let iptables see bridged traffic
  groundwork.kubernetes.bridge_nf:

- name: Prepare a host for kube-proxy, IPv6 pods and protectKernelDefaults
  groundwork.kubernetes.bridge_nf:
    modules: [br_netfilter, overlay, nf_conntrack]
    ipv6: true
    sysctl:
      vm.overcommit_memory: 1
      kernel.panic: 10
      kernel.panic_on_oops: 1
"""

RETURN = r"""
modules:
  description: How the kernel had each module before, V(loaded), V(built-in) or V(absent).
  type: dict
  returned: success
  sample: {br_netfilter: absent, overlay: built-in}
sysctl:
  description: The running value of each setting before. It is null where the kernel did not have it yet.
  type: dict
  returned: success
  sample: {net.ipv4.ip_forward: '0', net.bridge.bridge-nf-call-iptables: null}
conflicts:
  description: Lines of later files that set another value, and are or would be made comments.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: The file.
      type: str
    line:
      description: The line's number, from 1.
      type: int
    key:
      description: The setting's name.
      type: str
    value:
      description: The value it sets. It is null for a line that only drops the setting.
      type: str
changed_paths:
  description: Files that were, or would be, written.
  type: list
  elements: str
  returned: success
  sample: [/etc/modules-load.d/kubernetes.conf]
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import sysctl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bridge_nf import SPEC, apply, check, make_plan

ROOT = "/"  # tests put a folder here


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    try:
        plan = make_plan(ROOT, module.params)
        check(module, ROOT, plan)
        if plan.changed and not module.check_mode:
            apply(module, ROOT, plan)
    except (sysctl.SysctlError, OSError) as error:
        module.fail_json(msg=str(error))
    result: Dict[str, Any] = {
        "changed": plan.changed,
        "modules": {name: how or "absent" for name, how in plan.found.items()},
        "sysctl": {sysctl.dotted(key): value for key, value in plan.running.items()},
        "conflicts": [
            {"path": found.path, "line": found.line, "key": sysctl.dotted(found.key), "value": found.value}
            for found in plan.conflicts
        ],
        "changed_paths": [change.path for change in plan.files if change.changed],
    }
    if module._diff:
        result["diff"] = plan.diff()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
