# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which control plane makes a backup, and which hosts of etcd are asked for its CAs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.backup_authority_hosts import backup_authority_hosts
from ansible_collections.groundwork.kubernetes.plugins.filter.backup_source import backup_source

THREE = ["cp-1", "cp-2", "cp-3"]
ASKED = {"item": "cp-1", "traces": ["/etc/kubernetes/manifests/kube-scheduler.yaml"]}
HOLDS = {"item": "cp-2", "traces": ["/etc/kubernetes/manifests.stopped/kube-apiserver.yaml"]}
ALSO = {"item": "cp-3", "traces": ["/etc/kubernetes/admin.conf"]}
GONE = {"item": "cp-1", "unreachable": True}


@pytest.mark.parametrize(
    ("results", "lost", "exclude", "expected"),
    [
        ([], [], [], (THREE, "", [])),
        # The first that holds the cluster makes the backup, not the first in the inventory.
        ([ASKED, HOLDS, ALSO], [], [], (THREE, "cp-2", [])),
        ([ASKED], [], [], (THREE, "", [])),
        ([ASKED, ALSO], [], [], (THREE, "cp-3", [])),
        # One that could not be reached, in the search or before, may hold it.
        ([GONE, HOLDS], [], [], (THREE, "cp-2", ["cp-1"])),
        ([HOLDS], ["cp-1", "other"], [], (["cp-2", "cp-3"], "cp-2", ["cp-1"])),
        ([GONE], ["cp-3"], [], (["cp-1", "cp-2"], "", ["cp-1", "cp-3"])),
        # One that is taken away is not asked, and is not missed.
        ([HOLDS], [], ["cp-1"], (["cp-2", "cp-3"], "cp-2", [])),
        ([HOLDS], ["cp-1"], ["cp-1"], (["cp-2", "cp-3"], "cp-2", [])),
    ],
)
def test_who_makes_the_backup(
    results: list[dict[str, Any]], lost: list[str], exclude: list[str], expected: tuple[list[str], str, list[str]]
) -> None:
    found = backup_source(results, THREE, lost=lost, exclude=exclude)
    assert (found["candidates"], found["host"], found["silent"]) == expected


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([], ""),
        ([GONE], ""),
        ([GONE, {"item": "cp-2", "traces": []}], "cp-2"),
        # One that holds a cluster comes first all the same.
        ([ASKED, ALSO], "cp-3"),
        ([{"item": "cp-1", "failed": True}, ASKED], "cp-1"),
    ],
)
def test_who_makes_the_backup_of_an_etcd_without_kubernetes(results: list[dict[str, Any]], expected: str) -> None:
    assert backup_source(results, THREE, lost=[], exclude=[], anywhere=True)["host"] == expected
    assert backup_source(results, THREE, lost=[], exclude=[])["host"] == ("cp-3" if ALSO in results else "")


@pytest.mark.parametrize(
    ("etcd_hosts", "ca_hosts", "lost", "asked"),
    [
        ([], ["a"], [], []),
        (["a"], [], [], ["a"]),
        (["a"], [], ["a"], []),
        (["a", "b", "c"], [], [], ["a", "b"]),
        (["a", "b", "c"], ["c"], [], ["c", "a"]),
        (["a", "b", "c"], ["c", "elsewhere"], ["a"], ["c", "b"]),
        (["a", "b", "c", "d", "e"], ["b"], [], ["b", "a", "c"]),
    ],
)
def test_who_is_asked_for_the_keys_of_etcd(
    etcd_hosts: list[str], ca_hosts: list[str], lost: list[str], asked: list[str]
) -> None:
    assert backup_authority_hosts(etcd_hosts, ca_hosts=ca_hosts, lost=lost) == asked
