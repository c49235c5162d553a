"""The modules backup and backup_info: what they refuse and plan. Backups of a real etcd are in tests/integration."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import write_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import drafts
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import Listed
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.backup_lock import BackupLock
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import Copied, Rclone
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import EtcdState, Manifest, Proof
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import Signer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import client
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import processes
from ansible_collections.groundwork.kubernetes.plugins.modules import backup, backup_info

Result = dict[str, Any]
Answer = tuple[int, str, str]
UID, OTHER = "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11", "2ab4c9d0-11aa-4bbb-8ccc-d0d1d2d3d4d5"


def record(uid: str) -> bytes:
    """As much of a namespace in protobuf as is looked at."""
    return (
        b"k8s\0\n\x0f\n\x02v1\x12\tNamespace\x12\x99\x01\n\x92\x01\n\x0bkube-system\x12\0\x1a\0\x22\0*$"
        + uid.encode()
        + b"2\0"
    )


class Host:
    """A folder with programs of etcd that are played, and a folder for archives."""

    def __init__(self, root: Path, run_module: Callable[..., Result], snapshot: bytes) -> None:
        """Nothing is installed yet."""
        self.root, self.run_module, self.snapshot = root, run_module, snapshot
        self.versions = {"etcd": "3.5.30", "etcdctl": "3.5.30", "etcdutl": "3.5.30"}
        self.member_version = "3.5.30"
        self.database_size = 20480
        self.warnings: list[str] = []
        self.namespace = record(UID)
        self.failing_saves = 0
        (root / "bin").mkdir()
        (root / "ca.key").touch()

    def run(self, module: Any = backup, **options: Any) -> Result:
        """Run a module with this host's programs."""
        for name in self.versions:
            (self.root / "bin" / name).touch(0o755)
        given = {"directory": str(self.root / "backups"), "cluster": "test", "include": [str(self.root / "ca.key")]}
        return self.run_module(module, bin_dir=str(self.root / "bin"), **{**given, **options})

    def command(self, command: list[str]) -> Answer:
        """Play a program."""
        if command[-1] in ("version", "--version"):
            name = os.path.basename(command[0])
            return 0, f"{name} Version: {self.versions[name]}\nGit SHA: x\n", ""
        words = tuple(word for word in command[1:] if not word.startswith("--"))
        status = {"header": {"revision": 6}, "version": self.member_version, "dbSize": self.database_size}
        kvs = [{"value": base64.b64encode(self.namespace).decode()}] if self.namespace else []
        answers: dict[tuple[str, ...], Any] = {
            ("get", "/registry/namespaces/kube-system"): {"header": {"revision": 9}, "kvs": kvs},
            ("endpoint", "health"): [{"endpoint": "https://127.0.0.1:2379", "health": True}],
            ("endpoint", "status"): [{"Endpoint": "https://127.0.0.1:2379", "Status": status}],
            ("snapshot", "save"): {},
            ("snapshot", "status"): {"hash": 7, "revision": 6, "totalKey": 11, "totalSize": 20480},
            ("get", ""): {"header": {"revision": 9}, "count": 9},
            ("get", "/registry/"): {"header": {"revision": 9}, "count": 8},
        }
        if words[:2] == ("snapshot", "save") and self.failing_saves:
            self.failing_saves -= 1
            return 1, "", "Error: EOF\n"
        if words[:2] == ("snapshot", "save"):
            Path(words[2]).write_bytes(self.snapshot)
        return 0, json.dumps(answers[words[:2]]), ""


@pytest.fixture
def host(
    tmp_path: Path,
    run_module: Callable[..., Result],
    make_snapshot: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> Host:
    found = Host(tmp_path, run_module, make_snapshot())
    real = AnsibleModule.run_command

    def run_command(module: AnsibleModule, command: list[str], **options: Any) -> Answer:
        is_real = os.path.basename(command[0]) == "ssh-keygen"
        answer: Answer = real(module, command, **options) if is_real else found.command(command)
        return answer

    monkeypatch.setattr(client, "bound_to", lambda _process: [])
    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: found.warnings.append(text))
    return found


def test_a_backup_without_a_trial(host: Host) -> None:
    result = host.run(prove="status")

    assert result["changed"], result
    assert result["manifest"]["etcd"] == {
        "version": "3.5.30", "endpoint": "https://127.0.0.1:2379", "revision": 6, "total_keys": 11, "keys": 9,
        "sample_prefix": "/registry/", "sample_keys": 8,
        "sample_sha256": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
    }  # fmt: skip
    assert [part["name"] for part in result["manifest"]["parts"]] == ["etcd.db", f"files{host.root}/ca.key"]
    assert result["kept"] == [result["path"]]
    assert result["sha256"] == hashlib.sha256(Path(result["path"]).read_bytes()).hexdigest()
    assert os.listdir(host.root / "backups") == [os.path.basename(result["path"])]
    again = host.run(state="verified", path=result["path"], prove="status")
    assert (again["changed"], again["manifest"]) == (False, result["manifest"])


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen of OpenSSH")
def test_a_signed_backup(host: Host) -> None:
    key = host.root / "keys" / "signing_key"
    assert host.run(prove="status", signing_key=str(key), _ansible_check_mode=True)["changed"]
    assert not key.parent.exists()

    result = host.run(prove="status", signing_key=str(key), host="cp-1")

    assert (result["signer"].split()[0], result["signer"].split()[2]) == ("ssh-ed25519", "cp-1")
    name = os.path.basename(result["path"])
    assert sorted(os.listdir(host.root / "backups")) == [name, f"{name}.sig"]
    assert (host.root / "backups" / f"{name}.sig").stat().st_mode & 0o777 == 0o600
    again = host.run(state="verified", path=result["path"], prove="status")
    assert (again["signature"]["state"], again["signature"]["key"]) == ("good", result["signer"].rpartition(" ")[0])
    [listed] = host.run_module(backup_info, directory=str(host.root / "backups"))["backups"]
    assert (listed["valid"], listed["signature"]) == (True, again["signature"])
    # The rule takes both, and the next one has the same key.
    second = host.run(prove="status", signing_key=str(key), keep={"last": 1})
    assert second["signer"] == result["signer"]
    name = os.path.basename(second["path"])
    assert sorted(os.listdir(host.root / "backups")) == [name, f"{name}.sig"]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen of OpenSSH")
def test_a_signature_of_another_archive_is_no_backup(host: Host) -> None:
    options = {"prove": "status", "signing_key": str(host.root / "keys" / "signing_key")}
    first, second = (Path(host.run(**options)["path"]) for _time in range(2))
    first.with_name(f"{first.name}.sig").replace(second.with_name(f"{second.name}.sig"))

    refused = host.run(state="verified", path=str(second), prove="status")
    assert (refused["failed"], refused["fault"]) == (True, "signature")
    assert f"{second} has the signature of another archive, {first.name}: do not trust it" in refused["msg"]
    found = host.run_module(backup_info, directory=str(second.parent))["backups"]
    assert [(item["valid"], item["fault"], item["signature"]["state"]) for item in found] == [
        (False, "signature", "wrong"), (True, "", "none"),
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen of OpenSSH")
def test_a_signature_is_verified_before_the_archive_counts(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Signer.sign
    monkeypatch.setattr(Signer, "sign", lambda signer, statement, key: real(signer, statement, key)[1:])
    result = host.run(prove="status", signing_key=str(host.root / "keys" / "signing_key"))
    assert "the new archive has a signature" in result["msg"]
    assert "that cannot be understood: nothing of it was kept" in result["msg"]
    assert os.listdir(host.root / "backups") == []


def test_what_signs_is_not_in_the_archive(host: Host) -> None:
    (host.root / "link").symlink_to(host.root / "ca.key")
    result = host.run(prove="status", signing_key=str(host.root / "ca.key"), include=[str(host.root / "link")])
    assert f"include: {host.root}/ca.key signs the archives (signing_key), so it must not be in them" in result["msg"]


def test_a_key_that_cannot_sign_makes_no_archive(host: Host) -> None:
    (host.root / "nonsense").write_text("nonsense")
    (host.root / "nonsense").chmod(0o600)
    result = host.run(prove="status", signing_key=str(host.root / "nonsense"))
    assert result["msg"].startswith(f"signing_key: {host.root}/nonsense cannot be read: ")
    assert os.listdir(host.root / "backups") == []


def test_a_damaged_snapshot_is_set_aside(host: Host) -> None:
    host.snapshot = host.snapshot[:9000] + b"!" + host.snapshot[9001:]

    result = host.run(prove="status")

    assert (result["failed"], result["fault"]) == (True, "proof")
    assert "the snapshot in the new archive is damaged" in result["msg"]
    assert result["path"].endswith(".tar.bad")
    assert os.listdir(host.root / "backups") == [os.path.basename(result["path"])]


def test_check_mode_on_an_empty_host(host: Host) -> None:
    host.versions = {}

    result = host.run(include=["/nowhere/pki", "/nowhere/*.conf"], _ansible_check_mode=True)

    assert result["changed"]
    assert host.warnings == [
        "include: /nowhere/pki does not exist; etcdctl is not installed on this host: "
        "a backup would be made once that is there"
    ]
    assert not (host.root / "backups").exists()


def test_all_that_is_missing_is_named_at_once(host: Host) -> None:
    del host.versions["etcd"]

    result = host.run(include=["/nowhere/pki", "/nowhere/x"], scratch_directory="/nowhere")

    assert result["failed"]
    for message in ["/nowhere/pki does not", "/nowhere/x does not", "scratch_directory: /nowhere is", "program etcd"]:
        assert message in result["msg"]
    assert not (host.root / "backups").exists()


@pytest.mark.parametrize("cluster", ["", "../x", "a/b", "a b", "-"])
def test_a_cluster_name_that_is_no_file_name(host: Host, cluster: str) -> None:
    assert f"cluster: '{cluster}' is no name" in host.run(cluster=cluster)["msg"]


@pytest.mark.parametrize(
    ("server", "reader", "member", "message"),
    [
        ("3.5.30", "3.5.16", "3.5.1", ""),
        ("3.5.30", "3.5.16", "3.4.23", ""),
        ("3.6.15", "3.6.15", "3.4.23", "needs an etcd of 3.4 or 3.5, but"),
        ("3.5.30", "3.5.30", "3.6.8", "needs an etcd of 3.6 or 3.7, but"),
        ("3.4.23", "3.5.30", "3.5.30", "of one minor version, but they are 3.5.30 and 3.4.23"),
    ],
)
def test_which_etcd_fits(host: Host, server: str, reader: str, member: str, message: str) -> None:
    host.versions = {"etcd": server, "etcdctl": reader, "etcdutl": reader}
    host.member_version = member

    result = host.run(_ansible_check_mode=True)

    assert result.get("failed", False) == (bool(message) and "one minor" not in message), result
    assert message in "".join([result.get("msg", ""), *host.warnings])


def test_too_little_space_is_foreseen(host: Host) -> None:
    host.database_size = 2**60

    result = host.run()

    assert "free, but a backup of https://127.0.0.1:2379 needs" in result["msg"]
    assert not (host.root / "backups").exists()


def test_old_archives_go_after_the_new_one_is_there(host: Host) -> None:
    first = host.run(prove="status")["path"]
    planned = host.run(prove="status", keep={"last": 1}, _ansible_check_mode=True, _ansible_diff=True)
    assert planned["removed"] == [first]
    assert planned["diff"] == {"before": {"archives": [first]}, "after": {"archives": [planned["path"]]}}
    assert os.path.exists(first)

    result = host.run(prove="status", keep={"last": 1})

    assert (result["removed"], result["kept"]) == ([first], [result["path"]])
    assert os.listdir(host.root / "backups") == [os.path.basename(result["path"])]


def test_a_clock_that_went_back_does_not_lose_the_new_archive(host: Host) -> None:
    first = host.run(prove="status")["path"]
    future = host.root / "backups" / f"test-29990101T000000Z-{UID[:8]}.tar"
    os.rename(first, future)

    result = host.run(prove="status", keep={"last": 1})

    assert result["kept"] == [str(future), result["path"]]
    assert result["removed"] == []


def test_what_killed_runs_left_goes_and_what_others_work_on_stays(tmp_path: Path) -> None:
    abandoned = tmp_path / ".groundwork-backup-old"
    (abandoned / "trial").mkdir(parents=True)
    foreign = tmp_path / ".groundwork-draft-x"
    foreign.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / ".groundwork-backup-link").symlink_to(outside)

    with drafts(str(tmp_path)) as first, drafts(str(tmp_path)) as second:
        assert first != second
        assert os.path.isdir(first)
        assert os.stat(first).st_mode & 0o777 == 0o700
        assert not abandoned.exists()

    assert sorted(os.listdir(tmp_path)) == [".groundwork-backup-link", ".groundwork-draft-x", "outside"]


def test_none_is_made_where_one_is_new_enough(host: Host) -> None:
    first = host.run(prove="status")
    assert (first["made"], first["reason"]) == (True, "")

    for mode in (False, True):
        again = host.run(
            prove="status", unless_newer=5, metrics_file=str(host.root / "x.prom"), _ansible_check_mode=mode
        )
        assert (again["changed"], again["made"], again["path"]) == (False, False, first["path"])
        assert again["reason"] == f"{first['path']} was proven 0 minutes ago"
    assert 'last_run_skipped{cluster="test"} 1' in (host.root / "x.prom").read_text()
    # It is not proven as well as it is to be now, is too old, and is another cluster's.
    assert host.run(unless_newer=5, _ansible_check_mode=True)["made"]
    os.rename(first["path"], str(host.root / "backups" / f"test-20200101T000000Z-{UID[:8]}.tar"))
    assert host.run(prove="status", unless_newer=5)["made"]
    assert host.run(prove="status", unless_newer=5, cluster="other")["made"]


def test_one_that_lost_bytes_is_not_relied_on(host: Host) -> None:
    first = Path(host.run(prove="status")["path"])
    data = bytearray(first.read_bytes())
    data[9000] ^= 1
    first.write_bytes(data)

    assert host.run(prove="status", unless_newer=5)["made"]
    assert f"{first} is damaged" in host.warnings[0]


def test_two_clusters_of_one_name_share_a_folder(host: Host) -> None:
    options = {"prove": "status", "keep": {"last": 1}, "keep_bad": 0}
    old = host.root / "backups" / "test-20260101T000000Z.tar"
    os.rename(host.run(**options)["path"], old)  # it carries its identity all the same
    theirs = [str(old), host.run(prove="status")["path"]]
    description = host.root / "backups" / f"test-20260102T000000Z-{UID[:8]}.tar.age.json"
    theirs.append(str(description).replace(".age.json", ".bad"))
    for path in (theirs[-1], description):
        Path(path).touch()

    host.namespace = record(OTHER)
    for _time in range(2):
        result = host.run(**options, metrics_file=str(host.root / "x.prom"))
    assert result["kept"] == [result["path"]]
    assert len(result["removed"]) == 1
    assert (sorted(result["others"]), result["damaged"]) == (sorted(theirs), [])
    assert all(os.path.exists(path) for path in [*theirs, description])
    assert 'archives{cluster="test"} 1' in (host.root / "x.prom").read_text()
    assert host.run(**options, unless_newer=5)["reason"].startswith(result["path"])

    reported = host.run_module(backup_info, directory=str(host.root / "backups"), cluster_uid=OTHER, verify=False)
    assert [item["path"] for item in reported["backups"]] == [result["path"]]
    assert (len(reported["others"]), reported["unidentified"]) == (3, [])
    reported = host.run_module(backup_info, directory=str(host.root / "backups"), cluster_uid="", verify=False)
    assert (reported["backups"], len(reported["others"])) == ([], 4)


def test_archives_without_an_identity_are_kept_named_and_adopted_only_if_told(host: Host) -> None:
    host.namespace = b""  # an etcd without Kubernetes
    options = {"prove": "status", "keep": {"last": 1}}
    first = host.run(**options)
    assert (os.path.basename(first["path"]).count("-"), first["manifest"]["cluster_uid"]) == (1, "")
    second = host.run(**options, unless_newer=5)
    assert (second["made"], second["removed"], second["kept"]) == (True, [], [second["path"]])
    assert first["path"] in second["unidentified"]
    assert "carry no cluster's identity, so they do not count, and stay" in host.warnings[-1]

    host.namespace = record(UID)
    third = host.run(**options)
    assert (third["removed"], third["unidentified"]) == ([], [second["path"], first["path"]])
    fourth = host.run(**options, adopt_unidentified=True)
    assert fourth["removed"] == sorted([first["path"], second["path"], third["path"]])
    assert fourth["unidentified"] == []


def test_a_record_that_cannot_be_read_makes_no_archive_its_own(host: Host) -> None:
    options = {"prove": "status", "keep": {"last": 1}, "kubeconfig": "/nowhere/admin.conf"}
    mine = host.run(**options)["path"]
    host.namespace = b"k8s:enc:aescbc:v1:key:x"
    result = host.run(**options)
    assert (result["made"], result["removed"], result["others"]) == (True, [], [mine])
    assert "the API does not tell which cluster it is" in host.warnings[0]


def test_a_failed_run_still_tells_what_there_is(host: Host) -> None:
    target = host.root / "x.prom"
    host.run(prove="status", metrics_file=str(target))
    assert host.run(include=["/nowhere/x"], metrics_file=str(target))["failed"]
    assert 'archives{cluster="test"} 1' in target.read_text()


def test_hosts_that_take_turns(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, str] = {}
    kept["/registry/namespaces/kube-system"] = record(UID).decode(errors="replace")
    monkeypatch.setattr(client.Etcd, "read_key", lambda client, _endpoints, key, local=False: kept.get(key, ""))
    monkeypatch.setattr(client.Etcd, "write_key", lambda client, _endpoints, key, value: kept.update({key: value}))
    held: list[str] = []

    @contextmanager
    def hold(lock: BackupLock, patience: int) -> Iterator[None]:
        held.append(f"{lock.lock_name} {patience}")
        yield

    monkeypatch.setattr(BackupLock, "hold", hold)
    options = {"prove": "status", "take_turns": True, "unless_newer": 5, "turn_timeout": 9}
    mine, theirs = str(host.root / "mine"), str(host.root / "theirs")

    first = host.run(**options, directory=mine, host="cp-1")
    second = host.run(**options, directory=theirs, host="cp-2")
    third = host.run(**{**options, "unless_newer": 0}, directory=theirs, host="cp-2")

    assert (first["made"], second["made"], third["made"]) == (True, False, True)
    assert second["reason"] == "cp-1 made a proven backup 0 minutes ago"
    assert held == ["/groundwork/backup/test/turn 9"] * 2
    assert json.loads(kept["/groundwork/backup/test/newest"])["host"] == "cp-2"
    # What is noted of the host itself is of no use where its disk was lost.
    assert host.run(**options, directory=str(host.root / "anew"), host="cp-2")["made"]


def test_a_failed_run_is_told_to_prometheus(host: Host) -> None:
    target = host.root / "x.prom"
    assert host.run(include=["/nowhere/x"], metrics_file=str(target))["failed"]
    assert 'last_run_success{cluster="test"} 0' in target.read_text()
    target.unlink()
    assert host.run(cluster='a"b', metrics_file=str(target))["failed"]
    host.run(prove="status", metrics_file=str(target), _ansible_check_mode=True)
    assert not target.exists()


def test_files_of_other_hosts(host: Host) -> None:
    here = str(host.root / "ca.key")
    given = {"/etc/etcd/pki/ca.key": "c2VjcmV0", here: "eA=="}
    result = host.run(prove="status", extra_files=given)
    with tarfile.open(result["path"]) as tar:
        member = tar.getmember("files/etc/etcd/pki/ca.key")
        assert (member.mode, (tar.extractfile(member) or io.BytesIO()).read()) == (0o600, b"secret")
    assert [part["size"] for part in result["manifest"]["parts"]][1:] == [0, 6]

    wrong = host.run(extra_files={"x": "eA==", "/a/../b": "eA==", "/c": "!"}, prove="status")
    for message in ["x is not an absolute path", "/a/../b is not", "the content of /c is not in base64"]:
        assert message in wrong["msg"]


def test_what_is_needed_to_encrypt_and_copy_is_missing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_options: None)
    copies = ["here:/x", "here:/y", "nowhere", ":s3,secret=x:bucket"]
    result = host.run(prove="status", encrypt_to=["age1x"], copies=copies, copy_config="/nowhere/rclone.conf")
    for message in [
        "age is not installed",
        "rclone is not installed",
        "copy_config: /nowhere/rclone.conf does not exist",
        "copies: 'nowhere' is no remote:path",
        "copies: ':s3,secret=x:bucket' is no remote:path",
        "copies: here is there twice",
    ]:
        assert message in result["msg"]
    assert not (host.root / "backups").exists()


def test_a_copy_that_fails_is_loud_and_the_archive_stays(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rclone, "faults", lambda _rclone: [])

    def bring(_rclone: Rclone, target: str, local: list[Listed], _owner: Owner, _keep: Keep) -> Copied:
        copied = [item.name for item in local]
        return Copied("good", target, copied=copied) if "good" in target else Copied("bad", target, False, "is gone")

    monkeypatch.setattr(Rclone, "bring", bring)
    result = host.run(prove="status", copies=["bad:x", "good:y"], metrics_file=str(host.root / "x.prom"))

    assert (result["failed"], result["fault"]) == (True, "copy")
    assert result["msg"] == f"{result['path']} is proven and stays, but was not copied: bad: is gone"
    assert os.path.exists(result["path"])
    assert [(copy["name"], copy["ok"]) for copy in result["copies"]] == [("bad", False), ("good", True)]
    text = (host.root / "x.prom").read_text()
    assert 'copy_success{cluster="test",copy="bad"} 0' in text
    assert 'last_run_success{cluster="test"} 0' in text
    reported = host.run_module(backup_info, directory=str(host.root / "backups"))["copies"][f"test-{UID[:8]}"]
    assert (reported["bad"]["error"], reported["good"]["archive"]) == ("is gone", os.path.basename(result["path"]))


def test_another_member_is_asked_when_one_fails(host: Host) -> None:
    host.failing_saves = 1
    result = host.run(prove="status")
    assert result["made"]
    assert "did not give a snapshot (Error: EOF): the next healthy member is asked" in host.warnings[0]
    host.failing_saves = 2
    assert "snapshot save" in host.run(prove="status")["msg"]
    assert os.listdir(host.root / "backups") == [os.path.basename(result["path"])]


def test_descriptions_without_an_archive_go(host: Host) -> None:
    folder = host.root / "backups"
    folder.mkdir()
    theirs = [f"test-20261101T000000Z-{OTHER[:8]}.tar.age.json", "test-20261101T000000Z.tar.sig"]
    others = sorted([*theirs, "test.copies.json", "notes.json", "notes.sig"])
    ours = [f"test-20261101T000000Z-{UID[:8]}.tar{end}" for end in (".age.json", ".age.sig", ".sig")]
    for name in [*ours, *others]:
        (folder / name).touch()
    host.run(prove="status")
    assert sorted(path.name for path in folder.iterdir() if path.suffix in (".json", ".sig")) == others


def test_metrics_that_cannot_be_written_are_a_warning(host: Host) -> None:
    result = host.run(prove="status", metrics_file="/nowhere/backup.prom")
    assert result["changed"]
    assert host.warnings == ["metrics_file: /nowhere/backup.prom cannot be written: No such file or directory"]


def test_info_tells_good_from_bad(host: Host) -> None:
    snapshot = host.root / "snapshot"
    snapshot.write_bytes(host.snapshot)
    folder = host.root / "backups"
    folder.mkdir()
    state = EtcdState("3.5.30", "", 6, 11)
    for day, (passed, suffix) in enumerate([(True, ""), (False, ""), (True, ".bad")], 1):
        proof = Proof("restore", passed, "" if passed else "failed its proof: no")
        manifest = Manifest("test", "cp-1", f"2026-11-0{day}T00:00:00Z", "1.36.5", state, proof)
        write_archive(str(folder / f"test-2026110{day}T000000Z.tar{suffix}"), manifest, str(snapshot), [])
    (folder / "other-20261104T000000Z.tar").touch()

    found = host.run_module(backup_info, directory=str(folder), verify=False)["backups"]

    assert [(item["cluster"], item["valid"], item["fault"]) for item in found] == [
        ("other", False, "empty"),
        ("test", False, "proof"),
        ("test", False, "proof"),
        ("test", True, ""),
    ]
    assert [item["message"].rpartition("/")[2] for item in found] == [
        "other-20261104T000000Z.tar is empty",
        "test-20261103T000000Z.tar.bad is set aside as bad",
        "test-20261102T000000Z.tar failed its proof: no",
        "",
    ]
    assert len(host.run_module(backup_info, directory=str(folder), cluster="test")["backups"]) == 3
    assert host.run_module(backup_info, directory=str(host.root / "none"))["backups"] == []


def test_a_trial_ends_with_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert processes.low_priority() == ["nice", "-n", "19", "ionice", "-c", "3"]
    assert processes.bound_to(7)[:3] == ["setpriv", "--pdeathsig", "KILL"]
    assert processes.bound_to(7)[-1] == "7"
    monkeypatch.setattr(processes.shutil, "which", lambda name: None)
    assert processes.low_priority() == processes.bound_to(7) == []


def test_a_sample_is_the_same_if_the_records_are() -> None:
    record = {"key": "YQ==", "value": "Yg==", "mod_revision": 2}
    one = client.parse_sample(json.dumps({"header": {"revision": 5}, "kvs": [record], "count": 3}))
    two = client.parse_sample(json.dumps({"count": 3, "kvs": [dict(reversed(record.items()))], "header": {}}))
    assert (one.count, one.revision, two.revision) == (3, 5, 0)
    assert one.sha256 == two.sha256
    assert one.sha256 != client.parse_sample(json.dumps({"header": {}})).sha256


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a folder to another account")
class TestFoldersOfOthers:
    """Work of many steps is done only where no other account can exchange what is there."""

    @pytest.mark.parametrize("check", [False, True])
    @pytest.mark.parametrize(
        ("mode", "owner"), [(0o755, 65534), (0o1777, 0), (0o777, 0)], ids=["theirs", "sticky", "writable"]
    )
    def test_no_archive_is_made_there(self, host: Host, mode: int, owner: int, check: bool) -> None:
        folder = host.root / "backups"
        folder.mkdir()
        folder.chmod(mode)
        os.chown(folder, owner, owner)
        result = host.run(prove="status", _ansible_check_mode=check)
        assert result["failed"]
        assert result["msg"].startswith(f"{folder} is no safe place: others than root may write in {folder}.")
        assert (os.listdir(folder), folder.stat().st_mode & 0o7777) == ([], mode)

    def test_a_scratch_folder_like_tmp_will_do(self, host: Host) -> None:
        scratch = host.root / "scratch"
        scratch.mkdir()
        scratch.chmod(0o1777)
        assert host.run(prove="status", scratch_directory=str(scratch))["made"]
        scratch.chmod(0o777)
        assert "scratch is no safe place" in host.run(prove="status", scratch_directory=str(scratch))["msg"]

    def test_a_link_to_a_file_of_root_is_not_written_through(self, host: Host) -> None:
        collector, victim = host.root / "collector", host.root / "victim"
        collector.mkdir()
        victim.write_text("root's")
        (collector / "backup.prom").symlink_to(victim)
        os.chown(collector, 65534, 65534)
        assert host.run(prove="status", metrics_file=str(collector / "backup.prom"))["made"]
        assert victim.read_text() == "root's"
        assert f"{collector}/backup.prom is a link, and others than root may write in {collector}" in host.warnings[0]


def test_a_folder_that_is_there_keeps_its_mode(host: Host) -> None:
    (host.root / "backups").mkdir(0o750)
    assert host.run(prove="status")["made"]
    assert (host.root / "backups").stat().st_mode & 0o777 == 0o750
