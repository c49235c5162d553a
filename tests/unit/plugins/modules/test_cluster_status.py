"""The module cluster_status against a played kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.cluster_status import without
from ansible_collections.groundwork.kubernetes.plugins.modules import cluster_status

Run = Callable[..., dict[str, Any]]

TEXT = """apiEndpoints:
  cp-1:
    advertiseAddress: 192.0.2.1
    bindPort: 6443
  cp-2.example.org:
    advertiseAddress: 192.0.2.2
    bindPort: 6443
  "3":
    advertiseAddress: 192.0.2.3
    bindPort: 6443
apiVersion: kubeadm.k8s.io/v1beta2
kind: ClusterStatus
"""


@pytest.mark.parametrize(
    ("names", "removed", "left"),
    [
        (["cp-1"], ["cp-1"], ["cp-2.example.org", '"3"']),
        (["3", "cp-2.example.org"], ["cp-2.example.org", "3"], ["cp-1"]),
        (["cp", "advertiseAddress", "kind"], [], ["cp-1", "cp-2.example.org", '"3"']),
    ],
)
def test_without(names: list[str], removed: list[str], left: list[str]) -> None:
    text, gone = without(TEXT, names)
    assert (gone, [line.strip(" :") for line in text.splitlines() if line.endswith(":")][1:]) == (removed, left)
    assert text.count("bindPort") == len(left)
    assert text.endswith("apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterStatus\n")


@pytest.mark.parametrize("text", ["", "kind: ClusterStatus\n", "apiEndpoints: {}\n"])
def test_without_a_list(text: str) -> None:
    assert without(text, ["cp-1"]) == (text, [])


class Server:
    """The ConfigMap as kubectl shows and patches it."""

    def __init__(self, data: dict[str, str]) -> None:
        self.object: dict[str, Any] = {"metadata": {"resourceVersion": "7"}, "data": data}
        self.patches: list[dict[str, Any]] = []
        self.conflicts = 0

    def run_command(self, argv: list[str], **_options: Any) -> tuple[int, str, str]:
        call = argv[3:]
        assert call[1:4] == ["configmap", "kubeadm-config", "--namespace=kube-system"]
        if call[0] == "patch":
            if self.conflicts:
                self.conflicts -= 1
                return 1, "", "Error from server (Conflict): Operation cannot be fulfilled"
            patch = json.loads(call[5].partition("=")[2])
            self.patches.append(patch)
            self.object["data"].update(patch["data"])
        return 0, json.dumps(self.object), ""


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Server]:
    monkeypatch.setattr(cluster_status, "require_cluster", lambda *_arguments: None)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _module, name, *_more, **_options: f"/usr/bin/{name}")

    def it(**data: str) -> Server:
        server = Server(data)
        monkeypatch.setattr(AnsibleModule, "run_command", server.run_command)
        return server

    return it


def test_it_is_taken_off_the_list(run_module: Run, serve: Callable[..., Server]) -> None:
    server = serve(ClusterStatus=TEXT, ClusterConfiguration="kept")
    foreseen = run_module(cluster_status, absent=["cp-1"], _ansible_check_mode=True, _ansible_diff=True)
    assert (foreseen["changed"], foreseen["removed"], server.patches) == (True, ["cp-1"], [])
    server.conflicts = 1
    result = run_module(cluster_status, absent=["cp-1"], _ansible_diff=True)
    assert (result["changed"], result["removed"], result["diff"]) == (True, ["cp-1"], foreseen["diff"])
    assert [patch["metadata"] for patch in server.patches] == [{"resourceVersion": "7"}]
    assert server.object["data"] == {"ClusterStatus": without(TEXT, ["cp-1"])[0], "ClusterConfiguration": "kept"}
    again = run_module(cluster_status, absent=["cp-1"])
    assert (again["changed"], again["removed"], len(server.patches)) == (False, [], 1)


def test_newer_versions_have_no_list(run_module: Run, serve: Callable[..., Server]) -> None:
    serve(ClusterConfiguration="")
    assert run_module(cluster_status, absent=["cp-1"])["changed"] is False


def test_a_conflict_that_stays(run_module: Run, serve: Callable[..., Server]) -> None:
    serve(ClusterStatus=TEXT).conflicts = 9
    assert "(Conflict)" in run_module(cluster_status, absent=["cp-1"])["msg"]
