# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Helm renders of a chart: definitions, objects and hooks, and what in it cannot be applied."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    ManifestError,
    Object,
    Ref,
    is_crd,
)

HOOK, WEIGHT, DELETE_POLICY = "helm.sh/hook", "helm.sh/hook-weight", "helm.sh/hook-delete-policy"
BEFORE = {"pre-install": False, "pre-upgrade": True}  # whether in an upgrade
AFTER = {"post-install": False, "post-upgrade": True}
TESTS = ("test", "test-success", "test-failure")
# Kinds of Kubernetes itself that are in no namespace, for where no cluster says it.
CLUSTER_WIDE = frozenset(
    [
        *("APIService", "CSIDriver", "CSINode", "CertificateSigningRequest", "ClusterRole", "ClusterRoleBinding"),
        *("ClusterTrustBundle", "CustomResourceDefinition", "DeviceClass", "FlowSchema", "IPAddress", "IngressClass"),
        *("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "MutatingWebhookConfiguration", "Namespace"),
        *("Node", "PersistentVolume", "PodSecurityPolicy", "PriorityClass", "PriorityLevelConfiguration"),
        *("ResourceSlice", "RuntimeClass", "ServiceCIDR", "StorageClass", "ValidatingAdmissionPolicy"),
        *("ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttachment"),
        "VolumeAttributesClass",
    ]
)


@dataclass(frozen=True)
class Hook:
    """An object that is made at a certain time of an installation or upgrade."""

    item: Object
    events: tuple[str, ...]
    weight: int
    removed: bool

    def at(self, upgrade: bool, times: Mapping[str, bool]) -> bool:
        """Whether it belongs to one of these times."""
        return any(times.get(event) is upgrade for event in self.events)


@dataclass(frozen=True)
class Rendering:
    """All that a chart renders, in the order in which it is applied."""

    crds: list[Object]
    objects: list[Object]
    hooks: list[Hook]

    @property
    def everything(self) -> list[Object]:
        """Every object."""
        return [*self.crds, *self.objects, *(hook.item for hook in self.hooks)]

    @property
    def digest(self) -> str:
        """The same for the same objects, whatever their order."""
        texts = sorted(json.dumps(item, sort_keys=True) for item in self.everything)
        return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def annotations_of(item: Object) -> Mapping[str, Any]:
    """The annotations of an object."""
    return item["metadata"].get("annotations") or {}


def split(objects: Sequence[Object], skip: Sequence[str] = ()) -> Rendering:
    """Sort what Helm prints.

    Args:
        objects: what it prints.
        skip: events whose hooks are left out.

    Raises:
        ManifestError: naming hooks that nothing here runs.
    """
    hooks: list[Hook] = []
    faults: list[str] = []
    rest: list[Object] = []
    for item in objects:
        events = tuple(filter(None, (event.strip() for event in str(annotations_of(item).get(HOOK, "")).split(","))))
        wanted = tuple(event for event in events if event not in skip and event not in TESTS)
        if not events:
            rest.append(item)
            continue
        unknown = [event for event in wanted if event not in {**BEFORE, **AFTER}]
        if unknown:
            faults.append(f"{Ref.of(item)} is a hook of {', '.join(unknown)}")
        elif wanted:
            hooks.append(Hook(item, wanted, _weight(item, faults), "hook-succeeded" in _policies(item)))
    if faults:
        raise ManifestError(
            f"{'; '.join(faults)}: only hooks before and after an installation or upgrade are run; leave others out "
            "with skip_hooks"
        )
    return Rendering(
        [item for item in rest if is_crd(item)],
        [item for item in rest if not is_crd(item)],
        sorted(hooks, key=lambda hook: hook.weight),
    )


def _policies(item: Object) -> list[str]:
    return [policy.strip() for policy in str(annotations_of(item).get(DELETE_POLICY, "")).split(",")]


def _weight(item: Object, faults: list[str]) -> int:
    text = str(annotations_of(item).get(WEIGHT, 0))
    try:
        return int(text)
    except ValueError:
        faults.append(f"{Ref.of(item)} has the weight {text}, which is no number")
        return 0


def differing(first: Sequence[Object], second: Sequence[Object]) -> list[str]:
    """The names of the objects that are not the same in both, or only in one."""
    one, two = ({str(Ref.of(item)): item for item in objects} for objects in (first, second))
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def defined_kinds(crds: Iterable[Object]) -> dict[str, bool]:
    """The kinds that definitions bring, and whether they are in namespaces."""
    found = {}
    for item in crds:
        spec = item.get("spec") or {}
        versions = spec.get("versions") or [{"name": spec.get("version")}]
        for version in versions:
            name = f"{spec.get('group')}/{version.get('name')}/{(spec.get('names') or {}).get('kind')}"
            found[name] = spec.get("scope") == "Namespaced"
    return found


def placed(rendering: Rendering, namespace: str, kinds: Mapping[str, bool]) -> Rendering:
    """The same, with the release's namespace where an object of a namespace names none.

    Args:
        rendering: what was rendered.
        namespace: the release's.
        kinds: which kinds are in namespaces, as a cluster says.
    """
    known = {**kinds, **defined_kinds(rendering.crds)}

    def place(item: Object) -> Object:
        within = known.get(f"{item['apiVersion']}/{item['kind']}", item["kind"] not in CLUSTER_WIDE)
        if not within or item["metadata"].get("namespace"):
            return item
        result = copy.deepcopy(item)
        result["metadata"]["namespace"] = namespace
        return result

    return Rendering(
        rendering.crds,
        [place(item) for item in rendering.objects],
        [Hook(place(hook.item), hook.events, hook.weight, hook.removed) for hook in rendering.hooks],
    )


def unserved(rendering: Rendering, kinds: Mapping[str, bool], silent: Sequence[str]) -> list[str]:
    """The objects of which a cluster serves no kind, with their APIs; nothing is said of APIs that do not answer."""
    known = {**kinds, **defined_kinds(rendering.crds)}
    return [
        f"{Ref.of(item)} ({item['apiVersion']})"
        for item in rendering.everything
        if f"{item['apiVersion']}/{item['kind']}" not in known and item["apiVersion"] not in silent
    ]
