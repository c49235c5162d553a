"""The tasks of the role restore, with archives that a real age encrypted, from a real sshd and a real S3 store.

A cluster is rebuilt from them on this machine, in a mount namespace in which it is an empty host. GROUNDWORK_ETCD_DIR
names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D102, D103

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import (
    extract_database,
    read_archive,
    write_archive,
)
from filled_member import KEYS, UID
from object_store import PORT, ObjectStore
from real_etcd import Member
from ssh_server import SshServer
from test_real_encryption import BINARIES, RUNNER, Keys

ROOT = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.skipif(
    not (BINARIES / "etcd").is_file(), reason="GROUNDWORK_ETCD_DIR names no folder with the binaries of etcd"
)
AUTHORITY = "a certificate\n"
ENCRYPTION = "resources: [{providers: [{aescbc: {keys: [{name: key-1, secret: c2VjcmV0}]}}], resources: [secrets]}]\n"
POD = "/etc/kubernetes/manifests/evil.yaml"
FILES = {"/etc/kubernetes/pki/ca.crt": AUTHORITY, "/etc/kubernetes/encryption/config-1.yaml": ENCRYPTION}
# What a run writes on the host goes into folders of the test.
NAMESPACE = """
for name in etc var/lib; do
  mkdir -p "$0/$name" "$0/work/$name"
  mount -t overlay overlay -o "lowerdir=/$name,upperdir=$0/$name,workdir=$0/work/$name" "/$name"
done
exec "$@"
"""
PLAYS = {
    "rebuild": [{"tasks_from": "rebuild.yml"}],
    "prepare": [{"tasks_from": "plan.yml"}, {"tasks_from": "prepare.yml"}],
    "drill": [{"tasks_from": "drill.yml"}],
}


class Place:
    """A host, the machine that runs Ansible, and what the inventory says."""

    def __init__(self, folder: Path, tools: Path, member: Member, keys: Keys) -> None:
        self.folder, self.tools, self.member, self.keys = folder, tools, member, keys
        self.home, self.root, self.data = (folder / name for name in ("home", "root", "etcd"))
        for path in (self.home, self.root):
            path.mkdir()
        self.copies: list[dict[str, Any]] = []
        self.archive = Path()
        self.signer = ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.home),
            "PATH": f"{BINARIES}:{self.tools}/usr/bin:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.build/collections:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_CONFIG": str(self.folder / "none.cfg"),
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        }

    def backup(self, target: str, config: Path, **more: Any) -> None:
        """An encrypted archive, which is then in a copy only."""
        options = {
            "bin_dir": str(BINARIES), "endpoints": [self.member.client], "directory": str(self.folder / "made"),
            "cluster": "test", "include": [], "encrypt_to": self.keys.public, "copies": [target],
            "copy_config": str(config), "host": "cp-0", "signing_key": str(self.folder / "signing" / "ours"),
            "extra_files": {path: base64.b64encode(text.encode()).decode() for path, text in FILES.items()}, **more,
        }  # fmt: skip
        command = [sys.executable, "-c", RUNNER]
        done = subprocess.run(
            command, check=False, input=json.dumps(options), capture_output=True, text=True, env=self.environment
        )
        made = json.loads(done.stdout.splitlines()[-1])
        self.archive, self.signer = Path(made["path"]), self.signer or made["signer"]

    def forge(self, store: Path) -> Path:
        """What somebody puts into the store who has the public key of age, and knows how archives are made."""
        age = self.tools / "usr/bin/age"
        plain, evil, database = (self.folder / name for name in ("plain.tar", "evil.tar", "etcd.db"))
        subprocess.run([age, "-d", "-i", self.keys.age, "-o", plain, store / self.archive.name], check=True)
        manifest = read_archive(str(plain))
        extract_database(str(plain), manifest, str(database))
        newer = replace(manifest, created="2030-01-01T00:00:00Z")
        write_archive(str(evil), newer, str(database), [], [(path, b"evil") for path in (POD, *FILES)])
        target = store / f"test-20300101T000000Z-{UID[:8]}.tar.age"
        recipients = [word for key in self.keys.public for word in ("-r", key)]
        subprocess.run([age, "-e", *recipients, "-o", target, evil], check=True)
        return target

    def command(self, name: str, *flags: str, **variables: Any) -> list[str]:
        given = {
            "kubernetes_cluster_name": "test", "kubernetes_node_ip": "127.0.0.1", "kubernetes_node_name": "cp-1",
            "restore_etcd_hosts": ["cp-1"], "restore_etcd_user": "root", "restore_etcd_data_dir": str(self.data),
            "restore_rebuild": True,
            "restore_confirm": "test", "restore_copy": "offsite", "restore_identity": str(self.keys.age),
            "backup_copies": self.copies, "backup_packages": [], "backup_trusted_signers": [self.signer], **variables,
        }  # fmt: skip
        tasks = [
            {"ansible.builtin.import_role": {"name": "groundwork.kubernetes.restore", **role}} for role in PLAYS[name]
        ]
        play = {"hosts": "kube_control_plane", "gather_facts": False, "any_errors_fatal": True, "tasks": tasks}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        (self.folder / "variables.yml").write_text(yaml.safe_dump(given))
        (self.folder / "inventory").write_text(
            f"[kube_control_plane]\ncp-1 ansible_connection=local ansible_python_interpreter={sys.executable}\n"
        )
        playbook = [f"{Path(sys.executable).parent}/ansible-playbook", "-i", f"{self.folder}/inventory"]
        inside = [*playbook, "-e", f"@{self.folder}/variables.yml", *flags, f"{self.folder}/play.yml"]
        return ["unshare", "--mount", "--propagation=private", "sh", "-euc", NAMESPACE, str(self.root), *inside]

    def play(self, name: str, *flags: str, fails: bool = False, **variables: Any) -> str:
        """Run tasks of the role, and return what Ansible says."""
        done = subprocess.run(
            self.command(name, *flags, **variables), check=False, capture_output=True, text=True, env=self.environment
        )
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())  # long lines are broken anywhere

    def left(self) -> list[str]:
        """All that is on the host and in the home of the user who runs Ansible, but for Ansible's own."""
        found = [path for path in (*self.root.rglob("*"), *self.home.rglob("*")) if path.is_file()]
        names = [str(path.relative_to(self.folder)) for path in found if ".ansible" not in path.parts]
        return sorted([*names, *(["etcd"] if self.data.exists() else [])])


@pytest.fixture
def place(tmp_path: Path, tools: Path, member: Member) -> Place:
    (tmp_path / "keys").mkdir()
    return Place(tmp_path, tools, member, Keys(tmp_path / "keys", tools))


def configuration(folder: Path, settings: dict[str, str]) -> Path:
    config = folder / "made.conf"
    config.touch(0o600)
    config.write_text("\n".join(["[offsite]", *(f"{name} = {value}" for name, value in settings.items())]) + "\n")
    return config


@pytest.fixture
def by_ssh(place: Place, ssh: SshServer) -> Place:
    """A copy in a folder of an sftp server."""
    settings = ssh.settings()
    place.backup(f"offsite:{ssh.store}", configuration(place.folder, settings))
    entry = {
        "name": "offsite", "path": str(ssh.store),
        "settings": {name: settings[name] for name in ("type", "host", "port", "user")},
        "ssh_key": (ssh.folder / "user_key").read_text(), "ssh_known_hosts": (ssh.folder / "known_hosts").read_text(),
    }  # fmt: skip
    place.copies = [entry, {**entry, "name": "empty", "path": f"{ssh.store}/nothing"}]
    return place


@pytest.fixture
def by_s3(place: Place, store: ObjectStore) -> Place:
    """A copy in an object store."""
    bucket = f"bucket{time.monotonic_ns()}"
    config = configuration(place.folder, store.settings)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [place.tools / "usr/bin/rclone", "--config", config, "mkdir", f"offsite:{bucket}"]
    subprocess.run(command, check=True, env=environment)
    place.backup(f"offsite:{bucket}/here", config)
    place.copies = [{"name": "offsite", "path": f"{bucket}/here", "settings": store.settings}]
    return place


@pytest.mark.parametrize("kind", ["by_ssh", "by_s3"])
def test_a_cluster_is_rebuilt_straight_from_a_copy(kind: str, request: pytest.FixtureRequest) -> None:
    place: Place = request.getfixturevalue(kind)
    place.play("rebuild", "-vvv", "--diff", fails=True, restore_confirm="")
    assert place.left() == []

    output = place.play("rebuild", "-vvv", "--diff")

    assert "signed: by SHA256:" in output
    assert "AGE-SECRET-KEY" not in output
    assert base64.b64encode(ENCRYPTION.encode()).decode()[8:40] not in output
    assert f"{place.archive.name}, made " in output
    assert [path for path in place.left() if path.startswith("home")] == []
    assert (place.root / "etc/kubernetes/pki/ca.crt").read_text() == AUTHORITY
    plain = place.root / "var/lib/groundwork/restore" / place.archive.name.removesuffix(".age")
    assert plain.stat().st_mode & 0o777 == 0o600
    assert plain.parent.stat().st_mode & 0o777 == 0o700
    assert records(place) == place.member.ctl("get", "", "--prefix").stdout


def records(place: Place) -> str:
    """What an etcd has on the new data."""
    urls = [f"http://127.0.0.1:{PORT + 20 + number}" for number in (0, 1)]
    command = [
        f"{BINARIES}/etcd", "--name=cp-1", f"--data-dir={place.data}", f"--listen-client-urls={urls[0]}",
        f"--advertise-client-urls={urls[0]}", f"--listen-peer-urls={urls[1]}",
    ]  # fmt: skip
    etcd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            ask = [f"{BINARIES}/etcdctl", f"--endpoints={urls[0]}", "get", "", "--prefix"]
            done = subprocess.run(
                ask, check=False, capture_output=True, text=True, env={**os.environ, "ETCDCTL_API": "3"}
            )
            if done.returncode == 0:
                return done.stdout
            time.sleep(0.1)
        raise AssertionError(done.stderr)
    finally:
        etcd.kill()
        etcd.wait()


def test_one_that_begun_goes_on_without_the_copy(by_ssh: Place, ssh: SshServer) -> None:
    by_ssh.play("prepare")
    before = by_ssh.left()
    ssh.stop()
    output = by_ssh.play("prepare")
    assert "go on with the restore" in output.lower()
    assert by_ssh.left() == before
    by_ssh.play("rebuild", restore_archive=by_ssh.archive.name)
    assert records(by_ssh) == by_ssh.member.ctl("get", "", "--prefix").stdout


def test_check_mode_tells_which_and_leaves_nothing(by_ssh: Place) -> None:
    refused = by_ssh.play("rebuild", "--check", fails=True)
    assert "copy: there is no /etc/groundwork/backup/rclone.conf on cp-1" in refused
    by_ssh.play("drill", restore_rebuild=True)
    before = by_ssh.left()
    output = by_ssh.play("rebuild", "--check", "--diff", restore_confirm="")
    assert f"backup: offsite:{by_ssh.copies[0]['path']}/{by_ssh.archive.name}, made" in output
    assert f"{KEYS} keys" in output
    assert by_ssh.left() == before


def test_a_drill_with_an_encrypted_one_on_the_host(place: Place, ssh: SshServer) -> None:
    place.backup(f"offsite:{ssh.store}", configuration(place.folder, ssh.settings()))
    found = {"restore_copy": "", "restore_directory": str(place.archive.parent)}
    output = place.play("drill", restore_confirm="", **found)
    assert f"that was started on it had {KEYS} keys, of {KEYS} in the backup" in output
    assert "would take (rto)" in output
    assert [path for path in place.left() if not path.endswith(".lock")] == []
    assert "would lose (rpo)" in place.play("drill", "--check", restore_confirm="", **found)
    named = {"restore_copy": "", "restore_archive": str(place.archive), "restore_archive_host": "localhost"}
    place.play("drill", restore_confirm="", **named)
    refused = place.play("rebuild", fails=True, restore_identity="", **found)
    assert "is encrypted: name the file with age's private key" in refused
    assert place.left() == []


SIGNED = r"signed:? by SHA256:"


def flip(place: Place) -> Path:
    """An archive of the same name and signature beside another one's, in which one byte of the snapshot differs."""
    place.backup("", place.folder / "none.conf", encrypt_to=[], copies=[])
    damaged = place.folder / "flip" / place.archive.name
    damaged.parent.mkdir()
    shutil.copy(f"{place.archive}.sig", f"{damaged}.sig")
    content = bytearray(place.archive.read_bytes())
    content[9000] ^= 1
    damaged.write_bytes(content)
    return damaged


@pytest.mark.parametrize("name", ["rebuild", "drill"])
def test_a_damaged_archive_is_refused_before_it_is_copied(place: Place, name: str) -> None:
    damaged = flip(place)
    no_copy = {"restore_copy": "", "restore_identity": ""}
    intact = {**no_copy, "restore_directory": str(place.archive.parent)}
    on_host = {**no_copy, "restore_directory": str(damaged.parent)}
    named = {**intact, "restore_archive": str(damaged), "restore_archive_host": "localhost"}
    for variables, flags in ((named, ["--check"]), (named, []), (on_host, ["--check"]), (on_host, [])):
        refused = place.play(name, *flags, fails=True, **variables)
        assert f"{damaged} is damaged: etcd.db has SHA-256" in refused
        assert not re.search(SIGNED, refused)
        assert place.left() == []
    assert re.search(SIGNED, place.play(name, "--check", **intact))


def other_key(place: Place) -> dict[str, Any]:
    (place.folder / "others").mkdir()
    return {"restore_identity": str(Keys(place.folder / "others", place.tools).age)}


def open_key(place: Place) -> dict[str, Any]:
    place.keys.age.chmod(0o640)
    return {}


def cut(place: Place) -> dict[str, Any]:
    archive = Path(place.copies[0]["path"]) / place.archive.name
    archive.write_bytes(archive.read_bytes()[:-70000])
    return {}


def store_of(place: Place) -> Path:
    return Path(place.copies[0]["path"])


def unsigned(place: Place) -> dict[str, Any]:
    (store_of(place) / f"{place.archive.name}.sig").unlink()
    return {}


def others_key(place: Place) -> dict[str, Any]:
    signing_key = str(place.folder / "signing" / "theirs")
    place.backup(f"offsite:{store_of(place)}", place.folder / "made.conf", signing_key=signing_key)
    return {}


def forged(place: Place) -> dict[str, Any]:
    place.forge(store_of(place))
    return {}


def forged_with_a_signature(place: Place) -> dict[str, Any]:
    target = place.forge(store_of(place))
    shutil.copy(f"{store_of(place) / place.archive.name}.sig", f"{target}.sig")
    return {"restore_unverified": True}


def renamed(place: Place) -> dict[str, Any]:
    """The only archive, an old one, is given out as a newer one."""
    newer = store_of(place) / f"test-20300101T000000Z-{UID[:8]}.tar.age"
    for end in ("", ".sig"):
        shutil.copy(f"{store_of(place) / place.archive.name}{end}", f"{newer}{end}")
    return {"restore_unverified": True}


def foreign(place: Place) -> dict[str, Any]:
    settings = (place.folder / "made.conf").read_text()
    assert "sftp" in settings
    path = place.copies[0]["path"]
    place.backup(f"offsite:{path}", place.folder / "made.conf", cluster="other")
    return {"restore_archive": place.archive.name}


FAULTS: dict[str, tuple[Callable[[Place], dict[str, Any]], str]] = {
    "unknown copy": (
        lambda _place: {"restore_copy": "x"},
        "restore_copy: 'x' is no name in backup_copies: offsite, em",
    ),
    "no archive there": (
        lambda _place: {"restore_copy": "empty"},
        "has no archive of the cluster test. It has no arch",
    ),
    "wrong identity": (other_key, "does not fit: offsite:"),
    "no identity": (lambda _place: {"restore_identity": ""}, "restore_identity: it is not set, and offsite:"),
    "no such file": (
        lambda _place: {"restore_identity": "/nowhere/key"},
        "restore_identity: /nowhere/key: No such file",
    ),
    "readable by others": (open_key, "can be read by others than its owner"),
    "truncated": (cut, "is truncated or damaged: age says"),
    "not signed": (unsigned, "is not signed, so that it is not known who made it. Whoever made it gets the cluster"),
    "signed by another key": (others_key, "which is not among those that are trusted. Whoever made it gets the"),
    "forged": (forged, "20300101T000000Z-1f0c6a52.tar.age is not signed, so that it is not known who made it"),
    "forged, with a signature": (forged_with_a_signature, "has the signature of another archive, test-2"),
    "renamed": (renamed, "has the signature of another archive, test-2"),
    "of another cluster": (foreign, "is a backup of the cluster other, not of test"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_change_nothing(by_ssh: Place, case: str) -> None:
    prepare, message = FAULTS[case]
    output = by_ssh.play("rebuild", fails=True, **prepare(by_ssh))
    assert message in output
    assert "Nothing was changed." in output
    # rclone's configuration is the role backup's, and is there before the copy can be looked into.
    configured = ["root/etc/groundwork/backup/known_hosts", "root/etc/groundwork/backup/rclone.conf"]
    assert [path for path in by_ssh.left() if path not in configured and not path.endswith("/backup.json")] == []


def test_a_forged_archive_that_is_allowed_brings_no_static_pod(by_ssh: Place) -> None:
    target = by_ssh.forge(store_of(by_ssh))
    output = by_ssh.play("rebuild", restore_unverified=True)
    assert "It is taken, as restore_unverified says" in output
    assert "signed: not verified: it is not signed" in output
    assert POD in output  # it is named among what was not put back
    assert (by_ssh.root / "etc/kubernetes/pki/ca.crt").read_text() == "evil"
    assert not (by_ssh.root / POD[1:]).exists()
    assert target.exists()


def test_what_a_killed_run_left_is_removed(by_ssh: Place) -> None:
    folder = by_ssh.home / ".groundwork-restore-test"
    command = by_ssh.command("rebuild")
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=by_ssh.environment, start_new_session=True)
    for _ in range(600):
        if folder.is_dir() and any(folder.iterdir()):
            break
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o700

    by_ssh.play("rebuild")

    assert not folder.exists()
    assert records(by_ssh) == by_ssh.member.ctl("get", "", "--prefix").stdout
