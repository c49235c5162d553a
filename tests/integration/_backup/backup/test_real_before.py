"""The backup before a dangerous change, as the role makes it: an archive counts that is there, on a host that stays.

Three hosts are played by this machine, in a mount namespace in which it is a control plane. Each has its own folder.
GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D102, D103

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.modules import backup
from real_etcd import BINARIES, COLLECTIONS, Member, Run, needs_etcd

pytestmark = needs_etcd
ROOT = Path(__file__).resolve().parents[4]
HOSTS = ["cp-1", "cp-2", "cp-3"]
NAMESPACE = """
mkdir -p "$0/etc" "$0/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$0/etc,workdir=$0/work" /etc
mkdir -p /etc/kubernetes/manifests && touch "/etc/kubernetes/$1"
shift
exec "$@"
"""


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    running = Member(tmp_path_factory.mktemp("etcd"))
    running.start()
    running.fill(100)
    running.identify("1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11")
    yield running
    running.kill()


class Cluster:
    """Three control planes, and an etcd that they have together."""

    def __init__(self, folder: Path, member: Member, run: Run) -> None:
        self.folder, self.member, self.run = folder, member, run
        for name in ("root", *HOSTS):
            (folder / name).mkdir()

    def timer(self, host: str) -> Path:
        """A backup that the timer of a host makes, and notes in etcd."""
        made = self.run(
            backup, bin_dir=str(BINARIES), endpoints=[self.member.client], directory=str(self.folder / host),
            cluster="test", include=[], host=host, take_turns=True,
        )  # fmt: skip
        assert made.get("made"), made
        return Path(made["path"])

    def before(
        self, *, leaving: list[str], sign: str = "admin.conf", changing: dict[str, Any] | None = None, **variables: Any
    ) -> dict[str, Any]:
        """The entry point, called before a change that takes some hosts away; who made the archive, and its result."""
        given = {
            "kubernetes_cluster_name": "test", "kubernetes_version": "1.36.5", "backup_include": [],
            "backup_directory": f"{self.folder}/{{{{ __backup_host }}}}", "backup_timer": True,
            "backup_etcd_endpoints": [self.member.client], "backup_etcd_cacert": "", "backup_etcd_cert": "",
            "backup_etcd_key": "", "backup_before_exclude": leaving, **variables,
        }  # fmt: skip
        role = {"name": "groundwork.kubernetes.backup", "tasks_from": "before"}
        tasks = [{"ansible.builtin.include_role": role, "vars": changing or {}}]
        play = {"hosts": "all", "gather_facts": False, "any_errors_fatal": True, "tasks": tasks}
        (self.folder / "play.yml").write_text(yaml.safe_dump([play]))
        (self.folder / "variables.json").write_text(json.dumps({"ansible_python_interpreter": sys.executable, **given}))
        hosts = {host: {"ansible_connection": "local"} for host in HOSTS}
        inventory = {"all": {"children": {"kube_control_plane": {"hosts": hosts}}}}
        (self.folder / "hosts.json").write_text(json.dumps(inventory))
        environment = {
            **os.environ,
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(self.folder / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.json", "-e", "@variables.json", "play.yml"]
        inside = ["sh", "-euc", NAMESPACE, str(self.folder / "root"), sign, *command]
        done = subprocess.run(
            ["unshare", "--mount", "--propagation=private", *inside],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        start = done.stdout.find("{")
        assert start >= 0 and done.returncode == 0, done.stdout + done.stderr  # noqa: PT018
        tasks_done = json.loads(done.stdout[start:])["plays"][0]["tasks"]
        found = {
            task["task"]["name"].partition(" : ")[2]: next(iter(task["hosts"].values()), {}) for task in tasks_done
        }
        made: dict[str, Any] = found["Make a proven backup"]
        text = " ".join(str(found["Show the backup"]["msg"]).split())
        assert (f"{made['path']} on " in text) is made["made"]
        assert made["made"] or made["reason"] in text
        return {**made, "host": next(host for host in HOSTS if f"/{host}/" in made["path"])}

    def archives(self) -> dict[str, int]:
        return {host: len(list((self.folder / host).glob("*.tar"))) for host in HOSTS}


@pytest.fixture
def cluster(tmp_path: Path, member: Member, run: Run) -> Cluster:
    return Cluster(tmp_path, member, run)


def test_the_archive_lay_on_the_host_that_is_replaced(cluster: Cluster) -> None:
    cluster.timer("cp-1")
    report = cluster.before(leaving=["cp-1"])
    assert (report["host"], report["made"], report["proof"]["passed"]) == ("cp-2", True, True)
    assert cluster.archives() == {"cp-1": 1, "cp-2": 1, "cp-3": 0}
    # That one is there, on a host that stays: the next change needs no other.
    again = cluster.before(leaving=["cp-1"])
    assert (again["host"], again["made"]) == ("cp-2", False)
    assert again["reason"].startswith(report["path"])
    # It goes the way of the host when that is the next to leave.
    assert cluster.before(leaving=["cp-2"])["host"] == "cp-1"
    assert cluster.archives() == {"cp-1": 1, "cp-2": 1, "cp-3": 0}


@pytest.mark.parametrize("loss", ["gone", "damaged"])
def test_the_archive_that_is_noted_is_not_what_it_was(cluster: Cluster, loss: str) -> None:
    archive = cluster.timer("cp-1")
    if loss == "gone":
        archive.unlink()
    else:
        data = bytearray(archive.read_bytes())
        data[9000] ^= 1
        archive.write_bytes(data)
    report = cluster.before(leaving=[])
    assert (report["host"], report["made"]) == ("cp-1", True)
    assert report["path"] != str(archive)


def test_the_noted_host_is_another_one(cluster: Cluster) -> None:
    """Whether that still has its archive is not known here."""
    cluster.timer("cp-3")
    report = cluster.before(leaving=[])
    assert (report["host"], report["made"]) == ("cp-1", True)


def test_before_a_reset_a_new_one_is_made(cluster: Cluster) -> None:
    archive = cluster.timer("cp-1")
    tasks = yaml.safe_load((ROOT / "roles" / "reset" / "tasks" / "main.yml").read_text())
    [role] = [task for task in tasks if task.get("ansible.builtin.include_role", {}).get("tasks_from") == "before"]
    report = cluster.before(leaving=[], changing=role["vars"])
    assert (report["host"], report["made"]) == ("cp-1", True)
    assert report["path"] != str(archive)


def test_a_control_plane_without_its_kubeconfig_is_one(cluster: Cluster) -> None:
    report = cluster.before(leaving=["cp-1"], sign="manifests/kube-apiserver.yaml")
    assert (report["host"], report["made"]) == ("cp-2", True)
