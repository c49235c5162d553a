"""Calls of the API through a stand-in for kubectl proxy that listens on the socket it is given."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api_calls
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import (
    Answer,
    Api,
    ApiError,
    answer_of,
)

PROXY = """#!{python}
import http.server, json, socketserver, sys
assert sys.argv[1:3] == ["--kubeconfig=/k", "proxy"], sys.argv
ANSWERS = {answers}
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length)) if length else None
        code, body = ANSWERS.get(self.path, [[404, {{}}]])[0]
        if len(ANSWERS.get(self.path, [])) > 1:
            ANSWERS[self.path].pop(0)
        if body == "echo":
            body = {{"method": self.command, "kind": self.headers["Content-Type"], "sent": sent}}
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    do_GET = do_POST = do_PATCH = do_DELETE = answer
    def address_string(self): return ""
    def log_message(self, *a): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
Server(sys.argv[3].partition("=")[2], Handler).serve_forever()
"""
Make = Callable[..., Api]


class Module:
    """Knows where kubectl is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get_bin_path(self, name: str, **_options: Any) -> str:
        assert name == "kubectl"
        return str(self.path)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """make(answers, ...): an API whose answers stand by path, the last of each for ever."""
    monkeypatch.setattr(api_calls, "PAUSE", 0)

    def it(answers: dict[str, list[tuple[int, Any]]], program: str = PROXY) -> Api:
        path = tmp_path / "kubectl"
        path.write_text(program.format(python=sys.executable, answers=repr(answers)))
        path.chmod(0o755)
        module: AnsibleModule = Module(path)  # type: ignore[assignment]
        return Api(module, "/k", 60)

    return it


def test_calls(make: Make) -> None:
    with make({"/x": [(201, "echo")], "/text": [(502, "Bad Gateway")], "/list": [(200, [1])]}) as api:
        answer = api.call("POST", "/x", {"a": 1})
        assert (answer.good, answer.body) == (True, {"method": "POST", "kind": "application/json", "sent": {"a": 1}})
        assert api.call("PATCH", "/x", {}, api_calls.MERGE_PATCH).body["kind"] == "application/merge-patch+json"
        answer = api.call("GET", "/text")
        assert (answer.good, answer.passing, answer.message) == (False, True, "Bad Gateway")
        assert api.call("GET", "/list").body == {}


def test_what_is_read(make: Make) -> None:
    answers = {
        "/there": [(500, {}), (200, {"a": 1})],
        "/forbidden": [(403, {"message": "no"})],
        "/down": [(503, {"message": "starting"})],
        "/many?a=b%2Cc": [(200, {"items": [{}, {}]})],
    }
    with make(answers) as api:
        assert (api.get("/there"), api.get("/none"), api.items("/none")) == ({"a": 1}, None, [])
        assert len(api.items("/many", a="b,c")) == 2
        for path, printed in (("/forbidden", "/forbidden cannot be read: no"), ("/down", "starting")):
            with pytest.raises(ApiError, match=printed):
                api.get(path)


def test_the_proxy_is_private_and_ends_with_the_context(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    popen = subprocess.Popen

    def remember(command: list[str], **options: Any) -> Any:
        started.append((command, popen(command, **options)))
        return started[-1][1]

    monkeypatch.setattr(api_calls.subprocess, "Popen", remember)
    with make({}) as api:
        (command, process) = started[0]
        socket = command[-1].partition("=")[2]
        assert command[:2] == ["timeout", "180"]
        assert command[3:] == ["--kubeconfig=/k", "proxy", f"--unix-socket={socket}"]
        assert Path(socket).parent.stat().st_mode & 0o777 == 0o700
    assert process.returncode is not None
    assert not os.path.exists(os.path.dirname(socket))
    assert api.call("GET", "/x").code == 0


def test_a_proxy_that_does_not_start(make: Make) -> None:
    with pytest.raises(ApiError, match="kubectl proxy did not start: no such kubeconfig"), make(
        {}, "#!/bin/sh\necho no such kubeconfig >&2; exit 1 # {python} {answers}\n"
    ):
        pass


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (201, {"kind": "Status", "status": "Success"}, 201),
        (201, {"kind": "Status", "status": "Failure", "code": 500, "message": "more than one"}, 500),
        (429, {"kind": "Status", "status": "Failure", "code": 429}, 429),
        (200, {"kind": "Pod", "status": {"phase": "Running"}}, 200),
    ],
)
def test_an_eviction_may_be_refused_with_a_good_http_status(code: int, body: dict[str, Any], expected: int) -> None:
    assert answer_of(code, body).code == expected


def test_what_an_answer_says() -> None:
    body = {"message": "a\n b", "details": {"causes": [{"message": "c"}, {}]}}
    assert (Answer(429, body).message, Answer(429, body).causes, Answer(429).message) == (
        "a b",
        ["c", ""],
        "HTTP status 429",
    )
    assert [Answer(code).passing for code in (0, 200, 403, 404, 409, 429, 500, 502)] == [
        True, False, False, False, False, True, True, True,
    ]  # fmt: skip
