"""What registries are asked, against a server that answers as one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import registry

INDEX, MANIFEST = registry.INDEXES[0], registry.MANIFESTS[0]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest(*layers: bytes) -> bytes:
    entries = [{"mediaType": "layer", "digest": digest_of(layer), "size": len(layer)} for layer in layers]
    config = {"mediaType": "config", "digest": digest_of(b"{}"), "size": 2}
    return json.dumps({"mediaType": MANIFEST, "config": config, "layers": entries}).encode()


AMD64, ARM64 = manifest(b"shared", b"amd64"), manifest(b"shared", b"arm64 layer")
ENTRIES = [
    {"digest": digest_of(data), "platform": {"os": "linux", "architecture": architecture}}
    for architecture, data in (("amd64", AMD64), ("arm64", ARM64))
]
BOTH = json.dumps({"mediaType": INDEX, "manifests": [*ENTRIES, {"digest": "x"}]}).encode()
WITHOUT_TYPE = json.dumps({"manifests": ENTRIES}).encode()
# "me:a password"
ACCOUNT = "bWU6YSBwYXNzd29yZA=="
DIGESTS = {digest_of(data): data for data in (AMD64, ARM64, BOTH)}


class Server(BaseHTTPRequestHandler):
    """Gives manifests by tag and digest; wants a token for those of a private repository."""

    answers: ClassVar[dict[str, tuple[int, bytes, str]]] = {}
    asked: ClassVar[list[str]] = []
    told: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/token"):
            self.told.append(self.headers["Authorization"])
            self.reply(200, json.dumps({"token": "for-anybody"}).encode(), "application/json")
        elif "/basic/" in self.path and self.headers["Authorization"] != f"Basic {ACCOUNT}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
        elif "/private/" in self.path and self.headers["Authorization"] != "Bearer for-anybody":
            self.send_response(401)
            realm = f"http://{self.headers['Host']}/token"
            self.send_header(
                "WWW-Authenticate", f'Bearer realm="{realm}",service="s",scope="repository:private/a:pull"'
            )
            self.end_headers()
        else:
            self.reply(*self.answers.get(self.path.rpartition("/")[2], (404, b"", "text/plain")))

    def reply(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    answers = {name: (200, data, "application/json") for name, data in DIGESTS.items()}
    answers |= {"1": (200, BOTH, INDEX), "untyped": (200, WITHOUT_TYPE, f"{INDEX}; charset=utf-8")}
    answers |= {
        "plain": (200, AMD64, MANIFEST),
        "old": (200, b"{}", "application/vnd.docker.distribution.manifest.v1+json"),
    }
    answers |= {"text": (200, b"[]", INDEX), "odd": (200, b'{"config": {"digest": "md5:1"}}', MANIFEST)}
    answers |= {digest_of(b"wanted"): (200, AMD64, MANIFEST)}
    monkeypatch.setattr(Server, "answers", answers)
    monkeypatch.setattr(Server, "asked", [])
    monkeypatch.setattr(Server, "told", [])
    running = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    running.server_close()


def registries(*servers: str) -> registry.Registries:
    return registry.Registries(Downloader(5, retries=0, allow_http=True), {"r.invalid": list(servers)})


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        (["amd64"], {"shared": 6, "amd64": 5}),
        (["amd64", "arm64"], {"shared": 6, "amd64": 5, "arm64 layer": 11}),
    ],
)
def test_an_index(server: str, architectures: list[str], expected: dict[str, int]) -> None:
    image = registries(server).image("r.invalid/a:1", architectures)
    assert image.digest == digest_of(BOTH)
    manifests = {digest_of(BOTH): BOTH, **{digest_of(m): m for m in (AMD64, ARM64)[: len(architectures)]}}
    assert dict(image.manifests) == manifests
    blobs = {part.digest: part.size for part in image.parts if not part.manifest}
    assert blobs == {digest_of(b"{}"): 2, **{digest_of(text.encode()): size for text, size in expected.items()}}
    assert image.size == sum(blobs.values()) + sum(map(len, manifests.values()))


def test_an_image_without_index_and_one_without_type(server: str) -> None:
    assert registries(server).image("r.invalid/a:plain", ["arm64"]).digest == digest_of(AMD64)
    assert registries(server).image("r.invalid/a:untyped", ["arm64"]).digest == digest_of(WITHOUT_TYPE)


def test_a_token_for_anybody_is_fetched_once(server: str) -> None:
    assert registries(server).image("r.invalid/private/a:1", ["amd64"]).digest == digest_of(BOTH)
    tokens = [path for path in Server.asked if path.startswith("/token")]
    assert tokens == ["/token?service=s&scope=repository%3Aprivate%2Fa%3Apull"]


def test_the_next_server_is_asked(server: str) -> None:
    assert registries("http://127.0.0.1:1", server).image("r.invalid/a:1", ["amd64"]).digest == digest_of(BOTH)


@pytest.mark.parametrize(
    ("name", "digest", "message"),
    [
        ("none", "", "HTTP status 404 Not Found"),
        ("old", "", "it is of the kind application/vnd.docker.distribution.manifest.v1+json, which no runtime"),
        ("text", "", "its manifest is no JSON object"),
        ("odd", "", "its manifest has a part without a SHA-256 digest"),
        ("1", digest_of(b"wanted"), f"what it gives for {digest_of(b'wanted')} has {digest_of(AMD64)}"),
    ],
)
def test_what_cannot_be_had(server: str, name: str, digest: str, message: str) -> None:
    with pytest.raises(registry.RegistryError) as told:
        registries(server).image(f"r.invalid/a:{name}", ["amd64"], digest)
    assert f"r.invalid/a:{name}" in str(told.value)
    assert f"{server}: {message}" in str(told.value)


def test_an_architecture_that_is_not_there(server: str) -> None:
    with pytest.raises(registry.RegistryError, match="has no image for linux/s390x"):
        registries(server).image("r.invalid/a:1", ["s390x"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("busybox", ("docker.io", "library/busybox", "latest")),
        ("registry.k8s.io/coredns/coredns:v1", ("registry.k8s.io", "coredns/coredns", "v1")),
        ("r:5000/a:1", ("r:5000", "a", "1")),
        (f"r.io/a:1@{digest_of(b'')}", ("r.io", "a", digest_of(b""))),
    ],
)
def test_names(name: str, expected: tuple[str, str, str]) -> None:
    assert registry.split(name) == expected


def logged_in(server: str, **accounts: str) -> registry.Registries:
    known = accounts or {server.removeprefix("http://"): ACCOUNT}
    return registry.Registries(Downloader(5, retries=0, allow_http=True), {"r.invalid": [server]}, known)


def test_a_server_that_wants_a_password(server: str) -> None:
    assert logged_in(server).image("r.invalid/basic/a:1", ["amd64"]).digest == digest_of(BOTH)
    assert logged_in(server).image("r.invalid/private/a:1", ["amd64"]).digest == digest_of(BOTH)
    # Who gives tokens is told, since it is the same server.
    assert Server.told == [f"Basic {ACCOUNT}"]
    assert ACCOUNT not in repr(logged_in(server))
    with pytest.raises(registry.RegistryError, match=r"registry_auth_file has none for 127\.0\.0\.1") as told:
        logged_in(server, other=ACCOUNT).image("r.invalid/basic/a:1", ["amd64"])
    assert ACCOUNT not in str(told.value)


def test_a_password_of_another_server_is_not_sent(server: str) -> None:
    logged_in(server, other=ACCOUNT).image("r.invalid/private/a:1", ["amd64"])
    assert Server.told == [None]


def test_files_of_those_who_log_in(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    entries = {"https://index.docker.io/v1/": {"auth": "a"}, "r.example.com:5000": {"auth": "b"}}
    path.write_text(json.dumps({"auths": {**entries, "q.example.com/project": {"auth": "c"}}}))
    found = {"registry-1.docker.io": "a", "r.example.com:5000": "b", "q.example.com": "c"}
    assert registry.accounts(str(path)) == found
    assert registry.accounts("") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("secret", "is no file of docker login"),
        ("[]", "is no file of docker login"),
        (
            '{"auths": {"r.example.com": {}}, "credsStore": "secret"}',
            "has no password for r.example.com, but leaves it",
        ),
    ],
)
def test_files_that_are_no_such(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "auth.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(registry.RegistryError, match=message) as told:
        registry.accounts(str(path))
    assert "secret" not in str(told.value)
