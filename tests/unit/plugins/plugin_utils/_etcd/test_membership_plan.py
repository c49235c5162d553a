"""What a run does to an etcd cluster: tables of hosts and of what the cluster says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.etcd_plan import etcd_plan
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.membership_plan import (
    Host,
    MembershipPlan,
    plan_membership,
)

V = "3.6.15"
NEW = {"ETCD_INITIAL_CLUSTER_STATE": "new", "ETCD_INITIAL_CLUSTER": ""}


def initial(*numbers: int) -> str:
    return ",".join(f"h{number}=https://10.0.0.{number}:2380" for number in numbers)


def hosts(states: str, **changes: Any) -> list[Host]:
    """Hosts as letters: d with data, e empty, b begun and not finished, l that lost its data, u not in this run."""
    found = []
    for number, state in enumerate(states, 1):
        bootstrap = {**NEW, "ETCD_INITIAL_CLUSTER": initial(*range(1, len(states) + 1))} if state == "b" else {}
        host = Host(
            f"h{number}", f"h{number}", f"10.0.0.{number}", seen=state in "debl", data=state in "db",
            enabled=state in "dbl", version=V if state in "db" else "", bootstrap=bootstrap,
        )  # fmt: skip
        found.append(replace(host, **changes.get(host.name, {})))
    return found


def member(number: int, name: str = "", healthy: bool = True, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{number:x}", "name": name or f"h{number}", "peer_urls": [f"https://10.0.0.{number}:2380"],
        "client_urls": [f"https://10.0.0.{number}:2379"], "learner": False, "started": True, "healthy": healthy,
        "leader": number == 1, "version": V, "error": "" if healthy else "no answer", **changes,
    }  # fmt: skip


def cluster(*members: dict[str, Any], quorum: bool = True) -> dict[str, Any]:
    return {"has_quorum": quorum, "error": "" if quorum else "no endpoint answers", "members": list(members)}


def dead(number: int, **changes: Any) -> dict[str, Any]:
    return member(number, healthy=False, version="", **changes)


def unstarted(number: int) -> dict[str, Any]:
    return dead(number, started=False, client_urls=[]) | {"name": ""}


THREE = cluster(member(1), member(2), member(3))


def did(plan: MembershipPlan) -> dict[str, Any]:
    return {
        key: value for key, value in plan.describe().items() if value and key in ("begin", "join", "replaced", "gone")
    }


@pytest.mark.parametrize(
    ("states", "seen", "expected"),
    [
        ("e", None, {"begin": ["h1"]}),
        ("eee", None, {"begin": ["h1", "h2", "h3"]}),
        ("d", cluster(member(1)), {}),
        ("ddd", THREE, {}),
        ("duu", THREE, {}),
        # Going on with a start that was interrupted, whether the first ones have a quorum already or not.
        ("bee", cluster(dead(1), quorum=False), {"begin": ["h2", "h3"]}),
        ("bbe", cluster(member(1), member(2), dead(3, started=False, client_urls=[])), {"begin": ["h3"]}),
        ("bbb", THREE, {}),
        # One that had begun and lost its data is not begun again.
        ("bbe", cluster(member(1), member(2), dead(3)), {"join": ["h3"], "replaced": {"h3": ["3"]}}),
        # Growing.
        ("dee", cluster(member(1)), {"join": ["h2", "h3"]}),
        ("dddee", THREE, {"join": ["h4", "h5"]}),
        # Interrupted joins: added, never started; started, not promoted.
        ("dde", cluster(member(1), member(2), unstarted(3)), {"join": ["h3"]}),
        ("ddd", cluster(member(1), member(2), member(3, learner=True)), {"join": ["h3"]}),
        # Replaced at the same address, and at another one.
        ("dde", cluster(member(1), member(2), dead(3)), {"join": ["h3"], "replaced": {"h3": ["3"]}}),
        ("dde", cluster(member(1), member(2), dead(9, name="h3")), {"join": ["h3"], "replaced": {"h3": ["9"]}}),
        ("dde", cluster(member(1), member(2), dead(3, name="old")), {"join": ["h3"], "replaced": {"h3": ["3"]}}),
        ("ddl", cluster(member(1), member(2), dead(3)), {"join": ["h3"], "replaced": {"h3": ["3"]}}),
        # Gone with its host, one of them before it had started.
        ("ddd", cluster(member(1), member(2), member(3), dead(7)), {"gone": ["7"]}),
        ("dde", cluster(member(1), member(2), dead(7), unstarted(8)), {"gone": ["7", "8"], "join": ["h3"]}),
        # Two are left for a while, or an even number was made by others.
        ("dd", cluster(member(1), member(2), dead(3)), {"gone": ["3"]}),
        ("dddd", cluster(*(member(n) for n in range(1, 5))), {}),
    ],
)
def test_what_is_done(states: str, seen: dict[str, Any] | None, expected: dict[str, Any]) -> None:
    plan = plan_membership(hosts(states), V, seen)
    assert plan.faults == []
    assert did(plan) == expected


@pytest.mark.parametrize(
    ("states", "seen", "message"),
    [
        ("", None, "etcd_hosts is empty, so there are no members to set up"),
        ("ee", None, "2 members survive no more losses than 1 would, and are one more that can fail: use 1 or 3"),
        ("ddde", THREE, "4 members survive no more losses than 3 would"),
        ("e" * 9, None, "9 members are too many"),
        ("lll", None, "h1, h2, h3: a member of etcd has run there (etcd.service is enabled), and its data is not in"),
        ("l", None, "No new cluster is begun in its place: mount the data's disk"),
        ("euu", None, "no host of this run has data of etcd, or not all have begun, and h2, h3 did not take part"),
        ("bue", None, "and h2 did not take part"),
        (
            "dde",
            cluster(dead(1), dead(2), quorum=False),
            "h3 cannot join: the cluster has no quorum (h1 (https://10.0.0.1:2380): no",
        ),
        (
            "dde",
            cluster(member(1), member(2), member(3)),
            "h3 has no data of etcd, and yet h3 (https://10.0.0.3:2380) answers",
        ),
        ("ddd", cluster(member(1), member(2)), "h3 has data of a member that its cluster does not know"),
        (
            "ddd",
            cluster(member(1), member(2), dead(9, name="h3")),
            "h3 is a member at https://10.0.0.9:2380, and now its address is 10.0.0.3",
        ),
        (
            "ddd",
            cluster(member(1), member(2), member(3), member(7)),
            "the member h7 (https://10.0.0.7:2380) runs, but its host",
        ),
        # One that answers and is not healthy lives all the same.
        (
            "ddd",
            cluster(member(1), member(2), member(3), member(7, healthy=False)),
            "the member h7 (https://10.0.0.7:2380) runs, but its host",
        ),
        (
            "dde",
            cluster(member(1), member(2), member(3, healthy=False)),
            "h3 has no data of etcd, and yet h3 (https://10.0.0.3:2380) answers",
        ),
    ],
)
def test_refused(states: str, seen: dict[str, Any] | None, message: str) -> None:
    assert any(message in fault for fault in plan_membership(hosts(states), V, seen).faults)


LONG = "2001:0DB8:0:0:0:0:0:0003"


@pytest.mark.parametrize(
    "link", ["https://[2001:db8::3]:2380", f"https://[{LONG}]:2380", "https://[2001:DB8::3]:2380/"]
)
def test_an_address_is_the_same_however_the_member_was_given_it(link: str) -> None:
    third = {"h3": {"address": "2001:db8::3"}}
    for found in (member(3, peer_urls=[link]), dead(3, name="old", peer_urls=[link])):
        assert plan_membership(hosts("ddd", **third), V, cluster(member(1), member(2), found)).describe()["gone"] == []
    healthy = cluster(member(1), member(2), member(3, name="other", peer_urls=[link]))
    assert plan_membership(hosts("ddd", **third), V, healthy).faults == []
    begun = hosts("bee", **third)
    begun[0] = replace(begun[0], bootstrap={**NEW, "ETCD_INITIAL_CLUSTER": f"{initial(2, 1)},h3={link}"})
    assert plan_membership(begun, V).faults == []


def test_an_interrupted_start_keeps_its_members() -> None:
    begun = hosts("bee")
    begun[0] = replace(begun[0], bootstrap={**NEW, "ETCD_INITIAL_CLUSTER": initial(1, 2, 4)})
    (fault,) = plan_membership(begun, V).faults
    assert "h1 has begun a cluster of h1=https://10.0.0.1:2380,h2=" in fault


def test_same_name_or_address_twice() -> None:
    twice = hosts("eee", h2={"member": "h1"}, h3={"address": "10.0.0.1"})
    assert plan_membership(twice, V).faults == [
        "h1 is the name of several members",
        "10.0.0.1 is the address of several members",
    ]


@pytest.mark.parametrize(
    ("running", "wanted", "upgrade_from", "message"),
    [
        (["3.4.23"] * 3, "3.4.23", "", ""),
        (["3.4.23"] * 3, "3.5.30", "3.4.23", ""),
        (["3.5.30", "3.4.23", "3.4.23"], "3.5.30", "3.4.23", ""),
        (["3.5.32"] * 3, "3.6.15", "3.5.32", ""),
        (["3.6.15"] * 3, "3.6.14", "3.6.15", ""),
        (["3.4.23"] * 3, "3.6.15", "3.4.23", "one minor version at a time: go to 3.5 first"),
        (
            ["3.5.30", "3.5.32", "3.5.32"],
            "3.6.15",
            "3.5.30",
            "3.6.15 needs all of them at 3.5.32 or newer: go to the newest 3.5",
        ),
        (["3.6.10"] * 3, "3.7.1", "3.6.10", "3.7.1 needs all of them at 3.6.11 or newer"),
        (["3.6.15"] * 3, "3.5.32", "3.6.15", "members run 3.6.15, and etcd 3.5.32 may not be able to read their data"),
        (["3.5.32", "3.6.15", "3.5.32"], "3.5.32", "3.5.32", "members run 3.6.15, and etcd 3.5.32 may not"),
        (["3.6.15"] * 3, "latest", "", "'latest' is no version of etcd"),
    ],
)
def test_versions(running: list[str], wanted: str, upgrade_from: str, message: str) -> None:
    members = [member(number, version=version) for number, version in enumerate(running, 1)]
    plan = plan_membership(hosts("ddd"), wanted, cluster(*members))
    assert plan.upgrade_from == upgrade_from
    assert [message in fault for fault in plan.faults] == ([True] if message else [])


def test_endpoints_and_leader() -> None:
    plan = plan_membership(hosts("dde"), V, cluster(member(1), member(2), dead(3, started=False, client_urls=[])))
    assert plan.leader == "h1"
    assert plan.begun == ["h1", "h2"]
    assert plan.endpoints == ["https://10.0.0.1:2379", "https://10.0.0.2:2379"]
    assert plan_membership(hosts("dee"), V).endpoints == ["https://10.0.0.1:2379"]
    assert plan_membership(hosts("eee"), V).endpoints == [f"https://10.0.0.{number}:2379" for number in (1, 2, 3)]


def test_ipv6() -> None:
    (host,) = hosts("e", h1={"address": "2001:db8::1"})
    assert plan_membership([host], V).initial_cluster == "h1=https://[2001:db8::1]:2380"


INFO = {"data": True, "version": V, "bootstrap": {}}


def test_filter() -> None:
    hostvars = {
        "h1": {"kubernetes_node_ip": "10.0.0.1", "kubernetes_node_name": "one", "info": INFO},
        "h2": {"kubernetes_node_ip": "10.0.0.2", "info": {**INFO, "data": False}},
        "h3": {"kubernetes_node_ip": "10.0.0.3", "info": INFO},
    }
    seen = cluster(member(1, name="one"), dead(2), member(3))
    plan = etcd_plan(["h1", "h2", "h3"], hostvars, register="info", play_hosts=["h1", "h2"], version=V, cluster=seen)
    assert (plan["join"], plan["replaced"], plan["leader"]) == (["h2"], {"h2": ["2"]}, "h1")
    assert plan["initial_cluster"].startswith("one=https://10.0.0.1:2380,h2=")
    # Nobody was asked, or the task was skipped.
    for nothing in ({}, {"skipped": True}, None):
        assert (
            etcd_plan(["h1"], hostvars, register="info", play_hosts=["h1"], version=V, cluster=nothing)["faults"] == []
        )
    with pytest.raises(AnsibleFilterError):
        etcd_plan(["h1"], hostvars, register="info", play_hosts=["h1"], version=V, cluster={"failed": True})


@pytest.mark.parametrize(("states", "seen"), [("ee", None), ("ddde", THREE)])
def test_an_even_number_for_a_while(states: str, seen: dict[str, Any] | None) -> None:
    assert plan_membership(hosts(states), V, seen, even_allowed=True).faults == []
