"""Debian's packages of any suite, without touching the machine's own apt sources."""

from __future__ import annotations

import shutil
import subprocess
from functools import cached_property
from pathlib import Path

# bullseye has the Go that Kubernetes 1.20 needs; trixie and sid have newer etcd and containerd.
SUITES = ("bookworm", "bullseye", "trixie", "sid")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Debian:
    """An apt root of its own in the cache folder, served by the mirror that the machine already uses."""

    def __init__(self, cache: Path) -> None:
        self.root = cache / "apt"

    @cached_property
    def uri(self) -> str:
        """The base URI of the machine's own Debian mirror."""
        targets = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Identifier: Packages"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for line in targets.splitlines():
            codename, _, uri = line.partition(" ")
            if codename == "bookworm" and "security" not in uri:
                return uri
        raise RuntimeError("apt knows no Debian 12 mirror: add one to /etc/apt/sources.list and run apt-get update")

    @cached_property
    def options(self) -> list[str]:
        """apt options that select the private root; its lists are fetched on first use."""
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        sources = self.root / "sources.list"
        lines = [f"deb [signed-by={KEYRING}] {self.uri} {suite} main" for suite in SUITES]
        lines.append(f"deb-src [signed-by={KEYRING}] {self.uri} bookworm main")
        sources.write_text("\n".join(lines) + "\n")
        options = [
            f"Dir::Etc::SourceList={sources}",
            "Dir::Etc::SourceParts=/dev/null",
            "Dir::Etc::PreferencesParts=/dev/null",
            f"Dir::State::Lists={self.root}/lists",
            f"Dir::Cache={self.root}/cache",
            "APT::Default-Release=bookworm",
            "APT::Sandbox::User=root",
        ]
        arguments = [word for option in options for word in ("-o", option)]
        subprocess.run(["apt-get", *arguments, "-qq", "update"], check=True)
        return arguments

    def version(self, package: str, suite: str) -> str:
        """The version of a package in one suite."""
        out = subprocess.run(
            ["apt-cache", *self.options, "show", f"{package}/{suite}"], check=True, capture_output=True, text=True
        ).stdout
        return next(line.split(": ", 1)[1] for line in out.splitlines() if line.startswith("Version: "))

    def unpack(self, package: str, suite: str, into: Path) -> Path:
        """Download one package of a suite and unpack its files, without installing it."""
        downloads = self.root / "downloads" / suite
        downloads.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", *self.options, "-qq", "download", f"{package}/{suite}"], check=True, cwd=downloads)
        archive = max(downloads.glob(f"{package}_*.deb"), key=lambda path: path.stat().st_mtime)
        into.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "-x", archive, into], check=True)
        return into

    def source(self, package: str, into: Path) -> Path:
        """Download a source package of bookworm and unpack its upstream tarball."""
        downloads = self.root / "downloads" / "source"
        downloads.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["apt-get", *self.options, "-qq", "--download-only", "source", package], check=True, cwd=downloads
        )
        tarball = next(downloads.glob(f"{package}_*.orig.tar.*"))
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        subprocess.run(["tar", "-xf", tarball, "-C", into, "--strip-components=1"], check=True)
        return into
