"""Which machines a real API server knows its nodes by."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / ".build" / "collections"))

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.registered_machines import (
    registered_machines,
)
from api_server import KUBERNETES, ApiServer

INFO = dict.fromkeys(
    (
        *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
        *("operatingSystem", "osImage"),
    ),
    "",
)


def test_machines_of_a_real_cluster(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what their kubelets have told; nothing where there is no cluster, or it does not answer."""
    monkeypatch.setenv("PATH", f"{KUBERNETES}:{os.environ['PATH']}")
    with patch_module_args({}):
        module = AnsibleModule(argument_spec={})
    for name in ("machine-1", "machine-2"):
        server.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    server.set_status("/api/v1/nodes/machine-1", {"nodeInfo": {**INFO, "machineID": "abc", "systemUUID": "ABCD-1"}})
    found = [one for one in registered_machines(module, str(server.kubeconfig)) if one["name"].startswith("machine-")]
    assert found == [
        {"name": "machine-1", "machine_id": "abc", "product_uuid": "abcd-1"},
        {"name": "machine-2", "machine_id": "", "product_uuid": ""},
    ]
    assert registered_machines(module, str(tmp_path / "none.conf")) == []
    (tmp_path / "dead.conf").write_text(server.kubeconfig.read_text().replace(server.url, "https://127.0.0.1:1"))
    assert registered_machines(module, str(tmp_path / "dead.conf")) == []
