"""The command that fills the collection's digests, against a server in upstream's layout."""

from __future__ import annotations

import hashlib
import http.server
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.filter.pinned_checksum import pinned_checksum
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import digests as shipped
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minors, release

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import digests  # noqa: E402  it is no part of the collection

GITHUB = "/github.com"
ETCD = f"{GITHUB}/etcd-io/etcd/releases/download/v3.6.99"
RUNC = f"{GITHUB}/opencontainers/runc/releases/download/v1.4.99"
DOCKER = f"{GITHUB}/Mirantis/cri-dockerd/releases/download/v0.4.99"
HEAD = "---\n# What this file is.\n"
RUN = ["kubernetes=v1.36.99", "etcd=3.6.99", "runc=1.4.99", "cri-dockerd=0.4.99"]


def sum_of(name: str) -> str:
    """The digest that the server gives a file."""
    return hashlib.sha256(name.encode()).hexdigest()


def layout() -> dict[str, str]:
    """Upstream's files, as its projects publish them: one digest in a file, lists of them, a signed list, and none."""
    files = {
        f"/dl.k8s.io/release/v1.36.99/bin/linux/{architecture}/{program}.sha256": sum_of(f"{program}-{architecture}")
        for program in ("kubeadm", "kubelet", "kubectl")
        for architecture in ("amd64", "arm64")
    }
    names = [f"etcd-v3.6.99-{system}" for system in ("darwin-amd64.zip", "linux-amd64.tar.gz", "linux-arm64.tar.gz")]
    files[f"{ETCD}/SHA256SUMS"] = "".join(f"{sum_of(name)}  {name}\n" for name in names)
    lines = "".join(f"{sum_of(name)}  {name}\n" for name in ("runc.amd64", "runc.arm64", "runc.tar.xz"))
    files[f"{RUNC}/runc.sha256sum"] = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{lines}-----BEGIN PGP"
    for architecture in ("amd64", "arm64"):
        files[f"{DOCKER}/cri-dockerd-0.4.99.{architecture}.tgz"] = f"docker-{architecture}"
    return files


EXPECTED: dict[str, Any] = {
    "cri-dockerd": {"0.4.99": {a: sum_of(f"docker-{a}") for a in ("amd64", "arm64")}},
    "etcd": {
        "3.6.15": {"arm64": "b" * 64},
        "3.6.99": {a: sum_of(f"etcd-v3.6.99-linux-{a}.tar.gz") for a in ("amd64", "arm64")},
    },
    **{
        program: {"1.36.99": {a: sum_of(f"{program}-{a}") for a in ("amd64", "arm64")}}
        for program in ("kubeadm", "kubectl", "kubelet")
    },
    "runc": {"1.4.99": {a: sum_of(f"runc.{a}") for a in ("amd64", "arm64")}},
}


class Upstream:
    """The server: its URL, what it has, what it was asked for."""

    def __init__(self) -> None:
        self.files = layout()
        self.requests: list[str] = []
        self.url = ""


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    state = Upstream()
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setenv("no_proxy", "*")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append(self.path)
            content = state.files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.end_headers()
            self.wfile.write((content or "").encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        state.url = f"http://127.0.0.1:{listener.server_port}"
        threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True).start()
        yield state
        listener.shutdown()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "digests.yml"
    path.write_text(HEAD + yaml.safe_dump({"etcd": {"3.6.15": {"arm64": "b" * 64}}}))
    return path


def fill(upstream: Upstream, data: Path, *versions: str) -> None:
    digests.main([*versions, "--server", upstream.url, "--file", str(data)])


def test_digests_are_filled_in_and_found(upstream: Upstream, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(upstream, data, *RUN)
    text = data.read_text()
    assert text.startswith(HEAD)
    assert yaml.safe_load(text) == EXPECTED
    assert list(yaml.safe_load(text)) == sorted(EXPECTED)
    assert list(shipped.malformed(yaml.safe_load(text))) == []
    assert len(capsys.readouterr().out.splitlines()) == 12
    # What the release would ship is what a host gets.
    found = pinned_checksum("https://m/SHA256SUMS", "etcd", "3.6.99", "arm64", yaml.safe_load(text))
    assert found == f"sha256:{EXPECTED['etcd']['3.6.99']['arm64']}"

    fill(upstream, data, *RUN)
    assert (data.read_text(), capsys.readouterr().out) == (text, "")


def test_a_digest_that_changed_is_told_and_nothing_is_written(upstream: Upstream, data: Path) -> None:
    fill(upstream, data, *RUN)
    text = data.read_text()
    upstream.files["/dl.k8s.io/release/v1.36.99/bin/linux/arm64/kubelet.sha256"] = "f" * 64
    upstream.files["/dl.k8s.io/release/v1.36.98/bin/linux/arm64/kubelet.sha256"] = "f" * 64
    with pytest.raises(SystemExit, match=r"kubelet 1\.36\.99 \(arm64\): .* a release never changes"):
        fill(upstream, data, *RUN)
    assert data.read_text() == text


def test_what_is_missing_is_told_at_once_and_nothing_is_written(upstream: Upstream, data: Path) -> None:
    text = data.read_text()
    upstream.files[f"{ETCD}/SHA256SUMS"] = f"{'0' * 64}  etcd-v3.6.99-linux-amd64.tar.gz\n"
    with pytest.raises(SystemExit) as ended:
        fill(upstream, data, "etcd=3.6.99", "kubeadm=1.0.0")
    message = str(ended.value.code)
    assert "etcd 3.6.99 (arm64): the checksum file has no SHA-256" in message
    assert message.count("kubeadm 1.0.0 (a") == 2
    assert data.read_text() == text


@pytest.mark.parametrize("argument", ["etcd", "etcd=", "etdc=3.6.0", "1.36.5"])
def test_arguments(upstream: Upstream, data: Path, argument: str) -> None:
    with pytest.raises(SystemExit, match="is not PROGRAM=VERSION with a program of kubernetes, kubeadm"):
        fill(upstream, data, argument)
    assert upstream.requests == []


def test_without_arguments_it_is_every_version_that_the_roles_choose() -> None:
    upstream = digests.Upstream()
    releases = list(upstream.releases(digests.wanted([], upstream.defaults)))
    assert {one.program for one in releases} == set(shipped.PROGRAMS)
    defaults = yaml.safe_load((ROOT / "roles/kubernetes/defaults/main.yml").read_text())
    assert {one.version for one in releases if one.program == "kubelet"} == {defaults["kubernetes_version"]}
    assert len(releases) == len(set(releases))
    table = [release(minor) for minor in minors()]
    for program, key in (("crictl", "crictl"), ("etcd", "etcd"), ("containerd", "containerd"), ("runc", "runc")):
        wanted = {row[f"{key}_version"] for row in table}
        assert {one.version for one in releases if one.program == program} == wanted, program
    assert all(release.url.startswith("https://") and "{" not in release.url for release in releases)


def test_several_versions_of_a_program() -> None:
    versions = digests.wanted(["kubeadm=1.36.5", "kubeadm=v1.35.9"], {})
    assert versions == [("kubeadm", "1.36.5"), ("kubeadm", "1.35.9")]


def test_order_of_versions() -> None:
    text = digests.dump({"etcd": {"3.6.10": {}, "3.6.9": {}, "3.7.0-rc.1": {}, "3.5.30": {}}}, HEAD)
    assert list(yaml.safe_load(text)["etcd"]) == ["3.5.30", "3.6.9", "3.6.10", "3.7.0-rc.1"]


def test_the_file_that_is_shipped_is_as_the_command_writes_it() -> None:
    text = shipped.DATA.read_text()
    assert digests.dump(yaml.safe_load(text), text) == text
