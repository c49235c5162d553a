# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a cluster's add-ons: their names and sources, what they need and exclude, and what Helm says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import addon_entries
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.addon_entries import Entry, Item, is_absent
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import (
    ERROR,
    WARNING,
    Fault,
    did_you_mean,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import charts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.charts import Placed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Inputs, version_tuple

WANTED, OWN = "addons_wanted", "addons_own"
UNFIT = "addon-unfit"


def addons(inputs: Inputs) -> Iterator[Fault]:
    """What is wrong with the add-ons, and what Helm says of them where nothing is."""
    own, wanted = _maps(inputs, OWN), _maps(inputs, WANTED)
    yield from _own(own)
    known = addon_entries.entries([entry for _place, entry in own])
    here = {str(item.get("name")) for _place, item in wanted if not is_absent(item)}
    others = {one.identity: one.place for one in charts.given(inputs) if not one.absent}
    seen: set[str] = set()
    good: list[Placed] = []
    for place, item in wanted:
        name = str(item.get("name"))
        entry = known.get(name)
        if entry is None or not entry.get("namespace"):
            meant = did_you_mean(name, known) or f"there are {', '.join(sorted(known))}, and those of {OWN}"
            yield Fault("value-invalid", f"{place}.name {name!r} is no add-on; {meant}")
            continue
        found = [Fault("name-clash", f"{place} is {name} again; leave one out")] if name in seen else []
        seen.add(name)
        if not is_absent(item):
            release = addon_entries.release_of(entry, item, _cluster(inputs))[0]
            found += _source(place, item, release)
            found += charts.source_faults(Placed(place, release), inputs)
            found += _needs(f"{place} ({name})", entry, item, here, inputs)
            if release["title"] in others:
                text = f"{place} is the release {release['title']}, and so is {others[release['title']]}; leave one out"
                found.append(Fault("name-clash", text))
            if not any(fault.severity == ERROR for fault in found):
                good.append(Placed(place, release))
        yield from found
    yield from _circle([item for _place, item in wanted if str(item.get("name")) in known], known)
    yield from charts.rendered(good, f"{WANTED} has charts", inputs)


def _maps(inputs: Inputs, variable: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The maps of a list, each with its place."""
    value = inputs.leader().values.get(variable)
    items = value if isinstance(value, list) else []
    return [(f"{variable}[{at}]", item) for at, item in enumerate(items) if isinstance(item, Mapping)]


def _cluster(inputs: Inputs) -> dict[str, str]:
    leader = inputs.leader()
    return {
        "dns_address": addon_entries.dns_address(leader.text("kubernetes_service_cidr")),
        "dns_domain": leader.text("kubernetes_dns_domain"),
        "kubernetes_version": leader.text("kubernetes_version"),
    }


def releases(inputs: Inputs) -> list[Mapping[str, Any]]:
    """What add-ons bring, each in the form of a chart's release; those of which nothing is known are left out."""
    known = addon_entries.entries([entry for _place, entry in _maps(inputs, OWN)])
    wanted = [item for _place, item in _maps(inputs, WANTED) if not is_absent(item)]
    return [
        release
        for item in wanted
        if known.get(str(item.get("name")), {}).get("namespace")
        for release in addon_entries.release_of(known[str(item["name"])], item, _cluster(inputs))
    ]


def _own(own: Sequence[tuple[str, Entry]]) -> Iterator[Fault]:
    """What is wrong with the user's own entries, beyond the form that their specification gives."""
    for place, entry in own:
        name = str(entry.get("name"))
        if not charts.NAME.fullmatch(name) or len(name) > charts.NAME_LENGTH:
            text = (
                f"{place}.name {name!r} is no name; use at most {charts.NAME_LENGTH} lower-case letters, digits and -"
            )
            yield Fault("name-invalid", text)
        if entry.get("chart") and entry.get("url"):
            yield Fault("value-invalid", f"{place} ({name}) has both chart and url; give one")
        for at, question in enumerate(entry.get("proof") or []):
            items = question.get("items") if isinstance(question, Mapping) else None
            if items is not None and str(items) != "nodes" and not str(items).isdigit():
                text = f"{place} ({name}): proof[{at}].items {items!r} is no number; give one, or nodes"
                yield Fault("value-invalid", text)


def _source(place: str, item: Item, release: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with where it comes from."""
    if item.get("chart") and item.get("url"):
        yield Fault("value-invalid", f"{place} has both chart and url; give one")
    elif not release.get("chart") and not release.get("url") and not release["objects"]:
        text = f"{place} has nothing to apply: give it chart or url, or its entry in {OWN} chart, url or objects"
        yield Fault("value-invalid", text)
    yield from charts.checksum_faults(place, release)


def _needs(place: str, entry: Entry, item: Item, here: set[str], inputs: Inputs) -> Iterator[Fault]:
    """What of the cluster, of other add-ons and of the values does not fit."""
    leader = inputs.leader()
    version, oldest, newest = (
        version_tuple(text)
        for text in (
            leader.text("kubernetes_version"),
            str(entry.get("oldest_kubernetes") or ""),
            str(entry.get("newest_kubernetes") or ""),
        )
    )
    if any(version) and version < oldest:
        text = f"{place} needs Kubernetes {entry['oldest_kubernetes']} or newer; take an older version of it with an "
        yield Fault(UNFIT, f"{text}entry in {OWN}, or leave it out")
    if any(newest) and version > newest:
        text = f"{place} is said to work up to Kubernetes {entry['newest_kubernetes']}"
        yield Fault(UNFIT, f"{text}; look whether it has a newer version", severity=WARNING)
    needs = entry.get("needs") or {}
    for name in needs.get("addons") or []:
        if name not in here:
            yield Fault(UNFIT, f"{place} needs the add-on {name}; add it to {WANTED}")
    for name in entry.get("conflicts") or []:
        if name in here:
            yield Fault(UNFIT, f"{place} cannot be there with the add-on {name}; leave one out")
    for variable, good in (needs.get("variables") or {}).items():
        value, fitting = leader.text(variable).lower(), [str(one).lower() for one in good]
        if value and value not in fitting:
            text = f"{place} needs {variable} to be {' or '.join(fitting)}, and it is {value}"
            yield Fault(UNFIT, f"{text}; set it, or leave the add-on out")
    if not item.get("values_files"):
        values = item.get("values") or {}
        for names in needs.get("values") or []:
            if not any(_has(values, name) for name in names):
                yield Fault(UNFIT, f"{place} needs a value for {' or '.join(names)}; give it in its values")


def _has(values: Any, name: str) -> bool:
    for part in name.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return values is not None


def _circle(wanted: Sequence[Item], known: Mapping[str, Entry]) -> Iterator[Fault]:
    try:
        addon_entries.ordered(wanted, known)
    except addon_entries.AddonError as error:
        yield Fault("value-invalid", f"{OWN}: {error}; one of them must come first")
