"""restore and restore_info: real archives and folders; the test plays etcd's tools and sees their exact calls."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import restore_steps
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import write_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import EtcdState, Manifest, Proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import client
from ansible_collections.groundwork.kubernetes.plugins.modules import restore, restore_info

Run = Callable[..., dict[str, Any]]
ID = "20261122T081500Z"
ENDPOINT = "https://192.0.2.1:2379"


class Tools:
    """etcdctl and etcdutl of a version, and a member that answers."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.version, self.calls = folder, "3.6.8", []
        self.status: dict[str, Any] = {"hash": 1, "revision": 7, "totalKey": 3, "totalSize": 0, "version": "3.6.0"}
        self.healthy, self.keys, self.names = True, 3, ["cp-1"]

    def run(self, _module: AnsibleModule, command: list[str], **_more: Any) -> tuple[int, str, str]:
        words = [word for word in command if not word.startswith("--")]
        tool, does = os.path.basename(words[0]), words[1:3]
        if does[:1] == ["version"]:
            return 0, f"{tool} version: {self.version}\n", ""
        self.calls.append(command)
        if does == ["snapshot", "status"]:
            return 0, json.dumps({**self.status, "totalSize": os.path.getsize(words[3]) - 32}), ""
        if does == ["snapshot", "restore"]:
            target = Path(next(word for word in command if word.startswith("--data-dir=")).partition("=")[2])
            (target / "member" / "snap").mkdir(parents=True)
            (target / "member" / "snap" / "db").write_text("new")
            return 0, "", ""
        if does == ["endpoint", "health"]:
            return 0, json.dumps([{"endpoint": ENDPOINT, "health": self.healthy, "error": "no leader"}]), ""
        if does == ["member", "list"]:
            return 0, json.dumps({"members": [{"ID": 1, "name": name} for name in self.names]}), ""
        if does[:1] == ["get"]:
            return 0, json.dumps({"header": {"revision": 9}, "count": self.keys}), ""
        raise AssertionError(command)

    def argv(self, *does: str) -> list[list[str]]:
        """The calls of one kind, without the folder that is never the same."""
        return [
            [word for word in call[1:] if "data-dir" not in word and not word.endswith("etcd.db")]
            for call in self.calls
            if list(does) == [word for word in call[1:] if not word.startswith("--")][: len(does)]
        ]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("etcdctl", "etcdutl"):
        (folder / name).write_text("")
        (folder / name).chmod(0o755)
    played = Tools(folder)

    def run_command(module: AnsibleModule, command: list[str], **more: Any) -> tuple[int, str, str]:
        return played.run(module, command, **more)

    monkeypatch.setattr(client, "bound_to", lambda _process: [])
    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    monkeypatch.setattr(restore_steps, "PAUSE", 0.0)
    monkeypatch.setattr(restore_steps, "require_space", lambda *_arguments: None)
    return played


@pytest.fixture
def make_archive(tmp_path: Path, make_snapshot: Callable[..., bytes]) -> Callable[[str], Path]:
    """make_archive(host): a host's archive."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text("authority")

    def make(host: str) -> Path:
        database = tmp_path / "db"
        database.write_bytes(make_snapshot())
        manifest = Manifest(
            "example", host, "2026-11-22T02:00:00Z", "1.36.5", EtcdState("3.6.8", ENDPOINT, 7, 3, keys=3),
            Proof("restore", passed=True),
        )  # fmt: skip
        path = tmp_path / host / "example-20261122T020000Z.tar"
        path.parent.mkdir()
        write_archive(str(path), manifest, str(database), [str(tmp_path / "pki" / "ca.crt")])
        return path

    return make


@pytest.fixture
def archive(make_archive: Callable[[str], Path]) -> Path:
    return make_archive("cp-1")


@pytest.fixture
def options(tmp_path: Path, tools: Tools, archive: Path) -> dict[str, Any]:
    (tmp_path / "etcd" / "member" / "snap").mkdir(parents=True)
    (tmp_path / "etcd" / "member" / "snap" / "db").write_text("old")
    return {
        "id": ID, "path": str(archive), "cluster": "example",
        "allow_unverified": True, "data_dir": str(tmp_path / "etcd"), "name": "cp-1",
        "initial_cluster": {"cp-1": ["https://192.0.2.1:2380"]}, "endpoints": [ENDPOINT], "wait_timeout": 0,
        "journal": str(tmp_path / "restore.json"), "bin_dir": str(tools.folder),
    }  # fmt: skip


def database(options: dict[str, Any]) -> str:
    return Path(options["data_dir"], "member", "snap", "db").read_text()


def test_all_the_way_and_back(run_module: Run, options: dict[str, Any], tools: Tools) -> None:
    staged = run_module(restore, **options, state="staged", _ansible_diff=True)
    assert (staged["changed"], staged["bumps_revision"], staged["journal"]["stage"]) == (True, True, "staged")
    assert staged["diff"]["after"]["stage"] == "staged"
    assert tools.argv("snapshot", "restore") == [[
        "snapshot", "restore", "--name=cp-1", "--initial-cluster=cp-1=https://192.0.2.1:2380",
        f"--initial-cluster-token=restore-{ID}", "--initial-advertise-peer-urls=https://192.0.2.1:2380",
        "--bump-revision=1000000000", "--mark-compacted",
    ]]  # fmt: skip
    assert database(options) == "old"
    for state in ("switched", "proven", "finished"):
        result = run_module(restore, **options, state=state)
        assert (result["changed"], result["journal"]["stage"]) == (True, state)
        assert not run_module(restore, **options, state=state)["changed"]
        assert not run_module(restore, **options, state="staged")["changed"]
    assert database(options) == "new"
    assert tools.argv("get")[-1][-2:] == ["--rev=1000000007", "--write-out=json"]
    assert result["old_data"].endswith(f"before-restore-{ID}")

    assert run_module(restore, **options, state="rolled_back")["changed"]
    assert not run_module(restore, **options, state="rolled_back")["changed"]
    assert (database(options), os.listdir(options["data_dir"])) == ("old", ["member"])


@pytest.mark.parametrize(("asked", "flags"), [(0, []), (5, ["--bump-revision=5", "--mark-compacted"])])
def test_the_revision(run_module: Run, options: dict[str, Any], tools: Tools, asked: int, flags: list[str]) -> None:
    result = run_module(restore, **options, state="staged", bump_revision=asked)
    assert result["journal"]["revision"] == 7 + asked
    assert tools.argv("snapshot", "restore")[0][6:] == flags


FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "another archive": ("staged", {"identity": "0" * 16}, "is another archive"),
    "another cluster": ("staged", {"cluster": "other"}, "of the cluster example, not of other"),
    "an older member": ("staged", {"member_version": "3.5.9"}, "the older etcd 3.5.9"),
    "a name of nobody": ("staged", {"name": "cp-9"}, "cp-9 is not in initial_cluster"),
    "no such user": ("staged", {"owner": "nobody-of-that-name"}, "there is no nobody-of-that-name"),
    "a negative bump": ("staged", {"bump_revision": -1}, "-1 is below 0"),
    "no time": ("staged", {"id": "x"}, "is no time"),
    "not staged": ("switched", {}, "stage it first"),
    "not switched": ("proven", {}, "is not in place"),
    "not proven": ("finished", {}, "is not proven"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_change_nothing(run_module: Run, options: dict[str, Any], case: str) -> None:
    state, more, message = FAULTS[case]
    result = run_module(restore, **{**options, **more}, state=state)
    assert result["failed"]
    assert message in result["msg"]
    assert (database(options), os.path.exists(options["journal"])) == ("old", False)


UNPROVEN: dict[str, tuple[dict[str, Any], str]] = {
    "no quorum": ({"healthy": False}, "is not healthy (no leader)"),
    "others": ({"names": ["cp-9"]}, "the cluster has the members ['cp-9']"),
    "keys missing": ({"keys": 2}, "it has 2 keys at revision 1000000007, but the backup has 3"),
}


@pytest.mark.parametrize("case", UNPROVEN)
def test_what_does_not_work_is_not_proven(run_module: Run, options: dict[str, Any], tools: Tools, case: str) -> None:
    change, message = UNPROVEN[case]
    for state in ("staged", "switched"):
        run_module(restore, **options, state=state)
    vars(tools).update(change)
    result = run_module(restore, **options, state="proven")
    assert (result["failed"], result["fault"]) == (True, "unproven")
    assert message in result["msg"]
    assert json.loads(Path(options["journal"]).read_text())["stage"] == "switched"


def test_another_restore_must_be_ended_first(run_module: Run, options: dict[str, Any]) -> None:
    for state in ("staged", "switched"):
        run_module(restore, **options, state=state)
    result = run_module(restore, **{**options, "id": "20270101T000000Z"}, state="staged")
    assert f"the restore {ID}" in result["msg"]


def test_drafts_of_another_restore_are_removed(run_module: Run, options: dict[str, Any]) -> None:
    run_module(restore, **options, state="staged")
    run_module(restore, **{**options, "id": "20270101T000000Z"}, state="staged")
    assert sorted(os.listdir(options["data_dir"])) == ["member", "restore-20270101T000000Z"]


def flip(path: Path) -> None:
    """Change a byte of the snapshot that the manifest does not see."""
    data = bytearray(path.read_bytes())
    data[8192] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("earlier", [False, True], ids=["first", "after another restore"])
@pytest.mark.parametrize("data", [True, False], ids=["with data", "without data"])
def test_a_damaged_archive_changes_nothing(
    run_module: Run, options: dict[str, Any], archive: Path, earlier: bool, data: bool
) -> None:
    before, content, folders = Path(options["journal"]), "", []
    if not data:
        shutil.rmtree(options["data_dir"])
    if earlier:
        run_module(restore, **{**options, "id": "20270101T000000Z"}, state="staged")
        content, folders = before.read_text(), os.listdir(options["data_dir"])
    flip(archive)
    result = run_module(restore, **options, state="staged")
    assert (result["failed"], result["fault"]) == (True, "damaged")
    assert "etcd.db has SHA-256" in result["msg"]
    assert before.exists() is earlier
    assert not earlier or before.read_text() == content
    if data or earlier:
        assert os.listdir(options["data_dir"]) == (folders or ["member"])
    else:
        assert not os.path.exists(options["data_dir"])


def test_check_mode_finds_a_damaged_archive(run_module: Run, options: dict[str, Any], archive: Path) -> None:
    flip(archive)
    result = run_module(restore, **options, state="staged", _ansible_check_mode=True)
    assert (result["failed"], result["fault"]) == (True, "damaged")


def test_the_archive_is_read_once(run_module: Run, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[bool, bool]] = []
    examine = restore_steps.examine

    def counted(*arguments: Any, **more: Any) -> Any:
        reads.append((more.get("quick", False), bool(more.get("database"))))
        return examine(*arguments, **more)

    monkeypatch.setattr(restore_steps, "examine", counted)
    assert run_module(restore, **options, state="staged")["changed"]
    assert reads == [(True, False), (False, True)]


def test_an_archive_that_is_replaced_meanwhile(
    run_module: Run, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, make_archive: Callable[[str], Path]
) -> None:
    def space(*_arguments: Any) -> None:
        os.replace(make_archive("cp-2"), options["path"])

    monkeypatch.setattr(restore_steps, "require_space", space)
    result = run_module(restore, **options, state="staged")
    assert "was changed while it was read" in result["msg"]
    assert (database(options), os.path.exists(options["journal"])) == ("old", False)


MANIFEST = """
spec:
  containers:
  - command:
    - etcd
    - --name=cp-7
    - --data-dir=DATA
    - --advertise-client-urls=https://192.0.2.7:2379
    - --initial-advertise-peer-urls=https://192.0.2.7:2380
    image: registry.k8s.io/etcd:3.6.8-0
"""


@pytest.fixture
def asked(tmp_path: Path, options: dict[str, Any], archive: Path) -> dict[str, Any]:
    for folder in ("manifests", "aside", "etcd-pki"):
        (tmp_path / folder).mkdir()
    return {
        "cluster": "example", "directories": [str(archive.parent)], "manifests": str(tmp_path / "manifests"),
        "aside": str(tmp_path / "aside"), "pki": str(tmp_path / "pki"), "external_pki": str(tmp_path / "etcd-pki"),
        "environment": str(tmp_path / "etcd.env"), "data_dir": options["data_dir"], "name": "cp-1",
        "peer_urls": ["https://192.0.2.1:2380"], "endpoints": [ENDPOINT], "journal": options["journal"],
        "bin_dir": options["bin_dir"],
    }  # fmt: skip


def test_info_of_a_static_pod(run_module: Run, asked: dict[str, Any], options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "aside" / "etcd.yaml").write_text(MANIFEST.replace("DATA", options["data_dir"]))
    found = run_module(restore_info, **asked)
    member = found["member"]
    assert (member["kind"], member["name"], member["version"]) == ("stacked", "cp-7", "3.6.8")
    assert (member["peer_urls"], member["client_url"]) == (["https://192.0.2.7:2380"], "https://192.0.2.7:2379")
    assert (found["stopped"], found["control_plane"]) == (["etcd"], False)
    assert found["data"]["present"]
    assert not found["data"]["in_use"]
    assert found["live"]["error"] == "it does not run"


def test_info_of_a_service(run_module: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "etcd.env").write_text("ETCD_NAME=etcd-1\nETCD_WAL_DIR=/wal\n")
    for name in ("ca.crt", "member.crt", "member.key"):
        (tmp_path / "etcd-pki" / name).write_text("")
    member = run_module(restore_info, **asked)["member"]
    assert (member["kind"], member["name"], member["wal_dir"]) == ("external", "etcd-1", "/wal")
    assert member["certificates"]["cert"].endswith("etcd-pki/member.crt")


def test_info_of_archives(run_module: Run, asked: dict[str, Any], archive: Path, tmp_path: Path) -> None:
    (archive.parent / "example-20261121T020000Z.tar").write_text("no archive")
    sealed = archive.with_name("example-20261123T020000Z.tar.age")
    sealed.write_text("age-encryption.org/v1")
    found = run_module(restore_info, **asked, archive=str(sealed))
    assert [item["path"] for item in found["archives"]] == [str(archive)]
    assert (found["encrypted"], found["archive"]["fault"]) == ([str(sealed)], "encrypted")
    assert run_module(restore_info, **asked, archive=str(tmp_path / "none"))["archive"] == {}
    listed = found["archives"][0]
    assert (listed["cluster"], listed["etcd"]) == ("example", {"version": "3.6.8", "revision": 7, "keys": 3})
    assert len(listed["identity"]) == 16


def test_info_names_a_journal_that_cannot_be_read(run_module: Run, asked: dict[str, Any]) -> None:
    Path(asked["journal"]).write_text("{")
    assert "cannot be read" in run_module(restore_info, **asked)["problem"]
