"""The certificates of etcd's members and of a client, on hosts of their own: who has which key, and who signs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_etcd import Member, etcdctl, free_port, needs_etcd, wait

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
HOSTS = ("etcd-1", "etcd-2", "etcd-3")
# Everything is issued anew with these.
LONGER = {
    "etcd_certificate_days": 2000,
    "etcd_certificate_renew_days": 1500,
    "etcd_ca_days": 9000,
    "etcd_ca_renew_days": 8000,
}


class Cluster:
    """Roots that share this machine's files but for one folder, in a mount namespace that ends with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.own = folder, folder / "own"
        self.own.mkdir()
        for host in HOSTS:
            (folder / host).mkdir()
        self.holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "infinity"])
        while os.readlink(f"/proc/{self.holder.pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt"):
            time.sleep(0.05)
        for host in HOSTS:
            self.inside("mount", "--rbind", "/", str(folder / host))
            self.renew(host)

    def inside(self, *command: str) -> str:
        """Run a command in the namespace."""
        enter = ["nsenter", f"--target={self.holder.pid}", "--mount", f"--wd={ROOT}"]
        done = subprocess.run([*enter, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def renew(self, host: str) -> None:
        """A host with nothing on it."""
        self.inside("mount", "-t", "tmpfs", "none", f"{self.folder}/{host}{self.own}")

    def play(self, **variables: object) -> list[str]:
        """Run the playbook; the hosts on which something was changed."""
        given = {"folder": str(self.folder), "pki": f"{self.own}/pki", "__etcd_user": "root", **variables}
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        options = [f"--inventory={HERE / 'hosts.yml'}", f"--extra-vars={json.dumps(given)}"]
        out = self.inside(program, *options, str(HERE / "etcd.yml"))
        return sorted(set(re.findall(r"^(\S+) .*changed=[1-9]", out, re.MULTILINE)))

    def pki(self, host: str) -> Path:
        """Where a host's certificates are."""
        return Path(f"/proc/{self.holder.pid}/root{self.folder}/{host}{self.own}/pki")

    def files(self, suffix: str) -> dict[str, dict[str, str]]:
        """What the hosts have."""
        return {host: {path.stem: path.read_text() for path in self.pki(host).glob(f"*.{suffix}")} for host in HOSTS}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Three hosts."""
    folder = Path(tempfile.mkdtemp(prefix="groundwork-hosts-"))
    one = Cluster(folder)
    try:
        yield one
    finally:
        one.holder.kill()
        one.holder.wait()
        for host in HOSTS:
            (folder / host).rmdir()  # and no more: whatever may be mounted there stays
        shutil.rmtree(folder)


def test_who_keeps_the_keys(cluster: Cluster) -> None:
    """By default each host; then one alone, which serves a host that was lost, and renews all."""
    assert cluster.play() == list(HOSTS)
    keys = cluster.files("key")
    assert [sorted(found) for found in keys.values()] == [["ca", "member", "peer", "peer-ca"]] * 3
    for name in ("ca", "peer-ca"):
        assert len({found[name] for found in keys.values()}) == 1
    assert len({found[name] for found in keys.values() for name in found}) == 8
    assert cluster.play() == []

    cluster.renew("etcd-3")
    keeper = {"etcd_ca_hosts": ["etcd-2"]}
    assert cluster.play(**keeper) == ["etcd-1", "etcd-3"]
    assert {host: sorted(found) for host, found in cluster.files("key").items()} == {
        "etcd-1": ["member", "peer"],
        "etcd-2": ["ca", "member", "peer", "peer-ca"],
        "etcd-3": ["member", "peer"],
    }

    before = cluster.files("crt")
    assert cluster.play(**keeper, **LONGER) == list(HOSTS)
    after = cluster.files("crt")
    assert all(before[host][name] != after[host][name] for host in HOSTS for name in before[host])
    for name in ("ca", "peer-ca"):
        assert len({found[name] for found in after.values()}) == 1
    assert cluster.files("key")["etcd-2"]["ca"] == keys["etcd-2"]["ca"]
    assert sorted(cluster.files("key")["etcd-1"]) == ["member", "peer"]


@needs_etcd
def test_members_go_on_while_all_is_issued_anew(cluster: Cluster, tmp_path: Path) -> None:
    """Real members with the certificates find each other; with new ones, too, and so does one that is restarted."""
    cluster.play()
    members = {host: Member(tmp_path, host) for host in HOSTS}
    for number, member in enumerate(members.values(), 11):
        member.client, member.peer = (f"https://127.0.0.{number}:{free_port()}" for _port in range(2))
    initial = ",".join(f"{host}={member.peer}" for host, member in members.items())

    def start(host: str) -> None:
        pki = cluster.pki(host)
        files = {"cert-file": "member.crt", "key-file": "member.key", "trusted-ca-file": "ca.crt"}
        files |= {"peer-cert-file": "peer.crt", "peer-key-file": "peer.key", "peer-trusted-ca-file": "peer-ca.crt"}
        options = [f"--{flag}={pki / name}" for flag, name in files.items()]
        members[host].start(initial, "--client-cert-auth", "--peer-client-cert-auth", *options)

    def healthy() -> bool:
        pki = cluster.pki("etcd-1")
        shown = [f"--cacert={pki / 'ca.crt'}", f"--cert={pki / 'member.crt'}", f"--key={pki / 'member.key'}"]
        return (
            etcdctl([members["etcd-1"].client], *shown, "endpoint", "health", "--cluster", check=False).returncode == 0
        )

    try:
        for host in HOSTS:
            start(host)
        wait(healthy, members["etcd-1"].log)
        assert cluster.play(**LONGER) == list(HOSTS)
        wait(healthy, members["etcd-1"].log)
        for host in ("etcd-2", "etcd-3"):
            members[host].kill()
            start(host)
            wait(healthy, members[host].log)
    finally:
        for member in members.values():
            member.kill()
