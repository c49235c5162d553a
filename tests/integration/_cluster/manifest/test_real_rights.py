"""The administrator's rights in RBAC are lost, on a real API server: a check says so, and what it does not know."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.repair import ADMINISTRATORS, RIGHTS
from ansible_collections.groundwork.kubernetes.plugins.modules import (
    cluster_info,
    encryption_rewrite,
    kubeadm_token,
    kubelet_certificates,
    manifest,
    node,
    node_info,
    rollout_restart,
)
from api_server import KUBERNETES, ApiServer
from real_etcd import Run

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "of-rights"}}
READERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "cluster_info": (cluster_info, {"wait_timeout": 0}),
    "encryption_rewrite": (encryption_rewrite, {"resources": ["secrets"]}),
    "kubeadm_token": (kubeadm_token, {"nodes": ["w-1"]}),
    "kubelet_certificates": (
        kubelet_certificates,
        {"nodes": [{"name": "w-1", "addresses": ["192.0.2.7"]}], "ca": __file__},
    ),
    "manifest": (manifest, {"objects": [NAMESPACE]}),
    "node": (node, {"name": "w-1", "labels": {"a": "b"}}),
    "node that goes": (node, {"name": "w-1", "state": "absent"}),
    "node_info": (node_info, {"names": ["w-1"]}),
    "rollout_restart": (rollout_restart, {"namespaces": ["kube-system"]}),
}


@pytest.fixture
def admin(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A kubeconfig as kubeadm writes it from Kubernetes 1.29 on: its rights are a binding in the cluster, and lost."""
    monkeypatch.setenv("PATH", f"{KUBERNETES}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    config = json.loads(server.kubeconfig.read_text())
    config["users"][0]["user"] |= {"as": "kubernetes-admin", "as-groups": [ADMINISTRATORS, "system:authenticated"]}
    path = tmp_path / "admin.conf"
    path.write_text(json.dumps(config))
    yield path
    command = [*server.kubectl, "delete", "clusterrolebinding", ADMINISTRATORS, "--ignore-not-found"]
    subprocess.run(command, check=True, capture_output=True)


def bind(server: ApiServer, role: str) -> None:
    binding = json.loads(json.dumps(RIGHTS["items"][1]))
    binding["roleRef"]["name"] = role
    server.create(binding)


@pytest.mark.parametrize("reader", READERS)
def test_a_check_says_that_the_rest_is_not_known(
    server: ApiServer, run: Run, admin: Path, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text, **_more: warned.append(text))
    module, options = READERS[reader]
    given = {**options, "kubeconfig": str(admin)}
    if reader == "kubelet_certificates":
        given["ca"] = f"{server.folder}/certs/apiserver.crt"
    checked = run(module, **given, _ansible_check_mode=True)
    assert not checked.get("failed"), checked
    assert "may not do everything; the playbook site gives the rights again" in str(warned)
    if reader != "kubeadm_token":  # which makes one in every run
        assert checked["changed"] is False
        assert "Forbidden" in run(module, **given)["msg"]
    bind(server, "cluster-admin")
    warned.clear()
    run(module, **given, _ansible_check_mode=True)
    assert "not known" not in str(warned)


def test_whether_an_administrator_may_do_everything(server: ApiServer, admin: Path, tmp_path: Path) -> None:
    with patch_module_args({}):
        kubectl = Kubectl(AnsibleModule({}), str(admin))
    assert api.may_everything(kubectl) is False
    bind(server, "not-there")  # the answer has a reason then
    assert api.may_everything(kubectl) is False
    subprocess.run([*server.kubectl, "delete", "clusterrolebinding", ADMINISTRATORS], check=True, capture_output=True)
    bind(server, "cluster-admin")
    assert api.may_everything(kubectl) is True
    (tmp_path / "dead.conf").write_text(admin.read_text().replace(server.url, "https://127.0.0.1:1"))
    with patch_module_args({}), pytest.raises(KubectlError, match=re.escape("127.0.0.1:1")):
        api.may_everything(Kubectl(AnsibleModule({}), str(tmp_path / "dead.conf")))
