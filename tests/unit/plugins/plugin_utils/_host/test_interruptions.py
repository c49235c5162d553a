"""What changes interrupt for a while."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.effects import OURS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.interruptions import (
    APPLIED,
    RESTARTED,
    interruptions,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.run_record import Change, RunRecord


@pytest.mark.parametrize(
    ("module", "effects", "expected"),
    [
        (f"{OURS}files", {"files": ["/etc/x"], "started": ["containerd"]}, []),
        (f"{OURS}files", {"restarted": ["containerd.service", "groundwork-backup.timer"]}, ["containerd"]),
        (f"{OURS}kubeadm_init", {"kubeadm": ["reconcile"], "applied": ["upload-config"]}, []),
        (
            f"{OURS}kubeadm_init",
            {
                "settings": ["ClusterConfiguration.apiServer"],
                "applied": ["control-plane", "kubelet", "kubelet-arguments"],
            },
            ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"],
        ),
        (f"{OURS}kubeadm_join", {"settings": ["KubeletConfiguration.maxPods"]}, ["kubelet"]),
        (f"{OURS}kubeadm_join", {"kubeadm": ["join"]}, []),
        (f"{OURS}static_pods", {"restarted": ["etcd"]}, ["etcd"]),
        ("ansible.builtin.reboot", {"restarted": ["the host"]}, ["the host"]),
    ],
)
def test_what_is_interrupted(module: str, effects: dict[str, list[str]], expected: list[str]) -> None:
    found = list(interruptions("h", module, effects))
    assert [(one.host, one.what, one.meanwhile) for one in found] == [("h", what, RESTARTED[what]) for what in expected]


def test_each_step_of_kubeadm_is_known() -> None:
    assert {name for names in APPLIED.values() for name in names} <= RESTARTED.keys()


def test_hosts_with_the_same_stand_in_one_row() -> None:
    changes = [
        Change(host, "play", "role", task, f"{OURS}files", {"restarted": ["containerd"]})
        for host in ("b", "a")
        for task in ("one", "two")
    ]
    record = RunRecord(check=True, hosts=["a", "b"], changes=changes)
    assert record.interruption_lines() == [
        "HOST  RESTARTS    MEANWHILE",
        "a, b  containerd  no container is started there for seconds; containers go on",
    ]
    told = record.document({}, 0)["interruptions"]
    assert [(one["host"], one["what"]) for one in told] == [("a", "containerd"), ("b", "containerd")]
    assert RunRecord(check=True).interruption_lines() == []
