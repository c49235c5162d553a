"""What is taken out of a cluster, in what order, and what forbids it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.removal_plan import removal_plan

CONTROL_PLANES = ["cp-1", "cp-2", "cp-3"]
HOSTS = {**{name: name for name in [*CONTROL_PLANES, "w-1", "lb-1", "lb-2"]}, "w-2": "worker-2"}
ADDRESSES = {
    "cp-1": "192.0.2.1",
    "cp-2": "192.0.2.2",
    "cp-3": "192.0.2.3",
    "w-1": "192.0.2.11",
    "worker-2": "192.0.2.12",
}
LABEL = "node-role.kubernetes.io/control-plane"


def node(name: str, **more: Any) -> dict[str, Any]:
    labels = {LABEL: ""} if name.startswith("cp") else {}
    return {
        "name": name,
        "labels": labels,
        "internal_ips": [ADDRESSES.get(name, "192.0.2.99")],
        "pod_cidrs": ["10.244.1.0/24"],
        "ready": True,
        "reports": True,
        **more,
    }


def member(called: str, **more: Any) -> dict[str, Any]:
    address = ADDRESSES.get(called, "192.0.2.98")
    return {
        "id": f"{sum(map(ord, called)):x}",
        "name": called,
        "peer_urls": [f"https://{address}:2380"],
        "client_urls": [f"https://{address}:2379"],
        "learner": False,
        "healthy": True,
        "leader": called == "cp-1",
        "error": "",
        **more,
    }


def etcd(*members: dict[str, Any]) -> dict[str, Any]:
    return {"members": list(members or map(member, CONTROL_PLANES)), "error": ""}


def host(plan: int = 3, **more: Any) -> dict[str, Any]:
    return {"plan": [{}] * plan, "faults": [], "node": plan > 0, "member": False, "addresses": [], **more}


def view(names: Any, powered_off: Any = None, **more: Any) -> dict[str, Any]:
    seen = {
        "hosts": HOSTS,
        "control_planes": CONTROL_PLANES,
        "workers": ["w-1", "w-2"],
        "ready": CONTROL_PLANES,
        "reached": [],
        "nodes": [node(name) for name in ADDRESSES],
        "etcd": etcd(),
        "found": {name: host() for name in HOSTS},
        **more,
    }
    return removal_plan(names, seen, powered_off)


def steps(plan: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["host"], item["subject"]) for item in plan["plan"] if item["subject"] != "backup"]


def silent(name: str) -> list[dict[str, Any]]:
    return [node(one, reports=one != name, ready=one != name) for one in ADDRESSES]


def test_a_worker() -> None:
    drain = {"plan": [{"host": "w-1", "subject": "drain", "before": "1 pod to go", "after": "drained"}]}
    plan = view("w-1", drain=drain, network="bridge")
    assert plan["faults"] == []
    assert steps(plan) == [
        ("w-1", "drain"),
        ("w-1", "parts of the cluster"),
        ("hosts that stay", "routes"),
        ("w-1", "Node"),
    ]
    assert plan["plan"][0]["subject"] == "backup"
    assert (plan["leader"], plan["live"], plan["drain"], plan["lost"]) == ("cp-1", ["w-1"], ["w-1"], [])
    assert (plan["nodes"], plan["members"], plan["endpoint"], plan["routes"]) == ([{"name": "w-1"}], [], False, True)
    assert [one["name"] for one in plan["routes_to"]] == [*CONTROL_PLANES, "worker-2"]
    assert plan["notes"] == ["Take w-1 out of the inventory, or the next run of site lets it join again."]


def test_control_planes_go_one_after_the_other_and_the_leader_of_etcd_last() -> None:
    members = [*map(member, CONTROL_PLANES), member("cp-4"), member("cp-5")]
    plan = view(["cp-1", "cp-3"], etcd=etcd(*members), listed=["cp-1", "cp-3"])
    assert plan["faults"] == []
    assert [one["name"] for one in plan["members"]] == ["cp-3", "cp-1"]
    assert [one["before"] for one in plan["plan"] if one["subject"] == "etcd member"] == ["one of 5", "one of 4, leads"]
    assert (plan["leader"], plan["stay"]["control_plane"]) == ("cp-2", ["cp-2"])
    assert ("kubeadm-config", "API servers") in steps(plan)
    assert "Take it off your own load balancer as well." in plan["notes"]


@pytest.mark.parametrize(
    ("members", "names", "said"),
    [
        (3, "cp-3", ["2 members are left, which survive no more losses than 1: add one"]),
        (2, "cp-2", ["1 member is left: its loss is the loss of etcd's data since the last backup"]),
        (1, "cp-1", [""]),
    ],
)
def test_what_the_members_that_are_left_mean(members: int, names: str, said: list[str]) -> None:
    planes = CONTROL_PLANES[:members]
    plan = view(names, control_planes=planes, ready=planes, etcd=etcd(*map(member, planes)))
    assert [one["disrupts"] for one in plan["plan"] if one["subject"] == "etcd member"] == said


def test_a_name_that_only_the_cluster_has() -> None:
    """Its host is not connected to, whatever the inventory's hosts are called."""
    nodes = [*(node(name) for name in ADDRESSES), node("old", reports=False, ready=False)]
    plan = view("old", "old", nodes=nodes, lost={"plan": []})
    assert plan["faults"] == []
    assert (plan["hosts"], plan["live"], plan["drain"], plan["lost"]) == ([], [], [], ["old"])
    assert steps(plan) == [("old", "Node")]
    assert plan["notes"] == []


def test_only_a_member_of_etcd() -> None:
    members = [member("e-1", leader=True), member("e-2"), member("e-3"), member("e-4", healthy=False, error="down")]
    plan = view("e-4", "e-4", etcd=etcd(*members))
    assert (plan["faults"], steps(plan)) == ([], [("e-4", "etcd member")])
    plan = view("e-2", etcd=etcd(*members[:3]), hosts={**HOSTS, "e-2": "e-2"}, etcd_hosts=["e-1", "e-2"],
                found={"e-2": host(node=False, member=True)})  # fmt: skip
    assert (plan["faults"], steps(plan)) == ([], [("e-2", "etcd member"), ("e-2", "parts of the cluster")])
    assert plan["notes"][1:] == [
        "The API servers of cp-1, cp-2, cp-3 have its member in their list until site runs without it, and use the "
        "others."
    ]


URLS = {name: f"https://192.0.2.2{number}:2379" for number, name in enumerate(["e-1", "e-2", "e-3"], 1)}


def external(*names: str) -> dict[str, Any]:
    return etcd(*(member(name, client_urls=[URLS[name]], leader=name == "e-1") for name in names))


def test_api_servers_forget_a_member_of_etcd_before_it_goes() -> None:
    names = list(URLS)
    seen: dict[str, Any] = {
        "hosts": {**HOSTS, **{name: name for name in names}},
        "etcd_hosts": names,
        "found": {"e-3": host(node=False, member=True, addresses=["192.0.2.23"]), "cp-3": host()},
        # One has done so in a run that was cut off.
        "etcd_endpoints": {
            "cp-1": list(URLS.values()),
            "cp-2": [URLS["e-1"], URLS["e-2"]],
            "cp-3": list(URLS.values()),
        },
        "etcd": external(*names),
    }
    plan = view("e-3", **seen)
    assert plan["faults"] == []
    assert plan["etcd_servers"] == {"cp-1": [URLS["e-3"]], "cp-3": [URLS["e-3"]]}
    assert steps(plan) == [
        ("cp-1", "etcd servers"),
        ("cp-3", "etcd servers"),
        ("e-3", "etcd member"),
        ("e-3", "parts of the cluster"),
    ]
    (first, *_others) = [one for one in plan["plan"] if one["subject"] == "etcd servers"]
    assert (first["before"], first["after"], first["restarts"]) == (URLS["e-3"], "without", ["kube-apiserver"])
    assert not [note for note in plan["notes"] if "API servers" in note]
    # A control plane that goes as well needs no other list; a member that has left already is known by its host.
    assert view("e-3,cp-3", **seen)["etcd_servers"] == {"cp-1": [URLS["e-3"]]}
    assert view("e-3", **{**seen, "etcd": external("e-1", "e-2")})["etcd_servers"] == plan["etcd_servers"]
    # What leads to all members, such as a proxy's address, stays.
    proxy = {name: ["https://192.0.2.23:2379"] for name in CONTROL_PLANES}
    assert view("e-3", **{**seen, "etcd_endpoints": proxy})["etcd_servers"] == {}


def test_an_address_that_a_member_which_stays_has_as_well() -> None:
    members = external("e-1", "e-2", "e-3")
    members["members"][1]["client_urls"].append(URLS["e-3"])
    seen = {"hosts": {**HOSTS, "e-3": "e-3"}, "etcd_hosts": ["e-3"], "found": {"e-3": host(node=False, member=True)}}
    plan = view("e-3", **seen, etcd=members, etcd_endpoints={name: list(URLS.values()) for name in CONTROL_PLANES})
    assert plan["etcd_servers"] == {}


def test_a_member_without_a_name_is_found_by_its_address() -> None:
    members = [member("cp-1"), member("cp-2"), member("", name="", peer_urls=["https://192.0.2.3:2380"], client_urls=[],
                                                      healthy=False, learner=True, id="99")]  # fmt: skip
    assert [one["id"] for one in view("cp-3", etcd=etcd(*members))["members"]] == ["99"]


def test_only_a_load_balancer() -> None:
    balancing = {"load_balancer": "haproxy", "balancers": ["lb-1", "lb-2"], "reached": ["lb-2"]}
    plan = view("lb-1", **balancing, found={"lb-1": host(node=False)})
    assert plan["faults"] == []
    assert steps(plan) == [("hosts that stay", "endpoint"), ("lb-1", "parts of the cluster")]
    assert plan["stay"]["load_balancer"] == ["lb-2"]
    assert view("lb-1", **balancing, found={"lb-1": host(0)})["plan"] == []
    # Nothing on it tells whether the others have forgotten it.
    dead = view("lb-1", "lb-1", **balancing)
    assert (dead["faults"], steps(dead)) == ([], [("hosts that stay", "endpoint")])
    assert (dead["live"], dead["balancing"], dead["endpoint"]) == ([], [], True)


def test_a_load_balancer_and_a_member_of_etcd_at_once() -> None:
    members = [member("e-1", leader=True), member("e-2"), member("e-3"), member("e-4", healthy=False, error="down")]
    names = ["e-1", "e-2", "e-3", "e-4"]
    plan = view(
        "lb-1,e-4,e-2",
        "lb-1,e-4",
        etcd=etcd(*members),
        etcd_hosts=names,
        hosts={**HOSTS, **{name: name for name in names}},
        load_balancer="haproxy",
        balancers=["lb-1", "lb-2"],
        reached=["lb-2", "e-2"],
        found={"e-2": host(node=False, member=True)},
    )
    assert plan["faults"] == []
    assert [one["name"] for one in plan["members"]] == ["e-4", "e-2"]
    assert steps(plan) == [
        ("hosts that stay", "endpoint"),
        ("e-4", "etcd member"),
        ("e-2", "etcd member"),
        ("e-2", "parts of the cluster"),
    ]
    assert (plan["live"], plan["serving"], plan["drain"], plan["lost"]) == (["e-2"], [], [], [])


PROVEN = "/backups/a.tar was proven 12 minutes ago"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, [("", "proven")]),
        ({"proven": PROVEN}, [(PROVEN, "stays")]),
        ({"backup": False}, []),
        ({"backup": False, "proven": PROVEN}, []),
        ({"found": {"w-1": host(0)}, "nodes": []}, []),
    ],
    ids=["none", "a new one", "not wanted", "not wanted, and a new one", "nothing to do"],
)
def test_the_plan_says_whether_a_backup_is_made(more: dict[str, Any], said: list[tuple[str, str]]) -> None:
    plan = view("w-1", **more)
    assert [(one["before"], one["after"]) for one in plan["plan"] if one["subject"] == "backup"] == said


def test_a_second_run_has_nothing_to_do() -> None:
    nodes = [node(name) for name in ADDRESSES if name != "cp-3"]
    left = etcd(member("cp-1"), member("cp-2"))
    plan = view("cp-3", nodes=nodes, etcd=left, found={"cp-3": host(0)}, load_balancer="local", network="bridge")
    assert (plan["plan"], plan["faults"]) == ([], [])


@pytest.mark.parametrize(
    ("done", "left"),
    [
        ({}, ["etcd member", "parts of the cluster", "Node"]),
        ({"etcd": etcd(member("cp-1"), member("cp-2"))}, ["parts of the cluster", "Node"]),
        ({"etcd": etcd(member("cp-1"), member("cp-2")), "nodes": silent("cp-3"), "found": {"cp-3": host(0)}}, ["Node"]),
    ],
)
def test_an_interrupted_run_goes_on(done: dict[str, Any], left: list[str]) -> None:
    plan = view("cp-3", **done)
    assert ([subject for _host, subject in steps(plan)], plan["faults"]) == (left, [])


UNREACHABLE = {"unreachable": True, "msg": "Failed to connect:\n timed out"}
FAULTS: list[tuple[Any, Any, dict[str, Any], str]] = [
    ([], None, {}, "remove_node_names has no name, or an empty one"),
    ("", None, {}, "remove_node_names has no name, or an empty one"),
    ("w-1,", None, {}, "remove_node_names has no name, or an empty one"),
    ("w-1,w-1", None, {}, "w-1 is named more than once"),
    ("w-9", None, {}, "w-9 is no host of the inventory, no Node and no member of etcd"),
    ("kube_node", None, {}, "kube_node is no host of the inventory, no Node and no member of etcd"),
    ("worker-2", None, {}, "worker-2 is the Node of the host w-2: name that"),
    ("w-1", "w-2", {}, "remove_node_powered_off names w-2, which remove_node_names does not"),
    ("w-1", None, {"found": {"w-1": UNREACHABLE}}, "w-1: it could not be looked at (Failed to connect: timed out)"),
    ("w-1", None, {"found": {}}, "w-1: it could not be looked at (it cannot be reached)"),
    ("w-1", "w-1", {"reached": ["w-1"]}, "w-1: remove_node_powered_off has it, and a host answers at its address"),
    ("cp-3", "cp-3", {}, "cp-3: remove_node_powered_off has it, and its member of etcd answers"),
    (
        "cp-3",
        "cp-3",
        {"etcd": etcd(member("cp-1"), member("cp-2"), {**member("cp-3"), "name": "old", "healthy": False})},
        "cp-3: remove_node_powered_off has it, and the member of etcd old has its address",
    ),
    ("w-1", None, {"found": {"w-1": host(faults=["/mnt is a mount"])}}, "w-1: /mnt is a mount"),
    ("w-1", None, {"drain": {"reasons": ["no room"]}}, "no room"),
    ("w-1", "w-1", {"lost": {"reasons": ["its kubelet reported"]}}, "its kubelet reported"),
    ("w-1", None, {"found": {"w-1": host(0)}}, "w-1: the kubelet of the Node w-1 reports, and the host"),
    ("lb-1", None, {"found": {"lb-1": host()}}, "lb-1: it has joined a cluster, and lb-1 is no Node of this one"),
    (
        "lb-1",
        None,
        {"found": {"lb-1": host(addresses=["192.0.2.11"])}},
        "lb-1: the cluster knows its address as that of the Node w-1",
    ),
    (
        "lb-1",
        None,
        {"found": {"lb-1": host(addresses=["192.0.2.3"])}},
        "lb-1: the cluster knows its address as that of the Node cp-3, the member of etcd cp-3",
    ),
    ("cp-2,cp-3", None, {"ready": ["cp-2"]}, "no control plane would be left whose API server answers"),
    ("cp-1,cp-2,cp-3", None, {}, "etcd: cp-1 (https://192.0.2.1:2380) is the only voting member"),
    (
        "cp-2",
        None,
        {"etcd": etcd(member("cp-1"), member("cp-2"), member("cp-3", healthy=False, error="no answer"))},
        "etcd: cp-3 (https://192.0.2.3:2380) is not healthy (no answer): repair it",
    ),
    (
        "w-1",
        None,
        {"etcd": etcd(member("cp-1"), *(member(name, healthy=False) for name in ("cp-2", "cp-3")))},
        "etcd: the cluster has no quorum: 1 of 3 voting members healthy",
    ),
    (
        "w-1",
        None,
        {"etcd": {"members": [], "error": "refused"}},
        "etcd: the cluster has no quorum: the list of members",
    ),
    ("cp-1", None, {"endpoint": "192.0.2.1:6443"}, "kubernetes_api_endpoint is 192.0.2.1:6443, which is cp-1"),
    ("cp-1", None, {"endpoint": "cp-1:6443"}, "kubernetes_api_endpoint is cp-1:6443, which is cp-1"),
    (
        "lb-1,lb-2",
        None,
        {"load_balancer": "haproxy", "balancers": ["lb-1", "lb-2"], "found": {n: host(node=False) for n in HOSTS}},
        "no load balancer would be left",
    ),
    (
        "lb-1",
        None,
        {"load_balancer": "haproxy", "balancers": ["lb-1", "lb-2"], "reached": ["lb-1", "cp-1"]},
        "no load balancer would be left that is known to live: repair lb-2 first",
    ),
    ("cp-1", None, {"ca_hosts": ["cp-1"]}, "etcd_ca_hosts names only cp-1"),
]


@pytest.mark.parametrize(("names", "powered_off", "more", "said"), FAULTS, ids=[case[3][:40] for case in FAULTS])
def test_what_is_refused(names: Any, powered_off: Any, more: dict[str, Any], said: str) -> None:
    faults = view(names, powered_off, **more)["faults"]
    assert [text for text in faults if text.startswith(said)], faults


@pytest.mark.parametrize(
    ("node_of", "said"),
    [
        ([node("old")], "it is not in the inventory, and its kubelet reports"),
        ([node("old", reports=False)], "it is not in the inventory, and whether its host lives is not known"),
    ],
)
def test_what_is_not_in_the_inventory_is_not_thereby_off(node_of: list[dict[str, Any]], said: str) -> None:
    faults = view("old", nodes=[*(node(name) for name in ADDRESSES), *node_of])["faults"]
    assert [text for text in faults if text.startswith(f"old: {said}")]


def test_all_faults_are_told_at_once() -> None:
    faults = view("cp-1,w-1", endpoint="192.0.2.1", found={"cp-1": UNREACHABLE}, drain={"reasons": ["no room"]})[
        "faults"
    ]
    assert len(faults) == 4


def test_the_last_control_plane_is_still_asked() -> None:
    """So that all that is wrong is told."""
    plan = view("cp-1,cp-2,cp-3")
    assert (plan["asker"], plan["leader"]) == ("cp-1", "")


def test_what_is_no_look() -> None:
    with pytest.raises(AnsibleFilterError, match="removal_plan needs what modules return"):
        removal_plan("w-1", {"nodes": [{}]})
