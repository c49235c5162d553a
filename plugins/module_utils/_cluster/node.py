# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node objects: what should be changed on them, and what the network needs to know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.cordon import purpose_of

Object = Dict[str, Any]

# Where kubeadm notes the socket of a node's container runtime.
CRI_SOCKET = "kubeadm.alpha.kubernetes.io/cri-socket"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


class NodeError(Exception):
    """A node is missing or not as wanted; the message says which, and what to do."""


@dataclass(frozen=True)
class DesiredNode:
    """What a node should have; a label or annotation of None is removed, and what is not named stays."""

    name: str
    labels: Dict[str, Optional[str]] = field(default_factory=dict)
    annotations: Dict[str, Optional[str]] = field(default_factory=dict)
    taints: Tuple[Dict[str, str], ...] = ()
    taints_absent: Tuple[Dict[str, str], ...] = ()
    unschedulable: Optional[bool] = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> DesiredNode:
        """What a module's options ask for.

        Raises:
            NodeError: if it contradicts itself.
        """
        taints = tuple(taint(item["key"], item["effect"], item.get("value")) for item in options.get("taints") or [])
        absent = tuple(
            {key: item[key] for key in ("key", "effect") if item.get(key)}
            for item in options.get("taints_absent") or []
        )
        for item in taints:
            if any(matches(item, gone) for gone in absent):
                raise NodeError(
                    f"node {options['name']}: taint {item['key']}:{item['effect']} is in taints and in taints_absent"
                )
        return cls(
            options["name"],
            words(options.get("labels")),
            words(options.get("annotations")),
            taints,
            absent,
            options.get("unschedulable"),
        )


def text_of(value: Any) -> str:
    """A value as Kubernetes writes it where it wants text; YAML may have read it as a number or a boolean."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def words(values: Optional[Mapping[str, Any]]) -> Dict[str, Optional[str]]:
    """Values as the API wants them: text, but for those that are to be removed."""
    return {key: value if value is None else text_of(value) for key, value in (values or {}).items()}


def taint(key: str, effect: str, value: Any = None) -> Dict[str, str]:
    """A taint as the API writes it: without an empty value."""
    text = "" if value is None else text_of(value)
    return {"key": key, **({"value": text} if text else {}), "effect": effect}


def matches(item: Mapping[str, str], pattern: Mapping[str, str]) -> bool:
    """Whether a taint has a pattern's key and, if it names one, its effect."""
    return item["key"] == pattern["key"] and pattern.get("effect") in (None, item["effect"])


def state(node: Object, wanted_node: DesiredNode) -> Object:
    """The part of a node that is to be as desired."""
    metadata, spec = node["metadata"], node.get("spec") or {}
    shown: Object = {}
    for kind, wanted in (("labels", wanted_node.labels), ("annotations", wanted_node.annotations)):
        values = metadata.get(kind) or {}
        if wanted:
            shown[kind] = {key: values[key] for key in sorted(wanted) if key in values}
    if wanted_node.taints or wanted_node.taints_absent:
        shown["taints"] = list(spec.get("taints") or [])
    if wanted_node.unschedulable is not None:
        shown["unschedulable"] = bool(spec.get("unschedulable"))
    return shown


def wanted_state(before: Object, wanted_node: DesiredNode) -> Object:
    """The same part as it is desired."""
    after: Object = {}
    for kind, values in (("labels", wanted_node.labels), ("annotations", wanted_node.annotations)):
        if values:
            after[kind] = {key: value for key, value in sorted(values.items()) if value is not None}
    if "taints" in before:
        kept = [item for item in before["taints"] if not any(matches(item, gone) for gone in wanted_node.taints_absent)]
        for item in wanted_node.taints:
            same = [one for one in kept if matches(one, {"key": item["key"], "effect": item["effect"]})]
            if not same:
                kept.append(item)
            elif (same[0].get("value") or "") != item.get("value", ""):
                kept[kept.index(same[0])] = item
        after["taints"] = kept
    if wanted_node.unschedulable is not None:
        after["unschedulable"] = wanted_node.unschedulable
    return after


def merge_patch(node: Object, wanted_node: DesiredNode) -> Optional[Object]:
    """The JSON merge patch that makes a node as desired; None where there is nothing to do.

    A list of taints can only be replaced as a whole, so the patch holds the version it was made for: the API server
    refuses it if a controller has changed the node in between.
    """
    before = state(node, wanted_node)
    after = wanted_state(before, wanted_node)
    if before == after:
        return None
    metadata: Object = {}
    for kind, values in (("labels", wanted_node.labels), ("annotations", wanted_node.annotations)):
        changed = {key: value for key, value in values.items() if before[kind].get(key) != value}
        if changed:
            metadata[kind] = changed
    spec: Object = {}
    if before.get("taints") != after.get("taints"):
        spec["taints"] = after["taints"] or None
        metadata["resourceVersion"] = node["metadata"]["resourceVersion"]
    if before.get("unschedulable") != after.get("unschedulable"):
        spec["unschedulable"] = after["unschedulable"] or None
    return {key: value for key, value in (("metadata", metadata), ("spec", spec)) if value}


def pod_images(pods: Iterable[Object]) -> Dict[str, List[str]]:
    """The images of the pods that are on nodes and have not ended, by node.

    Those of pods with secrets for registries are left out: with them the kubelet alone can have them.
    """
    found: Dict[str, Set[str]] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        if (
            spec.get("nodeName")
            and not spec.get("imagePullSecrets")
            and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ):
            kinds = ("initContainers", "containers", "ephemeralContainers")
            images = {one["image"] for kind in kinds for one in spec.get(kind) or [] if one.get("image")}
            found.setdefault(spec["nodeName"], set()).update(images)
    return {name: sorted(images) for name, images in found.items()}


def summary(node: Object) -> Object:
    """What tasks need to know of a node."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    ready: Object = next((one for one in status.get("conditions") or [] if one["type"] == "Ready"), {})
    return {
        "name": node["metadata"]["name"],
        "labels": node["metadata"].get("labels") or {},
        "taints": spec.get("taints") or [],
        "unschedulable": bool(spec.get("unschedulable")),
        "cordoned_for": purpose_of(node),
        "pod_cidrs": spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []),
        "internal_ips": [one["address"] for one in status.get("addresses") or [] if one["type"] == "InternalIP"],
        "kubelet_version": (status.get("nodeInfo") or {}).get("kubeletVersion", ""),
        "container_runtime": (status.get("nodeInfo") or {}).get("containerRuntimeVersion", ""),
        "cri_socket": (node["metadata"].get("annotations") or {}).get(CRI_SOCKET, ""),
        "ready": ready.get("status") == "True",
        # The node controller writes Unknown where a kubelet has been silent for 40 seconds or more.
        "reports": ready.get("status") != "Unknown",
        "ready_message": ready.get("message") or "its kubelet has not reported yet",
    }


def faults(nodes: Sequence[Object], names: Sequence[str], wait_for: Sequence[str]) -> List[str]:
    """What the named nodes lack, of summaries; all nodes are meant where none is named."""
    known = {node["name"]: node for node in nodes}
    missing: List[str] = []
    for name in names or list(known):
        node = known.get(name)
        if node is None:
            missing.append(f"node {name} is not registered: see its kubelet's log")
            continue
        if "pod_cidr" in wait_for and not node["pod_cidrs"]:
            missing.append(
                f"node {name} has no pod subnet: the controller manager gives it one if it runs with "
                "--allocate-node-cidrs and --cluster-cidr, and the pod network has subnets left"
            )
        if "internal_ip" in wait_for and not node["internal_ips"]:
            missing.append(f"node {name} has no InternalIP")
        if "ready" in wait_for and not node["ready"]:
            missing.append(f"node {name} is not ready: {node['ready_message']}")
    return missing
