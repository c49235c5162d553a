"""The module image_pull with a crictl and a kubeadm of its own: small programs that keep images in a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import kubectl
from ansible_collections.groundwork.kubernetes.plugins.modules import image_pull

CRICTL = """\
#!/bin/sh
cd "$STORE" || exit 1
echo "crictl $*" >> log
[ "$1" != -r ] || shift 2
case "$1" in
images)
  [ ! -e down ] || { echo "cannot connect" >&2; exit 1; }
  printf '{"images": ['
  [ ! -e tags ] || sed 's/\\([^ ]*\\) *\\(.*\\)/{"repoTags": ["\\1"], "repoDigests": [\\2]}/' tags | paste -sd, -
  echo ']}' ;;
pull)
  case "$2" in
  *broken*) echo "$2: not found" >&2; exit 1 ;;
  *slow*) exec sleep 5 ;;
  *flaky*) [ -e tried ] || { touch tried; echo "try again" >&2; exit 1; } ;;
  esac
  ! grep -s "^$2@" digests > served || set -- "$1" "$2 \\"$(cut -d' ' -f2 served)\\""
  # Pulls at the same time only add lines.
  [ ! -e digests ] || [ ! -e tags ] || sed -i "\\|^${2%% *} *|d" tags
  echo "$2" >> tags ;;
rmi) sed -i "\\|^$2 |d" tags ;;
esac
"""
DOCKER = """\
#!/bin/sh
cd "$STORE" || exit 1
echo "docker $*" >> log
case "$1" in
image)
  echo '{"Repository":"busybox","Tag":"1","Digest":"sha256:1"}'
  echo '{"Repository":"<none>","Tag":"<none>","Digest":"<none>"}'
  [ ! -e tags ] || sed 's/\\(.*\\):\\(.*\\)/{"Repository":"\\1","Tag":"\\2","Digest":"<none>"}/' tags ;;
pull) echo "$2" >> tags ;;
esac
"""
KUBEADM = """\
#!/bin/sh
echo "kubeadm $1 $2 $3" >> "$STORE/log"
grep -q ClusterConfiguration "${4#--config=}" || exit 1
printf '%s\\n' r/kube-apiserver:v1 r/coredns/coredns:v1 r/pause:3
"""
CONFIG = "kind: ClusterConfiguration\n"
Result = dict[str, Any]


@dataclass
class Host:
    """A folder with the programs, and one with the images."""

    root: Path
    run_module: Callable[..., Result]

    @property
    def store(self) -> Path:
        return self.root / "store"

    def install(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def lines(self, name: str) -> list[str]:
        path = self.store / name
        return sorted(path.read_text().splitlines()) if path.exists() else []

    def __call__(self, **options: Any) -> Result:
        (self.store / "log").unlink(missing_ok=True)
        return self.run_module(image_pull, **options)


@pytest.fixture
def host(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, run_module)
    host.store.mkdir()
    (tmp_path / "bin").mkdir()
    host.install("crictl", CRICTL)
    host.install("kubeadm", KUBEADM)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STORE", str(host.store))
    monkeypatch.setattr(kubectl, "BINARY_FOLDERS", [])
    return host


def test_images_of_kubeadm(host: Host) -> None:
    options = {"kubeadm_config": CONFIG, "exclude": ["coredns"], "runtime_endpoint": "unix:///run/x.sock"}
    expected = ["r/kube-apiserver:v1", "r/pause:3"]
    checked = host(**options, _ansible_check_mode=True)
    assert (checked["changed"], checked["pulled"], host.lines("tags")) == (True, expected, [])
    result = host(**options)
    assert (result["changed"], result["images"], result["pulled"]) == (True, expected, expected)
    assert host.lines("log") == [
        "crictl -r unix:///run/x.sock images -o json",
        "crictl -r unix:///run/x.sock pull r/kube-apiserver:v1",
        "crictl -r unix:///run/x.sock pull r/pause:3",
        "kubeadm config images list",
    ]


def test_second_run_pulls_nothing(host: Host) -> None:
    images = [f"registry.example.org/image-{number}:1" for number in range(9)]
    assert host(images=images, parallel=3)["pulled"] == images
    assert host.lines("tags") == images
    for check in (True, False):
        again = host(images=images, _ansible_check_mode=check)
        assert (again["changed"], again["pulled"]) == (False, [])
        assert host.lines("log") == ["crictl images -o json"]


def test_docker_is_asked_where_the_kubelet_speaks_to_it_itself(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_pull, "BINARY_FOLDERS", [])
    host.install("docker", DOCKER)
    options = {"images": ["docker.io/library/busybox:1", "r.io/a/b:2"], "runtime_endpoint": "/var/run/dockershim.sock"}
    assert host(**options)["pulled"] == ["r.io/a/b:2"]
    assert host.lines("log") == [
        "docker image ls --digests --no-trunc --format={{json .}}",
        "docker pull r.io/a/b:2",
    ]
    assert not host(**options)["changed"]


def test_a_pull_that_failed_is_tried_again(host: Host) -> None:
    assert host(images=["r.io/flaky:1"], retries=0)["msg"].startswith("These images cannot be pulled:\n- r.io/flaky:1")
    (host.store / "tried").unlink()
    assert host(images=["r.io/flaky:1"])["pulled"] == ["r.io/flaky:1"]


def test_all_faults_are_told_at_once(host: Host) -> None:
    result = host(images=["r.io/broken:1", "r.io/fine:1", "r.io/slow:1"], retries=0, timeout=1)
    assert result["failed"]
    assert "- r.io/broken:1: r.io/broken:1: not found\n- r.io/slow:1: not done after 1 seconds\n" in result["msg"]
    assert host.lines("tags") == ["r.io/fine:1"]


def test_runtime_that_does_not_run(host: Host) -> None:
    (host.store / "down").touch()
    result = host(images=["r.io/fine:1"])
    assert result["failed"]
    assert "is it running? crictl says: cannot connect" in result["msg"]


@pytest.mark.parametrize("missing", ["crictl", "kubeadm"])
def test_empty_host(host: Host, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (host.root / "bin" / missing).unlink()
    monkeypatch.setenv("PATH", str(host.root / "bin"))
    monkeypatch.setattr(image_pull, "BINARY_FOLDERS", [])
    result = host(images=["r.io/fine:1"], kubeadm_config=CONFIG, _ansible_check_mode=True)
    assert (result["changed"], result["pulled"]) == (True, ["r.io/fine:1"])
    assert host(images=["r.io/fine:1"], kubeadm_config=CONFIG)["failed"]


ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def serve(host: Host, **images: str) -> dict[str, str]:
    """Let a registry have images by these digests; returns what a lock would say."""
    named = {f"r.io/{name}:1": digest for name, digest in images.items()}
    lines = [f"{name}@ {name.rpartition(':')[0]}@{digest}" for name, digest in named.items()]
    (host.store / "digests").write_text("".join(f"{line}\n" for line in lines))
    return named


def test_images_are_what_their_digests_say(host: Host) -> None:
    digests = serve(host, a=ONE, b=TWO)
    result = host(images=list(digests), digests=digests, parallel=1)
    assert (result["changed"], result["pulled"]) == (True, ["r.io/a:1", "r.io/b:1"])
    again = host(images=list(digests), digests=digests, parallel=1)
    assert (again["changed"], again["pulled"]) == (False, [])


def test_what_has_no_digest_is_not_pulled(host: Host) -> None:
    digests = serve(host, a=ONE)
    result = host(images=["r.io/a:1", "r.io/b:1", "r.io/c:1"], digests=digests, _ansible_check_mode=True)
    assert result["failed"]
    assert "no digest of these images, so that none was pulled:\n- r.io/b:1\n- r.io/c:1\nRun" in result["msg"]
    assert host.lines("tags") == []


def test_an_image_that_is_something_else_goes_again(host: Host) -> None:
    digests = serve(host, a=ONE, b=TWO)
    serve(host, a=TWO, b=TWO)
    result = host(images=list(digests), digests=digests, parallel=1)
    assert result["failed"]
    assert f"These images are not what the lock says:\n- r.io/a:1 has {TWO}, not {ONE}\nFind out" in result["msg"]
    assert host.lines("tags") == [f'r.io/b:1 "r.io/b@{TWO}"']


def test_an_image_that_was_there_with_another_digest_is_pulled_again_and_stays(host: Host) -> None:
    digests = serve(host, a=ONE)
    (host.store / "tags").write_text("r.io/a:1\n")
    assert host(images=["r.io/a:1"], digests=digests)["pulled"] == ["r.io/a:1"]
    serve(host, a=TWO)
    (host.store / "tags").write_text("r.io/a:1\n")
    assert host(images=["r.io/a:1"], digests=digests)["failed"]
    assert host.lines("tags") == [f'r.io/a:1 "r.io/a@{TWO}"']
