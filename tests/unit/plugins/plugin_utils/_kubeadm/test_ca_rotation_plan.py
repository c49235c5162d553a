"""The rotation of the authority: what each host lacks of each stage, what is next, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.authority_holders import OldPod
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.ca_rotation import Authority, State
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.ca_rotation_plan import (
    CLUSTER,
    STAGES,
    Cluster,
    Wish,
    lacking,
    make_plan,
    results,
)

OLD, NEW, OTHER = (Authority(letter * 64, letter * 40, 2e9, f"PEM {letter}\n") for letter in "abc")
PKI = "/etc/kubernetes/pki"
ADMIN, KUBELET = "/etc/kubernetes/admin.conf", "/etc/kubernetes/kubelet.conf"
CA, SIGNING, FOLDER = f"{PKI}/ca.crt", f"{PKI}/rotation/signing.crt", f"{PKI}/rotation"
NOW = 1e9
POD = OldPod("kube-system", "kube-proxy-x", "w-1", "DaemonSet/kube-proxy")
BARE = OldPod("shop", "till", "w-1", "nobody")


def prints(*authorities: Authority) -> list[str]:
    return [one.fingerprint for one in authorities]


def plane(*trusted: Authority, **changes: object) -> State:
    """A control plane that trusts these, signs with the first and has done all that belongs to it."""
    first, rotating = trusted[0], len(trusted) > 1
    state = State(
        role="control_plane",
        authorities=list(trusted),
        has_key=True,
        next=[NEW] if rotating else [],
        next_has_key=rotating,
        signs_with_next=rotating and first is NEW,
        signing=first.fingerprint if rotating else "",
        signing_file=SIGNING if rotating else CA,
        signing_running=[SIGNING if rotating else CA],
        trusts={ADMIN: prints(*trusted), KUBELET: prints(*trusted)},
        issued=dict.fromkeys(("apiserver", "admin.conf", "kubelet-client"), first.key_id),
        shown=[first.fingerprint],
    )
    return replace(state, **changes)


def worker(*trusted: Authority, by: Authority = OLD, **changes: object) -> State:
    state = State(
        role="worker",
        authorities=list(trusted),
        trusts={KUBELET: prints(*trusted)},
        issued={"kubelet-client": by.key_id},
    )
    return replace(state, **changes)


BEFORE = {"cp-1": plane(OLD), "cp-2": plane(OLD), "w-1": worker(OLD)}
TRUSTED = {"cp-1": plane(OLD, NEW), "cp-2": plane(OLD, NEW), "w-1": worker(OLD, NEW)}
ISSUED = {"cp-1": plane(NEW, OLD), "cp-2": plane(NEW, OLD), "w-1": worker(OLD, NEW, by=NEW)}
DROPPED = {"cp-1": plane(NEW), "cp-2": plane(NEW), "w-1": worker(NEW, by=NEW)}
NODES = {name: name for name in BEFORE}


def cluster(*authorities: Authority, pods: Sequence[OldPod] = (), **nodes: bool) -> Cluster:
    holders = dict.fromkeys(("configmap kube-public/cluster-info", "secret default/token"), prints(*authorities))
    return Cluster(holders, pods, {**dict.fromkeys(BEFORE, True), **nodes})


@pytest.mark.parametrize(
    ("hosts", "found", "following", "hosts_in_turn"),
    [
        (BEFORE, cluster(OLD), "", []),
        ({**BEFORE, "cp-1": plane(OLD, next=[NEW], next_has_key=True)}, cluster(OLD), "trust", ["cp-1", "cp-2", "w-1"]),
        ({**TRUSTED, "cp-2": plane(OLD), "w-1": worker(OLD)}, cluster(OLD), "trust", ["cp-2", "w-1"]),
        ({**TRUSTED, "w-1": worker(OLD)}, cluster(OLD, NEW), "trust", ["w-1"]),
        (TRUSTED, cluster(OLD), "trust", []),
        (TRUSTED, replace(cluster(OLD, NEW, pods=[POD]), since=""), "trust", []),
        (ISSUED, replace(cluster(NEW, OLD), since=""), "drop", ["cp-1", "cp-2", "w-1"]),
        (TRUSTED, cluster(OLD, NEW, pods=[POD]), "restart", []),
        (TRUSTED, cluster(OLD, NEW), "issue", ["cp-1", "cp-2", "w-1"]),
        ({**TRUSTED, "cp-1": plane(NEW, OLD)}, cluster(OLD, NEW, pods=[POD]), "issue", ["cp-2", "w-1"]),
        ({**ISSUED, "w-1": worker(OLD, NEW)}, cluster(NEW, OLD, pods=[POD]), "issue", ["w-1"]),
        (ISSUED, cluster(NEW, OLD, pods=[POD]), "drop", ["cp-1", "cp-2", "w-1"]),
        ({**ISSUED, "cp-1": plane(NEW)}, cluster(NEW, OLD), "drop", ["cp-2", "w-1"]),
        ({**DROPPED, "w-1": ISSUED["w-1"]}, cluster(NEW), "drop", ["w-1"]),
        (DROPPED, cluster(NEW, OLD), "drop", []),
        (DROPPED, cluster(NEW, pods=[POD]), "", []),
    ],
    ids=[
        "none under way",
        "the new one is made",
        "trust, cut off",
        "trust, a worker is left",
        "trust, objects are left",
        "trust, cut off before the note",
        "trust, the note was removed later",
        "pods are left",
        "trusted",
        "issue, cut off",
        "issue, a worker is left",
        "issued",
        "drop, cut off",
        "drop, a worker is left",
        "drop, objects are left",
        "done",
    ],
)
def test_what_is_next(hosts: dict[str, State], found: Cluster, following: str, hosts_in_turn: list[str]) -> None:
    plan = make_plan(hosts, found, Wish(nodes=NODES), NOW)
    assert (plan.next, plan.faults, plan.items) == (following, [], [])
    if following:
        asked = make_plan(hosts, found, Wish(following, NODES, ["kube-system"]), NOW)
        assert (asked.hosts, asked.faults) == (hosts_in_turn, [])
        assert bool(asked.items)


@pytest.mark.parametrize(
    ("host", "stage", "lacks"),
    [
        (plane(OLD), "trust", [CA, f"{FOLDER}/ca.crt", SIGNING, ADMIN, KUBELET]),
        (worker(OLD), "trust", [CA, KUBELET]),
        (plane(OLD, NEW, old=["kubelet"]), "trust", ["kubelet runs with what was before"]),
        # The controller manager cannot start with two certificates in the file with which it signs.
        (plane(OLD, NEW, signing_file=CA), "trust", [SIGNING]),
        (plane(OLD, NEW, signing_running=[CA]), "trust", [SIGNING]),
        (plane(OLD, NEW, signing_running=[]), "trust", [SIGNING]),
        (plane(OLD, NEW, next_has_key=False), "trust", [f"{FOLDER}/ca.crt"]),
        # As it was before: restarted programs are no business of a stage that has not begun here.
        (plane(OLD, old=["kubelet"]), "drop", [CA, ADMIN, KUBELET]),
        (plane(NEW, OLD, old=["kube-apiserver"]), "trust", []),
        (plane(NEW, OLD, old=["kube-apiserver"]), "issue", ["kube-apiserver runs with what was before"]),
        (plane(NEW, OLD, shown=[OLD.fingerprint]), "issue", ["what the API server shows"]),
        (plane(NEW, OLD, shown=[]), "issue", ["what the API server shows"]),
        (plane(NEW, OLD, signs_with_next=False), "issue", ["the key that signs"]),
        (plane(NEW, OLD, signing=OLD.fingerprint), "issue", ["the key that signs"]),
        (plane(NEW, OLD, issued={"apiserver": OLD.key_id}), "issue", ["apiserver"]),
        # kubeadm lets what it renews trust the first authority alone, for a moment.
        (plane(NEW, OLD, trusts={ADMIN: prints(NEW)}), "trust", []),
        (worker(OLD, NEW), "issue", ["kubelet-client"]),
        (worker(OLD, NEW, issued={"kubelet-client": ""}), "issue", ["kubelet-client"]),
        (worker(OLD, NEW, by=NEW), "issue", []),
        (worker(OLD, NEW, by=NEW), "drop", [CA, KUBELET]),
        (plane(NEW, old=["kube-apiserver"]), "issue", []),
        (plane(NEW, old=["kube-apiserver"]), "drop", ["kube-apiserver runs with what was before"]),
        (plane(NEW, next=[NEW]), "drop", [FOLDER]),
        (plane(NEW, signing_file=SIGNING), "drop", [FOLDER]),
        (plane(NEW), "drop", []),
    ],
)
def test_what_a_host_lacks(host: State, stage: str, lacks: list[str]) -> None:
    assert lacking(host, NEW, stage) == lacks


def test_a_rotation_begins_with_a_new_authority() -> None:
    plan = make_plan(BEFORE, cluster(OLD), Wish("trust", NODES), NOW)
    assert (plan.new, plan.new_host, plan.hosts, plan.cluster) == ("", "cp-1", ["cp-1", "cp-2", "w-1"], True)
    assert [(item.host, item.subject) for item in plan.items] == [
        ("cp-1", "new authority"),
        ("cp-1", "trust"),
        ("cp-2", "trust"),
        (CLUSTER, "trust: what hosts and pods are given"),
        ("w-1", "trust"),
    ]
    assert plan.items[1].restarts == ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
    assert plan.items[-1].restarts == ("kubelet",)


@pytest.mark.parametrize("stage", ["restart", "issue", "drop"])
@pytest.mark.parametrize("hosts", [BEFORE, DROPPED], ids=["before", "after"])
def test_without_a_rotation_nothing_is_done(hosts: dict[str, State], stage: str) -> None:
    plan = make_plan(hosts, cluster(hosts["cp-1"].authorities[0]), Wish(stage, NODES), NOW)
    assert (plan.faults, plan.items, plan.hosts, plan.cluster) == ([], [], [], False)
    assert plan.text[-1] == "No rotation is under way. It begins with the stage trust."


@pytest.mark.parametrize(
    ("hosts", "found", "stage"),
    [
        (TRUSTED, cluster(OLD, NEW), "trust"),
        (TRUSTED, cluster(OLD, NEW), "restart"),
        (ISSUED, cluster(NEW, OLD, pods=[POD]), "trust"),
        (ISSUED, cluster(NEW, OLD, pods=[POD]), "restart"),
        (ISSUED, cluster(NEW, OLD, pods=[POD]), "issue"),
        ({**ISSUED, "cp-1": plane(NEW)}, cluster(NEW, OLD, pods=[POD]), "issue"),
    ],
)
def test_a_second_run_does_nothing(hosts: dict[str, State], found: Cluster, stage: str) -> None:
    plan = make_plan(hosts, found, Wish(stage, NODES, ["kube-system"]), NOW)
    assert (plan.faults, plan.items, plan.hosts, plan.cluster) == ([], [], [], False)


@pytest.mark.parametrize(
    ("hosts", "found", "stage", "said"),
    [
        ({**TRUSTED, "w-1": worker(OLD)}, cluster(OLD, NEW), "issue", "w-1: the stage trust is not done (/etc/kub"),
        (
            TRUSTED,
            cluster(OLD),
            "issue",
            "the cluster: the stage trust is not done (configmap kube-public/cluster-info",
        ),
        (TRUSTED, cluster(OLD, NEW, pods=[POD, BARE]), "issue", "pod kube-system/kube-proxy-x, pod shop/till. Run the"),
        (
            {**ISSUED, "w-1": worker(OLD, NEW)},
            cluster(NEW, OLD),
            "drop",
            "w-1: the stage issue is not done (kubelet-cli",
        ),
        (
            TRUSTED,
            cluster(OLD, NEW),
            "drop",
            "cp-1: the stage issue is not done (apiserver, admin.conf, kubelet-client,",
        ),
        ({"cp-1": BEFORE["cp-1"]}, cluster(OLD), "trust", "w-1 is in the inventory and was not looked at"),
        (BEFORE, cluster(OLD, lost=True), "trust", "node lost is no host of this inventory, and would be cut off"),
        (BEFORE, cluster(OLD, **{"w-1": False}), "trust", "node w-1 is not ready"),
        (
            {**BEFORE, "cp-2": plane(OLD, has_key=False)},
            cluster(OLD),
            "trust",
            "ca.key is not on the host, so the auth",
        ),
        ({**BEFORE, "cp-2": plane(OLD, signing_file="/x.crt")}, cluster(OLD), "trust", "manager signs with /x.crt"),
        ({**BEFORE, "cp-2": plane(OLD, errors=["/f: no"])}, cluster(OLD), "trust", "cp-2: /f: no"),
        ({"cp-1": plane(replace(OLD, ends=5.0))}, cluster(OLD), "trust", "ca.crt has ended, so nobody trusts anybody"),
        (
            {**BEFORE, "cp-1": plane(OLD, next=[NEW]), "cp-2": plane(OLD, next=[OTHER])},
            cluster(OLD),
            "trust",
            "cp-1, cp-2: /etc/kubernetes/pki/rotation/ca.crt differ",
        ),
        (
            {**BEFORE, "cp-2": plane(OTHER)},
            cluster(OLD),
            "trust",
            "cp-1, cp-2: /etc/kubernetes/pki/ca.crt differ, and no",
        ),
        (
            {"cp-1": plane(OLD, OTHER, next=[], signing_file=CA)},
            cluster(OLD),
            "trust",
            "holds 2 certificates, and /etc/kubernetes/pki/rotation/ca.crt does not tell which is the new one",
        ),
    ],
)
def test_what_is_refused(hosts: dict[str, State], found: Cluster, stage: str, said: str) -> None:
    plan = make_plan(hosts, found, Wish(stage, NODES), NOW)
    assert [fault for fault in plan.faults if said in fault], plan.faults


def test_a_node_that_asks_for_its_certificate_need_not_be_ready() -> None:
    hosts = {**ISSUED, "w-1": worker(OLD, NEW, issued={"kubelet-client": ""})}
    plan = make_plan(hosts, cluster(NEW, OLD, **{"w-1": False}), Wish("issue", NODES), NOW)
    assert (plan.faults, plan.hosts) == ([], ["w-1"])


def test_old_pods_may_stay_if_people_say_so() -> None:
    found = cluster(OLD, NEW, pods=[BARE])
    plan = make_plan(TRUSTED, found, Wish("issue", NODES, allow_old_pods=True), NOW)
    assert (plan.faults, plan.hosts) == ([], list(TRUSTED))


def test_workloads_of_the_namespaces_are_restarted() -> None:
    other = replace(POD, namespace="shop", owner="Deployment/till")
    found = cluster(OLD, NEW, pods=[POD, BARE, other])
    plan = make_plan(TRUSTED, found, Wish("restart", NODES, ["kube-system"]), NOW)
    assert [item.subject for item in plan.items] == ["DaemonSet kube-system/kube-proxy"]
    every = make_plan(TRUSTED, found, Wish("restart", NODES, ["*"]), NOW)
    assert [item.subject for item in every.items] == ["DaemonSet kube-system/kube-proxy", "Deployment shop/till"]


def test_the_cluster_is_asked_where_the_kubeconfig_trusts_all() -> None:
    """kubeadm lets what it renews trust the first authority alone: an interrupted stage leaves it so."""
    hosts = {**TRUSTED, "cp-1": plane(NEW, OLD, trusts={ADMIN: prints(NEW)})}
    assert make_plan(hosts, Cluster(), Wish(), NOW).helper == "cp-2"
    assert make_plan({"cp-1": hosts["cp-1"]}, Cluster(), Wish(), NOW).helper == "cp-1"
    assert make_plan({}, Cluster(), Wish(), NOW).helper == ""


@pytest.mark.parametrize("stage", STAGES)
def test_what_came_of_it(stage: str) -> None:
    before = {"trust": BEFORE, "restart": TRUSTED, "issue": TRUSTED, "drop": ISSUED}[stage]
    after = {"trust": TRUSTED, "restart": TRUSTED, "issue": ISSUED, "drop": DROPPED}[stage]
    holders = {"trust": (OLD, NEW), "restart": (OLD, NEW), "issue": (NEW, OLD), "drop": (NEW,)}[stage]
    was = cluster(OLD, NEW, pods=[POD]) if stage == "restart" else cluster(OLD, *([NEW] if stage != "trust" else []))
    wish = Wish(stage, NODES, ["kube-system"])
    plan = make_plan(before, was, wish, NOW)
    rows = results(plan.items, after, cluster(*holders), wish, {"cp-1": 3.0})
    assert {row.result for row in rows} == {"changed"}
    if stage != "restart":
        assert ("cp-1", 3.0) in [(row.host, row.seconds) for row in rows]
        left = results(plan.items, {**after, "w-1": before["w-1"]}, cluster(*holders), wish, {})
        assert [row.host for row in left if row.result == "failed"] == ["w-1"]
    else:
        assert results(plan.items, after, was, wish, {})[0].result == "failed"
