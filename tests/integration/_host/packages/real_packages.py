"""Small signed repositories for the package managers: rpm's by rpmbuild and createrepo_c, Debian's by dpkg-deb."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SPEC = """\
Name: {name}
Version: {version}
Release: {release}
{epoch}
Summary: A package for tests
License: GPL-3.0-or-later
BuildArch: noarch
{provides}
%description
A package for tests.
%files
"""
CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: Nobody <nobody@example.com>
Description: A package for tests
"""
RELEASE = "Suite: backports\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n"


def call(*command: str | Path, cwd: Path | None = None) -> str:
    """Standard output of a command."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Signer:
    """An OpenPGP key in a folder of its own."""

    home: Path

    @staticmethod
    def make(home: Path) -> Signer:
        """A new key in a folder that is made for it."""
        home.mkdir(mode=0o700)
        batch = ["--batch", "--passphrase", "", "--quick-generate-key", "groundwork-tests", "rsa2048", "sign", "never"]
        call("gpg", "--homedir", home, *batch)
        return Signer(home)

    def key(self) -> str:
        """The public key, armored."""
        return call("gpg", "--homedir", self.home, "--armor", "--export")

    def fingerprint(self) -> str:
        """Its fingerprint, as gpg tells it."""
        reported = call("gpg", "--homedir", self.home, "--with-colons", "--list-keys").splitlines()
        return next(line.split(":")[9] for line in reported if line.startswith("fpr:"))

    def sign_release(self, folder: Path) -> None:
        """Sign a repository of Debian packages."""
        clear = ["--batch", "--yes", "--clearsign", "--output", folder / "InRelease", folder / "Release"]
        call("gpg", "--homedir", self.home, *clear)

    def index(self, folder: Path) -> None:
        """Index a repository of rpm packages, and sign its metadata."""
        call("createrepo_c", "--quiet", folder)
        detached = ["--batch", "--yes", "--armor", "--detach-sign", folder / "repodata/repomd.xml"]
        call("gpg", "--homedir", self.home, *detached)


def rpm_repository(folder: Path, signer: Signer, packages: list[str], provides: str = "") -> str:
    """A repository of rpm packages, name=[epoch:]version-release; returns its URL."""
    specs = folder / "specs"
    specs.mkdir(parents=True)
    for package in packages:
        name, _, full = package.partition("=")
        epoch, _, rest = full.rpartition(":")
        version, _, release = rest.rpartition("-")
        parts = {"epoch": f"Epoch: {epoch}" if epoch else "", "provides": f"Provides: {provides}" if provides else ""}
        spec = specs / f"{name}.spec"
        spec.write_text(SPEC.format(name=name, version=version, release=release, **parts))
        macros = ["--define", f"_topdir {folder}/build", "--define", f"_rpmdir {folder}/repository"]
        call("rpmbuild", "-bb", "--quiet", *macros, spec)
    macros = [
        "--define",
        "_gpg_name groundwork-tests",
        "--define",
        f"_gpg_path {signer.home}",
        "--define",
        "__gpg /usr/bin/gpg",
    ]
    call("rpmsign", *macros, "--addsign", *sorted((folder / "repository").rglob("*.rpm")))
    signer.index(folder / "repository")
    return f"file://{folder}/repository"


def deb_repository(folder: Path, packages: list[str], release: str = "", signer: Signer | None = None) -> str:
    """A repository of Debian packages, name=version, without suites; returns its URL."""
    folder.mkdir(parents=True)
    for number, package in enumerate(packages):
        name, _, version = package.partition("=")
        tree = folder / f"tree-{number}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text(CONTROL.format(name=name, version=version))
        call("dpkg-deb", "--build", "--root-owner-group", tree, folder / f"{number}.deb")
    (folder / "Packages").write_text(call("apt-ftparchive", "packages", ".", cwd=folder))
    (folder / "Release").write_text(release + call("apt-ftparchive", "release", ".", cwd=folder))
    if signer:
        signer.sign_release(folder)
    return f"file://{folder}/"


def program(folder: Path, name: str, *options: str) -> None:
    """A program of the machine that is always given some options first."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    real = f"/usr/bin/{name}"
    assert os.access(real, os.X_OK), f"{real} is missing"
    path.write_text("#!/bin/sh\nexec " + " ".join([real, *options]) + ' "$@"\n')
    path.chmod(0o755)
