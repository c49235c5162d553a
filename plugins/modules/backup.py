# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module backup: proven archives of etcd and of the files that a control plane cannot do without."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Make proven backups of a cluster, keep them by rule, and verify them
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Makes one archive of an etcd snapshot, of files of the host and of a manifest with their sizes and SHA-256; or
    proves that an archive is good.
  - The snapshot is proven before the archive counts. Its own hash is checked, C(snapshot status) reads it, it is
    restored into a scratch folder, and a private etcd is started on it. The revision, the number of keys and a few
    records must be those of the member that gave the snapshot.
  - The private etcd listens on unix sockets in a folder that only root can enter, runs with the lowest priority, and is
    gone at the end, whatever happens.
  - An archive is a plain tar file, mode 0600, named C(<cluster>-<UTC time>.tar). It appears whole or not at all. One
    that fails its proof is kept with C(.bad) after its name, and the module fails.
  - Two runs in the same folder exclude each other.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.tools
attributes:
  check_mode:
    support: full
    details:
      - A save asks the members, and compares sizes with the free space.
      - A save whose tools or files are still to come reports a change, with a warning.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - Every run with O(state=saved) makes a new archive. O(state=verified) changes nothing.
options:
  state:
    description:
      - V(saved) makes an archive, proves it, and removes archives that O(keep) does not keep.
      - V(verified) reads the archive at O(path), proves it, changes nothing, and fails if it is not good.
    type: str
    choices: [saved, verified]
    default: saved
  directory:
    description:
      - With O(state=saved), the folder for archives. It is made where it is absent, and gets mode 0700.
      - Required then.
    type: path
  path:
    description: With O(state=verified), the archive. Required then.
    type: path
  cluster:
    description:
      - The cluster's name. With O(state=saved) it is required, and archives of other clusters in the folder are left
        alone.
      - With O(state=verified), an archive of another cluster is refused.
    type: str
  host:
    description: The host's name for the manifest. Without it, what the host calls itself.
    type: str
  kubernetes_version:
    description: The version of Kubernetes, for the manifest.
    type: str
    default: ''
  include:
    description:
      - Files and folders of the host that go into the archive, as absolute paths or as shell patterns.
      - What is named without a pattern must exist. A pattern may match nothing.
      - The default has the keys and certificates, the kubeconfigs, kubeadm's configuration, and an encryption
        configuration that lies beside it.
      - A link to a file is stored as that file.
    type: list
    elements: str
    default: [/etc/kubernetes/pki, /etc/kubernetes/*.conf, /etc/kubernetes/*.yaml]
  prove:
    description:
      - V(restore) does a trial restore. It needs the program C(etcd), of the minor version of the tool that reads
        snapshots and not older than the member, and etcd without passwords.
      - V(status) stops after the hash and C(snapshot status).
    type: str
    choices: [restore, status]
    default: restore
  prove_timeout:
    description: Seconds that the private etcd may take to answer.
    type: int
    default: 120
  sample_prefix:
    description: Below which prefix records are compared in a trial restore.
    type: str
    default: /registry/
  scratch_directory:
    description:
      - Folder below which the snapshot is saved and tried. It must exist.
      - It takes about twice the size of the database and 128 MB. Without it, the archive's folder is used.
    type: path
  keep:
    description:
      - Which good archives of O(cluster) stay. One stays if any rule keeps it.
      - A rule that is left out keeps none. The newest good archive always stays, and so does the new one.
      - Archives whose manifest cannot be read, or says that the proof failed, are not counted and not removed.
    type: dict
    default: {last: 7, daily: 7, weekly: 4, monthly: 6}
    suboptions:
      last:
        description: How many of the newest.
        type: int
        default: 0
      hourly:
        description: The newest of each of so many hours.
        type: int
        default: 0
      daily:
        description: The newest of each of so many days, in UTC.
        type: int
        default: 0
      weekly:
        description: The newest of each of so many weeks, which begin on Monday.
        type: int
        default: 0
      monthly:
        description: The newest of each of so many months.
        type: int
        default: 0
  keep_bad:
    description: How many archives that failed their proof stay.
    type: int
    default: 2
  allow_unhealthy:
    description:
      - Takes the snapshot even if no endpoint is healthy, from the first one that answers.
      - A member without quorum may be behind the others.
    type: bool
    default: false
  save_timeout:
    description: Seconds that the transfer of the snapshot may take.
    type: int
    default: 600
  metrics_file:
    description:
      - File for the textfile collector of Prometheus' node exporter. Its folder must exist, its name should end in
        C(.prom).
      - It is written by every run that got as far as the folder of archives, also by one that failed.
    type: path
seealso:
  - module: groundwork.kubernetes.backup_info
  - module: groundwork.kubernetes.etcd_snapshot
  - name: etcd's disaster recovery
    description: What a snapshot is, and how it is restored.
    link: https://etcd.io/docs/v3.6/op-guide/recovery/
"""

EXAMPLES = r"""
- name: Back up a control plane with stacked etcd
  groundwork.kubernetes.backup:
    directory: /var/backups/kubernetes
    cluster: kubernetes
    cacert: /etc/kubernetes/pki/etcd/ca.crt
    cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
    key: /etc/kubernetes/pki/etcd/healthcheck-client.key
    keep: {last: 24, daily: 7, weekly: 4, monthly: 12}
    metrics_file: /var/lib/node_exporter/groundwork_backup.prom

- name: Prove an archive, with a trial restore
  groundwork.kubernetes.backup:
    state: verified
    path: /var/backups/kubernetes/kubernetes-20261122T020000Z.tar
    cluster: kubernetes
"""

RETURN = r"""
path:
  description: The archive.
  returned: success, and when an archive failed its proof
  type: str
  sample: /var/backups/kubernetes/kubernetes-20261122T020000Z.tar
manifest:
  description:
    - What the archive says of itself, C(cluster), C(host), C(created), C(kubernetes_version), C(tool_version),
      C(format), C(etcd) with its version, revision and numbers of keys, C(proof), and C(parts) with their sizes and
      SHA-256.
  returned: when there is an archive, so not for a save in check mode
  type: dict
  sample:
    cluster: kubernetes
    created: "2026-11-22T02:00:00Z"
proof:
  description: What this run did to prove the archive, and what it found.
  returned: when there is an archive
  type: dict
  sample: {level: restore, passed: true, reason: '', seconds: 1.4, keys: 1843}
size:
  description: Bytes of the archive.
  returned: when there is an archive
  type: int
  sample: 4249600
seconds:
  description: How long the run took.
  returned: success
  type: float
  sample: 3.2
removed:
  description: Archives that were, or would be, removed, bad ones among them.
  returned: state=saved
  type: list
  elements: str
  sample: [/var/backups/kubernetes/kubernetes-20261115T020000Z.tar]
kept:
  description: Good archives of the cluster that stay, newest first, with the new one.
  returned: state=saved
  type: list
  elements: str
  sample: [/var/backups/kubernetes/kubernetes-20261122T020000Z.tar]
damaged:
  description: What is wrong with archives of the cluster that are not counted.
  returned: state=saved
  type: list
  elements: str
  sample: []
fault:
  description: In one word, why an archive is not good.
  returned: on failure because of an archive
  type: str
  choices: [missing, empty, not_an_archive, truncated, no_manifest, manifest, unknown_format, unsafe_member,
    wrong_cluster, unlisted_part, missing_part, wrong_size, damaged, untrue, proof]
  sample: damaged
"""

import fcntl
import os
import shutil
import socket
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import (
    BAD,
    CLUSTER,
    DATABASE,
    TIME,
    TIME_IN_NAME,
    BackupError,
    EtcdState,
    Keep,
    Listed,
    Manifest,
    Proof,
    archive_name,
    archive_size,
    collect,
    disagreement,
    extract_database,
    list_archives,
    metrics,
    parse_time,
    read_archive,
    read_manifest,
    surplus,
    write_archive,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    CommandError,
    EndpointStatus,
    Etcd,
    EtcdError,
    Tool,
    ToolMissingError,
    verify_snapshot,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._snapshot import (
    HASH_SIZE,
    Snapshot,
    SnapshotError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._staging import (
    NoSpaceError,
    fsync_path,
    require_space,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._trial import (
    TrialError,
    fitting_server,
    run_trial,
    space_needed,
)

DRAFTS = ".groundwork-backup-"
RULES = ("last", "hourly", "daily", "weekly", "monthly")
KEEP: Dict[str, int] = {"last": 7, "daily": 7, "weekly": 4, "monthly": 6}
ARGUMENTS: Dict[str, Any] = {
    "state": {"type": "str", "choices": ["saved", "verified"], "default": "saved"},
    "directory": {"type": "path"},
    "path": {"type": "path"},
    "cluster": {"type": "str"},
    "host": {"type": "str"},
    "kubernetes_version": {"type": "str", "default": ""},
    "include": {
        "type": "list",
        "elements": "str",
        "default": ["/etc/kubernetes/pki", "/etc/kubernetes/*.conf", "/etc/kubernetes/*.yaml"],
    },
    "prove": {"type": "str", "choices": ["restore", "status"], "default": "restore"},
    "prove_timeout": {"type": "int", "default": 120},
    "sample_prefix": {"type": "str", "default": "/registry/"},
    "scratch_directory": {"type": "path"},
    "keep": {
        "type": "dict",
        "default": KEEP,
        "options": {rule: {"type": "int", "default": 0} for rule in RULES},
    },
    "keep_bad": {"type": "int", "default": 2},
    "allow_unhealthy": {"type": "bool", "default": False},
    "save_timeout": {"type": "int", "default": 600},
    "metrics_file": {"type": "path"},
    **CLIENT_OPTIONS,
}


class FailedError(Exception):
    """What the module fails with, and what it returns besides."""

    def __init__(self, message: str, **result: Any) -> None:
        self.result = result
        super().__init__(message)


class Shelf:
    """The archives of one cluster in a folder: which count, and which are to go."""

    def __init__(self, directory: str, cluster: str) -> None:
        """Read the manifests of all archives."""
        self.good: List[Tuple[Listed, Manifest]] = []
        self.damaged: List[str] = []
        listed = list_archives(directory, cluster)
        self.bad = [item for item in listed if item.bad]
        for item in listed:
            if item.bad:
                continue
            try:
                manifest = read_manifest(item.path, cluster)
            except BackupError as error:
                self.damaged.append(str(error))
                continue
            if manifest.proof.passed:
                self.good.append((item, manifest))
            else:
                self.damaged.append(f"{item.path} failed its proof: {manifest.proof.reason}")

    def surplus(self, keep: Keep, keep_bad: int, new: Optional[Listed]) -> List[str]:
        """The archives that no rule keeps; a new one counts even before it is there, and stays."""
        items = {item.path: item for item, _manifest in self.good}
        if new is not None:
            items[new.path] = new
        gone = set(surplus([item.time for item in items.values()], keep))
        paths = [path for path, item in items.items() if item.time in gone and (new is None or path != new.path)]
        return sorted(paths) + [item.path for item in self.bad[max(keep_bad, 0) :]]


class BackupModule:
    """The two states; each returns what the module returns."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options from the module."""
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.etcd = Etcd(module)
        self.start = time.monotonic()
        self.directory = os.path.abspath(self.options["directory"] or ".")
        self.cluster: str = self.options["cluster"] or ""
        self.keep = Keep(**{rule: (self.options["keep"] or {}).get(rule, 0) for rule in RULES})

    def run(self) -> Dict[str, Any]:
        """Do what the state asks for."""
        result = self.saved() if self.options["state"] == "saved" else self.verified()
        return {**result, "seconds": round(time.monotonic() - self.start, 3)}

    def verified(self) -> Dict[str, Any]:
        """Read the archive, then try its snapshot in a folder of its own."""
        path = os.path.abspath(self.options["path"])
        manifest = read_archive(path, self.cluster)
        server = self.server(manifest.etcd.version)
        database = next(part.size for part in manifest.parts if part.name == DATABASE)
        scratch = self.options["scratch_directory"] or os.path.dirname(path)
        require_space(scratch, database + self.trial_space(database), f"proving {path}")
        with drafts(scratch) as folder:
            copy = os.path.join(folder, DATABASE)
            extract_database(path, copy)
            snapshot = self.inspect(copy, path, manifest.etcd.version)
            said = {"revision": snapshot.revision, "total_keys": snapshot.total_keys}
            for name, value in said.items():
                if getattr(manifest.etcd, name) != value:
                    raise BackupError(
                        "untrue",
                        f"the manifest of {path} says {name} {getattr(manifest.etcd, name)}, but it is {value}: "
                        "do not trust it",
                    )
            proof = self.prove(copy, folder, manifest.etcd, server)
        result = {"changed": False, "path": path, "manifest": manifest.as_dict(), "size": os.path.getsize(path)}
        if not proof.passed:
            raise FailedError(f"{path} {proof.reason}", fault="proof", **result)
        return {**result, "proof": proof.__dict__}

    def inspect(self, database: str, shown_as: str, version: str) -> Snapshot:
        """Hash and status of a snapshot file."""
        try:
            return verify_snapshot(self.etcd, database, f"the snapshot in {shown_as}", version)
        except SnapshotError as error:
            raise BackupError("damaged", str(error)) from error

    def server(self, member_version: str) -> Optional[Tool]:
        """The etcd for a trial restore, where one is wanted."""
        return fitting_server(self.etcd, member_version) if self.options["prove"] == "restore" else None

    def trial_space(self, database: int) -> int:
        """Bytes that the trial takes besides the snapshot."""
        return space_needed(database) if self.options["prove"] == "restore" else 0

    def prove(self, database: str, folder: str, state: EtcdState, server: Optional[Tool]) -> Proof:
        """Try a snapshot whose hash and status are right already."""
        started = time.monotonic()
        keys, reason = None, ""
        if server is not None:
            trial = os.path.join(folder, "trial")
            os.mkdir(trial, 0o700)
            try:
                prefix = state.sample_prefix or self.options["sample_prefix"]
                found = run_trial(self.module, self.etcd, server, database, folder=trial, prefix=prefix)
                keys = found.keys
                reason = disagreement(state, found.revision, keys, found.sample.count, found.sample.sha256)
            except TrialError as error:
                reason = str(error)
            shutil.rmtree(trial)
        return Proof(
            level=self.options["prove"],
            passed=not reason,
            reason=reason and f"failed its proof: its snapshot {reason}",
            time=now().strftime(TIME),
            seconds=round(time.monotonic() - started, 3),
            tool=f"etcd {server.version}" if server else str(self.etcd.snapshot_tool().version),
            keys=keys,
        )

    def saved(self) -> Dict[str, Any]:
        """Make an archive, and tidy up."""
        if not CLUSTER.fullmatch(self.cluster):
            raise FailedError(f"cluster: {self.cluster!r} is no name of letters, digits, '.', '_' and '-'")
        missing: List[str] = []
        files = collect(self.options["include"], missing)
        scratch = self.options["scratch_directory"]
        if scratch and not os.path.isdir(scratch):
            missing.append(f"scratch_directory: {scratch} is no folder")
        if self.etcd.tool("etcdctl") is None:
            missing.append("etcdctl is not installed on this host")
        else:
            missing += self.unfit("")
        if missing and self.module.check_mode:
            self.module.warn(f"{'; '.join(missing)}: a backup would be made once that is there")
            return self.plan()
        if missing:
            raise FailedError("; ".join(missing))

        source = self.etcd.source(self.options["allow_unhealthy"])
        server = self.server(source.version)
        self.require_room(source, files)
        if self.module.check_mode:
            return self.plan()
        os.makedirs(self.directory, 0o700, exist_ok=True)
        os.chmod(self.directory, 0o700)
        with exclusive(self.directory):
            passed = False
            try:
                result = self.make(source, server, files)
                passed = True
            finally:
                self.write_metrics(passed)
        return result

    def unfit(self, version: str) -> List[str]:
        """Why the tools on this host cannot prove a snapshot."""
        try:
            self.etcd.snapshot_tool()
            self.server(version)
        except ToolMissingError as error:
            return [str(error)]
        return []

    def require_room(self, source: EndpointStatus, files: List[str]) -> None:
        """Refuse a backup that a file system has no room for; the trial is gone before the archive is written."""
        database = source.db_size + HASH_SIZE
        archive = archive_size([database, *(os.path.getsize(path) for path in files)])
        trial = self.trial_space(database)
        scratch = self.options["scratch_directory"]
        what = f"a backup of {source.endpoint}"
        require_space(self.directory, archive if scratch else database + max(archive, trial), what)
        if scratch:
            require_space(scratch, database + trial, what)

    def plan(self) -> Dict[str, Any]:
        """What a save would do."""
        return self.outcome(self.next_path(), made=False)

    def next_path(self) -> str:
        """A name that no archive has."""
        while True:
            path = os.path.join(self.directory, archive_name(self.cluster, now()))
            if not os.path.lexists(path) and not os.path.lexists(path + BAD):
                return path
            time.sleep(0.2)

    def make(self, source: EndpointStatus, server: Optional[Tool], files: List[str]) -> Dict[str, Any]:
        """Save, prove, archive, read back, and only then give the archive its name."""
        with drafts(self.options["scratch_directory"] or self.directory) as scratch, drafts(self.directory) as folder:
            path = self.next_path()
            database = os.path.join(scratch, DATABASE)
            try:
                self.etcd.save(source.endpoint, database, self.options["save_timeout"])
            except CommandError as error:
                if error.no_space:
                    raise NoSpaceError(
                        f"{os.path.dirname(scratch)} became full while the snapshot of {source.endpoint} was written; "
                        "nothing of it is left there. Free some space or choose another file system"
                    ) from error
                raise
            state, proof = self.proven(database, scratch, source, server)
            manifest = Manifest(
                cluster=self.cluster,
                host=self.options["host"] or socket.gethostname(),
                created=path_time(path).strftime(TIME),
                kubernetes_version=self.options["kubernetes_version"],
                etcd=state,
                proof=proof,
            )
            draft = os.path.join(folder, os.path.basename(path))
            manifest = write_archive(draft, manifest, database, files)
            reason, fault = proof.reason, "proof"
            try:
                read_archive(draft, self.cluster)
            except BackupError as error:
                if not reason:
                    reason, fault = f"cannot be read back: {error}", error.fault
            final = path + BAD if reason else path
            os.replace(draft, final)
            fsync_path(self.directory)
        if reason:
            for extra in Shelf(self.directory, self.cluster).surplus(self.keep, self.options["keep_bad"], None):
                if extra.endswith(BAD):
                    os.unlink(extra)
            raise FailedError(f"{final} {reason}. It does not count as a backup", path=final, fault=fault)
        result = self.outcome(path, made=True)
        for extra in result["removed"]:
            os.unlink(extra)
        fsync_path(self.directory)
        return {**result, "manifest": manifest.as_dict(), "proof": proof.__dict__, "size": os.path.getsize(path)}

    def proven(
        self, database: str, scratch: str, source: EndpointStatus, server: Optional[Tool]
    ) -> Tuple[EtcdState, Proof]:
        """What a fresh snapshot holds, and whether it is good."""
        state = EtcdState(source.version, source.endpoint, 0, 0, sample_prefix=self.options["sample_prefix"])
        try:
            snapshot = self.inspect(database, "the new archive", source.version)
        except BackupError as error:
            reason = f"failed its proof: {error}"
            return state, Proof(self.options["prove"], passed=False, reason=reason, time=now().strftime(TIME))
        state = replace(state, revision=snapshot.revision, total_keys=snapshot.total_keys)
        try:
            everything = self.etcd.sample(source.endpoint, "", limit=1, revision=snapshot.revision)
            sample = self.etcd.sample(source.endpoint, state.sample_prefix, revision=snapshot.revision)
            state = replace(state, keys=everything.count, sample_keys=sample.count, sample_sha256=sample.sha256)
        except CommandError as error:
            self.module.warn(
                f"{source.endpoint} does not tell what it had at revision {snapshot.revision} ({error.reason}), "
                "so the number of keys is not compared"
            )
        return state, self.prove(database, scratch, state, server)

    def outcome(self, path: str, made: bool) -> Dict[str, Any]:
        """What a save returns: which archives go, and which stay."""
        shelf = Shelf(self.directory, self.cluster)
        new = Listed(path, self.cluster, path_time(path), bad=False)
        removed = shelf.surplus(self.keep, self.options["keep_bad"], new)
        others = [item.path for item, _manifest in shelf.good if item.path != path]
        return {
            "changed": True,
            "path": path,
            "removed": removed,
            "kept": sorted({path, *others} - set(removed), reverse=True),
            "damaged": shelf.damaged,
            "diff": {
                "before": {"archives": sorted([*others, *(item.path for item in shelf.bad)])},
                "after": {"archives": sorted({path, *others, *(item.path for item in shelf.bad)} - set(removed))},
            },
        }

    def write_metrics(self, passed: bool) -> None:
        """Tell Prometheus; that it cannot be told is no reason to lose a backup."""
        target = self.options["metrics_file"]
        if not target:
            return
        shelf = Shelf(self.directory, self.cluster)
        newest = shelf.good[0] if shelf.good else None
        text = metrics(
            self.cluster,
            newest[1] if newest else None,
            os.path.getsize(newest[0].path) if newest else 0,
            good=len(shelf.good),
            bad=len(shelf.bad),
            passed=passed,
            seconds=time.monotonic() - self.start,
        )
        try:
            handle, draft = tempfile.mkstemp(dir=os.path.dirname(target), prefix=DRAFTS)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chmod(draft, 0o644)
            os.replace(draft, target)
        except OSError as error:
            self.module.warn(f"metrics_file: {target} cannot be written: {error.strerror}")


def now() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


def path_time(path: str) -> datetime:
    """The time in an archive's name."""
    return parse_time(os.path.basename(path).rsplit("-", 1)[1][: -len(".tar")], TIME_IN_NAME)


def try_lock(handle: int) -> bool:
    """Lock an open folder, unless another process has; the lock ends with the process and is never left behind."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def exclusive(directory: str) -> Iterator[None]:
    """One save at a time in a folder."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        if not try_lock(handle):
            raise FailedError(f"another backup is being made in {directory}: nothing was changed")
        yield
    finally:
        os.close(handle)


@contextmanager
def drafts(directory: str) -> Iterator[str]:
    """A folder that only root can enter, and that is gone at the end; those of killed runs are removed first."""
    for name in os.listdir(directory):
        if name.startswith(DRAFTS):
            remove_abandoned(os.path.join(directory, name))
    folder = tempfile.mkdtemp(dir=directory, prefix=DRAFTS)
    handle = os.open(folder, os.O_RDONLY)
    try:
        if not try_lock(handle):  # another run took it for abandoned, since it was not locked yet
            raise FailedError(f"another run works in {directory} at the same time: run it again")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def remove_abandoned(folder: str) -> None:
    """Remove a folder for drafts, unless a run still works in it."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if try_lock(handle):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_together=CLIENT_REQUIRED_TOGETHER,
        required_if=[("state", "saved", ("directory", "cluster")), ("state", "verified", ("path",))],
        supports_check_mode=True,
    )
    try:
        result = BackupModule(module).run()
    except FailedError as error:
        module.fail_json(msg=str(error), **error.result)
    except BackupError as error:
        module.fail_json(msg=str(error), fault=error.fault)
    except (EtcdError, NoSpaceError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        place = error.filename or module.params["directory"] or module.params["path"]
        left = ": no backup was made, and nothing of it is left" if module.params["state"] == "saved" else ""
        module.fail_json(msg=f"{place}: {error.strerror or error}{left}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
