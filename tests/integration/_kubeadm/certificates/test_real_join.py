"""Hosts join in the middle of a rotation of the authority: a real kubeadm join, cut off where it awaits the kubelet.

What the kubelet then does, the test does: it asks for a certificate, which a real controller manager signs.
"""

# ruff: noqa: D103

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import node_state
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.ca_rotation import read_authorities
from ansible_collections.groundwork.kubernetes.plugins.modules import (
    ca_rotation,
    ca_rotation_cluster,
    ca_rotation_info,
    kubeadm_token,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from real_control_plane import KUBERNETES, NEEDS, Host
from real_etcd import Run, wait

pytestmark = NEEDS
PEM = serialization.Encoding.PEM
JOIN = """apiVersion: kubeadm.k8s.io/v1beta2
kind: JoinConfiguration
nodeRegistration: {{name: {name}, criSocket: /run/none.sock}}
discovery: {{file: {{kubeConfigPath: {discovery}}}}}
"""
# Without systemctl in sight, kubeadm leaves this machine's kubelet alone.
JOINS = (
    "mount -t tmpfs none /etc && mkdir /etc/kubernetes && mount --bind {folder} /etc/kubernetes "
    "&& mount -t tmpfs none /var/lib && PATH=/none exec {kubeadm} join phase kubelet-start --config={folder}/join.yaml"
)


def kubectl(host: Host, kubeconfig: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    options = [f"--server=https://127.0.0.1:{host.port}", "--tls-server-name=kubernetes"]
    command = [KUBERNETES / "kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={host.folder}/cache", *options]
    return subprocess.run([*command, *arguments], input=stdin, check=False, capture_output=True, text=True)


class Worker:
    """A host's folder, in which kubeadm join was cut off."""

    def __init__(self, host: Host, run: Run, name: str) -> None:
        self.host, self.name, self.folder = host, name, host.folder / name
        self.folder.mkdir()
        token = run(kubeadm_token, kubeconfig=str(host.local("admin.conf")))
        discovery = json.loads(token["kubeconfig"])
        discovery["clusters"][0]["cluster"] |= {
            "server": f"https://127.0.0.1:{host.port}",
            "tls-server-name": "kubernetes",
        }
        path = self.folder / "discovery.conf"
        path.write_text(json.dumps(discovery))
        (self.folder / "join.yaml").write_text(JOIN.format(name=name, discovery=path))
        command = ["unshare", "--mount", "sh", "-c", JOINS.format(folder=self.folder, kubeadm=KUBERNETES / "kubeadm")]
        log = self.folder / "join.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(command, stdout=stream, stderr=stream)
        self.bootstrap, self.authorities = self.folder / "bootstrap-kubelet.conf", self.folder / "pki" / "ca.crt"
        wait(lambda: self.authorities.exists() or process.poll() is not None, log)
        time.sleep(1)
        process.kill()
        process.wait(30)
        assert self.bootstrap.exists(), log.read_text()

    def kubelet(self) -> Path:
        """The kubelet's kubeconfig, with a certificate that it has asked for."""
        key = ec.generate_private_key(ec.SECP256R1())
        pairs = (NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, f"system:node:{self.name}")
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in pairs])
        asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
        spec = {
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "key encipherment", "client auth"],
            "request": base64.b64encode(asked.public_bytes(PEM)).decode(),
        }
        kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
        item = json.dumps({**kind, "metadata": {"name": self.name}, "spec": spec})
        said = kubectl(self.host, self.bootstrap, "create", "--filename=-", "--validate=false", stdin=item)
        assert said.returncode == 0, said
        assert kubectl(self.host, self.host.folder / "admin.conf", "certificate", "approve", self.name).returncode == 0
        signed = self.folder / "kubelet.pem"

        def issued() -> bool:
            read = ["get", "csr", self.name, "--output=jsonpath={.status.certificate}"]
            text = kubectl(self.host, self.host.folder / "admin.conf", *read).stdout
            private = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            signed.write_bytes(base64.b64decode(text) + private)
            return bool(text)

        wait(issued, self.host.folder / "kube-controller-manager.log")
        config = json.loads(kubectl(self.host, self.bootstrap, "config", "view", "--raw", "--output=json").stdout)
        config["users"][0]["user"] = {"client-certificate": str(signed), "client-key": str(signed)}
        path = self.folder / "asked.conf"
        path.write_text(json.dumps(config))
        return path


def serve(host: Host) -> None:
    host.stop()
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")
    host.manager()


def test_hosts_join_in_the_middle(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{host.folder}/bin:{KUBERNETES}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(host.folder))
    monkeypatch.setattr(api, "CHECK_TIMEOUT", 60)
    serve(host)
    name = socket.gethostname().lower()
    node = {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}  # kubeadm notes the runtime there
    text = json.dumps({"apiVersion": "v1", "kind": "Node", **node})
    assert kubectl(host, host.folder / "admin.conf", "create", "--filename=-", stdin=text).returncode == 0
    phases = ("upload-config all", "bootstrap-token")
    for phase in phases:
        host.kubeadm(
            "init", "phase", *phase.split(), f"--config={host.config}", f"--kubeconfig={host.local('admin.conf')}"
        )
    made = run(ca_rotation, stage="create", config=str(host.config))
    new = {"authority": made["authority"], "config": str(host.config)}
    old, following = (run(ca_rotation_info)["state"][name][0]["fingerprint"] for name in ("authorities", "next"))
    kubelets = {}
    for stage, order in (("trust", [old, following]), ("issue", [following, old])):
        assert run(ca_rotation, stage=stage, **new)["changed"]
        serve(host)
        both = (host.pki / "ca.crt").read_text()
        published = run(
            ca_rotation_cluster,
            state="published",
            authorities=both,
            kubeconfig=str(host.local("admin.conf")),
        )
        assert published.get("changed"), published
        worker = Worker(host, run, f"after-{stage}")
        assert [one.fingerprint for one in read_authorities(worker.authorities.read_bytes())] == order
        # Nobody has marked it, as the test began it.
        state = node_state(str(worker.folder))
        assert (state.role, state.interrupted) == ("none", "join")
        kubelets[stage] = worker.kubelet()
    nodes = ("get", "--raw=/api/v1/nodes")
    assert {stage: kubectl(host, path, *nodes).returncode for stage, path in kubelets.items()} == dict.fromkeys(
        kubelets, 0
    )
    assert run(ca_rotation, stage="drop", **new)["changed"]
    serve(host)
    # What the old authority signed is good no more; the stage issue has such kubelets ask anew.
    assert {stage: kubectl(host, path, *nodes).returncode for stage, path in kubelets.items()} == {
        "trust": 1,
        "issue": 0,
    }
