"""Debian's root file systems: the hosts', of Debian 12 or 13, and the base of the images that need a C library."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from .debian import Debian

# The suite of each Debian that hosts can have.
SUITES = {"12": "bookworm", "13": "trixie"}
# A plain server before anything of Kubernetes is on it.
HOST = [
    "ca-certificates",
    "dbus",
    "iproute2",
    "kmod",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "sudo",
    "systemd-sysv",
]
# What the roles install from the distribution; kept with everything it depends on, so that hosts need no internet.
INSTALLABLE = [
    "conntrack",
    "containerd",
    "docker.io",
    "ebtables",
    "ethtool",
    "haproxy",
    "ipset",
    "iptables",
    "keepalived",
    "nftables",
    "python3-cryptography",
    "rclone",
    "rsync",
    "runc",
    "socat",
    "util-linux",
    "age",
    "ca-certificates",
    "gnupg",
]
BASE = ["conntrack", "ipset", "iptables", "kmod"]
# Every host generates what makes it different from its siblings when it starts for the first time.
HOST_HOOKS = [
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/var/lib/dbus/machine-id; : > "$1"/etc/machine-id',
    'mkdir -p "$1"/etc/systemd/system/ssh.service.d "$1"/root/.ssh; chmod 0700 "$1"/root/.ssh',
    r'printf "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\n" > '
    '"$1"/etc/systemd/system/ssh.service.d/keys.conf',
    'printf "# <file system> <mount point> <type> <options> <dump> <pass>\\n" > "$1"/etc/fstab',
    'chroot "$1" systemctl mask getty.target console-getty.service systemd-logind.service',
    'rm -f "$1"/etc/apt/sources.list',
]


class RootFilesystems:
    """Tarballs in the cache, made anew when their recipe changes."""

    def __init__(self, cache: Path, debian: Debian, say: Callable[[str], None]) -> None:
        self.cache, self.debian, self.say = cache, debian, say

    def base(self) -> Path:
        """The small system below the images of kube-proxy and etcd."""
        hooks = [
            'chroot "$1" update-alternatives --set iptables /usr/sbin/iptables-legacy',
            'chroot "$1" update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy',
            'rm -rf "$1"/var/lib/apt/lists/* "$1"/usr/share/doc "$1"/usr/share/locale "$1"/usr/share/man',
        ]
        return self._make("base", BASE, hooks, "12")

    def packages(self, debian: str) -> Path:
        """The folder with the packages that hosts of this Debian install."""
        return self.cache / ("debian" if debian == "12" else f"debian-{debian}")

    def host(self, debian: str) -> Path:
        """A host's system of a Debian; the distribution's packages that hosts install are kept beside it."""
        name = "host" if debian == "12" else f"host-{debian}"
        packages = self.packages(debian)
        draft = packages.with_name(f"{packages.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        if not packages.exists():
            self.forget(name)
        fetch = [
            f'chroot "$1" apt-get -qq --yes --no-install-recommends --download-only install {" ".join(INSTALLABLE)}',
            f"copy-out /var/cache/apt/archives {draft}",
            'chroot "$1" apt-get clean',
        ]
        tarball = self._make(name, HOST, [*fetch, *HOST_HOOKS], debian)
        if (draft / "archives").exists():
            index = subprocess.run(
                ["apt-ftparchive", "packages", "."], cwd=draft / "archives", check=True, capture_output=True
            ).stdout
            (draft / "archives" / "Packages").write_bytes(index)
            shutil.rmtree(packages, ignore_errors=True)
            (draft / "archives").rename(packages)
        shutil.rmtree(draft, ignore_errors=True)
        return tarball

    def _make(self, name: str, include: list[str], hooks: list[str], debian: str) -> Path:
        recipe = hashlib.sha256(repr((include, hooks)).encode()).hexdigest()[:12]
        tarball = self.cache / "rootfs" / f"{name}-{recipe}.tar"
        if tarball.exists():
            return tarball
        self.say(f"making the {name.partition('-')[0]} file system of Debian {debian}")
        tarball.parent.mkdir(parents=True, exist_ok=True)
        draft = tarball.with_name(f"draft-{tarball.name}")
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--mode=root",
            f"--include={','.join(include)}",
            '--aptopt=APT::Install-Recommends "false"',
            *(f"--customize-hook={hook}" for hook in hooks),
            SUITES[debian],
            str(draft),
            f"deb {self.debian.uri} {SUITES[debian]} main",
        ]
        subprocess.run(command, check=True)
        self.forget(name)
        draft.rename(tarball)
        return tarball

    def forget(self, name: str) -> None:
        """Remove the tarballs of an older recipe."""
        for old in (self.cache / "rootfs").glob(f"{name}-{'[0-9a-f]' * 12}.tar"):
            old.unlink()
