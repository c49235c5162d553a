# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore's plan in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.identity import uid_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import CONTROLLER, Request


def age(seconds: int) -> str:
    """An age for people."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}s"
    return f"{seconds} seconds"


def called(host: str) -> str:
    """A host's name for people."""
    return "the machine that runs Ansible" if host == CONTROLLER else host


def summary(plan: Mapping[str, Any], request: Request) -> list[str]:
    """The plan in sentences."""
    lines = [f"{plan['action'].capitalize()} {plan['id']} of the cluster {request.cluster}"]
    archive = plan["archive"]
    if archive:
        path = archive.get("source", archive["path"])
        lines += [
            f"backup: {path}, made {archive['created']} ({age(archive['age'])} ago)" if archive["age"]
            else f"backup: {path}, made {archive['created']}",
            f"it is of the cluster with the identity {uid_of(archive) or 'not known'}",
            *([f"all of its bytes were read on {', '.join(map(called, plan['places']))}"] if archive["whole"] else []),
            *([f"signed: {plan['signed']}"] if plan["signed"] else []),
            f"it has revision {archive['etcd']['revision']}, {archive['etcd']['keys']} keys",
        ]  # fmt: skip
    if plan["revisions_lost"] is not None:
        lines.append(f"the cluster has made {plan['revisions_lost']} changes since then, which will be lost")
    lines.append(f"members: {', '.join(f'{name} ({url[0]})' for name, url in plan['initial_cluster'].items())}")
    stages = {host: stage for host, stage in plan["stages"].items() if stage}
    if stages:
        lines.append(f"done before: {', '.join(f'{host} {stage}' for host, stage in stages.items())}")
    if plan["copy_to"]:
        lines.append(f"the archive is copied to {', '.join(plan['copy_to'])}")
    if plan["save"]:
        lines.append("what runs now is saved as a backup first")
    if plan["stop"]:
        lines.append("the API servers and etcd are stopped meanwhile; pods go on running")
    return [*lines, *(f"warning: {text}" for text in plan["warnings"])]
