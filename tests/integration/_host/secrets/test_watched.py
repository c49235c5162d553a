"""While secrets are written, a user without rights tries to read every file that comes into being."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import files
from real_etcd import Member, needs_etcd, wait

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
PYTHON = "/usr/bin/python3"
LOOKS_LIKE_A_KEY = "-----BEGIN PRIVATE KEY-----\n"

Run = Callable[..., dict[str, Any]]


class Watched:
    """A folder that everybody may enter, with somebody who looks into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.chmod(0o755)
        self.process = subprocess.Popen(
            [PYTHON, "-", str(folder)],
            stdin=(HERE / "watcher.py").open("rb"),
            stdout=subprocess.PIPE,
            text=True,
            user="nobody",
            group="nogroup",
            extra_groups=[],
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == "watching\n"

    def read(self) -> set[str]:
        """The names of the secrets that were read; that a plain file is among them shows that somebody looked."""
        bait = self.folder / "groundwork-bait"
        bait.write_text(LOOKS_LIKE_A_KEY)
        out, _err = self.process.communicate(timeout=30)
        found = [line.partition(" ")[2] for line in out.splitlines() if line.startswith("secret ")]
        assert found.pop() == str(bait)
        return {str(Path(path).relative_to(self.folder)) for path in found}


@contextmanager
def watching() -> Iterator[Watched]:
    """A watched folder."""
    folder = Path(tempfile.mkdtemp(prefix="groundwork-watched-"))
    one = Watched(folder)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()
        shutil.rmtree(folder)


@pytest.fixture
def watched() -> Iterator[Watched]:
    """A watched folder."""
    with watching() as one:
        yield one


def playbook(watched: Watched, tasks: str, **variables: str) -> None:
    """Run tasks on a host of the inventory that is this machine."""
    extra = [word for name, value in variables.items() for word in ("--extra-vars", f"{name}={value}")]
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "--inventory",
        str(HERE / "inventory.yml"),
        *extra,
        str(HERE / tasks),
    ]
    done = subprocess.run(
        [*command, "--extra-vars", f"folder={watched.folder}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_key_that_is_made_in_its_place_is_read() -> None:
    """What the others rest on: a moment of a wider mode is found, in one of ten runs where the machine is busy."""
    for _round in range(10):
        with watching() as watched:
            playbook(watched, "in_place.yml")
            if watched.read():
                return
    pytest.fail("none of 80 keys was read")


def test_what_files_writes_is_never_read(watched: Watched, run: Run) -> None:
    """New files, replaced ones, and one in a folder of its own."""
    for content in (LOOKS_LIKE_A_KEY, LOOKS_LIKE_A_KEY + "new"):
        names = [f"{number}.key" for number in range(50)]
        result = run(
            files, files=[{"path": str(watched.folder / one), "content": content, "mode": "0600"} for one in names]
        )
        assert len(result["changed_paths"]) == 50
    private = {"path": str(watched.folder / "private"), "state": "directory", "mode": "0700"}
    inside = {"path": str(watched.folder / "private/key"), "content": LOOKS_LIKE_A_KEY}
    assert run(files, files=[private, inside])["changed"] is True
    assert watched.read() == set()


def test_the_keys_of_etcd_are_never_read(watched: Watched) -> None:
    """Those of a new cluster, its authorities' and its member's."""
    playbook(watched, "etcd.yml", __etcd_user="root")
    assert sorted(path.name for path in (watched.folder / "pki").glob("*.key")) == [
        "ca.key",
        "member.key",
        "peer-ca.key",
        "peer.key",
    ]
    assert watched.read() == set()


def served(port: int, pki: Path, name: str, authority: str) -> bool:
    """Whether etcd answers on a port to whom shows a certificate."""
    context = ssl.create_default_context(cafile=pki / f"{authority}.crt")
    context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
    try:
        plain = socket.create_connection(("127.0.0.1", port), 10)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            connection.sendall(b"GET /version HTTP/1.0\r\nHost: etcd\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.0 200")
    except (ssl.SSLError, ConnectionError):
        return False


@needs_etcd
def test_a_client_is_no_peer(watched: Watched) -> None:
    """A real etcd with the settings of the role takes each certificate on the one port that it is for."""
    playbook(watched, "etcd.yml", __etcd_user="root")
    pki, member = watched.folder / "pki", Member(watched.folder)
    environment = json.loads((watched.folder / "settings.json").read_text())
    member.client, member.peer = (one.replace("http:", "https:") for one in (member.client, member.peer))
    kept = ("cert-file", "key-file", "trusted-ca-file", "client-cert-auth")
    values = {name: value for name, value in environment.items() if name.replace("peer-", "") in kept}
    options = [f"--{name}={'true' if value is True else value}" for name, value in values.items()]
    member.start(f"{member.name}={member.peer}", *options)
    try:
        client, peer = (int(one.rpartition(":")[2]) for one in (member.client, member.peer))
        wait(lambda: served(client, pki, "member", "ca"), member.log)
        assert served(peer, pki, "peer", "peer-ca")
        assert not served(peer, pki, "member", "peer-ca")
        assert not served(client, pki, "peer", "ca")
    finally:
        member.kill()


def test_a_cluster_with_one_authority_stays_as_it_is(watched: Watched) -> None:
    """As earlier versions made it: a member has begun, and there are no files for peers."""
    playbook(watched, "etcd.yml", __etcd_user="root")
    pki = watched.folder / "pki"
    for path in pki.glob("peer*"):
        path.unlink()
    before = {path.name: path.read_bytes() for path in pki.iterdir()}
    playbook(watched, "one_authority.yml", __etcd_user="root")
    assert {path.name: path.read_bytes() for path in pki.iterdir()} == before
