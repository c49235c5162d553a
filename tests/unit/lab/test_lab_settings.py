"""The lab's versions: the environment's, or those that the lab was made with, or the defaults."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from lab.debian import Debian  # noqa: E402  it is no part of the collection
from lab.rootfs import RootFilesystems  # noqa: E402
from lab.settings import VERSIONS, Settings  # noqa: E402


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DEBIAN", raising=False)
    monkeypatch.delenv("KUBERNETES_UPGRADE_VERSIONS", raising=False)
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


def test_a_mirror_serves_what_hosts_are_upgraded_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().upgrades == []
    monkeypatch.setenv("KUBERNETES_VERSION", "1.20.2")
    monkeypatch.setenv("RUNC_VERSION", "1.1.9")
    monkeypatch.setenv("KUBERNETES_UPGRADE_VERSIONS", "1.21.0 v1.36.2")
    settings = Settings()
    assert (settings.kubernetes, settings.containerd) == ("1.20.2", "1.6.20")
    found = [(one.kubernetes, one.containerd, one.runc) for one in settings.upgrades]
    assert found == [("1.21.0", "1.6.20", "1.1.9"), ("1.36.2", "2.1.9", "1.1.9")]
    assert {one.facts for one in settings.upgrades} == {settings.facts}


def test_a_lab_keeps_what_it_may_be_upgraded_to(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(kubernetes="1.20.2")
    facts = Settings().facts
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "lab_upgrades": ["1.20.3"]}))
    assert [one.kubernetes for one in Settings().upgrades] == ["1.20.3"]
    monkeypatch.setenv("KUBERNETES_UPGRADE_VERSIONS", "1.21.0")
    assert [one.kubernetes for one in Settings().upgrades] == ["1.21.0"]


def test_hosts_have_the_debian_that_suits_or_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_VERSION", "1.20.2")
    assert Settings().debian == "12"
    monkeypatch.setenv("KUBERNETES_VERSION", "1.36.2")
    assert Settings().debian == "13"
    monkeypatch.setenv("DEBIAN", "12")
    assert Settings().debian == "12"
    monkeypatch.setenv("DEBIAN", "11")
    with pytest.raises(RuntimeError, match="hosts can have Debian 12 or 13"):
        Settings().debian  # noqa: B018


def test_a_lab_keeps_its_debian(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(kubernetes="1.20.2")
    facts = Settings().facts
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "lab_debian": "13"}))
    assert Settings().debian == "13"
    monkeypatch.setenv("DEBIAN", "12")
    assert Settings().debian == "12"


def test_file_systems_of_one_debian_leave_the_others(tmp_path: Path) -> None:
    systems = RootFilesystems(tmp_path, Debian(tmp_path), print)
    folder = tmp_path / "rootfs"
    folder.mkdir()
    names = [f"{name}-0123456789ab.tar" for name in ("host", "host-13", "base")]
    for name in names:
        (folder / name).touch()
    systems.forget("host")
    assert sorted(path.name for path in folder.iterdir()) == sorted(names[1:])
    systems.forget("host-13")
    assert [path.name for path in folder.iterdir()] == names[2:]
    assert systems.packages("12") != systems.packages("13")
