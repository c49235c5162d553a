# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way modules call etcdctl and etcdutl: where they are, what they share, how their output is read."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import (
    Snapshot,
    SnapshotError,
    check_file,
    describe,
)

TOOL_OPTIONS: Dict[str, Any] = {"bin_dir": {"type": "path"}}
CLIENT_OPTIONS: Dict[str, Any] = {
    "endpoints": {"type": "list", "elements": "str", "default": ["https://127.0.0.1:2379"]},
    "cacert": {"type": "path"},
    "cert": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "timeout": {"type": "int", "default": 5},
    "dial_timeout": {"type": "int", "default": 2},
    **TOOL_OPTIONS,
}
CLIENT_REQUIRED_TOGETHER = [("cert", "key")]
BINARY_FOLDERS = ["/usr/local/bin", "/usr/bin"]


class EtcdError(Exception):
    """What a module reports: etcd or one of its tools did not do what was asked."""


class ToolMissingError(EtcdError):
    """No binary on this host can do it."""


class CommandError(EtcdError):
    """A tool exited with an error; the message holds the command and what it said."""

    def __init__(self, command: Sequence[str], rc: int, stderr: str) -> None:
        self.rc, self.stderr, self.reason = rc, stderr, explain(stderr)
        super().__init__(f"{' '.join(command)} failed with exit code {rc}: {self.reason}")

    @property
    def no_space(self) -> bool:
        """Whether a file system was full."""
        return "no space left on device" in self.stderr


class Version(NamedTuple):
    """A version of etcd, comparable."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Tool:
    """A binary and its version."""

    path: str
    version: Version

    @property
    def name(self) -> str:
        """etcdctl or etcdutl."""
        return os.path.basename(self.path)

    @property
    def bumps_revision(self) -> bool:
        """Whether its restore knows --bump-revision and --mark-compacted."""
        first = {(3, 4): Version(3, 4, 27), (3, 5): Version(3, 5, 10)}
        return self.version >= first.get(self.version[:2], Version(3, 6, 0))

    @property
    def reads_snapshots(self) -> bool:
        """Whether it has the commands snapshot status and snapshot restore: etcdctl lost them in 3.6."""
        return self.name == "etcdutl" or self.version < Version(3, 6, 0)


@dataclass(frozen=True)
class EndpointHealth:
    """Whether a member answered a read that needs the quorum, and had no alarm."""

    endpoint: str
    healthy: bool
    error: str


@dataclass(frozen=True)
class EndpointStatus:
    """What one member says of itself."""

    endpoint: str
    member_id: int
    leader: int
    version: str
    revision: int
    db_size: int
    learner: bool
    errors: Tuple[str, ...]
    db_in_use: int = 0
    db_quota: int = 0
    raft_term: int = 0
    raft_index: int = 0
    raft_applied_index: int = 0


@dataclass(frozen=True)
class MemberRecord:
    """What the cluster's list says of a member; one that has never started has no name and no client URLs."""

    id: int
    name: str
    peer_urls: Tuple[str, ...]
    client_urls: Tuple[str, ...]
    learner: bool


@dataclass(frozen=True)
class Alarm:
    """An alarm that is raised, and the member that raised it."""

    member_id: int
    kind: str


@dataclass(frozen=True)
class Sample:
    """A read below a prefix: how many keys are there, the member's revision, and the hash of the first few of them."""

    count: int
    revision: int
    sha256: str


def parse_version(text: str) -> Version:
    """The version that ``etcdctl version``, ``etcdutl version`` or ``etcd --version`` prints."""
    match = re.search(r"version:\s*v?(\d+)\.(\d+)\.(\d+)", text, re.IGNORECASE)
    if match is None:
        raise EtcdError(f"cannot read a version from {text.strip()!r}")
    return Version(*(int(part) for part in match.groups()))


def explain(stderr: str) -> str:
    """The lines meant for people: log records are dropped unless there is nothing else."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = [line for line in lines if not re.match(r"\{|\d{4}-\d\d-\d\d[T ].*\b(info|warn|I|W)\b", line)]
    errors = [line for line in said if line.startswith(("Error:", "panic:", "fatal error:"))]
    return "; ".join((errors or said or lines[-1:])[:3]) or "no message"


def parse_health(text: str) -> List[EndpointHealth]:
    """The answer of ``endpoint health``; members in the order in which they answered."""
    return [
        EndpointHealth(item["endpoint"], bool(item.get("health")), item.get("error", "")) for item in parse_json(text)
    ]


def parse_status(text: str) -> List[EndpointStatus]:
    """The answer of ``endpoint status``; etcd leaves out fields that are false, zero or empty."""
    found = []
    for item in parse_json(text) or []:
        status = item["Status"]
        found.append(
            EndpointStatus(
                endpoint=item["Endpoint"],
                member_id=status["header"].get("member_id", 0),
                leader=status.get("leader", 0),
                version=status.get("version", ""),
                revision=status["header"].get("revision", 0),
                db_size=status.get("dbSize", 0),
                learner=status.get("isLearner", False),
                errors=tuple(status.get("errors") or ()),
                db_in_use=status.get("dbSizeInUse", 0),
                db_quota=status.get("dbSizeQuota", 0),
                raft_term=status.get("raftTerm", 0),
                raft_index=status.get("raftIndex", 0),
                raft_applied_index=status.get("raftAppliedIndex", 0),
            )
        )
    return found


def parse_sample(text: str) -> Sample:
    """The answer of ``get``; etcd leaves out fields that are zero or empty."""
    answer = parse_json(text)
    records = json.dumps(answer.get("kvs", []), sort_keys=True).encode()
    return Sample(answer.get("count", 0), answer["header"].get("revision", 0), hashlib.sha256(records).hexdigest())


def parse_members(text: str) -> List[MemberRecord]:
    """The answer of ``member list``."""
    return [
        MemberRecord(
            id=item["ID"],
            name=item.get("name", ""),
            peer_urls=tuple(item.get("peerURLs") or ()),
            client_urls=tuple(item.get("clientURLs") or ()),
            learner=item.get("isLearner", False),
        )
        for item in parse_json(text).get("members") or []
    ]


def parse_alarms(text: str) -> List[Alarm]:
    """The answer of ``alarm list``: etcd's AlarmType is a number in JSON."""
    names = {1: "NOSPACE", 2: "CORRUPT"}
    return [
        Alarm(item.get("memberID", 0), names.get(item.get("alarm", 0), f"number {item.get('alarm', 0)}"))
        for item in parse_json(text).get("alarms") or []
    ]


def parse_json(text: str) -> Any:
    """A tool's JSON; Python keeps the 64-bit ids whole."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise EtcdError(f"expected JSON, got {text.strip()[:200]!r}") from error


class Etcd:
    """Runs etcdctl and etcdutl on the host where the module runs."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.options: Dict[str, Any] = module.params
        self._tools: Dict[str, Optional[Tool]] = {}
        # etcdctl refuses a flag that a variable in the environment also sets, even to the same value.
        for name in [name for name in os.environ if name.startswith("ETCDCTL_")]:
            del os.environ[name]

    def health(self, endpoints: Optional[Sequence[str]] = None) -> List[EndpointHealth]:
        """The health of endpoints, in the order given; without any, of those in the options."""
        endpoints = self.options["endpoints"] if endpoints is None else endpoints
        # Exit code 1 means that one of them is unhealthy: which one, the output tells.
        found = {
            item.endpoint: item for item in parse_health(self._etcdctl(endpoints, "endpoint", "health", ok=(0, 1)))
        }
        return [found.get(one, EndpointHealth(one, False, "no answer")) for one in endpoints]

    def status(self, endpoint: str) -> EndpointStatus:
        """What the member behind one endpoint says of itself."""
        found = parse_status(self._etcdctl([endpoint], "endpoint", "status"))
        if not found:
            raise EtcdError(f"{endpoint} gave no status")
        return found[0]

    def source(self, allow_unhealthy: bool) -> EndpointStatus:
        """The member to take a snapshot from: the first healthy one, in the order given.

        Healthy is who answers a read through the quorum, so its data is not behind the others'.
        """
        health = self.health()
        candidates = [item.endpoint for item in health if item.healthy]
        said = "; ".join(f"{item.endpoint}: {item.error or 'unhealthy'}" for item in health if not item.healthy)
        if not candidates and not allow_unhealthy:
            raise EtcdError(
                f"no endpoint is healthy ({said}). If the cluster has lost its quorum or has an alarm, "
                "allow_unhealthy takes the snapshot from one member as it is"
            )
        if not candidates:
            self.module.warn(f"no endpoint is healthy ({said}): the snapshot may lack the newest changes")
            candidates = [item.endpoint for item in health]
        refused: List[str] = []
        for endpoint in candidates:
            try:
                status = self.status(endpoint)
            except CommandError as error:
                refused.append(f"{endpoint}: {error.reason}")
                continue
            if not status.learner:
                return status
            refused.append(f"{endpoint}: it is a learner, which may be behind")
        raise EtcdError(f"no etcd member can give a snapshot ({'; '.join(refused)})")

    def sample(
        self, endpoint: str, prefix: str, limit: int = 10, revision: int = 0, private: Optional[str] = None
    ) -> Sample:
        """Count the keys below a prefix, and hash the first few of them with their values.

        Args:
            endpoint: the member.
            prefix: empty for all keys.
            limit: how many are hashed.
            revision: as of which revision; 0: now.
            private: the folder with the sockets of a member that asks for no certificates.
        """
        command = ["get", prefix, "--prefix", f"--limit={limit}", f"--rev={revision}"]
        return parse_sample(self._etcdctl([endpoint], *command, private=private))

    def statuses(self, endpoints: Sequence[str]) -> List[EndpointStatus]:
        """What the members behind endpoints say of themselves; those that do not answer are left out."""
        return parse_status(self._etcdctl(endpoints, "endpoint", "status", ok=(0, 1)))

    def members(self, endpoints: Sequence[str]) -> List[MemberRecord]:
        """The cluster's list of members; from etcd 3.5 on it needs the quorum."""
        return parse_members(self._etcdctl(endpoints, "member", "list"))

    def alarms(self, endpoints: Sequence[str]) -> List[Alarm]:
        """The alarms that are raised; needs the quorum."""
        return parse_alarms(self._etcdctl(endpoints, "alarm", "list"))

    def add_member(self, endpoints: Sequence[str], name: str, peer_urls: Sequence[str], learner: bool) -> None:
        """Add a member to the list; its process is started later."""
        role = ["--learner"] if learner else []
        self._etcdctl(endpoints, "member", "add", name, f"--peer-urls={','.join(peer_urls)}", *role, read=False)

    def promote_member(self, endpoints: Sequence[str], member_id: int) -> None:
        """Let a learner vote."""
        self._etcdctl(endpoints, "member", "promote", f"{member_id:x}", read=False)

    def remove_member(self, endpoints: Sequence[str], member_id: int) -> None:
        """Take a member off the list; its process stops by itself if it runs."""
        self._etcdctl(endpoints, "member", "remove", f"{member_id:x}", read=False)

    def move_leader(self, leader: Sequence[str], member_id: int) -> None:
        """Hand leadership to another member; only the leader's own endpoints take this."""
        self._etcdctl(leader, "move-leader", f"{member_id:x}", read=False)

    def defragment(self, endpoint: str, timeout: int) -> None:
        """Write a member's database anew without its unused pages; the member answers nothing meanwhile."""
        self._etcdctl([endpoint], "defrag", timeout=timeout, read=False)

    def disarm_alarms(self, endpoints: Sequence[str]) -> None:
        """Take back all alarms, of whatever kind."""
        self._etcdctl(endpoints, "alarm", "disarm", read=False)

    def read_key(self, endpoints: Sequence[str], key: str, local: bool = False) -> str:
        """The value of a key, or nothing where it is not set; needs the quorum, unless a member may say what it has."""
        flags = ["--consistency=s"] if local else []
        records = parse_json(self._etcdctl(endpoints, "get", key, *flags)).get("kvs") or [{}]
        return base64.b64decode(records[0].get("value", "")).decode(errors="replace")

    def write_key(self, endpoints: Sequence[str], key: str, value: str) -> None:
        """Set a key."""
        self._etcdctl(endpoints, "put", key, value, read=False)

    def lock_command(self, endpoints: Sequence[str], name: str, ttl: int) -> List[str]:
        """The command that waits for a lock, prints its key, and holds it until it is ended.

        Args:
            endpoints: members.
            name: the lock's, a prefix of keys.
            ttl: after how many seconds etcd gives it to the next one if the holder is gone.
        """
        return [*self._client(endpoints), "lock", f"--ttl={ttl}", name]

    def save(self, endpoint: str, path: str, timeout: int) -> None:
        """Stream a member's database into a file; etcd takes a snapshot from exactly one member."""
        self._etcdctl([endpoint], "snapshot", "save", path, timeout=timeout)

    def snapshot_status(self, path: str) -> Dict[str, Any]:
        """What a snapshot file holds, after the tool has walked its whole B+ tree."""
        status = parse_json(self._run([self.snapshot_tool().path, "snapshot", "status", path, "--write-out=json"]))
        return dict(status)

    def restore(
        self, path: str, arguments: Sequence[str], wrapper: Sequence[str] = (), cwd: Optional[str] = None
    ) -> None:
        """Make a data directory of a snapshot."""
        self._run([*wrapper, self.snapshot_tool().path, "snapshot", "restore", path, *arguments], cwd=cwd)

    def snapshot_tool(self) -> Tool:
        """The binary that reads snapshot files.

        Raises:
            ToolMissingError: if there is only an etcdctl that no longer does, or none at all.
        """
        for name in ("etcdutl", "etcdctl"):
            tool = self.tool(name)
            if tool is not None and tool.reads_snapshots:
                return tool
        etcdctl = self.tool("etcdctl")
        have = f"etcdctl {etcdctl.version} has no such command" if etcdctl else "there is no etcdctl below 3.6 either"
        raise ToolMissingError(f"etcdutl is needed to read a snapshot and is not in {self._folders()} ({have})")

    def tool(self, name: str) -> Optional[Tool]:
        """A binary of this host, or None."""
        if name not in self._tools:
            path = self._find(name)
            flag = "--version" if name == "etcd" else "version"
            self._tools[name] = Tool(path, parse_version(self._run([path, flag]))) if path else None
        return self._tools[name]

    def _find(self, name: str) -> Optional[str]:
        folder = self.options["bin_dir"]
        if folder is None:
            found: Optional[str] = self.module.get_bin_path(name, opt_dirs=BINARY_FOLDERS)
            return found
        path = os.path.join(folder, name)
        return path if os.access(path, os.X_OK) else None

    def _folders(self) -> str:
        return str(self.options["bin_dir"] or f"{', '.join(BINARY_FOLDERS)} or PATH")

    def _etcdctl(
        self,
        endpoints: Sequence[str],
        *command: str,
        timeout: Optional[int] = None,
        ok: Tuple[int, ...] = (0,),
        private: Optional[str] = None,
        read: bool = True,
    ) -> str:
        flags = [*self._client(endpoints, private), f"--command-timeout={timeout or self.options['timeout']}s"]
        # JSON only where it is read: etcdctl 3.4 crashes on "member promote" with it, after the promotion.
        return self._run([*flags, *command, *(["--write-out=json"] if read else [])], ok, cwd=private)

    def _client(self, endpoints: Sequence[str], private: Optional[str] = None) -> List[str]:
        tool = self.tool("etcdctl")
        if tool is None:
            raise ToolMissingError(f"etcdctl is not in {self._folders()}")
        flags = [f"--endpoints={','.join(endpoints)}"]
        if private is None:
            flags += [f"--{name}={self.options[name]}" for name in ("cacert", "cert", "key") if self.options[name]]
        return [tool.path, *flags, f"--dial-timeout={self.options['dial_timeout']}s"]

    def _run(self, command: List[str], ok: Tuple[int, ...] = (0,), cwd: Optional[str] = None) -> str:
        environment = {"ETCDCTL_API": "3", "LC_ALL": "C"}
        rc, out, err = self.module.run_command(command, environ_update=environment, cwd=cwd, expand_user_and_vars=False)
        if rc not in ok or (rc != 0 and not out.strip()):
            raise CommandError(command, rc, err or out)
        return str(out)


def verify_snapshot(etcd: Etcd, path: str, name: str = "", etcd_version: str = "") -> Snapshot:
    """Prove that a file is a good snapshot: first its bytes, then its database.

    Args:
        etcd: the tools.
        path: the file.
        name: the name it is shown under, where that is another.
        etcd_version: the version of the member it comes from, where that is known.

    Raises:
        SnapshotError: with the fault that was found.
    """
    content = check_file(path, shown_as=name)
    try:
        status = etcd.snapshot_status(path)
    except CommandError as error:
        raise SnapshotError(
            "inconsistent", f"{name or path} has the right hash, but its database cannot be read: {error.reason}"
        ) from error
    return describe(name or path, content, status, etcd_version)
