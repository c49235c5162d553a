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

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import kmod, sysctl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.diff import diff_lines
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    apply_file,
    diffs,
    plan_file,
    read_bytes,
)

ROOT = "/"  # tests put a folder here
MODULES_FILE = "/etc/modules-load.d/kubernetes.conf"
SYSCTL_FILE = "/etc/sysctl.d/99-kubernetes.conf"
HEADER = "# Written by groundwork.kubernetes.bridge_nf; changes made here are lost.\n"
MARK = f"turned off by groundwork.kubernetes.bridge_nf, see {SYSCTL_FILE}:"

FORWARDING = {"net/ipv4/ip_forward": "1"}
IPV6_FORWARDING = {"net/ipv6/conf/all/forwarding": "1"}
BRIDGE = {"net/bridge/bridge-nf-call-iptables": "1", "net/bridge/bridge-nf-call-ip6tables": "1"}

SPEC: Dict[str, Any] = {
    "modules": {"type": "list", "elements": "str", "default": ["br_netfilter", "overlay"]},
    "ipv6": {"type": "bool", "default": False},
    "sysctl": {"type": "dict", "default": {}},
    "conflicts": {"type": "str", "choices": ["override", "fail"], "default": "override"},
}


@dataclass(frozen=True)
class Plan:
    """The host as it is, and what differs from what was asked for."""

    found: Dict[str, Optional[str]]  # module: loaded, built-in, None
    running: Dict[str, Optional[str]]  # key: value
    wanted: Dict[str, str]
    conflicts: List[sysctl.Setting]
    files: List[FileChange]
    unreadable: Dict[str, str]  # key that the kernel does not show: the fault

    @property
    def missing(self) -> List[str]:
        """The modules to load."""
        return [name for name, how in self.found.items() if how is None]

    @property
    def values(self) -> Dict[str, str]:
        """The running values to set."""
        return {key: value for key, value in self.wanted.items() if self.running[key] != value}

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.missing or self.values or any(change.changed for change in self.files))

    def diff(self) -> List[Dict[str, Any]]:
        """What differs: modules, running values, files."""
        present = [name for name in self.found if name not in self.missing]
        running = [
            f"{sysctl.dotted(key)} = {self.running[key]}" for key in self.values if self.running[key] is not None
        ]
        values = [f"{sysctl.dotted(key)} = {value}" for key, value in self.values.items()]
        return [
            *diff_lines("kernel modules", present, list(self.found)),
            *diff_lines("running values", running, values),
            *diffs(self.files),
        ]


def wanted_values(parameters: Dict[str, Any]) -> Dict[str, str]:
    """The settings asked for, ip_forward first: a change of it resets others.

    Raises:
        SysctlError: on bad options.
    """
    faults = [
        f"modules: {name!r} is no name of a kernel module"
        for name in parameters["modules"]
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name)
    ]
    managed = dict(FORWARDING)
    if parameters["ipv6"]:
        managed.update(IPV6_FORWARDING)
    if "br_netfilter" in parameters["modules"]:
        managed.update(BRIDGE)
    faults += sysctl.check_keys(parameters["sysctl"], managed)
    if faults:
        raise sysctl.SysctlError("\n".join(faults))
    extra = {
        sysctl.normalize_key(key): sysctl.normalize_value(str(value)) for key, value in parameters["sysctl"].items()
    }
    return {**managed, **extra}


def make_plan(root: str, parameters: Dict[str, Any]) -> Plan:
    """Compare the host with what is asked for."""
    wanted = wanted_values(parameters)
    names = list(dict.fromkeys(parameters["modules"]))
    conflicts = sysctl.conflicts(root, SYSCTL_FILE, wanted)
    settings = "".join(f"{sysctl.dotted(key)} = {value}\n" for key, value in wanted.items())
    files = [
        plan_file(sysctl.under(root, MODULES_FILE), (HEADER + "".join(f"{name}\n" for name in names)).encode()),
        plan_file(sysctl.under(root, SYSCTL_FILE), (HEADER + settings).encode()),
    ]
    for path in dict.fromkeys(conflict.path for conflict in conflicts):
        content = read_bytes(sysctl.under(root, path)) or b""
        lines = [conflict.line for conflict in conflicts if conflict.path == path]
        files.append(FileChange(sysctl.under(root, path), content, sysctl.comment_out(content, lines, MARK)))
    unreadable = {key: fault for key in wanted for fault in [sysctl.read_fault(root, key)] if fault}
    return Plan(
        found={name: kmod.find(root, name) for name in names},
        running={key: None if key in unreadable else sysctl.read_value(root, key) for key in wanted},
        wanted=wanted,
        conflicts=conflicts,
        files=files,
        unreadable=unreadable,
    )


def conflict_faults(plan: Plan, policy: str) -> List[str]:
    """The conflicts that are errors, each with its file, its line and the remedy."""
    faults = []
    for conflict in plan.conflicts:
        says = f"{conflict} is read after {SYSCTL_FILE} and sets another value"
        if not conflict.path.startswith("/etc/"):
            name = os.path.basename(conflict.path)
            faults.append(f"{says}: mask it by a file /etc/sysctl.d/{name} without that line, or remove its package")
        elif policy == "fail":
            faults.append(f"{says}: remove that line, or set conflicts to override")
    return faults


def module_faults(module: AnsibleModule, root: str, plan: Plan) -> List[str]:
    """The modules that cannot be had, now or at boot."""
    denied = [
        f"kernel module {name} is kept from being loaded by {place}: remove that line"
        for name, how in plan.found.items()
        if how != "built-in"
        for place in kmod.denied_by(root, name)
    ]
    if denied:
        return denied
    said = {name: fault for name in plan.missing for fault in [modprobe(module, "--dry-run", name)] if fault}
    return [absent(root, said)] if said else []


def absent(root: str, said: Dict[str, str]) -> str:
    """One message for all modules that the kernel has not."""
    folder = f"/lib/modules/{kmod.kernel_release(root)}"
    where = "not in" if os.path.isdir(sysctl.under(root, folder)) else "there is no"
    return (
        f"the running kernel {kmod.kernel_release(root)} has no {', '.join(said)}: not built in, and {where} {folder} "
        f"({'; '.join(dict.fromkeys(said.values()))}). Reboot if the kernel was upgraded since the last boot; "
        "else install the package with its modules (Ubuntu: linux-modules-extra, Red Hat: kernel-modules)"
    )


def modprobe(module: AnsibleModule, *arguments: str) -> str:
    """Run modprobe; what it complained of, or nothing."""
    command = module.get_bin_path("modprobe", opt_dirs=["/usr/sbin", "/sbin"])
    if command is None:
        return "modprobe is not installed"
    rc, out, err = module.run_command([command, *arguments], expand_user_and_vars=False)
    return "" if rc == 0 else " ".join((err or out).split()) or f"modprobe ended with exit code {rc}"


def key_faults(root: str, plan: Plan, loading: bool) -> List[str]:
    """The settings the kernel does not have; those below net/ may come with a module that is still to be loaded."""
    return [
        f"the running kernel has no setting {sysctl.dotted(key)}: correct it, or add what brings it to modules"
        for key in plan.wanted
        if key not in plan.unreadable
        and sysctl.read_value(root, key) is None
        and not (loading and key.startswith("net/"))
    ]


def check(module: AnsibleModule, root: str, plan: Plan) -> None:
    """Refuse what cannot be done.

    Raises:
        SysctlError: with every fault.
    """
    faults = conflict_faults(plan, module.params["conflicts"]) + module_faults(module, root, plan)
    faults += plan.unreadable.values()
    faults += key_faults(root, plan, loading=bool(plan.missing))
    if faults:
        raise sysctl.SysctlError("\n".join(faults))


def apply(module: AnsibleModule, root: str, plan: Plan) -> None:
    """Load, set, write: what the kernel may refuse comes before the files.

    Raises:
        SysctlError: where the kernel does not do what was asked.
    """
    said = {name: modprobe(module, name) for name in plan.missing}
    lost = {name: fault or "modprobe brought nothing" for name, fault in said.items() if kmod.find(root, name) is None}
    if lost:
        raise sysctl.SysctlError(absent(root, lost))
    faults = key_faults(root, plan, loading=False)
    if faults:
        raise sysctl.SysctlError("\n".join(faults))
    # A module that was just loaded may bring settings that are right already.
    sysctl.write_values(
        root, {key: value for key, value in plan.values.items() if sysctl.read_value(root, key) != value}
    )
    for change in plan.files:
        apply_file(module, change)


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
