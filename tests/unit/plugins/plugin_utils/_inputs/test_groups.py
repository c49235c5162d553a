"""The judgement of an inventory's groups: which are there, whom a run has, and what is said, word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.groups import (
    USUAL,
    Inventory,
    judge,
    judge_tags,
)

ALL = "kube_control_plane, kube_node, etcd and kube_load_balancer"
SOUND = {"kube_control_plane": ["cp1"], "kube_node": ["w1", "w2"]}


def said(
    groups: Mapping[str, Sequence[str]],
    run: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    elsewhere: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
) -> list[str]:
    everyone = list(dict.fromkeys(host for hosts in groups.values() for host in hosts))
    order = ("control_plane", "worker", "etcd", "load_balancer")
    named = {role: {**USUAL, **(names or {})}[role] for role in order}
    inventory = Inventory({"all": everyone, **groups}, named, everyone if run is None else run, elsewhere or {})
    return [f"{fault.severity} {fault.id} {fault.text}" for fault in judge(inventory)]


def similar(group: str, name: str, hosts: str, variable: str) -> str:
    return (
        f"error group-similar the group {group} is not looked at, but resembles {name}, in which {hosts} not; rename "
        f"the group to {name}, or take it for that by -e {variable}={group}"
    )


PLANE, NODE, ETCD = "kubernetes_control_plane_group", "kubernetes_node_group", "kubernetes_etcd_group"
NOTHING = "so there would be no cluster"
CASES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "sound": ({"groups": SOUND}, []),
    "one machine": ({"groups": {"kube_control_plane": ["one"], "kube_node": ["one"]}}, []),
    "external etcd and load balancers": (
        {"groups": {**SOUND, "etcd": ["e1", "e2", "e3"], "kube_load_balancer": ["lb1"]}},
        [],
    ),
    "Kubespray's parent group, and its other groups": (
        {"groups": {**SOUND, "k8s_cluster": ["cp1", "w1", "w2"], "calico_rr": [], "etcd": []}},
        [],
    ),
    "groups of parts of the nodes": ({"groups": {**SOUND, "kube_node_gpu": ["w2"], "kube_nodes": ["w1"]}}, []),
    "no host at all": (
        {"groups": {"kube_control_plane": []}},
        [
            "error group-missing the inventory has no host, so nothing would be done; name a file or folder "
            "with hosts by -i"
        ],
    ),
    "Kubespray's old names": (
        {"groups": {"kube-master": ["cp1"], "kube-node": ["w1"]}},
        [
            similar("kube-master", "kube_control_plane", "cp1 is", PLANE),
            similar("kube-node", "kube_node", "w1 is", NODE),
        ],
    ),
    "both misspelt": (
        {"groups": {"kube_control_plan": ["cp1"], "kube_nodes": ["w1", "w2"]}},
        [
            similar("kube_control_plan", "kube_control_plane", "cp1 is", PLANE),
            similar("kube_nodes", "kube_node", "w1, w2 are", NODE),
        ],
    ),
    "workers that would be left out": (
        {"groups": {"kube_control_plane": ["cp1"], "kube_nodes": ["w1"]}},
        [similar("kube_nodes", "kube_node", "w1 is", NODE)],
    ),
    "etcd that would be stacked": (
        {"groups": {**SOUND, "etcds": ["cp1"]}},
        [similar("etcds", "etcd", "cp1 is", ETCD)],
    ),
    "names of anything": (
        {"groups": {"masters": ["cp1"], "workers": ["w1"]}},
        [
            f"error group-missing the inventory group kube_control_plane ({PLANE}) has no host, {NOTHING}; the group "
            f"masters may be meant: rename it, or give -e {PLANE}=masters"
        ],
    ),
    "no group of a cluster": (
        {"groups": {"web": ["a"]}},
        [
            f"error group-missing the inventory group kube_control_plane ({PLANE}) has no host, {NOTHING}; "
            "add a host to it"
        ],
    ),
    "workers by a name of anything": (
        {"groups": {"kube_control_plane": ["cp1"], "workers": ["w1"], "web": ["a"]}},
        [
            f"warning host-unplaced w1, a are in none of the groups {ALL}, so that nothing is done there; the group "
            "workers may be meant for kube_node"
        ],
    ),
    "hosts of others": (
        {"groups": {**SOUND, "web": ["a", "w1"]}},
        [f"warning host-unplaced a is in none of the groups {ALL}, so that nothing is done there"],
    ),
    "a limit to a host of the cluster": ({"groups": SOUND, "run": ["w2"]}, []),
    "a limit to hosts of others": (
        {"groups": {**SOUND, "web": ["a"]}, "run": ["a"]},
        [
            f"error run-empty nothing would be done, as a is in none of the groups {ALL}; change --limit, or put "
            "the host into its group"
        ],
    ),
    "etcd beside the control planes": (
        {"groups": {**SOUND, "etcd": ["cp1"]}},
        [
            "warning etcd-beside the group etcd has cp1, so etcd runs there as a service beside the control plane; "
            "with no host in the group kubeadm runs it as pods, and neither can become the other later"
        ],
    ),
    "names from the command line": (
        {"groups": {"a_masters": ["cp1"], "b_masters": ["cp2"]}, "names": {"control_plane": "a_masters"}},
        [
            "warning host-unplaced cp2 is in none of the groups a_masters, kube_node, etcd and kube_load_balancer, so "
            "that nothing is done there"
        ],
    ),
    "the same name in the inventory": ({"groups": SOUND, "elsewhere": {NODE: {"kube_node": ["cp1", "w1"]}}}, []),
    "another name in the inventory": (
        {"groups": {"kube_control_plane": ["cp1"], "workers": ["w1"]}, "elsewhere": {NODE: {"workers": ["cp1", "w1"]}}},
        [
            f"error group-variable {NODE} is workers on cp1, w1, but plays choose their hosts before they know the "
            "inventory's variables, and take the group kube_node; give it on the command line, as "
            f"-e {NODE}=workers, or name the group kube_node",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_groups(name: str) -> None:
    given, expected = CASES[name]
    assert said(**given) == expected


NOTHING = "nothing would be done"


@pytest.mark.parametrize(
    ("asked", "left_out", "own", "said"),
    [
        (["all"], [], ["always"], []),
        (["untagged"], [], ["always"], []),
        (["workers"], [], ["always"], [NOTHING]),
        (["tagged"], [], ["always"], [NOTHING]),
        (["workers", "always"], ["tests"], ["always"], [NOTHING, "nothing is left out by it"]),
        (["k8s"], [], ["always", "k8s"], []),
        (["all"], ["k8s"], ["always", "k8s"], []),
        (["all"], ["reboot", "k8s"], ["always", "k8s"], ["no task has the tag reboot of --skip-tags"]),
    ],
)
def test_tags(asked: list[str], left_out: list[str], own: list[str], said: list[str]) -> None:
    found = judge_tags(asked, left_out, own)
    assert {fault.id for fault in found} <= {"tag-unknown"}
    # Tools pass tags to leave out of their own, and a run is as good without them.
    assert [fault.severity for fault in found] == ["error" if text == NOTHING else "warning" for text in said]
    assert [text in fault.text for text, fault in zip(said, found, strict=True)] == [True] * len(said)


def test_a_mirror_has_its_place() -> None:
    groups = {"all": ["cp1", "m1"], "kube_control_plane": ["cp1"], "kube_mirror": ["m1"]}
    for run in (["cp1", "m1"], ["m1"]):
        assert judge(Inventory(groups, USUAL, run, {}, ["m1"])) == []
