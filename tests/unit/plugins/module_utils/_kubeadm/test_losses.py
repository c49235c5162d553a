"""What a node has lost, decided from texts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import certificates
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import NodeState
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import losses

sys.path.insert(0, str(Path(__file__).parents[2]))

import pki
from control_plane_files import kubeconfig, signed

CA, OTHER = pki.issue("ca"), pki.issue("other-ca")
MASTERS = "system:masters"
ETCD = """spec:
  containers:
  - command:
    - etcd
    - --data-dir=/var/lib/etcd
{joined}    - --name=cp-2
    image: registry.k8s.io/etcd:3.6.8-0
"""
ALONE = "    - --initial-cluster=cp-2=https://192.0.2.2:2380\n"
JOINED = "    - --initial-cluster=cp-1=https://192.0.2.1:2380,cp-2=https://192.0.2.2:2380\n" + (
    "    - --initial-cluster-state=existing\n"
)


def api_server(more: str = "") -> str:
    return f"    - --secure-port=6443\n{more}    image: registry.k8s.io/kube-apiserver:v1.36.5\n"


@pytest.mark.parametrize(
    ("name", "found", "written", "healthy", "expected"),
    [
        ("kube-apiserver", api_server(), api_server(), True, []),
        ("kube-apiserver", api_server(more="    - --v=3\n"), api_server(), True, [(losses.ALTERED, losses.SITE)]),
        ("kube-apiserver", "", api_server(), True, [(losses.ALTERED, losses.SITE)]),
        ("etcd", ETCD.format(joined=JOINED), ETCD.format(joined=ALONE), True, []),
        ("etcd", ETCD.format(joined=JOINED) + "x", ETCD.format(joined=ALONE), True, [(losses.ALTERED, losses.PEOPLE)]),
        ("etcd", ETCD.format(joined=JOINED) + "x", ETCD.format(joined=ALONE), False, [(losses.ALTERED, losses.SITE)]),
    ],
)
def test_a_manifest_that_was_altered(
    name: str, found: str, written: str, healthy: bool, expected: list[tuple[str, str]]
) -> None:
    lost = losses.altered(name, "/m.yaml", found, written, healthy)
    assert [(loss.kind, loss.by) for loss in lost] == expected
    assert all(loss.diff.startswith("--- /m.yaml") for loss in lost if loss.kind == losses.ALTERED)


@pytest.mark.parametrize(
    ("found", "expected"),
    [(ETCD.format(joined=JOINED) + "x", ETCD.format(joined=JOINED)), ("", ETCD.format(joined=""))],
)
def test_etcd_keeps_how_its_member_joined(found: str, expected: str) -> None:
    assert losses.with_joined(found, ETCD.format(joined=ALONE)) == expected


def config(user: str, *groups: str, authority: pki.Pair = CA) -> str:
    return kubeconfig(signed(user, *groups, authority=authority), authority.crt)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("admin", config("kubernetes-admin", MASTERS), ""),
        ("admin", config("kubernetes-admin", "kubeadm:cluster-admins"), ""),
        ("admin", config("kubernetes-admin"), "it is that of kubernetes-admin, and not of kubernetes-admin"),
        ("scheduler", config("system:kube-scheduler"), ""),
        ("scheduler", config("kubernetes-admin", MASTERS), f"it is that of kubernetes-admin of {MASTERS}, and not of"),
        ("scheduler", config("system:kube-scheduler", authority=OTHER), "it trusts another authority"),
        ("scheduler", "", "it is empty"),
        ("scheduler", "x", "it is no kubeconfig"),
        ("scheduler", "a warning\n" + config("system:kube-scheduler"), "it is no kubeconfig"),
        ("scheduler", config("system:kube-scheduler")[:-100], "its client-key-data is not in base64"),
        ("admin", "clusters: []\nusers: [exec: {}]\n", ""),  # somebody's own
    ],
)
def test_a_kubeconfig_that_is_of_no_use(name: str, text: str, expected: str) -> None:
    found = losses.kubeconfig_fault(name, text, certificates(CA.crt.encode()))
    assert found.startswith(expected) if expected else found == ""


@pytest.mark.parametrize(
    ("text", "arguments", "expected"),
    [
        ('KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.1 --v=2"\n', [("node-ip", "192.0.2.1")], ""),
        ('KUBELET_KUBEADM_ARGS=""\n', [], ""),
        ('KUBELET_KUBEADM_ARGS=""\n', [("node-ip", "192.0.2.1"), ("v", None)], "it lacks --node-ip=192.0.2.1"),
        ("", [], "it does not set KUBELET_KUBEADM_ARGS"),
    ],
)
def test_flags_of_the_kubelet(text: str, arguments: list[tuple[str, str | None]], expected: str) -> None:
    assert losses.flags_fault(text, [{"name": name, "value": value} for name, value in arguments]) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (NodeState("control_plane"), []),
        (NodeState("worker", missing=("/k/kubelet.conf",)), [("/k/kubelet.conf", losses.SITE)]),
        (NodeState("control_plane", missing=("/a", "/b")), [("/a", losses.SITE), ("/b", losses.SITE)]),
        (NodeState("control_plane", missing=("/a", "/b"), faults=("why",)), [("/a, /b", losses.PEOPLE)]),
    ],
)
def test_what_is_missing(state: NodeState, expected: list[tuple[str, str]]) -> None:
    assert [(loss.path, loss.by) for loss in losses.missing(state)] == expected


@pytest.mark.parametrize(
    ("versions", "count"),
    [(["1.36.5", "1.36.5", "1.36.5"], 0), (["1.36.6", "", "1.36.6"], 0), (["1.36.6", "1.36.5"], 1)],
)
def test_an_upgrade_that_was_cut_off(versions: list[str], count: int) -> None:
    found = losses.unfinished_upgrade({str(number): version for number, version in enumerate(versions)})
    assert [(loss.kind, loss.by) for loss in found] == count * [(losses.UNFINISHED, losses.UPGRADE)]


@pytest.mark.parametrize(
    ("interrupted", "expected"), [("", []), ("join", ["kubeadm join was begun and has not finished"])]
)
def test_a_run_that_was_cut_off(interrupted: str, expected: list[str]) -> None:
    found = losses.unfinished(NodeState("worker", interrupted))
    assert [loss.what for loss in found] == expected
    assert all(loss.by == losses.SITE for loss in found)


def test_files_that_static_pods_are_started_with() -> None:
    values = ("client-ca-file=/k/pki/ca.crt", "kubeconfig=/k/x.conf", "tls-private-key-file=/k/pki/a.key")
    text = "".join(f"    - --{value}\n" for value in values)
    assert losses.named_files([text, text], "/k/pki") == ["/k/pki/a.key", "/k/pki/ca.crt"]
