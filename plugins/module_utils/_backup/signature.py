# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who made an archive: the file beside it, which OpenSSH's ssh-keygen signs and verifies.

It is a short statement in JSON with the signature below. The statement names the archive, the cluster and its identity,
so that no other archive can take the name, and has the SHA-256 of the file as it lies there and of the manifest in it.
The manifest has the SHA-256 of every part, so the statement also holds for what comes of an archive that is decrypted.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import struct
import tempfile
from dataclasses import asdict, dataclass
from typing import Any, Callable, Collection, Dict, Iterable, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import SEALED
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import Manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import make_folder
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own

SIGNATURE = ".sig"
NAMESPACE = "groundwork-backup"
FORMAT = 1
LIMIT = 64 * 1024
SIGNING_KEY = "/etc/groundwork/backup/signing_key"
GOOD, UNREAD, NONE, WRONG, UNKNOWN = "good", "unread", "none", "wrong", "unknown"
MARK = b"-----BEGIN SSH SIGNATURE-----\n"
MAGIC = b"SSHSIG"
KEY_TYPE = re.compile(r"[a-z0-9@.-]+", re.ASCII)
SIGNER_OPTIONS: Dict[str, Any] = {
    "trusted_signers": {"type": "list", "elements": "str", "default": []},
    "allow_unverified": {"type": "bool", "default": False},
}
Run = Callable[[List[str], bytes], Tuple[int, str, str]]


class SigningError(Exception):
    """An archive could not be signed."""


@dataclass(frozen=True)
class Statement:
    """What is signed.

    Attributes:
        archive: the name of the archive.
        cluster: the cluster's name.
        cluster_uid: its identity.
        created: when it was made.
        host: who made it.
        size: bytes of the file, encrypted where it is.
        sha256: of the same.
        manifest: the SHA-256 of the manifest in it.
    """

    archive: str
    cluster: str
    cluster_uid: str
    created: str
    host: str
    size: int
    sha256: str
    manifest: str
    format: int = FORMAT

    def text(self) -> bytes:
        """The form in which it is signed and written."""
        return (json.dumps(asdict(self), indent=2, sort_keys=True) + "\n").encode()


@dataclass(frozen=True)
class Signature:
    """What is known of an archive's signature; whom to trust is for others to say.

    Attributes:
        state: good, unread where it fits the manifest but not all bytes were read, none, wrong where it does not belong
            to the archive, or unknown where it could not be verified.
        key: the public key that made a good or an unread one.
        message: why it is not good, for people.
    """

    state: str
    key: str = ""
    message: str = ""

    def as_dict(self) -> Dict[str, str]:
        """The form in which modules return it."""
        return {**asdict(self), "fingerprint": fingerprint(self.key)}


def state_statement(path: str, manifest: Manifest, size: int, sha256: str, manifest_sha256: str) -> Statement:
    """What is to be signed of an archive that is going to be at a path."""
    return Statement(
        archive=os.path.basename(path),
        cluster=manifest.cluster,
        cluster_uid=manifest.cluster_uid,
        created=manifest.created,
        host=manifest.host,
        size=size,
        sha256=sha256,
        manifest=manifest_sha256,
    )


def public_part(line: str) -> str:
    """Type and key of a line such as ssh-keygen prints; empty where it is no public key."""
    words = line.split()[:2]
    try:
        blob = base64.b64decode(words[1], validate=True)
        name, _rest = _string(blob)
    except (IndexError, ValueError, binascii.Error):
        return ""
    return " ".join(words) if name.decode("ascii", "replace") == words[0] and KEY_TYPE.fullmatch(words[0]) else ""


def fingerprint(key: str) -> str:
    """The short form of a public key, as ssh-keygen prints it; empty where it is none."""
    known = public_part(key)
    digest = hashlib.sha256(base64.b64decode(known.split()[1])).digest() if known else b""
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=") if digest else ""


def signer_faults(signers: Iterable[str]) -> List[str]:
    """What is wrong with a list of public keys."""
    return [
        f"{line[:60]!r} is no public key of ssh, such as 'ssh-ed25519 AAAA...'"
        for line in signers
        if not public_part(line)
    ]


def distrust(signature: Dict[str, str], trusted: Collection[str]) -> str:
    """Why it is not known who made an archive, or nothing.

    Args:
        signature: in the form of Signature.as_dict.
        trusted: public keys, with or without comments.
    """
    if signature["state"] != GOOD:
        return signature["message"]
    if signature["key"] in {public_part(line) for line in trusted}:
        return ""
    return f"is signed by the key {fingerprint(signature['key'])}, which is not among those that are trusted"


def require_signer(path: str, signature: Signature, options: Dict[str, Any]) -> None:
    """Refuse an archive whose maker is not known.

    Args:
        path: the archive.
        signature: what is known of it.
        options: of the module; those of SIGNER_OPTIONS.

    Raises:
        BackupError: if its signature is wrong, or by nobody who is trusted and that is not allowed.
    """
    refuse_wrong(path, signature)
    reason = distrust(signature.as_dict(), options["trusted_signers"])
    if reason and not options["allow_unverified"]:
        raise BackupError(
            "unverified", f"{path} {reason}. Nothing was changed: name the key in trusted_signers, or allow_unverified"
        )


def refuse_wrong(path: str, signature: Signature) -> None:
    """Refuse an archive whose signature does not belong to it.

    Raises:
        BackupError: if so.
    """
    if signature.state == WRONG:
        raise BackupError("signature", f"{path} {signature.message}: do not trust it")


class Signer:
    """Runs ssh-keygen, on the host where the module runs or on the controller."""

    def __init__(self, path: Optional[str], run: Run) -> None:
        """Take what runs a command with some input.

        Args:
            path: of ssh-keygen; None where it is not installed.
            run: returns exit code, output and messages.
        """
        self.path, self.run = path, run

    def public_key(self, key: str) -> str:
        """The public half of a private key's file, with its comment.

        Raises:
            SigningError: if it cannot be read.
        """
        rc, out, err = self._call(["-y", "-P", "", "-f", key], b"")
        if rc or not public_part(out):
            raise SigningError(f"signing_key: {key} cannot be read: {_last_line(err)}. It must not have a passphrase")
        return out.strip()

    def make_key(self, key: str, comment: str) -> None:
        """Make a private key where there is none."""
        if os.path.lexists(key):
            return
        folder = os.path.dirname(key)
        make_folder(os.path.dirname(folder))
        require_own(folder, 0o700)
        draft = f"{key}.draft"
        for name in (draft, f"{draft}.pub"):
            if os.path.lexists(name):
                os.unlink(name)
        rc, _out, err = self._call(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", draft], b"")
        if rc:
            raise SigningError(f"signing_key: {key} cannot be made: {_last_line(err)}")
        os.unlink(f"{draft}.pub")
        os.rename(draft, key)

    def sign(self, statement: Statement, key: str) -> bytes:
        """The content of the file beside an archive.

        Raises:
            SigningError: if it cannot be made.
        """
        text = statement.text()
        rc, out, err = self._call(["-Y", "sign", "-f", key, "-n", NAMESPACE], text)
        if rc or not out.encode().startswith(MARK):
            raise SigningError(f"the archive cannot be signed with {key}: ssh-keygen says {_last_line(err)}")
        return text + out.encode()

    def examine(
        self,
        path: str,
        manifest: Optional[Manifest] = None,
        manifest_sha256: str = "",
        sha256: str = "",
        *,
        whole: bool = True,
    ) -> Signature:
        """What is known of an archive's signature.

        Args:
            path: the archive.
            manifest: what is in it; None where that cannot be read.
            manifest_sha256: of the manifest that is in it; empty where that cannot be read.
            sha256: of the file as it lies there; one of both must be known.
            whole: whether all bytes were read, and are those of the manifest or the hash. Without that a signature
                tells nothing of them.
        """
        beside = path + SIGNATURE
        try:
            with open(beside, "rb") as stream:
                content = stream.read(LIMIT + 1)
        except FileNotFoundError:
            return Signature(NONE, message="is not signed, so that it is not known who made it")
        except OSError as error:
            return Signature(UNKNOWN, message=f"has a signature that cannot be read: {beside}: {error.strerror}")
        text, mark, rest = content.partition(MARK)
        key = signing_key_in(mark + rest)
        statement = read_statement(text)
        if len(content) > LIMIT or not key or statement is None:
            return Signature(WRONG, message=f"has a signature, {beside}, that cannot be understood")
        if self.path is None:
            return Signature(UNKNOWN, message="has a signature, but ssh-keygen, which verifies it, is not installed")
        reason = self._verify(text, mark + rest, key) or mismatch(statement, path, manifest, manifest_sha256, sha256)
        if reason:
            return Signature(WRONG, message=reason)
        return Signature(GOOD, key) if whole else Signature(UNREAD, key, "has a signature, but its bytes were not read")

    def _verify(self, text: bytes, signature: bytes, key: str) -> str:
        with tempfile.TemporaryDirectory(prefix="groundwork-signature-") as folder:
            allowed, armored = os.path.join(folder, "allowed"), os.path.join(folder, "signature")
            for name, content in ((allowed, f'signer namespaces="{NAMESPACE}" {key}\n'.encode()), (armored, signature)):
                with open(name, "wb") as stream:
                    stream.write(content)
            command = ["-Y", "verify", "-f", allowed, "-I", "signer", "-n", NAMESPACE, "-s", armored]
            rc, _out, err = self._call(command, text)
        return f"has a signature that is not right: ssh-keygen says {_last_line(err)}" if rc else ""

    def _call(self, arguments: List[str], data: bytes) -> Tuple[int, str, str]:
        if self.path is None:
            raise SigningError("ssh-keygen is not installed on this host, which is to sign the archive")
        return self.run([self.path, *arguments], data)


def module_signer(module: AnsibleModule) -> Signer:
    """The one of a module."""

    def run(command: List[str], data: bytes) -> Tuple[int, str, str]:
        answer: Tuple[int, str, str] = module.run_command(
            command, data=data, binary_data=True, expand_user_and_vars=False
        )
        return answer

    return Signer(module.get_bin_path("ssh-keygen"), run)


def mismatch(statement: Statement, path: str, manifest: Optional[Manifest], manifest_sha256: str, sha256: str) -> str:
    """How an archive differs from the one that was signed, or nothing."""
    name = os.path.basename(path)
    if _plain(name) != _plain(statement.archive):
        return f"has the signature of another archive, {statement.archive}"
    if manifest and (manifest.cluster, manifest.cluster_uid) != (statement.cluster, statement.cluster_uid):
        return f"has the signature of another cluster, {statement.cluster} {statement.cluster_uid}".rstrip()
    if manifest_sha256 and manifest_sha256 != statement.manifest:
        return "has another manifest than the archive that was signed"
    if sha256 and sha256 != statement.sha256:
        return f"has SHA-256 {sha256}, but {statement.sha256} was signed"
    if not manifest_sha256 and not sha256:
        return "has neither a manifest nor a hash to compare"
    return ""


def read_statement(text: bytes) -> Optional[Statement]:
    """The statement, if it can be understood."""
    try:
        data = json.loads(text.decode())
        found = Statement(**data)
    except (ValueError, TypeError, RecursionError):
        return None
    words = (found.archive, found.cluster, found.cluster_uid, found.sha256, found.manifest)
    return found if found.format == FORMAT and all(isinstance(word, str) for word in words) else None


def signing_key_in(armored: bytes) -> str:
    """The public key in a signature (OpenSSH's PROTOCOL.sshsig); ssh-keygen then proves that it is the one."""
    lines = armored.decode("ascii", "replace").split("-----")
    try:
        blob = base64.b64decode("".join(lines[2].split()), validate=True)
        if not blob.startswith(MAGIC):
            return ""
        key, _rest = _string(blob[len(MAGIC) + 4 :])
        name, _rest = _string(key)
    except (IndexError, ValueError, binascii.Error):
        return ""
    return public_part(f"{name.decode('ascii', 'replace')} {base64.b64encode(key).decode()}")


def _string(blob: bytes) -> Tuple[bytes, bytes]:
    """The first string in a blob of the SSH protocol, and what follows."""
    if len(blob) < 4:
        raise ValueError("too short")
    [length] = struct.unpack(">I", blob[:4])
    if len(blob) < 4 + length:
        raise ValueError("too short")
    return blob[4 : 4 + length], blob[4 + length :]


def _plain(name: str) -> str:
    return name[: -len(SEALED)] if name.endswith(SEALED) else name


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["nothing"])[-1]
