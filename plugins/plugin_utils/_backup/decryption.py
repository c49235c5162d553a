# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decrypts an archive on the controller with age, whose private key never leaves it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.fetched_file import (
    FetchError,
    new_private_file,
)


def require_key(path: str, archive: str) -> None:
    """Refuse to fetch what cannot be decrypted here.

    Args:
        path: the file with the private key; empty where none is given.
        archive: for messages.

    Raises:
        FetchError: with all that is wrong.
    """
    faults = []
    if not path:
        faults.append(
            f"identity: it is not set, and {archive} is encrypted: name the file with age's private key, on the "
            "machine that runs Ansible"
        )
    else:
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode):
                faults.append(f"identity: {path} is not a file")
            elif found.st_mode & 0o077:
                faults.append(f"identity: {path} can be read by others than its owner: set its mode to 0600")
            elif not os.access(path, os.R_OK):
                faults.append(f"identity: {path} cannot be read by the user who runs Ansible")
        except OSError as error:
            faults.append(f"identity: {path}: {error.strerror}. It is looked for on the machine that runs Ansible")
    if age() is None:
        faults.append(f"age is not installed on the machine that runs Ansible, where {archive} is to be decrypted")
    if faults:
        raise FetchError(*faults)


def require_private(folder: str) -> None:
    """Refuse to decrypt where others can look."""
    found = os.stat(folder)
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise FetchError(f"directory: others can enter {folder}: nothing is decrypted there")


def decrypt(key: str, archive: str, sealed: str, target: str) -> None:
    """Decrypt a file; the plain one gets its name when it is whole.

    Args:
        key: the file with the private key.
        archive: for messages.
        sealed: the encrypted file.
        target: the plain one.

    Raises:
        FetchError: if age refuses it; nothing of the plain file stays.
    """
    draft = target + ".part"
    os.close(new_private_file(draft, os.O_WRONLY | os.O_CREAT))  # age writes into it
    command = [age() or "age", "--decrypt", "--identity", key, "--output", draft, sealed]
    # Without a terminal a key that has a passphrase is refused, where age would otherwise wait for an answer.
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, umask=0o077,
        start_new_session=True,
    )  # fmt: skip
    if done.returncode == 0:
        os.replace(draft, target)
        return
    if os.path.lexists(draft):
        os.unlink(draft)
    raise FetchError(decryption_fault(archive, key, done.stderr))


def age() -> str | None:
    """The program on the controller."""
    return shutil.which("age", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/bin")


def decryption_fault(archive: str, key: str, stderr: str) -> str:
    """What age's message means."""
    lines = [line for line in stderr.splitlines() if "report unexpected" not in line]
    reason = " ".join(lines).replace("age: error: ", "").strip() or "nothing"
    if "no identity matched" in reason:
        return f"identity: {key} does not fit: {archive} is encrypted for other keys"
    if "identity" in reason or "passphrase" in reason or "no space left" in reason:
        return f"identity: {archive} cannot be decrypted with {key}: age says {reason}"
    return f"{archive} is truncated or damaged: age says {reason}"
