"""A real OpenSSH server on this machine that lets one key copy files into one folder, and run nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

NOBODY = 65534
# sshd wants accounts and a folder that its package would make. It gets them in a mount namespace of its own.
ACCOUNTS = "root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\nnobody:x:65534:65534::/:/bin/sh\n"
SHADOW = "nobody:*:19000:0:99999:7:::\n"
NAMESPACE = """
mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/shadow" /etc/shadow
mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd
exec "$0/sshd" -D -e -f "$0/sshd_config"
"""
CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


class SshServer:
    """The process, its keys, and the folder that it serves."""

    def __init__(self, programs: Path, folder: Path, port: int) -> None:
        """Make keys and start it.

        Args:
            programs: the folder into which Debian's openssh-server and libwrap0 are unpacked.
            folder: an empty folder that everybody may enter.
            port: to listen on.
        """
        self.folder, self.port, self.store = folder, port, folder / "store"
        shutil.copy(programs / "usr/sbin/sshd", folder)
        shutil.copy(next(programs.glob("*/lib/*/libwrap.so.0")).resolve(), folder / "libwrap.so.0")
        for name in ("host_key", "user_key", "other_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        (folder / "sshd_config").write_text(CONFIGURATION.format(port=port, folder=folder))
        (folder / "passwd").write_text(ACCOUNTS)
        (folder / "shadow").write_text(SHADOW)
        self.store.mkdir()
        os.chown(self.store, NOBODY, NOBODY)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = ["unshare", "--mount", "--propagation=slave", "sh", "-euc", NAMESPACE, str(self.folder)]
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.folder)}
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()

    def settings(self, key: str = "user_key", host_key: str = "host_key") -> dict[str, str]:
        """The remote, as rclone is told."""
        known = self.folder / "known_hosts"
        algorithm, text = (self.folder / f"{host_key}.pub").read_text().split()[:2]
        known.write_text(f"[127.0.0.1]:{self.port} {algorithm} {text}\n")
        return {
            "type": "sftp",
            "host": "127.0.0.1",
            "port": str(self.port),
            "user": "nobody",
            "key_pem": (self.folder / key).read_text().strip().replace("\n", "\\n") + "\\n",
            "known_hosts_file": str(known),
        }
