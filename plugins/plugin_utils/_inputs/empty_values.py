# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables that become flags, arguments or environment: whether each of their keys has a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

ENVIRONMENTS = ("container_runtime_environment", "endpoint_kube_vip_environment")


def empty_values(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Keys without a value, and lists and maps where there can be one value only."""
    for path, value in _single_values(host.values):
        if isinstance(value, (Mapping, list, tuple)):
            yield host.fault("value-invalid", f"{path} is a list or a map; give it one value")
        elif value is None:
            yield host.fault("value-invalid", f"{path} has no value; give it one, or remove it")
    for path in _missing("etcd_settings", host.values.get("etcd_settings") or {}):
        yield host.fault("value-invalid", f"{path} has no value; give it one, or remove it")


def _single_values(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Paths that must have one value each, with what they have; what has another form is reported by its type."""
    for variable in ENVIRONMENTS:
        yield from _items(variable, values.get(variable))
    for argument in _maps(values.get("kubernetes_kubelet_extra_args")):
        yield f"kubernetes_kubelet_extra_args: {argument.get('name')}", argument.get("value", "")
    for copy in _maps(values.get("backup_copies")):
        named = f"backup_copies: {copy.get('name')}"
        yield from _items(f"{named}.settings", copy.get("settings"))
        yield from _items(named, {key: item for key, item in copy.items() if key != "settings"})


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _items(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"{path}.{key}", item) for key, item in value.items())


def _missing(path: str, value: Any) -> Iterator[str]:
    """The paths in maps and lists at which there is no value."""
    inner = _items(path, value)
    if isinstance(value, list):
        inner = ((f"{path}[{number}]", item) for number, item in enumerate(value))
    for name, item in inner:
        if item is None:
            yield name
        else:
            yield from _missing(name, item)
