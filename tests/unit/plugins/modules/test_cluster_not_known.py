"""A check on a host of a cluster that cannot be asked: nothing is called new because it could not be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import (
    cluster_info,
    encryption_rewrite,
    kubelet_certificates,
    manifest,
    node,
    node_info,
    rollout_restart,
)

SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "shop"}}
WORKER = {"name": "worker-1", "addresses": ["192.0.2.21"]}


@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize(
    ("module", "options", "new"),
    [
        (node, {"name": "worker-1", "labels": {"a": "b"}}, True),
        (node, {"name": "worker-1", "state": "absent"}, False),
        (cluster_info, {}, False),
        (node_info, {"names": ["worker-1"], "wait_for": ["ready"]}, False),
        (manifest, {"objects": [SETTINGS]}, True),
        (rollout_restart, {"namespaces": ["kube-system"]}, False),
        (encryption_rewrite, {"resources": ["secrets"]}, False),
        (kubelet_certificates, {"nodes": [WORKER]}, True),
    ],
)
def test_check(
    run_module: Callable[..., dict[str, Any]],
    tmp_path: Path,
    *,
    joined: bool,
    module: ModuleType,
    options: dict[str, Any],
    new: bool,
) -> None:
    if joined:
        (tmp_path / "kubelet.conf").touch()
    result = run_module(module, **options, kubeconfig=str(tmp_path / "admin.conf"), _ansible_check_mode=True)
    assert (result.get("failed", False), result["changed"]) == (False, new and not joined)
    if module is cluster_info:
        assert result["exists"] is joined
    if module is node_info:
        assert (result["answered"], result["known"], result["nodes"]) == (False, not joined, [])
