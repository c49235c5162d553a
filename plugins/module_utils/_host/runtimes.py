# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container runtimes of a host: whose socket the kubelet uses, which services run, and how one gives way to another."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import ResetError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import (
    CONTAINERD as CONTAINERD_SOCKET,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import NAMESPACE, Runtime
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import Systemd

DOCKER, CONTAINERD, CRIO, CRI_DOCKERD = "docker", "containerd", "crio", "cri-dockerd"
SERVICES = {
    DOCKER: ("docker.socket", "docker.service"),
    CRI_DOCKERD: ("cri-dockerd.service", "cri-docker.socket", "cri-docker.service"),
    CRIO: ("crio.service",),
    CONTAINERD: ("containerd.service",),
}
# Of which runtime a socket is; longer names first.
SOCKETS = (("cri-dockerd", CRI_DOCKERD), ("dockershim", DOCKER), ("containerd", CONTAINERD), ("crio", CRIO))
# Docker's namespace in containerd.
OF_DOCKER = "moby/"
RESERVATIONS = "/var/lib/cni/networks"


def runtime_name(socket: str) -> str:
    """The runtime of a socket by its path; empty where the path does not tell."""
    return next((name for part, name in SOCKETS if part in os.path.basename(socket)), "")


def docker_runs(module: AnsibleModule) -> bool:
    """Whether Docker runs, and can be asked."""
    return Systemd(module, "docker.service").read().running


def foreign_containers(module: AnsibleModule) -> List[str]:
    """Containers of Docker that the kubelet has not made, and that run.

    Raises:
        ResetError: if Docker does not tell, since none would look the same.
    """
    docker = module.get_bin_path("docker")
    if docker is None:
        return []
    rc, out, err = module.run_command([docker, "ps", "--format={{.Names}}"], expand_user_and_vars=False)
    if rc != 0:
        raise ResetError(
            f"Docker does not tell which containers run: {err.strip()}. Nothing was changed. Look at docker.service"
        )
    return [name for name in out.split() if not name.startswith("k8s_")]


def keeps_containers(module: AnsibleModule) -> bool:
    """Whether Docker's containers outlive its restart; where it does not say so, they do not."""
    docker = module.get_bin_path("docker")
    if docker is None:
        return True
    command = [docker, "info", "--format={{.LiveRestoreEnabled}}"]
    rc, out, _err = module.run_command(command, expand_user_and_vars=False)
    return rc == 0 and out.strip() == "true"


def foreign_tasks(module: AnsibleModule) -> List[str]:
    """Containers with a task in containerd, running or not, that are not Kubernetes': their namespaces and names.

    Raises:
        ResetError: if containerd runs, and does not tell.
    """
    runtime = Runtime(module, f"unix://{CONTAINERD_SOCKET}")
    if not runtime.there:
        return []
    if runtime.ctr is None:
        raise ResetError(
            "containerd runs, and there is no ctr to ask whom else it serves. Nothing was changed. Install ctr"
        )
    ctr = [runtime.ctr, "--address", runtime.path]
    spaces = [name for name in runtime.run(*ctr, "namespaces", "list", "--quiet").split() if name != NAMESPACE]
    return [
        f"{space}/{task}"
        for space in spaces
        for task in runtime.run(*ctr, "--namespace", space, "tasks", "list", "--quiet").split()
    ]


def services_to_end(old: str, new: str) -> List[str]:
    """The services of the runtime that is left, which Kubernetes needs no more.

    Args:
        old: the runtime that is left.
        new: that of the kubelet from now on.
    """
    ended: List[str] = []
    if old == CRI_DOCKERD:
        ended += SERVICES[CRI_DOCKERD]
    if old in (DOCKER, CRI_DOCKERD) and new not in (DOCKER, CRI_DOCKERD):
        ended += SERVICES[DOCKER]
    if old == CRIO and new != CRIO:
        ended += SERVICES[CRIO]
    # Docker runs its containers by containerd.
    if old in (CONTAINERD, DOCKER, CRI_DOCKERD) and new == CRIO:
        ended += SERVICES[CONTAINERD]
    return ended


def needed_by_others(module: AnsibleModule, units: Sequence[str]) -> Dict[str, List[str]]:
    """Those of the services that are to end which others need, each with the containers that do.

    Raises:
        ResetError: if that cannot be told.
    """
    of_docker = [unit for unit in units if unit in SERVICES[DOCKER]]
    of_containerd = [unit for unit in units if unit in SERVICES[CONTAINERD]]
    if not of_docker and not of_containerd:
        return {}
    # While Docker runs it tells which of its containers are Kubernetes'. Those that outlive it may be anybody's.
    asked = docker_runs(module)
    tasks = foreign_tasks(module)
    if asked:
        tasks = [task for task in tasks if not task.startswith(OF_DOCKER)]
    containers = foreign_containers(module) if asked else [task for task in tasks if task.startswith(OF_DOCKER)]
    needed = {unit: containers for unit in of_docker if containers}
    needed.update({unit: [*containers, *tasks] for unit in of_containerd if containers or tasks})
    return needed


def reserved_by(identifiers: Sequence[str], folder: str = RESERVATIONS) -> List[str]:
    """The files of the plugin host-local that hold addresses for these pods.

    Docker's pods are ended without the network plugin, as the kubelet calls it for them.
    """
    found = []
    for network in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        for name in sorted(os.listdir(os.path.join(folder, network))):
            path = os.path.join(folder, network, name)
            if re.fullmatch(r"[0-9a-f.:]+", name) and os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as stream:
                    lines = stream.read().split()
                if lines and lines[0] in identifiers:
                    found.append(path)
    return found


def describe(module: AnsibleModule, socket: str) -> Dict[str, Any]:
    """What a host has of runtimes, as the module runtime_info returns it."""
    of_docker = docker_runs(module)
    return {
        "socket": socket,
        "runtime": runtime_name(socket),
        "foreign": foreign_containers(module) if of_docker else [],
        "keeps_containers": keeps_containers(module) if of_docker else True,
    }
