"""An identity provider is proven by a login, or the former settings come back: a real kubeadm, etcd and API server.

What the kubelet does with the static pod's manifest, the test does.
"""

# ruff: noqa: D103

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_arguments import kubeadm_arguments
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_config import kubeadm_config
from ansible_collections.groundwork.kubernetes.plugins.filter.oidc_arguments import oidc_arguments
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    container_exits,
    control_plane,
    kubeadm,
    rollback,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_init
from oidc_issuer import Issuer
from real_etcd import Run, free_port, wait

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "certificates"))

from real_control_plane import KUBERNETES, NEEDS, Host

pytestmark = NEEDS
VERSION = "1.20.2"
PROVIDED = {"email": "carol@example.com", "groups": ["developers"]}
POD = "kube-apiserver-cp-1"


class ControlPlane(Host):
    """The same host, with a manifest that kubeadm writes, and somebody who runs what is in it."""

    def __init__(self, folder: Path) -> None:
        """Let kubeadm write everything, and start etcd."""
        super().__init__(folder)
        for name in ("apiserver.crt", "apiserver.key"):
            (self.pki / name).unlink()
        self.kubeadm(
            "init", "phase", "certs", "apiserver", f"--cert-dir={self.pki}", "--apiserver-cert-extra-sans=127.0.0.1",
            "--apiserver-advertise-address=192.0.2.1", f"--kubernetes-version=v{VERSION}",
        )  # fmt: skip
        self.local("admin.conf").replace(folder / "admin.conf")
        (folder / "kubelet.conf").write_bytes((folder / "admin.conf").read_bytes())
        self.stamp = folder / "groundwork" / "kubeadm.json"
        self.path = folder / "manifests" / "kube-apiserver.yaml"
        documents = self.documents({})
        self.config.write_text(kubeadm_config(documents, VERSION))
        self.stamp.parent.mkdir()
        self.stamp.write_text(json.dumps(documents, indent=1, sort_keys=True))
        command = [folder / "bin" / "kubeadm", "init", "phase", "control-plane", "all", f"--config={self.config}"]
        subprocess.run(command, check=True, capture_output=True)
        self.ended = threading.Event()
        self.kubelet = threading.Thread(target=self._watch, daemon=True)

    def documents(self, provider: dict[str, Any]) -> list[dict[str, Any]]:
        """What the module gets where the inventory has this provider."""
        authority = self.folder / "provider.crt"
        if provider:
            authority.write_text(provider["jwt"][0]["issuer"]["certificateAuthority"])
        mine = {
            "advertise-address": "127.0.0.1",
            "bind-address": "127.0.0.1",
            "disable-admission-plugins": "ServiceAccount",
            **oidc_arguments(provider, str(authority)),
        }
        pki = "/etc/kubernetes/pki"
        external = {
            "endpoints": [self.url],
            "caFile": f"{pki}/etcd/ca.crt",
            "certFile": f"{pki}/apiserver-etcd-client.crt",
            "keyFile": f"{pki}/apiserver-etcd-client.key",
        }
        endpoint = {"advertiseAddress": "192.0.2.1", "bindPort": self.port}
        return [
            {"kind": "InitConfiguration", "localAPIEndpoint": endpoint, "nodeRegistration": {"name": "cp-1"}},
            {
                "kind": "ClusterConfiguration",
                "kubernetesVersion": f"v{VERSION}",
                "apiServer": {"extraArgs": kubeadm_arguments(mine)},
                "etcd": {"external": external},
            },
        ]

    def start(self) -> None:
        """Start etcd, and the API server by its manifest."""
        super().start()
        self.processes.pop().kill()
        self.kubelet.start()
        wait(lambda: self._kubectl("get", "pod", POD, "--namespace=kube-system"), self.folder / "kube-apiserver.log")

    def stop(self) -> None:
        """End it all."""
        self.ended.set()
        self.kubelet.join(60)
        super().stop()

    def _watch(self) -> None:
        """Run what the manifest says, and report it, whenever there is another one."""
        runs = ""
        while not self.ended.wait(0.5):
            text = self.path.read_text() if self.path.exists() else runs
            if text == runs:
                continue
            if runs:
                api_server = self.processes.pop()
                api_server.terminate()
                api_server.wait(60)
            runs = text
            given = flags(text.replace("/etc/kubernetes", str(self.folder)))
            self._run(KUBERNETES / "kube-apiserver", *(f"--{name}={value}" for name, value in given.items()))
            while not self.ended.wait(0.5) and not self.ready():
                pass
            self._report(hashlib.sha256(text.encode()).hexdigest())

    def _report(self, number: str) -> None:
        names = {"name": POD, "namespace": "kube-system", "annotations": {control_plane.HASH: number}}
        container = {"name": "it", "image": "it"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": names, "spec": {"containers": [container]}}
        self._kubectl("delete", "pod", POD, "--namespace=kube-system", "--force", "--grace-period=0")
        self._kubectl("create", "--filename=-", stdin=json.dumps(pod))
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        path = f"/api/v1/namespaces/kube-system/pods/{POD}"
        found = subprocess.run([*self._command(), "get", f"--raw={path}"], check=False, capture_output=True)
        self._kubectl(
            "replace", f"--raw={path}/status", "--filename=-", stdin=json.dumps({**json.loads(found.stdout), **status})
        )

    def _command(self) -> list[str]:
        return [f"{KUBERNETES}/kubectl", f"--kubeconfig={self.folder}/admin.conf", f"--cache-dir={self.folder}/cache"]

    def _kubectl(self, *arguments: str, stdin: str = "") -> bool:
        command = [*self._command(), *arguments]
        return subprocess.run(command, input=stdin, check=False, capture_output=True, text=True).returncode == 0


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    (tmp_path / "issuer").mkdir()
    issuer = Issuer(tmp_path / "issuer")
    issuer.start()
    yield issuer
    issuer.stop()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    folder = tmp_path / "kubernetes"
    folder.mkdir()
    (tmp_path / "none").mkdir()
    made = ControlPlane(folder)
    monkeypatch.setattr(kubeadm, "FOLDER", str(folder))
    monkeypatch.setattr(kubeadm, "STAMP", str(made.stamp))
    monkeypatch.setattr(kubeadm, "PROCESSES", str(tmp_path / "none"))
    monkeypatch.setattr(container_exits, "POD_LOGS", str(tmp_path / "none"))
    monkeypatch.setattr(rollback, "KUBELET_FOLDER", str(tmp_path / "kubelet"))
    monkeypatch.setattr(control_plane, "LOGIN_SECONDS", 30)
    monkeypatch.setenv("PATH", f"{folder}/bin:{KUBERNETES}:{os.environ['PATH']}")
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_a_provider_is_proven_or_goes(host: ControlPlane, issuer: Issuer, run: Run) -> None:
    def apply(provider: dict[str, Any], **more: Any) -> dict[str, Any]:
        documents = host.documents(provider)
        token = issuer.token(**PROVIDED)
        content = kubeadm_config(documents, VERSION)
        given = {"config": str(host.config), "content": content, "documents": documents, "login_token": token, **more}
        result = run(kubeadm_init, **given)
        assert token not in json.dumps(result)
        return result

    without = host.path.read_text()
    refused = apply(issuer.configuration(audiences=["shop"]))
    assert refused["failed"], refused
    assert re.search("the token does not log in: .*expected audience", refused["msg"]), refused["msg"]
    assert refused["msg"].endswith("The former settings have been put back.")
    assert host.path.read_text() == without
    assert host.ready()

    # The steps after it need a kubelet and its node.
    taken = apply(issuer.configuration(), login_user="carol@example.com")
    assert "kubeadm init phase upload-config" in taken["msg"], taken
    kept = host.path.read_text()
    assert f"--oidc-issuer-url={issuer.url}" in kept

    elsewhere = apply(issuer.configuration(url=f"https://127.0.0.1:{free_port()}"))
    assert elsewhere["msg"].endswith("The former settings have been put back."), elsewhere
    assert host.path.read_text() == kept
