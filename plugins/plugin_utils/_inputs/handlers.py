# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the OCI runtimes that containerd or CRI-O has beside the usual one."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    HostInput,
    Inputs,
    runs_kubelet,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.text import path_fault

HANDLERS = "container_runtime_handlers"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# The options of containerd's shim for runc (api/types/runc/options/oci.proto), and the keys of a table of
# crio.runtime.runtimes (docs/crio.conf.5.md of CRI-O, of which newer versions may have more).
OPTIONS: dict[str, tuple[str, set[str]]] = {
    "containerd": (
        ERROR,
        {
            *("BinaryName", "CriuImagePath", "CriuPath", "CriuWorkPath", "IoGid", "IoUid", "NoNewKeyring"),
            *("NoPivotRoot", "Root", "ShimCgroup", "SystemdCgroup", "TaskApiAddress", "TaskApiVersion"),
        },
    ),
    "crio": (
        WARNING,
        {
            *("allowed_annotations", "container_min_memory", "default_annotations", "disallowed_annotations"),
            *("exec_cpu_affinity", "inherit_default_runtime", "monitor_cgroup", "monitor_env", "monitor_exec_cgroup"),
            *("monitor_path", "no_sync_log", "platform_runtime_paths", "privileged_without_host_devices"),
            *("runtime_config_path", "runtime_path", "runtime_pull_image", "runtime_root", "runtime_type"),
            *("seccomp_profile", "stream_websockets"),
        },
    ),
}


def handlers(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Names, paths and options with which pods would not start."""
    entries = [entry for entry in host.values.get(HANDLERS) or [] if isinstance(entry, Mapping)]
    runtime = host.text("kubernetes_container_runtime") or "containerd"
    if not entries or not runs_kubelet(inputs.roles_of(host.name)):
        return
    if runtime not in OPTIONS:
        text = (
            f"{HANDLERS} are containerd's and CRI-O's, and the kubelet cannot choose one of {runtime}; "
            "take the variable away from this host"
        )
        yield host.fault("variable-unused", text)
        return
    counted = Counter(str(entry.get("name")) for entry in entries)
    for name in sorted(name for name, times in counted.items() if times > 1):
        yield host.fault("value-invalid", f"{HANDLERS} has {name} more than once; give each its own name")
    for at, entry in enumerate(entries):
        place = f"{HANDLERS}[{at}]"
        for wrong in _wrong(entry, runtime):
            yield host.fault("value-invalid", f"{place}{wrong}")
        severity, known = OPTIONS[runtime]
        options = entry.get("options")
        for option in sorted({str(key) for key in options} - known) if isinstance(options, Mapping) else []:
            near = difflib.get_close_matches(option, known, n=1)
            advice = f"did you mean {near[0]}?" if near else f"{runtime} would ignore it; take it away"
            yield host.fault("unknown-field", f"{place}.options.{option} is no option of {runtime}; {advice}", severity)


def _wrong(entry: Mapping[str, Any], runtime: str) -> Iterator[str]:
    name, path = str(entry.get("name")), path_fault(str(entry.get("path")))
    if not NAME.fullmatch(name):
        yield f".name {name!r} cannot be a RuntimeClass's handler; use at most 63 small letters, digits and -"
    elif runtime == "containerd" and name == "runc":
        yield ".name runc is what containerd has by itself; change it by container_runtime_containerd_config"
    if path:
        yield f".path {str(entry.get('path'))!r} cannot be used: {path}"


def handler_programs(host: HostInput) -> list[str]:
    """The programs that a host must have, as no package that is named brings them."""
    return [str(entry["path"]) for entry in host.values.get(HANDLERS) or [] if not entry.get("package")]


def handler_packages(host: HostInput) -> list[str]:
    """The packages that bring the others."""
    return [str(entry["package"]) for entry in host.values.get(HANDLERS) or [] if entry.get("package")]
