"""A check on a host of a cluster that cannot be asked: nothing is called new because it could not be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import (
    cluster_info,
    cluster_status,
    drain,
    encryption_rewrite,
    kubelet_certificates,
    manifest,
    node,
    node_info,
    out_of_service,
    rollout_restart,
    user,
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
    if module is node:
        assert (result["known"], "it is not known what would change on worker-1" in result.get("msg", "")) == (
            not joined,
            joined,
        )
    if module is cluster_info:
        assert result["exists"] is joined
    if module is node_info:
        assert (result["answered"], result["known"], result["nodes"]) == (False, not joined, [])


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("module", "options"),
    [
        (drain, {"name": "worker-1"}),
        (drain, {"name": "worker-1", "state": "uncordoned"}),
        (out_of_service, {"name": "worker-1"}),
        (cluster_status, {"absent": ["cp-1"]}),
        (user, {"accounts": []}),
    ],
)
def test_work_on_a_cluster_needs_one(
    run_module: Callable[..., dict[str, Any]],
    tmp_path: Path,
    *,
    check: bool,
    module: ModuleType,
    options: dict[str, Any],
) -> None:
    """A check without it would say that nothing is to be done."""
    place = str(tmp_path / "admin.conf")
    result = run_module(module, **options, kubeconfig=place, _ansible_check_mode=check)
    assert (result.get("failed"), "There is no cluster that this host can ask" in result["msg"]) == (True, True)
