"""Which versions a new lab gets, and how upstream's files come into its cache."""

from __future__ import annotations

import hashlib
import http.server
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from lab import download as downloads  # noqa: E402  it is no part of the collection
from lab.__main__ import Lab  # noqa: E402
from lab.archives import Archives  # noqa: E402
from lab.choice import DEBIAN, DEBIAN_SINCE_1_26, VERSIONS, choose, defaults  # noqa: E402
from lab.debian import Debian  # noqa: E402
from lab.download import Upstream, archives, download, fault, files, images, tarball  # noqa: E402
from lab.images import Images  # noqa: E402
from lab.kubernetes import NODE_PROGRAMS, SERVER_PROGRAMS, SOURCE_VERSION, Builder, release_folder  # noqa: E402
from lab.rootfs import RootFilesystems  # noqa: E402
from lab.settings import Settings  # noqa: E402

OURS = defaults()
ALONE = "no route"


def fill(cache: Path, version: str) -> None:
    """What the cache of a machine has that once fetched a version."""
    for name in (*NODE_PROGRAMS, *SERVER_PROGRAMS):
        path = release_folder(cache, version) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    ("given", "remembered", "situation", "expected"),
    [
        ({}, {}, (False, ""), OURS),
        ({}, {}, (False, ALONE), {"kubernetes": SOURCE_VERSION, **DEBIAN}),
        ({}, {}, (True, ALONE), {"kubernetes": OURS["kubernetes"], **DEBIAN_SINCE_1_26}),
        ({"kubernetes": "1.20.3"}, {}, (False, ""), {"kubernetes": "1.20.3", **DEBIAN}),
        ({"kubernetes": "1.36.2"}, {}, (False, ""), {**OURS, "kubernetes": "1.36.2"}),
        ({"kubernetes": "1.36.2"}, {}, (False, ALONE), {"kubernetes": "1.36.2", **DEBIAN_SINCE_1_26}),
        ({"etcd": "3.5.16"}, {}, (False, ALONE), {"kubernetes": SOURCE_VERSION, **DEBIAN, "etcd": "3.5.16"}),
        # A lab in use keeps its versions, whatever can be had now.
        ({}, {"kubernetes": SOURCE_VERSION, **DEBIAN}, (True, ""), {"kubernetes": SOURCE_VERSION, **DEBIAN}),
        ({}, {**OURS, "kubernetes": "1.36.2"}, (False, ALONE), {**OURS, "kubernetes": "1.36.2"}),
        ({"kubernetes": "1.20.3"}, OURS, (True, ""), {"kubernetes": "1.20.3", **DEBIAN}),
    ],
)
def test_versions(
    tmp_path: Path,
    given: Mapping[str, str],
    remembered: Mapping[str, str],
    situation: tuple[bool, str],
    expected: Mapping[str, str],
) -> None:
    cached, why_not = situation
    if cached:
        fill(tmp_path, OURS["kubernetes"])
    choice = choose(given, remembered, tmp_path, lambda: why_not)
    assert choice.versions == expected
    fallen_back = not given.get("kubernetes") and not remembered and not cached and why_not
    assert bool(choice.why) == bool(fallen_back)
    assert why_not in choice.why or not fallen_back


def test_what_needs_no_answer_is_not_asked(tmp_path: Path) -> None:
    def ask() -> str:
        raise AssertionError("upstream was asked")

    choose({"kubernetes": "1.20.2"}, {}, tmp_path, ask)
    choose({}, OURS, tmp_path, ask)


def test_the_archives_in_the_cache_decide_their_versions(tmp_path: Path) -> None:
    (tmp_path / archives("containerd", OURS["containerd"]).path).touch()
    chosen = choose({"kubernetes": "1.36.2"}, {}, tmp_path, lambda: ALONE).versions
    assert (chosen["containerd"], chosen["etcd"]) == (OURS["containerd"], DEBIAN_SINCE_1_26["etcd"])


def test_what_the_source_at_hand_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"kube-proxy of Kubernetes 1\.22\.0 can't be built here"):
        Builder(tmp_path, Debian(tmp_path), print).build("1.22.0")


@pytest.mark.parametrize(
    ("version", "pause"),
    [("1.20.3", ["pause:3.2", "pause:3.4.1"]), ("1.21.0", ["pause:3.2", "pause:3.4.1"]), ("1.36.2", ["pause:3.2"])],
)
def test_stamps_have_the_sandbox_images_of_both_minors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, pause: list[str]
) -> None:
    monkeypatch.setenv("KUBERNETES_VERSION", version)
    settings, debian = Settings(cache=tmp_path), Debian(tmp_path)
    fill(tmp_path, version)
    kubeadm = release_folder(tmp_path, version) / "kubeadm"
    kubeadm.write_text("#!/bin/sh\necho k8s.gcr.io/pause:3.2\n")
    images = Images(settings, Archives(settings, debian, print), RootFilesystems(tmp_path, debian, print), print)
    assert images.references() == [*pause, "groundwork/busybox:1"]


KUBEADM = """\
#!/bin/sh
echo registry.k8s.io/kube-apiserver:v1.36.5
echo registry.k8s.io/coredns/coredns:v1.14.2
"""
SKOPEO = """\
#!/bin/sh
echo "$@" >> "$0.log"
for target; do :; done
path=${target#docker-archive:}
echo "$target" > "${path%%:*}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the server has."""
    return tmp_path / "upstream"


@pytest.fixture
def upstream(folder: Path) -> Iterator[Upstream]:
    """A server in upstream's layout: dl.k8s.io, GitHub and a registry below one address."""
    (folder / "registry" / "v2").mkdir(parents=True)
    (folder / "registry" / "v2" / "index.html").touch()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        yield Upstream(f"{base}/dl", f"{base}/github", f"{base}/registry")
        server.shutdown()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upstream: Upstream) -> Settings:
    """A lab of a machine that never had one, with that server."""
    for part in VERSIONS:
        monkeypatch.delenv(f"{part.upper()}_VERSION", raising=False)
    monkeypatch.setenv("LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LAB_KUBERNETES_URL", upstream.kubernetes)
    monkeypatch.setenv("LAB_GITHUB_URL", upstream.github)
    monkeypatch.setenv("LAB_REGISTRY_URL", upstream.registry)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "skopeo").write_text(SKOPEO)
    (programs / "skopeo").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return Settings()


def publish(folder: Path, settings: Settings, upstream: Upstream) -> dict[str, dict[str, dict[str, str]]]:
    """Put every file where upstream has it, with its checksum; of containerd the digest is returned instead."""
    known: dict[str, dict[str, dict[str, str]]] = {}
    base = upstream.kubernetes.removesuffix("/dl")
    for file in files(settings, upstream):
        path, checksum = (folder / url.removeprefix(f"{base}/") for url in (file.url, file.checksum))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(KUBEADM if file.program == "kubeadm" else file.url)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if file.program == "containerd":
            known["containerd"] = {file.version: {"amd64": digest}}
        else:
            checksum.write_text(f"{'0' * 64}  other\n{digest}  {path.name}\n")
    return known


@pytest.fixture
def published(
    folder: Path, tmp_path: Path, settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has all of today's files, and the collection knows what containerd's must be."""
    fault.cache_clear()
    monkeypatch.setattr(downloads, "PROBE_SECONDS", 60)  # a busy machine's own server may be slow
    monkeypatch.setattr(downloads, "DIGESTS", tmp_path / "digests.yml")
    with monkeypatch.context() as patch:
        for part, version in OURS.items():
            patch.setenv(f"{part.upper()}_VERSION", version)
        known = publish(folder, Settings(), upstream)
    (tmp_path / "digests.yml").write_text(json.dumps(known))


@pytest.mark.usefixtures("published")
def test_a_newcomer_gets_todays(settings: Settings, upstream: Upstream, tmp_path: Path) -> None:
    assert (settings.choice.versions, settings.choice.why) == (OURS, "")
    lines: list[str] = []
    download(settings, lines.append, upstream)
    fetched = files(settings, upstream)
    assert {file.program for file in fetched} == {
        *NODE_PROGRAMS,
        *("containerd", "runc", "cni-plugins", "etcd", "crictl"),
    }
    for file in fetched:
        digest = hashlib.sha256(file.path.read_bytes()).hexdigest()
        assert file.path.with_name(f"{file.path.name}.sha256").read_text() == f"{digest}\n"
    kubeadm = release_folder(settings.cache, settings.kubernetes) / "kubeadm"
    for reference in images(kubeadm, settings.kubernetes):
        path = tarball(settings.cache / "images", reference)
        assert path.read_text().endswith(f":{reference}\n")
    copies = (tmp_path / "bin" / "skopeo.log").read_text()
    assert f"--src-tls-verify=false docker://{upstream.registry[7:]}/coredns/coredns:v1.14.2 docker-archive:" in copies
    assert lines[-1].startswith("fetched 2 of 2 files")
    assert sum(text.startswith("fetched 8 of 8 files, ") for text in lines) == 1
    again: list[str] = []
    download(settings, again.append, upstream)
    assert again == []


@pytest.mark.usefixtures("published")
def test_every_fault_of_a_download_is_named(settings: Settings, upstream: Upstream, folder: Path) -> None:
    (folder / "github" / archives("runc", OURS["runc"]).url).unlink()
    (folder / "github" / archives("containerd", OURS["containerd"]).url).write_text("another")
    (folder / "github" / archives("etcd", OURS["etcd"]).checksum).write_text("nothing\n")
    with pytest.raises(RuntimeError) as caught:
        download(settings, print, upstream)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "is not what its SHA-256 says" in next(line for line in lines if "containerd" in line)
    assert "runc.amd64: HTTP Error 404" in next(line for line in lines if "runc" in line)
    assert "SHA256SUMS has no SHA-256" in next(line for line in lines if "etcd" in line)
    cache = settings.cache
    assert not (cache / archives("containerd", OURS["containerd"]).path).exists()
    assert (cache / archives("crictl", OURS["crictl"]).path).exists()


@pytest.mark.usefixtures("published")
def test_the_lab_fetches_what_it_lacks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    (release,) = lab.releases
    for part in ("archives", "packages", "builder"):
        monkeypatch.setattr(getattr(release, part), "build" if part == "builder" else "fill", lambda *_words: None)
    monkeypatch.setattr(lab.images, "_make", lambda *_words: None)
    assert lab.artifacts() == ["kube-apiserver:v1.36.5", "coredns/coredns:v1.14.2"]
    assert lab.settings.kubernetes == OURS["kubernetes"] == settings.kubernetes


def test_without_upstream_debians_source_is_built(
    settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault.cache_clear()
    monkeypatch.setattr(downloads, "PROBE_SECONDS", 60)
    assert settings.kubernetes == SOURCE_VERSION
    assert settings.choice.why.startswith(f"upstream's files cannot be had ({upstream.kubernetes}/release/v")
    assert settings.choice.why.endswith(f"): Kubernetes {SOURCE_VERSION}, built from Debian's source")


def test_nobody_waits_long_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "PROBE_SECONDS", 0.2)
    never = threading.Event()

    def silent(*_words: object, **_more: object) -> None:
        never.wait(30)
        raise OSError("too late")

    monkeypatch.setattr(downloads.urllib.request, "urlopen", silent)
    asked = Upstream("https://dl.example", "https://github.example", "https://registry.example")
    assert fault(asked, "1.36.5") == "dl.example does not answer within 0.2 s"
    never.set()
