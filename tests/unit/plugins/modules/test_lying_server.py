"""The module artifacts against servers that lie: wrong files, redirects, bodies without an end, archives that burst."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.server
import io
import ssl
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import download, unpacking
from ansible_collections.groundwork.kubernetes.plugins.modules import artifacts

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pki

Run = Callable[..., dict[str, Any]]
GENUINE, FORGED = b"the program", b"another program"


@dataclass
class Liar:
    """A server: files, redirects, and paths whose body never ends."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    endless: str = ""
    claimed: int | None = None
    requests: list[str] = field(default_factory=list)
    sent: int = 0


def serve(state: Liar, folder: Path | None) -> Iterator[Liar]:
    """Run it, with TLS where a folder for its certificate is given."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            if self.path in state.redirects:
                self.send_response(302)
                self.send_header("Location", state.redirects[self.path])
                self.end_headers()
            elif self.path == state.endless:
                self.send_response(200)
                if state.claimed:
                    self.send_header("Content-Length", str(state.claimed))
                self.end_headers()
                self.pour()
            else:
                content = state.files[self.path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def pour(self) -> None:
            with contextlib.suppress(OSError):
                while state.sent < 100 * 1024**2:
                    state.sent += self.wfile.write(b"\0" * 65536)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        if folder:
            own = pki.issue("127.0.0.1")
            (folder / "server.pem").write_text(own.crt + own.pem)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder / "server.pem")
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
        state.url = f"{'https' if folder else 'http'}://127.0.0.1:{listener.server_port}"
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        listener.shutdown()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def plain() -> Iterator[Liar]:
    yield from serve(Liar(), None)


@pytest.fixture
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Liar]:
    yield from serve(Liar(), tmp_path_factory.mktemp("tls"))


@pytest.fixture
def install(run_module: Run, tmp_path: Path) -> Run:
    def run(url: str, checksum: str = "", **options: Any) -> dict[str, Any]:
        item = {"name": "f", "url": url, "checksum": checksum or hashlib.sha256(GENUINE).hexdigest()}
        item["dest"] = str(tmp_path / "f")
        options = {"state_dir": str(tmp_path / "state"), "allow_http": True, "validate_certs": False, **options}
        return run_module(artifacts, artifacts=[item], **options)

    return run


def nothing_installed(folder: Path) -> bool:
    return [path.name for path in folder.iterdir() if path.name != "state"] == []


def test_a_forged_file_with_its_checksum_beside_it(install: Run, plain: Liar, tmp_path: Path) -> None:
    plain.files = {"/f": FORGED, "/f.sha256": hashlib.sha256(FORGED).hexdigest().encode()}
    result = install(f"{plain.url}/f")
    assert f"but the option checksum says {hashlib.sha256(GENUINE).hexdigest()}" in result["msg"]
    assert plain.requests == ["/f"]
    assert nothing_installed(tmp_path)
    # What the digest is there for: the file beside it would have let that pass.
    assert install(f"{plain.url}/f", f"{plain.url}/f.sha256")["changed"] is True


@pytest.mark.parametrize("option", ["url", "checksum"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_http_is_refused_before_anything_is_asked(
    install: Run, plain: Liar, protected: Liar, option: str, check_mode: bool
) -> None:
    given = {"url": f"{protected.url}/f", option: f"{plain.url}/f"}
    message = install(**given, allow_http=False, _ansible_check_mode=check_mode)["msg"]
    assert message.startswith(
        f"f: {option} '{plain.url}/f': http can be read and changed on its way; use https, or set"
    )
    assert plain.requests + protected.requests == []


@pytest.mark.parametrize("allow_http", [True, False])
def test_no_redirect_from_https_to_http(
    install: Run, plain: Liar, protected: Liar, tmp_path: Path, allow_http: bool
) -> None:
    plain.files["/f"] = GENUINE
    protected.redirects["/f"] = f"{plain.url}/f"
    message = install(f"{protected.url}/f", allow_http=allow_http)["msg"]
    assert f"{protected.url}/f redirects to {plain.url}/f, which is not https" in message
    assert (plain.requests, len(protected.requests)) == ([], 1)
    assert nothing_installed(tmp_path)


def test_redirects_that_are_followed(install: Run, plain: Liar, protected: Liar, tmp_path: Path) -> None:
    protected.redirects = {"/f": "/g", "/g": f"{protected.url}/h"}
    protected.files["/h"] = GENUINE
    plain.redirects["/f"] = f"{protected.url}/f"
    assert install(f"{plain.url}/f")["changed"] is True
    assert (tmp_path / "f").read_bytes() == GENUINE


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/f"])
def test_redirect_to_something_else(install: Run, plain: Liar, target: str) -> None:
    plain.redirects["/f"] = target
    assert f"redirects to {target}, which is not https" in install(f"{plain.url}/f")["msg"]


def test_redirects_in_a_circle(install: Run, plain: Liar) -> None:
    plain.redirects = {"/f": "/g", "/g": "/f"}
    assert install(f"{plain.url}/f")["msg"].endswith("more than 10 redirects")
    assert len(plain.requests) == 11


@pytest.mark.parametrize("claimed", [None, 10**12])
def test_a_body_without_an_end(
    install: Run, plain: Liar, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, claimed: int | None
) -> None:
    monkeypatch.setattr(download, "MAX_FILE", 2 * 1024**2)
    plain.endless, plain.claimed = "/f", claimed
    assert f"more than {2 * 1024**2} bytes, which is too long" in install(f"{plain.url}/f")["msg"]
    assert plain.requests == ["/f"]
    assert plain.sent < 100 * 1024**2
    assert nothing_installed(tmp_path)


def test_a_checksum_file_without_an_end(install: Run, plain: Liar) -> None:
    plain.endless = "/f.sha256"
    message = install(f"{plain.url}/f", f"{plain.url}/f.sha256")["msg"]
    assert f"cannot download {plain.url}/f.sha256: more than {1024**2} bytes" in message


def member(size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.size, info.linkname = kind, size, link
    return info


def pack(members: dict[str, tarfile.TarInfo], form: int = tarfile.GNU_FORMAT, pax: str = "") -> bytes:
    """A tar.gz of files full of zeros."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=form) as archive:
        for name, info in members.items():
            info.name = name
            info.pax_headers = {"comment": pax} if pax else {}
            archive.addfile(info, io.BytesIO(b"\0" * info.size))
    return buffer.getvalue()


def sparse() -> bytes:
    """A file of 8 GiB that is all hole (tar's old GNU form: the real size stands at 483)."""
    info = member(0, tarfile.GNUTYPE_SPARSE)
    info.name = "hole"
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % (8 * 1024**3 - 1)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024))


BURSTING = {
    "one large file": (lambda: pack({"x": member(8 * 1024**2)}), "unpacks to more than 2097152 bytes"),
    "many files": (lambda: pack({f"x{n}": member(0) for n in range(101)}), "holds more than 100 files"),
    "many that are large together": (
        lambda: pack({f"x{n}": member(300_000) for n in range(9)}),
        "unpacks to more than 2097152 bytes",
    ),
    "a hole": (sparse, "unpacks to more than 2097152 bytes"),
    "copies of one file": (
        lambda: pack({"x": member(300_000), **{f"l{n}": member(0, tarfile.SYMTYPE, "x") for n in range(9)}}),
        "unpacks to more than 2097152 bytes",
    ),
    "a long record": (
        lambda: pack({"x": member(0)}, tarfile.PAX_FORMAT, "y" * 1024**2),
        "a record of more than 524288 bytes",
    ),
    "a link to itself": (lambda: pack({"x": member(0, tarfile.SYMTYPE, "x")}), "x is a link that leads to itself"),
    "nothing but zeros": (lambda: gzip.compress(bytes(64 * 1024**2)), "the archive holds no file"),
    "cut off": (lambda: pack({"x": member(1000)})[:-20], "no archive that can be read"),
}


@pytest.mark.parametrize("name", list(BURSTING))
def test_archives_that_burst(
    install: Run, plain: Liar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make, message = BURSTING[name]
    monkeypatch.setattr(unpacking, "MAX_UNPACKED", 2 * 1024**2)
    monkeypatch.setattr(unpacking, "MAX_READ", 512 * 1024)
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 100)
    plain.files["/x.tar.gz"] = make()
    checksum = hashlib.sha256(plain.files["/x.tar.gz"]).hexdigest()
    assert message in install(f"{plain.url}/x.tar.gz", checksum)["msg"]
    assert nothing_installed(tmp_path)
