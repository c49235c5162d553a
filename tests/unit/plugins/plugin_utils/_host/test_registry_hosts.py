"""The files by which containerd finds registries."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry_hosts import (
    configuration_without,
    files,
    proofs,
    unprotected,
    wrong_connections,
)

BASIC = {"Authorization": "Basic bWU6c2U6Y3JldA=="}
ME = {"username": "me", "password": "se:cret"}
CRI = "io.containerd.grpc.v1.cri"
PEM = "-----BEGIN CERTIFICATE-----\nx\n"
KEY = "-----BEGIN PRIVATE KEY-----\nx"
CERTS = "/etc/containerd/certs.d"


def of_1(**registry: Any) -> dict[str, Any]:
    """containerd's configuration as 1.x has registries."""
    return {"plugins": {CRI: {"registry": registry, "sandbox_image": "x"}}, "debug": {"level": "info"}}


def content(given: list[dict[str, Any]], configuration: Any = None) -> dict[str, Any]:
    """Mode and content of all files."""
    return {
        file["path"].removeprefix(f"{CERTS}/"): (file["mode"], file["content"]) for file in files(given, configuration)
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (
            # 1.x does not read a file without hosts.
            [{"registry": "r.example.com", "server": "https://s.example.com"}],
            {
                "r.example.com/hosts.toml": (
                    "0644",
                    {"server": "https://s.example.com", "host": {"https://s.example.com": {}}},
                )
            },
        ),
        (
            [{"registry": "r.example.com:5000", "ca": "/ca.crt", **ME}],
            {
                "r.example.com:5000/hosts.toml": (
                    "0600",
                    {
                        "ca": "/ca.crt",
                        "header": BASIC,
                        "host": {"https://r.example.com:5000": {"ca": "/ca.crt", "header": BASIC}},
                    },
                )
            },
        ),
        (
            [{"registry": "r", "mirrors": [{"url": "https://m:5000/x", "override_path": True, "ca": PEM, **ME}]}],
            {
                "r/m_5000-ca.crt": ("0644", PEM),
                "r/hosts.toml": (
                    "0600",
                    {
                        "host": {
                            "https://m:5000/x": {
                                "override_path": True,
                                "ca": f"{CERTS}/r/m_5000-ca.crt",
                                "header": BASIC,
                            }
                        }
                    },
                ),
            },
        ),
        (
            [{"registry": "index.docker.io", "client_certificate": PEM, "client_key": KEY}],
            {
                "docker.io/server-client.crt": ("0644", PEM),
                "docker.io/server-client.key": ("0600", KEY + "\n"),
                "docker.io/hosts.toml": (
                    "0644",
                    {
                        "client": [[f"{CERTS}/docker.io/server-client.crt", f"{CERTS}/docker.io/server-client.key"]],
                        "host": {
                            "https://registry-1.docker.io": {
                                "client": [
                                    [f"{CERTS}/docker.io/server-client.crt", f"{CERTS}/docker.io/server-client.key"]
                                ]
                            }
                        },
                    },
                ),
            },
        ),
    ],
)
def test_files(given: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert content(given) == expected


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        (
            {"mirrors": {"docker.io": {"endpoint": ["https://m", "https://n/v2/x"]}, "*": {"endpoint": ["https://o"]}}},
            {
                "docker.io/hosts.toml": (
                    "0644",
                    {"host": {"https://m": {}, "https://n/v2/x": {"override_path": True}}},
                ),
                "_default/hosts.toml": ("0644", {"host": {"https://o": {}}}),
            },
        ),
        (
            {
                "mirrors": {"r": {"endpoint": ["https://m"]}},
                "configs": {
                    "m": {
                        "auth": {"auth": "bWU6c2U6Y3JldA=="},
                        "tls": {"ca_file": "/ca", "cert_file": "/c", "key_file": "/k"},
                    }
                },
            },
            {
                "r/hosts.toml": (
                    "0600",
                    {"host": {"https://m": {"ca": "/ca", "client": [["/c", "/k"]], "header": BASIC}}},
                ),
                "m/hosts.toml": (
                    "0600",
                    {
                        "ca": "/ca",
                        "client": [["/c", "/k"]],
                        "header": BASIC,
                        "host": {"https://m": {"ca": "/ca", "client": [["/c", "/k"]], "header": BASIC}},
                    },
                ),
            },
        ),
        # No file can have these.
        ({"configs": {"r": {"auth": {"identitytoken": "t"}}}}, {}),
        # The user's own way.
        ({"config_path": "/etc/other", "mirrors": {"r": {"endpoint": ["https://m"]}}}, {}),
    ],
)
def test_what_1_has_in_its_configuration_becomes_files(registry: dict[str, Any], expected: dict[str, Any]) -> None:
    assert content([], of_1(**registry)) == expected


def test_what_is_given_here_counts_before_what_1_has() -> None:
    older = of_1(configs={"m": {"auth": {"username": "other", "password": "x"}, "tls": {"ca_file": "/ca"}}})
    (_mode, found) = content([{"registry": "r", "mirrors": [{"url": "https://m", **ME}]}], older)["r/hosts.toml"]
    assert found == {"host": {"https://m": {"ca": "/ca", "header": BASIC}}}


@pytest.mark.parametrize(
    ("registry", "left"),
    [
        ({"mirrors": {"r": {}}, "configs": {"r": {"auth": {"username": "u"}}}}, None),
        ({"mirrors": {}, "headers": {"X": ["y"]}}, {"headers": {"X": ["y"]}}),
        (
            {"configs": {"r": {"auth": {"identitytoken": "t"}, "tls": {"ca_file": "/ca"}}}},
            {"configs": {"r": {"auth": {"identitytoken": "t"}}}},
        ),
        ({"config_path": "", "mirrors": {"r": {}}}, {"config_path": "", "mirrors": {"r": {}}}),
    ],
)
def test_the_configuration_keeps_what_is_in_no_file(registry: dict[str, Any], left: Any) -> None:
    given = of_1(**registry)
    found = configuration_without(given)
    expected: dict[str, Any] = {"sandbox_image": "x", **({"registry": left} if left else {})}
    assert found == {"plugins": {CRI: expected}, "debug": {"level": "info"}}
    assert given == of_1(**registry)


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ({"username": "u"}, ["[0].username needs password beside it"]),
        ({"password": "p"}, ["[0].password needs username beside it"]),
        ({"mirrors": [{"client_key": "/k"}]}, ["[0].mirrors[0].client_key needs client_certificate beside it"]),
        (
            {"username": "a:b", "password": "p"},
            ["[0].username may have no colon: what follows it would be taken for the password"],
        ),
        (
            {"ca": "ca.crt"},
            ["[0].ca is neither a path that begins with / nor a text that begins with -----BEGIN"],
        ),
        (
            {"registry": "_default", "ca": "/ca"},
            ["[0].ca would be for every registry; name one, or give the _default a server"],
        ),
        ({"registry": "_default", "server": "https://s", "ca": "/ca"}, []),
        ({"ca": PEM, "mirrors": [{"url": "https://m", **ME}], **ME}, []),
        ({"mirrors": None}, []),
    ],
)
def test_wrong_connections(entry: dict[str, Any], wrong: list[str]) -> None:
    assert [" ".join(found) for found in wrong_connections([{"registry": "r", **entry}])] == wrong


def test_unprotected() -> None:
    given = [{"registry": "a", "mirrors": [{"url": "http://m"}]}, {"registry": "b", "server": "http://s"}]
    older = of_1(mirrors={"c": {"endpoint": ["http://n"]}}, configs={"d": {"tls": {"insecure_skip_verify": True}}})
    assert list(unprotected(given, older)) == ["http://m", "http://s", "http://n", "d"]
    assert list(unprotected([{"registry": "a", "mirrors": [{"url": "https://m"}]}], of_1())) == []


@pytest.mark.parametrize(
    ("entry", "image"),
    [
        ({}, ""),
        ({"mirrors": [{"url": "https://m"}]}, ""),
        ({"test_image": "r.example.com/x:1"}, "r.example.com/x:1"),
        ({"ca": "/ca"}, "r.example.com/pause:1"),
        ({"mirrors": [{"url": "https://m", **ME}]}, "r.example.com/pause:1"),
        ({"registry": "o.example.com", **ME}, ""),
    ],
)
def test_proofs(entry: dict[str, Any], image: str) -> None:
    found = proofs([{"registry": "r.example.com", **entry}], None, ["r.example.com/pause:1"])
    assert [(proof["folder"], proof["command"]) for proof in found] == (
        [(f"{CERTS}/r.example.com", ["crictl", "pull", image])] if image else []
    )


@pytest.mark.parametrize("name", ["[y]x", "a b", "[", "2001:db8::1"])
def test_a_name_that_is_none_is_no_error_here(name: str) -> None:
    given = [{"registry": name, "mirrors": [{"url": f"https://{name}"}], **ME}]
    assert list(content(given)) == [f"{name}/hosts.toml"]
    assert list(unprotected(given, {})) == []
