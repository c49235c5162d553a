# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a run by its lock: what it needs must be there, and be the same as the inventory says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifacts import file_digest, parse_digest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import find, is_digest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import (
    CHART,
    FILE,
    IMAGE,
    MANIFEST,
    Lock,
    LockError,
    read,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import addons, needed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.controller import look_for
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Inputs

ENDING = "run the playbook lock with this inventory and look at the difference, or correct the inventory"


def locked(inputs: Inputs) -> Iterator[Fault]:
    """What the lock lacks of a run, all in one, and what it says otherwise than the inventory."""
    path = inputs.leader().text("kubernetes_lock")
    if not path or not inputs.grouped:
        return
    try:
        lock = read(path)
    except LockError as error:
        yield Fault("lock-invalid", f"kubernetes_lock: {error}")
        return
    lacking = (_missing_programs, _missing_images, _missing_manifests, _missing_charts)
    missing = sorted({name for find_missing in lacking for name in find_missing(inputs, lock)})
    if missing:
        yield Fault("lock-missing", f"kubernetes_lock: {path} does not have {', '.join(missing)}; {ENDING}")
    different = sorted(set(_different(inputs, lock)))
    if different:
        yield Fault("lock-differs", f"kubernetes_lock: {path} differs: {'; '.join(different)}; {ENDING}")


def _missing_programs(inputs: Inputs, lock: Lock) -> Iterator[str]:
    for host in inputs.played:
        for one in needed.downloads(host, inputs):
            # A host that was not asked yet has one of the architectures that the lock has.
            places = [one.architecture] if one.architecture else lock.architectures
            if one.version and not any(lock.find(FILE, one.program, one.version, place) for place in places):
                yield f"{one.program} {one.version}{f' ({one.architecture})' if one.architecture else ''}"


def _missing_images(inputs: Inputs, lock: Lock) -> Iterator[str]:
    """Those that can be named here; what only kubeadm names is compared where it is pulled."""
    for host in inputs.played:
        if inputs.roles_of(host.name):
            yield from (f"image {name}" for name in needed.locked_images(host, inputs) if not lock.find(IMAGE, name))


def _missing_manifests(inputs: Inputs, lock: Lock) -> Iterator[str]:
    known = {artifact.sha256 for artifact in lock.artifacts if artifact.kind == MANIFEST}
    for one in needed.manifests(inputs.leader()):
        digest, path = parse_digest(str(one.get("checksum") or "")), None
        if one.get("path"):
            path = look_for(inputs.folders, str(one["path"]))
        elif not one.get("url"):
            continue  # it is the inventory's own text
        found = file_digest(str(path)) if path and Path(path).is_file() else digest.value if digest else ""
        if found and found not in known:
            yield f"manifest {one.get('url') or one.get('path')} (sha256:{found})"


def _missing_charts(inputs: Inputs, lock: Lock) -> Iterator[str]:
    known = {artifact.sha256 for artifact in lock.artifacts if artifact.kind in (CHART, MANIFEST)}
    for one in [*needed.charts(inputs.leader()), *addons.releases(inputs)]:
        digest = parse_digest(str(one.get("checksum") or ""))
        path = look_for(inputs.folders, str(one["chart"])) if one.get("chart") else None
        found = file_digest(str(path)) if path and Path(path).is_file() else digest.value if digest else ""
        if found and found not in known:
            yield f"chart {one.get('url') or one.get('chart')} (sha256:{found})"


def _different(inputs: Inputs, lock: Lock) -> Iterator[str]:
    for host in inputs.played:
        for one in needed.downloads(host, inputs):
            artifact = lock.find(FILE, one.program, one.version, one.architecture)
            given = parse_digest(str(one.checksum)) if is_digest(one.checksum) else None
            told = given.value if given and given.algorithm == "sha256" else ""
            told = told or find(one.program, one.version, one.architecture, host.values.get("kubernetes_digests"))
            if artifact and told and told != artifact.sha256:
                yield f"{one.program} {one.version} ({one.architecture}) is {told} for the inventory or this release"
