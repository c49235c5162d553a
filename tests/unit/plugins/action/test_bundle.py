"""The bundle, fetched from a server that has files and images, gives parts of files, and breaks off."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.groundwork.kubernetes.plugins.action.bundle import Run
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bundle_files import NAMESPACE
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import bundle
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.apt_index import PackageError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.bundle import BundleError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import (
    FILE,
    IMAGE,
    MANIFEST,
    PACKAGE,
    Artifact,
    Lock,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry import (
    INDEXES,
    MANIFESTS,
    RegistryError,
)

BIG = bytes(range(256)) * 4096
LAYER, CONFIG = b"a layer", b"{}"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def entry(data: bytes, **more: Any) -> dict[str, Any]:
    return {"digest": f"sha256:{digest(data)}", "size": len(data), "mediaType": "x", **more}


IMAGE_MANIFEST = json.dumps({"mediaType": MANIFESTS[0], "config": entry(CONFIG), "layers": [entry(LAYER)]}).encode()
PLATFORM = {"os": "linux", "architecture": "amd64"}
OTHER_MANIFEST = json.dumps({"mediaType": MANIFESTS[0], "config": entry(CONFIG), "layers": []}).encode()
ENTRIES = [
    entry(IMAGE_MANIFEST, platform=PLATFORM),
    entry(OTHER_MANIFEST, platform={"os": "linux", "architecture": "arm"}),
]
INDEX = json.dumps({"mediaType": INDEXES[0], "manifests": ENTRIES}).encode()
PROOF = [f"images/blobs/sha256/{digest(data)}" for data in (INDEX, IMAGE_MANIFEST, CONFIG, LAYER)]


class Server(BaseHTTPRequestHandler):
    """Gives what it has, from the byte on that is asked for; ends early where it is told to."""

    has: ClassVar[dict[str, bytes]] = {}
    broken: ClassVar[dict[str, int]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        wanted = self.headers["Range"] or ""
        self.asked.append((self.path, wanted))
        data = self.has.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = int(match[1]) if (match := re.fullmatch(r"bytes=(\d+)-", wanted)) else 0
        if start >= len(data) > 0:
            self.send_error(416)
            return
        rest = data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.broken.pop(self.path, len(rest))])

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    blobs = {f"/v2/proof/blobs/sha256:{digest(data)}": data for data in (CONFIG, LAYER)}
    manifests = {f"/v2/proof/manifests/sha256:{digest(data)}": data for data in (INDEX, IMAGE_MANIFEST, OTHER_MANIFEST)}
    monkeypatch.setattr(Server, "has", {"/a/big": BIG, "/m.yml": b"kind: x", **blobs, **manifests})
    monkeypatch.setattr(Server, "broken", {})
    monkeypatch.setattr(Server, "asked", [])
    monkeypatch.setattr(bundle.time, "sleep", lambda _seconds: None)
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


class Work:
    """A folder for bundles, and a lock of all that the server has."""

    def __init__(self, folder: Path, server: str) -> None:
        self.folder, self.server, self.lock = folder, server, folder / "lock.txt"
        self.host = server.removeprefix("http://")
        self.write(self.lock, ("amd64",), *self.artifacts())

    def artifacts(self) -> list[Artifact]:
        return [
            Artifact(FILE, "big", "1", "amd64", f"{self.server}/a/big", digest(BIG), len(BIG)),
            Artifact(IMAGE, "r.invalid/proof:1", sha256=digest(INDEX)),
            Artifact(MANIFEST, "own.yml", sha256=digest(b"")),
            Artifact(MANIFEST, f"{self.server}/m.yml", url=f"{self.server}/m.yml", sha256=digest(b"kind: x"), size=7),
        ]

    def write(self, path: Path, architectures: tuple[str, ...], *artifacts: Artifact) -> None:
        path.write_text(Lock(architectures, artifacts).text())

    def run(self, name: str = "bundle", *, check: bool = False, **options: Any) -> dict[str, Any]:
        given: dict[str, Any] = {"locks": [str(self.lock)], "folder": str(self.folder / name), "older": []}
        given |= dict.fromkeys(("signing_key", "registry_auth_file"))
        mirrors = [{"registry": "r.invalid", "mirrors": [{"url": self.server}]}]
        return Run(
            {**given, "registry_mirrors": mirrors, "allow_http": True, "timeout": 5, "whole_images": False, **options},
            check=check,
        ).result()

    def names(self, name: str = "bundle") -> list[str]:
        root = self.folder / name
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    @property
    def fetched(self) -> list[str]:
        return sorted([f"files/{self.host}/a/big", f"files/{self.host}/m.yml", *PROOF])


@pytest.fixture
def work(tmp_path: Path, server: str) -> Work:
    return Work(tmp_path, server)


WRITTEN = ["SHA256SUMS", "images/index.json", "images/oci-layout", "locks/lock.txt", "sbom.spdx.json"]


def test_everything_is_fetched_once(work: Work) -> None:
    checked = work.run(check=True)
    assert checked["missing"] == sorted([*work.fetched[:2], "image r.invalid/proof:1"])
    assert (checked["changed"], work.names(), Server.asked) == (True, [], [])
    result = work.run()
    assert (result["changed"], result["missing"], result["altered"]) == (True, work.fetched, [])
    assert (result["files"], result["left_out"]) == (6, 0)
    assert work.names() == sorted([*work.fetched, *WRITTEN])
    root = work.folder / "bundle"
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=root, check=True)
    assert len((root / "SHA256SUMS").read_text().splitlines()) == len(work.names()) - 1
    [listed] = json.loads((root / "images/index.json").read_text())["manifests"]
    assert listed == {
        "mediaType": INDEXES[0],
        "digest": f"sha256:{digest(INDEX)}",
        "size": len(INDEX),
        "annotations": {"org.opencontainers.image.ref.name": "r.invalid/proof:1"},
    }
    Server.asked.clear()
    again = work.run()
    assert (again["changed"], again["missing"], again["written"], Server.asked) == (False, [], [], [])
    assert work.run(check=True) == again


def test_images_for_all_architectures(work: Work) -> None:
    work.run(whole_images=True)
    other = f"images/blobs/sha256/{digest(OTHER_MANIFEST)}"
    assert work.names() == sorted([*work.fetched, other, *WRITTEN])
    assert work.run(check=True, whole_images=True)["changed"] is False


def test_contents_as_spdx(work: Work) -> None:
    work.run()
    document = json.loads((work.folder / "bundle" / "sbom.spdx.json").read_text())
    assert document["spdxVersion"] == "SPDX-2.3"
    assert [(one["name"], one["checksums"][0]["checksumValue"]) for one in document["packages"]] == [
        (artifact.name, artifact.sha256) for artifact in sorted(work.artifacts())
    ]
    known = {one["SPDXID"] for one in document["packages"]}
    assert {one["relatedSpdxElement"] for one in document["relationships"]} == known


def test_a_download_goes_on_where_it_ended(work: Work) -> None:
    Server.broken["/a/big"] = 1000
    work.run()
    assert [wanted for path, wanted in Server.asked if path == "/a/big"] == ["", "bytes=1000-"]


def test_a_download_of_a_run_that_was_killed_goes_on(work: Work) -> None:
    draft = work.folder / "bundle" / "files" / work.host / "a" / "big.part"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(BIG[:5000])
    work.run()
    assert [wanted for path, wanted in Server.asked if path == "/a/big"] == ["bytes=5000-"]


@pytest.mark.parametrize("rest", [BIG, b"x" * 5000])
def test_a_draft_that_is_whole_or_wrong_is_fetched_anew(work: Work, rest: bytes) -> None:
    draft = work.folder / "bundle" / "files" / work.host / "a" / "big.part"
    draft.parent.mkdir(parents=True)
    draft.write_bytes(rest)
    if rest is BIG:
        work.run()
    else:
        with pytest.raises(BundleError, match=rf"big has SHA-256 \w+, not {digest(BIG)}, which the lock says"):
            work.run()
        work.run()
    assert not draft.exists()
    assert work.run(check=True)["changed"] is False


def test_all_that_cannot_be_had_is_named_and_the_rest_is_there(work: Work) -> None:
    Server.has["/m.yml"] = b"kind: y"
    del Server.has["/a/big"], Server.has[f"/v2/proof/blobs/sha256:{digest(LAYER)}"]
    with pytest.raises(BundleError) as told:
        work.run()
    text = str(told.value)
    assert f"file big 1 amd64: {work.server}/a/big: HTTP status 404" in text
    assert f"{work.server}/m.yml has SHA-256 {digest(b'kind: y')}, not {digest(b'kind: x')}" in text
    assert "a part of r.invalid/proof:1: " in text
    assert PROOF[2] in work.names()
    assert "SHA256SUMS" not in work.names()


def test_an_image_that_is_another_one(work: Work) -> None:
    Server.has[f"/v2/proof/manifests/sha256:{digest(INDEX)}"] = IMAGE_MANIFEST
    with pytest.raises((BundleError, RegistryError), match=r"r\.invalid/proof:1.* cannot be had"):
        work.run()


def test_every_byte_is_read(work: Work) -> None:
    work.run()
    root = work.folder / "bundle"
    big = root / work.fetched[0]
    big.write_bytes(b"y" + BIG[1:])
    (root / PROOF[3]).unlink()
    (root / "images/index.json").write_text("{}")
    checked = work.run(check=True)
    assert (checked["altered"], checked["missing"]) == ([work.fetched[0]], [PROOF[3]])
    assert checked["written"] == ["images/index.json"]
    assert big.read_bytes()[:1] == b"y"
    work.run()
    assert work.run(check=True)["changed"] is False
    assert big.read_bytes() == BIG


def test_only_the_difference_to_an_older_bundle(work: Work) -> None:
    work.run("old")
    new = work.folder / "new.txt"
    Server.has["/b/new"] = b"newer"
    added = Artifact(FILE, "new", "2", "amd64", f"{work.server}/b/new", digest(b"newer"), 5)
    work.write(new, ("amd64",), *work.artifacts(), added)
    both = {"locks": [str(work.lock), str(new)], "older": [str(work.folder / "old")]}
    result = work.run("difference", **both)
    path = f"files/{work.host}/b/new"
    assert (result["missing"], result["left_out"]) == ([path], 6)
    assert work.names("difference") == sorted([path, "locks/new.txt", *WRITTEN])
    # On the other side it is copied over the older one.
    shutil.copytree(work.folder / "difference", work.folder / "old", dirs_exist_ok=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=work.folder / "old", check=True)
    with pytest.raises(BundleError, match="has no SHA256SUMS, so it is no whole bundle"):
        work.run("third", locks=both["locks"], older=[str(work.folder)])


def test_what_locks_cannot_say(work: Work) -> None:
    other = work.folder / "other.txt"
    for artifact, message in (
        (Artifact(IMAGE, "r.invalid/proof:1", sha256=digest(LAYER)), "two locks have different digests of it"),
        (Artifact(FILE, "big", "2", "amd64", f"{work.server}/a/big", digest(LAYER)), "different checksums of"),
        (Artifact(FILE, "up", "1", "amd64", f"{work.server}/../x", digest(LAYER)), "makes no path in a bundle"),
        (Artifact(FILE, "up", "1", "amd64", f"{work.server}/%2e%2e/x", digest(LAYER)), "makes no path in a bundle"),
        (Artifact(FILE, "up", "1", "amd64", "file:///etc/passwd", digest(LAYER)), "makes no path in a bundle"),
    ):
        work.write(other, ("amd64",), artifact)
        with pytest.raises(BundleError, match=message):
            work.run(locks=[str(work.lock), str(other)])
    with pytest.raises(BundleError, match="files of different names"):
        work.run(locks=[str(work.lock), str(work.lock)])
    assert work.names() == []


def test_a_signature_that_is_verified_offline(work: Work) -> None:
    key = work.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(key)], check=True)
    work.run(signing_key=str(key))
    root = work.folder / "bundle"
    (work.folder / "allowed").write_text(f"me {key.with_suffix('.pub').read_text()}")
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(work.folder / "allowed"), "-I", "me", "-n", NAMESPACE]
    command = [*verify, "-s", str(root / "SHA256SUMS.sig")]
    sums = (root / "SHA256SUMS").read_bytes()
    subprocess.run(command, input=sums, check=True, stdout=subprocess.DEVNULL)
    altered = subprocess.run(command, input=sums + b"x", check=False, capture_output=True)
    assert altered.returncode != 0
    assert work.run(signing_key=str(key))["changed"] is False
    work.run("other")
    with pytest.raises(BundleError, match=r"signing_key: .* does not sign"):
        work.run("other", signing_key=str(work.lock))


def debian_package(folder: Path, name: str, version: str, architecture: str, depends: str = "") -> bytes:
    """A real package without files."""
    tree, target = folder / f"tree-{name}", folder / f"{name}.deb"
    (tree / "DEBIAN").mkdir(parents=True)
    lines = [
        f"Package: {name}",
        f"Version: {version}",
        f"Architecture: {architecture}",
        "Maintainer: me <me@localhost>",
    ]
    lines += [f"Depends: {depends}"] * bool(depends)
    (tree / "DEBIAN/control").write_text("\n".join([*lines, "Description: a proof", " of two lines", ""]))
    subprocess.run(["dpkg-deb", "--build", str(tree), str(target)], check=True, capture_output=True)
    return target.read_bytes()


def test_packages_get_an_index(work: Work) -> None:
    files = {
        "one": debian_package(work.folder, "one", "1:2.0+b1-1", "amd64", "two (>= 1)"),
        "two": debian_package(work.folder, "two", "1.0", "all"),
    }
    Server.has.update({f"/pool/{name}.deb": data for name, data in files.items()})
    place = f"{work.server}/pool"
    packages = [
        Artifact(PACKAGE, "one", "1:2.0+b1-1", "amd64", f"{place}/one.deb", digest(files["one"]), len(files["one"])),
        Artifact(PACKAGE, "two", "1.0", "all", f"{place}/two.deb", digest(files["two"]), len(files["two"])),
    ]
    work.write(work.lock, ("amd64", "arm64"), *packages)
    index = [f"packages/dists/lock/{name}" for name in ("Release", "main/binary-amd64/Packages")]
    index.append("packages/dists/lock/main/binary-arm64/Packages")
    work.run()
    checked = work.run(check=True)
    assert (checked["changed"], checked["files"]) == (False, 2)
    root = work.folder / "bundle"
    pool = sorted(f"packages/pool/{name}.deb" for name in ("one_2.0+b1-1_amd64", "two_1.0_all"))
    assert work.names() == sorted([*WRITTEN, *index, *pool])
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=root, check=True)
    one, two = (root / index[1]).read_text().split("\n\n")
    assert one.startswith("Package: one\nVersion: 1:2.0+b1-1\n")
    assert "Depends: two (>= 1)\n" in one
    end = f"Filename: pool/one_2.0+b1-1_amd64.deb\nSize: {len(files['one'])}\nSHA256: {digest(files['one'])}"
    assert one.endswith(end)
    assert (root / index[2]).read_text() == two
    release = (root / index[0]).read_text()
    for name in index[1:]:
        data = (root / name).read_bytes()
        assert f" {digest(data)} {len(data)} {name.removeprefix('packages/dists/lock/')}\n" in release

    (root / pool[0]).unlink()
    (root / index[0]).write_text("x")
    checked = work.run(check=True)
    assert (checked["missing"], index[0] in checked["written"]) == ([pool[0]], True)
    work.run()
    assert work.run(check=True)["changed"] is False

    # The other side has them; what is new is the index of another lock.
    work.write(work.folder / "new.txt", ("amd64",), packages[1])
    result = work.run("difference", locks=[str(work.folder / "new.txt")], older=[str(root)])
    assert result["left_out"] == 1
    assert (work.folder / "difference/packages/dists/new/main/binary-amd64/Packages").read_text() == two


@pytest.mark.parametrize(
    ("name", "version", "url", "message"),
    [
        ("../x", "1", "http://127.0.0.1/x", "its name, version or architecture is none of a package"),
        ("x", "1/../2", "http://127.0.0.1/x", "its name, version or architecture is none of a package"),
        ("x", "1", "file:///etc/passwd", "is not of a server"),
    ],
)
def test_packages_that_locks_cannot_name(work: Work, name: str, version: str, url: str, message: str) -> None:
    work.write(work.lock, ("amd64",), Artifact(PACKAGE, name, version, "amd64", url, digest(LAYER)))
    with pytest.raises(PackageError, match=message):
        work.run()
    assert work.names() == []
