"""Upstream's own artifacts for the cache, on a machine with internet."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from .kubernetes import NODE_PROGRAMS, release_folder, write_checksum
from .settings import Settings

GITHUB = "https://github.com"
KUBERNETES = "https://dl.k8s.io"


def sources(settings: Settings) -> dict[Path, str]:
    """Each file of the cache that upstream publishes, and its URL."""
    s = settings
    return {
        **{
            release_folder(s.cache, s.kubernetes) / name: f"{KUBERNETES}/release/v{s.kubernetes}/bin/linux/amd64/{name}"
            for name in NODE_PROGRAMS
        },
        s.cache / f"containerd-{s.containerd}-linux-amd64.tar.gz": (
            f"{GITHUB}/containerd/containerd/releases/download/v{s.containerd}/containerd-{s.containerd}-linux-amd64.tar.gz"
        ),
        s.cache / "runc" / f"v{s.runc}" / "runc.amd64": (
            f"{GITHUB}/opencontainers/runc/releases/download/v{s.runc}/runc.amd64"
        ),
        s.cache / f"cni-plugins-linux-amd64-v{s.cni_plugins}.tgz": (
            f"{GITHUB}/containernetworking/plugins/releases/download/v{s.cni_plugins}/cni-plugins-linux-amd64-v{s.cni_plugins}.tgz"
        ),
        s.cache / f"etcd-v{s.etcd}-linux-amd64.tar.gz": (
            f"{GITHUB}/etcd-io/etcd/releases/download/v{s.etcd}/etcd-v{s.etcd}-linux-amd64.tar.gz"
        ),
    }


def download(settings: Settings, say: Callable[[str], None]) -> None:
    """Fetch what is missing, files first, then the images that this version's kubeadm names."""
    for path, url in sources(settings).items():
        if path.exists():
            continue
        say(f"downloading {url}")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"draft-{path.name}")
        urllib.request.urlretrieve(url, draft)
        draft.rename(path)
        write_checksum(path)
    kubeadm = release_folder(settings.cache, settings.kubernetes) / "kubeadm"
    kubeadm.chmod(0o755)
    listed = subprocess.run(
        [kubeadm, "config", "images", "list", "--kubernetes-version", f"v{settings.kubernetes}"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    folder = settings.cache / "images"
    folder.mkdir(exist_ok=True)
    for reference in listed:
        name, tag = reference.rsplit("/", 1)[-1].split(":")
        tarball = folder / f"{name}_{tag}.tar"
        if not tarball.exists():
            say(f"copying {reference}")
            target = f"docker-archive:{tarball}:{reference}"
            subprocess.run(
                ["skopeo", "--insecure-policy", "copy", "--quiet", f"docker://{reference}", target], check=True
            )
