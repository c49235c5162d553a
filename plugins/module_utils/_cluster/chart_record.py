# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster itself keeps of a release: which chart it is of, and which objects it has.

It is a Secret, as a digest of what was rendered tells something of the secrets in it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import Object, is_crd

PREFIX = "groundwork-chart-"
TYPE = "groundwork.kubernetes/chart"
# Charts say by it what an uninstallation leaves.
KEEP = "helm.sh/resource-policy"
# What holds more than a release, or data, is never removed with one.
STAYING = ("Namespace", "PersistentVolumeClaim")


class RecordError(Exception):
    """A record cannot be read; the message says which."""


@dataclass(frozen=True)
class Entry:
    """An object of a release; kept says that it stays when the release goes."""

    api_version: str
    kind: str
    namespace: str
    name: str
    kept: bool = False

    @classmethod
    def of(cls, item: Object) -> Entry:
        """The entry of an object."""
        metadata = item["metadata"]
        policy = str((metadata.get("annotations") or {}).get(KEEP, "")).strip().lower()
        kept = policy == "keep" or item["kind"] in STAYING
        return cls(item["apiVersion"], item["kind"], metadata.get("namespace") or "", metadata["name"], kept)

    @property
    def identity(self) -> Tuple[str, str, str, str]:
        """What another version of the same API shares."""
        group, slash, _version = self.api_version.partition("/")
        return (group if slash else "", self.kind, self.namespace, self.name)

    @property
    def is_crd(self) -> bool:
        """Whether it defines a custom resource."""
        return is_crd({"apiVersion": self.api_version, "kind": self.kind})

    def object(self) -> Object:
        """The object, as far as it takes to name it."""
        metadata = {"name": self.name, **({"namespace": self.namespace} if self.namespace else {})}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}

    def __str__(self) -> str:
        """As a person names it."""
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"


@dataclass(frozen=True)
class Record:
    """What is known of a release.

    Attributes:
        chart: the chart's name and version.
        digest: of what was applied to its end; empty while that is not done.
        installed: whether it ever was.
        entries: the objects that it has or may have.
    """

    chart: str
    digest: str
    installed: bool
    entries: Tuple[Entry, ...]

    def secret(self, namespace: str, release: str) -> Object:
        """The object that keeps it."""
        rows: List[List[Any]] = [
            [entry.api_version, entry.kind, entry.namespace, entry.name, entry.kept] for entry in self.entries
        ]
        content = {"chart": self.chart, "digest": self.digest, "installed": self.installed, "objects": rows}
        text = json.dumps(content, sort_keys=True)
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": PREFIX + release, "namespace": namespace},
            "type": TYPE,
            "data": {"release": base64.b64encode(text.encode()).decode()},
        }


def read_record(secret: Optional[Dict[str, Any]]) -> Optional[Record]:
    """The record that an object keeps; None where there is no object.

    Raises:
        RecordError: if it holds something else.
    """
    if secret is None:
        return None
    try:
        content = json.loads(base64.b64decode(secret["data"]["release"]))
        entries = tuple(Entry(*row) for row in content["objects"])
        return Record(content["chart"], content["digest"], content["installed"], entries)
    except (KeyError, TypeError, ValueError) as error:
        metadata = secret["metadata"]
        raise RecordError(
            f"the Secret {metadata.get('namespace')}/{metadata['name']} is no record of a chart: compare what is "
            "there with the chart, and delete the Secret"
        ) from error
