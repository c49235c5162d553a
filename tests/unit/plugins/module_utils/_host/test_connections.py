"""Connections to real sockets, and to proxies."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import connections


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://dl.k8s.io", ("dl.k8s.io", 443)),
        ("http://mirror.example/v2/", ("mirror.example", 80)),
        ("http://mirror.example:5000/v2/", ("mirror.example", 5000)),
        ("api.example:6443", ("api.example", 6443)),
        ("api.example", ("api.example", 443)),
        ("[2001:db8::1]:6443", ("2001:db8::1", 6443)),
    ],
)
def test_endpoint(target: str, expected: tuple[str, int]) -> None:
    assert connections.parse_endpoint(target) == expected


@pytest.mark.parametrize("target", ["", "https://", "host:port"])
def test_bad_endpoint(target: str) -> None:
    with pytest.raises(ValueError, match=r"host:port|Port"):
        connections.parse_endpoint(target)


def test_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("http_proxy", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        good = f"127.0.0.1:{server.getsockname()[1]}"
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        found = connections.connect_all([good, closed, good, "nowhere.invalid:1"], 2)
    assert [(one.target, one.state) for one in found] == [
        (good, "connected"),
        (closed, "refused"),
        ("nowhere.invalid:1", "unresolved"),
    ]
    assert "refused" in found[1].error


def test_a_name_that_cannot_be_one_is_unreachable() -> None:
    assert connections.connect(f"{'x' * 70}.example:1", 1).state == "unreachable"


def test_connection_goes_to_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("https_proxy", proxy.replace("//", "//me:secret@"))
        monkeypatch.setenv("no_proxy", "inside.invalid")
        assert connections.connect("https://nowhere.invalid", 2) == connections.Connection(
            "https://nowhere.invalid", proxy.removeprefix("http://"), "connected", "", pytest.approx(0, abs=1000)
        )
        assert connections.connect("https://inside.invalid", 2).state == "unresolved"


def test_a_resolver_that_hangs_does_not_hold_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(*_arguments: Any, **_options: Any) -> None:
        release.wait(10)
        raise OSError("released")

    monkeypatch.setattr(connections.socket, "create_connection", hang)
    monkeypatch.setattr(connections, "GRACE", 0.1)
    (found,) = connections.connect_all(["slow.example:1"], 0.1)
    release.set()
    assert (found.state, found.via) == ("timeout", "")
