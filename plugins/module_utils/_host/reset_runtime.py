# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a host and what its container runtime keeps for Kubernetes, asked for and removed by crictl and ctr.

Where the kubelet speaks to Docker itself, nothing listens for crictl once it is stopped: there docker is asked.
"""

from __future__ import annotations

import json
import os
import socket as sockets
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import KUBELET, ResetError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import DOCKERSHIM

DOCKER = "/run/docker.sock"
# The labels by which the kubelet's dockershim knows its containers (pkg/kubelet/dockershim/docker_service.go).
KIND, SANDBOX, NAMES = "io.kubernetes.docker.type", "io.kubernetes.sandbox.id", "io.kubernetes.pod"
CONTAINERD = "/run/containerd/containerd.sock"
NAMESPACE = "k8s.io"
FOLDERS = ["/usr/local/bin", "/usr/local/sbin"]
# Seconds for one pod; crictl's own default is 2.
TIMEOUT = "60s"
PROC = "/proc"
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Pod:
    """A pod's sandbox.

    Attributes:
        identifier: the runtime's.
        name: namespace and name, to be shown.
        running: whether it has not been stopped yet.
        host_network: whether it is in the host's network, as control planes are: these are stopped last.
        netns: the file of its own network namespace.
    """

    identifier: str
    name: str
    running: bool
    host_network: bool
    netns: str = ""


def parse_pod(identifier: str, text: str) -> Pod:
    """Read what crictl inspectp prints."""
    try:
        found = json.loads(text)
    except ValueError:
        found = {}
    status = _map(found, "status")
    metadata = _map(status, "metadata")
    network = _map(status, "linux", "namespaces", "options").get("network")
    spaces = _map(found, "info", "runtimeSpec", "linux").get("namespaces")
    paths = [
        str(space.get("path") or "")
        for space in spaces or []
        if isinstance(space, dict) and space.get("type") == "network"
    ]
    return Pod(
        identifier,
        "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key)) or identifier[:13],
        status.get("state") not in ("SANDBOX_NOTREADY", 1),
        network in ("NODE", 2),
        paths[0] if paths and "/netns/" in paths[0] else "",
    )


def _map(value: Any, *keys: str) -> Mapping[str, Any]:
    """A map within maps; empty where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def is_abandoned(path: str) -> bool:
    """Whether nobody listens at a socket, as where its program has ended without taking it along."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as client:
        client.settimeout(ANSWER_SECONDS)
        try:
            client.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:  # not known, so that the program is asked
            return False
    return False


def pod_processes(proc: str = PROC) -> List[int]:
    """Processes below the control group in which the kubelet keeps all pods."""
    return sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit() and "kubepods" in _cgroups(proc, entry))


def _cgroups(proc: str, process: str) -> str:
    try:
        with open(os.path.join(proc, process, "cgroup"), encoding="utf-8") as stream:
            return stream.read()
    except OSError:  # it has ended meanwhile
        return ""


class Runtime:
    """Calls crictl, and ctr for the namespace in which containerd keeps what is Kubernetes'."""

    def __init__(self, module: AnsibleModule, socket: str) -> None:
        """Find the programs.

        Args:
            module: runs them.
            socket: the runtime's, as the kubelet uses it.
        """
        self.module, self.socket = module, socket
        self.crictl: Optional[str] = module.get_bin_path("crictl", opt_dirs=FOLDERS)
        self.path = socket[len("unix://") :] if socket.startswith("unix://") else socket
        containerd = os.path.realpath(self.path) == os.path.realpath(CONTAINERD)
        self.ctr: Optional[str] = module.get_bin_path("ctr", opt_dirs=FOLDERS) if containerd else None

    @property
    def there(self) -> bool:
        """Whether the runtime's socket is."""
        return os.path.exists(self.path)

    def run(self, *command: Optional[str]) -> str:
        """Standard output of a command.

        Raises:
            ResetError: with what it complained of.
        """
        rc, out, err = self.module.run_command([str(word) for word in command], expand_user_and_vars=False)
        if rc != 0:
            raise ResetError(f"{' '.join(map(str, command))} failed with exit code {rc}: {(err or out).strip()}")
        return str(out)

    def cri(self, *words: str) -> str:
        """One call of crictl."""
        return self.run(self.crictl, "--runtime-endpoint", self.socket, "--timeout", TIMEOUT, *words)

    def identifiers(self) -> List[str]:
        """The pods' identifiers.

        Raises:
            ResetError: if the host may have pods, and the runtime cannot be asked for them.
        """
        if self.crictl and self.there:
            return self.cri("pods", "--quiet").split()
        pods = f"{KUBELET}/pods"
        if not os.path.isdir(pods) or not os.listdir(pods):
            return []
        lacking = f"{self.path} is not there" if self.crictl else "there is no crictl"
        raise ResetError(
            f"{pods} has pods, and which of them run is not known, as {lacking}: start the container runtime, or "
            "remove that folder if no container of Kubernetes runs on this host"
        )

    def pods(self) -> List[Pod]:
        """The pods; one that goes meanwhile is left out."""
        asked = [(identifier, *self.inspect(identifier)) for identifier in self.identifiers()]
        lost = [(identifier, fault) for identifier, _text, fault in asked if fault]
        there = self.identifiers() if lost else []
        for identifier, fault in lost:
            if identifier in there:
                raise ResetError(fault)
        return [parse_pod(identifier, text) for identifier, text, fault in asked if not fault]

    def inspect(self, identifier: str) -> Tuple[str, str]:
        """What the runtime tells of a pod, or what it complained of."""
        try:
            return self.cri("inspectp", "--output", "json", identifier), ""
        except ResetError as error:
            return "", str(error)

    def complaint(self, pod: Pod, *words: str) -> str:
        """Do something with a pod; what the runtime complained of, or nothing."""
        try:
            self.cri(*words, pod.identifier)
        except ResetError as error:
            return f"{pod.name}: {error}"
        return ""

    def stop(self, pods: List[Pod]) -> List[str]:
        """Stop pods; what was complained of.

        Whose network cannot be taken down, since the plugin asks an API that is gone, ends all the same.
        """
        return [text for text in [self.complaint(pod, "stopp") for pod in pods] if text]

    def remove(self, pods: List[Pod]) -> List[str]:
        """Remove pods; what was complained of.

        Raises:
            ResetError: if one is still there, and is not in containerd's namespace, which goes as a whole.
        """
        complaints = [text for text in [self.complaint(pod, "rmp", "--force") for pod in pods] if text]
        if complaints and not self.ctr:
            raise ResetError("\n".join(complaints))
        return complaints

    def remove_network_namespaces(self, pods: List[Pod]) -> None:
        """What a plugin that failed, or a runtime that was killed, has left of the pods' networks."""
        for pod in pods:
            if pod.netns and os.path.exists(pod.netns):
                self.run("ip", "netns", "delete", os.path.basename(pod.netns))

    def has_namespace(self) -> bool:
        """Whether containerd has the namespace of Kubernetes."""
        if not self.ctr or not self.there:
            return False
        return NAMESPACE in self.run(self.ctr, "--address", self.path, "namespaces", "list", "--quiet").split()

    def of_namespace(self, *words: str) -> str:
        """One call of ctr in the namespace."""
        return self.run(self.ctr, "--address", self.path, "--namespace", NAMESPACE, *words)

    def remove_namespace(self) -> None:
        """Remove the namespace with its containers, images and snapshots; other namespaces have their own.

        Raises:
            ResetError: with what keeps something of it.
        """
        for task in self.of_namespace("tasks", "list", "--quiet").split():
            self.of_namespace("tasks", "delete", "--force", task)
        for container in self.of_namespace("containers", "list", "--quiet").split():
            self.of_namespace("containers", "delete", container)
        for lease in self.of_namespace("leases", "list", "--quiet").split():
            self.of_namespace("leases", "delete", lease)
        images = self.of_namespace("images", "list", "--quiet").split()
        if images:
            # With --sync containerd collects content and snapshots that nothing refers to before it answers.
            self.of_namespace("images", "remove", "--sync", *images)
        self.run(self.ctr, "--address", self.path, "namespaces", "remove", NAMESPACE)


class Docker(Runtime):
    """The same of Docker, whose containers the kubelet has made without the CRI."""

    def __init__(self, module: AnsibleModule, socket: str) -> None:
        """Find the program."""
        super().__init__(module, socket)
        self.path = DOCKER
        self.docker: Optional[str] = module.get_bin_path("docker", opt_dirs=FOLDERS)
        self.crictl = self.docker  # what asks for pods

    @property
    def there(self) -> bool:
        """Whether somebody listens at its socket, which stays where Docker has ended."""
        return super().there and not is_abandoned(self.path)

    def labelled(self, label: str) -> List[str]:
        """The containers with a label."""
        return self.run(self.docker, "ps", "--all", "--quiet", "--no-trunc", f"--filter=label={label}").split()

    def identifiers(self) -> List[str]:
        """The sandboxes; none where Docker does not run, and its containers have ended with it.

        Raises:
            ResetError: if Docker cannot be asked, and processes of pods run.
        """
        if self.docker and self.there:
            return self.labelled(f"{KIND}=podsandbox")
        left = pod_processes()
        if left:
            raise ResetError(
                f"nobody listens at {self.path}, so Docker cannot be asked, and {len(left)} processes of pods run, "
                f"such as {left[0]}: start Docker, or restart the host"
            )
        return []

    def inspect(self, identifier: str) -> Tuple[str, str]:
        """What crictl would tell of a pod."""
        try:
            found = json.loads(self.run(self.docker, "inspect", identifier))[0]
            labels: Mapping[str, Any] = _map(found, "Config", "Labels")
        except ResetError as error:
            return "", str(error)
        network = "NODE" if _map(found, "HostConfig").get("NetworkMode") == "host" else "POD"
        metadata: Dict[str, Any] = {key: labels.get(f"{NAMES}.{key}") for key in ("namespace", "name")}
        status = {
            "metadata": metadata,
            "state": "SANDBOX_READY" if _map(found, "State").get("Running") else "SANDBOX_NOTREADY",
            "linux": {"namespaces": {"options": {"network": network}}},
        }
        return json.dumps({"status": status}), ""

    def complaint(self, pod: Pod, *words: str) -> str:
        """Stop or remove a pod's containers, the sandbox last; what Docker complained of, or nothing."""
        command = ["stop", "--time=10"] if words[0] == "stopp" else ["rm", "--force", "--volumes"]
        try:
            for identifiers in (self.labelled(f"{SANDBOX}={pod.identifier}"), [pod.identifier]):
                if identifiers:
                    self.run(self.docker, *command, *identifiers)
        except ResetError as error:
            return f"{pod.name}: {error}"
        return ""


def runtime_of(module: AnsibleModule, socket: str) -> Runtime:
    """The runtime that listens at a socket, or Docker where the kubelet speaks to it itself."""
    return Docker(module, socket) if socket == DOCKERSHIM else Runtime(module, socket)
