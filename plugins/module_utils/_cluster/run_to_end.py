# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and Pods that run once: whether they have succeeded."""

from __future__ import annotations

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    ManifestError,
    Object,
    Ref,
)


def comes_to_an_end(item: Object) -> bool:
    """Whether an object is a Job or a Pod."""
    api, kind = item["apiVersion"], item["kind"]
    return (kind == "Job" and api.startswith("batch/")) or (kind == "Pod" and api == "v1")


def not_succeeded(item: Object) -> str:
    """What a Job or Pod still lacks; empty when it has succeeded.

    Raises:
        ManifestError: if it has failed, which no waiting changes.
    """
    status = item.get("status") or {}
    if item["kind"] == "Pod":
        phase = status.get("phase", "Unknown")
        if phase == "Failed":
            raise ManifestError(f"{Ref.of(item)} has failed: {_why(status)}; kubectl logs tells more")
        return "" if phase == "Succeeded" else f"is {phase}"
    conditions = {one["type"]: one for one in status.get("conditions") or [] if one.get("status") == "True"}
    if "Failed" in conditions:
        raise ManifestError(f"{Ref.of(item)} has failed: {_why(conditions['Failed'])}; the logs of its pods tell more")
    return "" if "Complete" in conditions else "is not complete"


def _why(status: Object) -> str:
    texts = [str(status[name]) for name in ("reason", "message") if status.get(name)]
    return ": ".join(texts) or "no reason is given"
