"""The module packages: exact commands, with apt and dnf replaced at the edge."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import openpgp as openpgp_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import package_managers, package_repository
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import packages as packages_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_versions import (
    Key,
    debian_part,
    order,
    rpm_part,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.packages import Request
from ansible_collections.groundwork.kubernetes.plugins.modules import packages

Run = Callable[..., dict[str, Any]]

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc\n-----END PGP PUBLIC KEY BLOCK-----\n"
REPOSITORY = {"name": "kubernetes", "url": "https://example.com/deb/", "key": KEY}
SOURCES = "Types: deb\nURIs: https://example.com/deb/\nSuites: /\nSigned-By: /etc/apt/keyrings/kubernetes.asc\n"
POLICY = """\
kubelet:
  Installed: (none)
  Candidate: 1.36.5-1.1
  Version table:
     1.36.5-1.1 500
        500 https://example.com/deb  Packages
     1.36.4-1.1 500
        500 https://example.com/deb  Packages
cri-tools:
  Installed: (none)
  Candidate: 1.36.0-1.1
  Version table:
     1.37.0-1.1~bpo 100
        100 https://example.com/backports  Packages
 *** 1.36.0-1.1 500
        500 https://example.com/deb  Packages
runc:
  Installed: (none)
  Candidate: (none)
  Version table:
     1.1.5 -1
        500 https://example.com/deb  Packages
"""
REPOQUERY = "kubelet\t0:1.36.5-150500.1.1\n\nkubelet\t0:1.36.50-150500.1.1\n\n"
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
        self.offers = POLICY
        self.refreshed: str | None = None
        self.provided: dict[str, str] = {}
        self.queries: list[list[str]] = []
        self.deaf = False
        self.commands: list[list[str]] = []

    def run(self, _module: AnsibleModule, command: list[str], **_options: Any) -> tuple[int, str, str]:
        answer = self.answer(command)
        if answer is not None:
            return answer
        self.commands.append(command)
        if command[1] == "install" and not self.deaf:
            form = r"(.+?)(?:-(\d+:.+))?" if self.program == "dnf" else r"(.+?)(?:=(.+))?"
            parts = [re.fullmatch(form, spec) for spec in command[2:] if not spec.startswith("--")]
            # As apt does with packages on hold that it updates.
            self.held = [name for name in self.held if name not in [part[1] for part in parts if part]]
            self.installed |= {part[1]: (part[2] or "1").removeprefix("0:") for part in parts if part}
        if command[:2] == ["apt-mark", "hold"]:
            self.held += command[2:]
        return 0, "", ""

    def answer(self, command: list[str]) -> tuple[int, str, str] | None:
        found = "".join(f"{name}\t{version}\n" for name, version in self.installed.items())
        if command[0] == "dpkg-query":
            return 1, found.replace("\n", "\tii \n") + "gone\t1.0\trc \n", "no packages found matching"
        if command[:3] == ["rpm", "--query", "--whatprovides"]:
            return 0, self.provided.get(command[-1], f"no package provides {command[-1]}\n"), ""
        if command[0] == "rpm":
            assert command[2] == "--queryformat=%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n"
            return 1, found + "package x is not installed\n", ""
        if command[:2] == ["dnf", "repoquery"]:
            self.queries.append(command)
            return 0, (self.refreshed or "") if "--refresh" in command else self.offers, ""
        answers = {"policy": self.offers, "showhold": "\n".join(self.held)}
        return (0, answers[command[1]], "") if command[1] in answers else None


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    state = Host(getattr(request, "param", "apt-get"))
    monkeypatch.setattr(AnsibleModule, "run_command", lambda module, command, **options: state.run(module, command))
    monkeypatch.setattr(
        AnsibleModule, "get_bin_path", lambda _module, name, **_options: name if name == state.program else None
    )

    # Absolute paths of the host stand below a temporary folder.
    for place in (package_managers, package_repository):
        monkeypatch.setattr(place, "plan_file", lambda path, after: plan_file(f"{tmp_path}{path}", after))
    return state


def test_repository_packages_and_hold(run_module: Run, host: Host, tmp_path: Path) -> None:
    options = {"packages": ["kubelet=1.36.4", "cri-tools"], "hold": ["kubelet", "kubectl"], "repository": REPOSITORY}
    check = run_module(packages, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert (check["changed"], check["installed"]) == (True, ["kubelet", "cri-tools"])
    assert check["versions"] == {"kubelet": "1.36.4-1.1", "cri-tools": "1.36.0-1.1"}
    assert "kubelet=1.36.4\ncri-tools\nkubelet on hold\n" in check["diff"][2]["after"]
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
    assert host.commands == [UPDATE, [*INSTALL, "kubelet=1.36.5-1.1"], ["apt-mark", "hold", "kubelet"]]
    assert result["installed"] == ["kubelet"]


def test_update_of_a_release_candidate(run_module: Run, host: Host) -> None:
    host.installed, host.offers = {"kubelet": "1.36.5~rc.0-1.1"}, POLICY
    assert run_module(packages, packages=["kubelet=1.36.5"])["installed"] == ["kubelet"]
    assert host.commands == [UPDATE, [*INSTALL, "kubelet=1.36.5-1.1"]]


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


def test_a_pin_is_told_where_it_forbids_a_package(run_module: Run, host: Host) -> None:
    message = run_module(packages, packages=["runc"])["msg"]
    assert message == "runc: apt has no candidate for it, as where a pin forbids all of its versions: 1.1.5"


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("host", ["apt-get", "dnf"], indirect=True)
def test_no_downgrade(run_module: Run, host: Host, check_mode: bool) -> None:
    host.installed = {"kubelet": "1.36.5-1.1", "docker": "3:26.1.3-1", "cri-tools": "1.36.0-1"}
    wanted = ["kubelet=1.36.4", "docker=2:27.0.0", "cri-tools=1.37.0"]
    result = run_module(packages, packages=wanted, _ansible_check_mode=check_mode)
    assert [line.partition(", which")[0] for line in result["msg"].splitlines()] == [
        "kubelet=1.36.4: 1.36.5-1.1 is installed",
        "docker=2:27.0.0: 3:26.1.3-1 is installed",
    ]
    assert host.commands == []


@pytest.mark.parametrize("host", ["apt-get", "dnf"], indirect=True)
def test_what_was_installed_is_looked_at(run_module: Run, host: Host) -> None:
    host.deaf, host.installed = True, {"kubelet": "1.36.4-1.1"}
    host.offers = REPOQUERY if host.program == "dnf" else POLICY
    result = run_module(packages, packages=["kubelet=1.36.5", "cri-tools"])
    assert result["msg"].splitlines() == [
        "kubelet=1.36.5: 1.36.4-1.1 is installed, though the package manager reported no error",
        "cri-tools: no version of it is installed, though the package manager reported no error",
    ]


@pytest.mark.parametrize("host", ["dnf"], indirect=True)
def test_dnf(run_module: Run, host: Host, tmp_path: Path) -> None:
    options = {"packages": ["kubelet=1.36.5", "cri-tools"], "hold": ["kubelet"], "repository": REPOSITORY}
    assert run_module(packages, **options, _ansible_check_mode=True)["changed"] is True
    assert (host.commands, host.queries) == ([], [])
    host.offers = REPOQUERY
    run_module(packages, **options)
    # dnf 4 knows "all", dnf 5 "*".
    assert host.queries == [
        [
            *["dnf", "repoquery", "--assumeyes", "--setopt=disable_excludes=all,*", "--quiet"],
            "--queryformat=%{name}\\t%{epoch}:%{version}-%{release}\\n",
            "kubelet",
        ]
    ]
    assert host.commands == [
        [
            *["dnf", "install", "--assumeyes", "--setopt=disable_excludes=all,*"],
            *["cri-tools", "kubelet-0:1.36.5-150500.1.1"],
        ]
    ]
    assert (tmp_path / "etc/yum.repos.d/kubernetes.repo").read_text() == (
        "[kubernetes]\nname=kubernetes\nbaseurl=https://example.com/deb/\nenabled=1\ngpgcheck=1\nrepo_gpgcheck=1\n"
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-kubernetes\nexclude=kubelet\n"
    )
    host.installed = {"kubelet": "1.36.5-150500.1.1", "cri-tools": "1.36.0-1"}
    assert run_module(packages, **options)["changed"] is False


@pytest.mark.parametrize("host", ["dnf"], indirect=True)
def test_dnf_reads_its_repositories_anew_for_a_version_it_does_not_know(run_module: Run, host: Host) -> None:
    host.offers, host.refreshed = REPOQUERY, f"{REPOQUERY}kubelet\t0:1.36.6-1\n"
    assert run_module(packages, packages=["kubelet=1.36.6"])["versions"] == {"kubelet": "1.36.6-1"}
    assert ["--refresh" in query for query in host.queries] == [False, True]
    message = run_module(packages, packages=["kubelet=1.36.7"])["msg"]
    assert message.endswith("their newest are 0:1.36.50-150500.1.1, 0:1.36.6-1, 0:1.36.5-150500.1.1")


@pytest.mark.parametrize("host", ["dnf"], indirect=True)
def test_dnf_takes_names_that_other_packages_provide(run_module: Run, host: Host) -> None:
    host.provided = {"iptables": "iptables-nft\t1.8.10-1\n"}
    result = run_module(packages, packages=["iptables"])
    assert (result["changed"], result["versions"]) == (False, {"iptables": "1.8.10-1"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"packages": ["kubelet="]}, "'kubelet=' is neither a name nor name=version"),
        ({"packages": ["--yes"]}, "'--yes' is neither"),
        ({"packages": [], "repository": {**REPOSITORY, "name": "a/b"}}, "name 'a/b' may hold"),
        ({"packages": [], "repository": {**REPOSITORY, "suite": "stable"}}, "needs components"),
        (
            {"packages": [], "repository": {**REPOSITORY, "url": "http://x"}},
            "url http://x: http can be read and changed",
        ),
        (
            {"packages": [], "repository": {**REPOSITORY, "key": "http://x"}},
            "key http://x: http can be read and changed",
        ),
        ({"packages": [], "repository": {**REPOSITORY, "fingerprints": ["234654DA"]}}, "'234654DA' is no fingerprint"),
        (
            {"packages": [], "repository": {**REPOSITORY, "fingerprints": ["A" * 40]}},
            "the given key cannot be compared",
        ),
    ],
)
def test_bad_options(run_module: Run, host: Host, options: dict[str, Any], message: str) -> None:
    assert message in run_module(packages, **options)["msg"]
    assert host.commands == []


def openpgp(content: bytes) -> str:
    """A file with a key of version 4, as far as its fingerprint goes."""
    body = b"\x04" + content
    text = base64.b64encode(bytes([0xC6, len(body)]) + body).decode()
    return f"{openpgp_utils.BEGIN}\n\n{text}\n{openpgp_utils.END}\n"


OWN, OTHER = openpgp(b"own"), openpgp(b"another")
(OWN_FINGERPRINT,) = openpgp_utils.fingerprints(OWN)
BOTH = OWN.replace(f"\n{openpgp_utils.END}", OTHER.splitlines()[2] + f"\n{openpgp_utils.END}")


def test_key_with_its_fingerprint(run_module: Run, host: Host, tmp_path: Path) -> None:
    (tmp_path / "page").write_text(OWN)
    spaced = " ".join([OWN_FINGERPRINT.lower()[:20], OWN_FINGERPRINT[20:]])
    repository = {**REPOSITORY, "key": f"file://{tmp_path}/page", "fingerprints": [spaced, "A" * 40]}
    options = {"packages": ["cri-tools"], "repository": repository}
    assert run_module(packages, **options)["installed"] == ["cri-tools"]
    key = tmp_path / "etc/apt/keyrings/kubernetes.asc"
    assert key.read_text() == OWN
    (tmp_path / "page").unlink()
    assert run_module(packages, **options)["changed"] is False

    # What lies there as the key by another's hand goes, and so does what an older run believed.
    (tmp_path / "page").write_text(OWN)
    for wrong in (OTHER, "", None):
        key.unlink()
        if wrong is not None:
            key.write_text(wrong)
        check = run_module(packages, **options, _ansible_check_mode=True, _ansible_diff=True)
        assert (check["changed"], check["diff"][0]["after"]) == (True, "the repository's key\n")
        assert run_module(packages, **options)["changed"] is True
        assert key.read_text() == OWN


@pytest.mark.parametrize("served", [OTHER, BOTH, OWN + OTHER])
def test_another_key_is_refused_before_anything_is_installed(
    run_module: Run, host: Host, tmp_path: Path, served: str
) -> None:
    (tmp_path / "page").write_text(served)
    repository = {**REPOSITORY, "key": f"file://{tmp_path}/page", "fingerprints": [OWN_FINGERPRINT]}
    message = run_module(packages, packages=["kubelet"], repository=repository)["msg"]
    assert message.startswith(f"repository kubernetes: file://{tmp_path}/page ")
    assert "holds a key with the fingerprint" in message or "cannot be compared with a fingerprint" in message
    assert host.commands == []
    assert not (tmp_path / "etc").exists()


def test_a_given_key_that_changes_is_written(run_module: Run, host: Host, tmp_path: Path) -> None:
    run_module(packages, packages=["cri-tools"], repository={**REPOSITORY, "key": OWN})
    options = {"packages": ["cri-tools"], "repository": {**REPOSITORY, "key": OTHER}}
    assert run_module(packages, **options, _ansible_check_mode=True)["changed"] is True
    assert run_module(packages, **options)["changed"] is True
    assert (tmp_path / "etc/apt/keyrings/kubernetes.asc").read_text() == OTHER
    assert run_module(packages, **options)["changed"] is False


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
        ("1.6.20", "1.6.20+ds1-1", True),
        ("26.1.3-1", "3:26.1.3-1.el9", True),
        ("26.1.3-1", "5:26.1.3-1~debian.12~bookworm", True),
        ("26.1.3-1", "3:26.1.3-1.1", False),
        ("3:26.1.3", "3:26.1.3-1.el9", True),
        ("1:1.4.7", "1:1.4.7-1+b2", True),
        ("0:1.4.7", "1.4.7-1", True),
        ("2:1.4.7", "1:1.4.7-1", False),
        ("1:1.4.7", "1.4.7-1", False),
        ("1.36.0", "1.36.0~rc.0-1.1", False),
        ("1.36.0", "1.36.0~rc.0", False),
        ("1.36.0~rc.0", "1.36.0~rc.0-1.1", True),
        ("1.20.2", "1.20.5+really1.20.2-1", True),
        ("1.20.5", "1.20.5+really1.20.2-1", False),
        ("1.36.5", "1.36.50-1.1", False),
        ("1.36", "1.36.5-1.1", False),
        ("1.36.5", "1.36.4-1.1", False),
    ],
)
def test_accepted_versions(wanted: str | None, found: str, accepted: bool) -> None:
    assert Request("x", wanted).accepts(found) is accepted


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("kubelet=1.36.0-rc.0", "1.36.0~rc.0"),
        ("kubelet=1.36.0-alpha.1", "1.36.0~alpha.1"),
        ("kubelet=1.36.0-1.1", "1.36.0-1.1"),
        ("docker-ce=3:26.1.3-1.el9", "3:26.1.3-1.el9"),
        ("kubelet", None),
    ],
)
def test_requests(text: str, version: str | None) -> None:
    assert packages_utils.parse_request(text).version == version


@pytest.mark.parametrize(
    ("part", "older", "newer"),
    [
        *(
            (part, *versions)
            for part in (debian_part, rpm_part)
            for versions in [
                ("1.28.1-1", "1.28.15-1"),
                ("1.36.0~rc.0-1.1", "1.36.0-1.1"),
                ("1.36.0~beta.1-1", "1.36.0~rc.0-1"),
                ("2.0-1", "1:1.0-1"),
                ("1.0-1", "1.0-2"),
                ("1.0-9", "1.0.1-1"),
                ("1.0a-1", "1.0b-1"),
            ]
        ),
        (debian_part, "1.0a-1", "1.0+b-1"),
        (debian_part, "1.0-1", "1.0+ds-1"),
        (rpm_part, "1.0a-1", "1.0.1-1"),
        (rpm_part, "1.0-1", "1.0^git1-1"),
        (rpm_part, "1.0^git1-1", "1.0.1-1"),
    ],
)
def test_order(part: Key, older: str, newer: str) -> None:
    assert order(older, part) < order(newer, part)


def test_repository_with_suites() -> None:
    option = {"name": "docker", "url": "https://x", "key": KEY, "suite": "bookworm", "components": ["stable"]}
    repository = package_repository.parse_repository({**option, "fingerprints": [], "signed_metadata": False})
    assert repository is not None
    assert "\nrepo_gpgcheck=0\n" in repository.yum("/k", [])
    assert "Suites: bookworm\nComponents: stable\n" in repository.deb822("/k")
