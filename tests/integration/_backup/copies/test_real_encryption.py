"""Encrypted backups of a real etcd with a real age, killed at every step, and brought to a real store by the module.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D103

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filled_member import KEYS, UID
from real_etcd import BINARIES, COLLECTIONS, Member, needs_etcd
from ssh_server import SshServer

pytestmark = needs_etcd
RUNNER = f"""
import json, os, signal, sys
sys.path.insert(0, {str(COLLECTIONS)!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.modules import backup, backup_info
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import (
    age, archive_creation, backup_run, signature, trial_restore,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import client

def kill_after(owner, name, call):
    true, count = getattr(owner, name), [0]
    def wrapped(*arguments, **options):
        result = true(*arguments, **options)
        count[0] += 1
        if count[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, wrapped)

options = json.load(sys.stdin)
module = {{"backup": backup, "backup_info": backup_info}}[options.pop("__module", "backup")]
for owner, name, call in options.pop("__kill", []):
    kill_after(eval(owner), name, call)
with patch_module_args(options):
    module.main()
"""
# After which call of what a run is killed, and whether it has left an archive by then.
POINTS: dict[str, tuple[list[Any], bool]] = {
    "snapshot saved": (["client.Etcd", "save", 1], False),
    "trial restored": (["client.Etcd", "restore", 1], False),
    "trial done": (["trial_restore.TrialRestore", "run", 1], False),
    "archive written": (["archive_creation", "write_archive", 1], False),
    "archive read back": (["archive_creation", "read_archive", 1], False),
    "archive encrypted": (["age.Age", "encrypt", 1], False),
    "archive signed": (["signature.Signer", "sign", 1], False),
    "description in place": (["os", "replace", 1], False),
    "signature in place": (["os", "replace", 2], False),
    "archive in place": (["os", "replace", 3], True),
    "one old archive removed": (["backup_run", "remove_archive", 1], True),
}


@pytest.fixture
def run(tools: Path) -> Callable[..., dict[str, Any]]:
    """Run the module in a process of its own; nothing comes back of one that was killed."""
    environment = {**os.environ, "PATH": f"{tools}/usr/bin:{os.environ['PATH']}"}

    def call(**options: Any) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-c", RUNNER], check=False, input=json.dumps(options), capture_output=True, text=True,
            env=environment,
        )  # fmt: skip
        assert done.stdout.strip() or done.returncode == -9, done.stderr
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1]) if done.stdout.strip() else {}
        return result

    return call


class Keys:
    """Two pairs of keys."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.age = folder / "identity"
        subprocess.run([tools / "usr/bin/age-keygen", "-o", self.age], check=True, capture_output=True)
        self.ssh = folder / "ssh"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.ssh], check=True)
        lines = self.age.read_text().splitlines()
        self.public = [
            next(line.split()[-1] for line in lines if "public key" in line),
            Path(f"{self.ssh}.pub").read_text(),
        ]


@pytest.fixture
def keys(tmp_path: Path, tools: Path) -> Keys:
    return Keys(tmp_path, tools)


@pytest.fixture
def options(member: Member, tmp_path: Path, keys: Keys) -> dict[str, Any]:
    (tmp_path / "ca.key").write_text("the authority's key, as it stands in a file\n")
    return {
        "bin_dir": str(BINARIES), "endpoints": [member.client], "directory": str(tmp_path / "backups"),
        "cluster": "test", "include": [str(tmp_path / "ca.key")], "encrypt_to": keys.public,
        "signing_key": str(tmp_path / "signing" / "key"),
    }  # fmt: skip


def beside(archive: Path) -> list[str]:
    """An encrypted archive and what stands beside it."""
    return [archive.name, f"{archive.name}.json", f"{archive.name}.sig"]


def opened(archive: Path, identity: Path, target: Path, tools: Path) -> dict[str, bytes]:
    """What the owner of a private key finds in it, with age and tar alone."""
    command = [tools / "usr/bin/age", "--decrypt", "--identity", identity, "--output", target, archive]
    subprocess.run(command, check=True)
    with tarfile.open(target) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def names(folder: str) -> list[str]:
    return sorted(os.listdir(folder))


def test_an_encrypted_backup(
    run: Callable[..., dict[str, Any]], options: dict[str, Any], keys: Keys, tools: Path, tmp_path: Path
) -> None:
    result = run(**options, extra_files={"/etc/etcd/pki/ca.key": "c2VjcmV0"}, host="cp-1")

    assert result.get("made"), result
    archive = Path(result["path"])
    assert names(options["directory"]) == beside(archive)
    assert {path.stat().st_mode & 0o777 for path in archive.parent.iterdir()} == {0o600}
    assert archive.name.endswith(".tar.age")
    assert result["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert result["proof"]["keys"] == KEYS
    assert b"authority" not in archive.read_bytes()
    description = json.loads(Path(f"{archive}.json").read_text())
    assert description["sha256"] == result["sha256"]
    assert description["manifest"]["parts"] == []
    assert description["recipients"] == keys.public
    for number, identity in enumerate((keys.age, keys.ssh)):
        content = opened(archive, identity, tmp_path / f"plain-{number}", tools)
        assert content[f"files{tmp_path}/ca.key"].startswith(b"the authority's key")
        assert content["files/etc/etcd/pki/ca.key"] == b"secret"
        assert json.loads(content["manifest.json"]) == result["manifest"]

    verified = run(state="verified", path=str(archive), cluster="test", bin_dir=str(BINARIES))
    assert (verified["changed"], verified["proof"]["level"]) == (False, "ciphertext")
    proven = run(state="verified", path=str(archive), cluster="test", bin_dir=str(BINARIES), identity=str(keys.age))
    assert (proven["proof"]["level"], proven["proof"]["keys"], proven["path"]) == ("restore", KEYS, str(archive))
    assert names(options["directory"]) == beside(archive)
    assert verified["signature"] == proven["signature"]
    assert (proven["signature"]["state"], result["signer"].startswith(proven["signature"]["key"])) == ("good", True)
    [listed] = run(__module="backup_info", directory=options["directory"])["backups"]
    assert (listed["valid"], listed["encrypted"], listed["host"], listed["etcd"]["keys"]) == (True, True, "cp-1", KEYS)


def test_damage_is_found_without_the_key(
    run: Callable[..., dict[str, Any]], options: dict[str, Any], tmp_path: Path, tools: Path
) -> None:
    archive = Path(run(**options)["path"])
    good = archive.read_bytes()
    check = {"state": "verified", "path": str(archive), "cluster": "test", "bin_dir": str(BINARIES)}
    for place in (3, 250, len(good) // 2, len(good) - 1):
        archive.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert run(**check)["fault"] in ("damaged", "not_an_archive")
        assert not run(__module="backup_info", directory=options["directory"])["backups"][0]["valid"]
    for length, fault in ((0, "empty"), (100, "truncated"), (len(good) - 1, "truncated")):
        archive.write_bytes(good[:length])
        assert run(**check)["fault"] == fault
    archive.write_bytes(good)
    Path(f"{archive}.json").unlink()
    assert run(**check)["fault"] == "no_manifest"
    assert run(**{**check, "cluster": "other"})["failed"]
    # A damaged one is not counted: with room for one, the next run keeps it beside the new one, and says so.
    result = run(**options, keep={"last": 1})
    assert result["damaged"] == [f"{archive} is encrypted, and {archive}.json, which tells what it is, is gone"]
    assert archive.name in names(options["directory"])


def test_the_wrong_private_key(
    run: Callable[..., dict[str, Any]], options: dict[str, Any], tmp_path: Path, tools: Path
) -> None:
    archive = run(**options)["path"]
    (tmp_path / "others").mkdir()
    other = Keys(tmp_path / "others", tools)
    check = {"state": "verified", "path": archive, "cluster": "test", "bin_dir": str(BINARIES)}
    result = run(**check, identity=str(other.age))
    assert "no identity matched" in result["msg"]
    assert len(names(options["directory"])) == 3


def test_what_is_no_public_key(run: Callable[..., dict[str, Any]], options: dict[str, Any]) -> None:
    result = run(**{**options, "encrypt_to": ["age1nonsense", *options["encrypt_to"]]})
    assert "encrypt_to: 'age1nonsense' is refused" in result["msg"]
    assert not os.path.exists(options["directory"])


def test_a_snapshot_that_fails_its_proof_is_encrypted_too(
    run: Callable[..., dict[str, Any]], options: dict[str, Any]
) -> None:
    result = run(**options, sample_prefix="/registry/", prove_timeout=0)
    assert result["fault"] == "proof"
    assert result["path"].endswith(".tar.age.bad")
    assert names(options["directory"]) == [os.path.basename(result["path"]), os.path.basename(result["path"]) + ".json"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "plain"])
def test_a_run_that_is_killed_anywhere(
    run: Callable[..., dict[str, Any]], options: dict[str, Any], point: str, encrypted: bool
) -> None:
    kill, left = POINTS[point]
    if not encrypted:
        options["encrypt_to"] = []
        if point == "archive encrypted":
            pytest.skip("nothing is encrypted")
        if point == "signature in place":
            left = True
        if point == "archive in place":
            pytest.skip("there is no description, so that the archive is the second that comes into place")
    first = run(**options)["path"]
    before = set(names(options["directory"]))

    assert run(**options, keep={"last": 1}, __kill=[kill]) == {}

    listed = run(__module="backup_info", directory=options["directory"])["backups"]
    assert [item["valid"] for item in listed] == [True] * len(listed)
    if point == "one old archive removed":
        assert [item["path"] for item in listed if item["path"] == first] == []
    else:
        assert before <= set(names(options["directory"]))
    assert len(listed) == 1 + left - (point == "one old archive removed")

    result = run(**options, keep={"last": 9})
    assert result.get("made"), result
    after = names(options["directory"])
    assert [name for name in after if name.startswith(".")] == []
    archives = [name for name in after if not name.endswith((".json", ".sig"))]
    assert len(archives) == len(listed) + 1
    assert [name for name in after if name.endswith(".json")] == [f"{name}.json" for name in archives if encrypted]
    assert [name for name in after if name.endswith(".sig")] == [f"{name}.sig" for name in archives]


def test_the_module_copies_and_fails_loudly_when_it_cannot(
    run: Callable[..., dict[str, Any]], options: dict[str, Any], ssh: SshServer, tmp_path: Path
) -> None:
    config = tmp_path / "rclone.conf"
    config.touch(0o600)
    lines = [f"{key} = {value}" for key, value in ssh.settings().items()]
    config.write_text("\n".join(["[here]", *lines, "[nowhere]", "type = sftp", "host = 127.0.0.1", "port = 1"]) + "\n")
    metrics = tmp_path / "backup.prom"
    options.update(copy_config=str(config), metrics_file=str(metrics), copies=[f"here:{ssh.store}"])

    result = run(**options)
    assert result.get("made"), result
    assert sorted(path.name for path in ssh.store.iterdir()) == [
        name for name in names(options["directory"]) if "age" in name
    ]
    assert 'groundwork_backup_copy_success{cluster="test",copy="here"} 1' in metrics.read_text()

    options["copies"].append("nowhere:/x")
    failed = run(**options)
    assert failed["failed"]
    assert failed["fault"] == "copy"
    assert "is proven and stays, but was not copied: nowhere: nowhere:/x cannot be listed" in failed["msg"]
    assert os.path.exists(failed["path"])
    assert [(copy["name"], copy["ok"]) for copy in failed["copies"]] == [("here", True), ("nowhere", False)]
    assert (ssh.store / os.path.basename(failed["path"])).exists()
    text = metrics.read_text()
    assert 'groundwork_backup_last_run_success{cluster="test"} 0' in text
    assert 'groundwork_backup_copy_success{cluster="test",copy="nowhere"} 0' in text
    copies = run(__module="backup_info", directory=options["directory"])["copies"][f"test-{UID[:8]}"]
    assert (copies["here"]["ok"], copies["nowhere"]["ok"], copies["nowhere"]["time"]) == (True, False, 0)
