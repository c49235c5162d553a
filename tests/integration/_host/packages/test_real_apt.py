"""The module packages with apt and dpkg of this machine, in a root of their own."""

# ruff: noqa: D103

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import package_managers
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_versions import debian_part, order
from ansible_collections.groundwork.kubernetes.plugins.modules import packages

sys.path.insert(0, str(Path(__file__).parent))

from real_etcd import Run
from real_packages import RELEASE, Signer, call, deb_repository

STABLE = ["conntrack=1:1.4.7-1", "containerd=1.6.20~ds1-1", "haproxy=2.6.12-1", "kubelet=1.36.0~rc.0-1.1"]
BACKPORTS = ["conntrack=1:1.4.8-1~bpo12+1", "haproxy=2.9.1-1~bpo12+1"]
KUBERNETES = ["kubelet=1.36.0-1.1", "kubelet=1.36.5-1.1", "kubelet=1.36.50-1.1", "cri-tools=1.36.0-1.1"]
CONFIG = """\
Dir "{root}/";
Dir::State::status "{root}/var/lib/dpkg/status";
DPkg::Options {{ "--root={root}"; "--log={root}/dpkg.log"; "--force-bad-path"; }};
APT::Sandbox::User "root";
"""


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("deb")
    return {
        "stable": deb_repository(folder / "stable", STABLE),
        "backports": deb_repository(folder / "backports", BACKPORTS, RELEASE),
        "kubernetes": deb_repository(folder / "kubernetes", KUBERNETES, signer=signer),
    }


@pytest.fixture
def host(tmp_path: Path, urls: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of its own, to which apt's and dpkg's own settings lead."""
    root = tmp_path / "root"
    for folder in ("etc/apt/sources.list.d", "etc/apt/preferences.d", "etc/apt/apt.conf.d", "etc/apt/keyrings"):
        (root / folder).mkdir(parents=True)
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists/partial", "var/log/apt"):
        (root / folder).mkdir(parents=True)
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    sources = [f"deb [trusted=yes] {urls[name]} ./\n" for name in ("stable", "backports")]
    (root / "etc/apt/sources.list").write_text("".join(sources))
    (tmp_path / "apt.conf").write_text(CONFIG.format(root=root))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("DPKG_ADMINDIR", str(root / "var/lib/dpkg"))
    monkeypatch.setattr(package_managers.Apt, "key_path", lambda _apt, name: f"{root}/etc/apt/keyrings/{name}.asc")
    real = package_managers.plan_file
    monkeypatch.setattr(
        package_managers,
        "plan_file",
        lambda path, after: real(path.replace("/etc/apt/sources", f"{root}/etc/apt/sources"), after),
    )
    return root


def twice(run: Run, **options: Any) -> dict[str, Any]:
    """A real run, between a check that is to foretell it and a run and a check that are to find nothing."""
    check = run(packages, **options, _ansible_check_mode=True)
    result = run(packages, **options)
    assert "msg" not in result, result["msg"]
    assert (check["changed"], check["installed"]) == (result["changed"], result["installed"])
    for check_mode in (False, True):
        again = run(packages, **options, _ansible_check_mode=check_mode)
        assert (again["changed"], again["versions"]) == (False, result["versions"])
    return result


def pin(host: Path, package: str, what: str, priority: int) -> None:
    text = f"Package: {package}\nPin: {what}\nPin-Priority: {priority}\n"
    (host / "etc/apt/preferences.d/test").write_text(text)


def test_backports_are_left_alone(run: Run, host: Path) -> None:
    assert twice(run, packages=["haproxy"])["versions"] == {"haproxy": "2.6.12-1"}


def test_pin_on_backports(run: Run, host: Path) -> None:
    pin(host, "haproxy", "release a=backports", 700)
    assert twice(run, packages=["haproxy"])["versions"] == {"haproxy": "2.9.1-1~bpo12+1"}


def test_pin_that_forbids(run: Run, host: Path) -> None:
    pin(host, "haproxy", "version *", -1)
    message = run(packages, packages=["haproxy", "nosuch"])["msg"].splitlines()
    assert message == [
        "haproxy: apt has no candidate for it, as where a pin forbids all of its versions: 2.9.1-1~bpo12+1, 2.6.12-1",
        "nosuch: the host's repositories have no package of this name",
    ]


def test_a_version_of_backports_that_is_asked_for(run: Run, host: Path) -> None:
    assert twice(run, packages=["haproxy=2.9.1"])["versions"] == {"haproxy": "2.9.1-1~bpo12+1"}


@pytest.mark.parametrize("wanted", ["conntrack=1:1.4.7", "conntrack=1.4.7", "conntrack=1:1.4.7-1"])
def test_epochs(run: Run, host: Path, wanted: str) -> None:
    assert twice(run, packages=[wanted])["versions"] == {"conntrack": "1:1.4.7-1"}


def test_repacked_archive(run: Run, host: Path) -> None:
    assert twice(run, packages=["containerd=1.6.20"])["versions"] == {"containerd": "1.6.20~ds1-1"}


def test_from_a_release_candidate_to_the_release_on_hold(
    run: Run, host: Path, urls: dict[str, str], signer: Signer
) -> None:
    message = run(packages, packages=["kubelet=1.36.0"])["msg"]
    assert message.endswith("have no such version; their newest are 1.36.0~rc.0-1.1")
    twice(run, packages=["kubelet=1.36.0-rc.0"], hold=["kubelet"])
    options = {
        "hold": ["kubelet"],
        "repository": {
            "name": "kubernetes",
            "url": urls["kubernetes"],
            "key": signer.key(),
            "fingerprints": [signer.fingerprint()],
        },
    }
    assert twice(run, packages=["kubelet=1.36.0"], **options)["installed"] == ["kubelet"]
    result = twice(run, packages=["kubelet=1.36.5", "cri-tools"], **options)
    assert result["versions"] == {"kubelet": "1.36.5-1.1", "cri-tools": "1.36.0-1.1"}
    call("apt-get", "upgrade", "--yes")
    assert twice(run, packages=["kubelet=1.36.5"], **options)["changed"] is False
    message = run(packages, packages=["kubelet=1.36.0"], **options)["msg"]
    assert message.startswith("kubelet=1.36.0: 1.36.5-1.1 is installed, which is newer")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1.28.1", "1.28.15"),
        ("1.36.0~rc.0-1.1", "1.36.0-1.1"),
        ("1:1.4.7", "2.0"),
        ("0:1.0", "1.0"),
        ("1.0+ds1", "1.0"),
        ("1.0a", "1.0+"),
        ("1.0~~", "1.0~"),
        ("1.0-1", "1.0-1.1"),
        ("1.0.0", "1.0"),
    ],
)
def test_order_of_versions(first: str, second: str) -> None:
    ours = [order(text, debian_part) for text in (first, second)]
    newer = subprocess.run(["dpkg", "--compare-versions", first, "gt", second], check=False).returncode == 0
    older = subprocess.run(["dpkg", "--compare-versions", first, "lt", second], check=False).returncode == 0
    assert (ours[0] > ours[1], ours[0] < ours[1]) == (newer, older)
