# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task's result says that it changed on a host, or would: names and paths, never contents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

OURS = "groundwork.kubernetes."

# Kinds of effects, in the order in which they are shown.
KINDS: dict[str, str] = {
    "kubeadm": "what kubeadm does: initialize, join, resume, reconcile, adopt, mend, write",
    "upgraded": "what kubeadm brings to another version",
    "installed": "packages, and programs from downloads",
    "files": "files and folders that are written or removed, or get another mode or owner",
    "removed": "files that are removed",
    "settings": "fields of kubeadm's configuration that differ from what was applied before",
    "applied": "what kubeadm applies of them",
    "certificates": "what is issued or approved",
    "etcd": "what is done with members of etcd",
    "started": "services and static pods that are started",
    "stopped": "services and static pods that are stopped",
    "restarted": "services, static pods, workloads and hosts that are restarted",
    "reloaded": "services that read their files again",
    "enabled": "units that start at boot",
    "disabled": "units that do not start at boot any more",
    "images": "images that are pulled",
    "objects": "objects of the API that are created, updated or deleted",
    "nodes": "nodes that get other labels, annotations or taints",
    "evicted": "pods that are evicted or deleted",
    "routes": "lines for ip -batch",
    "swap": "swap that is turned off",
}

# Fields of modules' results that are lists of names.
LISTS: dict[str, dict[str, str]] = {
    "etcd_defrag": {"defragmented": "etcd"},
    "etcd_member": {"actions": "etcd"},
    "image_pull": {"pulled": "images"},
    "kubeadm_certificates": {"renewed": "certificates"},
    "kubeadm_init": {"changes": "settings", "steps": "applied", "mended": "files"},
    "kubeadm_join": {"changes": "settings"},
    "kubeadm_upgrade": {"due": "upgraded"},
    "kubelet_renewal": {"renewed": "certificates"},
    "node": {"changed_nodes": "nodes"},
    "packages": {"installed": "installed"},
    "pod_routes": {"commands": "routes"},
    "rollout_restart": {"restarted": "restarted"},
    "swap": {"turned_off": "swap", "disabled": "swap"},
}
ANY: dict[str, str] = {"changed_paths": "files", "removed": "removed"}

# What systemd does with a unit.
ACTIONS: dict[str, str] = {
    "start": "started",
    "stop": "stopped",
    "restart": "restarted",
    "reload": "reloaded",
    "enable": "enabled",
    "disable": "disabled",
}


def effects(action: str, result: Mapping[str, Any]) -> dict[str, list[str]]:
    """The effects of a result by their kinds; of a loop's, those of its changed items."""
    found: dict[str, list[str]] = {}
    items = result["results"] if isinstance(result.get("results"), list) else [result]
    for item in items:
        if isinstance(item, Mapping) and item.get("changed"):
            for kind, name in _of_one(action, item):
                if name not in found.setdefault(kind, []):
                    found[kind].append(name)
    return {kind: found[kind] for kind in KINDS if kind in found}


def _of_one(action: str, result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """The effects of one result."""
    if action == "ansible.builtin.reboot":
        yield "restarted", "the host"
    if not action.startswith(OURS):
        return
    module = action.removeprefix(OURS)
    for field, kind in {**ANY, **LISTS.get(module, {})}.items():
        for name in _names(result.get(field)):
            yield kind, name
    if module in READERS:
        yield from READERS[module](result)


def _names(value: Any) -> list[str]:
    """The texts in a list; of anything else nothing."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _arguments(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a module was called with; secrets are not in it."""
    return (result.get("invocation") or {}).get("module_args") or {}


def _unit(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    arguments = _arguments(result)
    unit = result.get("timer") or arguments.get("unit") or arguments.get("name") or "unit"
    return [(ACTIONS[name], str(unit)) for name in _names(result.get("actions")) if name in ACTIONS]


def _services(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for unit, one in (result.get("services") or {}).items():
        yield from ((ACTIONS[name], str(unit)) for name in _names(one.get("actions")) if name in ACTIONS)


def _pods(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    kind = str(_arguments(result).get("state", "restarted"))
    return [("stopped" if kind == "ended" else kind, name) for name in _names(result.get("moved"))]


def _kubeadm(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    action = result.get("action")
    return [("kubeadm", str(action))] if action not in (None, "none") else []


def _artifacts(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return [("installed", str(name)) for name, one in (result.get("artifacts") or {}).items() if one.get("changed")]


def _files(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return [*_artifacts(result), *_services(result)]


def _objects(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for one in result.get("objects") or []:
        if one.get("action") != "unchanged":
            place = f"{one['namespace']}/" if one.get("namespace") else ""
            yield "objects", f"{one.get('kind')} {place}{one.get('name')} {one.get('action')}"


def _approved(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return [("certificates", f"kubelet-serving of {one.get('node')}") for one in result.get("approved") or []]


def _accounts(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for step in result.get("plan") or []:
        kind = "certificates" if step.get("subject") in ("certificate", "token") else "objects"
        yield kind, f"{step.get('subject')} of {step.get('host')}"


def _evicted(result: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return [("evicted", str(name)) for step in result.get("plan") or [] for name in step.get("evicts") or []]


# What modules tell in their own way.
READERS: dict[str, Callable[[Mapping[str, Any]], Iterable[tuple[str, str]]]] = {
    "artifacts": _artifacts,
    "drain": _evicted,
    "etcd_service": _unit,
    "files": _files,
    "kubeadm_init": _kubeadm,
    "kubeadm_join": _kubeadm,
    "kubelet_certificates": _approved,
    "manifest": _objects,
    "schedule": _unit,
    "service": _unit,
    "static_pods": _pods,
    "user": _accounts,
}
