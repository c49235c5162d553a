"""Images of a layout, and a registry that has them or not; skopeo is a program that notes how it was called."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.image_layout import (
    LayoutError,
    base,
    link_image,
    read_layout,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import mirror_images

Run = Callable[..., dict[str, Any]]
PASSWORD = "of-a-robot"  # noqa: S105  it is for these tests
ACCOUNT = f"Basic {base64.b64encode(f'robot:{PASSWORD}'.encode()).decode()}"
SKOPEO = """#!/bin/sh
echo "$@" >> {log}
{end}
"""


class Registry(BaseHTTPRequestHandler):
    """Has paths with bytes; whoever is not the account is refused where there is one."""

    has: ClassVar[dict[str, bytes]] = {}
    account: ClassVar[str] = ""

    def do_GET(self) -> None:
        if self.account and self.headers["Authorization"] != self.account:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            return
        data = self.has.get(self.path)
        self.send_response(404 if data is None else 200)
        self.end_headers()
        if data and self.command == "GET":
            self.wfile.write(data)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Registry, "has", {})
    monkeypatch.setattr(Registry, "account", "")
    running = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


class Layout:
    """A layout of OCI with an index of two manifests, which is in it by some names."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        self.blobs: dict[str, bytes] = {}
        manifests = []
        for architecture in ("amd64", "arm64"):
            parts = {"config": self.put(b"{}" + architecture.encode()), "layers": [self.put(b"a layer")]}
            manifests.append(self.put(json.dumps(parts).encode()))
        self.index = json.dumps({"manifests": manifests}).encode()
        self.manifests = [str(one["digest"]) for one in manifests]
        entries = [
            {**self.put(self.index), "annotations": {"org.opencontainers.image.ref.name": name}} for name in names
        ]
        (folder / "index.json").write_text(json.dumps({"manifests": entries}))

    def put(self, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        self.blobs[f"sha256:{digest}"] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def paths(self, repository: str, tag: str) -> dict[str, bytes]:
        """What a registry has that has all of it."""
        found = {f"/v2/{repository}/manifests/{tag}": self.index}
        for digest, data in self.blobs.items():
            kind = "manifests" if data == self.index or digest in self.manifests else "blobs"
            found[f"/v2/{repository}/{kind}/{digest}"] = data
        return found


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "images", "registry.k8s.io/pause:3.10", "docker.io/library/proof:1")


@pytest.fixture
def skopeo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """skopeo(end): the program ends with these words of shell; returns where it notes its calls."""

    def make(end: str = "") -> Path:
        log = tmp_path / "calls"
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin/skopeo").write_text(SKOPEO.format(log=log, end=end))
        (tmp_path / "bin/skopeo").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
        return log

    return make


def test_what_is_there_is_not_copied(
    run_module: Run, layout: Layout, registry: str, skopeo: Callable[[str], Path]
) -> None:
    log = skopeo("exit 1")
    Registry.has.update({**layout.paths("pause", "3.10"), **layout.paths("library/proof", "1")})
    for check in (False, True):
        result = run_module(
            mirror_images, layout=str(layout.folder), registry=registry, _ansible_check_mode=check, _ansible_diff=True
        )
        assert (result["changed"], result["copied"], result["images"]) == (False, [], 2)
        assert result["digests"] == 2 * (3 + 3)
        assert "diff" not in result
    assert not log.exists()


@pytest.mark.parametrize("gone", range(7))
def test_each_digest_is_asked_for(run_module: Run, layout: Layout, registry: str, gone: int) -> None:
    Registry.has.update({**layout.paths("pause", "3.10"), **layout.paths("library/proof", "1")})
    del Registry.has[list(layout.paths("pause", "3.10"))[gone]]
    options = {"layout": str(layout.folder), "registry": registry, "_ansible_check_mode": True, "_ansible_diff": True}
    result = run_module(mirror_images, **options)
    assert result["copied"] == ["registry.k8s.io/pause:3.10"]
    assert result["changed"]
    assert result["diff"]["after"] == "registry.k8s.io/pause:3.10\n"


def test_a_tag_that_is_something_else_is_copied(run_module: Run, layout: Layout, registry: str) -> None:
    Registry.has.update({**layout.paths("pause", "3.10"), **layout.paths("library/proof", "1")})
    Registry.has["/v2/library/proof/manifests/1"] = b"{}"
    result = run_module(mirror_images, layout=str(layout.folder), registry=registry, _ansible_check_mode=True)
    assert result["copied"] == ["docker.io/library/proof:1"]


def test_an_image_alone_as_skopeo_reads_it(layout: Layout, tmp_path: Path) -> None:
    """Its manifest, those below it and its parts, each by its digest."""
    (tmp_path / "alone").mkdir()
    image = read_layout(str(layout.folder))[0]
    link_image(str(layout.folder), image, str(tmp_path / "alone"))
    found = {path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()}
    assert found.pop("version") == b"Directory Transport Version: 1.1\n"
    assert found.pop("manifest.json") == layout.index
    below = {f"{digest[7:]}.manifest.json" for digest in layout.manifests}
    assert found.keys() == below | {digest[7:] for digest in image.blobs}
    assert all(hashlib.sha256(data).hexdigest() == name[:64] for name, data in found.items())


def test_how_it_is_copied_and_asked_again(
    run_module: Run, layout: Layout, registry: str, skopeo: Callable[[str], Path]
) -> None:
    log = skopeo("")
    Registry.has.update(layout.paths("k8s/library/proof", "1"))
    result = run_module(mirror_images, layout=str(layout.folder), registry=f"{registry}/k8s/")
    place = registry.removeprefix("http://")
    *options, source, target = log.read_text().split()
    assert options == ["--insecure-policy", "copy", "--all", "--preserve-digests", "--quiet", "--dest-tls-verify=false"]
    assert source.startswith("dir:/")
    assert target == f"docker://{place}/k8s/pause:3.10"
    # skopeo said that all is well, and the registry has nothing
    assert result["failed"]
    assert "registry.k8s.io/pause:3.10: the registry lacks 3.10: HTTP 404" in result["msg"]


def test_a_password_is_read_from_a_file(
    run_module: Run, layout: Layout, registry: str, skopeo: Callable[[str], Path], tmp_path: Path
) -> None:
    log = skopeo("echo 'time=x level=fatal msg=\"denied\"' >&2; exit 1")
    Registry.account = ACCOUNT
    Registry.has.update(layout.paths("pause", "3.10"))
    path, place = tmp_path / "auth.json", registry.removeprefix("http://")
    path.write_text(json.dumps({"auths": {place: {"auth": ACCOUNT.partition(" ")[2]}}}))
    options = {"layout": str(layout.folder), "registry": registry, "auth_file": str(path)}
    result = run_module(mirror_images, **options)
    assert 'docker.io/library/proof:1: time=x level=fatal msg="denied"' in result["msg"]
    assert f" --dest-authfile={path} " in log.read_text()
    assert "pause" not in log.read_text()
    assert "HTTP 401" not in result["msg"]
    Registry.account = "Basic other"
    assert len(run_module(mirror_images, **options, _ansible_check_mode=True)["copied"]) == 2
    path.write_text(json.dumps({"auths": {"other.example.com": {"auth": "eDp5"}}}))
    assert f"{path} has no account for {place}" in run_module(mirror_images, **options)["msg"]


def test_without_skopeo(
    run_module: Run, layout: Layout, registry: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run_module(mirror_images, layout=str(layout.folder), registry=registry)
    assert "skopeo, which copies images, is not installed" in result["msg"]


def test_two_images_of_one_name(tmp_path: Path) -> None:
    one = Layout(tmp_path / "images", "a.example.com/x/proof:1", "b.example.com/x/proof:1")
    assert [image.repository for image in read_layout(str(one.folder))] == ["x/proof", "x/proof"]
    index = json.loads((one.folder / "index.json").read_text())
    index["manifests"][1]["digest"] = one.manifests[0]
    (one.folder / "index.json").write_text(json.dumps(index))
    with pytest.raises(
        LayoutError, match=r"a\.example\.com/x/proof:1 and b\.example\.com/x/proof:1 would have one name"
    ):
        read_layout(str(one.folder))


def test_a_layout_that_lacks_something(tmp_path: Path) -> None:
    one = Layout(tmp_path / "images", "a.example.com/proof:1")
    (one.folder / "blobs" / one.manifests[1].replace(":", "/")).unlink()
    with pytest.raises(LayoutError, match="is missing; a registry takes whole images only"):
        read_layout(str(one.folder))
    (one.folder / "index.json").write_text("[]")
    with pytest.raises(LayoutError, match="is no JSON object"):
        read_layout(str(one.folder))


def test_addresses_of_registries() -> None:
    assert base("https://r.example.com") == ("https://r.example.com/v2", "r.example.com")
    assert base("https://r.example.com:5000/k8s/") == ("https://r.example.com:5000/v2/k8s", "r.example.com:5000/k8s")
    for wrong in ("r.example.com", "ftp://r", "https://"):
        with pytest.raises(LayoutError, match="is no URL"):
            base(wrong)
