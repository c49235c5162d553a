# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host runs of Kubernetes, with which arguments and settings, and whose its files are; nothing is changed.

Arguments are those of the processes, not of manifests. A configuration file is read as its process sees it, through
the process's own root.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import stat
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening import File, Found

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "kubelet", "kube-proxy")
# etcd takes its settings from its environment, too. Nothing else of any environment is kept.
ENVIRONMENT = "ETCD_"
ETCD_SETTINGS = (
    "auto-tls",
    "cert-file",
    "client-cert-auth",
    "data-dir",
    "key-file",
    "peer-auto-tls",
    "peer-cert-file",
    "peer-client-cert-auth",
    "peer-key-file",
    "trusted-ca-file",
)
KUBERNETES = "/etc/kubernetes"
UNITS = tuple(
    f"{folder}/systemd/system/kubelet.service{rest}" for folder in ("/etc", "/usr/lib") for rest in ("", ".d/*.conf")
)
# By the name of what an item is about: paths, as patterns.
FILES: Dict[str, Sequence[str]] = {
    **{
        f"manifest-{name}": (f"{KUBERNETES}/manifests/{name}.yaml",)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
    },
    "cni": ("/etc/cni/net.d/*",),
    "admin": (f"{KUBERNETES}/admin.conf", f"{KUBERNETES}/super-admin.conf"),
    "scheduler": (f"{KUBERNETES}/scheduler.conf",),
    "controller-manager": (f"{KUBERNETES}/controller-manager.conf",),
    "pki": (f"{KUBERNETES}/pki", f"{KUBERNETES}/pki/**"),
    "certificates": (f"{KUBERNETES}/pki/**/*.crt",),
    "keys": (f"{KUBERNETES}/pki/**/*.key",),
    "kubelet-unit": UNITS,
    # It is in kube-proxy's pod, where kubeadm runs it.
    "kube-proxy": (f"{KUBERNETES}/kube-proxy.conf", f"{KUBERNETES}/proxy.conf"),
}
# Files that the API server reads: the argument that names each.
READ_BY_API_SERVER = {
    "admission": "admission-control-config-file",
    "authentication": "authentication-config",
    "encryption": "encryption-provider-config",
}
DATA_DIR = "/var/lib/etcd"

# Reads a configuration file in YAML; None where that cannot be.
ReadYaml = Callable[[str], Optional[Dict[str, Any]]]


@dataclass(frozen=True)
class Process:
    """One process of a program."""

    number: int
    arguments: Mapping[str, str]

    def path(self, name: str, proc: str) -> str:
        """The file that an argument names, as this process sees it; empty where it names none."""
        given = self.arguments.get(name, "")
        return os.path.join(proc, str(self.number), "root", given.lstrip("/")) if given else ""


def parse_arguments(words: Sequence[str]) -> Dict[str, str]:
    """Arguments by name, without dashes and with dashes for underscores; one without a value is true."""
    found: Dict[str, str] = {}
    for at, word in enumerate(words):
        if not word.startswith("-"):
            continue
        name, equal, value = word.lstrip("-").partition("=")
        follower = words[at + 1] if at + 1 < len(words) else "-"
        if not equal:
            value = "true" if follower.startswith("-") else follower
        found[name.replace("_", "-")] = value
    return found


def _environment(text: str) -> Dict[str, str]:
    """The settings of etcd in an environment."""
    given = dict(line.split("=", 1) for line in text.split("\0") if line.startswith(ENVIRONMENT) and "=" in line)
    names = {name: ENVIRONMENT + name.upper().replace("-", "_") for name in ETCD_SETTINGS}
    return {name: given[variable] for name, variable in names.items() if variable in given}


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


class HostReader:
    """Reads a host.

    Attributes:
        root: of all files, empty for the host's own.
        read_yaml: reads a configuration file.
    """

    def __init__(self, read_yaml: ReadYaml, root: str = "") -> None:
        self.read_yaml, self.root, self.proc = read_yaml, root, f"{root}/proc"

    def read(self) -> Found:
        """All that is judged."""
        processes = self._processes()
        found = Found()
        found.arguments = {name: [one.arguments for one in running] for name, running in processes.items()}
        for name in ("kubelet", "kube-proxy"):
            for process in processes[name]:
                path = process.path("config", self.proc)
                found.settings[name] = self.read_yaml(path) if path else {}
        for name, argument in READ_BY_API_SERVER.items():
            for process in processes["kube-apiserver"]:
                path = process.path(argument, self.proc)
                if path:
                    found.settings[name] = self.read_yaml(path)
        found.settings = {
            name: _providers(content) if name == "encryption" else content for name, content in found.settings.items()
        }
        found.files = {name: self._files(patterns) for name, patterns in FILES.items()}
        for name, paths in self._named(processes["kubelet"], found.settings.get("kubelet")).items():
            found.files[name] = self._files(paths)
        data = [process.arguments.get("data-dir", DATA_DIR) for process in processes["etcd"]]
        found.files["etcd-data"] = self._files(data or [DATA_DIR])
        return found

    def _named(self, kubelets: List[Process], settings: Optional[Mapping[str, Any]]) -> Dict[str, List[str]]:
        """The files that the kubelet's arguments and its configuration name."""
        authority: Any = settings
        for key in ("authentication", "x509", "clientCAFile"):
            authority = authority.get(key) if isinstance(authority, Mapping) else None
        usual = {"kubeconfig": f"{KUBERNETES}/kubelet.conf", "config": "/var/lib/kubelet/config.yaml"}
        named = {name: [one.arguments.get(name, path) for one in kubelets] or [path] for name, path in usual.items()}
        return {
            "kubelet-kubeconfig": named["kubeconfig"],
            "kubelet-config": named["config"],
            "kubelet-ca": [str(authority or f"{KUBERNETES}/pki/ca.crt")],
        }

    def _processes(self) -> Dict[str, List[Process]]:
        """The processes of each program; of etcd those of a pod or of a service, as backups are tried with others."""
        found: Dict[str, List[Process]] = {name: [] for name in PROGRAMS}
        numbers = [entry for entry in os.listdir(self.proc) if entry.isdigit()] if os.path.isdir(self.proc) else []
        for number in sorted(numbers, key=int):
            # It may end at any time.
            with contextlib.suppress(OSError):
                words = _read(f"{self.proc}/{number}/cmdline").rstrip("\0").split("\0")
                name = os.path.basename(words[0])
                if name not in found or (name == "etcd" and not self._is_member(number)):
                    continue
                arguments = parse_arguments(words[1:])
                if name == "etcd":
                    arguments = {**_environment(_read(f"{self.proc}/{number}/environ")), **arguments}
                found[name].append(Process(int(number), arguments))
        return found

    def _is_member(self, number: str) -> bool:
        group = _read(f"{self.proc}/{number}/cgroup")
        return "kubepods" in group or "/etcd.service" in group

    def _files(self, patterns: Iterable[str]) -> List[File]:
        """The files and folders of patterns, each once; what a link leads to counts."""
        paths = {path for pattern in patterns for path in glob.glob(self.root + pattern, recursive=True)}
        found = []
        for path in sorted({os.path.realpath(path) for path in paths}):
            with contextlib.suppress(FileNotFoundError):
                state = os.stat(path)
                found.append(File(path[len(self.root) :], stat.S_IMODE(state.st_mode), _owner(state)))
        return found


def _owner(state: os.stat_result) -> str:
    """Owner and group by their names, or by number where they have none."""
    user, group = str(state.st_uid), str(state.st_gid)
    with contextlib.suppress(KeyError):
        user = pwd.getpwuid(state.st_uid).pw_name
    with contextlib.suppress(KeyError):
        group = grp.getgrgid(state.st_gid).gr_name
    return f"{user}:{group}"


def _providers(configuration: Optional[Mapping[str, Any]]) -> Optional[Dict[str, str]]:
    """Of an EncryptionConfiguration the provider that each resource is written with; keys stay where they are."""
    if configuration is None:
        return None
    found: Dict[str, str] = {}
    for entry in configuration.get("resources") or []:
        first: Mapping[str, Any] = next(iter(entry.get("providers") or []), {})
        for resource in entry.get("resources") or []:
            found.setdefault(str(resource), next(iter(first), ""))
    return found
