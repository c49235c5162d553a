"""The module pod_network_exchange against played answers of kubectl, and what becomes of rules of other programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import network_removal
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_remains import PLUGINS
from ansible_collections.groundwork.kubernetes.plugins.modules import pod_network_exchange

Run = Callable[..., dict[str, Any]]
OLD = {"flannel": ["/etc/cni/net.d/10-flannel.conflist", "flannel.1"]}


def pod(name: str, namespace: str = "default", app: str = "", phase: str = "Running", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"k8s-app": app}}
    return {"metadata": metadata, "spec": {"nodeName": "w1", **spec}, "status": {"phase": phase}}


UNUSED = [
    pod("etcd", "kube-system", hostNetwork=True),
    pod("kube-flannel-ds-x", "kube-flannel"),
    pod("calico-kube-controllers-x", "kube-system", "calico-kube-controllers"),
    pod("coredns-x", "kube-system", "kube-dns"),
    pod("ended", phase="Succeeded"),
    pod("waits", phase="Pending", nodeName=None),
]
THERE = {("namespace", "kube-flannel"), ("clusterrole", "flannel")}


@pytest.fixture
def exchange(run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(pods: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
        deleted: list[list[str]] = []

        def run_command(_self: AnsibleModule, argv: list[str], **_options: Any) -> tuple[int, str, str]:
            if argv[3] == "delete":
                deleted.append(argv[4:])
                return 0, "", ""
            if argv[4] == "pods":
                return 0, json.dumps({"items": pods}), ""
            found = (argv[4], argv[5]) in THERE
            return (0, "{}", "") if found else (1, "", "(NotFound)")

        monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/local/bin/kubectl")
        monkeypatch.setattr(AnsibleModule, "run_command", run_command)
        return {**run_module(pod_network_exchange, **options), "deleted": deleted}

    return run


def test_refused_where_pods_use_it(exchange: Run) -> None:
    result = exchange([*UNUSED, pod("web-1"), pod("prom", "monitoring")], plugins=OLD, new="bridge")
    assert result["deleted"] == []
    for text in (
        "cni_plugin is bridge, and the cluster has flannel (/etc/cni/net.d/10-flannel.conflist, flannel.1)",
        "these pods use: default/web-1 on w1, monitoring/prom on w1.",
        "cni_plugin: flannel",
    ):
        assert text in result["msg"]
    assert "coredns" not in result["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_removed_where_none_does(exchange: Run, check: bool) -> None:
    result = exchange(UNUSED, plugins=OLD, new="bridge", _ansible_check_mode=check)
    assert (result["changed"], result["removed"]) == (True, ["namespace kube-flannel", "clusterrole flannel"])
    assert [words[:2] for words in result["deleted"]] == (
        [] if check else [["namespace", "kube-flannel"], ["clusterrole", "flannel"]]
    )


def test_nothing_to_remove_of_a_plugin_without_objects(exchange: Run) -> None:
    result = exchange(UNUSED, plugins={"bridge": ["x"]})
    assert (result["changed"], result["removed"]) == (False, [])


def test_what_an_operator_has_made_goes_before_it(exchange: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = "installations.operator.tigera.io"
    there = {("customresourcedefinition", kind), (kind, "default"), ("namespace", "calico-system")}
    monkeypatch.setitem(globals(), "THERE", there)
    result = exchange(UNUSED, plugins={"calico": ["x"]}, new="bridge")
    assert result["removed"] == [f"{kind} default", "namespace calico-system"]
    # Of a kind that is not defined nothing is asked.
    there.discard(("customresourcedefinition", kind))
    assert exchange(UNUSED, plugins={"calico": ["x"]}, new="bridge")["removed"] == ["namespace calico-system"]


def test_cilium_goes_with_the_record_of_its_chart(exchange: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    there = {("daemonset", "cilium"), ("secret", "groundwork-chart-cilium"), ("clusterrole", "cilium-of-mine")}
    monkeypatch.setitem(globals(), "THERE", there)
    assert exchange(UNUSED, plugins={"cilium": ["x"]}, new="flannel")["removed"] == [
        "daemonset kube-system/cilium",
        "secret kube-system/groundwork-chart-cilium",
    ]


def test_dns_is_made_anew(exchange: Run) -> None:
    assert exchange(UNUSED, state="renewed", _ansible_check_mode=True)["deleted"] == []
    assert [words[:2] for words in exchange(UNUSED, state="renewed")["deleted"]] == [["pods", "coredns-x"]]


@pytest.mark.parametrize(
    ("plugin", "sets", "tables"),
    [
        ("calico", ["cali40s:abc", "cali60s:x"], ["ip calico", "ip6 calico"]),
        ("flannel", [], ["ip flannel-ipv4", "ip6 flannel-ipv6"]),
        ("cilium", ["cilium_node_set_v4"], []),
        ("bridge", [], []),
    ],
)
def test_names_of_sets_and_tables(plugin: str, sets: list[str], tables: list[str]) -> None:
    remains = PLUGINS[plugin]
    names = ["cali40s:abc", "cali60s:x", "cilium_node_set_v4", "KUBE-CLUSTER-IP", "mine"]
    every = ["ip calico", "ip6 calico", "ip flannel-ipv4", "ip6 flannel-ipv6", "ip kube-proxy", "inet filter"]
    assert [name for name in names if network_removal.pattern([remains.sets]).fullmatch(name)] == sets
    assert [name for name in every if network_removal.pattern([remains.tables]).fullmatch(name)] == tables
