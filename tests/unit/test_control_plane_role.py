"""Which hosts of the control plane lead, join and are lost: the role's variables, rendered from what hosts told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

FACTS = {"hostname": "h"}
SHOWN = {
    "faults": "{{ __control_plane_faults }}",
    "leader": "{{ __control_plane_leader }}",
    "ready": "{{ __control_plane_ready }}",
    "joining": "{{ __control_plane_joining }}",
    "lost": "{{ __control_plane_lost | map(attribute='name') }}",
    "refused": "{{ __control_plane_losses.faults | length }}",
    "silent": "{{ __control_plane_silent_names }}",
}


def told(role: str, interrupted: str = "", missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """What kubeadm_info told of a host."""
    return {"role": role, "interrupted": interrupted, "traces": [], "missing": list(missing), "faults": []}


WHOLE, NEW, JOIN = told("control_plane"), told("none"), told("control_plane", "join")
ASIDE = told("control_plane", missing=("/etc/kubernetes/manifests/kube-apiserver.yaml",))


def member(number: int, healthy: bool = True) -> dict[str, Any]:
    url = f"https://192.0.2.{number}:2380"
    return {"name": f"cp{number}", "peer_urls": [url], "healthy": healthy, "version": "3.6.8" if healthy else ""}


ALL = [member(1), member(2), member(3)]
TWO_DOWN = [member(1), member(2, healthy=False), member(3)]


@pytest.mark.parametrize(
    ("states", "members", "variables", "expected"),
    [
        (
            # An API server's manifest was moved aside: nobody joins, nothing is lost.
            (WHOLE, ASIDE, WHOLE),
            ALL,
            {},
            {"ready": ["cp1", "cp3", "cp2"], "joining": [], "lost": [], "refused": 0},
        ),
        (
            # On the first one, which then does not lead.
            (ASIDE, WHOLE, WHOLE),
            ALL,
            {},
            {"leader": "cp2", "joining": [], "lost": [], "refused": 0},
        ),
        (
            # Set up anew under its name.
            (WHOLE, NEW, WHOLE),
            TWO_DOWN,
            {},
            {"joining": ["cp2"], "lost": ["cp2"], "silent": ["cp2"], "refused": 0},
        ),
        (
            # Empty, and its member answers from somewhere.
            (WHOLE, NEW, WHOLE),
            ALL,
            {},
            {"joining": ["cp2"], "lost": [], "silent": [], "refused": 1},
        ),
        (
            (WHOLE, NEW, WHOLE),
            ALL,
            {"control_plane_lost_nodes": ["cp2"]},
            {"lost": ["cp2"], "silent": [], "refused": 0},
        ),
        (
            # A join that is taken back has left a member and a kubelet that run.
            (WHOLE, JOIN, WHOLE),
            ALL,
            {},
            {"joining": ["cp2"], "lost": ["cp2"], "silent": [], "refused": 0},
        ),
    ],
)
def test_who_is_lost(
    tmp_path: Path,
    states: tuple[dict[str, Any], ...],
    members: list[dict[str, Any]],
    variables: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    etcd = {"members": members}
    hosts = {
        f"cp{number}": {
            **variables,
            "kubernetes_node_ip": f"192.0.2.{number}",
            "__control_plane_node": state,
            "__control_plane_etcd": etcd,
        }
        for number, state in enumerate(states, 1)
    }
    found = render(tmp_path, "control_plane", {"children": {"kube_control_plane": {"hosts": hosts}}}, FACTS, SHOWN)
    for host in hosts:
        assert {name: found[host][name] for name in expected} == expected
        assert found[host]["faults"] == []
