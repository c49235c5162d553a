"""The lab's versions: the environment's, or those that the lab was made with, or the defaults."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from lab.settings import VERSIONS, Settings  # noqa: E402  it is no part of the collection


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for part in VERSIONS:
        monkeypatch.delenv(f"{part.upper()}_VERSION", raising=False)
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("LAB_NAME", "one")


def remember(**versions: str) -> None:
    facts = Settings().facts
    facts.parent.mkdir(parents=True)
    facts.write_text(json.dumps({**Settings().variables(), **{VERSIONS[part]: v for part, v in versions.items()}}))


def test_siblings_follow_kubernetes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_VERSION", "v1.20.3")
    assert (Settings().kubernetes, Settings().containerd) == ("1.20.3", "1.6.20")
    monkeypatch.setenv("KUBERNETES_VERSION", "1.36.2")
    assert (Settings().kubernetes, Settings().containerd) == ("1.36.2", "2.1.9")
    monkeypatch.setenv("CONTAINERD_VERSION", "2.2.0")
    assert Settings().containerd == "2.2.0"


def test_a_lab_keeps_its_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(kubernetes="1.36.2", containerd="2.1.9", crictl="1.36.0")
    assert Settings().variables() == Settings().remembered
    monkeypatch.setenv("ETCD_VERSION", "3.6.1")
    assert (Settings().kubernetes, Settings().crictl, Settings().etcd) == ("1.36.2", "1.36.0", "3.6.1")
    monkeypatch.setenv("LAB_NAME", "two")
    assert Settings().kubernetes != "1.36.2"


def test_another_kubernetes_takes_nothing_from_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(kubernetes="1.36.2", containerd="2.1.9", crictl="1.36.0")
    monkeypatch.setenv("KUBERNETES_VERSION", "1.20.2")
    assert (Settings().containerd, Settings().crictl) == ("1.6.20", "0.0.1")
