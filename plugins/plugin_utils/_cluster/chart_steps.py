# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which steps a release is installed, brought to another chart or other values, and removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import Entry, Record
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import Object, Ref
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_objects import (
    AFTER,
    BEFORE,
    Hook,
    Rendering,
)

# What comes to an end, and is waited for.
ENDING = ("Job", "Pod")
# What every cluster has.
GIVEN_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


@dataclass(frozen=True)
class Step:
    """A list of objects that is applied or deleted at once.

    Attributes:
        name: what it does, for people.
        objects: what is applied, or deleted.
        state: present or absent.
        owner: whose the objects are; empty where they are nobody's.
        recreate: whether what is there is deleted first, and what comes to an end is waited for.
    """

    name: str
    objects: list[Object]
    state: str = "present"
    owner: str = ""
    recreate: bool = False


@dataclass(frozen=True)
class Release:
    """A release: its name, where it is, and what the cluster has of it."""

    name: str
    namespace: str
    record: Record | None = None
    namespace_exists: bool = True

    @property
    def owner(self) -> str:
        """How its objects are marked."""
        return f"{self.namespace}/{self.name}"


def hook_steps(release: Release, hooks: Sequence[Hook], when: str) -> list[Step]:
    """The steps of hooks: one for each weight, and one for each Job or Pod."""
    groups: list[list[Hook]] = []
    for hook in hooks:
        last = groups[-1] if groups else []
        if last and last[-1].weight == hook.weight and last[-1].item["kind"] not in ENDING:
            last.append(hook)
        else:
            groups.append([hook])
    steps = []
    for group in groups:
        objects = [hook.item for hook in group]
        names = ", ".join(str(Ref.of(item)) for item in objects)
        steps.append(Step(f"{release.owner}: {when}: {names}", objects, owner=release.owner, recreate=True))
        done = [hook.item for hook in group if hook.removed]
        if done:
            names = ", ".join(str(Ref.of(item)) for item in done)
            steps.append(Step(f"{release.owner}: remove {names}", done, "absent", release.owner))
    return steps


def install_steps(release: Release, chart: str, rendering: Rendering) -> list[Step]:
    """The steps that bring a release to what was rendered.

    Where that was applied to its end before, one step looks after all objects, and no hook runs. Else the record says
    first what there may be from now on, so that nothing is forgotten wherever the run ends.
    """
    old, owner = release.record, release.owner
    entries = tuple(Entry.of(item) for item in rendering.everything)
    record = Record(chart, rendering.digest, True, entries)
    main = [*rendering.crds, *rendering.objects]

    def keep(what: Record) -> Object:
        return what.secret(release.namespace, release.name)

    apply = Step(f"{owner}: apply {chart}", main, owner=owner)
    if old and old.digest == record.digest:
        return [Step(apply.name, [*main, keep(record)], owner=owner)]
    known = {entry.identity for entry in entries}
    gone = [entry for entry in (old.entries if old else ()) if entry.identity not in known]
    installed = bool(old and old.installed)
    begun = Record(chart, "", installed, (*entries, *gone))
    before = [hook for hook in rendering.hooks if hook.at(installed, BEFORE)]
    after = [hook for hook in rendering.hooks if hook.at(installed, AFTER)]
    steps = []
    if not release.namespace_exists and release.namespace not in GIVEN_NAMESPACES:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": release.namespace}}
        steps.append(Step(f"{owner}: make the namespace", [namespace]))
    if before:
        first = [*rendering.crds, keep(begun)]
        what = "definitions of resources, and the record" if rendering.crds else "the record"
        steps.append(Step(f"{owner}: {what}", first, owner=owner))
        steps += hook_steps(release, before, "before")
        steps.append(apply)
    else:
        steps.append(Step(apply.name, [*main, keep(begun)], owner=owner))
    steps += hook_steps(release, after, "after")
    removed = [entry for entry in gone if not entry.is_crd and not entry.kept]
    if removed:
        steps.append(Step(f"{owner}: remove what {chart} no longer has", _objects(removed), "absent", owner))
    steps.append(Step(f"{owner}: the record", [keep(record)], owner=owner))
    return steps


def removal_steps(release: Release, crds: bool) -> tuple[list[Step], list[str]]:
    """The steps that remove a release, and what stays.

    Args:
        release: what there is of it.
        crds: whether definitions of resources go, too.
    """
    record, owner = release.record, release.owner
    if record is None:
        return [], []
    kept = [entry for entry in record.entries if entry.kept]
    definitions = [entry for entry in record.entries if entry.is_crd and not entry.kept]
    rest = [entry for entry in record.entries if not entry.is_crd and not entry.kept]
    steps = [Step(f"{owner}: remove {record.chart}", _objects(rest), "absent", owner)] if rest else []
    if crds and definitions:
        steps.append(Step(f"{owner}: remove definitions of resources", _objects(definitions), "absent"))
    steps.append(Step(f"{owner}: remove the record", [record.secret(release.namespace, release.name)], "absent", owner))
    stays = [*kept, *([] if crds else definitions)]
    return steps, [*map(str, stays), f"Namespace {release.namespace}"]


def _objects(entries: Sequence[Entry]) -> list[Object]:
    return [entry.object() for entry in entries]
