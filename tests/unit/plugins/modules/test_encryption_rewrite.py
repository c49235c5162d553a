"""The module encryption_rewrite against a played kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import rewrite
from ansible_collections.groundwork.kubernetes.plugins.modules import encryption_rewrite

Run = Callable[..., dict[str, Any]]
CONFLICT = 'Error from server (Conflict): Operation cannot be fulfilled on secrets "{}": the object has been modified\n'
GONE = 'Error from server (NotFound): secrets "{}" not found\n'
REFUSED = 'Error from server (Forbidden): admission webhook denied the request for "{}"\n'


class Server:
    """Secrets as kubectl lists, reads and replaces them."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = str(kubeconfig)
        self.objects = [("a", "one"), ("a", "two"), ("b", "one"), ("a", "three")]
        self.gone: set[tuple[str, str]] = set()
        self.answers: dict[str, str] = {}
        self.calls: list[list[str]] = []
        self.replaced: list[tuple[str, str]] = []

    def run_command(self, argv: list[str], data: str | None) -> tuple[int, str, str]:
        assert argv[:3] == ["/usr/bin/kubectl", f"--kubeconfig={self.kubeconfig}", "--request-timeout=60s"]
        call = argv[3:]
        self.calls.append(call)
        if call[0] == "replace":
            return self.replace(json.loads(data or ""))
        if call[1].startswith("--raw="):
            return 0, json.dumps(self.raw(call[1].removeprefix("--raw="))), ""
        names = [word for word in call[2:] if not word.startswith("-")]
        namespace = next((word.partition("=")[2] for word in call if word.startswith("--namespace=")), "")
        items = [self.secret(namespace, name) for name in names if (namespace, name) not in self.gone]
        if not items:
            return 0, "", ""
        return 0, json.dumps(items[0] if len(items) == 1 else {"kind": "List", "items": items}), ""

    def secret(self, namespace: str, name: str) -> dict[str, Any]:
        metadata = {"namespace": namespace, "name": name}
        return {"kind": "Secret", "metadata": metadata, "data": {"password": "aHVudGVyMg=="}}

    def raw(self, url: str) -> dict[str, Any]:
        parts = urlsplit(url)
        if parts.path == "/apis/example.org":
            return {"preferredVersion": {"groupVersion": "example.org/v1"}}
        assert parts.path in ("/api/v1/secrets", "/apis/example.org/v1/things")
        query = parse_qs(parts.query)
        start, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        token = str(start + limit) if start + limit < len(self.objects) else ""
        page = [self.secret(*name) for name in self.objects[start : start + limit]]
        return {"items": page, "metadata": {"continue": token}}

    def replace(self, content: dict[str, Any]) -> tuple[int, str, str]:
        message = ""
        for item in content["items"]:
            name = (item["metadata"]["namespace"], item["metadata"]["name"])
            answer = self.answers.get("/".join(name), "").format(name[1])
            message += answer
            if not answer:
                self.replaced.append(name)
        return (1 if message else 0), "", message


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    played = Server(tmp_path / "admin.conf")
    Path(played.kubeconfig).touch()
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/usr/bin/kubectl")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, argv, data=None, **_options: played.run_command(argv, data)
    )
    monkeypatch.setattr(rewrite, "PAGE", 2)
    monkeypatch.setattr(rewrite, "PORTION", 2)
    return played


def test_everything_is_written_in_portions(run_module: Run, server: Server) -> None:
    options = {"resources": ["secrets"], "kubeconfig": server.kubeconfig}
    foreseen = run_module(encryption_rewrite, **options, _ansible_check_mode=True)
    assert (foreseen["changed"], foreseen["objects"], server.replaced) == (True, 4, [])
    server.calls.clear()
    result = run_module(encryption_rewrite, **options)
    assert (result["changed"], result["objects"], result["passed_over"]) == (True, 4, 0)
    assert sorted(server.replaced) == sorted(server.objects)
    replace = ["replace", "--filename=-", "--validate=false"]
    get = ["--ignore-not-found", "--output=json"]
    assert server.calls == [
        ["get", "--raw=/api/v1/secrets?limit=2&continue="],
        ["get", "--raw=/api/v1/secrets?limit=2&continue=2"],
        ["get", "secrets", "one", "three", "--namespace=a", *get],
        replace,
        ["get", "secrets", "two", "--namespace=a", *get],
        replace,
        ["get", "secrets", "one", "--namespace=b", *get],
        replace,
    ]


def test_resources_of_a_group_without_namespaces(run_module: Run, server: Server) -> None:
    server.objects = [("", "x")]
    result = run_module(encryption_rewrite, resources=["things.example.org"], kubeconfig=server.kubeconfig)
    assert result["objects"] == 1
    assert ["get", "things.example.org", "x", "--ignore-not-found", "--output=json"] in server.calls


@pytest.mark.parametrize("answer", [CONFLICT, GONE])
def test_what_others_wrote_or_removed_is_passed_over(run_module: Run, server: Server, answer: str) -> None:
    server.answers = {"a/one": answer}
    server.gone = {("b", "one")}
    result = run_module(encryption_rewrite, resources=["secrets"], kubeconfig=server.kubeconfig)
    assert (result["objects"], result["passed_over"]) == (2, 2)


def test_a_refusal_is_said_without_the_content(run_module: Run, server: Server) -> None:
    server.answers = {"a/one": CONFLICT, "a/three": REFUSED}
    result = run_module(encryption_rewrite, resources=["secrets"], kubeconfig=server.kubeconfig)
    assert result["failed"]
    assert "secrets in a: Error from server (Forbidden): admission webhook denied" in result["msg"]
    assert "Conflict" not in result["msg"]
    assert result["msg"].endswith("Run again to resume.")
    assert "aHVudGVyMg" not in json.dumps(result)


def test_nothing_to_write(run_module: Run, server: Server) -> None:
    server.objects = []
    assert not run_module(encryption_rewrite, resources=["secrets"], kubeconfig=server.kubeconfig)["changed"]


@pytest.mark.parametrize("check", [True, False])
def test_host_without_a_cluster(run_module: Run, server: Server, tmp_path: Path, check: bool) -> None:
    options = {"resources": ["secrets"], "kubeconfig": str(tmp_path / "none")}
    result = run_module(encryption_rewrite, **options, _ansible_check_mode=check)
    assert result.get("failed", False) != check
    assert not result.get("changed", False)
