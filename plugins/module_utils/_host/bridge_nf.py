# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's modules and settings that pods' traffic needs: what a host lacks, what is in the way, the change."""

from __future__ import annotations

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

MODULES_FILE = "/etc/modules-load.d/kubernetes.conf"
SYSCTL_FILE = "/etc/sysctl.d/99-kubernetes.conf"
HEADER = "# Written by groundwork.kubernetes.bridge_nf; changes made here are lost.\n"
MARK = f"turned off by groundwork.kubernetes.bridge_nf, see {SYSCTL_FILE}:"
FORWARDING = {"net/ipv4/ip_forward": "1"}
IPV6_FORWARDING = {"net/ipv6/conf/all/forwarding": "1"}
SPEC: Dict[str, Any] = {
    "modules": {"type": "list", "elements": "str", "default": ["br_netfilter", "overlay"]},
    "ipv6": {"type": "bool", "default": False},
    "sysctl": {"type": "dict", "default": {}},
    "conflicts": {"type": "str", "choices": ["override", "fail"], "default": "override"},
}
BRIDGE = {"net/bridge/bridge-nf-call-iptables": "1", "net/bridge/bridge-nf-call-ip6tables": "1"}


@dataclass(frozen=True)
class KernelPlan:
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


def make_plan(root: str, parameters: Dict[str, Any]) -> KernelPlan:
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
    return KernelPlan(
        found={name: kmod.find(root, name) for name in names},
        running={key: None if key in unreadable else sysctl.read_value(root, key) for key in wanted},
        wanted=wanted,
        conflicts=conflicts,
        files=files,
        unreadable=unreadable,
    )


def check(module: AnsibleModule, root: str, plan: KernelPlan) -> None:
    """Refuse what cannot be done.

    Raises:
        SysctlError: with every fault.
    """
    faults = find_faults(module, root, plan, module.params["conflicts"])
    if faults:
        raise sysctl.SysctlError("\n".join(faults))


def find_faults(module: AnsibleModule, root: str, plan: KernelPlan, policy: str) -> List[str]:
    """Everything that cannot be done."""
    return [
        *conflict_faults(plan, policy),
        *module_faults(module, root, plan),
        *plan.unreadable.values(),
        *key_faults(root, plan, loading=bool(plan.missing)),
    ]


def is_due(module: AnsibleModule, root: str = "/") -> bool:
    """Whether the module bridge_nf with its defaults would change something or fail."""
    usual = {name: option["default"] for name, option in SPEC.items()}
    try:
        plan = make_plan(root, usual)
        return plan.changed or bool(find_faults(module, root, plan, usual["conflicts"]))
    except (sysctl.SysctlError, OSError):
        return True


def conflict_faults(plan: KernelPlan, policy: str) -> List[str]:
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


def module_faults(module: AnsibleModule, root: str, plan: KernelPlan) -> List[str]:
    """The modules that cannot be had, now or at boot."""
    denied = [
        f"kernel module {name} is kept from being loaded by {place}: remove that line"
        for name, how in plan.found.items()
        if how != "built-in"
        for place in kmod.denied_by(root, name)
    ]
    if denied:
        return denied
    faults = {name: fault for name in plan.missing for fault in [modprobe(module, "--dry-run", name)] if fault}
    return [absent(root, faults)] if faults else []


def absent(root: str, faults: Dict[str, str]) -> str:
    """One message for all modules that the kernel has not, by modprobe's message for each."""
    folder = f"/lib/modules/{kmod.kernel_release(root)}"
    where = "not in" if os.path.isdir(sysctl.under(root, folder)) else "there is no"
    return (
        f"the running kernel {kmod.kernel_release(root)} has no {', '.join(faults)}: not built in, and {where} "
        f"{folder} ({'; '.join(dict.fromkeys(faults.values()))}). Reboot if the kernel was upgraded since the last "
        "boot; else install the package with its modules (Ubuntu: linux-modules-extra, Red Hat: kernel-modules)"
    )


def modprobe(module: AnsibleModule, *arguments: str) -> str:
    """Run modprobe; what it complained of, or nothing."""
    command = module.get_bin_path("modprobe", opt_dirs=["/usr/sbin", "/sbin"])
    if command is None:
        return "modprobe is not installed"
    rc, out, err = module.run_command([command, *arguments], expand_user_and_vars=False)
    return "" if rc == 0 else " ".join((err or out).split()) or f"modprobe ended with exit code {rc}"


def key_faults(root: str, plan: KernelPlan, loading: bool) -> List[str]:
    """The settings the kernel does not have; those below net/ may come with a module that is still to be loaded."""
    return [
        f"the running kernel has no setting {sysctl.dotted(key)}: correct it, or add what brings it to modules"
        for key in plan.wanted
        if key not in plan.unreadable
        and sysctl.read_value(root, key) is None
        and not (loading and key.startswith("net/"))
    ]


def apply(module: AnsibleModule, root: str, plan: KernelPlan) -> None:
    """Load, set, write: what the kernel may refuse comes before the files.

    Raises:
        SysctlError: where the kernel does not do what was asked.
    """
    answers = {name: modprobe(module, name) for name in plan.missing}
    lost = {
        name: answer or "modprobe brought nothing" for name, answer in answers.items() if kmod.find(root, name) is None
    }
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
