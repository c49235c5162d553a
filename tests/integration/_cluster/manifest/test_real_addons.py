"""The role addons on a real API server: what comes, what is in the way, what goes and what stays."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import KUBERNETES, ApiServer
from chart_files import CRD

ROOT = Path(__file__).resolve().parents[4]
Play = Callable[..., "Played"]
ORDER = {"apiVersion": "shop.example.org/v1", "kind": "Order", "metadata": {"name": "first"}, "spec": {"size": 1}}
MANIFEST = "{apiVersion: v1, kind: ConfigMap, metadata: {name: note}, data: {host: HOST, other: x}}\n"
OWN = [
    {
        "name": "orders",
        "namespace": "shop",
        "namespace_labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        "chart": "orders.yml",
        "version": "1.0.0",
        "one_minor": True,
        "crds": ["shop.example.org"],
        "accepts": [{**ORDER, "metadata": {"name": "asks", "namespace": "shop"}}],
        "proof": [{"what": "the API is served", "path": "/apis/shop.example.org/v1"}],
        "stays": "orders",
    },
    {
        "name": "notes",
        "namespace": "shop",
        "chart": "note.yml",
        "replace": {"HOST": "${dns_address}.${dns_domain}"},
        "needs": {"addons": ["orders"]},
        "objects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note"}, "data": {"more": "y"}}],
        "proof": [{"what": "it is there", "path": "/api/v1/namespaces/shop/configmaps/note", "text": '"more": "y"'}],
    },
]


class Played:
    """What came of a run of the role."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.output, self.rc = done.stdout + done.stderr, done.returncode
        start = done.stdout.find("{")
        plays = json.loads(done.stdout[start:])["plays"] if start >= 0 else []
        self.tasks = [(t["task"]["name"], t["hosts"].get("localhost", {})) for play in plays for t in play["tasks"]]

    @property
    def changed(self) -> bool:
        """Whether a task has changed something."""
        return any(result.get("changed") for _name, result in self.tasks)

    def said(self) -> str:
        """What was printed in the end."""
        return "\n".join(str(result.get("msg", "")) for name, result in self.tasks if name.startswith(("Print", "Say")))


@pytest.fixture
def play(server: ApiServer, tmp_path: Path) -> Play:
    """play(add-on, ..., check=False, extra={}): the role on this machine."""
    (tmp_path / "orders.yml").write_text(CRD)
    (tmp_path / "note.yml").write_text(MANIFEST)

    def run(*wanted: dict[str, Any], check: bool = False, **extra: Any) -> Played:
        variables = {
            "addons_wanted": list(wanted),
            "addons_own": OWN,
            "addons_kubeconfig": str(server.kubeconfig),
            "addons_timeout": 20,
            "charts_helm": "/nonexistent/helm",
            "kubernetes_version": "1.20.2",
            "ansible_python_interpreter": sys.executable,
            **extra,
        }
        (tmp_path / "vars.json").write_text(json.dumps(variables))
        roles = [{"role": "groundwork.kubernetes.addons"}]
        (tmp_path / "play.yml").write_text(
            yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "roles": roles}])
        )
        environment = {
            **os.environ,
            "PATH": f"{KUBERNETES}:{os.environ['PATH']}",
            "HOME": str(server.folder),
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/.build/collections:{os.environ.get('ANSIBLE_COLLECTIONS_PATH', '')}",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        }
        command = [sys.executable, "-m", "ansible", "playbook", "--inventory=localhost,", "play.yml", "--diff"]
        command += ["--extra-vars", "@vars.json"] + ["--check"] * check
        return Played(
            subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        )

    return run


def test_the_life_of_add_ons(play: Play, server: ApiServer) -> None:
    wanted = [{"name": "notes"}, {"name": "orders", "objects": [ORDER]}]
    checked = play(*wanted, check=True)
    assert checked.rc == 0, checked.output
    assert not server.exists("namespace", "shop")

    first = play(*wanted)
    assert first.rc == 0, first.output
    assert first.changed
    labels = server.get("namespace", "shop")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert server.get("configmap", "note", "--namespace=shop")["data"] == {
        "host": "10.96.0.10.cluster.local",
        "other": "x",
        "more": "y",
    }
    assert server.get("orders", "first", "--namespace=shop")["spec"] == {"size": 1}
    table = [line.split() for line in first.said().splitlines()]
    assert ["orders", "orders-1.0.0", "passed", "the", "API", "is", "served"] in table
    assert ["orders", "orders-objects", "applied"] in table

    second = play(*wanted)
    assert second.rc == 0, second.output
    assert not second.changed

    # What is merely taken out stays, and is named.
    less = play(wanted[1])
    assert not less.changed
    assert "these releases any more, and they stay: shop/notes (notes-" in less.said()
    assert server.exists("configmap", "note", "--namespace=shop")

    # An empty list of objects removes those that were there.
    assert play({"name": "orders", "objects": []}).rc == 0
    assert not server.exists("orders", "first", "--namespace=shop")

    gone = play({"name": "orders", "state": "absent"}, {"name": "notes", "state": "absent"})
    assert gone.rc == 0, gone.output
    assert "orders is removed. What stays: orders" in gone.said()
    assert not server.exists("configmap", "note", "--namespace=shop")
    assert server.exists("crd", "orders.shop.example.org")
    assert server.exists("namespace", "shop")


def test_definitions_go_by_a_word(play: Play, server: ApiServer) -> None:
    assert play({"name": "orders"}).rc == 0
    assert play({"name": "orders", "state": "absent", "remove_crds": True}).rc == 0
    assert not server.exists("crd", "orders.shop.example.org")


def test_what_is_in_the_way_is_named(play: Play, server: ApiServer) -> None:
    assert play({"name": "orders"}).rc == 0
    server.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "note", "namespace": "shop"}, "data": {"a": "b"}}
    )
    refused = play({"name": "notes"}, {"name": "orders"})
    assert refused.rc != 0
    assert "ConfigMap shop/note was made by something else" in refused.output
    assert play({"name": "notes", "take_over": True}, {"name": "orders"}).rc == 0

    command = [*server.kubectl, "patch", "configmap/note", "--namespace=shop", '--patch={"data": {"other": "z"}}']
    subprocess.run(command, check=True, capture_output=True)
    refused = play({"name": "notes"}, {"name": "orders"})
    assert refused.rc != 0
    assert 'conflict with "kubectl-patch"' in refused.output
    assert play({"name": "notes"}, {"name": "orders"}, charts_force_conflicts=True).rc == 0
    note = server.get("configmap", "note", "--namespace=shop")["data"]
    assert (note["other"], note["a"]) == ("x", "b"), "a field of others was dropped"


def test_minor_versions_come_one_by_one(play: Play) -> None:
    assert play({"name": "orders"}).rc == 0
    refused = play({"name": "orders", "version": "1.2.0"})
    assert refused.rc != 0
    assert "orders-1.0.0 is installed, and it is upgraded by one minor version at a time" in refused.output
    assert play({"name": "orders", "version": "1.1.0"}).rc == 0


def test_what_does_not_do_its_work_is_a_failure(play: Play) -> None:
    lame = {
        "name": "lame",
        "namespace": "default",
        "objects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lame"}}],
        "proof": [{"what": "it answers", "path": "/api/v1/namespaces/default/services/lame:http/proxy/"}],
    }
    failed = play({"name": "lame"}, addons_own=[lame], addons_timeout=3)
    assert failed.rc != 0
    assert "lame: it answers: /api/v1/namespaces/default/services/lame:http/proxy/" in failed.output


def test_a_misspelt_variable(play: Play) -> None:
    failed = play(addon_wanted=[])
    assert failed.rc == 0
    failed = play(addons_wnated=[])
    assert failed.rc != 0
    assert "addons_wanted" in failed.output
