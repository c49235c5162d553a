"""The modules etcd_snapshot and etcd_snapshot_info: real files, and only etcdctl and etcdutl are played."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import client
from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_snapshot, etcd_snapshot_info

Result = dict[str, Any]
Answer = tuple[int, str, str]
ONE, TWO = "https://10.0.0.1:2379", "https://10.0.0.2:2379"
CONNECTION = ["--dial-timeout=2s", "--command-timeout=5s"]


@dataclass
class Host:
    """A folder with programs, the members they would talk to, and the snapshot they would save."""

    root: Path
    run_module: Callable[..., Result]
    snapshot: bytes
    versions: dict[str, str] = field(default_factory=lambda: {"etcdctl": "3.5.30", "etcdutl": "3.5.30"})
    unhealthy: dict[str, str] = field(default_factory=dict)
    learners: list[str] = field(default_factory=list)
    save: Answer = (0, "Snapshot saved", "")
    status: Answer = (0, '{"hash":7,"revision":6,"totalKey":11,"totalSize":20480}', "")
    restore: Answer = (0, "", "")
    ran: list[list[str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    def run(self, module: Any = etcd_snapshot, **options: Any) -> Result:
        """Run a module with this host's programs."""
        for name in self.versions:
            (self.root / "bin" / name).touch(0o755)
        self.ran.clear()
        self.warnings.clear()
        return self.run_module(module, bin_dir=str(self.root / "bin"), **options)

    def command(self, _module: AnsibleModule, command: list[str], **_options: Any) -> Answer:
        name = os.path.basename(command[0])
        if command[1:] == ["version"]:
            return 0, f"{name} version: {self.versions[name]}\n", ""
        self.ran.append([name, *command[1:]])
        endpoints = [word.partition("=")[2].split(",") for word in command if word.startswith("--endpoints=")]
        words = [word for word in command[1:] if not word.startswith("--")]
        answers: dict[tuple[str, ...], Callable[[], Answer]] = {
            ("endpoint", "health"): lambda: self.health(endpoints[0]),
            ("endpoint", "status"): lambda: self.endpoint_status(endpoints[0][0]),
            ("snapshot", "save"): lambda: self.saved(Path(words[-1])),
            ("snapshot", "status"): lambda: self.status,
            ("snapshot", "restore"): lambda: self.restored(command),
        }
        return answers[words[0], words[1]]()

    def health(self, endpoints: list[str]) -> Answer:
        found = [
            {"endpoint": one, "error": self.unhealthy[one]}
            if one in self.unhealthy
            else {"endpoint": one, "health": True}
            for one in endpoints
        ]
        return (1 if self.unhealthy else 0), json.dumps(found), ""

    def endpoint_status(self, endpoint: str) -> Answer:
        if self.unhealthy.get(endpoint) == "refused":
            return 1, "[]", "Failed to get the status of endpoint"
        status = {
            "header": {"revision": 6},
            "version": "3.5.30",
            "dbSize": 24576,
            "isLearner": endpoint in self.learners,
        }
        return 0, json.dumps([{"Endpoint": endpoint, "Status": status}]), ""

    def saved(self, path: Path) -> Answer:
        (path if self.save[0] == 0 else path.with_name(path.name + ".part")).write_bytes(self.snapshot)
        return self.save

    def restored(self, command: list[str]) -> Answer:
        folders = {word.partition("=")[0]: Path(word.partition("=")[2]) for word in command if "-dir=" in word}
        (folders["--data-dir"] / "member" / "snap").mkdir(parents=True)
        (folders["--data-dir"] / "member" / "snap" / "db").write_bytes(self.snapshot[:-32])
        wal = folders.get("--wal-dir", folders["--data-dir"] / "member" / "wal")
        wal.mkdir(parents=True)
        (wal / "0.wal").touch()
        return self.restore


@pytest.fixture
def host(
    tmp_path: Path,
    run_module: Callable[..., Result],
    make_snapshot: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Host:
    found = Host(tmp_path, run_module, make_snapshot())
    for folder in ("bin", "backups"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(client, "bound_to", lambda _process: [])
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, command, **options: found.command(module, command))
    monkeypatch.setattr(AnsibleModule, "warn", lambda module, text: found.warnings.append(text))
    return found


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def draft(host: Host) -> str:
    """The name under which the last save wrote."""
    return next(word for command in host.ran for word in command if ".groundwork-draft-" in word)


# Save


@pytest.mark.parametrize(
    ("versions", "reader"),
    [
        ({"etcdctl": "3.4.23"}, "etcdctl"),
        ({"etcdctl": "3.5.16", "etcdutl": "3.5.16"}, "etcdutl"),
        ({"etcdctl": "3.6.15", "etcdutl": "3.6.15"}, "etcdutl"),
        ({"etcdctl": "3.7.1", "etcdutl": "3.7.1"}, "etcdutl"),
    ],
    ids=["3.4", "3.5", "3.6", "3.7"],
)
def test_save(host: Host, versions: dict[str, str], reader: str) -> None:
    host.versions = versions
    path = host.backups / "a.db"
    tls = {"cacert": "/pki/ca.crt", "cert": "/pki/c.crt", "key": "/pki/c.key"}

    result = host.run(state="saved", path=str(path), endpoints=[ONE], **tls, save_timeout=90)

    flags = ["--cacert=/pki/ca.crt", "--cert=/pki/c.crt", "--key=/pki/c.key", "--dial-timeout=2s"]
    file = draft(host)
    assert host.ran == [
        ["etcdctl", f"--endpoints={ONE}", *flags, "--command-timeout=5s", "endpoint", "health", "--write-out=json"],
        ["etcdctl", f"--endpoints={ONE}", *flags, "--command-timeout=5s", "endpoint", "status", "--write-out=json"],
        [
            "etcdctl",
            f"--endpoints={ONE}",
            *flags,
            "--command-timeout=90s",
            "snapshot",
            "save",
            file,
            "--write-out=json",
        ],
        [reader, "snapshot", "status", file, "--write-out=json"],
    ]
    assert result["changed"]
    assert result["endpoint"] == ONE
    assert result["snapshot"] == {
        "path": str(path), "size": 20512, "sha256": host.snapshot[-32:].hex(),
        "file_sha256": result["snapshot"]["file_sha256"], "hash": 7, "revision": 6, "total_keys": 11,
        "etcd_version": "3.5.30",
    }  # fmt: skip
    assert path.read_bytes() == host.snapshot
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tree(host.backups) == ["a.db"]


def test_save_again_changes_nothing_and_asks_nobody(host: Host) -> None:
    (host.backups / "a.db").write_bytes(host.snapshot)

    result = host.run(state="saved", path=str(host.backups / "a.db"))

    assert not result["changed"]
    assert result["snapshot"]["revision"] == 6
    assert [command[:3] for command in host.ran] == [["etcdutl", "snapshot", "status"]]


@pytest.mark.parametrize("exists", [False, True])
def test_save_in_check_mode(host: Host, exists: bool) -> None:
    path = host.backups / "a.db"
    if exists:
        path.write_text("old")

    result = host.run(state="saved", path=str(path), force=exists, _ansible_check_mode=True, _ansible_diff=True)

    assert result["changed"]
    assert result["diff"] == {
        "before": {"path": str(path), "state": "a file" if exists else "absent"},
        "after": {"path": str(path), "state": "a verified snapshot"},
    }
    assert "snapshot" not in result
    assert not any("save" in command for command in host.ran)
    assert tree(host.backups) == (["a.db"] if exists else [])


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("folder", "the folder {backups} does not exist"),
        ("etcdctl", "etcdctl is not installed on this host"),
        ("etcdutl", "etcdutl is needed to read a snapshot and is not in {bin} (etcdctl 3.6.15 has no such command)"),
    ],
)
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_save_on_a_host_that_is_not_ready(host: Host, missing: str, message: str, check: bool) -> None:
    host.versions = {"etcdctl": "3.6.15"} if missing != "etcdctl" else {"etcdutl": "3.6.15"}
    if missing == "folder":
        host.backups.rmdir()
    message = message.format(backups=host.backups, bin=host.root / "bin")

    result = host.run(state="saved", path=str(host.backups / "a.db"), _ansible_check_mode=check)

    if check:
        assert result["changed"]
        assert host.warnings == [f"{message}; a snapshot would be taken once that is there"]
    else:
        assert result["failed"]
        assert result["msg"] == message
    assert host.ran == []


def test_a_file_that_is_no_snapshot_is_not_replaced(host: Host) -> None:
    (host.backups / "a.db").write_text("my notes\n")

    result = host.run(state="saved", path=str(host.backups / "a.db"))

    assert result["failed"]
    assert "is not an etcd snapshot" in result["msg"]
    assert "set force to replace it" in result["msg"]
    assert host.ran == []
    assert (host.backups / "a.db").read_text() == "my notes\n"


def test_force_replaces_a_file_only_by_a_good_snapshot(host: Host) -> None:
    (host.backups / "a.db").write_bytes(host.snapshot)
    host.snapshot = host.snapshot[:-1]

    result = host.run(state="saved", path=str(host.backups / "a.db"), force=True)

    assert result["fault"] == "truncated"
    assert result["msg"].startswith(f"{host.backups / 'a.db'} is truncated")
    assert len((host.backups / "a.db").read_bytes()) == 20512
    assert tree(host.backups) == ["a.db"]


def test_a_database_that_cannot_be_read_is_no_snapshot(host: Host) -> None:
    host.status = (1, "", "Error: snapshot file integrity check failed. 1 errors found.\n")

    result = host.run(state="saved", path=str(host.backups / "a.db"))

    assert result["fault"] == "inconsistent"
    assert "has the right hash, but its database cannot be read: Error: snapshot file integrity" in result["msg"]
    assert tree(host.backups) == []


@pytest.mark.parametrize(
    ("unhealthy", "learners", "allow", "chosen"),
    [
        ({}, [], False, ONE),
        ({ONE: "deadline"}, [], False, TWO),
        ({}, [ONE], False, TWO),
        ({ONE: "refused", TWO: "no leader"}, [], True, TWO),
        ({ONE: "no leader", TWO: "no leader"}, [], True, ONE),
    ],
    ids=["first", "first unhealthy", "first learner", "only one answers", "no quorum"],
)
def test_the_member_that_gives_the_snapshot(
    host: Host, unhealthy: dict[str, str], learners: list[str], allow: bool, chosen: str
) -> None:
    host.unhealthy, host.learners = unhealthy, learners

    result = host.run(state="saved", path=str(host.backups / "a.db"), endpoints=[ONE, TWO], allow_unhealthy=allow)

    assert result["endpoint"] == chosen
    assert [command[1] for command in host.ran if "save" in command] == [f"--endpoints={chosen}"]
    assert bool(host.warnings) == allow


@pytest.mark.parametrize(
    ("unhealthy", "learners", "allow", "message"),
    [
        ({ONE: "deadline", TWO: "no leader"}, [], False, f"no endpoint is healthy ({ONE}: deadline; {TWO}: no leader)"),
        ({}, [ONE, TWO], False, f"no etcd member can give a snapshot ({ONE}: it is a learner"),
        ({ONE: "refused", TWO: "refused"}, [], True, f"({ONE}: Failed to get the status of endpoint; {TWO}: Failed"),
    ],
    ids=["unhealthy", "learners", "nobody answers"],
)  # fmt: skip
def test_no_member_gives_a_snapshot(
    host: Host, unhealthy: dict[str, str], learners: list[str], allow: bool, message: str
) -> None:
    host.unhealthy, host.learners = unhealthy, learners

    result = host.run(state="saved", path=str(host.backups / "a.db"), endpoints=[ONE, TWO], allow_unhealthy=allow)

    assert result["failed"]
    assert message in result["msg"]
    assert tree(host.backups) == []


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_save_without_room_is_not_begun(host: Host, monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_bavail=24, f_frsize=1024))

    result = host.run(state="saved", path=str(host.backups / "a.db"), _ansible_check_mode=check)

    assert result["failed"]
    assert f"{host.backups} has 0.0 MiB free, but the snapshot of" in result["msg"]
    assert not any("save" in command for command in host.ran)


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ("Error: could not write: no space left on device", "became full while the snapshot of https://127.0.0.1:2379"),
        ("Error: rpc error: connection reset", "failed with exit code 5: Error: rpc error: connection reset"),
    ],
)
def test_a_save_that_breaks_off_leaves_nothing(host: Host, stderr: str, message: str) -> None:
    host.save = (5, "", stderr)

    result = host.run(state="saved", path=str(host.backups / "a.db"))

    assert result["failed"]
    assert message in result["msg"]
    assert tree(host.backups) == []


def test_a_save_clears_away_what_an_interrupted_one_left(host: Host) -> None:
    for name, age in ((".groundwork-draft-old", 1_000_000), (".groundwork-draft-new", 0)):
        (host.backups / name).mkdir()
        written = (host.backups).stat().st_mtime - age
        os.utime(host.backups / name, (written, written))

    host.run(state="saved", path=str(host.backups / "a.db"))

    assert tree(host.backups) == [".groundwork-draft-new", "a.db"]


# Verify


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_verify(host: Host, check: bool) -> None:
    (host.backups / "a.db").write_bytes(host.snapshot)

    result = host.run(state="verified", path=str(host.backups / "a.db"), _ansible_check_mode=check)

    assert not result["changed"]
    assert result["snapshot"]["total_keys"] == 11
    assert host.ran == [["etcdutl", "snapshot", "status", str(host.backups / "a.db"), "--write-out=json"]]


def test_the_database_of_a_damaged_file_is_not_read(host: Host) -> None:
    (host.backups / "a.db").write_bytes(host.snapshot[:9000] + b"X" + host.snapshot[9001:])

    result = host.run(state="verified", path=str(host.backups / "a.db"))

    assert result["failed"]
    assert result["fault"] == "damaged"
    assert host.ran == []


# Restore


def restore(host: Host, **options: Any) -> Result:
    (host.backups / "a.db").write_bytes(host.snapshot)
    members = {"m1": "https://10.0.0.1:2380", "m2": ["https://10.0.0.2:2380", "https://192.0.2.2:2380"]}
    return host.run(
        **{
            "state": "restored", "path": str(host.backups / "a.db"), "data_dir": str(host.root / "data"), "name": "m2",
            "initial_cluster": members, **options,
        }
    )  # fmt: skip


def restored_by(host: Host) -> list[str]:
    """The command that restored; the snapshot is proven meanwhile."""
    [found] = [command for command in host.ran if "restore" in command]
    return found


@pytest.mark.parametrize(
    ("versions", "tool", "bump"),
    [
        ({"etcdctl": "3.4.23"}, "etcdctl", []),
        ({"etcdctl": "3.4.27"}, "etcdctl", ["--bump-revision=1000000000", "--mark-compacted"]),
        ({"etcdctl": "3.5.9", "etcdutl": "3.5.9"}, "etcdutl", []),
        ({"etcdctl": "3.5.16", "etcdutl": "3.5.16"}, "etcdutl", ["--bump-revision=1000000000", "--mark-compacted"]),
        ({"etcdctl": "3.6.15", "etcdutl": "3.6.15"}, "etcdutl", ["--bump-revision=1000000000", "--mark-compacted"]),
    ],
    ids=["3.4.23", "3.4.27", "3.5.9", "3.5.16", "3.6.15"],
)
def test_restore(host: Host, versions: dict[str, str], tool: str, bump: list[str]) -> None:
    host.versions = versions

    result = restore(host, **{"initial_cluster_token": "again"})

    assert restored_by(host) == [
        tool, "snapshot", "restore", str(host.backups / "a.db"),
        f"--data-dir={host.root}/data/.groundwork-stage/content", "--name=m2",
        "--initial-cluster=m1=https://10.0.0.1:2380,m2=https://10.0.0.2:2380,m2=https://192.0.2.2:2380",
        "--initial-cluster-token=again", "--initial-advertise-peer-urls=https://10.0.0.2:2380,https://192.0.2.2:2380",
        *bump,
    ]  # fmt: skip
    assert result["changed"]
    assert result["bump_revision"] == (1_000_000_000 if bump else 0)
    assert bool(host.warnings) == (not bump)
    assert tree(host.root / "data") == [
        "member", "member/groundwork-restore.json", "member/snap", "member/snap/db", "member/wal", "member/wal/0.wal",
    ]  # fmt: skip
    assert stat.S_IMODE((host.root / "data").stat().st_mode) == 0o700


def test_restore_with_a_folder_for_the_log(host: Host) -> None:
    wal = host.root / "wal"

    result = restore(host, wal_dir=str(wal), bump_revision=0, initial_advertise_peer_urls=["https://10.0.0.2:2380"])

    assert result["changed"]
    assert f"--wal-dir={wal}/.groundwork-stage/content" in restored_by(host)
    assert restored_by(host)[-1] == "--initial-advertise-peer-urls=https://10.0.0.2:2380"
    assert tree(wal) == ["0.wal"]


def test_restore_again_changes_nothing(host: Host) -> None:
    restore(host)

    result = restore(host)

    assert not result["changed"]
    assert not any("restore" in command for command in host.ran)


def test_restore_in_check_mode(host: Host) -> None:
    result = restore(host, _ansible_check_mode=True, _ansible_diff=True)

    assert result["changed"]
    assert result["diff"]["after"]["member"] == f"revision 6 of {host.backups}/a.db"
    assert not any("restore" in command for command in host.ran)
    assert not (host.root / "data").exists()


@pytest.mark.parametrize("other", ["token", "snapshot", "foreign"])
def test_other_data_is_never_touched(host: Host, make_snapshot: Callable[..., bytes], other: str) -> None:
    if other == "foreign":
        (host.root / "data" / "member").mkdir(parents=True)
    else:
        restore(host)
    if other == "snapshot":
        host.snapshot = make_snapshot(filler=b"z")
    before = tree(host.root / "data")

    result = restore(host, initial_cluster_token="etcd-cluster" if other == "snapshot" else "other")

    assert result["failed"]
    assert f"{host.root}/data: not empty, and not restored from this snapshot with these arguments" in result["msg"]
    assert tree(host.root / "data") == before


def test_all_faults_of_the_options_are_told_at_once(host: Host) -> None:
    host.versions = {"etcdctl": "3.4.23"}

    result = restore(host, name="m3", owner="nobody-of-that-name", group="none-of-that-name", bump_revision=5)

    assert result["failed"]
    for message in (
        "owner: there is no nobody-of-that-name on this host",
        "group: there is no none-of-that-name on this host",
        "bump_revision: etcdctl 3.4.23 cannot raise the revision",
        "name: m3 is not in initial_cluster, which has m1, m2",
    ):
        assert message in result["msg"]
    assert host.ran == []


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        (
            "Error: write x/member/snap/db: no space left on device",
            "{root}/data or {root}/wal became full during the restore",
        ),
        ("Error: couldn't find local name", "failed with exit code 1: Error: couldn't find local name"),
    ],
)
def test_a_restore_that_fails_leaves_nothing(host: Host, stderr: str, message: str) -> None:
    host.restore = (1, "", stderr)

    result = restore(host, wal_dir=str(host.root / "wal"))

    assert result["failed"]
    assert message.format(root=host.root) in result["msg"]
    assert sorted(os.listdir(host.root)) == ["backups", "bin"]


@pytest.mark.parametrize("tool", [(0, "", ""), (1, "", "Error: expected sha256 [1], got [2]")], ids=["passes", "fails"])
@pytest.mark.parametrize("fault", ["damaged", "inconsistent", "truncated"])
def test_nothing_is_made_of_a_snapshot_that_is_not_good(host: Host, tool: Answer, fault: str) -> None:
    host.restore = tool
    if fault == "damaged":
        host.snapshot = host.snapshot[:9000] + b"X" + host.snapshot[9001:]
    if fault == "inconsistent":
        host.status = (1, "", "Error: snapshot file integrity check failed. 1 errors found.\n")
    if fault == "truncated":
        host.snapshot = host.snapshot[:-1]

    result = restore(host, wal_dir=str(host.root / "wal"))

    assert result["fault"] == fault
    assert sorted(os.listdir(host.root)) == ["backups", "bin"]
    # The tool does not walk through a database of other bytes than were saved, nor restores what is plainly cut short.
    assert any("status" in command for command in host.ran) == (fault == "inconsistent")
    assert any("restore" in command for command in host.ran) == (fault != "truncated")


def test_restore_without_room_is_not_begun(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: SimpleNamespace(f_bavail=64_000, f_frsize=1000))

    result = restore(host)

    assert result["failed"]
    assert "but the restore of" in result["msg"]
    assert not any("restore" in command for command in host.ran)


@pytest.mark.parametrize(("option", "value"), [("data_dir", None), ("name", ""), ("initial_cluster", {})])
def test_what_a_restore_needs(host: Host, option: str, value: Any) -> None:
    result = restore(host, **{option: value})

    assert result["failed"]
    assert result["msg"] == f"{option}: must not be empty for state=restored"


# List


def test_info(host: Host) -> None:
    for number, (name, data) in enumerate(
        [("old.db", host.snapshot), ("bad.db", b""), ("new.db", host.snapshot), ("notes.txt", b"")]
    ):
        (host.backups / name).write_bytes(data)
        os.utime(host.backups / name, (number, number))

    found = host.run(etcd_snapshot_info, directory=str(host.backups))["snapshots"]

    assert [(os.path.basename(item["path"]), item["valid"], item["fault"]) for item in found] == [
        ("new.db", True, ""),
        ("bad.db", False, "empty"),
        ("old.db", True, ""),
    ]
    assert found[0]["revision"] == 6
    assert found[1]["message"] == f"{host.backups}/bad.db is empty"
    assert found[2]["modified"] == "1970-01-01T00:00:00Z"


def test_info_of_no_folder_needs_no_tools(host: Host) -> None:
    host.versions = {}
    assert host.run(etcd_snapshot_info, directory=str(host.root / "absent"))["snapshots"] == []


def test_info_without_tools(host: Host) -> None:
    host.versions = {}
    (host.backups / "a.db").write_bytes(host.snapshot)

    result = host.run(etcd_snapshot_info, directory=str(host.backups))

    assert result["failed"]
    assert "etcdutl is needed to read a snapshot" in result["msg"]
