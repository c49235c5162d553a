# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way modules call etcdctl and etcdutl: where they are, what they share, how their output is read."""

from __future__ import annotations

import base64
import os
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.answers import (
    Alarm,
    EndpointHealth,
    EndpointStatus,
    MemberRecord,
    Sample,
    parse_alarms,
    parse_health,
    parse_json,
    parse_members,
    parse_sample,
    parse_status,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import (
    Snapshot,
    SnapshotError,
    check_file,
    describe,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import (
    CommandError,
    EtcdError,
    Tool,
    ToolMissingError,
    Version,
    explain,
    parse_version,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.processes import bound_to

# What modules need beside the client comes from here, too.
__all__ = [
    "CLIENT_OPTIONS",
    "CLIENT_REQUIRED_TOGETHER",
    "TOOL_OPTIONS",
    "CommandError",
    "EndpointStatus",
    "Etcd",
    "EtcdError",
    "Sample",
    "Tool",
    "ToolMissingError",
    "Version",
    "explain",
    "verify_snapshot",
]

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
        unfit = "; ".join(f"{item.endpoint}: {item.error or 'unhealthy'}" for item in health if not item.healthy)
        if not candidates and not allow_unhealthy:
            raise EtcdError(
                f"no endpoint is healthy ({unfit}). If the cluster has lost its quorum or has an alarm, "
                "allow_unhealthy takes the snapshot from one member as it is"
            )
        if not candidates:
            self.module.warn(f"no endpoint is healthy ({unfit}): the snapshot may lack the newest changes")
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
        """Make a learner a voting member."""
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
        self._etcdctl([endpoint], "snapshot", "save", path, timeout=timeout, bound=True)

    def snapshot_status(self, path: str) -> Dict[str, Any]:
        """What a snapshot file holds, after the tool has walked its whole B+ tree."""
        status = parse_json(self._run([self.snapshot_tool().path, "snapshot", "status", path, "--write-out=json"]))
        return dict(status)

    def restore(
        self, path: str, arguments: Sequence[str], wrapper: Sequence[str] = (), cwd: Optional[str] = None
    ) -> None:
        """Make a data directory of a snapshot."""
        self._run([*wrapper, self.snapshot_tool().path, "snapshot", "restore", path, *arguments], cwd=cwd, bound=True)

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
        bound: bool = False,
    ) -> str:
        flags = [*self._client(endpoints, private), f"--command-timeout={timeout or self.options['timeout']}s"]
        # JSON only where it is read: etcdctl 3.4 crashes on "member promote" with it, after the promotion.
        return self._run([*flags, *command, *(["--write-out=json"] if read else [])], ok, private, bound)

    def _client(self, endpoints: Sequence[str], private: Optional[str] = None) -> List[str]:
        tool = self.tool("etcdctl")
        if tool is None:
            raise ToolMissingError(f"etcdctl is not in {self._folders()}")
        flags = [f"--endpoints={','.join(endpoints)}"]
        if private is None:
            flags += [f"--{name}={self.options[name]}" for name in ("cacert", "cert", "key") if self.options[name]]
        return [tool.path, *flags, f"--dial-timeout={self.options['dial_timeout']}s"]

    def _run(
        self, command: List[str], ok: Tuple[int, ...] = (0,), cwd: Optional[str] = None, bound: bool = False
    ) -> str:
        environment = {"ETCDCTL_API": "3", "LC_ALL": "C"}
        # What writes files ends with the module: else it would go on beside the next run, which writes the same ones.
        started = [*bound_to(os.getpid()), *command] if bound else command
        rc, out, err = self.module.run_command(started, environ_update=environment, cwd=cwd, expand_user_and_vars=False)
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
