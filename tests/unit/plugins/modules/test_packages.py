"""The module packages: exact commands, with apt and dnf replaced at the edge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _packages
from ansible_collections.groundwork.kubernetes.plugins.module_utils._packages import Request
from ansible_collections.groundwork.kubernetes.plugins.modules import packages

Run = Callable[..., dict[str, Any]]

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----\n"
REPOSITORY = {"name": "kubernetes", "url": "https://example.com/deb/", "key": KEY}
SOURCES = "Types: deb\nURIs: https://example.com/deb/\nSuites: /\nSigned-By: /etc/apt/keyrings/kubernetes.asc\n"
MADISON = "kubelet | 1.36.5-1.1 | x\nkubelet | 1.36.4-1.1 | x\ncri-tools | 1.36.0-1.1 | x\n"
INSTALL = [
    *["apt-get", "install", "--yes", "--no-install-recommends", "--allow-change-held-packages"],
    *["--option=DPkg::Lock::Timeout=300", "--option=Dpkg::Options::=--force-confdef"],
    "--option=Dpkg::Options::=--force-confold",
]
UPDATE = ["apt-get", "update", "--option=DPkg::Lock::Timeout=300"]


class Host:
    """What is installed, held and offered on a pretended host, and the commands that it was given."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.installed: dict[str, str] = {}
        self.held: list[str] = []
        self.offers = MADISON
        self.commands: list[list[str]] = []

    def run(self, _module: AnsibleModule, command: list[str], **_options: Any) -> tuple[int, str, str]:
        if command[0] == "dpkg-query":
            found = "".join(f"{name}\t{version}\tii \n" for name, version in self.installed.items())
            return 1, found + "gone\t1.0\trc \n", "no packages found matching"
        if command[0] == "rpm":
            found = "".join(f"{name}\t{version}\n" for name, version in self.installed.items())
            return 1, found + "package x is not installed\n", ""
        if command[0] == "apt-cache":
            return 0, self.offers, ""
        if command[:2] == ["apt-mark", "showhold"]:
            return 0, "\n".join(self.held), ""
        self.commands.append(command)
        if command[1] == "install":
            specs = [spec for spec in command[2:] if not spec.startswith("--")]
            separator = "=" if self.program == "apt-get" else "-"
            self.installed |= {spec.partition(separator)[0]: spec.partition(separator)[2] or "1" for spec in specs}
        if command[:2] == ["apt-mark", "hold"]:
            self.held += command[2:]
        return 0, "", ""


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    state = Host(getattr(request, "param", "apt-get"))
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, command, **options: state.run(module, command))
    monkeypatch.setattr(
        AnsibleModule, "get_bin_path", lambda _module, name, **_options: name if name == state.program else None
    )

    # Absolute paths of the host stand below a temporary folder.
    real = packages.plan_file
    monkeypatch.setattr(packages, "plan_file", lambda path, after: real(f"{tmp_path}{path}", after))
    return state


def test_repository_packages_and_hold(run_module: Run, host: Host, tmp_path: Path) -> None:
    options = {"packages": ["kubelet=1.36.4", "cri-tools"], "hold": ["kubelet", "kubectl"], "repository": REPOSITORY}
    check = run_module(packages, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert (check["changed"], check["installed"]) == (True, ["kubelet", "cri-tools"])
    assert check["versions"] == {"kubelet": "1.36.4-1.1", "cri-tools": "1.36.0-1.1"}
    assert "kubelet=1.36.4\ncri-tools\nkubelet on hold\n" in check["diff"][1]["after"]
    assert (host.commands, list(tmp_path.iterdir())) == ([], [])

    result = run_module(packages, **options)
    assert host.commands == [
        UPDATE,
        [*INSTALL, "kubelet=1.36.4-1.1", "cri-tools=1.36.0-1.1"],
        ["apt-mark", "hold", "kubelet"],
    ]
    assert result["versions"] == {"kubelet": "1.36.4-1.1", "cri-tools": "1.36.0-1.1"}
    sources = (tmp_path / "etc/apt/sources.list.d/kubernetes.sources").read_text()
    assert sources == SOURCES
    assert (tmp_path / "etc/apt/keyrings/kubernetes.asc").read_text() == KEY

    host.commands.clear()
    for check_mode in (False, True):
        again = run_module(packages, **options, _ansible_check_mode=check_mode)
        assert (again["changed"], host.commands) == (False, [])


def test_check_mode_without_package_lists(run_module: Run, host: Host) -> None:
    host.offers = ""
    result = run_module(packages, packages=["kubelet=1.36.4"], _ansible_check_mode=True)
    assert (result["changed"], result["versions"]) == (True, {})


def test_update_of_a_held_package(run_module: Run, host: Host) -> None:
    host.installed, host.held = {"kubelet": "1.36.4-1.1"}, ["kubelet"]
    result = run_module(packages, packages=["kubelet=1.36.5"], hold=["kubelet"])
    assert host.commands == [UPDATE, [*INSTALL, "kubelet=1.36.5-1.1"]]
    assert result["installed"] == ["kubelet"]


def test_hold_alone(run_module: Run, host: Host) -> None:
    host.installed = {"kubelet": "1.36.5-1.1"}
    assert run_module(packages, packages=["kubelet"], hold=["kubelet"])["installed"] == []
    assert host.commands == [["apt-mark", "hold", "kubelet"]]


def test_versions_that_are_not_on_offer_are_told_together(run_module: Run, host: Host) -> None:
    result = run_module(packages, packages=["kubelet=1.36.9", "kubeadm=1.36.9"])
    assert result["msg"].splitlines() == [
        "kubelet=1.36.9: the host's repositories have no such version; their newest are 1.36.5-1.1, 1.36.4-1.1",
        "kubeadm=1.36.9: the host's repositories have no package of this name",
    ]
    assert host.commands == [UPDATE]


@pytest.mark.parametrize("host", ["dnf"], indirect=True)
def test_dnf(run_module: Run, host: Host, tmp_path: Path) -> None:
    options = {"packages": ["kubelet=1.36.5", "cri-tools"], "hold": ["kubelet"], "repository": REPOSITORY}
    assert run_module(packages, **options, _ansible_check_mode=True)["changed"] is True
    run_module(packages, **options)
    assert host.commands == [
        ["dnf", "install", "--assumeyes", "--setopt=disable_excludes=*", "kubelet-1.36.5*", "cri-tools"]
    ]
    assert (tmp_path / "etc/yum.repos.d/kubernetes.repo").read_text() == (
        "[kubernetes]\nname=kubernetes\nbaseurl=https://example.com/deb/\nenabled=1\ngpgcheck=1\n"
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-kubernetes\nexclude=kubelet\n"
    )
    host.installed = {"kubelet": "1.36.5-150500.1.1", "cri-tools": "1.36.0-1"}
    assert run_module(packages, **options)["changed"] is False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"packages": ["kubelet="]}, "'kubelet=' is neither a name nor name=version"),
        ({"packages": ["--yes"]}, "'--yes' is neither"),
        ({"packages": [], "repository": {**REPOSITORY, "name": "a/b"}}, "name 'a/b' may hold"),
        ({"packages": [], "repository": {**REPOSITORY, "suite": "stable"}}, "needs components"),
    ],
)
def test_bad_options(run_module: Run, host: Host, options: dict[str, Any], message: str) -> None:
    assert message in run_module(packages, **options)["msg"]
    assert host.commands == []


def test_key_that_is_no_key(run_module: Run, host: Host, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("<html>")
    repository = {**REPOSITORY, "key": f"file://{tmp_path}/page"}
    result = run_module(packages, packages=["kubelet"], repository=repository)
    assert result["msg"] == f"repository kubernetes: file://{tmp_path}/page is no armored OpenPGP key"
    assert host.commands == []


@pytest.mark.parametrize(
    ("wanted", "found", "accepted"),
    [
        (None, "1.36.5-1.1", True),
        ("1.36.5", "1.36.5-1.1", True),
        ("1.36.5", "1:1.36.5-1.1", True),
        ("1.36.5-1.1", "1.36.5-1.1", True),
        ("1.6.20", "1.6.20~ds1-1+deb12u1", True),
        ("1.36.5", "1.36.50-1.1", False),
        ("1.36", "1.36.5-1.1", False),
        ("1.36.5", "1.36.4-1.1", False),
    ],
)
def test_accepted_versions(wanted: str | None, found: str, accepted: bool) -> None:
    assert Request("x", wanted).accepts(found) is accepted


def test_repository_with_suites() -> None:
    option = {"name": "docker", "url": "https://x", "key": KEY, "suite": "bookworm", "components": ["stable"]}
    repository = _packages.parse_repository(option)
    assert repository is not None
    assert "Suites: bookworm\nComponents: stable\n" in repository.deb822("/k")
