"""Whether the kubelet's configuration on a host is as it is wanted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    folder_of,
    merge,
    not_stored,
    read_stamp,
    same,
    shown,
    with_patch,
    without,
)


@pytest.mark.parametrize(
    ("value", "patch", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1, "b": 2}, {"a": None, "c": {"d": 3}}, {"b": 2, "c": {"d": 3}}),
        ({"a": {"b": 1}}, {"a": {"b": None, "c": None}}, {"a": {}}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [2, 3]}),
    ],
)
def test_merge(value: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    assert merge(value, patch) == expected


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (5, 5, True),
        (5, 6, False),
        (5, None, False),
        ("1h", "1h0m0s", True),
        ("90s", "1m30s", True),
        ("1.5h", "1h30m0s", True),
        ("1h", "2h0m0s", False),
        ("5%", "5%", True),
        # kubeadm leaves out what is empty or zero.
        (0, None, True),
        (False, None, True),
        ("0s", None, True),
        ({}, None, True),
        (False, True, False),
    ],
)
def test_same(wanted: Any, found: Any, expected: bool) -> None:
    assert same(wanted, found) is expected


@pytest.mark.parametrize(
    ("found", "wanted", "before", "expected"),
    [
        ({"maxPods": 5, "other": 1}, {"maxPods": 5}, {}, ""),
        ({"maxPods": 5}, {"maxPods": 6}, {"maxPods": 5}, "maxPods"),
        ({}, {"evictionHard": {"memory.available": "5%"}}, {}, "evictionHard.memory.available"),
        ({"maxPods": 5}, {}, {"maxPods": 5}, "maxPods"),
        ({}, {}, {"maxPods": 5}, ""),
        ({"maxPods": 7}, {}, {"maxPods": 5}, ""),
        # What kubeadm writes although nobody asks for it.
        ({"clusterDomain": "cluster.local"}, {}, {"clusterDomain": "cluster.local"}, ""),
        ({"syncFrequency": "0s"}, {}, {"syncFrequency": "0s"}, ""),
    ],
)
def test_not_stored(found: dict[str, Any], wanted: dict[str, Any], before: dict[str, Any], expected: str) -> None:
    assert shown(not_stored(found, wanted, before)) == expected


def test_without() -> None:
    document = {"kind": "KubeletConfiguration", "a": {"b.c": 1, "d": 2}}
    assert without(document, [("a", "b.c")]) == {"kind": "KubeletConfiguration", "a": {"d": 2}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [(None, []), (b"[]", []), (b'[{"kind": "A"}]', [{"kind": "A"}])],
    ids=["none", "empty", "one"],
)
def test_what_was_applied_is_read(content: bytes | None, expected: list[Any]) -> None:
    assert read_stamp(content) == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b'[{"kind": ', "Expecting value"),
        (b"\xff\xfe\xfa", "codec can't decode"),
        (b"\0" * 9, "can't decode"),
        (b"7", "no list of documents"),
        (b'["x"]', "no list of documents"),
        (b'{"kind": "A"}', "no list of documents"),
    ],
)
def test_what_was_applied_is_damaged(content: bytes, reason: str) -> None:
    with pytest.raises(KubeadmError, match=r"^/var/lib/groundwork/kubeadm.json is damaged") as caught:
        read_stamp(content)
    assert reason in str(caught.value)
    assert "Nothing was changed. Move the file away" in str(caught.value)


def test_with_patch() -> None:
    assert with_patch([{"kind": "A"}], {}) == [{"kind": "A"}]
    assert with_patch([], {"a": {"b": None}, "c": 1}) == [{"kind": "KubeletPatch", "a": {"b": "(none)"}, "c": 1}]


@pytest.mark.parametrize(
    ("documents", "folder"),
    [
        ([], ""),
        ([{"kind": "JoinConfiguration", "patches": {"directory": "/p"}}], "/p"),
        ([{"kind": "InitConfiguration", "patches": {"directory": "/p"}}], "/p"),
        ([{"kind": "JoinConfiguration", "patches": None}], ""),
    ],
)
def test_folder_of(documents: list[dict[str, Any]], folder: str) -> None:
    assert folder_of(documents) == folder
