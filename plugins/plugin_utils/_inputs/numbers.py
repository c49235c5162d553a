# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges numbers: whether they are in the range that what they are for has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

PORT = (1, 65535)
# The lowest and the highest value of a number, where that is not 0 and none.
RANGES: dict[str, tuple[float, float | None]] = {
    "endpoint_check_interval": (1, None),
    "endpoint_health_port": PORT,
    "endpoint_max_connections": (1, None),
    "endpoint_virtual_router_id": (1, 255),
    "etcd_election_timeout": (1, 50000),
    "etcd_heartbeat_interval": (1, None),
    "etcd_io_priority": (0, 7),
    "etcd_nice": (-20, 19),
    "etcd_oom_score_adjust": (-1000, 1000),
    "etcd_open_files": (1, None),
    # So small a one is meant in another unit.
    "etcd_quota_backend_bytes": (2**24, None),
    "kubernetes_api_local_port": PORT,
    "kubernetes_api_port": PORT,
    "preflight_connect_timeout": (0.1, None),
    "restore_bump_revision": (-1, None),
    "verify_ingress_port": (0, PORT[1]),
    "verify_peers": (1, None),
    "verify_port": PORT,
    # Judged with the plugin that has them.
    "control_plane_event_rate_limits": (-(2**63), None),
}
# Maps whose values are numbers, though their specification does not say so.
OF_NUMBERS = ("preflight_free_mb",)
# IPv6 needs so much.
SMALLEST_MTU, LARGEST_MTU = 1280, 65535
# With 0, nothing would be waited for.
TIMEOUT, TIMEOUTS = re.compile(r"\w+_timeout"), (1, None)


def numbers(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Numbers that are too small or too large."""
    for options in inputs.specs.values():
        for variable in sorted(options.keys() & host.values.keys()):
            for place, value in _numbers(variable, host.values[variable], options[variable]):
                text = _fault(variable, place, value)
                if text:
                    yield host.fault("value-invalid", text)
    mtu = as_number(host.values.get("cni_mtu"))
    if mtu and 0 < mtu < SMALLEST_MTU:
        text = f"cni_mtu {mtu:g} is too small for IP; give at least {SMALLEST_MTU}, or 0 for that of the default route"
        yield host.fault("value-invalid", text)
    elif mtu and mtu > LARGEST_MTU:
        text = f"cni_mtu {mtu:g} is too large for IP; give at most {LARGEST_MTU}, or 0 for that of the default route"
        yield host.fault("value-invalid", text)
    for variable in OF_NUMBERS:
        given = host.values.get(variable)
        for key, inner in given.items() if isinstance(given, Mapping) else []:
            if as_number(inner) is None:
                yield host.fault("value-invalid", f"{variable}.{key} {inner!r} is no number; give it one")
            if not str(key).startswith("/"):
                yield host.fault("value-invalid", f"{variable}.{key}: {key!r} is no absolute path; write it from / on")


def _numbers(place: str, value: Any, spec: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """All numbers in a value, each with where it is; what has another form is reported by its type."""
    if spec.get("type") in ("int", "float"):
        number = as_number(value)
        if number is not None:
            yield place, number
    elif place in OF_NUMBERS and isinstance(value, Mapping):
        yield from (
            (f"{place}.{key}", number) for key, inner in value.items() if (number := as_number(inner)) is not None
        )
    for item in value if isinstance(value, list) else [value]:
        for name, option in (spec.get("options") or {}).items():
            if isinstance(item, Mapping) and name in item:
                yield from _numbers(f"{place}.{name}", item[name], option)


def as_number(value: Any) -> float | None:
    """A number in whatever form; None where it is none."""
    try:
        return None if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError):
        return None


def _fault(variable: str, place: str, value: float) -> str:
    lowest, highest = RANGES.get(variable, TIMEOUTS if TIMEOUT.fullmatch(variable) else (0, None))
    if value < lowest or (highest is not None and value > highest):
        allowed = f"give a number from {lowest} to {highest}" if highest is not None else f"give {lowest} or more"
        return f"{place} {value:.15g} cannot be; {allowed}"
    return ""
