"""What the role verify takes a host for, what it expects of it, and which hosts it judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

SHOWN = {
    "parts": "{{ __verify_parts }}",
    "wanted": "{{ __verify_wanted }}",
    "judged": "{{ __verify_hardening_results }}",
}
FOUND = {"__verify_hardening": {"found": [{"number": "2.2"}]}}
HARDENED = {"kubernetes_hardened": True, "kubernetes_version": "1.36.5"}


def rendered(folder: Path, etcd: list[str], **variables: Any) -> dict[str, dict[str, Any]]:
    """A control plane, a worker that has not been reached, and hosts of etcd."""
    groups = {
        "kube_control_plane": {
            "hosts": {"cp1": {**variables, **FOUND, "__control_plane_wanted": {"admission": {"a": 1}}}}
        },
        "kube_node": {"hosts": {"w1": {**variables, "__verify_hardening": {"skipped": True}}}},
    }
    if etcd:
        groups["etcd"] = {"hosts": {name: {**variables, **FOUND} for name in etcd}}
    return render(folder, "verify", {"children": groups}, {"hostname": "h"}, SHOWN)


@pytest.mark.parametrize(
    ("etcd", "parts"),
    [
        ([], {"cp1": ["control_plane", "node", "etcd"], "w1": ["node"]}),
        (["e1"], {"cp1": ["control_plane", "node"], "w1": ["node"], "e1": ["etcd"]}),
    ],
)
def test_hosts_of_a_hardened_cluster(tmp_path: Path, etcd: list[str], parts: dict[str, list[str]]) -> None:
    found = rendered(tmp_path, etcd, **HARDENED, kubernetes_kubelet_configuration={"podPidsLimit": 9})
    assert {host: shown["parts"] for host, shown in found.items()} == parts
    for host, shown in found.items():
        wanted = shown["wanted"]
        assert (wanted["private_files"], wanted["private_etcd"], wanted["private_cni"]) == (True, True, True)
        assert (wanted["kubelet"]["podPidsLimit"], wanted["kubelet"]["readOnlyPort"]) == (9, 0)
        assert wanted.get("admission") == ({"a": 1} if host == "cp1" else None)
        # Only of hosts that told something.
        assert shown["judged"] == {name: [{"number": "2.2"}] for name in ["cp1", *etcd]}


# On hosts of its own, etcd's data is its user's alone in every cluster.
@pytest.mark.parametrize(("etcd", "private"), [([], False), (["e1"], True)])
def test_hosts_of_another_cluster(tmp_path: Path, etcd: list[str], private: bool) -> None:
    found = rendered(tmp_path, etcd, cni_plugin="calico")
    for shown in found.values():
        wanted = shown["wanted"]
        assert (wanted["private_files"], wanted["private_etcd"], wanted["private_cni"]) == (False, private, False)
        assert "readOnlyPort" not in wanted["kubelet"]
