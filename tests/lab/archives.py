"""Release archives in upstream's names and layout, packed from Debian's packages where they are missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from .debian import SUITES, Debian
from .kubernetes import write_checksum
from .settings import Settings

CRICTL = Path(__file__).with_name("crictl.py")


class Archives:
    """containerd, runc, etcd, CNI plugins and crictl."""

    def __init__(self, settings: Settings, debian: Debian, say: Callable[[str], None]) -> None:
        self.settings, self.debian, self.say = settings, debian, say

    def fill(self) -> None:
        """Make every archive that the cache does not hold."""
        s = self.settings
        etcd = f"etcd-v{s.etcd}-linux-amd64"
        self._tar(
            f"containerd-{s.containerd}-linux-amd64.tar.gz",
            ["containerd"],
            s.containerd,
            lambda root: {f"bin/{n}": root / "usr/bin" / n for n in ("containerd", "containerd-shim-runc-v2", "ctr")},
        )
        self._tar(
            f"{etcd}.tar.gz",
            ["etcd-server", "etcd-client"],
            s.etcd,
            lambda root: {f"{etcd}/{path.name}": path for path in (root / "usr/bin").iterdir()},
        )
        self._tar(
            f"cni-plugins-linux-amd64-v{s.cni_plugins}.tgz",
            ["containernetworking-plugins"],
            s.cni_plugins,
            lambda root: {f"./{path.name}": path for path in (root / "usr/lib/cni").iterdir()},
        )
        self._runc()
        self._crictl()

    def unpacked(self, name: str) -> Path:
        """A folder with the files of an archive, which the caller removes."""
        folder = Path(tempfile.mkdtemp(prefix="lab-"))
        subprocess.run(["tar", "-xf", self.settings.cache / name, "-C", folder], check=True)
        return folder

    def _suite(self, package: str, version: str) -> str:
        seen = []
        for suite in SUITES:
            try:
                packaged = self.debian.version(package, suite)
            except (RuntimeError, StopIteration):
                continue
            upstream = re.split(r"[~+-]", packaged, maxsplit=1)[0]
            if upstream == version:
                return suite
            seen.append(upstream)
        raise RuntimeError(
            f"{package} {version} is not among Debian's packages ({', '.join(seen)}): put upstream's archive into "
            f"{self.settings.cache}, or run make download where there is internet"
        )

    def _tar(self, name: str, packages: list[str], version: str, members: Callable[[Path], dict[str, Path]]) -> None:
        target = self.settings.cache / name
        if not target.exists():
            self.say(f"packing {name}")
            root = Path(tempfile.mkdtemp(prefix="lab-"))
            for package in packages:
                self.debian.unpack(package, self._suite(package, version), root)
            draft = target.with_name(f"draft-{name}")
            with tarfile.open(draft, "w:gz", compresslevel=1) as archive:
                for member, path in members(root).items():
                    archive.add(path.resolve(), member)
            draft.rename(target)
            shutil.rmtree(root)
        write_checksum(target)

    def _runc(self) -> None:
        target = self.settings.cache / "runc" / f"v{self.settings.runc}" / "runc.amd64"
        if not target.exists():
            self.say(f"taking runc {self.settings.runc} from its package")
            root = Path(tempfile.mkdtemp(prefix="lab-"))
            self.debian.unpack("runc", self._suite("runc", self.settings.runc), root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(next(root.glob("usr/*bin/runc")), target)
            shutil.rmtree(root)
        write_checksum(target)

    def _crictl(self) -> None:
        """A stand-in for crictl, which is in no package at hand; upstream's archive takes its place if it is there."""
        target = self.settings.cache / f"crictl-v{self.settings.crictl}-linux-amd64.tar.gz"
        # Another checkout with the same stand-in leaves the archive as it is: hosts of its labs know its digest.
        if not target.exists() or (self.settings.crictl == "0.0.1" and _packed(target) != CRICTL.read_bytes()):
            target.with_name(f"{target.name}.sha256").unlink(missing_ok=True)
            draft = target.with_name(f".{target.name}")
            with tarfile.open(draft, "w:gz") as archive:
                archive.add(CRICTL, "crictl", filter=_executable)
            draft.replace(target)
        write_checksum(target)


def _packed(archive: Path) -> bytes:
    """The stand-in in an archive."""
    with tarfile.open(archive) as packed:
        content = packed.extractfile("crictl")
        return content.read() if content else b""


def _executable(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode, member.uid, member.gid = 0o755, 0, 0
    return member
