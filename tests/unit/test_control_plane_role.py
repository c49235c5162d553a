"""Which hosts of the control plane lead, join and are lost: the role's variables, rendered from what hosts told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
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


def reported(role: str, interrupted: str = "", missing: tuple[str, ...] = ()) -> dict[str, Any]:
    """What kubeadm_info told of a host."""
    return {
        "role": role,
        "interrupted": interrupted,
        "traces": [],
        "missing": list(missing),
        "faults": [],
        "signs": True,
    }


WHOLE, NEW, JOIN = reported("control_plane"), reported("none"), reported("control_plane", "join")
ASIDE = reported("control_plane", missing=("/etc/kubernetes/manifests/kube-apiserver.yaml",))


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


@pytest.mark.parametrize("local", ["", "{{ playbook_dir }}/administrator.conf"], ids=["stays", "fetched"])
def test_what_went_wrong_with_the_kubeconfig_is_shown(tmp_path: Path, local: str) -> None:
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {"groundwork.kubernetes.root_kubeconfig": {"src": str(tmp_path / "none")}},
        "vars": {
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "control_plane_kubeconfig_local": local,
            "control_plane_root_kubeconfig": str(tmp_path / "config"),
        },
        "tasks": [
            {"ansible.builtin.import_role": {"name": "groundwork.kubernetes.control_plane", "tasks_from": "kubeconfig"}}
        ],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), tmp_path / "play.yml"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    assert f"src: {tmp_path}/none does not exist or is empty. Nothing was changed" in " ".join(output.split()), output
    assert ("censored" in output) is bool(local)
