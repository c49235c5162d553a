"""A bundle that others have made: whole or not, signed or not, and as a web server gives it."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bundle_files import (
    NAMESPACE,
    NoBundleError,
    allowed_signers,
    read_sums,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import bundle_proof

Run = Callable[..., dict[str, Any]]
FILES = {"files/dl.example.com/a b": b"one", "files/dl.example.com/b": b"two", "images/index.json": b"{}"}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(FILES.items()))
    (folder / "SHA256SUMS").write_text(sums)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(path)], check=True)
    return str(path)


def sign(key: str, folder: Path, namespace: str = NAMESPACE) -> str:
    """Sign the checksums; returns the public key."""
    (folder / "SHA256SUMS.sig").unlink(missing_ok=True)
    command = ["ssh-keygen", "-Y", "sign", "-f", key, "-n", namespace, str(folder / "SHA256SUMS")]
    subprocess.run(command, check=True, capture_output=True)
    return Path(f"{key}.pub").read_text()


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing."""

    def log_message(self, *_arguments: Any) -> None:
        """Nothing."""


@pytest.fixture
def served(bundle: Path) -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(bundle.parent / "web")))
    (bundle.parent / "web").symlink_to(bundle)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize("check", [False, True])
def test_a_whole_bundle(run_module: Run, bundle: Path, check: bool) -> None:
    result = run_module(bundle_proof, folder=str(bundle), _ansible_check_mode=check)
    assert {name: result[name] for name in ("changed", "files", "served", "signed")} == {
        "changed": False, "files": 3, "served": 0, "signed": False,
    }  # fmt: skip


def test_everything_that_is_missing_or_altered_is_named(run_module: Run, bundle: Path) -> None:
    (bundle / "files/dl.example.com/a b").unlink()
    (bundle / "files/dl.example.com/b").write_bytes(b"twO")
    (bundle / "images/index.json").write_bytes(b"")
    result = run_module(bundle_proof, folder=str(bundle))
    assert result["failed"]
    assert result["msg"].splitlines()[1:] == [
        "missing: files/dl.example.com/a b",
        "altered: files/dl.example.com/b",
        "altered: images/index.json",
    ]


@pytest.mark.parametrize(
    ("sums", "expected"),
    [
        (None, "has no SHA256SUMS, so it is no whole bundle"),
        ("", "names no file"),
        (f"{'0' * 64}  ../etc/passwd\n", "line 1 of SHA256SUMS is no checksum of a file in the folder"),
        (f"{'0' * 64}  /etc/passwd\n", "line 1 of SHA256SUMS is no checksum of a file in the folder"),
        (f"{'0' * 64}  a/../../b\n", "line 1 of SHA256SUMS is no checksum of a file in the folder"),
        (f"{'0' * 64}  a\nnothing\n", "line 2 of SHA256SUMS is no checksum of a file in the folder"),
    ],
)
def test_what_is_no_bundle(run_module: Run, bundle: Path, sums: str | None, expected: str) -> None:
    (bundle / "SHA256SUMS").unlink()
    if sums is not None:
        (bundle / "SHA256SUMS").write_text(sums)
    assert expected in run_module(bundle_proof, folder=str(bundle))["msg"]


def test_a_signature_counts_only_of_those_who_are_allowed(
    run_module: Run, bundle: Path, key: str, tmp_path: Path
) -> None:
    other = str(tmp_path / "other")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", other], check=True)
    public = sign(key, bundle)
    good = run_module(bundle_proof, folder=str(bundle), allowed_signers=[Path(f"{other}.pub").read_text(), public])
    assert good["signed"] is True

    refused = run_module(bundle_proof, folder=str(bundle), allowed_signers=[Path(f"{other}.pub").read_text()])
    assert "SHA256SUMS is not signed by one of allowed_signers" in refused["msg"]
    # of the same key, for something else
    sign(key, bundle, "file")
    assert "is not signed by" in run_module(bundle_proof, folder=str(bundle), allowed_signers=[public])["msg"]
    # of the same key, of other checksums
    sign(key, bundle)
    (bundle / "SHA256SUMS").write_text((bundle / "SHA256SUMS").read_text() + f"{'0' * 64}  more\n")
    assert "is not signed by" in run_module(bundle_proof, folder=str(bundle), allowed_signers=[public])["msg"]
    (bundle / "SHA256SUMS.sig").unlink()
    assert "has no SHA256SUMS.sig" in run_module(bundle_proof, folder=str(bundle), allowed_signers=[public])["msg"]


def test_what_is_no_public_key() -> None:
    with pytest.raises(NoBundleError, match=r"allowed_signers\[1\] is no public key of OpenSSH"):
        allowed_signers(["ssh-ed25519 AAAA me", 'x ssh-ed25519 AAAA\ny namespaces="*" ssh-ed25519 BBBB'])


def test_what_a_server_gives(run_module: Run, bundle: Path, served: str) -> None:
    result = run_module(bundle_proof, folder=str(bundle), url=f"{served}/")
    assert (result["files"], result["served"]) == (3, 2)

    web = bundle.parent / "web"
    web.unlink()
    (web / "files/dl.example.com").mkdir(parents=True)
    (web / "files/dl.example.com/b").write_bytes(b"other")
    result = run_module(bundle_proof, folder=str(bundle), url=served)
    assert result["msg"].splitlines()[1:] == [
        "missing when served: files/dl.example.com/a b (HTTP 404)",
        "altered when served: files/dl.example.com/b",
    ]


def test_checksums_as_sha256sum_writes_them() -> None:
    assert read_sums(f"{'a' * 64}  a b\n{'b' * 64} *c\n") == {"a b": "a" * 64, "c": "b" * 64}
