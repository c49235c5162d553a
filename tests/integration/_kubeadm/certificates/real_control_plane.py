"""A control plane's folder, whose certificates are kubeadm's, with a real etcd and a real API server that read it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags
from real_etcd import BINARIES, free_port, needs_etcd

KUBERNETES = Path(os.environ.get("GROUNDWORK_KUBERNETES_DIR", ""))
NEEDS = [
    needs_etcd,
    pytest.mark.skipif(
        not (KUBERNETES / "kubeadm").is_file(), reason="GROUNDWORK_KUBERNETES_DIR names no folder with kubeadm"
    ),
]
ETCD = """spec:
  containers:
  - command:
    - etcd
    - --listen-client-urls={url}
"""
API_SERVER = """spec:
  containers:
  - command:
    - kube-apiserver
    - --secure-port={port}
    livenessProbe:
      httpGet:
        host: 127.0.0.1
        path: /livez
        port: {port}
        scheme: HTTPS
"""


class Host:
    """A control plane's folder, with etcd and an API server that read it."""

    def __init__(self, folder: Path) -> None:
        """Let kubeadm make the certificates, and start both."""
        self.folder, self.pki = folder, folder / "pki"
        self.url, self.port = f"https://127.0.0.1:{free_port()}", free_port()
        self.processes: list[subprocess.Popen[bytes]] = []
        places = [f"--cert-dir={self.pki}"]
        node = ["--apiserver-advertise-address=192.0.2.1"]
        self.kubeadm("init", "phase", "certs", "all", *places, *node, "--kubernetes-version=v1.20.2")
        self.kubeadm(
            "init", "phase", "kubeconfig", "all", *places, *node, f"--kubeconfig-dir={folder}",
            "--kubernetes-version=v1.20.2", "--node-name=cp-1",
        )  # fmt: skip
        (folder / "kubelet.conf").unlink()
        (folder / "manifests").mkdir()
        (folder / "manifests" / "etcd.yaml").write_text(ETCD.format(url=self.url))
        (folder / "manifests" / "kube-apiserver.yaml").write_text(API_SERVER.format(port=self.port))
        self.config = folder / "kubeadm.yaml"
        self.config.write_text(
            "apiVersion: kubeadm.k8s.io/v1beta2\nkind: InitConfiguration\n"
            "localAPIEndpoint: {advertiseAddress: 192.0.2.1}\n"
            "---\napiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\nkubernetesVersion: v1.20.2\n"
            f"certificatesDir: {self.pki}\n"
        )
        # kubeadm renews kubeconfigs in /etc/kubernetes only, so that is this folder in a name space of its own.
        program = folder / "bin" / "kubeadm"
        program.parent.mkdir()
        program.write_text(
            "#!/bin/sh\nexec unshare --mount sh -c 'mount -t tmpfs none /etc && mkdir /etc/kubernetes "
            f'&& mount --bind {folder} /etc/kubernetes && exec {KUBERNETES}/kubeadm "$@"\' sh "$@"\n'
        )
        program.chmod(0o755)

    def kubeadm(self, *arguments: str) -> None:
        """Run it."""
        subprocess.run([KUBERNETES / "kubeadm", *arguments], check=True, capture_output=True)

    def start(self) -> None:
        """Start etcd and the API server."""
        pki, peer = self.pki, f"https://127.0.0.1:{free_port()}"
        self._run(
            BINARIES / "etcd", f"--data-dir={self.folder}/data", f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
            "--client-cert-auth", "--peer-client-cert-auth",
            f"--trusted-ca-file={pki}/etcd/ca.crt", f"--cert-file={pki}/etcd/server.crt",
            f"--key-file={pki}/etcd/server.key", f"--peer-trusted-ca-file={pki}/etcd/ca.crt",
            f"--peer-cert-file={pki}/etcd/peer.crt", f"--peer-key-file={pki}/etcd/peer.key",
        )  # fmt: skip
        self._run(
            KUBERNETES / "kube-apiserver", f"--etcd-servers={self.url}", f"--etcd-cafile={pki}/etcd/ca.crt",
            f"--etcd-certfile={pki}/apiserver-etcd-client.crt", f"--etcd-keyfile={pki}/apiserver-etcd-client.key",
            f"--client-ca-file={pki}/ca.crt", f"--tls-cert-file={pki}/apiserver.crt",
            f"--tls-private-key-file={pki}/apiserver.key", "--bind-address=127.0.0.1", f"--secure-port={self.port}",
            f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.96.0.0/24",
            f"--cert-dir={self.folder}/certs", "--enable-bootstrap-token-auth",
        )  # fmt: skip

    def local(self, name: str) -> Path:
        """A kubeconfig that leads to this machine, where the API server's certificate has another name."""
        path = self.folder / f"local-{name}"
        text = (self.folder / name).read_text()
        server = f"server: https://127.0.0.1:{self.port}\n    tls-server-name: kubernetes"
        path.write_text(re.sub("server: https://.*", server, text))
        return path

    def manager(self) -> None:
        """Start a controller manager that signs with what its manifest says; stop ends it."""
        signing = flags((self.folder / "manifests" / "kube-controller-manager.yaml").read_text())
        self._run(
            KUBERNETES / "kube-controller-manager", f"--kubeconfig={self.local('admin.conf')}",
            "--controllers=csrsigning", "--leader-elect=false", "--secure-port=0", "--port=0",
            f"--cluster-signing-cert-file={signing['cluster-signing-cert-file']}",
            f"--cluster-signing-key-file={self.pki}/ca.key",
        )  # fmt: skip

    def _run(self, *command: object) -> None:
        arguments = [str(part) for part in command]
        with (self.folder / f"{Path(arguments[0]).name}.log").open("wb") as log:
            self.processes.append(subprocess.Popen(arguments, stdout=log, stderr=log))

    def ready(self) -> bool:
        """Whether the administrator's kubeconfig gets through to the API server, and that to etcd."""
        command = [
            str(KUBERNETES / "kubectl"), f"--kubeconfig={self.folder}/admin.conf", f"--server=https://127.0.0.1:{self.port}",
            f"--cache-dir={self.folder}/cache", "--tls-server-name=kubernetes", "get", "--raw=/readyz",
        ]  # fmt: skip
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def stop(self) -> None:
        """End both, the API server first."""
        for process in reversed(self.processes):
            process.kill()
            process.wait(30)
        self.processes = []
