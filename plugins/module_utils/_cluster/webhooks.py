# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission webhooks that a drain would take the ground from: all their pods are on nodes that are drained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.selectors import selects

Object = Dict[str, Any]

Service = Tuple[str, str]
NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Fallen:
    """A webhook that answers nobody until its pods run elsewhere."""

    name: str
    note: str
    refused: str = ""


def needed(configurations: Sequence[Object]) -> List[Object]:
    """The webhooks without whose answer requests fail, and which run in the cluster."""
    return [
        webhook
        for item in configurations
        for webhook in item.get("webhooks") or []
        if webhook.get("failurePolicy", "Fail") == "Fail" and (webhook.get("clientConfig") or {}).get("service")
    ]


def service_of(webhook: Object) -> Service:
    """Where a webhook is asked."""
    service = webhook["clientConfig"]["service"]
    return service["namespace"], service["name"]


def asked_for(webhook: Object, resource: str) -> bool:
    """Whether a webhook is asked when something of the core group, or the eviction of a pod, is created."""
    return any(
        {"*", "CREATE"} & set(rule.get("operations") or [])
        and {"*", ""} & set(rule.get("apiGroups") or [])
        and any(_names(pattern, resource) for pattern in rule.get("resources") or [])
        for rule in webhook.get("rules") or []
    )


def _names(pattern: str, resource: str) -> bool:
    kind, _slash, part = pattern.partition("/")
    wanted_kind, _slash, wanted_part = resource.partition("/")
    return kind in ("*", wanted_kind) and part in ("*", wanted_part)


def concerns(webhook: Object, pod: Object, namespaces: Mapping[str, Object]) -> bool:
    """Whether a webhook is asked about a pod, by its selectors; a condition in CEL is taken as met."""
    namespace = pod["metadata"]["namespace"]
    labels = {NAME_LABEL: namespace, **(namespaces.get(namespace, {}).get("metadata", {}).get("labels") or {})}
    return selects(webhook.get("namespaceSelector") or {}, labels) and selects(
        webhook.get("objectSelector") or {}, pod["metadata"].get("labels")
    )


def backends(endpoints: Object) -> Set[Tuple[str, str]]:
    """Namespace and name of the pods that answer for a service."""
    return {
        (one["targetRef"].get("namespace", ""), one["targetRef"]["name"])
        for subset in endpoints.get("subsets") or []
        for one in subset.get("addresses") or []
        if (one.get("targetRef") or {}).get("kind") == "Pod"
    }


def fallen(
    webhooks: Sequence[Object],
    endpoints: Mapping[Service, Object],
    namespaces: Mapping[str, Object],
    going: Sequence[Object],
    room: Set[str],
) -> List[Fallen]:
    """The webhooks of which no pod is left when these pods go.

    Args:
        webhooks: those without whose answer requests fail.
        endpoints: of their services.
        namespaces: all of them by name.
        going: the pods that go.
        room: the uids of those for which another node has room.
    """
    found: List[Fallen] = []
    by_name = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in going}
    for webhook in webhooks:
        pods = backends(endpoints.get(service_of(webhook), {}))
        if not pods or not pods <= by_name.keys():
            continue
        own = [by_name[pod] for pod in sorted(pods)]
        label = f"webhook {webhook['name']}, whose only pods are {', '.join('/'.join(pod) for pod in sorted(pods))}"
        note = f"{label}: what it is asked about fails until they run elsewhere"
        refused = ""
        if asked_for(webhook, "pods") and all(concerns(webhook, pod, namespaces) for pod in own):
            refused = f"{label}, is asked before pods like its own start, so they would never start again"
        elif asked_for(webhook, "pods/eviction") and not any(pod["metadata"]["uid"] in room for pod in own):
            refused = f"{label}, is asked about evictions, and no other node has room for them"
        if refused and webhook.get("matchConditions"):
            note, refused = f"{refused}, unless its matchConditions except them", ""
        advice = ": run it on several nodes, or except its own namespace with namespaceSelector"
        found.append(Fallen(webhook["name"], note, f"{refused}{advice}" if refused else ""))
    return found
