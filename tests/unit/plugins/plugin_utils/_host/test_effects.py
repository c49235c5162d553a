"""What results of modules say that was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.effects import (
    KINDS,
    LISTS,
    OURS,
    READERS,
    effects,
)

ROOT = Path(__file__).resolve().parents[5]


@pytest.mark.parametrize(
    ("module", "result", "expected"),
    [
        ("files", {"changed_paths": ["/etc/a", "/etc/b"]}, {"files": ["/etc/a", "/etc/b"]}),
        (
            "artifacts",
            {
                "artifacts": {"kubectl": {"changed": True}, "kubelet": {"changed": False}},
                "changed_paths": ["/usr/local/bin/kubectl"],
            },
            {"installed": ["kubectl"], "files": ["/usr/local/bin/kubectl"]},
        ),
        ("packages", {"installed": ["socat"], "versions": {"socat": "1"}}, {"installed": ["socat"]}),
        (
            "files",
            {
                "artifacts": {"x": {"changed": True}, "y": {"changed": False}},
                "changed_paths": ["/usr/local/bin/x", "/etc/x"],
                "services": {
                    "x.service": {"actions": ["daemon-reload", "restart"], "reasons": []},
                    "y.service": {"actions": [], "reasons": []},
                },
            },
            {"installed": ["x"], "files": ["/usr/local/bin/x", "/etc/x"], "restarted": ["x.service"]},
        ),
        (
            "service",
            {
                "actions": ["daemon-reload", "enable", "restart"],
                "invocation": {"module_args": {"name": "containerd", "files": []}},
            },
            {"restarted": ["containerd"], "enabled": ["containerd"]},
        ),
        (
            "schedule",
            {"actions": ["start"], "timer": "groundwork-backup.timer", "changed_paths": ["/etc/x"]},
            {"files": ["/etc/x"], "started": ["groundwork-backup.timer"]},
        ),
        (
            "etcd_service",
            {"actions": ["move-leader", "restart"], "invocation": {"module_args": {"unit": "etcd"}}},
            {"restarted": ["etcd"]},
        ),
        (
            "static_pods",
            {"moved": ["kube-apiserver"], "invocation": {"module_args": {"state": "stopped"}}},
            {"stopped": ["kube-apiserver"]},
        ),
        (
            "kubeadm_init",
            {"action": "reconcile", "changes": ["ClusterConfiguration.apiServer"], "steps": ["control-plane"]},
            {
                "kubeadm": ["reconcile"],
                "settings": ["ClusterConfiguration.apiServer"],
                "applied": ["control-plane"],
            },
        ),
        ("kubeadm_join", {"action": "join", "changes": []}, {"kubeadm": ["join"]}),
        ("kubeadm_join", {"action": "none", "changes": []}, {}),
        (
            "manifest",
            {
                "objects": [
                    {"kind": "Namespace", "namespace": "", "name": "shop", "action": "created"},
                    {"kind": "Secret", "namespace": "shop", "name": "key", "action": "updated"},
                    {"kind": "Role", "namespace": "shop", "name": "same", "action": "unchanged"},
                ]
            },
            {"objects": ["Namespace shop created", "Secret shop/key updated"]},
        ),
        ("kubelet_certificates", {"approved": [{"node": "w1"}]}, {"certificates": ["kubelet-serving of w1"]}),
        ("drain", {"plan": [{"host": "w1", "evicts": ["shop/cart"]}, {"host": "w2"}]}, {"evicted": ["shop/cart"]}),
        (
            "user",
            {"plan": [{"host": "alice", "subject": "certificate"}, {"host": "group ci", "subject": "edit in shop"}]},
            {"certificates": ["certificate of alice"], "objects": ["edit in shop of group ci"]},
        ),
        (
            "files",
            {"results": [{"changed": True, "changed_paths": ["/a"]}, {"changed": False, "changed_paths": ["/b"]}]},
            {"files": ["/a"]},
        ),
        ("files", {"changed": False, "changed_paths": ["/etc/a"]}, {}),
        ("files", {"censored": "hidden"}, {}),
        ("files", {"changed_paths": "no list"}, {}),
    ],
)
def test_effects(module: str, result: dict[str, Any], expected: dict[str, list[str]]) -> None:
    assert effects(OURS + module, {"changed": True, **result}) == expected


def test_other_modules_say_nothing() -> None:
    assert effects("ansible.builtin.command", {"changed": True, "changed_paths": ["/a"], "cmd": "x"}) == {}
    assert effects("ansible.builtin.reboot", {"changed": True}) == {"restarted": ["the host"]}


def test_modules_and_kinds_exist() -> None:
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert {*LISTS, *READERS} - modules == set()
    assert {kind for kinds in LISTS.values() for kind in kinds.values()} - set(KINDS) == set()


def test_fields_are_those_that_modules_return() -> None:
    for module, fields in LISTS.items():
        source = (ROOT / "plugins" / "modules" / f"{module}.py").read_text()
        documented = source.partition('RETURN = r"""')[2].partition('"""')[0]
        assert [field for field in fields if f"\n{field}:\n" not in documented] == [], module


def test_kinds_are_documented() -> None:
    page = (ROOT / "docs" / "plan-and-report.md").read_text().partition("## Kinds of effects")[2]
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    assert {name.strip(" `"): text.strip() for name, text in rows} == KINDS
