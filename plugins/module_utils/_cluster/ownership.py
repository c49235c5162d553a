# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an object of the cluster is: it says so itself."""

from __future__ import annotations

from typing import Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    Object,
    Ref,
    is_foundation,
)

ANNOTATION = "groundwork.kubernetes/owner"
HELM_NAME, HELM_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"


def marked(item: Object, owner: str) -> Object:
    """An object that says whose it is; namespaces and definitions of resources are nobody's."""
    if is_foundation(item):
        return item
    metadata = item["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION: owner}
    return {**item, "metadata": {**metadata, "annotations": annotations}}


def not_own(item: Optional[Object], owner: str) -> str:
    """Why an object of the cluster is not of an owner, with its name; empty where it is, or may be anyone's."""
    if item is None or is_foundation(item):
        return ""
    annotations = item["metadata"].get("annotations") or {}
    found = annotations.get(ANNOTATION)
    if found == owner:
        return ""
    if found:
        return f"{Ref.of(item)} is of {found}"
    if HELM_NAME in annotations:
        release = f"{annotations.get(HELM_NAMESPACE, '')}/{annotations[HELM_NAME]}"
        return f"{Ref.of(item)} is of the release {release} of Helm"
    return f"{Ref.of(item)} was made by something else"
