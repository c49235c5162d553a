"""A real API server with a real etcd on loopback.

GROUNDWORK_KUBERNETES_DIR names the folder with kube-apiserver and kubectl, GROUNDWORK_ETCD_DIR the one with etcd.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Task = Callable[..., dict[str, Any]]

KUBERNETES = Path(os.environ.get("GROUNDWORK_KUBERNETES_DIR", ""))
ETCD = Path(os.environ.get("GROUNDWORK_ETCD_DIR", ""))
START_TIMEOUT = 300


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ApiServer:
    """An API server without controllers: what it is given stays as it is."""

    def __init__(self, folder: Path, *options: str) -> None:
        """Keep everything in one folder; the API server gets further options."""
        self.folder, self.options = folder, options
        self.kubeconfig = folder / "admin.conf"
        self.token = secrets.token_hex(16)
        self.url = f"https://127.0.0.1:{free_port()}"
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both programs and wait until the API is ready."""
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run(
            ETCD / "etcd", f"--data-dir={self.folder}/etcd", f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        )  # fmt: skip
        key = self.folder / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        (self.folder / "tokens.csv").write_text(f'{self.token},admin,admin,"system:masters"\n')
        self._run(
            KUBERNETES / "kube-apiserver", f"--etcd-servers={client}", f"--cert-dir={self.folder}/certs",
            "--bind-address=127.0.0.1", f"--secure-port={self.url.rpartition(':')[2]}",
            f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--token-auth-file={self.folder}/tokens.csv",
            "--authorization-mode=RBAC", "--service-cluster-ip-range=10.96.0.0/24", "--allow-privileged=true",
            "--disable-admission-plugins=ServiceAccount", *self.options,
        )  # fmt: skip
        self._write_kubeconfig()
        end = time.monotonic() + START_TIMEOUT
        while subprocess.run([*self.kubectl, "get", "--raw=/readyz"], capture_output=True, check=False).returncode:
            log = (self.folder / "kube-apiserver.log").read_text()
            assert time.monotonic() < end, f"the API server is not ready:\n{log[-3000:]}"
            time.sleep(0.5)

    def stop(self) -> None:
        """End the programs."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(timeout=30)

    @property
    def kubectl(self) -> list[str]:
        """How kubectl is called."""
        return [str(KUBERNETES / "kubectl"), f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.folder}/cache"]

    def get(self, *arguments: str) -> Any:
        """What kubectl get says."""
        command = [*self.kubectl, "get", *arguments, "--output=json"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def exists(self, *arguments: str) -> bool:
        """Whether there is such an object."""
        return subprocess.run([*self.kubectl, "get", *arguments], check=False, capture_output=True).returncode == 0

    def create(self, item: dict[str, Any]) -> None:
        """Create an object as another field manager."""
        command = [*self.kubectl, "create", "--filename=-"]
        subprocess.run(command, input=json.dumps(item).encode(), check=True, capture_output=True)

    def set_status(self, path: str, status: dict[str, Any]) -> None:
        """Report a status, as the controller or kubelet of the object would."""
        request = urllib.request.Request(
            f"{self.url}{path}/status",
            data=json.dumps({"status": status}).encode(),
            method="PATCH",
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/merge-patch+json"},
        )
        context = ssl.create_default_context()
        # The server's certificate is one it made for itself in the test's own folder.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        urllib.request.urlopen(request, context=context).close()

    def _run(self, *command: object) -> None:
        arguments = [str(part) for part in command]
        with (self.folder / f"{Path(arguments[0]).name}.log").open("wb") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=self.folder)
        self.processes.append(process)

    def _write_kubeconfig(self) -> None:
        cluster = {"server": self.url, "insecure-skip-tls-verify": True}
        self.kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "test", "cluster": cluster}],
                    "users": [{"name": "admin", "user": {"token": self.token}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
                    "current-context": "test",
                }
            )
        )


@contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """One that keeps everything in a folder; the tests are skipped where its programs are not there."""
    for variable, programs, name in (
        ("GROUNDWORK_KUBERNETES_DIR", KUBERNETES, "kube-apiserver"),
        ("GROUNDWORK_KUBERNETES_DIR", KUBERNETES, "kubectl"),
        ("GROUNDWORK_ETCD_DIR", ETCD, "etcd"),
    ):
        if not (programs / name).is_file():
            pytest.skip(f"{variable} names no folder with {name}")
    api = ApiServer(folder)
    try:
        api.start()
        yield api
    finally:
        api.stop()
