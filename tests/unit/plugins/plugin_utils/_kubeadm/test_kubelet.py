"""One KubeletConfiguration for the cluster, and what a host has beside it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.kubelet_patch import FilterModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import merge
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.kubelet import (
    configuration_of,
    in_common,
    patch_of,
)

Configuration = dict[str, Any]


def test_configuration_of() -> None:
    found = configuration_of("systemd", {"a": {"b": 1, "c": [1]}}, {"a": {"c": [2]}, "systemReserved": {"cpu": 1}})
    assert found == {"cgroupDriver": "systemd", "a": {"b": 1, "c": [2]}, "systemReserved": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("configurations", "expected"),
    [
        ([], {}),
        ([{"a": 1, "b": {"c": {}}}], {"a": 1, "b": {"c": {}}}),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 3}], {"b": 2}),
        ([{"a": 1}, {}], {}),
        ([{"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"b": 1, "d": 4}}], {"a": {"b": 1}}),
        ([{"a": {"b": 1}}, {"a": {"b": 2}}], {}),
        ([{"a": {"b": 1}}, {"a": 1}], {}),
        ([{"a": [1, 2]}, {"a": [1]}], {}),
        ([{"a": False}, {"a": False}], {"a": False}),
    ],
)
def test_in_common(configurations: list[Configuration], expected: Configuration) -> None:
    assert in_common(configurations) == expected
    assert in_common(configurations[::-1]) == expected


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"b": 1, "c": None}}),
        ({"evictionHard": {"memory.available": "5%"}}, {}, {"evictionHard": None}),
        ({"systemReserved": {"cpu": 1}}, {"systemReserved": {"cpu": "1"}}, {}),
        # kubeadm sets it where nobody does.
        ({"clusterDNS": ["192.0.2.1"], "a": 1}, {"a": 2}, {"a": 2}),
    ],
)
def test_patch(base: Configuration, own: Configuration, expected: Configuration) -> None:
    assert patch_of(base, own) == expected
    if "clusterDNS" not in base and "systemReserved" not in base:
        assert merge(base, expected) == own


def test_filter() -> None:
    kubelet_patch = FilterModule().filters()["kubelet_patch"]
    assert kubelet_patch({"a": 1}, {"b": 2}) == {"a": 1, "b": None}
    with pytest.raises(AnsibleFilterError, match="needs two mappings"):
        kubelet_patch([], {})
