"""Hosts of an external etcd and of their client, the control plane, read over ssh."""

from __future__ import annotations

import json
from typing import Any

import pytest

MEMBERS = ["etcd-1", "etcd-2", "etcd-3"]


@pytest.fixture(name="name")
def _name(host: Any) -> str:
    return str(host.ansible.get_variables()["inventory_hostname"])


@pytest.fixture(name="member")
def _member(host: Any, name: str) -> Any:
    if not name.startswith("etcd"):
        pytest.skip("asked of members only")
    return host


@pytest.fixture(name="control_plane")
def _control_plane(host: Any, name: str) -> Any:
    if not name.startswith("control-plane"):
        pytest.skip("asked of the control plane only")
    return host


def test_the_service_runs_and_comes_back(member: Any) -> None:
    assert member.service("etcd").is_running
    assert member.service("etcd").is_enabled
    assert member.check_output("ps -o user= -C etcd").strip() == "etcd"


def test_the_service_cannot_gain_privileges(member: Any) -> None:
    pid = member.check_output("systemctl show etcd --property=MainPID --value")
    status = dict(line.split(":\t", 1) for line in member.file(f"/proc/{pid}/status").content_string.splitlines())
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapBnd"], 16) == 0
    assert status["Seccomp"] == "2"


def test_the_timer_defragments(member: Any) -> None:
    assert member.service("groundwork-etcd-defrag.timer").is_enabled
    assert member.run("systemctl start groundwork-etcd-defrag.service").rc == 0


def test_no_leave_to_begin_is_left(member: Any) -> None:
    """So that a member whose data is lost does not start as an empty one."""
    assert not member.file("/etc/etcd/bootstrap.env").exists


def test_etcdctl_works_without_options(host: Any, name: str) -> None:
    if not name.startswith(("etcd", "control-plane")):
        pytest.skip("a worker has no etcdctl")
    listed = json.loads(host.check_output("/usr/local/sbin/etcdctl member list --write-out=json"))
    assert sorted(one["name"] for one in listed["members"]) == MEMBERS
    assert not any(one.get("isLearner") for one in listed["members"])


def test_nobody_gets_in_without_a_certificate(member: Any) -> None:
    command = "/usr/local/bin/etcdctl --cacert=/etc/etcd/pki/ca.crt --endpoints=https://127.0.0.1:2379 endpoint health"
    assert member.run(f"ETCDCTL_API=3 {command}").rc != 0


def test_keys_are_their_owners_alone(member: Any) -> None:
    for name, user in {"ca": "root", "peer-ca": "root", "member": "etcd", "peer": "etcd"}.items():
        key = member.file(f"/etc/etcd/pki/{name}.key")
        assert (key.mode, key.user) == (0o600, user)
    assert (member.file("/etc/etcd/pki").mode, member.file("/etc/etcd/pki").group) == (0o750, "etcd")
    assert member.file("/var/lib/etcd").mode == 0o700


def test_the_control_plane_has_no_member_of_its_own(control_plane: Any) -> None:
    assert not control_plane.file("/etc/kubernetes/manifests/etcd.yaml").exists
    assert not control_plane.file("/etc/etcd").exists


def test_the_api_server_uses_the_members(control_plane: Any) -> None:
    manifest = control_plane.file("/etc/kubernetes/manifests/kube-apiserver.yaml").content_string
    line = next(line for line in manifest.splitlines() if "--etcd-servers=" in line)
    assert len(line.split(",")) == len(MEMBERS)
    assert control_plane.file("/etc/kubernetes/pki/apiserver-etcd-client.key").mode == 0o600
