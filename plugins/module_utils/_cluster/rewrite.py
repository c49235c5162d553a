# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every object of a resource anew without changing it, so that it is stored with the key that writes now."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Dict, Iterator, List, Tuple
from urllib.parse import quote

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError

# Objects are listed by the page to learn their names, and written in smaller portions that are read just before.
PAGE, PORTION = 500, 100
# Who changed an object in between has written it, and with the same key; one that is gone needs no key.
HARMLESS = ("Conflict", "NotFound")
REFUSAL = re.compile(r"^(?:Error|error)[^\n]*", re.MULTILINE)
REASON = re.compile(r"Error from server \((\w+)\)")
SHOWN, LENGTH = 5, 300

Name = Tuple[str, str]


class RewriteError(Exception):
    """Something was not written anew; the message says what and why."""


@dataclass
class Progress:
    """How many objects were written anew, and how many had been changed or removed in between."""

    written: int = 0
    passed_over: int = 0


def collection_path(kubectl: Kubectl, resource: str) -> str:
    """Where the API has a resource, such as /api/v1/secrets for secrets."""
    plural, _dot, group = resource.partition(".")
    if not group:
        return f"/api/v1/{plural}"
    versions: Dict[str, Any] = json.loads(kubectl.run("get", f"--raw=/apis/{group}"))
    return f"/apis/{versions['preferredVersion']['groupVersion']}/{plural}"


def names(kubectl: Kubectl, resource: str) -> List[Name]:
    """Namespace and name of every object, in order; the namespace is empty for what has none."""
    path = collection_path(kubectl, resource)
    found: List[Name] = []
    token = ""
    while True:
        page = json.loads(kubectl.run("get", f"--raw={path}?limit={PAGE}&continue={quote(token, safe='')}"))
        found += [(item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in page["items"]]
        token = page["metadata"].get("continue") or ""
        if not token:
            return sorted(found)


def portions(found: List[Name]) -> Iterator[Tuple[str, List[str]]]:
    """The names by namespace, so many at a time."""
    for namespace, group in groupby(found, key=lambda name: name[0]):
        members = [name for _namespace, name in group]
        for start in range(0, len(members), PORTION):
            yield namespace, members[start : start + PORTION]


def refusals(stderr: str) -> List[str]:
    """What kubectl says was refused, but for what does not matter. An object's content is never part of it."""
    lines = [line for line in REFUSAL.findall(stderr) if not any(f"({reason})" in line for reason in HARMLESS)]
    return [line[:LENGTH] for line in lines]


def rewrite(kubectl: Kubectl, resource: str, found: List[Name]) -> Progress:
    """Write the objects with these names anew, each in the version that was just read.

    Raises:
        RewriteError: if the API server refuses one; those before it are done.
    """
    progress = Progress()
    for namespace, members in portions(found):
        scope = [f"--namespace={namespace}"] if namespace else []
        listed = json.loads(
            kubectl.run("get", resource, *members, *scope, "--ignore-not-found", "--output=json") or "{}"
        )
        objects = listed["items"] if listed.get("kind") == "List" else [listed] if listed else []
        if objects:
            content = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
            try:
                kubectl.run("replace", "--filename=-", "--validate=false", stdin=content)
                harmless = 0
            except KubectlError as error:
                harmless = len([reason for reason in REASON.findall(error.stderr) if reason in HARMLESS])
                refused = refusals(error.stderr)
                if refused or not harmless:
                    raise RewriteError(
                        f"{resource} in {namespace or 'the cluster'}: "
                        + "; ".join(refused[:SHOWN] or [f"kubectl replace failed with exit code {error.rc}"])
                    ) from error
            progress.written += len(objects) - harmless
            progress.passed_over += harmless
        progress.passed_over += len(members) - len(objects)
    return progress
