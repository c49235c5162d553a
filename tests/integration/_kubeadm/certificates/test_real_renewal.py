"""Certificates of ten days on a real etcd and a real API server, renewed by a real kubeadm while they run."""

# ruff: noqa: D103

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import Places
from ansible_collections.groundwork.kubernetes.plugins.modules import certificates_info, kubeadm_certificates

sys.path.insert(0, str(Path(__file__).parent))

from real_etcd import BINARIES, Run, free_port, needs_etcd, wait
from short_leaves import shorten

KUBERNETES = Path(os.environ.get("GROUNDWORK_KUBERNETES_DIR", ""))
pytestmark = [
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
NAMES = [
    "apiserver", "apiserver-kubelet-client", "front-proxy-client", "apiserver-etcd-client", "etcd-server", "etcd-peer",
    "etcd-healthcheck-client", "admin.conf", "controller-manager.conf", "scheduler.conf",
]  # fmt: skip


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
            f"--cert-dir={self.folder}/certs",
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


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host(tmp_path)
    (tmp_path / "proc").mkdir()  # the pods of other clusters on this machine are none of this host's
    places = Places(str(tmp_path), str(tmp_path / "kubelet"), str(tmp_path / "etcd"), str(tmp_path / "proc"))
    for module in (certificates_info, kubeadm_certificates):
        monkeypatch.setattr(module, "PLACES", places)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    yield made
    for process in reversed(made.processes):
        process.kill()
        process.wait(30)


def found(run: Run) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in run(certificates_info)["certificates"]}


def test_ten_days_left(host: Host, run: Run) -> None:
    shorten(host.folder, 10)
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")
    processes = [process.pid for process in host.processes]
    before = found(run)
    assert [name for name in NAMES if before[name]["error"]] == []
    for name in ("apiserver", "etcd-server"):
        assert before[name]["served"] == before[name]["serial"]

    checked = run(kubeadm_certificates, config=str(host.config), _ansible_check_mode=True)
    assert (checked["changed"], checked["renewed"]) == (True, NAMES)
    assert found(run) == before

    done = run(kubeadm_certificates, config=str(host.config), reload_timeout=180)
    assert (done["changed"], done["renewed"], done["stale"]) == (True, NAMES, [])
    after = found(run)
    for name in NAMES:
        assert after[name]["ends"] > before[name]["ends"] + 300 * 86400
        assert after[name]["serial"] != before[name]["serial"]
    for name in ("apiserver", "etcd-server"):
        assert after[name]["served"] == after[name]["serial"]
    assert [process.pid for process in host.processes if process.poll() is None] == processes
    assert host.ready()

    for check in (True, False):
        again = run(kubeadm_certificates, config=str(host.config), _ansible_check_mode=check)
        assert (again["changed"], again["renewed"], again["stale"]) == (False, [], [])


def test_what_has_ended_is_mended_while_nothing_answers(host: Host, run: Run) -> None:
    shorten(host.folder, -1)
    done = run(kubeadm_certificates, config=str(host.config), files_only=True)
    assert done.get("renewed") == NAMES, done
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")
    assert not run(kubeadm_certificates, config=str(host.config), files_only=True)["changed"]


def test_an_api_server_that_has_not_read_it_yet_is_named(host: Host, run: Run) -> None:
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")
    shorten(host.folder, 10)
    assert found(run)["apiserver"]["pod"] == "kube-apiserver"
    assert found(run)["etcd-server"]["pod"] == ""
