"""Addresses in all their spellings: read, written, compared."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import addresses

LONG = "2001:0DB8:0000:0000:0000:0000:0000:0011"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.11", "192.0.2.11"),
        (" 192.0.2.11 ", "192.0.2.11"),
        ("2001:DB8::11", "2001:db8::11"),
        (LONG, "2001:db8::11"),
        ("2001:db8:0:0::11", "2001:db8::11"),
        ("::ffff:192.0.2.11", "192.0.2.11"),
        ("::FFFF:C000:020B", "192.0.2.11"),
        ("fe80::1%eth0", None),
        ("192.0.2", None),
        ("192.0.2.11/24", None),
        ("[2001:db8::11]", None),
        ("cp-1", None),
        ("", None),
    ],
)
def test_read_and_normal(text: str, expected: str | None) -> None:
    read = addresses.read_address(text)
    assert (str(read) if read else None) == expected
    assert addresses.normal(text) == (expected or text.strip())
    assert addresses.is_address(text) == bool(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.11", ["192.0.2.11"]),
        ("192.0.2.11, 2001:DB8::11", ["192.0.2.11", "2001:db8::11"]),
        (f"{LONG},192.0.2.11,", ["2001:db8::11", "192.0.2.11"]),
        ("eth0, 192.0.2.11", ["eth0", "192.0.2.11"]),
        ("", []),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    assert addresses.split_addresses(text) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.11", "192.0.2.11:2379"),
        (LONG, "[2001:db8::11]:2379"),
        ("cp-1.example.com", "cp-1.example.com:2379"),
    ],
)
def test_host_and_port(host: str, expected: str) -> None:
    assert addresses.host_and_port(host, 2379) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://192.0.2.11:2380", "https://192.0.2.11:2380"),
        ("https://192.0.2.11:2380/", "https://192.0.2.11:2380"),
        (f"HTTPS://[{LONG}]:2380", "https://[2001:db8::11]:2380"),
        ("https://[2001:DB8::11]", "https://[2001:db8::11]"),
        ("https://Node-1:2380", "https://node-1:2380"),
        ("https://node-1:port", "https://node-1:port"),
        ("unix:///run/containerd.sock", "unix:///run/containerd.sock"),
        ("192.0.2.11:2380", "192.0.2.11:2380"),
    ],
)
def test_url(url: str, expected: str) -> None:
    assert addresses.normal_url(url) == expected
    assert addresses.same_url(url, ["https://198.51.100.1:2380", expected])
    assert not addresses.same_url(url, ["https://198.51.100.1:2380"])


def test_url_hosts() -> None:
    urls = [f"https://[{LONG}]:2380", "https://Node-1:2380", "https://192.0.2.11", "no-url"]
    assert addresses.url_hosts(urls) == ["2001:db8::11", "node-1", "192.0.2.11"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.11, 2001:DB8::11", "192.0.2.11,2001:db8::11"),
        ("10.244.0.0/16, 2001:DB8::/56", "10.244.0.0/16,2001:db8::/56"),
        ("[2001:DB8::1]:6443", "[2001:db8::1]:6443"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("https://[2001:DB8::1]:2379", "https://[2001:db8::1]:2379"),
        # No address: not touched.
        ("API.example.com:6443", "API.example.com:6443"),
        ("https://API.example.com/", "https://API.example.com/"),
        ("a, b", "a, b"),
        ("192.0.2.11, b", "192.0.2.11, b"),
        ("/var/lib/etcd", "/var/lib/etcd"),
        ("10.244.1.0/16", "10.244.1.0/16"),
        ("", ""),
    ],
)
def test_text(text: str, expected: str) -> None:
    assert addresses.normal_text(text) == expected


@pytest.mark.parametrize(
    ("host", "no_proxy", "expected"),
    [
        ("mirror.example.com", "mirror.example.com", True),
        ("Mirror.example.com.", "example.com", True),
        ("mirror.example.com", ".example.com", True),
        ("mirror.example.com", "*.example.com", True),
        ("mirrorexample.com", "example.com", False),
        ("mirror.example.com", "other.com, *", True),
        ("mirror.example.com", "mirror.example.com:443", True),
        ("mirror.example.com", "mirror.example.com:5000", False),
        ("192.0.2.11", "192.0.2.0/24", True),
        ("198.51.100.11", "192.0.2.0/24,", False),
        ("192.0.2.11", "192.0.2.11", True),
        ("192.0.2.11", "2.11", False),
        (LONG, "2001:db8::11", True),
        ("2001:db8::11", "[2001:DB8::11]", True),
        ("2001:db8::11", "[2001:DB8::11]:443", True),
        ("2001:db8::11", "2001:db8::/32", True),
        ("2001:db8::11", "192.0.2.0/24", False),
        ("mirror.example.com", "", False),
    ],
)
def test_bypassed(host: str, no_proxy: str, expected: bool) -> None:
    assert addresses.is_bypassed(host, 443, no_proxy) is expected
