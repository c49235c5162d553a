# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which fields each version of kubeadm's configuration has, read from fields.yml."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, Mapping, Optional, Set, Tuple

from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import did_you_mean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_types import FieldTypes, WrongType
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import (
    first_minor,
    minor_of,
    release,
)

DATA = Path(__file__).with_name("fields.yml")
# What every document has.
COMMON = ("apiVersion", "kind")
# The form in which documents are written.
WRITTEN = "v1beta4"


@functools.lru_cache(maxsize=1)
def _data() -> Dict[str, Any]:
    with DATA.open(encoding="utf-8") as stream:
        data: Dict[str, Any] = yaml_load(stream)
    return data


@functools.lru_cache(maxsize=None)
def _fields(api: str) -> FrozenSet[str]:
    """Every field of a version with all of its parents, as paths that begin with the kind."""
    paths: Set[str] = set()
    for version, parents in _data()["fields"].items():
        if version > api:
            continue
        for parent, names in parents.items():
            words = parent.split(".")
            paths.update(".".join(words[:count]) for count in range(1, len(words) + 1))
            paths.update(f"{parent}.{name}" for name in names)
    return frozenset(paths - {path for path, gone in _data()["gone"].items() if gone["last"] < api})


@functools.lru_cache(maxsize=None)
def _parents(api: str) -> FrozenSet[str]:
    return frozenset(path.rpartition(".")[0] for path in _fields(api))


def _paths(path: str, value: Any, fields: FrozenSet[str], parents: FrozenSet[str]) -> Iterator[str]:
    """The fields of a value, down to those that hold no listed ones, and to those that are not known."""
    if isinstance(value, list) and value:
        for item in value:
            yield from _paths(path, item, fields, parents)
    elif isinstance(value, Mapping) and value and path in parents:
        for name, inner in value.items():
            below = f"{path}.{name}"
            if below in parents:
                yield from _paths(below, inner, fields, parents)
            else:
                yield below
    else:
        yield path


def paths_of(document: Mapping[str, Any], api: str) -> List[str]:
    """The paths of a document's fields, each once, as far as a version of the API describes them."""
    kind, fields = str(document["kind"]), _fields(api) | _fields(WRITTEN)
    parents = _parents(api) | _parents(WRITTEN)
    content = {name: value for name, value in document.items() if name not in COMMON}
    return list(dict.fromkeys(_paths(kind, content, fields, parents))) if content else [kind]


def _unknown(path: str, version: str) -> Optional[str]:
    """Why a path is a field of neither the form that is written nor of the version that is read."""
    api = release(version)["kubeadm_api"]
    if path in _fields(WRITTEN) or path in _fields(api):
        return None
    gone = _data()["gone"].get(path)
    if gone:
        return f"{path} is not known to kubeadm {version} any more; {gone['advice']}"
    parent, _dot, name = path.rpartition(".")
    siblings = {known.rpartition(".")[2] for known in _fields(WRITTEN) if known.rpartition(".")[0] == parent}
    kind = path.partition(".")[0]
    elsewhere = sorted(
        known for known in _fields(WRITTEN) if known.startswith(f"{kind}.") and known.endswith(f".{name}")
    )
    meant = next((one for one in siblings if one.lower() == name.lower()), "")
    question = f"did you mean {meant}?" if meant else did_you_mean(name, sorted(siblings))
    if not question and elsewhere:
        question = f"did you mean {elsewhere[0]}?"
    return f"{path} is no field of kubeadm's configuration" + (f"; {question}" if question else "; remove it")


def name_faults(documents: List[Mapping[str, Any]], version: str) -> Tuple[List[str], List[str]]:
    """Names that are no fields: as errors, or as warnings where the version is newer than what is listed."""
    api = release(version)["kubeadm_api"]
    found = [_unknown(path, version) for document in documents for path in paths_of(document, api)]
    faults = [fault for fault in found if fault]
    return ([], faults) if minor_of(version) > minor_of(_data()["newest"]) else (faults, [])


@functools.lru_cache(maxsize=None)
def _types(api: str) -> FieldTypes:
    fields = _fields(api) | _fields(WRITTEN)
    return FieldTypes(_data()["types"], fields.__contains__, _parents(api) | _parents(WRITTEN))


def type_faults(document: Mapping[str, Any], version: str) -> List[WrongType]:
    """The values of a document that have another type than their field in any form that is read."""
    content = {name: document[name] for name in document if name not in COMMON}
    return list(_types(release(version)["kubeadm_api"]).wrong(str(document["kind"]), content))


def came_with(path: str, version: str) -> str:
    """The minor release that brought a field which a version's kubeadm lacks; empty where it has it."""
    minor, api = minor_of(version), release(version)["kubeadm_api"]
    since = _data()["since"].get(path)
    if since:
        return since if minor < minor_of(since) else ""
    if path not in _fields(WRITTEN) or path in _fields(api):
        return ""
    brought = next(version for version in sorted(_data()["fields"]) if path in _fields(version))
    return first_minor("kubeadm_api", brought)


def is_harmless(path: str, value: Any) -> bool:
    """Whether nothing is lost where a version lacks this field."""
    parent, _dot, name = path.rpartition(".")
    usual = _data()["usual"]
    return value in (None, {}) or name in _data()["unused"].get(parent, []) or (name in usual and usual[name] == value)
