# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the target of an upgrade does not know, read from removals.yml, and where a cluster has it."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import did_you_mean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minor_of

DATA = Path(__file__).with_name("removals.yml")
KUBELET, KUBEADM_FLAGS = "kubelet", "/var/lib/kubelet/kubeadm-flags.env"
KUBELET_CONFIGURATION = "/var/lib/kubelet/config.yaml"
GATES_FLAG, PLUGIN_FLAGS = "feature-gates", ("enable-admission-plugins", "disable-admission-plugins")
ARGUMENT = re.compile(r"--([a-zA-Z][\w-]*)(?:[= ]([^\s\"']*))?")


@dataclass(frozen=True)
class Setting:
    """Something that a component is started with, and where that is written."""

    component: str
    name: str
    value: str
    place: str


@functools.lru_cache(maxsize=1)
def data() -> dict[str, Any]:
    """The data file."""
    with DATA.open(encoding="utf-8") as stream:
        found: dict[str, Any] = yaml_load(stream)
    return found


def removed(table: Mapping[str, Sequence[str]], target: str) -> dict[str, str]:
    """What a version no longer has, with the minor release that removed it."""
    minor = minor_of(target)
    return {name: since for since, names in table.items() if minor_of(since) <= minor for name in names}


def flags_removed(component: str, target: str) -> dict[str, str]:
    """The flags that a component no longer has; of other programs none are known.

    They are written with hyphens. A component takes underscores for them.
    """
    if component not in data()["flags"]:
        return {}
    return removed(data()["common_flags"], target) | removed(data()["flags"][component], target)


def arguments_of(manifest: str, component: str, path: str) -> Iterator[Setting]:
    """The arguments of all containers of a static pod, each of the program that it runs.

    Args:
        manifest: the static pod.
        component: what a container runs whose command names no program.
        path: where the manifest is.
    """
    pod = yaml.safe_load(manifest) or {}
    for container in (pod.get("spec") or {}).get("containers") or []:
        words = [str(word) for word in [*(container.get("command") or []), *(container.get("args") or [])]]
        program = words[0].rpartition("/")[2] if words and not words[0].startswith("-") else component
        for word in words:
            name, _equals, value = word.partition("=")
            if name.startswith("--"):
                yield Setting(program, name[2:], value, path)


def kubelet_arguments(text: str, path: str) -> Iterator[Setting]:
    """The kubelet's arguments in a file of variables or of systemd; comments are none."""
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue
        try:
            words = " ".join(shlex.split(line))
        except ValueError:
            words = line
        for name, value in ARGUMENT.findall(words):
            yield Setting(KUBELET, name, value, path)


def settings_of(files: Mapping[str, str]) -> Iterator[Setting]:
    """All arguments in a host's files, and the gates of the kubelet's configuration."""
    for path, text in files.items():
        name = path.rpartition("/")[2].removesuffix(".yaml")
        if "/manifests/" in path:
            yield from arguments_of(text, name, path)
        elif path == KUBELET_CONFIGURATION:
            gates = (yaml.safe_load(text) or {}).get("featureGates") or {}
            for gate, value in gates.items():
                yield Setting(KUBELET, GATES_FLAG, f"{gate}={value}", path)
        else:
            yield from kubelet_arguments(text, path)


def gates_in(setting: Setting) -> list[str]:
    """The gates that an argument sets."""
    if setting.name != GATES_FLAG:
        return []
    return [part.partition("=")[0].strip() for part in setting.value.split(",") if part]


def losses(settings: Sequence[Setting], target: str, keep: Sequence[str] = ()) -> Iterator[tuple[Setting, str, str]]:
    """What the target no longer knows: the setting, what of it, and the minor release that removed it.

    Args:
        settings: of all components of a host.
        target: the version.
        keep: flags in kubeadm's own file that the user wants; others there kubeadm takes out by itself.
    """
    gates = removed(data()["gates"], target)
    plugins = removed(data()["admission_plugins"], target)
    for setting in settings:
        flags = flags_removed(setting.component, target)
        name = setting.name.replace("_", "-")
        kubeadms = setting.place == KUBEADM_FLAGS and setting.name not in keep
        if name in flags and not kubeadms:
            yield setting, f"--{setting.name}", flags[name]
        for gate in gates_in(setting):
            if gate in gates:
                yield setting, f"feature gate {gate}", gates[gate]
        if setting.name in PLUGIN_FLAGS:
            for plugin in setting.value.split(","):
                if plugin in plugins:
                    yield setting, f"admission plugin {plugin}", plugins[plugin]


def known(table: str, target: str) -> set[str]:
    """The gates or admission plugins that a version knows; empty where the data does not cover it."""
    if minor_of(target) > minor_of(data()["known_until"]):
        return set()
    gone = removed(data()[table], target)
    return set(removed(data()[f"known_{table}"], target)) - gone.keys()


def unknown(settings: Sequence[Setting], target: str) -> Iterator[tuple[Setting, str, str]]:
    """What the target has never known: the setting, what of it, and what may be meant."""
    gates, plugins = known("gates", target), known("admission_plugins", target)
    gone = removed(data()["gates"], target).keys() | removed(data()["admission_plugins"], target).keys()
    for setting in settings:
        if setting.component not in data()["flags"]:  # etcd has gates of its own
            continue
        names = [(gate, gates, "feature gate") for gate in gates_in(setting)]
        if setting.name in PLUGIN_FLAGS:
            names += [(name.strip(), plugins, "admission plugin") for name in setting.value.split(",")]
        for name, words, kind in names:
            if name and words and name not in words and name not in gone:
                yield setting, f"{kind} {name}", did_you_mean(name, words)
