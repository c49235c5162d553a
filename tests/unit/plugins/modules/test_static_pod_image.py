"""The module static_pod_image: real manifests; what runs is played."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import static_pod_image

Result = dict[str, Any]
BEFORE = "spec:\n  containers:\n  - command: [etcd]\n    image: r.example:5000/etcd:3.6.8-0\n    name: etcd\n"
AFTER = BEFORE.replace("3.6.8-0", "3.6.11-0")


@pytest.fixture(name="path")
def _path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(static_pod_image, "PLACE", str(tmp_path))
    monkeypatch.setattr(static_pod_image, "PAUSE", 0)
    path = tmp_path / "manifests" / "etcd.yaml"
    path.parent.mkdir()
    path.write_text(BEFORE)
    return path


@pytest.fixture(name="change")
def _change(run_module: Callable[..., Result]) -> Callable[..., Result]:
    return lambda tag="3.6.11-0", **more: run_module(static_pod_image, name="etcd", tag=tag, **more)


def runs(monkeypatch: pytest.MonkeyPatch, *processes: list[int]) -> None:
    """What runs at each look; the last stays."""
    left = list(processes)
    monkeypatch.setattr(static_pod_image, "processes", lambda _name: left.pop(0) if len(left) > 1 else left[0])


def test_change_and_again(path: Path, change: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    runs(monkeypatch, [7], [7], [], [9])
    result = change(_ansible_diff=True)
    assert (result["changed"], result["image"], path.read_text()) == (True, "r.example:5000/etcd:3.6.11-0", AFTER)
    assert result["diff"]["after"] == "r.example:5000/etcd:3.6.11-0\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not change()["changed"]


def test_check_mode(path: Path, change: Callable[..., Result]) -> None:
    result = change(_ansible_check_mode=True)
    assert (result["changed"], path.read_text()) == (True, BEFORE)


def test_what_does_not_come_up_is_put_back(
    path: Path, change: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(monkeypatch, [7], [])
    monkeypatch.setattr(static_pod_image.StaticPod, "hopeless", lambda _pod: "its container has ended 3 times")
    monkeypatch.setattr(static_pod_image.StaticPod, "log", lambda _pod: ["unknown flag"])
    result = change()
    assert result["failed"]
    assert result["msg"] == (
        "etcd does not come up as r.example:5000/etcd:3.6.11-0, so r.example:5000/etcd:3.6.8-0 was put back. "
        "its container has ended 3 times. Its last lines:\nunknown flag"
    )
    assert path.read_text() == BEFORE


def test_a_container_that_stays_is_waited_for(
    path: Path, change: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(monkeypatch, [7])
    assert "the former container still runs" in change(timeout=0)["msg"]
    assert path.read_text() == BEFORE


def test_without_a_manifest(path: Path, change: Callable[..., Result]) -> None:
    path.unlink()
    assert "nothing was changed" in change()["msg"]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("etcd:1", "etcd:2"),
        ("etcd", "etcd:2"),
        ("r:5000/a/etcd@sha256:0", "r:5000/a/etcd:2"),
        ("r/etcd:1@sha256:0", "r/etcd:2"),
        ("'r/etcd:1'", "'r/etcd:2'"),
    ],
)
def test_a_tag(image: str, expected: str) -> None:
    assert static_pod_image.with_tag(f"x:\n  image: {image}\n  y: 1\n", "2") == f"x:\n  image: {expected}\n  y: 1\n"
