# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version of a network plugin a cluster has, and whether its project lets it become another one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import unready_workload

# Of each plugin its DaemonSet and the container whose image has the version.
CONTAINERS = {
    "cilium": ("cilium", "cilium-agent"),
    "calico": ("calico-node", "calico-node"),
    "canal": ("canal", "calico-node"),
    "flannel": ("kube-flannel-ds", "kube-flannel"),
}
NAMESPACES = ("kube-system", "calico-system", "kube-flannel", "cilium")
BY_OPERATOR = "calico-system"
LABEL = "app.kubernetes.io/version"
VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Installed:
    """A plugin that is there.

    Attributes:
        place: its DaemonSet with the namespace.
        version: its version; empty where that cannot be told.
        image: its image.
    """

    place: str
    version: str
    image: str


def installed(daemon_sets: Iterable[Mapping[str, Any]], plugin: str) -> Optional[Installed]:
    """What there is of a plugin; None where there is nothing."""
    name, container = CONTAINERS[plugin]
    for item in daemon_sets:
        metadata = item["metadata"]
        if metadata["name"] != name or metadata.get("namespace") not in NAMESPACES:
            continue
        template = item["spec"]["template"]
        images = [one["image"] for one in template["spec"]["containers"] if one["name"] == container]
        if images:
            labels = {**(metadata.get("labels") or {}), **((template.get("metadata") or {}).get("labels") or {})}
            version = _of_image(images[0]) or _of_text(str(labels.get(LABEL) or ""))
            return Installed(f"{metadata['namespace']}/{name}", version, images[0])
    return None


def lacking(daemon_sets: Iterable[Mapping[str, Any]], plugin: str, wanted: str, nodes: int) -> str:
    """What a plugin that its operator installs still lacks; empty where it runs with its version.

    Args:
        daemon_sets: those of the cluster.
        plugin: its name.
        wanted: the version that it is to have.
        nodes: on how many nodes its pods are waited for.
    """
    own = [item for item in daemon_sets if item["metadata"].get("namespace") == BY_OPERATOR]
    found = installed(own, plugin)
    if found is None:
        return f"there is no {BY_OPERATOR}/{CONTAINERS[plugin][0]} yet"
    if found.version not in ("", wanted):
        return f"{found.place} has {found.version} still"
    item = next(one for one in own if one["metadata"]["name"] == CONTAINERS[plugin][0])
    desired = int((item.get("status") or {}).get("desiredNumberScheduled", 0))
    trouble = unready_workload(dict(item), max(desired - nodes, 0))
    return f"{found.place} {trouble}" if trouble else ""


def _of_image(image: str) -> str:
    return _of_text(image.partition("@")[0].rpartition("/")[2].partition(":")[2])


def _of_text(text: str) -> str:
    match = VERSION.match(text)
    return ".".join(match.groups()) if match else ""


def refusal(plugin: str, found: Installed, wanted: str, install: str) -> str:
    """Why a plugin does not become another version; empty where it may.

    Args:
        plugin: its name.
        found: what is there.
        wanted: the version that it is to have.
        install: by what it is to be installed, manifest or chart.
    """
    if plugin == "calico" and install == "manifest" and found.place.startswith(f"{BY_OPERATOR}/"):
        return (
            f"{found.place} is of Calico's operator, and cni_install is manifest: two would be on each node. Nothing "
            "was changed. Set cni_install: chart"
        )
    before, after = _minor(found.version), _minor(wanted)
    if before is None or after is None or before == after:
        return ""
    project = "calico" if plugin == "canal" else plugin
    there = f"the cluster has {plugin} {found.version} ({found.place}), and cni_{project}_version is {wanted}"
    if plugin == "cilium" and not _neighbours(before, after):
        step = 1 if after > before else -1
        return (
            f"{there}: Cilium goes from one minor version to the next alone, or back by one. Nothing was changed. Go "
            f"to {before[0]}.{before[1] + step} first, with its chart"
        )
    if plugin in ("calico", "canal") and after < before:
        return (
            f"{there}: an older Calico does not know what the newer one has written. Nothing was changed. Set "
            f"cni_calico_version: {found.version}, or a newer one"
        )
    return ""


def _minor(version: str) -> Optional[Tuple[int, int]]:
    match = VERSION.match(version)
    return (int(match[1]), int(match[2])) if match else None


def _neighbours(one: Tuple[int, int], other: Tuple[int, int]) -> bool:
    """Whether a minor version is the one before or after another; of a new major version that is the first."""
    first, second = sorted((one, other))
    return second in ((first[0], first[1] + 1), (first[0] + 1, 0))


def told(found: Optional[Installed]) -> Dict[str, str]:
    """The result of the module."""
    return {"installed": found.version if found else "", "place": found.place if found else ""}
