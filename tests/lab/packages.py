"""An apt repository of Kubernetes' packages in upstream's layout, one folder per minor, signed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from .kubernetes import release_folder
from .settings import Settings

SERVICE = """\
[Unit]
Description=kubelet: The Kubernetes Node Agent
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""
DROPIN = """\
[Service]
Environment="BOOTSTRAP=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf"
Environment="ACCESS=--kubeconfig=/etc/kubernetes/kubelet.conf --config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $BOOTSTRAP $ACCESS $KUBELET_KUBEADM_ARGS $KUBELET_EXTRA_ARGS
"""
KUBELET_DEPENDS = "conntrack, ebtables, ethtool, iproute2, iptables, kubernetes-cni, mount, socat, util-linux"


class Packages:
    """Builds kubeadm, kubelet, kubectl, cri-tools and kubernetes-cni as Debian packages."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings, self.say = settings, say
        self.gnupg = settings.cache / "gnupg"

    @property
    def folder(self) -> Path:
        """Where upstream's layout keeps the packages of this minor version."""
        minor = self.settings.kubernetes.rpartition(".")[0]
        return self.settings.cache / "core:" / "stable:" / f"v{minor}" / "deb"

    def fill(self) -> None:
        """Build the packages of this version, unless they are there, and sign the index."""
        stamp = self.folder / f"kubelet_{self.settings.kubernetes}-1.1_amd64.deb"
        if stamp.exists() and (self.folder / "InRelease").exists():
            return
        self.say(f"building the packages of Kubernetes {self.settings.kubernetes}")
        self.folder.mkdir(parents=True, exist_ok=True)
        source = release_folder(self.settings.cache, self.settings.kubernetes)
        version = f"{self.settings.kubernetes}-1.1"
        self._package("kubeadm", version, {"usr/bin/kubeadm": source / "kubeadm"})
        self._package("kubectl", version, {"usr/bin/kubectl": source / "kubectl"})
        self._archive(
            "cri-tools", self.settings.crictl, f"crictl-v{self.settings.crictl}-linux-amd64.tar.gz", "usr/bin"
        )
        cni = f"cni-plugins-linux-amd64-v{self.settings.cni_plugins}.tgz"
        self._archive("kubernetes-cni", self.settings.cni_plugins, cni, "opt/cni/bin")
        units = {
            "lib/systemd/system/kubelet.service": SERVICE,
            "lib/systemd/system/kubelet.service.d/10-kubeadm.conf": DROPIN,
        }
        self._package("kubelet", version, {"usr/bin/kubelet": source / "kubelet"}, units, KUBELET_DEPENDS)
        self._index()

    def _archive(self, name: str, version: str, archive: str, folder: str) -> None:
        unpacked = Path(tempfile.mkdtemp(prefix="lab-"))
        subprocess.run(["tar", "-xf", self.settings.cache / archive, "-C", unpacked], check=True)
        self._package(name, f"{version}-1.1", {f"{folder}/{p.name}": p for p in unpacked.iterdir() if p.is_file()})
        shutil.rmtree(unpacked)

    def _package(
        self, name: str, version: str, files: dict[str, Path], texts: dict[str, str] | None = None, depends: str = ""
    ) -> None:
        root = Path(tempfile.mkdtemp(prefix="lab-"))
        root.chmod(0o755)
        for path, source in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, root / path)
            (root / path).chmod(0o755)
        for path, text in (texts or {}).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        control = [f"Package: {name}", f"Version: {version}", "Architecture: amd64", "Maintainer: lab <lab@localhost>"]
        if depends:
            control.append(f"Depends: {depends}")
        control.append(f"Description: {name} of the lab")
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN" / "control").write_text("\n".join(control) + "\n")
        target = self.folder / f"{name}_{version}_amd64.deb"
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, target],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        shutil.rmtree(root)

    def _index(self) -> None:
        ftparchive = ["apt-ftparchive", "-o", "APT::FTPArchive::Release::Label=lab"]
        for command, name in (("packages", "Packages"), ("release", "Release")):
            (self.folder / name).unlink(missing_ok=True)
            index = subprocess.run([*ftparchive, command, "."], cwd=self.folder, check=True, capture_output=True).stdout
            (self.folder / name).write_bytes(index)
        for old in ("InRelease", "Release.gpg", "Release.key"):
            (self.folder / old).unlink(missing_ok=True)
        self.gnupg.mkdir(mode=0o700, exist_ok=True)
        gpg = ["gpg", "--homedir", str(self.gnupg), "--batch", "--quiet", "--yes"]
        if not (self.gnupg / "pubring.kbx").exists():
            key = [
                "--pinentry-mode",
                "loopback",
                "--passphrase",
                "",
                "--quick-generate-key",
                "lab",
                "rsa2048",
                "sign",
                "never",
            ]
            subprocess.run([*gpg, *key], check=True, stderr=subprocess.DEVNULL)
        subprocess.run([*gpg, "--clearsign", "-o", self.folder / "InRelease", self.folder / "Release"], check=True)
        subprocess.run([*gpg, "--armor", "--export", "-o", self.folder / "Release.key"], check=True)
        subprocess.run(["gpgconf", "--homedir", str(self.gnupg), "--kill", "all"], check=False)
