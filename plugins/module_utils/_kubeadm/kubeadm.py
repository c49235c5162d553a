# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules around kubeadm share: a node's state, how kubeadm is called, what its errors mean."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import io
import json
import os
import re
import tempfile
import time
from typing import Any, Dict, Iterable, Iterator, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import BINARY_FOLDERS
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import mebibytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    BOOTSTRAP,
    CONFIG,
    FOLDER,
    INIT_MARKER,
    JOIN_MARKER,
    STAMP,
    NodeState,
    node_state,
)

__all__ = ["CONFIG", "FOLDER", "INIT_MARKER", "JOIN_MARKER", "STAMP"]
# What the API server reads besides certificates.
EXTRA_FOLDERS = ("audit", "admission", "authentication", "patches", "encryption")
ENCRYPTION_FLAG = b"--encryption-provider-config="
# kubeadm looks for its tools here; a session's PATH often lacks some of them.
SYSTEM_PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
TIMED_OUT = (124, 137)
PROCESSES = "/proc"
# Where kubeadm writes: what it replaces, and a copy of etcd's data before an upgrade, go to /etc/kubernetes/tmp.
WRITTEN = (FOLDER, "/var/lib/etcd", "/var/lib/kubelet")
FULL_BELOW = 4 << 20
SETTLE_PAUSE = 1.0
# What each of kubeadm's authorities signs (https://kubernetes.io/docs/setup/best-practices/certificates/).
ISSUED = {
    "ca": ("apiserver", "apiserver-kubelet-client"),
    "front-proxy-ca": ("front-proxy-client",),
    "etcd/ca": ("apiserver-etcd-client", "etcd/healthcheck-client", "etcd/peer", "etcd/server"),
}
KUBECONFIGS = ("admin", "super-admin", "kubelet", "controller-manager", "scheduler")

COMMON_OPTIONS: Dict[str, Dict[str, Any]] = {
    "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
    "skip_phases": {"type": "list", "elements": "str", "default": []},
    "documents": {"type": "list", "elements": "dict"},
    "kubelet_patch": {"type": "dict", "default": {}},
    "login_token": {"type": "str", "default": "", "no_log": True},
    "login_user": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 900},
}


class KubeadmError(Exception):
    """kubeadm failed, or must not be called; the message says why and what to do.

    Attributes:
        untouched: whether it is certain that nothing has been changed.
    """

    untouched = False


def reads_more(folder: str) -> bool:
    """Whether there is what an API server reads besides certificates, or what one has read: files, or encryption."""
    folders = [os.path.join(folder, name) for name in EXTRA_FOLDERS]
    if any(os.path.isdir(path) and os.listdir(path) for path in folders):
        return True
    manifest = read_bytes(os.path.join(folder, "manifests", "kube-apiserver.yaml"))
    return manifest is not None and ENCRYPTION_FLAG in manifest


def ended_jobs(folder: str) -> List[str]:
    """Ansible's records of asynchronous jobs that have ended; one that has not says that it was started.

    A record that cannot be read is left.
    """
    found = []
    for path in sorted(glob.glob(os.path.join(glob.escape(os.path.expanduser(folder)), "j*.*"))):
        try:
            record = json.loads(read_bytes(path) or b"")
        except ValueError:
            continue
        if isinstance(record, dict) and ("started" not in record or record.get("finished")):
            found.append(path)
    return found


def _sync_folder(path: str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def in_progress(marker: str) -> Iterator[None]:
    """Keeps a marker on the disk from before the work until it has ended well, or failed and left all untouched."""
    folder = os.path.dirname(marker)
    os.makedirs(folder, exist_ok=True)
    with open(marker, "w", encoding="utf-8") as stream:
        # The lock ends with this process, however it ends: by it others see whether the work still goes on.
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write("This was begun and has not finished. The next run of the playbook resumes it.\n")
        stream.flush()
        os.fsync(stream.fileno())
        _sync_folder(folder)
        try:
            yield
        except KubeadmError as error:
            if error.untouched:
                os.unlink(marker)
            raise
        os.sync()
        os.unlink(marker)
        _sync_folder(folder)


def _at_work(folder: str) -> bool:
    """Whether what a marker stands for still goes on: a module holds the marker, or kubeadm outlives its module."""
    for name in (INIT_MARKER, JOIN_MARKER, BOOTSTRAP):
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as stream:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            continue
        except BlockingIOError:
            return True
        for path in glob.glob(os.path.join(PROCESSES, "[0-9]*", "comm")):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as stream:
                if stream.read().strip() == "kubeadm":
                    return True
    return False


def settled_state(module: AnsibleModule, folder: str, timeout: int, etcd_data: str = "") -> NodeState:
    """A host's state; where an earlier run was killed and its kubeadm goes on, what it comes to.

    Args:
        module: for check mode, in which nothing is waited for.
        folder: kubeadm's.
        timeout: seconds.
        etcd_data: the data directory of the member of etcd that kubeadm runs here; empty if it runs none.

    Raises:
        KubeadmError: if that takes longer than the timeout, in seconds.
    """
    deadline = time.monotonic() + timeout
    while not module.check_mode and _at_work(folder):
        if time.monotonic() >= deadline:
            raise KubeadmError(
                f"A kubeadm that an earlier run began has been at work on this host for more than {timeout} seconds. "
                "See 'journalctl -u kubelet' on the host. End it with 'pkill kubeadm' and run again to resume."
            )
        time.sleep(SETTLE_PAUSE)
    return node_state(folder, etcd_data, applied=(os.path.join(folder, os.path.basename(CONFIG)), STAMP))


def write_private(module: AnsibleModule, path: str, content: bytes) -> None:
    """Replace a file in one step by one that only root can read.

    The draft lies beside it and begins with a dot, so that the kubelet does not take it for a manifest.
    """
    install_stream(module, io.BytesIO(content), path, Attributes(0o600))
    _sync_folder(os.path.dirname(path))


@contextlib.contextmanager
def private_file(module: AnsibleModule, text: str) -> Iterator[str]:
    """A temporary file with this content that only its owner can read."""
    handle, path = tempfile.mkstemp(dir=module.tmpdir, prefix="kubeadm-", suffix=".yaml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        yield path
    finally:
        os.unlink(path)


def failed_checks(stderr: str) -> Dict[str, str]:
    """The preflight checks that failed, with what kubeadm says of each."""
    checks: Dict[str, str] = {}
    name = ""
    for line in stderr.splitlines():
        found = re.match(r"\s*\[ERROR ([^\]]+)\]: ?(.*)", line)
        if found:
            name = found.group(1)
            checks[name] = found.group(2).strip()
        elif line.startswith(("[preflight]", "error:", "To see the stack trace")):
            name = ""
        elif name and line.strip():
            checks[name] += " " + line.strip()
    return checks


def explain(command: str, rc: int, output: str, timeout: int) -> KubeadmError:
    """The error for a failed call: the checks that failed, or the end of kubeadm's output."""
    if rc in TIMED_OUT:
        return KubeadmError(
            f"kubeadm {command} did not finish within {timeout} seconds and was stopped. "
            "See 'journalctl -u kubelet' and 'crictl ps -a' on the host. Run again to resume."
        )
    checks = failed_checks(output)
    if checks:
        error = KubeadmError(
            f"kubeadm {command} refuses this host:\n"
            + "\n".join(f"- {name}: {text}" for name, text in checks.items())
            + "\nCorrect this, or name the checks in ignore_preflight_errors where they do not matter."
        )
        error.untouched = True
        return error
    noise = re.compile(r"^(\s*$|To see the stack trace|[IW]\d{4} )")
    lines = [line for line in output.splitlines() if not noise.match(line)]
    error = KubeadmError(
        f"kubeadm {command} failed with exit code {rc}:\n" + "\n".join(lines[-10:]) + "\n"
        "If this does not tell why, see 'journalctl -u kubelet' and 'crictl ps -a' on the host. Run again to resume."
    )
    error.untouched = "error execution phase preflight" in output
    return error


def full_folders(folders: Iterable[str]) -> List[str]:
    """What of the folders has no room left. The programs that kubeadm calls to copy files do not tell it."""
    found = []
    for folder in filter(os.path.isdir, folders):
        state = os.statvfs(folder)
        free, no_inodes = state.f_bavail * state.f_frsize, state.f_files and not state.f_favail
        if no_inodes or free < FULL_BELOW:
            left = "no inodes" if no_inodes else mebibytes(free)
            found.append(f"{folder}, where kubeadm writes, has {left} free: make room there.")
    return found


class Kubeadm:
    """Runs kubeadm on the host where the module runs."""

    def __init__(self, module: AnsibleModule, timeout: int) -> None:
        self.module, self.timeout = module, timeout
        self.base = [
            module.get_bin_path("timeout", required=True),
            "--kill-after=30",
            str(timeout),
            module.get_bin_path("kubeadm", required=True, opt_dirs=BINARY_FOLDERS),
        ]
        path = os.environ.get("PATH", "").split(os.pathsep)
        path += [folder for folder in SYSTEM_PATH if folder not in path]
        self.environment = {"PATH": os.pathsep.join(path), "LC_ALL": "C"}

    def run(self, *arguments: str) -> str:
        """Standard output of one call.

        Raises:
            KubeadmError: if it fails or takes too long.
        """
        rc, out, err = self.module.run_command(
            [*self.base, *arguments], environ_update=self.environment, expand_user_and_vars=False
        )
        if rc != 0:
            words = [word for word in arguments if not word.startswith("-")]
            said = "\n".join([err or out, *full_folders(WRITTEN)])
            raise explain(" ".join(words), rc, said, self.timeout)
        return str(out)


def list_option(name: str, values: List[str]) -> List[str]:
    """An option that takes a list, or nothing for an empty one."""
    return [f"--{name}={','.join(values)}"] if values else []


def remove_files(paths: List[str]) -> List[str]:
    """Remove what is there of these files; gives what was removed."""
    removed = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            removed.append(path)
    return removed


def cut_off_files(folder: str) -> List[str]:
    """What an init that was cut off has left behind and kubeadm would stumble over.

    kubeadm keeps every file that it finds. After a power cut a file can be empty, and a key that was written just
    before its certificate or public key stands alone. Neither has been used by anything, so they can be made anew.
    """
    pki = [os.path.join(root, name) for root, _folders, names in os.walk(os.path.join(folder, "pki")) for name in names]
    files = list(pki)
    for place in (folder, os.path.join(folder, "manifests")):
        with contextlib.suppress(FileNotFoundError):
            files += [entry.path for entry in os.scandir(place) if entry.name.endswith((".conf", ".yaml"))]
    empty = {path for path in files if os.path.getsize(path) == 0}
    whole = set(pki) - empty
    alone = {
        path
        for path in whole
        if path.endswith(".key") and not whole & {path[: -len(".key")] + suffix for suffix in (".crt", ".pub")}
    }
    return sorted(empty | alone)


def issued_files(folder: str) -> List[str]:
    """The certificates and kubeconfigs that kubeadm issues from its authorities and can issue again at any time.

    Those of an authority whose key is kept elsewhere are left out, as kubeadm cannot issue them.
    """
    pki = os.path.join(folder, "pki")
    issued: List[str] = []
    for authority, names in ISSUED.items():
        if os.path.exists(os.path.join(pki, f"{authority}.key")):
            issued += [os.path.join(pki, f"{name}.{suffix}") for name in names for suffix in ("crt", "key")]
    if os.path.exists(os.path.join(pki, "ca.key")):
        issued += [os.path.join(folder, f"{name}.conf") for name in KUBECONFIGS]
    return issued
