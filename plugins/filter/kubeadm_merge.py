# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter kubeadm_merge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: kubeadm_merge
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Merge settings over one of kubeadm's documents
description:
  - Merges mappings into each other. What comes later wins.
  - Arguments, volumes and environment variables (C(extraArgs), C(extraVolumes), C(extraEnvs)) are merged by name,
    so that another argument does not take away those that are there. None of them is the same as an empty list.
  - Any other list replaces the one before.
positional: overrides
options:
  _input:
    description: The document, in the form of C(kubeadm.k8s.io/v1beta4).
    type: dict
    required: true
  overrides:
    description: What is merged over it, one after the other.
    type: list
    elements: dict
    required: true
seealso:
  - plugin: groundwork.kubernetes.kubeadm_config
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the arguments of an API server, which are then two
  ansible.builtin.debug:
    msg: "{{ (base | groundwork.kubernetes.kubeadm_merge(more)).apiServer.extraArgs }}"
  vars:
    base: {apiServer: {extraArgs: [{name: profiling, value: 'false'}]}}
    more: {apiServer: {extraArgs: [{name: event-ttl, value: 3h}]}}
"""

RETURN = r"""
_value:
  description: The merged document.
  type: dict
"""

BY_NAME = ("extraArgs", "extraVolumes", "extraEnvs")


def _names(field: str, items: Any) -> List[Any]:
    if not isinstance(items, list) or not all(isinstance(item, Mapping) and "name" in item for item in items):
        raise AnsibleFilterError(f"kubeadm_merge: {field} must be a list of items that each have a name")
    return [item["name"] for item in items]


def _merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> Dict[str, Any]:
    merged = dict(base)
    for key, value in override.items():
        before = merged.get(key)
        if key in BY_NAME:
            names = _names(key, value)
            kept = [item for item, name in zip(before or [], _names(key, before or [])) if name not in names]
            merged[key] = [*kept, *value]
        elif isinstance(value, Mapping):
            merged[key] = _merge(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def _without_empty(document: Mapping[str, Any]) -> Dict[str, Any]:
    """The document without empty lists of what is merged by name, and without what held nothing else."""
    kept: Dict[str, Any] = {}
    for key, value in document.items():
        inner = _without_empty(value) if isinstance(value, Mapping) else value
        if not (key in BY_NAME and not value) and (inner or inner == value):
            kept[key] = inner
    return kept


def kubeadm_merge(document: Any, *overrides: Any) -> Dict[str, Any]:
    """The document with each override merged over it."""
    if not all(isinstance(item, Mapping) for item in (document, *overrides)):
        raise AnsibleFilterError("kubeadm_merge needs mappings")
    merged: Dict[str, Any] = dict(document)
    for override in overrides:
        merged = _merge(merged, override)
    return _without_empty(merged)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"kubeadm_merge": kubeadm_merge}
