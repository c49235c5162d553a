"""Which hosts take part in the endpoint, and what each does."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.endpoint_part import endpoint_part
from ansible_collections.groundwork.kubernetes.plugins.filter.endpoint_unknown_hosts import endpoint_unknown_hosts
from ansible_collections.groundwork.kubernetes.plugins.filter.kube_vip_hosts import kube_vip_hosts as of_hostvars
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint_hosts import (
    asked_hosts,
    kube_vip_hosts,
    needing_rules,
    part,
)

CONTROL_PLANES = ["cp-1", "cp-2", "cp-3"]
READY = {"role": "control_plane", "interrupted": ""}
NONE = {"role": "none", "interrupted": ""}
BEGUN = {"role": "control_plane", "interrupted": "init"}


@pytest.mark.parametrize(
    ("load_balancer", "host", "balancers", "expected"),
    [
        ("external", "cp-1", ["lb-1"], (False, ["leave"], ["keepalived", "haproxy"], 0)),
        ("external", "worker-1", ["lb-1"], (False, [], ["keepalived", "haproxy"], 0)),
        ("haproxy", "cp-1", ["lb-1", "lb-2"], (False, ["check", "leave"], ["keepalived", "haproxy"], 0)),
        ("haproxy", "lb-1", ["lb-1", "lb-2"], (True, ["check"], [], 254)),
        ("haproxy", "lb-2", ["lb-1", "lb-2"], (True, ["check"], [], 127)),
        ("haproxy", "cp-3", CONTROL_PLANES, (True, ["check"], [], 84)),
        ("haproxy", "worker-1", CONTROL_PLANES, (False, [], ["keepalived", "haproxy"], 0)),
        ("kube_vip", "cp-2", CONTROL_PLANES, (True, ["check", "leave"], ["keepalived", "haproxy"], 169)),
        ("kube_vip", "lb-1", ["lb-1"], (False, ["check", "leave"], ["keepalived", "haproxy"], 254)),
        ("local", "cp-1", CONTROL_PLANES, (True, ["check", "leave"], ["keepalived"], 254)),
        ("local", "worker-1", CONTROL_PLANES, (True, ["check"], ["keepalived"], 0)),
    ],
)
def test_part(
    load_balancer: str, host: str, balancers: list[str], expected: tuple[bool, list[str], list[str], int]
) -> None:
    names = ("takes_part", "preparations", "unwanted", "priority")
    assert part(load_balancer, host, CONTROL_PLANES, balancers, ["worker-1"]) == dict(zip(names, expected))


def test_another_load_balancer() -> None:
    with pytest.raises(AnsibleFilterError, match="'nginx' is no value of kubernetes_api_load_balancer"):
        endpoint_part("nginx", "cp-1", CONTROL_PLANES, [], [])


@pytest.mark.parametrize(
    ("load_balancer", "asked"),
    [
        ("external", []),
        ("haproxy", ["cp-1", "cp-2", "lb-1"]),
        ("kube_vip", ["cp-1", "cp-2"]),
        ("local", ["cp-1", "cp-2", "worker-1"]),
    ],
)
def test_whose_addresses_are_needed(load_balancer: str, asked: list[str]) -> None:
    assert asked_hosts(load_balancer, ["cp-1", "cp-2"], ["lb-1", "cp-1"], ["worker-1"]) == asked


def test_hosts_without_facts() -> None:
    known = {"ansible_facts": {"interfaces": ["lo"]}}
    hostvars: dict[str, Any] = {"cp-1": known, "cp-2": {"ansible_facts": {}}, "cp-3": {}, "lb-1": known}
    assert endpoint_unknown_hosts("haproxy", hostvars, CONTROL_PLANES, ["lb-1"], []) == ["cp-2", "cp-3"]


@pytest.mark.parametrize(
    ("nodes", "play_hosts", "begins", "rights"),
    [
        ({}, CONTROL_PLANES, "cp-1", "cp-1"),
        ({}, ["cp-2"], "cp-2", "cp-2"),
        ({}, [], "", ""),
        ({"cp-1": NONE, "cp-2": NONE}, CONTROL_PLANES, "cp-1", "cp-1"),
        ({"cp-1": NONE, "cp-2": BEGUN}, CONTROL_PLANES, "cp-2", "cp-2"),
        ({"cp-2": BEGUN}, ["cp-3"], "cp-2", "cp-3"),
        ({"cp-1": NONE, "cp-2": READY}, CONTROL_PLANES, "", "cp-2"),
        ({"cp-2": READY, "cp-3": READY}, ["cp-1", "cp-3"], "", "cp-3"),
        ({"cp-2": READY}, ["cp-1"], "", ""),
        ({"cp-1": {"skipped": True}}, ["cp-1"], "cp-1", "cp-1"),
    ],
)
def test_who_begins_with_kube_vip(
    nodes: dict[str, dict[str, str]], play_hosts: list[str], begins: str, rights: str
) -> None:
    assert kube_vip_hosts(nodes, CONTROL_PLANES, play_hosts) == {"begins": begins, "rights": rights}
    hostvars = {host: {"node": nodes[host]} if host in nodes else {} for host in CONTROL_PLANES}
    assert of_hostvars(CONTROL_PLANES, hostvars, "node", play_hosts) == {"begins": begins, "rights": rights}


@pytest.mark.parametrize(
    ("environment", "needing"),
    [
        ({}, []),
        ({"svc_enable": "true", "lb_enable": True, "port": "6443"}, ["lb_enable", "svc_enable"]),
        ({"svc_enable": "false", "annotation": "", "vip_wireguard": None, "lb_enable": False}, []),
    ],
)
def test_parts_of_kube_vip_that_need_rules(environment: dict[str, Any], needing: list[str]) -> None:
    assert needing_rules(environment) == needing
