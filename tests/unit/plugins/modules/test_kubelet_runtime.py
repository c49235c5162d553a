"""The module kubelet_runtime, on real files in a temporary folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm
from ansible_collections.groundwork.kubernetes.plugins.modules import kubelet_runtime

NEW = "unix:///run/containerd/containerd.sock"
DOCKER = (
    'KUBELET_KUBEADM_ARGS="--network-plugin=cni --pod-infra-container-image=k8s.gcr.io/pause:3.2 --node-ip=192.0.2.1"\n'
)
CRIO = 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///var/run/crio/crio.sock --node-ip=192.0.2.1"\n'
STAMP = [
    {"kind": "InitConfiguration", "nodeRegistration": {"name": "a", "criSocket": "/var/run/dockershim.sock"}},
    {"kind": "ClusterConfiguration", "secret": "hunter2"},
]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Callable[..., Any]) -> Callable[..., Any]:
    for name, file in (("ARGUMENTS", "flags.env"), ("INSTANCE", "instance.yaml")):
        monkeypatch.setattr(kubelet_runtime, name, str(tmp_path / file))
    monkeypatch.setattr(kubeadm, "STAMP", str(tmp_path / "stamp.json"))
    return lambda version, **options: run_module(
        kubelet_runtime, socket=NEW, version=version, _ansible_diff=True, **options
    )


@pytest.mark.parametrize(
    ("before", "version", "after"),
    [
        (
            DOCKER,
            "1.20.2",
            f"--container-runtime=remote --container-runtime-endpoint={NEW} "
            "--pod-infra-container-image=k8s.gcr.io/pause:3.2 --node-ip=192.0.2.1",
        ),
        (CRIO, "1.24.0", f"--container-runtime-endpoint={NEW} --node-ip=192.0.2.1"),
        (
            CRIO.replace("--container", "--container-runtime=remote --container", 1),
            "1.23.1",
            f"--container-runtime=remote --container-runtime-endpoint={NEW} --node-ip=192.0.2.1",
        ),
    ],
)
def test_flags(tmp_path: Path, node: Callable[..., Any], before: str, version: str, after: str) -> None:
    flags, stamp = tmp_path / "flags.env", tmp_path / "stamp.json"
    flags.write_text(before)
    stamp.write_text(json.dumps(STAMP))
    stamp.chmod(0o600)
    checked = node(version, _ansible_check_mode=True)
    assert (checked["changed"], flags.read_text()) == (True, before)
    result = node(version)
    assert flags.read_text() == f'KUBELET_KUBEADM_ARGS="{after}"\n'
    assert json.loads(stamp.read_text())[0]["nodeRegistration"] == {"name": "a", "criSocket": NEW}
    assert stamp.stat().st_mode & 0o777 == 0o600
    assert result["files"] == [str(flags), str(stamp)]
    assert "hunter2" not in json.dumps(result["diff"])
    assert not node(version)["changed"]


def test_a_file_of_its_own_names_the_socket(tmp_path: Path, node: Callable[..., Any]) -> None:
    flags, instance = tmp_path / "flags.env", tmp_path / "instance.yaml"
    flags.write_text('KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1"\n')
    instance.write_text("apiVersion: v1\ncontainerRuntimeEndpoint: unix:///var/run/crio/crio.sock\nkind: K\n")
    assert node("1.36.5")["files"] == [str(instance)]
    assert instance.read_text() == f"apiVersion: v1\ncontainerRuntimeEndpoint: {NEW}\nkind: K\n"
    assert not node("1.36.5")["changed"]


def test_a_host_without_a_node(node: Callable[..., Any]) -> None:
    assert node("1.36.5")["files"] == []
