# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All downloads of a task: read from the options, compared with what is installed, with all faults at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifacts import (
    Artifact,
    Stamp,
    obsolete_files,
    parse_artifact,
    read_stamp,
    up_to_date,
    wrong_attributes,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import ArtifactError


@dataclass
class ArtifactPlan:
    """What is to be done."""

    artifacts: List[Artifact]
    stamps: Dict[str, Optional[Stamp]]
    missing: List[Artifact]
    attributes: Dict[str, Dict[str, Attributes]]
    removed: Dict[str, Stamp]

    def changes(self) -> Dict[str, List[str]]:
        """The files that will change, by artifact, as far as they are known before the download."""
        changes = {name: sorted(paths) for name, paths in self.attributes.items()}
        changes.update({artifact.name: _known_paths(artifact) for artifact in self.missing})
        changes.update({name: obsolete_files(stamp, {}) for name, stamp in self.removed.items()})
        return changes

    def diff(self) -> Dict[str, str]:
        """The downloads before and after."""
        after = {artifact.name: Stamp(artifact.request(), "", {}) for artifact in self.missing}
        before = {name: self.stamps[name] for name in [*after, *self.removed]}
        return {"before": _describe(before), "after": _describe(dict(after))}


def make_plan(
    items: List[Dict[str, Any]], state_dir: str, allow_http: bool = False, require_digests: bool = False
) -> ArtifactPlan:
    """Compare what is asked for with what is there; no network is used.

    Args:
        items: the entries of the module's option.
        state_dir: the folder with the records of what is installed.
        allow_http: whether URLs may be other than https.
        require_digests: whether checksums may not come from a server.

    Raises:
        ArtifactError: with all that is wrong with the entries.
    """
    artifacts = parse([item for item in items if item["state"] == "present"], allow_http, require_digests)
    stamps = {item["name"]: read_stamp(stamp_path(state_dir, item["name"])) for item in items}
    missing = [artifact for artifact in artifacts if not up_to_date(artifact, stamps[artifact.name])]
    return ArtifactPlan(
        artifacts,
        stamps,
        missing,
        {
            artifact.name: wrong_attributes(artifact, stamps[artifact.name])
            for artifact in artifacts
            if artifact not in missing
        },
        {
            item["name"]: stamp
            for item in items
            for stamp in [stamps[item["name"]]]
            if stamp and item["state"] == "absent"
        },
    )


def stamp_path(state_dir: str, name: str) -> str:
    """Where the record of what an artifact installed is."""
    return os.path.join(state_dir, f"{name}.json")


def parse(items: List[Dict[str, Any]], allow_http: bool, require_digests: bool) -> List[Artifact]:
    """Read the option, with all of its faults at once."""
    work: List[Callable[[], Any]] = [partial(parse_artifact, item, allow_http, require_digests) for item in items]
    artifacts = collect([item["name"] for item in items], work)
    names = [artifact.name for artifact in artifacts]
    paths = [
        path
        for artifact in artifacts
        for path in _known_paths(artifact)
        if path != artifact.dest or not artifact.archive
    ]
    faults = [f"{name}: is listed twice" for name in sorted(set(names)) if names.count(name) > 1]
    faults += [f"{path}: is installed by two entries" for path in sorted(set(paths)) if paths.count(path) > 1]
    if faults:
        raise ArtifactError("\n".join(faults))
    return artifacts


def collect(names: List[str], work: List[Callable[[], Any]], parallel: int = 1) -> List[Any]:
    """Do all the work and return its results, or raise one error with every fault.

    Raises:
        ArtifactError: naming each artifact that failed and why.
    """

    def attempt(step: Callable[[], Any]) -> Tuple[Any, Optional[str]]:
        try:
            return step(), None
        except ArtifactError as error:
            return None, str(error)

    with ThreadPoolExecutor(max_workers=parallel) as pool:
        outcomes = list(pool.map(attempt, work))
    faults = [f"{name}: {fault}" for name, (_result, fault) in zip(names, outcomes) if fault]
    if faults:
        raise ArtifactError("\n".join(faults))
    return [result for result, _fault in outcomes]


def _known_paths(artifact: Artifact) -> List[str]:
    return [member.path for member in artifact.members] or [artifact.dest]


def _describe(stamps: Dict[str, Optional[Stamp]]) -> str:
    return "".join(
        f"{name}: {stamp.request['url']} ({stamp.request['checksum']})\n" for name, stamp in stamps.items() if stamp
    )
