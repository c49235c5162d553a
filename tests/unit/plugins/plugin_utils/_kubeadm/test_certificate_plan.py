"""Which certificates are renewed, what is refused, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import DAY, Found
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.certificate_plan import (
    Host,
    make_plan,
    results,
    table,
)

NOW = 1_800_000_000.0
KEYS = ("ca", "front-proxy-ca", "etcd/ca")
PKI = "/etc/kubernetes/pki"


def one(name: str, kind: str, days: float, path: str = "", *, lasts: float = 365, **more: Any) -> Found:
    ends = NOW + days * DAY
    return Found(name, kind, path, begins=ends - lasts * DAY, ends=ends, **{"serial": "a1", **more})


def leaf(days: float, **more: Any) -> Found:
    return one("apiserver", "leaf", days, f"{PKI}/apiserver.crt", **{"signer": "ca", **more})


def scheduler(days: float, **more: Any) -> Found:
    return one("scheduler.conf", "kubeconfig", days, "/etc/kubernetes/scheduler.conf", signer="ca", **more)


ADMIN = {"user": "kubernetes-admin", "groups": ("system:masters",), "authority": "f1"}


def admin(days: float) -> Found:
    return one("admin.conf", "kubeconfig", days, "/etc/kubernetes/admin.conf", signer="ca", **ADMIN)


def copy(days: float, **more: Any) -> Found:
    return one("/root/.kube/config", "copy", days, "/root/.kube/config", **{**ADMIN, **more})


def client(days: float, **more: Any) -> Found:
    return one(
        "kubelet-client", "kubelet", days, "/var/lib/kubelet/pki/kubelet-client-current.pem", signer="ca", **more
    )


def serving(days: float, **more: Any) -> Found:
    return one("kubelet-serving", "kubelet", days, "/var/lib/kubelet/pki/kubelet.crt", **more)


def authority(days: float) -> Found:
    return one("ca", "authority", days, f"{PKI}/ca.crt")


def host(*found: Found, name: str = "cp-1", keys: tuple[str, ...] = KEYS) -> Host:
    return Host(name, found, keys)


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([host(leaf(31), admin(300), client(300), authority(3000))], {}),
        ([host(leaf(29))], {"control_planes": ["cp-1"]}),
        ([host(leaf(-1))], {"control_planes": ["cp-1"], "ended": ["cp-1"]}),
        ([host(leaf(300, pod="kube-apiserver"))], {"control_planes": ["cp-1"]}),
        ([host(one("kube-scheduler", "memory", 29))], {"control_planes": ["cp-1"]}),
        # What holds for ten days by its maker's will is not renewed all the time.
        ([host(one("kube-scheduler", "memory", 9, lasts=10), client(9, lasts=10))], {}),
        ([host(client(29), serving(300), keys=(), name="w-1")], {"kubelets": ["w-1"]}),
        ([host(client(-1), keys=(), name="w-1")], {"kubelets": ["w-1"], "bootstraps": ["w-1"]}),
        ([host(client(-1))], {"kubelets": ["cp-1"], "ended": ["cp-1"]}),
        ([host(serving(-1), keys=(), name="w-1")], {"kubelets": ["w-1"]}),
        # One that the cluster signs is asked for by the kubelet, and approved.
        ([host(serving(1, signer="ca"), keys=(), name="w-1")], {}),
        ([host(one("etcd-member", "etcd", 1), keys=(), name="etcd-1")], {"etcd": ["etcd-1"]}),
        ([host(one("apiserver-etcd-client", "etcd", 1, signer="etcd/ca"))], {"etcd_clients": ["cp-1"]}),
        ([host(admin(300)), host(copy(29), name="w-1", keys=())], {"copies": ["w-1"]}),
        ([host(admin(300)), host(copy(31), name="w-1", keys=())], {}),
        ([host(admin(300)), host(copy(1, user="somebody"), name="w-1", keys=())], {}),
        ([host(admin(300)), host(copy(1, authority="f2"), name="w-1", keys=())], {}),
        ([host(copy(1), name="w-1", keys=())], {}),
        ([host(authority(1))], {}),
        ([host(replace(leaf(1), ends=0.0, error="it holds no certificate"))], {}),
    ],
)
def test_who_has_something_to_do(hosts: list[Host], expected: dict[str, list[str]]) -> None:
    plan = make_plan(hosts, 30, NOW)
    assert plan.faults == []
    kinds = ("ended", "control_planes", "kubelets", "bootstraps", "etcd", "etcd_clients", "copies")
    assert {kind: getattr(plan, kind) for kind in kinds if getattr(plan, kind)} == expected
    assert bool(plan.items) is bool(expected)


def test_the_order_of_the_steps_and_what_they_restart() -> None:
    hosts = [
        host(leaf(1), scheduler(1), client(-1), copy(1), admin(300)),
        host(one("etcd-member", "etcd", 1), name="etcd-1", keys=()),
    ]
    items = make_plan(hosts, 30, NOW).items
    assert [(item.host, item.subject, item.restarts) for item in items] == [
        ("etcd-1", "etcd-member", ()),
        ("cp-1", "apiserver", ()),
        ("cp-1", "scheduler.conf", ("kube-scheduler",)),
        ("cp-1", "kubelet-client", ("kubelet",)),
        ("cp-1", "/root/.kube/config", ()),
    ]
    assert (items[0].before, items[3].before) == ("2027-01-16 (1 days)", "2027-01-14 (ended)")


@pytest.mark.parametrize(
    ("found", "keys", "message"),
    [
        (leaf(1), (), "pki/ca.key, is not on the host"),
        (leaf(1, signer="front-proxy-ca"), ("ca",), "pki/front-proxy-ca.key, is not on the host"),
        (leaf(100), (), ""),
    ],
)
def test_an_external_authority_is_refused(found: Found, keys: tuple[str, ...], message: str) -> None:
    plan = make_plan([host(found, keys=keys)], 30, NOW)
    assert len(plan.faults) == bool(message)
    assert message in "".join(plan.faults)
    assert "cp-1: /etc/kubernetes/pki/apiserver.crt" in "".join(plan.faults) or not message


def test_an_authority_that_has_ended_is_refused() -> None:
    plan = make_plan([host(leaf(-1), authority(-1))], 30, NOW)
    assert "its authority, /etc/kubernetes/pki/ca.crt, has ended" in plan.faults[0]


def test_what_people_should_look_at() -> None:
    silent = leaf(300, error="192.0.2.1:6443 does not show its certificate: refused")
    notes = make_plan([host(silent, authority(20), serving(1, signer="ca"))], 30, NOW).notes
    assert ["does not show" in notes[0], "'The authorities'" in notes[1], "approved" in notes[2]] == [True] * 3


def test_the_table() -> None:
    found = [
        leaf(1, address="192.0.2.1:6443", served="b2"),
        replace(leaf(1), name="same", address="192.0.2.1:6443", served="a1"),
        replace(leaf(1), name="silent", address="192.0.2.1:6443"),
        one("kube-scheduler", "memory", 300, address="127.0.0.1:10259", served="a1"),
        replace(client(1), ends=0.0),
    ]
    lines = table([host(*found)], NOW)
    assert lines[0].split() == ["HOST", "CERTIFICATE", "ENDS", "SERVED", "AT", "SHOWS"]
    ends = ["an older one (b2)", "the file's", "no answer", "in memory", "-"]
    assert [line.endswith(end) for line, end in zip(lines[1:], ends)] == [True] * 5
    assert "unknown" in lines[5]


@pytest.mark.parametrize(
    ("after", "result"),
    [
        (leaf(365, serial="b2"), "changed"),
        (leaf(1), "failed"),
        (leaf(365, serial="b2", pod="kube-apiserver"), "failed"),
        (None, "failed"),
    ],
)
def test_what_came_of_it(after: Found | None, result: str) -> None:
    before = [host(leaf(1))]
    plan = make_plan(before, 30, NOW).items
    rows = results(before, [host(after)] if after else [], plan, {"cp-1": 4.0}, NOW)
    assert [(row.host, row.subject, row.result, row.seconds) for row in rows] == [("cp-1", "apiserver", result, 4.0)]


@pytest.mark.parametrize(("pod", "result"), [("kube-scheduler", "failed"), ("", "changed")])
def test_what_was_to_be_restarted_runs_with_the_new_one(pod: str, result: str) -> None:
    before = [host(scheduler(1)), host(scheduler(300, pod="kube-scheduler"), name="cp-2")]
    plan = make_plan(before, 30, NOW).items
    after = [host(scheduler(365, serial="b2", pod=pod)), host(scheduler(300, pod=pod), name="cp-2")]
    rows = results(before, after, plan, {}, NOW)
    assert [(row.subject, row.result) for row in rows] == [("scheduler.conf", result), ("kube-scheduler", result)]
