# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges Kubespray's variables in an inventory: its groups work here, its variables do not (kubespray.yml)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs


class Variables(NamedTuple):
    """What is known of Kubespray's variables.

    Attributes:
        lost: those whose meaning would be lost, with what stands for them here.
        others: what the others are named like.
    """

    lost: Mapping[str, Mapping[str, Any]]
    others: re.Pattern[str]


@lru_cache(maxsize=1)
def load() -> Variables:
    """Read what is known."""
    content = yaml_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))
    return Variables(content["lost"], re.compile(content["others"].replace(" ", "")))


def names_of(host: HostInput, inputs: Inputs) -> frozenset[str]:
    """A host's variables that are Kubespray's: none unless one of them is nobody else's."""
    known, foreign = load(), host.names - inputs.known.keys()
    if not any(not known.lost[name].get("common") for name in foreign & known.lost.keys()):
        return frozenset()
    return frozenset(name for name in foreign if name in known.lost or known.others.fullmatch(name))


def variables(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Variables of Kubespray: an error where what they say would be lost, one warning of all others."""
    lost, found = load().lost, names_of(host, inputs)
    for name in sorted(found & lost.keys()):
        text = _lost(name, lost[name], host, inputs)
        if text:
            yield host.fault("foreign-variable", text)
    others = sorted(found - lost.keys())
    if others:
        text = f"{', '.join(others)}: nothing here knows these variables of Kubespray; remove them"
        yield host.fault("foreign-unused", text, WARNING)


def _lost(name: str, known: Mapping[str, Any], host: HostInput, inputs: Inputs) -> str:
    """What would be lost of a variable; empty where nothing is."""
    value, ours = host.values.get(name), known.get("here", "")
    # One that is empty or off says nothing, and one whose meaning ours has was seen to.
    if (name in host.values and not _says_something(value)) or ours in host.names:
        return ""
    if _text(value) in map(_text, known.get("same", [])):
        return ""
    if ours and _text(value) == _text(host.values.get(ours)):
        return ""
    spec: Mapping[str, Any] = next((options[ours] for options in inputs.specs.values() if ours in options), {})
    shown = f" {value}" if isinstance(value, (str, int, float)) and not spec.get("no_log") else ""
    start = f"{name}{shown} has no effect"
    if ours:
        return f"{start}: here the variable is {ours}, which is {_shown(host.values.get(ours))}; set that instead"
    if "instead" in known:
        return f"{start}: {known['instead']}, and remove {name}"
    return f"{start}: there is no such part here; bring it into the cluster yourself, and remove {name}"


def _text(value: Any) -> str:
    return str(value).lower()


def _says_something(value: Any) -> bool:
    return bool(value) and str(value).lower() not in ("false", "no", "off")


def _shown(value: Any) -> str:
    """A value of ours, which is a default."""
    if value in (None, "", [], {}):
        return "not set"
    return str(value) if isinstance(value, (str, int, float)) else "set otherwise"
