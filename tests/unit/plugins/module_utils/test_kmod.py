"""How a kernel function is found, and what keeps a module out."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils import _kmod

BUILTIN = "/lib/modules/6.1.0-13-amd64/modules.builtin"
RELEASE = {"/proc/sys/kernel/osrelease": "6.1.0-13-amd64\n"}


def host(root: Path, files: dict[str, str]) -> str:
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return str(root)


@pytest.mark.parametrize(
    ("name", "files", "how"),
    [
        ("overlay", {}, None),
        (
            "br_netfilter",
            {"/proc/modules": "br_netfilter 32768 0 - Live 0x0\nbridge 1 1 br_netfilter, Live 0x0\n"},
            "loaded",
        ),
        ("br_netfilter", {"/proc/modules": "bridge 1 1 br_netfilter, Live 0x0\n"}, None),
        ("br-netfilter", {"/proc/modules": "br_netfilter 32768 0 - Live 0x0\n"}, "loaded"),
        ("br_netfilter", {"/proc/sys/net/bridge/bridge-nf-call-iptables": "1\n"}, "built-in"),
        ("overlay", {"/proc/filesystems": "nodev\tsysfs\nnodev\toverlay\n\text4\n"}, "built-in"),
        ("overlay", {"/proc/filesystems": "nodev\toverlayfs2\n"}, None),
        ("nf_conntrack", {"/sys/module/nf_conntrack/parameters/hashsize": "1\n"}, "built-in"),
        ("nf_conntrack", {"/proc/sys/net/netfilter/nf_conntrack_max": "1\n"}, "built-in"),
        ("ip_vs", {**RELEASE, BUILTIN: "kernel/fs/ext4/ext4.ko\nkernel/net/netfilter/ipvs/ip_vs.ko\n"}, "built-in"),
        ("ip_vs", {**RELEASE, BUILTIN: "kernel/net/netfilter/ipvs/ip_vs_rr.ko\n"}, None),
    ],
)
def test_find(tmp_path: Path, name: str, files: dict[str, str], how: str | None) -> None:
    assert _kmod.find(host(tmp_path, files), name) == how


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("blacklist overlay\n", 1),
        ("  install overlay /bin/false # no\n", 1),
        ("install overlay \\\n  /usr/bin/true\n", 1),
        ("install overlay /sbin/modprobe --ignore-install overlay\n", 0),
        ("# blacklist overlay\nblacklist overlay2\noptions overlay metacopy=on\n", 0),
    ],
)
def test_denied_by(tmp_path: Path, content: str, count: int) -> None:
    places = _kmod.denied_by(host(tmp_path, {"/etc/modprobe.d/cis.conf": content}), "overlay")
    assert len(places) == count
    assert all(place.startswith("/etc/modprobe.d/cis.conf (") for place in places)
