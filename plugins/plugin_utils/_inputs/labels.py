# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges labels and taints that are given for nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault, did_you_mean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    HostInput,
    Inputs,
)

# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TAINTS = {
    "worker_taints": (),
    "kubernetes_kubelet_configuration": ("registerWithTaints",),
    "control_plane_init_configuration": ("nodeRegistration", "taints"),
    "worker_join_configuration": ("nodeRegistration", "taints"),
}


def labels(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Keys, values and effects that the API server would refuse, and labels and taints that nothing sets."""
    given = host.values.get("worker_labels")
    for key, value in given.items() if isinstance(given, Mapping) else []:
        yield from _pair(host, f"worker_labels.{key}", str(key), value)
    for variable, keys in TAINTS.items():
        for taint in _taints(host.values.get(variable), keys):
            place = f"{'.'.join((variable, *keys))}: the taint {taint.get('key')}"
            yield from _pair(host, place, str(taint.get("key", "")), taint.get("value"))
            effect = taint.get("effect")
            if keys and effect not in EFFECTS:  # that of worker_taints is judged by its specification
                advice = did_you_mean(str(effect), EFFECTS) or f"use one of {', '.join(EFFECTS)}"
                yield host.fault("value-invalid", f"{place} has the effect {effect}, which is none; {advice}")
    if CONTROL_PLANE in inputs.roles_of(host.name):
        for variable, instead in (("worker_labels", ""), ("worker_taints", "control_plane_schedulable")):
            if host.values.get(variable):
                advice = f"; {instead} has the control plane's own taint" if instead else ""
                text = f"{variable} does nothing on a control plane; set it for workers only{advice}"
                yield host.fault("variable-unused", text, WARNING)


def _taints(value: Any, keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return [taint for taint in value if isinstance(taint, Mapping)] if isinstance(value, list) else []


def _pair(host: HostInput, place: str, key: str, value: Any) -> Iterator[Fault]:
    prefix, slash, name = key.rpartition("/")
    if not NAME.fullmatch(name) or (slash and not endpoint.is_dns_name(prefix)):
        text = (
            f"{place}: {key!r} is no key; it has at most 63 letters, digits and - _ . and begins and ends with a "
            "letter or digit, after a DNS name and / where it has a prefix"
        )
        yield host.fault("value-invalid", text)
    shown = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    if shown and not NAME.fullmatch(shown):
        text = (
            f"{place}: {shown!r} is no value; it is empty, or has at most 63 letters, digits and - _ . and begins and "
            "ends with a letter or digit"
        )
        yield host.fault("value-invalid", text)
