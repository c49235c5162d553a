"""What people are told of a backup and of a drill."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.backup_report import backup_report
from ansible_collections.groundwork.kubernetes.plugins.filter.drill_report import drill_report

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh"
FOLDER: dict[str, Any] = {
    "kept": ["/b/x.tar", "/b/w.tar"],
    "removed": [],
    "damaged": [],
    "unidentified": [],
    "others": [],
}
PROOF = {"level": "restore", "passed": True, "keys": 1200, "seconds": 1.4}
MADE: dict[str, Any] = {
    **FOLDER, "made": True, "reason": "", "path": "/b/x.tar", "size": 4_299_161, "signer": f"{KEY} cp-1",
    "proof": PROOF,
    "manifest": {"etcd": {"keys": 1200, "total_keys": 1250, "revision": 1843}},
    "copies": [
        {"target": "offsite:bucket", "ok": True, "error": ""}, {"target": "nas:backups", "ok": False, "error": "full"},
    ],
}  # fmt: skip
NOT_DUE = {**FOLDER, "made": False, "reason": "/b/x.tar was proven 3 minutes ago", "path": "/b/x.tar"}


def words(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines]


@pytest.mark.parametrize(
    ("made", "options", "expected"),
    [
        (
            MADE, {"controller": "/home/me/x.tar"},
            [
                "archive /b/x.tar on cp-1", "size 4.1 MiB, with 1200 keys of etcd at revision 1843",
                "proven a private etcd that was started on it had 1200 keys",
                "signed by SHA256:GoiEUm8rNwsjL9VHS7WQUm1mQZynbyWyt5jgU1Se0Y8 (cp-1)", "copy offsite:bucket",
                "copy nas:backups FAILED: full", "copy /home/me/x.tar on the machine that runs Ansible",
                "kept 2 good archives",
            ],
        ),
        (
            {**MADE, "signer": "", "proof": {"level": "status"}, "copies": [], "kept": ["/b/x.tar"],
             "removed": ["/b/v.tar"],
             "manifest": {"etcd": {"keys": None, "total_keys": 7, "revision": 9}}, "size": 700}, {},
            [
                "archive /b/x.tar on cp-1", "size 700 bytes, with 7 keys of etcd at revision 9",
                "proven its hash and etcd's status of it; no trial restore", "signed by nobody", "kept 1 good archive",
                "removed /b/v.tar",
            ],
        ),
        (
            {**FOLDER, "made": True, "path": "/b/y.tar", "reason": "", "removed": ["/b/v.tar"]}, {"check": True},
            ["archive /b/y.tar on cp-1 would be made", "kept 2 good archives", "would go /b/v.tar"],
        ),
        (NOT_DUE, {}, ["no backup /b/x.tar was proven 3 minutes ago", "kept 2 good archives"]),
        (
            {**NOT_DUE, "damaged": ["/b/d.tar is truncated"], "unidentified": ["/b/u.tar"], "others": ["/b/o.tar"]}, {},
            ["no backup /b/x.tar was proven 3 minutes ago", "kept 2 good archives", "damaged /b/d.tar is truncated",
             "not counted, without an identity /b/u.tar", "of other clusters /b/o.tar"],
        ),
    ],
    ids=["made", "made with less", "check", "not due", "others beside"],
)  # fmt: skip
def test_a_backup(made: dict[str, Any], options: dict[str, Any], expected: list[str]) -> None:
    assert words(backup_report(made, "cp-1", **options)) == expected


@pytest.mark.parametrize(
    ("lost", "tried", "expected"),
    [
        (
            50, {"proof": PROOF, "seconds": 2.25},
            ["proven a private etcd that was started on it had 1200 keys, of 1200 in the backup", "signed by SHA256:x",
             "would take (rto) 12.5 seconds, 2.2 of them for the trial restore",
             "would lose (rpo) 2 hours, in which the cluster has made 50 changes"],
        ),
        (
            None, {"skipped": True, "changed": False},
            ["proven not tried in check mode", "signed by SHA256:x", "would take (rto) 12.5 seconds",
             "would lose (rpo) 2 hours"],
        ),
    ],
)  # fmt: skip
def test_a_drill(lost: int | None, tried: dict[str, Any], expected: list[str]) -> None:
    archive = {"path": "/b/x.tar", "size": 2048, "age": 7200, "etcd": {"keys": 1200}}
    plan = {"archive": archive, "signed": "by SHA256:x", "revisions_lost": lost}
    lines = words(drill_report(plan, "cp-1", tried=tried, seconds=12.5))
    assert lines == ["archive /b/x.tar, tried on cp-1", "size 2.0 KiB", *expected]


def test_something_else() -> None:
    with pytest.raises(AnsibleFilterError, match="the module backup"):
        backup_report({}, "cp-1")
    with pytest.raises(AnsibleFilterError, match="restore_plan"):
        drill_report({}, "cp-1", tried={}, seconds=1)
