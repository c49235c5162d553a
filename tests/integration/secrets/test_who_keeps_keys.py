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

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
HOSTS = ("etcd-1", "etcd-2", "etcd-3")


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

    def files(self, suffix: str) -> dict[str, dict[str, str]]:
        """What the hosts have."""
        root = Path(f"/proc/{self.holder.pid}/root")
        folders = {host: root / f"{self.folder}/{host}{self.own}/pki".lstrip("/") for host in HOSTS}
        return {
            host: {path.stem: path.read_text() for path in folder.glob(f"*.{suffix}")}
            for host, folder in folders.items()
        }


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
    days = {"certificate": 2000, "certificate_renew": 1500, "ca": 9000, "ca_renew": 8000}
    assert cluster.play(**keeper, **{f"etcd_{name}_days": number for name, number in days.items()}) == list(HOSTS)
    after = cluster.files("crt")
    assert all(before[host][name] != after[host][name] for host in HOSTS for name in before[host])
    for name in ("ca", "peer-ca"):
        assert len({found[name] for found in after.values()}) == 1
    assert cluster.files("key")["etcd-2"]["ca"] == keys["etcd-2"]["ca"]
    assert sorted(cluster.files("key")["etcd-1"]) == ["member", "peer"]
