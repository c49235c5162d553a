"""Container images as tar files in the cache, and the registry that serves them."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import addons
from .archives import Archives
from .download import images, tarball
from .kubernetes import SOURCE_PAUSE, built_here, release_folder
from .rootfs import RootFilesystems
from .settings import Settings

PAUSE = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static void stop(int number) { (void)number; exit(0); }
static void reap(int number) { (void)number; while (waitpid(-1, NULL, WNOHANG) > 0) {} }
int main(int argc, char **argv) {
    // kubeadm upgrade asks for it in a Job, which must end.
    if (argc > 1 && strcmp(argv[1], "-v") == 0) return puts("pause of the lab") < 0;
    struct sigaction down = {.sa_handler = stop}, child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
    if (sigaction(SIGINT, &down, NULL) || sigaction(SIGTERM, &down, NULL) || sigaction(SIGCHLD, &child, NULL)) return 1;
    for (;;) pause();
}
"""
# The image of the end-to-end check: a shell, a web server and a web client.
TOOLS = "groundwork/busybox:1"


class Images:
    """Every image that kubeadm names for a version, and the one of the end-to-end check."""

    def __init__(
        self, settings: Settings, archives: Archives, systems: RootFilesystems, say: Callable[[str], None]
    ) -> None:
        self.settings, self.archives, self.systems, self.say = settings, archives, systems, say
        self.folder = settings.cache / "images"

    def references(self) -> list[str]:
        """name:tag of each image, without the registry."""
        kubeadm = release_folder(self.settings.cache, self.settings.kubernetes) / "kubeadm"
        listed = [reference.split("/", 1)[1] for reference in images(kubeadm, self.settings.kubernetes)]
        return list(dict.fromkeys([*listed, *(SOURCE_PAUSE if built_here(self.settings.kubernetes) else ()), TOOLS]))

    def tarball(self, reference: str) -> Path:
        """Where the cache keeps an image."""
        return tarball(self.folder, reference)

    def fill(self) -> list[str]:
        """Make every image that is missing and can be made; returns the references that are there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for reference in self.references():
            path = self.tarball(reference)
            name = reference.rsplit("/", 1)[-1].split(":")[0]
            if not path.exists() and name != "coredns":
                self.say(f"making the image {reference}")
                self._make(name, reference, path)
        return self.present()

    def addons(self) -> list[str]:
        """Make the images of add-ons, which only those who ask for them need; returns their references."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for reference in addons.REFERENCES:
            path = self.tarball(reference)
            if not path.exists():
                self.say(f"making the image {reference}")
                self._make(path.name.split("_", maxsplit=1)[0], reference, path)
        return addons.REFERENCES

    def present(self) -> list[str]:
        """The references of those that the cache has."""
        return [reference for reference in self.references() if self.tarball(reference).exists()]

    def push(self, registry: str, references: list[str]) -> None:
        """Put into the registry what it does not hold yet."""
        for reference in references:
            path = self.tarball(reference)
            stamp = self.settings.cache / "registry" / "pushed" / f"{path.stem}.{path.stat().st_mtime_ns}"
            if stamp.exists():
                continue
            self.say(f"pushing {reference}")
            with tarfile.open(path) as archive:
                kind = "docker-archive" if "manifest.json" in archive.getnames() else "oci-archive"
            subprocess.run(
                [
                    "skopeo",
                    "--insecure-policy",
                    "copy",
                    "--quiet",
                    "--dest-tls-verify=false",
                    f"{kind}:{path}",
                    f"docker://{registry}/{reference}",
                ],
                check=True,
            )
            stamp.parent.mkdir(parents=True, exist_ok=True)
            stamp.touch()

    def _make(self, name: str, reference: str, target: Path) -> None:
        work = Path(tempfile.mkdtemp(prefix="lab-"))
        try:
            lines = self._recipe(name, reference, work)
            (work / "Containerfile").write_text("\n".join(lines) + "\n")
            tag = f"localhost/groundwork-lab/{reference}"
            subprocess.run(["podman", "build", "--quiet", "--tag", tag, work], check=True, stdout=subprocess.DEVNULL)
            draft = target.with_name(f"draft-{target.name}")
            draft.unlink(missing_ok=True)
            subprocess.run(["podman", "save", "--quiet", "--format=docker-archive", "-o", draft, tag], check=True)
            subprocess.run(["podman", "rmi", "--force", tag], check=True, stdout=subprocess.DEVNULL)
            draft.rename(target)
        finally:
            shutil.rmtree(work)

    def _recipe(self, name: str, reference: str, work: Path) -> list[str]:
        path = "ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        if name == "pause":
            (work / "pause.c").write_text(PAUSE)
            subprocess.run(["gcc", "-Os", "-static", "-s", "-o", work / "pause", work / "pause.c"], check=True)
            return ["FROM scratch", "COPY pause /pause", "USER 65535:65535", 'ENTRYPOINT ["/pause"]']
        if name == "busybox":
            # The dynamic build: resolving an address in a static one needs libraries that are not there.
            root = self.archives.debian.unpack("busybox", "bookworm", work / "package")
            (work / "bin").mkdir()
            shutil.copy2(next(root.glob("**/bin/busybox")), work / "bin" / "busybox")
            for tool in ("httpd", "nc", "nslookup", "wget"):
                (work / "bin" / tool).symlink_to("busybox")
            return [f"FROM {self._base()}", "COPY bin /usr/local/bin/", path]
        if reference in addons.REFERENCES:
            found = addons.program(reference, self.archives.debian, work)
            return [
                f"FROM {self._base()}",
                f"COPY {found.name} /usr/local/bin/{found.name}",
                *([f"COPY {addons.SHARE} /usr/share/prometheus"] if (work / addons.SHARE).is_dir() else []),
                path,
                "USER 65534:65534",
                f'ENTRYPOINT ["/usr/local/bin/{found.name}"]',
            ]
        if name == "etcd":
            tag = reference.rsplit(":", 1)[1]
            if tag.split(".")[:2] != self.settings.etcd.split(".")[:2]:
                raise RuntimeError(
                    f"kubeadm {self.settings.kubernetes} runs etcd {tag}, and etcd {self.settings.etcd} can't stand in "
                    f"for it: put {self.tarball(reference).name} into {self.folder}"
                )
            folder = self.archives.unpacked(f"etcd-v{self.settings.etcd}-linux-amd64.tar.gz")
            for binary in next(folder.iterdir()).iterdir():
                shutil.copy2(binary, work / binary.name)
            shutil.rmtree(folder)
            return [f"FROM {self._base()}", "COPY etcd* /usr/local/bin/", path]
        source = release_folder(self.settings.cache, self.settings.kubernetes) / name
        if not source.is_file():
            raise RuntimeError(f"neither {self.tarball(reference)} nor {source} is there: put one of them there")
        shutil.copy2(source, work / name)
        base = self._base() if name == "kube-proxy" else "scratch"
        return [f"FROM {base}", f"COPY {name} /usr/local/bin/{name}", path]

    def _base(self) -> str:
        tag = "localhost/groundwork-lab/base:latest"
        if subprocess.run(["podman", "image", "exists", tag], check=False).returncode:
            subprocess.run(
                ["podman", "import", "--quiet", self.systems.base(), tag], check=True, stdout=subprocess.DEVNULL
            )
        return tag
