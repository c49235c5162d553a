"""Faults of room: a disk of etcd that is full, and a database that has reached its quota."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from .cluster import ETCD_QUOTA, Cluster, say
from .faults import Fault, Outcome
from .probe import CallError

BALLAST = "reliability-ballast"
BALLAST_SIZE = 900_000  # bytes; an object of etcd may have 1.5 MiB
CONFIGMAPS = "/api/v1/namespaces/default/configmaps"

# A member's data on a small file system of its own, without another disk: they are copied while the member is stopped.
# All of a file is written, as a log that is laid out beforehand would be on a disk.
SMALL_DISK = """
set -e
mkdir -p /run/etcd-disk
mount -t tmpfs -o size=400m,mode=0700 tmpfs /run/etcd-disk
chown --reference=/var/lib/etcd /run/etcd-disk
cp -a --sparse=never /var/lib/etcd/. /run/etcd-disk/
mount --bind /run/etcd-disk /var/lib/etcd
"""
OWN_DISK = """
set -e
mountpoint -q /run/etcd-disk || exit 0
umount /var/lib/etcd
find /var/lib/etcd -mindepth 1 -delete
cp -a /run/etcd-disk/. /var/lib/etcd/
umount /run/etcd-disk
"""
FILLER = "/var/lib/etcd/filler"


class Ballast:
    """Large ConfigMaps."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.made = 0

    def try_to_add(self) -> str:
        """One more; why the API does not take it, or nothing."""
        metadata = {"name": f"{BALLAST}-{self.made}", "labels": {"app": BALLAST}}
        body = {"metadata": metadata, "data": {"ballast": "x" * BALLAST_SIZE}}
        try:
            self.cluster.call("POST", CONFIGMAPS, body, timeout=20.0)
        except CallError as error:
            return str(error)
        self.made += 1
        return ""

    def remove(self) -> None:
        """All of them, those of an earlier run too."""
        selector = f"?labelSelector=app%3D{BALLAST}"
        items = self.cluster.call("GET", f"{CONFIGMAPS}{selector}", timeout=60.0)["items"]
        for item in items:
            self.cluster.call("DELETE", f"{CONFIGMAPS}/{item['metadata']['name']}", timeout=20.0)


def make_room(cluster: Cluster) -> None:
    """Give the room of removed objects back and take the alarm back, as docs/etcd-maintenance.md says.

    Raises:
        RuntimeError: if etcd_defrag refuses.
    """
    status = cluster.etcdctl("endpoint status --cluster")
    revision = max(entry["Status"]["header"]["revision"] for entry in status)
    with contextlib.suppress(RuntimeError):  # the API server may have compacted to the same revision
        cluster.shell(cluster.etcd_hosts[0], f"/usr/local/sbin/etcdctl compact --physical {revision}")
    done = cluster.etcd_module(cluster.etcd_hosts[0], "etcd_defrag", force=True, disarm=True)
    if done.get("failed"):
        raise RuntimeError(f"etcd_defrag: {done['msg']}")


def expect_alarm(cluster: Cluster, outcome: Outcome, word: str, printed: str, operations: tuple[str, ...]) -> None:
    """The guard refuses operations on another member and names why; verify fails and says why."""
    others = [name for name in cluster.etcd_hosts if name != outcome.target]
    for operation in operations:
        refused = cluster.etcd_module(others[0], "etcd_guard", member=others[0], operation=operation)
        message = str(refused.get("msg", ""))
        outcome.expect(bool(refused.get("failed")), f"etcd_guard lets {others[0]} {operation}")
        outcome.expect(word in message, f"etcd_guard does not name {word}: {message}")
        outcome.notes.append(f"guard, {operation}: {message}")
    verify = cluster.playbook("verify", f"verify-{outcome.name}", verify_settle=0)
    outcome.expect(verify.code != 0, "verify passes")
    outcome.expect(printed in verify.output, f"verify does not say {printed!r}: see {verify.log}")


@dataclass
class FullDisk(Fault):
    """The disk of the member that leads is full: its process dies, and the others go on."""

    name: str = "full-disk"
    title: str = "The disk of the etcd member that leads is full"
    topologies: tuple[str, ...] = ("stacked", "external")
    hold: float = 20.0

    def prepare(self, cluster: Cluster, outcome: Outcome) -> None:
        """Put the data of a member on a small disk, and have it lead."""
        outcome.target = cluster.etcd_hosts[-1]
        cluster.stop_etcd(outcome.target)
        cluster.shell(outcome.target, SMALL_DISK)
        cluster.start_etcd(outcome.target)
        cluster.wait_healthy()
        cluster.lead_etcd(outcome.target)

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Fill it, and write until the member has noticed."""
        say(f"{self.name}: {outcome.target}")
        self.ballast = Ballast(cluster)
        cluster.shell(outcome.target, f"cat /dev/zero > {FILLER} || true")
        for _ in range(40):
            self.ballast.try_to_add()
            if not self._runs(cluster, outcome.target):
                outcome.notes.append(f"etcd ended after {self.ballast.made} writes of 900 kB")
                return
        outcome.failures.append("etcd did not notice that its disk is full")

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """The guard and verify name the member."""
        time.sleep(self.hold)
        expect_alarm(cluster, outcome, outcome.target, outcome.target, ("restart", "upgrade", "defragment"))

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Give room again; the member starts by itself."""
        cluster.shell(outcome.target, f"rm -f {FILLER}")

    def after(self, cluster: Cluster, outcome: Outcome) -> None:
        """Put the data back where they were."""
        self.ballast.remove()
        make_room(cluster)
        cluster.stop_etcd(outcome.target)
        cluster.shell(outcome.target, OWN_DISK)
        cluster.start_etcd(outcome.target)
        cluster.wait_healthy()

    def _runs(self, cluster: Cluster, name: str) -> bool:
        return bool(cluster.shell(name, "pgrep -x etcd || true").strip())


@dataclass
class FullDatabase(Fault):
    """The database has reached its quota: etcd refuses every write until there is room and the alarm is disarmed."""

    name: str = "full-database"
    title: str = "etcd's database reaches its quota"
    topologies: tuple[str, ...] = ("stacked", "external")
    gap: float | None = None  # no write is possible until the repair

    def inject(self, cluster: Cluster, outcome: Outcome) -> None:
        """Write until etcd refuses."""
        outcome.target = "all members"
        self.ballast = Ballast(cluster)
        say(f"{self.name}: writing {ETCD_QUOTA >> 20} MiB")
        for _ in range(2 * ETCD_QUOTA // BALLAST_SIZE):
            error = self.ballast.try_to_add()
            if "space exceeded" in error:
                outcome.notes.append(f"refused after {self.ballast.made} writes of 900 kB: {error}")
                return
        outcome.failures.append("etcd takes writes beyond its quota")

    def observe(self, cluster: Cluster, outcome: Outcome) -> None:
        """The guard names the alarm, verify what etcd answers; the guard lets a member be defragmented."""
        expect_alarm(cluster, outcome, "NOSPACE", "database space exceeded", ("restart", "upgrade"))

    def heal(self, cluster: Cluster, outcome: Outcome) -> None:
        """Remove what fills it, compact, defragment, disarm."""
        self.ballast.remove()
        make_room(cluster)
