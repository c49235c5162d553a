"""Several control planes after site: etcd's members, and what each host must and must not have."""

from __future__ import annotations

import json
from typing import Any

import pytest

PLANES = ["control-plane-1", "control-plane-2", "control-plane-3"]
ETCDCTL = "/usr/local/sbin/etcdctl --write-out=json"
KUBECTL = "PATH=$PATH:/usr/local/bin kubectl --kubeconfig=/etc/kubernetes/admin.conf"


@pytest.fixture(name="control_plane")
def _control_plane(host: Any) -> Any:
    if host.ansible.get_variables()["inventory_hostname"] not in PLANES:
        pytest.skip("asked of control planes only")
    return host


def test_etcd_has_a_voting_member_on_each_control_plane(control_plane: Any) -> None:
    members = json.loads(control_plane.check_output(f"{ETCDCTL} member list"))["members"]
    assert sorted(member["name"] for member in members) == PLANES
    assert [member["name"] for member in members if member.get("isLearner")] == []


def test_all_members_are_healthy(control_plane: Any) -> None:
    answers = json.loads(control_plane.check_output(f"{ETCDCTL} endpoint health --cluster"))
    assert [answer["health"] for answer in answers] == [True, True, True]


def test_the_timer_defragments(control_plane: Any) -> None:
    assert control_plane.service("groundwork-etcd-defrag.timer").is_enabled
    assert control_plane.run("systemctl start groundwork-etcd-defrag.service").rc == 0


def test_the_certificate_names_every_control_plane(control_plane: Any) -> None:
    script = "import ssl; print(ssl._ssl._test_decode_cert('/etc/kubernetes/pki/apiserver.crt')['subjectAltName'])"
    names = control_plane.check_output(f'python3 -c "{script}"')
    assert [name for name in PLANES if f"'{name}'" not in names] == []


def test_keys_of_authorities_are_private(control_plane: Any) -> None:
    for name in ("ca", "front-proxy-ca", "etcd/ca"):
        assert control_plane.file(f"/etc/kubernetes/pki/{name}.key").mode == 0o600


def test_nothing_is_left_of_the_join(control_plane: Any) -> None:
    assert control_plane.check_output(f"{KUBECTL} -n kube-system get secret kubeadm-certs --ignore-not-found") == ""
    tokens = f"{KUBECTL} -n kube-system get secrets --field-selector=type=bootstrap.kubernetes.io/token -o name"
    # The one of kubeadm's own holds for ten minutes and is nobody's.
    assert len(control_plane.check_output(tokens).split()) <= 1
    assert not control_plane.file("/etc/kubernetes/.kubeadm-join-in-progress").exists


def test_the_control_plane_takes_no_pods(control_plane: Any) -> None:
    nodes = json.loads(control_plane.check_output(f"{KUBECTL} get nodes -o json"))["items"]
    tainted = {node["metadata"]["name"] for node in nodes if node["spec"].get("taints")}
    assert set(PLANES) <= tainted
