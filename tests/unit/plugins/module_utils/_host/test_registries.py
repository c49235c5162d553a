"""Manifests are asked for at real servers, with accounts, redirects and mirrors."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registries import (
    Asker,
    all_missing,
    split_name,
    token_of,
    token_url,
)

IMAGE = "r.example.com/k8s/pause:3.10"
PATH = "/v2/k8s/pause/manifests/3.10"
ME = {"username": "me", "password": "secret"}
ACCOUNT = f"Basic {base64.b64encode(b'me:secret').decode()}"


class Registry(ThreadingHTTPServer):
    """A registry that notes who asks for what.

    Attributes:
        there: the paths of manifests that it has.
        login: how one must log in: basic, bearer, or empty.
        refuses: methods that it does not know, each with the status.
        moved: where it sends who asks for a manifest.
        asked: method, path and authorization of each request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.there, self.login, self.refuses, self.moved = {PATH}, "", {}, ""
        self.asked: list[tuple[str, str, str]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers as a registry does."""

    server: Registry

    def do_HEAD(self) -> None:
        """Answer."""
        registry, authorization = self.server, self.headers.get("Authorization") or ""
        parts = urlsplit(self.path)
        registry.asked.append((self.command, self.path, authorization))
        if parts.path == "/token":
            granted = authorization == ACCOUNT and parse_qs(parts.query)["scope"] == ["repository:k8s/pause:pull"]
            return self.answer(200 if granted else 401, body=json.dumps({"token": "granted"}).encode())
        if registry.moved:
            return self.answer(307, Location=registry.moved + self.path)
        if registry.login == "basic" and authorization != ACCOUNT:
            return self.answer(401, **{"WWW-Authenticate": 'Basic realm="r"'})
        if registry.login == "bearer" and authorization != "Bearer granted":
            challenge = f'Bearer realm="{registry.url}/token",service="s",scope="repository:k8s/pause:pull"'
            return self.answer(401, **{"WWW-Authenticate": challenge})
        if self.command in registry.refuses:
            return self.answer(registry.refuses[self.command])
        return self.answer(200 if parts.path in registry.there else 404)

    def do_GET(self) -> None:
        """Answer with what is read."""
        self.do_HEAD()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def other() -> Iterator[Registry]:
    server = Registry()
    yield server
    server.shutdown()
    server.server_close()


def at(*servers: Any, unless: list[str] | None = None) -> list[dict[str, Any]]:
    """The registry of IMAGE at servers."""
    return [{"registry": "r.example.com", "unless": unless or [], "servers": list(servers)}]


def place(registry: Registry, **more: Any) -> dict[str, Any]:
    """A server as host_facts gets it."""
    return {"url": f"{registry.url}/v2", **more}


def errors(registries: list[dict[str, Any]], image: str = IMAGE, **proxies: str) -> list[tuple[str, bool]]:
    """Why the image is missing."""
    found = all_missing([image], registries, proxies, 2)
    return [(error["error"], error["answered"]) for one in found for error in one["errors"]]


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("r.example.com/k8s/pause:3.10", ("k8s/pause", "3.10")),
        ("r.example.com:5000/pause", ("pause", "latest")),
        ("r.example.com/pause:3@sha256:00", ("pause", "sha256:00")),
        ("busybox:1", ("library/busybox", "1")),
    ],
)
def test_names(image: str, expected: tuple[str, str]) -> None:
    assert split_name(image) == expected


def test_it_is_there(registry: Registry) -> None:
    assert errors(at(place(registry))) == []
    assert registry.asked == [("HEAD", PATH, "")]


def test_a_mirror_is_told_which_registry_it_stands_for(registry: Registry) -> None:
    assert errors(at(place(registry, namespace="r.example.com"))) == []
    assert registry.asked == [("HEAD", f"{PATH}?ns=r.example.com", "")]


def test_the_next_server_is_asked(registry: Registry, other: Registry) -> None:
    registry.there = set()
    assert errors(at(place(registry), place(other))) == []
    other.there = set()
    assert errors(at(place(registry), place(other))) == [("HTTP 404", True), ("HTTP 404", True)]


def test_nobody_answers(registry: Registry) -> None:
    registry.shutdown()
    registry.server_close()
    ((error, answered),) = errors(at(place(registry)))
    assert "refused" in error
    assert not answered


@pytest.mark.parametrize("status", [403, 405, 501])
def test_no_head(registry: Registry, status: int) -> None:
    registry.refuses = {"HEAD": status}
    assert errors(at(place(registry))) == []
    registry.refuses = {"HEAD": status, "GET": 403}
    assert errors(at(place(registry))) == [("HTTP 403", True)]


@pytest.mark.parametrize("login", ["basic", "bearer"])
def test_accounts(registry: Registry, login: str) -> None:
    registry.login = login
    assert errors(at(place(registry))) == [("HTTP 401", True)]
    assert errors(at(place(registry, **{**ME, "password": "wrong"}))) == [("HTTP 401", True)]
    registry.asked.clear()
    assert errors(at(place(registry, **ME))) == []
    # Not before the server asks for it.
    assert registry.asked[0] == ("HEAD", PATH, "")


@pytest.mark.parametrize(
    ("challenge", "expected"),
    [
        (
            'Bearer realm="https://t.example.com/a",service="s",scope="x",more="y"',
            "https://t.example.com/a?service=s&scope=x",
        ),
        ('bearer realm="http://t.example.com/a"', "http://t.example.com/a"),
        ('Bearer realm="file:///etc/shadow"', ""),
        ('Bearer service="s"', ""),
        ('Basic realm="https://t.example.com/a"', ""),
        ("", ""),
    ],
)
def test_where_a_token_is_to_be_had(challenge: str, expected: str) -> None:
    assert token_url(challenge) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(b'{"token": "a"}', "a"), ('{"access_token": "b"}', "b"), ('{"token": 1}', ""), ("[]", "")],
)
def test_a_token(answer: str | bytes, expected: str) -> None:
    assert token_of(answer) == expected


def test_no_password_goes_out_in_plain_text_by_a_servers_word(registry: Registry) -> None:
    challenge = f'Bearer realm="{registry.url}/token",scope="repository:k8s/pause:pull"'
    server = {"url": "https://r.example.com/v2", **ME}
    with pytest.raises(ValueError, match=f"without TLS, at {registry.url}/token"):
        Asker(server, {}, 2).authorization(challenge)
    assert registry.asked == []


def test_an_account_goes_nowhere_else(registry: Registry, other: Registry) -> None:
    registry.moved, other.login = other.url, "basic"
    # Whom that lets in is not known, and is no fault.
    assert errors(at(place(registry, **ME))) == []
    assert [authorization for _method, _path, authorization in other.asked] == ["", ""]
    other.login, other.there = "", set()
    assert errors(at(place(registry))) == [("HTTP 404", True)]


def test_proxies(registry: Registry, other: Registry) -> None:
    """The proxy is asked for the whole URL, and not where it is not to be."""
    other.there = {PATH}
    assert errors(at({"url": "http://far.example.com/v2"}), http=other.url) == []
    assert other.asked == [("HEAD", f"http://far.example.com{PATH}", "")]
    assert errors(at(place(registry)), http=other.url, no="127.0.0.0/8") == []
    assert len(registry.asked) == 1


def test_what_is_not_known_is_not_asked(registry: Registry, tmp_path: Any) -> None:
    """Another registry, and one of which the host says more."""
    registry.there = set()
    assert errors(at(place(registry)), "other.example.com/pause:1") == []
    assert errors(at(place(registry), unless=[str(tmp_path)])) == []
    assert registry.asked == []


def test_an_authority_that_is_not_there(registry: Registry) -> None:
    assert errors(at(place(registry, ca="/no/such.pem"))) == [
        (
            "the CA's certificate /no/such.pem cannot be read: No such file or directory",
            False,
        )
    ]
