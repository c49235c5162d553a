"""The module packages with dnf 4 and rpm of this machine, in a root of their own."""

# ruff: noqa: D103

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import package_managers
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_versions import rpm_part
from ansible_collections.groundwork.kubernetes.plugins.modules import packages

sys.path.insert(0, str(Path(__file__).parent))

from real_etcd import Run
from real_packages import Signer, call, program, rpm_repository

KUBERNETES = ["kubelet=1.28.1-150500.1.1", "kubelet=1.28.15-150500.1.1", "kubelet=1.29.0~rc.0-1.1"]
DOCKER = ["docker-ce=3:26.1.3-1.el9", "docker-ce=3:26.1.4-1.el9", "docker-ce=2:27.0.0-1.el9"]


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("rpm")
    return {
        "kubernetes": rpm_repository(folder / "kubernetes", signer, KUBERNETES),
        "docker": rpm_repository(folder / "docker", signer, DOCKER),
        "tools": rpm_repository(folder / "tools", signer, ["iptables-nft=1.8.10-1"], provides="iptables"),
    }


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of its own; the programs are given its folder, since Debian has no host root for dnf."""
    for name in ("repos", "keys"):
        (tmp_path / name).mkdir()
    config = [f"{name}={tmp_path}/{folder}" for name, folder in (("cachedir", "cache"), ("logdir", "log"))]
    (tmp_path / "dnf.conf").write_text("\n".join(["[main]", "gpgcheck=1", f"reposdir={tmp_path}/repos", *config]))
    root = [f"--installroot={tmp_path}/root", "--releasever=9", f"--setopt=reposdir={tmp_path}/repos"]
    program(tmp_path / "bin", "dnf", f"--config={tmp_path}/dnf.conf", *root)
    program(tmp_path / "bin", "rpm", f"--root={tmp_path}/root")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(packages, "find_manager", package_managers.Dnf)
    monkeypatch.setattr(package_managers.Dnf, "key_path", lambda _dnf, name: f"{tmp_path}/keys/{name}")
    real = package_managers.plan_file
    monkeypatch.setattr(
        package_managers,
        "plan_file",
        lambda path, after: real(path.replace("/etc/yum.repos.d", f"{tmp_path}/repos"), after),
    )
    return tmp_path


def repository(urls: dict[str, str], signer: Signer, name: str) -> dict[str, str]:
    return {"name": name, "url": urls[name], "key": signer.key(), "fingerprints": [signer.fingerprint()]}


def installed(host: Path) -> set[str]:
    """What is installed, apart from the keys that rpm keeps as if they were packages."""
    found = call(host / "bin/rpm", "--query", "--all", "--queryformat=%{NAME}=%{EVR}\\n").split()
    return {package for package in found if not package.startswith("gpg-pubkey=")}


def twice(run: Run, **options: Any) -> dict[str, Any]:
    """A real run, between a check that is to foretell it and a run and a check that are to find nothing."""
    check = run(packages, **options, _ansible_check_mode=True)
    result = run(packages, **options)
    assert "msg" not in result, result["msg"]
    assert (check["changed"], check["installed"]) == (result["changed"], result["installed"])
    for check_mode in (False, True):
        again = run(packages, **options, _ansible_check_mode=check_mode)
        assert (again["changed"], again["installed"], again["versions"]) == (False, [], result["versions"])
    return result


def test_exact_version_on_hold_then_an_update(run: Run, host: Path, urls: dict[str, str], signer: Signer) -> None:
    options: dict[str, Any] = {"hold": ["kubelet"], "repository": repository(urls, signer, "kubernetes")}
    result = twice(run, packages=["kubelet=1.28.1"], **options)
    assert (result["changed"], result["versions"]) == (True, {"kubelet": "1.28.1-150500.1.1"})
    call(host / "bin/dnf", "upgrade", "--assumeyes")
    assert installed(host) == {"kubelet=1.28.1-150500.1.1"}
    twice(run, packages=["kubelet=1.28.15"], **options)
    assert installed(host) == {"kubelet=1.28.15-150500.1.1"}


def test_exclude_that_an_administrator_wrote(run: Run, host: Path, urls: dict[str, str]) -> None:
    (host / "repos/kubernetes.repo").write_text(
        f"[kubernetes]\nname=Kubernetes\nbaseurl={urls['kubernetes']}\nenabled=1\ngpgcheck=0\n"
        "exclude=kubelet kubeadm kubectl cri-tools kubernetes-cni\n"
    )
    result = twice(run, packages=["kubelet=1.28.1"])
    assert result["installed"] == ["kubelet"]


def test_epochs(run: Run, host: Path, urls: dict[str, str], signer: Signer) -> None:
    options = {"repository": repository(urls, signer, "docker")}
    twice(run, packages=["docker-ce=3:26.1.3"], **options)
    assert installed(host) == {"docker-ce=3:26.1.3-1.el9"}
    twice(run, packages=["docker-ce=26.1.4"], **options)
    assert installed(host) == {"docker-ce=3:26.1.4-1.el9"}


@pytest.mark.parametrize("wanted", ["docker-ce=26.1.3", "docker-ce=27.0.0"])
def test_no_downgrade(run: Run, host: Path, urls: dict[str, str], signer: Signer, wanted: str) -> None:
    options = {"repository": repository(urls, signer, "docker")}
    run(packages, packages=["docker-ce=26.1.4"], **options)
    message = run(packages, packages=[wanted], **options)["msg"]
    assert "3:26.1.4-1.el9 is installed, which is newer" in message
    assert installed(host) == {"docker-ce=3:26.1.4-1.el9"}


def test_release_candidate(run: Run, host: Path, urls: dict[str, str], signer: Signer) -> None:
    options = {"repository": repository(urls, signer, "kubernetes")}
    assert run(packages, packages=["kubelet=1.29.0"], **options)["msg"] == (
        "kubelet=1.29.0: the host's repositories have no such version; their newest are"
        " 0:1.29.0~rc.0-1.1, 0:1.28.15-150500.1.1, 0:1.28.1-150500.1.1"
    )
    assert installed(host) == set()
    twice(run, packages=["kubelet=1.29.0-rc.0"], **options)
    assert installed(host) == {"kubelet=1.29.0~rc.0-1.1"}


def test_a_version_that_came_after_the_last_look(
    run: Run, host: Path, tmp_path_factory: pytest.TempPathFactory, signer: Signer
) -> None:
    folder = tmp_path_factory.mktemp("growing")
    url = rpm_repository(folder / "first", signer, KUBERNETES[:1])
    options = {"repository": {"name": "kubernetes", "url": url, "key": signer.key()}}
    run(packages, packages=["kubelet=1.28.1"], **options)
    rpm_repository(folder / "second", signer, KUBERNETES[1:2])
    for package in (folder / "second/repository").rglob("*.rpm"):
        package.rename(folder / "first/repository" / package.name)
    signer.index(folder / "first/repository")
    twice(run, packages=["kubelet=1.28.15"], **options)


def test_name_that_another_package_provides(run: Run, host: Path, urls: dict[str, str], signer: Signer) -> None:
    twice(run, packages=["iptables"], repository=repository(urls, signer, "tools"))
    assert installed(host) == {"iptables-nft=1.8.10-1"}


def test_package_signed_by_another_key(
    run: Run, host: Path, urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Signer.make(tmp_path_factory.mktemp("other") / "gnupg")
    result = run(packages, packages=["kubelet=1.28.1"], repository=repository(urls, other, "kubernetes"))
    assert result["failed"] is True
    assert installed(host) == set()


def test_metadata_that_are_not_signed_or_by_another_key(
    run: Run, host: Path, tmp_path_factory: pytest.TempPathFactory, signer: Signer
) -> None:
    folder = tmp_path_factory.mktemp("forged")
    url = rpm_repository(folder, signer, KUBERNETES[:1])
    options: dict[str, Any] = {
        "packages": ["kubelet=1.28.1"],
        "repository": {"name": "kubernetes", "url": url, "key": signer.key()},
    }
    Signer.make(folder / "other").index(folder / "repository")
    assert run(packages, **options)["failed"] is True
    assert installed(host) == set()
    (folder / "repository/repodata/repomd.xml.asc").unlink()
    assert run(packages, **options)["failed"] is True
    assert installed(host) == set()
    options["repository"]["signed_metadata"] = False
    twice(run, **options)


def test_key_with_another_fingerprint(
    run: Run, host: Path, urls: dict[str, str], signer: Signer, tmp_path: Path
) -> None:
    (tmp_path / "page").write_text(signer.key())
    options = {**repository(urls, signer, "kubernetes"), "key": f"file://{tmp_path}/page"}
    result = run(packages, packages=["kubelet=1.28.1"], repository={**options, "fingerprints": ["A" * 40]})
    assert f"holds a key with the fingerprint {signer.fingerprint()}, not {'A' * 40}" in result["msg"]
    assert installed(host) == set()
    twice(run, packages=["kubelet=1.28.1"], repository=options)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("1.28.1", "1.28.15"),
        ("1.36.0~rc.0", "1.36.0"),
        ("1.0^git1", "1.0"),
        ("1.0^git1", "1.0.1"),
        ("1.0a", "1.0.1"),
        ("1.0a", "1.0"),
        ("1.0~~", "1.0~"),
        ("2.50", "2.5"),
        ("1.0_1", "1.0.1"),
        ("fc4", "fc.4"),
    ],
)
def test_order_of_versions(first: str, second: str) -> None:
    reported = int(call("rpm", "--eval", f"%{{lua:print(rpm.vercmp('{first}','{second}'))}}"))
    ours = [rpm_part(text) for text in (first, second)]
    assert (ours[0] > ours[1]) - (ours[0] < ours[1]) == reported
