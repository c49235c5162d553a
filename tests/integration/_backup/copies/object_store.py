"""A real object store with the S3 protocol on this machine: OpenStack Swift, one server of each kind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

# The first of ten ports of the servers of these tests.
PORT = int(os.environ.get("GROUNDWORK_TEST_PORT", "27100"))
KEY, SECRET = "test:backup", "only-for-tests"
RINGS = {"account": 2, "container": 1, "object": 0}  # in the order of their ports from the last
PROXY = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
user = {user}
workers = 0
[pipeline:main]
pipeline = catch_errors cache s3api tempauth copy slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_backup = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
"""
SERVER = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
user = {user}
workers = 0
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""


class ObjectStore:
    """The processes; all data lies below one folder."""

    def __init__(self, programs: Path, folder: Path, port: int, user: str = "root") -> None:
        """Lay out the rings and start the servers.

        Args:
            programs: the bin folder of an environment with Swift.
            folder: where data, configuration and logs go; its file system must have extended attributes.
            port: of the S3 protocol; the three after it are taken as well.
            user: who the servers run as.
        """
        self.programs, self.folder, self.port = programs, folder, port
        self.processes: list[subprocess.Popen[bytes]] = []
        (folder / "devices" / "d1").mkdir(parents=True)
        (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = test\n")
        values = {"folder": folder, "user": user, "secret": SECRET}
        for number, kind in enumerate(("account", "container", "object"), 1):
            builder = f"{folder}/{kind}.builder"
            self._run("swift-ring-builder", builder, "create", "4", "1", "1")
            self._run("swift-ring-builder", builder, "add", f"r1z1-127.0.0.1:{port + number}/d1", "1")
            self._run("swift-ring-builder", builder, "rebalance")
            (folder / f"{kind}.conf").write_text(SERVER.format(kind=kind, port=port + number, **values))
        (folder / "proxy.conf").write_text(PROXY.format(port=port, **values))
        for kind in ("account", "container", "object", "proxy"):
            self.start(kind)
        self.await_start()

    @property
    def settings(self) -> dict[str, str]:
        """The remote, as rclone is told."""
        return {
            "type": "s3",
            "provider": "Other",
            "endpoint": f"http://127.0.0.1:{self.port}",
            "region": "us-east-1",
            "access_key_id": KEY,
            "secret_access_key": SECRET,
        }

    def start(self, kind: str) -> None:
        """Start one of the servers."""
        environment = {**os.environ, "EVENTLET_NO_GREENDNS": "yes", "SWIFT_CONF_FILE": f"{self.folder}/swift.conf"}
        with open(self.folder / f"{kind}.log", "ab") as log:
            command = [str(self.programs / f"swift-{kind}-server"), f"{self.folder}/{kind}.conf", "-v"]
            self.processes.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
            )

    def stop(self) -> None:
        """End all of it."""
        for process in self.processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()
        self.processes.clear()

    def objects(self) -> list[Path]:
        """The files with the objects' content."""
        return sorted((self.folder / "devices").rglob("objects/**/*.data"), key=lambda path: path.stat().st_size)

    def _run(self, program: str, *arguments: str) -> None:
        # swift-ring-builder's exit code 1 is a warning about balance.
        done = subprocess.run([str(self.programs / program), *arguments], check=False, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stdout + done.stderr

    def answers(self) -> bool:
        """Whether it says anything, which without a signature is a refusal."""
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=2)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False
        return True

    def await_start(self) -> None:
        """Wait until it answers."""
        for _ in range(100):
            if self.answers():
                return
            time.sleep(0.2)
        raise AssertionError((self.folder / "proxy.log").read_text()[-3000:])
