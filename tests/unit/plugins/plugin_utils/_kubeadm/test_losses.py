"""What nodes have lost, judged together."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.loss_lines import loss_lines
from ansible_collections.groundwork.kubernetes.plugins.filter.lost_authorities import lost_authorities

PKI = "/etc/kubernetes/pki"
WHOLE = {"ca.crt": "1", "ca.key": "", "sa.key": "", "sa.pub": "2", "etcd/ca.key": ""}
NAMED = ["ca.crt", "ca.key", "sa.key"]


MANAGER = "/etc/kubernetes/manifests/kube-controller-manager.yaml"


def plane(*without: str, named: list[str] | None = None, losses: Any = (), **other: str) -> dict[str, Any]:
    has = {name: value for name, value in {**WHOLE, **other}.items() if name not in without}
    return {
        "role": "control_plane",
        "interrupted": "",
        "losses": list(losses),
        "authorities": has,
        "named_authorities": NAMED if named is None else named,
        "missing": [],
        "rotating": False,
    }


WORKER = {"role": "worker", "interrupted": "", "losses": [], "authorities": {"ca.crt": "1"}, "named_authorities": []}
JOINING = {"role": "none", "interrupted": "", "losses": [], "authorities": {}, "named_authorities": []}


@pytest.mark.parametrize(
    ("results", "copies", "sources", "faults"),
    [
        ({"a": plane(), "b": plane(), "c": plane(), "w": WORKER, "n": JOINING}, {}, {}, []),
        (
            {"a": plane("sa.key"), "b": plane("ca.key"), "c": plane()},
            {"a": ["sa.key"], "b": ["ca.key"]},
            {"ca.key": "a", "sa.key": "b"},
            [],
        ),
        # A key that is kept elsewhere is not brought to a host that has none.
        ({"a": plane("ca.key", "etcd/ca.key", named=["ca.crt", "sa.key"]), "b": plane()}, {}, {}, []),
        ({"a": plane("ca.key", named=[]), "b": plane("ca.key", named=[])}, {}, {}, []),
        # Whether a host is to have it, others tell where its own manifest is missing.
        (
            {"a": {**plane("ca.key", named=["ca.crt"]), "missing": [MANAGER]}, "b": plane()},
            {"a": ["ca.key"]},
            {"ca.key": "b"},
            [],
        ),
        (
            {"a": plane("sa.key"), "b": plane("sa.key")},
            {},
            {},
            [f"a: {PKI}/sa.key is on no control plane", f"b: {PKI}/sa.key is on no control plane"],
        ),
        ({"a": plane("etcd/ca.key")}, {}, {}, []),
        # In the middle of a stage of a rotation, which ends when the stage is run again.
        ({"a": {**plane(), "rotating": True}, "b": plane(**{"ca.crt": "9"}), "c": plane()}, {}, {}, []),
        (
            {"a": {**plane(), "rotating": True}, "b": plane("ca.key", "sa.key")},
            {"b": ["sa.key"]},
            {"sa.key": "a"},
            [f"b: {PKI}/ca.key is missing, and a rotation of the authority has not ended"],
        ),
        # Which of two is right, nothing tells.
        ({"a": plane(), "b": plane("ca.key", **{"ca.crt": "9"})}, {}, {}, [f"a, b: {PKI}/ca.crt is not the same"]),
        ({"a": plane(), "b": plane("sa.key", **{"sa.pub": "9"})}, {}, {}, [f"a, b: {PKI}/sa.pub is not the same"]),
    ],
)
def test_authorities(
    results: dict[str, Any], copies: dict[str, list[str]], sources: dict[str, str], faults: list[str]
) -> None:
    found = lost_authorities(results)
    assert found["copies"] == {host: [f"{PKI}/{name}" for name in names] for host, names in copies.items()}
    assert found["sources"] == {f"{PKI}/{name}": host for name, host in sources.items()}
    assert len(found["faults"]) == len(faults)
    assert all(fault.startswith(part) for fault, part in zip(found["faults"], faults, strict=True))


def loss(path: str, what: str, by: str, diff: str = "", needs: str = "") -> dict[str, str]:
    return {"path": path, "kind": "missing", "what": what, "by": by, "diff": diff, "needs": needs}


def test_lines() -> None:
    lost = [loss("/m.yaml", "it differs", "site", "-a\n+b"), loss("/x", "why.", "")]
    assert loss_lines({"a": plane("sa.key", losses=lost), "b": plane(), "w": WORKER}) == [
        "a: /m.yaml: it differs. The playbook site makes it good.",
        "    -a",
        "    +b",
        "a: /x: why.",
        f"a: {PKI}/sa.key: it is missing. The playbook site copies it from b.",
    ]
    assert loss_lines({"a": plane(), "w": WORKER}) == []


def test_what_takes_a_key_is_made_good_where_another_control_plane_has_it() -> None:
    lost = plane("ca.key", losses=[loss("/admin.conf", "it is missing", "site", needs=f"{PKI}/ca.key")])
    assert loss_lines({"a": lost, "b": plane()})[:1] == [
        "a: /admin.conf: it is missing. The playbook site makes it good."
    ]
    assert f"It cannot be issued again, as {PKI}/ca.key is not there: put back" in loss_lines({"a": lost})[0]


@pytest.mark.parametrize("function", [loss_lines, lost_authorities])
def test_bad_input(function: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="needs results of kubeadm_info"):
        function({"a": {"role": "control_plane", "losses": [{}], "authorities": {}}})
