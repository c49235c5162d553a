"""The modules node and node_info against a played kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api, leases
from ansible_collections.groundwork.kubernetes.plugins.modules import node, node_info

Run = Callable[..., dict[str, Any]]

TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


def make(name: str, ready: bool = True) -> dict[str, Any]:
    condition = {"type": "Ready", "status": "True" if ready else "False", "message": "cni plugin not initialized"}
    return {
        "metadata": {"name": name, "resourceVersion": "7", "labels": {"a": "1"}},
        "spec": {"podCIDR": "10.244.1.0/24"},
        "status": {"conditions": [condition], "addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
    }


class Server:
    """Nodes as kubectl shows and patches them."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = str(kubeconfig)
        self.nodes = {name: make(name) for name in ("w1", "w2")}
        self.calls: list[list[str]] = []
        self.conflicts = 0
        self.leases: dict[str, list[str]] = {}  # the times that a lease has, one for each look; the last one stays

    def run_command(self, argv: list[str]) -> tuple[int, str, str]:
        assert argv[:3] == ["/usr/bin/kubectl", f"--kubeconfig={self.kubeconfig}", "--request-timeout=60s"]
        call = argv[3:]
        self.calls.append(call)
        if call == ["get", "nodes", "--output=json"]:
            return 0, json.dumps({"items": list(self.nodes.values())}), ""
        if call[:2] == ["get", "leases"]:
            assert call[3:] == ["--namespace=kube-node-lease", "--output=json"]
            return self.lease(call[2])
        if call[:2] == ["delete", "nodes"]:
            for gone in call[2:-2]:
                del self.nodes[gone]
            return 0, "", ""
        name = call[2]
        if name not in self.nodes:
            return 1, "", f'Error from server (NotFound): nodes "{name}" not found'
        if call[0] == "patch":
            if self.conflicts:
                self.conflicts -= 1
                return 1, "", 'Error from server (Conflict): Operation cannot be fulfilled on nodes "w1"'
            self.merge(self.nodes[name], json.loads(call[4].partition("=")[2]))
        return 0, json.dumps(self.nodes[name]), ""

    def lease(self, name: str) -> tuple[int, str, str]:
        times = self.leases.get(name)
        if not times:
            return 1, "", f'Error from server (NotFound): leases "{name}" not found'
        return 0, json.dumps({"spec": {"renewTime": times.pop(0) if len(times) > 1 else times[0]}}), ""

    def merge(self, target: dict[str, Any], patch: dict[str, Any]) -> None:
        for key, value in patch.items():
            if isinstance(value, dict):
                self.merge(target.setdefault(key, {}), value)
            elif value is None:
                target.pop(key, None)
            else:
                target[key] = value

    def patches(self) -> list[list[str]]:
        return [call for call in self.calls if call[0] == "patch"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    played = Server(tmp_path / "admin.conf")
    Path(played.kubeconfig).touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/bin/kubectl")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, argv, data=None, **_options: played.run_command(argv)
    )
    monkeypatch.setattr(api, "INTERVAL", 0)
    monkeypatch.setattr(leases, "WATCH", 1.0)
    monkeypatch.setattr(leases, "PAUSE", 0.01)
    return played


def patch(name: str, content: dict[str, Any]) -> list[str]:
    options = ["--field-manager=groundwork", "--output=json"]
    return ["patch", "node", name, "--type=merge", f"--patch={json.dumps(content)}", *options]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"labels": {"a": "1"}}, None),
        ({"labels": {"b": True}}, {"metadata": {"labels": {"b": "true"}}}),
        ({"labels": {"a": None}}, {"metadata": {"labels": {"a": None}}}),
        ({"taints": [TAINT]}, {"metadata": {"resourceVersion": "7"}, "spec": {"taints": [TAINT]}}),
        (
            {"taints": [{"key": "k", "value": True, "effect": "NoSchedule"}]},
            {
                "metadata": {"resourceVersion": "7"},
                "spec": {"taints": [{"key": "k", "value": "true", "effect": "NoSchedule"}]},
            },
        ),
        ({"taints_absent": [{"key": "k"}]}, None),
        ({"unschedulable": True}, {"spec": {"unschedulable": True}}),
        ({"unschedulable": False}, None),
    ],
)
def test_one_node(run_module: Run, server: Server, options: dict[str, Any], expected: dict[str, Any] | None) -> None:
    arguments = {"name": "w1", "kubeconfig": server.kubeconfig, **options}
    foreseen = run_module(node, **arguments, _ansible_check_mode=True, _ansible_diff=True)
    assert server.patches() == []
    result = run_module(node, **arguments, _ansible_diff=True)
    assert server.patches() == ([patch("w1", expected)] if expected else [])
    assert server.calls[0] == ["get", "nodes", "w1", "--output=json"]
    assert result["changed"] == foreseen["changed"] == bool(expected)
    assert result["diff"] == foreseen["diff"]
    assert result["nodes"] == foreseen["nodes"]
    again = run_module(node, **arguments, _ansible_check_mode=True)
    assert not again["changed"]


def test_many_nodes_are_read_at_once(run_module: Run, server: Server) -> None:
    desired = [{"name": "w1", "unschedulable": True}, {"name": "w2", "labels": {"a": "1"}}]
    result = run_module(node, nodes=desired, kubeconfig=server.kubeconfig)
    assert server.calls == [["get", "nodes", "--output=json"], patch("w1", {"spec": {"unschedulable": True}})]
    assert result["changed_nodes"] == ["w1"]
    assert [item["name"] for item in result["nodes"]] == ["w1", "w2"]


def test_diff_shows_only_what_was_asked_for(run_module: Run, server: Server) -> None:
    result = run_module(node, name="w1", labels={"b": "2"}, kubeconfig=server.kubeconfig, _ansible_diff=True)
    assert result["diff"] == [
        {
            "before_header": "node w1",
            "after_header": "node w1",
            "before": '{\n  "labels": {}\n}\n',
            "after": '{\n  "labels": {\n    "b": "2"\n  }\n}\n',
        }
    ]


def test_a_missing_node_stops_all_changes(run_module: Run, server: Server) -> None:
    desired = [{"name": "w1", "unschedulable": True}, {"name": "w3", "unschedulable": True}]
    result = run_module(node, nodes=desired, kubeconfig=server.kubeconfig)
    assert result["failed"]
    assert "not registered in the cluster: w3;" in result["msg"]
    assert server.patches() == []


def test_a_missing_node_counts_as_changed_in_check_mode(run_module: Run, server: Server) -> None:
    options = {"name": "w3", "labels": {"a": "1"}, "kubeconfig": server.kubeconfig}
    result = run_module(node, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    assert result["nodes"] == []
    assert '"a": "1"' in result["diff"][0]["after"]


@pytest.mark.parametrize(("conflicts", "failed"), [(1, False), (node.ATTEMPTS, True)])
def test_a_node_that_changes_meanwhile_is_read_again(
    run_module: Run, server: Server, conflicts: int, failed: bool
) -> None:
    server.conflicts = conflicts
    result = run_module(node, name="w1", taints=[TAINT], kubeconfig=server.kubeconfig)
    assert result.get("failed", False) == failed
    assert len(server.patches()) == (node.ATTEMPTS if failed else 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": [{"name": "w1"}, {"name": "w1"}]}, "names w1 more than once"),
        ({"name": "w1", "taints": [TAINT], "taints_absent": [{"key": "k"}]}, "in taints and in taints_absent"),
        ({}, "one of the following is required: name, nodes"),
        ({"name": "w1", "taints": [{"key": "k", "effect": "No"}]}, "value of effect must be one of"),
    ],
)
def test_bad_options(run_module: Run, server: Server, options: dict[str, Any], message: str) -> None:
    result = run_module(node, **options, kubeconfig=server.kubeconfig)
    assert result["failed"]
    assert message in result["msg"]
    assert server.calls == []


@pytest.mark.parametrize("module", [node, node_info])
def test_host_without_a_cluster(run_module: Run, server: Server, tmp_path: Path, module: Any) -> None:
    options = {
        "kubeconfig": str(tmp_path / "none"),
        **({"name": "w1", "unschedulable": True} if module is node else {}),
    }
    result = run_module(module, **options, _ansible_check_mode=True)
    assert result["nodes"] == []
    assert result["changed"] == (module is node)
    assert "there is no kubeconfig at" in run_module(module, **options)["msg"]
    assert server.calls == []


def test_info_returns_all_nodes_in_order(run_module: Run, server: Server) -> None:
    server.nodes = {name: make(name) for name in ("b", "a")}
    result = run_module(
        node_info, names=["b"], wait_for=["pod_cidr", "internal_ip", "ready"], kubeconfig=server.kubeconfig
    )
    assert not result["changed"]
    assert [(item["name"], item["pod_cidrs"], item["ready"]) for item in result["nodes"]] == [
        ("a", ["10.244.1.0/24"], True),
        ("b", ["10.244.1.0/24"], True),
    ]


def test_info_waits(run_module: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.nodes["w1"] = make("w1", ready=False)

    def later(_seconds: float) -> None:
        server.nodes["w1"] = make("w1")

    monkeypatch.setattr(api.time, "sleep", later)
    result = run_module(node_info, wait_for=["ready"], timeout=60, kubeconfig=server.kubeconfig)
    assert all(item["ready"] for item in result["nodes"])
    assert len(server.calls) == 2


@pytest.mark.parametrize("check_mode", [True, False])
def test_info_names_every_fault(run_module: Run, server: Server, check_mode: bool) -> None:
    server.nodes["w1"] = make("w1", ready=False)
    options = {"names": ["w1", "w9"], "wait_for": ["ready"], "timeout": 0, "kubeconfig": server.kubeconfig}
    result = run_module(node_info, **options, _ansible_check_mode=check_mode)
    if check_mode:
        assert len(result["nodes"]) == 2
    else:
        assert result["msg"] == (
            "after 0 seconds: node w1 is not ready: cni plugin not initialized; "
            "node w9 is not registered: see its kubelet's log"
        )


def test_info_survives_a_short_silence_of_the_server(
    run_module: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [(1, "", "Unable to connect to the server: EOF")]
    monkeypatch.setattr(
        AnsibleModule,
        "run_command",
        lambda _self, argv, data=None, **_options: answers.pop() if answers else server.run_command(argv),
    )
    assert len(run_module(node_info, timeout=60, kubeconfig=server.kubeconfig)["nodes"]) == 2


def test_absent(run_module: Run, server: Server) -> None:
    server.leases["w2"] = ["10:00:00"]
    options = {"kubeconfig": server.kubeconfig, "state": "absent", "nodes": [{"name": "w2"}, {"name": "w9"}]}
    foreseen = run_module(node, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert (foreseen["changed"], foreseen["changed_nodes"]) == (True, ["w2"])
    assert [part["before_header"] for part in foreseen["diff"]] == ["node w2"]
    assert "w2" in server.nodes
    assert run_module(node, **options)["changed_nodes"] == ["w2"]
    assert server.calls[-1] == ["delete", "nodes", "w2", "--ignore-not-found", "--wait=false"]
    assert set(server.nodes) == {"w1"}
    assert run_module(node, **options)["changed"] is False


@pytest.mark.parametrize(
    ("status", "times", "alive"),
    [
        ("True", ["10:00:00"], False),  # it stopped, and the cluster has not noticed
        ("True", ["10:00:00", "10:00:00", "10:00:10"], True),
        ("False", ["10:00:00", "10:00:10"], True),  # not ready, and it says so itself
        ("False", ["10:00:00"], False),
        ("Unknown", ["10:00:00"], False),
        ("Unknown", ["10:00:00", "10:00:10"], True),  # it has just come back
        ("True", [], True),  # without a lease only the condition is known
        ("Unknown", [], False),
    ],
)
def test_a_node_whose_kubelet_reports_stays(
    run_module: Run, server: Server, status: str, times: list[str], alive: bool
) -> None:
    server.nodes["w2"]["status"]["conditions"][0]["status"] = status
    for check in (True, False):
        server.leases["w2"] = list(times)
        options = {"name": "w2", "state": "absent", "kubeconfig": server.kubeconfig, "_ansible_check_mode": check}
        result = run_module(node, **options)
        assert bool(result.get("failed")) == alive
        assert result.get("reporting", []) == (["w2"] if alive else [])
    assert ("w2" in server.nodes) == alive
    assert run_module(node, name="w2", state="absent", force=True, kubeconfig=server.kubeconfig)["changed"] == alive
    assert "w2" not in server.nodes


def test_nothing_is_removed_where_the_server_does_not_tell(
    run_module: Run, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []

    def played(_self: AnsibleModule, argv: list[str], **_options: Any) -> tuple[int, str, str]:
        calls.append(argv[3:])
        return (1, "", "connection refused") if "leases" in argv else server.run_command(argv)

    monkeypatch.setattr(AnsibleModule, "run_command", played)
    result = run_module(node, name="w2", state="absent", kubeconfig=server.kubeconfig)
    assert "connection refused" in result["msg"]
    assert [call[0] for call in calls] == ["get", "get"]
