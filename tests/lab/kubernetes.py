"""Kubernetes built from Debian's source package, in upstream's layout of files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from .debian import Debian

NODE_PROGRAMS = ("kubeadm", "kubectl", "kubelet")
# They run as images; an image that is in the cache needs no program.
SERVER_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
# Debian's source package holds this release. Other versions are the same source with another stamp, which tests the
# mechanics of an upgrade; from 1.22 on kubeadm's configuration has an API that this source does not know.
SOURCE_VERSION = "1.20.2"
SOURCE_MINORS = ("1.20", "1.21")
# The sandbox image that this source's kubeadm names whatever its stamp, and that of a real 1.21.
SOURCE_PAUSE = ("pause:3.2", "pause:3.4.1")
GO = "1.15"
STAMP_PACKAGES = (
    "k8s.io/kubernetes/vendor/k8s.io/component-base/version",
    "k8s.io/kubernetes/vendor/k8s.io/client-go/pkg/version",
)


def release_folder(cache: Path, version: str) -> Path:
    """Where upstream's layout keeps the binaries of a version."""
    return cache / "release" / f"v{version}" / "bin" / "linux" / "amd64"


def built_here(version: str) -> bool:
    """Whether a version is a stamp of the source at hand, whatever can be reached."""
    return version.rpartition(".")[0] in SOURCE_MINORS


def missing(cache: Path, version: str) -> list[str]:
    """The programs of a version that the cache holds neither as a file nor as an image."""
    folder = release_folder(cache, version)
    images = cache / "images"
    return [
        *(name for name in NODE_PROGRAMS if not (folder / name).is_file()),
        *(
            name
            for name in SERVER_PROGRAMS
            if not (folder / name).is_file() and not (images / f"{name}_v{version}.tar").is_file()
        ),
    ]


def write_checksum(path: Path, suffix: str = ".sha256") -> None:
    """Write the file's sha256 beside it, bare hex as upstream does, unless it is there."""
    beside = path.with_name(path.name + suffix)
    if not beside.exists():
        with path.open("rb") as stream:
            beside.write_text(hashlib.file_digest(stream, "sha256").hexdigest() + "\n")


class Builder:
    """Compiles in GOPATH mode; sources and Go's build cache are kept for the next stamp."""

    def __init__(self, cache: Path, debian: Debian, say: Callable[[str], None]) -> None:
        self.cache, self.debian, self.say = cache, debian, say
        self.work = cache / "build"
        self.tree = self.work / "src" / "k8s.io" / "kubernetes"
        self.goroot = self.work / "go" / "usr" / "lib" / f"go-{GO}"

    def build(self, version: str) -> None:
        """Build what is missing of a version."""
        names = missing(self.cache, version)
        folder = release_folder(self.cache, version)
        if not names:
            for name in NODE_PROGRAMS:
                write_checksum(folder / name)
            return
        if not built_here(version):
            raise RuntimeError(
                f"{', '.join(names)} of Kubernetes {version} can't be built here (the source at hand is "
                f"{SOURCE_VERSION}, whose kubeadm has the API of {' and '.join(SOURCE_MINORS)}): put them into "
                f"{folder}, or run this where there is internet"
            )
        if version != SOURCE_VERSION:
            self.say(f"Kubernetes {version} is the source of {SOURCE_VERSION} with another stamp")
        self._prepare()
        folder.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names, 1):
            self.say(f"building {name} {version} ({number} of {len(names)}; the first version takes 15 minutes in all)")
            built = self.work / "bin" / name
            self._go(
                "build",
                "-trimpath",
                "-ldflags",
                self._stamp(version),
                "-o",
                str(built),
                f"k8s.io/kubernetes/cmd/{name}",
            )
            shutil.move(built, folder / name)
            write_checksum(folder / name)

    def _prepare(self) -> None:
        if not (self.goroot / "bin" / "go").exists():
            self.say(f"fetching Go {GO}")
            for package in (f"golang-{GO}-go", f"golang-{GO}-src"):
                self.debian.unpack(package, "bullseye", self.work / "go")
        generated = self.tree / "pkg" / "generated" / "openapi" / "zz_generated.openapi.go"
        if not generated.exists():
            self.say("fetching the source of Kubernetes")
            self.debian.source("kubernetes", self.tree)
            self.say("generating the API server's OpenAPI definitions")
            self._generate_openapi(generated)

    def _generate_openapi(self, generated: Path) -> None:
        tool = self.work / "bin" / "openapi-gen"
        self._go("build", "-o", str(tool), "k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen")
        tagged = subprocess.run(
            ["grep", "-rl", "--include=*.go", "+k8s:openapi-gen=", "pkg", "cmd", "plugin", "staging/src/k8s.io"],
            cwd=self.tree,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
        folders = sorted(
            {
                str(Path(name).parent).replace("staging/src/", "vendor/", 1)
                for name in tagged
                if not any(part in name for part in ("/code-generator/", "/sample-apiserver/"))
            }
        )
        draft = generated.with_name("draft")
        self._run(
            [
                str(tool),
                "--logtostderr",
                "--output-base",
                str(draft),
                "--output-package",
                "openapi",
                "--output-file-base",
                "zz_generated.openapi",
                "--report-filename",
                "/dev/null",
                "--go-header-file",
                str(self.tree / "hack/boilerplate/boilerplate.generatego.txt"),
                "--input-dirs",
                ",".join(f"k8s.io/kubernetes/{folder}" for folder in folders),
            ],
        )
        shutil.move(draft / "openapi" / generated.name, generated)
        shutil.rmtree(draft)

    def _stamp(self, version: str) -> str:
        major, minor, _patch = version.split(".")
        values = {
            "gitVersion": f"v{version}",
            "gitMajor": major,
            "gitMinor": minor,
            "gitTreeState": "clean",
            "gitCommit": "0" * 40,
            "buildDate": "1970-01-01T00:00:00Z",
        }
        return " ".join(["-s", "-w", *(f"-X {pkg}.{k}={v}" for pkg in STAMP_PACKAGES for k, v in values.items())])

    def _go(self, *arguments: str) -> None:
        self._run([str(self.goroot / "bin" / "go"), *arguments])

    def _run(self, command: list[str]) -> None:
        environment = {
            "PATH": f"{self.goroot}/bin:{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "GOROOT": str(self.goroot),
            "GOPATH": str(self.work),
            "GOCACHE": str(self.work / "gocache"),
            "GO111MODULE": "off",
            "CGO_ENABLED": "0",
            "GOFLAGS": "",
        }
        # The generator finds vendored packages from its working directory.
        subprocess.run(command, check=True, cwd=self.tree, env=environment)
