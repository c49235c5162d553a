"""What host_facts reads of hosts whose packets are decided on, each a network namespace."""

from __future__ import annotations

import os
from typing import Any

import pytest

from .test_real_ports import Hosts, hosts  # noqa: F401  a fixture

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")


def traffic(hosts: Hosts, **options: Any) -> dict[str, Any]:  # noqa: F811
    """What is read of a."""
    read: dict[str, Any] = hosts.module("a", "host_facts", **options)["host"]["traffic"]
    return read


def test_who_has_an_address(hosts: Hosts) -> None:  # noqa: F811
    """The router's of each IP version, one that nobody has, and one of another network."""
    mac = hosts.run("router", "cat", "/sys/class/net/a/address").strip()
    assert traffic(hosts, virtual_ip="192.0.2.254")["virtual_ip_at"] == mac
    assert traffic(hosts, virtual_ip="2001:db8:1::fe")["virtual_ip_at"] == mac
    assert traffic(hosts, virtual_ip="192.0.2.77")["virtual_ip_at"] == ""
    assert traffic(hosts, virtual_ip="203.0.113.1")["virtual_ip_at"] == ""


def test_reverse_path_filters(hosts: Hosts) -> None:  # noqa: F811
    """As they are in force now."""
    hosts.run("a", "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.eth0.rp_filter=1")
    found = traffic(hosts)["rp_filter"]
    assert (found["all"], found["eth0"]) == (2, 1)


def test_rules_of_the_legacy_kind(hosts: Hosts) -> None:  # noqa: F811
    """Tables are there as soon as something uses them, and reading makes none."""
    before = traffic(hosts)
    assert before["iptables"] in ("nf_tables", "legacy")
    assert traffic(hosts)["legacy_tables"] == before["legacy_tables"]
    hosts.run("a", "iptables-legacy", "-t", "nat", "-A", "POSTROUTING", "-j", "RETURN")
    assert "nat" in traffic(hosts)["legacy_tables"]
