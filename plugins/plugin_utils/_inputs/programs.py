# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the versions of programs: whether they are versions, and of the program that they are for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

VERSION = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
# Each variable with the program, the major versions that there are, and a version for example.
PROGRAMS = {
    "cni_calico_version": ("Calico", (3,), "3.32.1"),
    "cni_cilium_version": ("Cilium", (1,), "1.20.1"),
    "cni_flannel_version": ("Flannel", (0, 1), "0.28.9"),
    "container_runtime_cni_plugins_version": ("the CNI plugins", (0, 1), "1.9.1"),
    "container_runtime_containerd_version": ("containerd", (1, 2), "2.3.4"),
    "container_runtime_cri_dockerd_version": ("cri-dockerd", (0, 1), "0.4.3"),
    "container_runtime_runc_version": ("runc", (1,), "1.4.3"),
    "endpoint_kube_vip_version": ("kube-vip", (0, 1), "1.2.3"),
    "etcd_version": ("etcd", (3,), "3.6.15"),
    "kubernetes_crictl_version": ("crictl", (0, 1), "1.36.0"),
}


def program_versions(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Versions that are none, and such as only other programs have."""
    for variable, (program, majors, example) in PROGRAMS.items():
        value = host.values.get(variable)
        if value is None:
            continue
        text = str(value)
        if not VERSION.fullmatch(text):
            yield host.fault(
                "version-invalid", f"{variable} {text!r} is no full version; write it like {example}, without v"
            )
        elif int(text.split(".", maxsplit=1)[0]) not in majors:
            known = " and ".join(f"{major}.x" for major in majors)
            yield host.fault(
                "version-invalid",
                f"{variable} {text} is no version of {program} that is known here, of which there are {known}; use one "
                f"like {example}",
                WARNING,
            )
