# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One KubeletConfiguration for the cluster, and what a host's differs from it.

kubeadm stores one KubeletConfiguration in the cluster: what all control planes have in common, so that it is the same
whichever of them stores it. What a host has beside it is a JSON merge patch (RFC 7386) of that host.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import KUBEADM_SETS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.configuration import kubelet_text

Configuration = Dict[str, Any]


def _merged(base: Mapping[str, Any], override: Mapping[str, Any]) -> Configuration:
    result = dict(base)
    for key, value in override.items():
        before = result.get(key)
        both = isinstance(value, Mapping) and isinstance(before, Mapping)
        result[key] = _merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def configuration_of(cgroup_driver: str, *settings: Mapping[str, Any]) -> Configuration:
    """A host's configuration: its settings merged in their order, lists as a whole."""
    found: Configuration = {"cgroupDriver": cgroup_driver}
    for more in settings:
        found = _merged(found, more)
    return kubelet_text(found)


def in_common(configurations: Sequence[Configuration]) -> Configuration:
    """What all configurations have in common."""
    if not configurations:
        return {}
    first, *others = configurations
    found: Configuration = {}
    for key, value in first.items():
        if not all(key in other for other in others):
            continue
        if isinstance(value, Mapping):
            inner = [other[key] for other in others if isinstance(other[key], Mapping)]
            shared = in_common([dict(value), *map(dict, inner)]) if len(inner) == len(others) else {}
            if shared or (not value and not any(inner)):
                found[key] = shared
        elif all(other[key] == value for other in others):
            found[key] = value
    return found


def _without(base: Mapping[str, Any], own: Mapping[str, Any]) -> Configuration:
    """What takes out of a configuration what another does not have."""
    found: Configuration = {}
    for key, value in base.items():
        if key not in own:
            found[key] = None
        elif isinstance(value, Mapping) and isinstance(own[key], Mapping):
            gone = _without(value, own[key])
            if gone:
                found[key] = gone
    return found


def patch_of(base: Configuration, own: Configuration) -> Configuration:
    """The merge patch that makes a host's configuration of the cluster's; empty where they are the same.

    It holds all that the host's variables say, so that it does not depend on whether the cluster stores the newest.
    """
    base, own = kubelet_text(base), kubelet_text(own)
    if base == own:
        return {}
    # Where kubeadm sets a field itself, taking it out would take out what kubeadm sets, too.
    base = {key: value for key, value in base.items() if key not in KUBEADM_SETS}
    return _merged(own, _without(base, own))
