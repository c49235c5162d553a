# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives encrypted with age, and the file beside each that says without any key what is in it.

An age file is a text header with a stanza for each recipient and a line that begins with ``---``, then a nonce and the
content in chunks, each with a tag of its own (the age file format, C2SP's age.md). So the size of what was encrypted
follows from the size of the file, and a file cut at any place is known from a whole one without the private key.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from typing import Any, Dict, List, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import CHUNK
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import Manifest, parse_manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import explain
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import NoSpaceError

ARMOR_HEAD, ARMOR_FOOT = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"
DESCRIPTION = ".json"
FORMAT = 1
FIRST_LINE = b"age-encryption.org/v1\n"
HEADER_LIMIT = 64 * 1024
NONCE, TAG, PAYLOAD_CHUNK = 16, 16, 64 * 1024
LIMIT = 4 * 1024 * 1024


class EncryptionError(Exception):
    """age did not do what was asked."""


@dataclass(frozen=True)
class Sealed:
    """An encrypted file: its size and hash, the size of what is in it, and for what kinds of keys it is encrypted."""

    size: int
    sha256: str
    plain_size: int
    stanzas: Tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """What stands beside an encrypted archive."""

    archive: str
    size: int
    sha256: str
    plain_size: int
    recipients: List[str]
    manifest: Manifest


def read_sealed(path: str) -> Sealed:
    """Read an encrypted file once, from header to end.

    Raises:
        BackupError: if it is missing, or has no header of age.
    """
    try:
        stream = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError as error:
        raise BackupError("missing", f"{path} does not exist") from error
    with stream:
        header, stanzas = _header(path, stream.read(HEADER_LIMIT))
        stream.seek(0)
        digest = hashlib.sha256()
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
        size = os.fstat(stream.fileno()).st_size
    content = size - header - NONCE
    chunks = max(-(-content // (PAYLOAD_CHUNK + TAG)), 1)
    return Sealed(size, digest.hexdigest(), content - TAG * chunks, stanzas)


def _header(path: str, start: bytes) -> Tuple[int, Tuple[str, ...]]:
    if not start:
        raise BackupError("empty", f"{path} is empty")
    if not start.startswith(FIRST_LINE):
        raise BackupError("not_an_archive", f"{path} is no file that age encrypted")
    length, stanzas = 0, []
    for line in start.splitlines(keepends=True):
        length += len(line)
        if line.startswith(b"-> "):
            stanzas.append(line.split()[1].decode(errors="replace"))
        if line.startswith(b"--- ") and line.endswith(b"\n"):
            return length, tuple(stanzas)
    raise BackupError("truncated", f"{path} is truncated: the header of age has no end")


def lacking(stanzas: Sequence[str], recipients: Sequence[str]) -> str:
    """What a header lacks of those for whom the file was to be encrypted, or nothing.

    A stanza for an X25519 key does not tell whose it is, so kinds are counted; those of plugins are not known.
    """
    if len(stanzas) < len(recipients):
        return f"is encrypted for {len(stanzas)} of {len(recipients)} recipients"
    for kind in ("ssh-ed25519", "ssh-rsa"):
        wanted = sum(recipient.startswith(kind) for recipient in recipients)
        if list(stanzas).count(kind) < wanted:
            return f"is encrypted for {list(stanzas).count(kind)} of {wanted} keys of type {kind}"
    return ""


def describe_sealed(path: str, sealed: Sealed, recipients: Sequence[str], manifest: Manifest) -> bytes:
    """The text of the file beside an encrypted archive.

    Of the manifest it has neither the list of files nor the hash of the records that were compared.
    """
    public = replace(manifest, parts=[], etcd=replace(manifest.etcd, sample_sha256=""))
    description = Description(
        os.path.basename(path), sealed.size, sealed.sha256, sealed.plain_size, list(recipients), public
    )
    return (json.dumps({**asdict(description), "format": FORMAT}, indent=2, sort_keys=True) + "\n").encode()


def read_description(path: str) -> Description:
    """What stands beside an encrypted archive.

    Raises:
        BackupError: if there is nothing, or it cannot be understood.
    """
    beside = path + DESCRIPTION
    try:
        with open(beside, "rb") as stream:
            data = json.loads(stream.read(LIMIT).decode())
    except FileNotFoundError as error:
        raise BackupError(
            "no_manifest", f"{path} is encrypted, and {beside}, which tells what it is, is gone"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BackupError("manifest", f"{beside} cannot be read: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BackupError("unknown_format", f"{beside} has another format; this release reads {FORMAT}")
    try:
        manifest = parse_manifest(data["manifest"])
        found = Description(**{**{key: data[key] for key in data if key != "format"}, "manifest": manifest})
    except (KeyError, TypeError) as error:
        raise BackupError("manifest", f"{beside} cannot be read: {error}") from error
    except BackupError as error:
        raise BackupError(error.fault, f"{beside} {error}") from error
    if not (isinstance(found.size, int) and isinstance(found.plain_size, int) and isinstance(found.sha256, str)):
        raise BackupError("manifest", f"{beside} has wrong types")
    return found


def read_sealed_archive(path: str, cluster: str = "", quick: bool = False) -> Manifest:
    """Prove without the private key that an encrypted archive is the one that was made; quick: look at sizes only.

    Raises:
        BackupError: with the fault that was found.
    """
    if not os.path.exists(path):
        raise BackupError("missing", f"{path} does not exist")
    description = read_description(path)
    manifest = description.manifest
    if cluster and manifest.cluster != cluster:
        raise BackupError("wrong_cluster", f"{path} is a backup of the cluster {manifest.cluster}, not of {cluster}")
    size = os.path.getsize(path)
    if size != description.size:
        fault = "empty" if not size else "truncated" if size < description.size else "damaged"
        raise BackupError(fault, f"{path} has {size} bytes, but was made with {description.size}")
    if quick:
        return manifest
    sealed = read_sealed(path)
    if sealed.sha256 != description.sha256:
        raise BackupError(
            "damaged", f"{path} is damaged: it has SHA-256 {sealed.sha256}, but was made with {description.sha256}"
        )
    return manifest


class Age:
    """Runs age on the host where the module runs."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.path = module.get_bin_path("age", opt_dirs=["/usr/local/bin"])

    def faults(self, recipients: Sequence[str]) -> List[str]:
        """Why nothing can be encrypted for some recipients: all are tried, with nothing."""
        if self.path is None:
            return ["age is not installed on this host, which is to encrypt"]
        found = []
        for recipient in recipients:
            command = [self.path, "--encrypt", "--recipient", recipient]
            # What comes out is no text.
            rc, _out, err = self.module.run_command(
                command, data=b"", binary_data=True, encoding=None, expand_user_and_vars=False
            )
            if rc:
                found.append(f"encrypt_to: {recipient!r} is refused: {explain(err.decode(errors='replace'))}")
        return found

    def encrypt(self, plain: str, target: str, recipients: Sequence[str]) -> Sealed:
        """Encrypt a file, and read back from the disk what came of it.

        Raises:
            EncryptionError: if the result is not what it must be.
        """
        flags = [word for recipient in recipients for word in ("--recipient", recipient)]
        self._run(["--encrypt", *flags, "--output", target, plain], target)
        os.chmod(target, 0o600)
        with open(target, "rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        try:
            sealed = read_sealed(target)
        except BackupError as error:
            raise EncryptionError(f"the encrypted archive cannot be read back: {error}") from error
        size = os.path.getsize(plain)
        fault = lacking(sealed.stanzas, recipients)
        if fault or sealed.plain_size != size:
            fault = fault or f"holds {sealed.plain_size} of {size} bytes"
            raise EncryptionError(f"the encrypted archive {fault}: nothing of it was kept")
        return sealed

    def seal(self, text: str, recipients: Sequence[str]) -> str:
        """Encrypt a text, which no disk sees; what comes out is text, too.

        Raises:
            EncryptionError: if the result is not what it must be.
        """
        if self.path is None:
            raise EncryptionError("age is not installed on this host")
        flags = [word for recipient in recipients for word in ("--recipient", recipient)]
        command = [self.path, "--encrypt", "--armor", *flags]
        rc, out, err = self.module.run_command(command, data=text, binary_data=False, expand_user_and_vars=False)
        if rc or not (out.startswith(ARMOR_HEAD) and out.strip().endswith(ARMOR_FOOT)):
            raise EncryptionError(f"age failed with exit code {rc}: {explain(err)}")
        return str(out)

    def decrypt(self, path: str, identity: str, target: str) -> None:
        """Decrypt a file with a private key.

        Raises:
            EncryptionError: if the key does not fit, or the file is damaged.
        """
        old = os.umask(0o077)
        try:
            self._run(["--decrypt", "--identity", identity, "--output", target, path], target)
        finally:
            os.umask(old)

    def _run(self, arguments: List[str], target: str) -> None:
        if self.path is None:
            raise EncryptionError("age is not installed on this host")
        rc, _out, err = self.module.run_command([self.path, *arguments], expand_user_and_vars=False)
        if rc and "no space left on device" in err:
            raise NoSpaceError(
                f"{os.path.dirname(target)} became full while age wrote to it; nothing of it is left there"
            )
        if rc:
            raise EncryptionError(f"age failed with exit code {rc}: {explain(err)}")


def summary(description: Description) -> Dict[str, Any]:
    """What modules return of an encrypted archive."""
    return {"recipients": description.recipients, "sha256": description.sha256, "plain_size": description.plain_size}
