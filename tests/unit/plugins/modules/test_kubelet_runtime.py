"""The module kubelet_runtime, on real files in a temporary folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_config import kubeadm_config
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import running_settings
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, apply_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm
from ansible_collections.groundwork.kubernetes.plugins.modules import kubelet_runtime

NEW = "unix:///run/containerd/containerd.sock"
DOCKER = (
    'KUBELET_KUBEADM_ARGS="--network-plugin=cni --pod-infra-container-image=k8s.gcr.io/pause:3.2 --node-ip=192.0.2.1"\n'
)
CRIO = 'KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///var/run/crio/crio.sock --node-ip=192.0.2.1"\n'
INSTANCE = "containerRuntimeEndpoint: unix:///var/run/crio/crio.sock"
STAMP = [
    {"kind": "InitConfiguration", "nodeRegistration": {"name": "a", "criSocket": "/var/run/dockershim.sock"}},
    {"kind": "ClusterConfiguration", "secret": "hunter2"},
]


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module: Callable[..., Any]) -> Callable[..., Any]:
    for name, file in (("ARGUMENTS", "flags.env"), ("INSTANCE", "instance.yaml")):
        monkeypatch.setattr(kubelet_runtime, name, str(tmp_path / file))
    for name, file in (("STAMP", "stamp.json"), ("CONFIG", "kubeadm.yaml")):
        monkeypatch.setattr(kubeadm, name, str(tmp_path / file))
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
    assert result["files"] == [str(stamp), str(flags)]
    assert "hunter2" not in json.dumps(result["diff"])
    assert not node(version)["changed"]


def test_a_file_of_its_own_names_the_socket(tmp_path: Path, node: Callable[..., Any]) -> None:
    flags, instance = tmp_path / "flags.env", tmp_path / "instance.yaml"
    flags.write_text('KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1"\n')
    instance.write_text(f"apiVersion: v1\n{INSTANCE}\nkind: K\n")
    assert node("1.36.5")["files"] == [str(instance)]
    assert instance.read_text() == f"apiVersion: v1\ncontainerRuntimeEndpoint: {NEW}\nkind: K\n"
    assert not node("1.36.5")["changed"]


def test_a_control_plane_is_left_as_site_would_write_it(tmp_path: Path, node: Callable[..., Any]) -> None:
    def configuration(socket: str) -> str:
        registration = {"name": "a", "criSocket": socket, "kubeletExtraArgs": [{"name": "v", "value": 2}]}
        token = {"token": "abcdef.0123456789abcdef", "ttl": "10m0s"}
        documents = [
            {"kind": "InitConfiguration", "bootstrapTokens": [token], "nodeRegistration": registration},
            {"kind": "ClusterConfiguration", "kubernetesVersion": "v1.20.2"},
            {"kind": "KubeletConfiguration", "cgroupDriver": "systemd"},
        ]
        return kubeadm_config(documents, "1.20.2")

    config = tmp_path / "kubeadm.yaml"
    config.write_text(configuration("/var/run/dockershim.sock"))
    config.chmod(0o600)
    checked = node("1.20.2", _ansible_check_mode=True)
    assert (checked["files"], config.read_text()) == ([str(config)], configuration("/var/run/dockershim.sock"))
    result = node("1.20.2")
    assert (config.read_text(), config.stat().st_mode & 0o777) == (configuration(NEW), 0o600)
    (shown,) = result["diff"]
    assert (shown["before"], shown["after"]) == (
        "  criSocket: /var/run/dockershim.sock\n",
        f"  criSocket: {NEW}\n",
    )
    assert checked["diff"] == result["diff"]
    assert not node("1.20.2")["changed"]


def test_a_write_that_is_cut_off_is_done_again(
    tmp_path: Path, node: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / name for name in ("flags.env", "instance.yaml", "stamp.json", "kubeadm.yaml")]
    for file, text in zip(files, (CRIO, f"{INSTANCE}\n", json.dumps(STAMP), "nodeRegistration:\n  criSocket: x\n")):
        file.write_text(text)
    written: list[str] = []

    def cut_off(module: Any, change: FileChange) -> None:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(change.path)
        apply_file(module, change)

    monkeypatch.setattr(kubelet_runtime, "apply_file", cut_off)
    with pytest.raises(KeyboardInterrupt):
        node("1.36.5")
    read = {running_settings.ARGUMENTS: files[0].read_text(), running_settings.INSTANCE: files[1].read_text()}
    assert running_settings.runtime_socket(lambda path: read.get(path, "")) == "unix:///var/run/crio/crio.sock"
    assert len(written) == 3


def test_a_host_without_a_node(node: Callable[..., Any]) -> None:
    assert node("1.36.5")["files"] == []


def test_what_was_applied_is_damaged(tmp_path: Path, node: Callable[..., Any]) -> None:
    files = [tmp_path / "stamp.json", tmp_path / "flags.env"]
    files[0].write_text("[{")
    files[1].write_text('KUBELET_KUBEADM_ARGS="--container-runtime-endpoint=unix:///old.sock"\n')
    before = [path.read_text() for path in files]
    result = node("1.36.5")
    assert (result["failed"], "is damaged" in result["msg"]) == (True, True)
    assert [path.read_text() for path in files] == before
