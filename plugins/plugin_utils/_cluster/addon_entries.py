# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add-ons: what the collection and the user know of each, and the releases that those of a cluster become."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("addons")
# What an entry may have from the cluster, written like ${dns_domain}.
PLACEHOLDER = re.compile(r"\$\{(version|kubernetes_version|dns_domain|dns_address)\}")
# What of the inventory goes to the release as it is.
GIVEN = ("values", "values_files", "take_over", "remove_crds")
# What of an entry does.
KNOWN = ("api_versions", "skip_hooks", "one_minor")
# What of a release is no secret.
OUTLINE = ("addon", "name", "title", "state", "stays", "accepts", "proof", "timeout")
DNS_NUMBER = 10  # the address that kubeadm gives DNS, counted from the start of the services' network

Entry = Mapping[str, Any]
Item = Mapping[str, Any]


class AddonError(Exception):
    """Add-ons need each other in a circle; the message names them."""


@cache
def shipped() -> dict[str, Entry]:
    """The entries of the collection by name, one file each."""
    found = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))]
    return {entry["name"]: entry for entry in found}


def entries(own: Sequence[Entry]) -> dict[str, Entry]:
    """All entries by name; the user's own take the place of the collection's."""
    return {**shipped(), **{str(entry.get("name")): entry for entry in own}}


def dns_address(service_cidr: str) -> str:
    """The address of DNS in a network of services; empty where that is none."""
    try:
        network = ipaddress.ip_network(service_cidr.split(",", maxsplit=1)[0].strip(), strict=False)
        return str(network[DNS_NUMBER])
    except (ValueError, IndexError):
        return ""


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """A value with what is known in the place of placeholders."""
    if isinstance(value, Mapping):
        return {key: filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: known.get(match[1]) or match[0], value)
    return value


def is_absent(item: Item) -> bool:
    """Whether an add-on is to go."""
    return item.get("state") == "absent"


def ordered(wanted: Sequence[Item], known: Mapping[str, Entry]) -> list[Item]:
    """The add-ons in their order, each after those that it needs.

    Raises:
        AddonError: if they need each other.
    """
    by_name = {str(item["name"]): item for item in wanted}
    done: dict[str, Item] = {}

    def place(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise AddonError(f"{', '.join(above[above.index(name) :])} need each other")
        for needed in (known[name].get("needs") or {}).get("addons") or []:
            if needed in by_name:
                place(needed, (*above, name))
        done.setdefault(name, by_name[name])

    for name in by_name:
        place(name, ())
    return list(done.values())


def source(entry: Entry, item: Item) -> dict[str, Any]:
    """Where an add-on comes from: what the inventory gives, or else its entry."""
    place = next((one for one in (item, entry) if one.get("chart") or one.get("url")), {})
    version = str(item.get("version") or entry.get("version") or "").removeprefix("v")
    found = {name: filled(place[name], {"version": version}) for name in ("chart", "url") if place.get(name)}
    if found and version:
        found["version"] = version
    if item.get("checksum") or entry.get("checksum"):
        found["checksum"] = item.get("checksum") or entry["checksum"]
    return found


def _named(entry: Entry, item: Item, name: str) -> dict[str, Any]:
    """What every release has."""
    return {
        "addon": entry["name"],
        "name": name,
        "namespace": entry["namespace"],
        "title": f"{entry['namespace']}/{name}",
        "state": item.get("state") or "present",
    }


def release_of(entry: Entry, item: Item, cluster: Mapping[str, str]) -> list[dict[str, Any]]:
    """An add-on's release, and that of the objects which the inventory gives to it, in their order."""
    place = source(entry, item)
    known = {**cluster, "version": place.get("version", "")}
    labels = entry.get("namespace_labels")
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": entry["namespace"], "labels": labels},
    }
    main = {
        **_named(entry, item, entry["name"]),
        "base_values": filled(entry.get("values") or {}, known),
        "replace": {**filled(entry.get("replace") or {}, known), **(item.get("replace") or {})},
        "objects": [*([namespace] if labels else []), *filled(entry.get("objects") or [], known)],
        "accepts": filled(entry.get("accepts") or [], known),
        "proof": [{**one, "addon": entry["name"]} for one in filled(entry.get("proof") or [], known)],
        "stays": entry.get("stays") or "",
        "timeout": entry.get("timeout") or 0,
        **{name: entry[name] for name in KNOWN if entry.get(name) is not None},
        **{name: item[name] for name in GIVEN if item.get(name) is not None},
        **place,
    }
    if item.get("objects") is None:
        return [main]
    more = {
        **_named(entry, item, f"{entry['name']}-objects"),
        "objects": item["objects"],
        "take_over": bool(item.get("take_over")),
        **{name: [] for name in ("accepts", "proof", "stays")},
        "timeout": 0,
    }
    return [more, main] if is_absent(item) else [main, more]


def releases(wanted: Sequence[Item], own: Sequence[Entry], cluster: Mapping[str, str]) -> list[dict[str, Any]]:
    """The releases of a cluster's add-ons: first those that go, the needed ones last, then those that come.

    Args:
        wanted: as the inventory has them.
        own: the user's own entries.
        cluster: what entries may have of the cluster.

    Raises:
        AddonError: if they need each other.
    """
    known = entries(own)
    gone = [item for item in wanted if is_absent(item)]
    here = [item for item in wanted if not is_absent(item)]
    order = [*reversed(ordered(gone, known)), *ordered(here, known)]
    return [release for item in order for release in release_of(known[str(item["name"])], item, cluster)]


def outline(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What of releases is no secret."""
    return [{name: release[name] for name in OUTLINE} for release in found]
