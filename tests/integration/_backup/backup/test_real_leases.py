"""Backups of a real etcd whose leases end while a backup is made and tried.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D103

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import backup
from real_etcd import BINARIES, Member, Run, needs_etcd

pytestmark = needs_etcd
KEYS, LEASED = 100, 5
# In place of etcdctl: before it reads, it does what the test wants, and notes what was answered.
SLOW = """#!/bin/sh
case "$*" in
  {pattern}) {before}; {etcdctl} "$@" > {notes}.last; rc=$?; tee -a {notes} < {notes}.last; exit $rc ;;
  *) exec {etcdctl} "$@" ;;
esac
"""
IN_TRIAL, AT_REVISION = '*unix:*" get "*', '*" get "*--rev=[1-9]*'
ENDS = "sleep 7"  # a lease of two seconds, with what a new leader adds, has ended by then


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Member]:
    running = Member(tmp_path / "etcd")
    running.log.parent.mkdir()
    running.start()
    running.fill(KEYS)
    running.identify("1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11")
    yield running
    running.kill()


def lease(member: Member, seconds: int = 2) -> str:
    """A lease, on which some keys hang."""
    granted = member.ctl("lease", "grant", str(seconds)).stdout.split()[1]
    for number in range(LEASED):
        member.ctl("put", f"--lease={granted}", f"/registry/events/{number}", "x")
    return granted


@pytest.fixture
def kept(member: Member) -> Iterator[None]:
    """Leased keys that stay as long as somebody asks etcd for it, which in a trial nobody does."""
    process = subprocess.Popen(
        [f"{BINARIES}/etcdctl", f"--endpoints={member.client}", "lease", "keep-alive", lease(member)],
        stdout=subprocess.DEVNULL, env={"ETCDCTL_API": "3"},
    )  # fmt: skip
    yield
    process.terminate()
    process.wait()


@pytest.fixture
def options(tmp_path: Path, member: Member) -> dict[str, Any]:
    return {
        "bin_dir": str(BINARIES), "endpoints": [member.client], "directory": str(tmp_path / "backups"),
        "cluster": "test", "include": [],
    }  # fmt: skip


@pytest.fixture
def tools(tmp_path: Path) -> Callable[[str, str], dict[str, str]]:
    """The programs of etcd, with an etcdctl that does something before it reads from some endpoint."""

    def make(pattern: str, before: str) -> dict[str, str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        for program in ("etcd", "etcdutl"):
            if (BINARIES / program).exists():
                (folder / program).symlink_to(BINARIES / program)
        text = SLOW.format(pattern=pattern, before=before, etcdctl=BINARIES / "etcdctl", notes=tmp_path / "notes")
        (folder / "etcdctl").write_text(text)
        (folder / "etcdctl").chmod(0o755)
        return {"bin_dir": str(folder)}

    return make


def answers(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "notes").read_text().splitlines()]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("state", ["saved", "verified"])
def test_leases_that_end_in_the_trial(
    run: Run, options: dict[str, Any], tools: Callable[[str, str], dict[str, str]], tmp_path: Path, state: str
) -> None:
    """The private etcd is asked so late that its leases have ended, as on a host under load."""
    slow = tools(IN_TRIAL, ENDS)
    made = run(backup, **{**options, **(slow if state == "saved" else {})})
    assert made.get("made"), made
    if state == "verified":
        made = run(backup, state="verified", path=made["path"], cluster="test", **slow)
        assert "proof" in made, made

    etcd = made["manifest"]["etcd"]
    assert answers(tmp_path)[0]["header"]["revision"] > etcd["revision"]  # they have
    assert etcd["keys"] == made["proof"]["keys"] == KEYS + LEASED + 1
    assert (made["proof"]["passed"], made["proof"]["reason"]) == (True, "")


def test_leases_that_end_after_the_snapshot(
    run: Run, options: dict[str, Any], tools: Callable[[str, str], dict[str, str]], member: Member, tmp_path: Path
) -> None:
    """The member is asked for its keys so late that leases which the snapshot has are over."""
    granted, etcdctl = lease(member, seconds=600), f"{BINARIES}/etcdctl --endpoints={member.client}"
    revoke = f"{etcdctl} lease revoke {granted} >&2 || true"
    made = run(backup, **{**options, **tools(AT_REVISION, revoke)})
    assert made.get("made"), made
    assert answers(tmp_path)[0]["header"]["revision"] > made["manifest"]["etcd"]["revision"]
    assert made["manifest"]["etcd"]["keys"] == made["proof"]["keys"] == KEYS + LEASED + 1


def test_a_member_that_has_compacted_what_the_snapshot_has(
    run: Run, options: dict[str, Any], tools: Callable[[str, str], dict[str, str]], member: Member
) -> None:
    """Then the number of keys is not compared, which a warning tells, and the archive counts."""
    etcdctl = f"{BINARIES}/etcdctl --endpoints={member.client}"
    next_one = json.loads(member.ctl("put", "/now", "1", "--write-out=json").stdout)["header"]["revision"] + 1
    compact = f"{etcdctl} put /late 1 >&2; {etcdctl} compact {next_one} >&2 || true"
    made = run(backup, **{**options, **tools(AT_REVISION, compact)})
    assert (made.get("made"), made["manifest"]["etcd"]["keys"]) == (True, None), made
    assert "so the number of keys is not compared" in str(made["warnings"])
