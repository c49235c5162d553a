# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a manifest: their names, their order, and what would change."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import unready_workload

Object = Dict[str, Any]

FIELD_MANAGER = "groundwork"
CRD_GROUP = "apiextensions.k8s.io"
# Written by the server or by controllers, never by a manifest: they say nothing about a difference.
SERVER_FIELDS = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NO_KIND = re.compile(r'no matches for kind "([^"]+)" in version "([^"]+)"')
NO_NAMESPACE = re.compile(r'namespaces "([^"]+)" not found')


class ManifestError(Exception):
    """A manifest cannot be applied; the message says why and what to do."""


@dataclass(frozen=True)
class Ref:
    """What identifies an object; the namespace is empty for one that has none."""

    group: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, item: Object) -> Ref:
        """The identity of an object."""
        metadata = item["metadata"]
        group, slash, _version = item["apiVersion"].partition("/")
        return cls(group if slash else "", item["kind"], metadata.get("namespace") or "", metadata["name"])

    def __str__(self) -> str:
        """As a person names it."""
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


@dataclass(frozen=True)
class Unknown:
    """What the API server does not know yet: kinds as (apiVersion, kind), and namespaces."""

    kinds: Set[Tuple[str, str]]
    namespaces: Set[str]

    def holds(self, item: Object) -> bool:
        """Whether an object cannot exist because its kind or its namespace does not."""
        return (item["apiVersion"], item["kind"]) in self.kinds or (
            item["metadata"].get("namespace") or ""
        ) in self.namespaces

    def __or__(self, other: Unknown) -> Unknown:
        """Both together."""
        return Unknown(self.kinds | other.kinds, self.namespaces | other.namespaces)

    def __bool__(self) -> bool:
        """Whether anything is unknown."""
        return bool(self.kinds or self.namespaces)

    def __str__(self) -> str:
        """As a person names it."""
        names = [f"kind {kind} ({version})" for version, kind in sorted(self.kinds)]
        return ", ".join(names + [f"namespace {name}" for name in sorted(self.namespaces)])


@dataclass(frozen=True)
class Change:
    """One object as it is (None: there is none), as it will be (None: removed), and as the manifest has it."""

    ref: Ref
    before: Optional[Object]
    after: Optional[Object]
    wanted: Optional[Object] = None

    @property
    def action(self) -> str:
        """What happens to the object."""
        if self.before is None:
            return "unchanged" if self.after is None else "created"
        if self.after is None:
            return "deleted"
        return "unchanged" if essence(self.before) == essence(self.after) else "updated"

    def diff(self) -> Dict[str, str]:
        """The change in the form Ansible's diff mode shows, without the values of Secrets."""
        before, after = (essence(item) if item else {} for item in (self.before, self.after))
        if self.ref.kind == "Secret":
            before, after = masked(before, after)
        return {
            "before_header": str(self.ref),
            "after_header": str(self.ref),
            "before": text(before),
            "after": text(after),
        }


def text(item: Object) -> str:
    """An object for a person to read; nothing for none."""
    return json.dumps(item, indent=2, sort_keys=True) + "\n" if item else ""


def essence(item: Object) -> Object:
    """An object without its status and what the server writes into its metadata."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in SERVER_FIELDS}
    annotations = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key != LAST_APPLIED
    }
    if annotations:
        metadata["annotations"] = annotations
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def masked(before: Object, after: Object) -> Tuple[Object, Object]:
    """A Secret's two states with each value replaced by a word that only says whether it differs."""
    old, new = ({**(item.get("data") or {}), **(item.get("stringData") or {})} for item in (before, after))

    def hide(item: Object, values: Dict[str, Any], word: str) -> Object:
        if not item:
            return item
        shown = {key: value for key, value in item.items() if key not in ("data", "stringData")}
        return {**shown, "data": {key: "hidden" if old.get(key) == new.get(key) else word for key in values}}

    return hide(before, old, "hidden (before)"), hide(after, new, "hidden (after)")


def flatten(objects: Iterable[Any]) -> List[Object]:
    """The objects with lists replaced by their items and empty documents left out."""
    result: List[Object] = []
    for item in objects:
        if (
            isinstance(item, dict)
            and str(item.get("kind", "")).endswith("List")
            and isinstance(item.get("items"), list)
        ):
            result.extend(flatten(item["items"]))
        elif item is not None and item != {}:
            result.append(item)
    return result


def check(objects: Sequence[Any]) -> List[Object]:
    """The objects, proven to be fit to apply.

    Raises:
        ManifestError: naming every fault.
    """
    faults: List[str] = []
    seen: Set[Ref] = set()
    for number, item in enumerate(objects, 1):
        if not isinstance(item, dict):
            faults.append(f"object {number} is not a mapping but {type(item).__name__}")
            continue
        metadata = item.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        missing = [key for key in ("apiVersion", "kind") if not isinstance(item.get(key), str) or not item[key]]
        if not isinstance(name, str) or not name:
            missing.append("metadata.name")
        if missing:
            faults.append(
                f"object {number} ({item.get('kind') or 'no kind'} {name or 'no name'}) lacks {', '.join(missing)}"
            )
            continue
        ref = Ref.of(item)
        if ref in seen:
            faults.append(f"{ref} is there twice")
        seen.add(ref)
    if not objects:
        faults.append("it holds no object")
    if faults:
        raise ManifestError("the manifest can't be applied: " + "; ".join(faults))
    return list(objects)


def is_crd(item: Object) -> bool:
    """Whether an object defines a custom resource."""
    return item["kind"] == "CustomResourceDefinition" and item["apiVersion"].startswith(CRD_GROUP + "/")


def is_foundation(item: Object) -> bool:
    """Whether other objects of the manifest may need this one first: a namespace or a resource definition."""
    return is_crd(item) or (item["kind"] == "Namespace" and item["apiVersion"] == "v1")


def in_order(objects: Sequence[Object]) -> List[Object]:
    """Namespaces and resource definitions first; otherwise the manifest's own order."""
    return sorted(objects, key=lambda item: not is_foundation(item))


def defined_by(foundations: Iterable[Object]) -> Unknown:
    """The kinds and namespaces that these objects bring."""
    kinds: Set[Tuple[str, str]] = set()
    namespaces: Set[str] = set()
    for item in foundations:
        if is_crd(item):
            spec = item["spec"]
            versions = [version["name"] for version in spec.get("versions") or [{"name": spec.get("version", "")}]]
            kinds |= {(f"{spec['group']}/{version}", spec["names"]["kind"]) for version in versions}
        else:
            namespaces.add(item["metadata"]["name"])
    return Unknown(kinds, namespaces)


def unknown_in(message: str) -> Unknown:
    """The kinds and namespaces that kubectl says do not exist."""
    return Unknown({(version, kind) for kind, version in NO_KIND.findall(message)}, set(NO_NAMESPACE.findall(message)))


def as_list(objects: Sequence[Object]) -> str:
    """Objects as one document that kubectl reads."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def from_output(output: str) -> List[Object]:
    """The objects that kubectl printed as JSON: none, one or a list."""
    if not output.strip():
        return []
    return flatten([json.loads(output)])


def unready(item: Object) -> str:
    """What a workload or a resource definition still lacks; empty when it is ready."""
    if is_crd(item):
        conditions = {one["type"]: one["status"] for one in (item.get("status") or {}).get("conditions") or []}
        return "" if conditions.get("Established") == "True" else "is not established"
    return unready_workload(item)
