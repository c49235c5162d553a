"""The filter control_plane_faults: states of all hosts of the control plane, and what no run may begin from."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.control_plane_faults import control_plane_faults

ADMIN = "/etc/kubernetes/admin.conf"


def state(role: str, interrupted: str = "", **more: Any) -> dict[str, Any]:
    shared = {"role": role, "interrupted": interrupted, "traces": [], "missing": [], "faults": [], "signs": True}
    return {**shared, **more}


NEW, WHOLE, WORKER = state("none"), state("control_plane"), state("worker")
MENDABLE = state("control_plane", missing=["/etc/kubernetes/manifests/kube-apiserver.yaml"])
BROKEN = state("control_plane", missing=["etcd.yaml"], faults=["etcd.yaml is missing", "kubelet.conf is missing"])
HALF = state("control_plane", losses=[{"by": "upgrade", "what": "the manifests are of several versions"}])
UNSIGNED = state("control_plane", missing=[ADMIN], signs=False)
STOPPED = state("control_plane", missing=["/etc/kubernetes/manifests/etcd.yaml"])
INIT, JOIN = state("none", "init"), state("worker", "join")
BEGUN, JOINED = state("control_plane", "init"), state("control_plane", "join")


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([NEW, NEW, NEW], []),
        ([WHOLE, NEW, MENDABLE], []),
        ([WHOLE, JOIN, JOINED], []),
        ([NEW, INIT], []),
        ([BEGUN, NEW], []),
        ([WHOLE, STOPPED, WHOLE], []),
        # It gets the key from the other one first.
        ([UNSIGNED, WHOLE], []),
        ([UNSIGNED], [f"h1: {ADMIN} cannot be issued again, as /etc/kubernetes/pki/ca.key is on no control plane"]),
        ([UNSIGNED, state("control_plane", signs=False), NEW], [f"h1: {ADMIN} cannot be issued again"]),
        ([STOPPED, WHOLE, STOPPED], ["h1: the manifests of etcd are missing on h1, h3", "h3: the manifests of etcd"]),
        ([WHOLE, HALF], ["h2: the manifests are of several versions. Run the playbook upgrade, which goes on."]),
        ([BROKEN, WHOLE], ["h1: etcd.yaml is missing.", "h1: kubelet.conf is missing."]),
        ([BROKEN, BROKEN], ["h1: etcd", "h1: kubelet", "h2: etcd", "h2: kubelet"]),
        ([WHOLE, WORKER], ["h2: it is a node of a cluster, by /etc/kubernetes/kubelet.conf, and has nothing else"]),
        ([WORKER], ["put back what was moved away"]),
        ([WHOLE, state("worker", traces=[ADMIN])], [f"kubelet.conf and {ADMIN}, and has nothing else"]),
        ([WHOLE, state("none", traces=[ADMIN])], [f"h2: {ADMIN} is there, and nothing else of a control plane"]),
        # From these a second cluster would become.
        (
            [NEW, JOINED],
            ["h2: it began to join a cluster as control plane, and no host of this run holds that cluster"],
        ),
        ([INIT, JOINED], ["h2: it began to join"]),
        ([WHOLE, INIT], ["h2: an initialization was begun here and never finished, and h1 is of a control plane"]),
        ([INIT, INIT], ["h2: an initialization was begun here and on h1"]),
    ],
)
def test_faults(states: list[dict[str, Any]], message: list[str]) -> None:
    found = control_plane_faults({f"h{number}": one for number, one in enumerate(states, 1)})
    assert len(found) == len(message)
    assert all(part in fault for part, fault in zip(message, found))
    assert "kubeadm reset" not in " ".join(found)


@pytest.mark.parametrize(("states", "count"), [([NEW], 1), ([NEW, NEW], 1), ([WHOLE, NEW], 0), ([INIT, NEW], 0)])
def test_a_cluster_may_exist_where_nobody_looked(states: list[dict[str, Any]], count: int) -> None:
    hosts = {f"h{number}": one for number, one in enumerate(states, 1)}
    found = control_plane_faults(hosts, ["h8", "h9"])
    assert len(found) == count
    assert all("h8, h9 of the same group did not take part" in fault for fault in found)
    assert control_plane_faults(hosts, []) == []


def test_bad_input() -> None:
    with pytest.raises(AnsibleFilterError, match="needs results of kubeadm_info"):
        control_plane_faults({"h1": {}})
