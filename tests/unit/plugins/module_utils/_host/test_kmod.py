"""How a kernel function is found, and what keeps a module out."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import kmod

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
    assert kmod.find(host(tmp_path, files), name) == how


@pytest.mark.parametrize(
    ("content", "count"),
    [
        # Only the first install line that fits counts.
        ("install overlay /sbin/modprobe -i overlay\ninstall overlay /bin/false\n", 0),
        ("install overlay /bin/false\ninstall overlay /sbin/modprobe -i overlay\n", 1),
        # The module may be a pattern; brackets keep their dash.
        ("install over* /bin/false\n", 1),
        ("install over?ay /bin/true\n", 1),
        ("install [a-z]verlay /bin/true\n", 1),
        ("install over /bin/true\ninstall Overlay /bin/true\n", 0),
        ("install * /bin/true\ninstall overlay /sbin/modprobe -i overlay\n", 1),
        ("install overlay /sbin/modprobe -i overlay\ninstall * /bin/true\n", 0),
        ("blacklist over*\n", 0),
        # What the command does.
        ("install overlay /sbin/modprobe --ignore-install overlay && /bin/true\n", 0),
        ("install overlay /sbin/modprobe --ignore-install overlay $CMDLINE_OPTS; /bin/true\n", 0),
        ("install overlay /bin/true; exec /sbin/modprobe -i overlay\n", 0),
        ("install overlay /bin/false || /sbin/modprobe -i overlay\n", 0),
        ("install overlay /bin/false && /sbin/modprobe -i overlay\n", 1),
        ("install overlay /bin/true || /sbin/modprobe -i overlay\n", 1),
        ("install overlay exit 0; /sbin/modprobe -i overlay\n", 1),
        ("install overlay /sbin/insmod /lib/modules/6.1/kernel/fs/overlayfs/overlay.ko.xz\n", 0),
        ("install overlay /sbin/modprobe aufs $CMDLINE_OPTS\n", 1),
        ("install overlay /bin/false $CMDLINE_OPTS\n", 1),
        ("install overlay /bin/echo 'no, it is off' >/dev/null\n", 1),
        ("install overlay /dev/null\n", 1),
        ("install overlay :\n", 1),
        ("install overlay sh -c 'exit 0'\n", 1),
        ("install overlay /bin/sh -c '/sbin/modprobe -i overlay && true'\n", 0),
        ("install overlay /usr/local/sbin/load-overlay true\n", 0),
        ("install overlay echo it's\n", 0),  # no command that a shell can read; what modprobe does is awaited
        ("install overlay\n", 0),  # kmod ignores it
        ("  # install overlay /bin/false\n", 0),
        ("install over\\\nlay /bin/false\n", 1),
        ("blacklist overlay\n", 1),
        ("  install overlay /bin/false # no\n", 1),
        ("install overlay \\\n  /usr/bin/true\n", 1),
        ("install overlay /sbin/modprobe --ignore-install overlay\n", 0),
        ("# blacklist overlay\nblacklist overlay2\noptions overlay metacopy=on\n", 0),
    ],
)
def test_denied_by(tmp_path: Path, content: str, count: int) -> None:
    places = kmod.denied_by(host(tmp_path, {"/etc/modprobe.d/cis.conf": content}), "overlay")
    assert len(places) == count
    assert all(place.startswith("/etc/modprobe.d/cis.conf (") for place in places)


ORDER: list[tuple[str, dict[str, str], list[str]]] = [
    (
        "names decide, not folders",
        {
            "/etc/modprobe.d/zz.conf": "install overlay /sbin/modprobe -i overlay\n",
            "/usr/lib/modprobe.d/10-cis.conf": "install overlay /bin/false\n",
        },
        ["/usr/lib/modprobe.d/10-cis.conf (install overlay /bin/false)"],
    ),
    (
        "an earlier file that loads it",
        {
            "/run/modprobe.d/10-a.conf": "install overlay /sbin/modprobe -i overlay\n",
            "/etc/modprobe.d/cis.conf": "install overlay /bin/false\n",
        },
        [],
    ),
    (
        "one name, highest folder",
        {
            "/etc/modprobe.d/cis.conf": "",
            "/usr/local/lib/modprobe.d/cis.conf": "install overlay /bin/false\n",
            "/lib/modprobe.d/cis.conf": "blacklist overlay\n",
        },
        [],
    ),
    (
        "other names",
        {"/etc/modprobe.d/.cis.conf": "blacklist overlay\n", "/etc/modprobe.d/cis.conf.rpmsave": "blacklist overlay\n"},
        [],
    ),
    (
        "a folder of that name",
        {"/etc/modprobe.d/a.conf/x": "", "/etc/modprobe.d/b.conf": "blacklist overlay\n"},
        ["/etc/modprobe.d/b.conf (blacklist overlay)"],
    ),
    (
        "both at once",
        {"/etc/modprobe.d/a.conf": "blacklist overlay\ninstall overlay /bin/true\n"},
        ["/etc/modprobe.d/a.conf (install overlay /bin/true)", "/etc/modprobe.d/a.conf (blacklist overlay)"],
    ),
]


@pytest.mark.parametrize(("files", "places"), [case[1:] for case in ORDER], ids=[case[0] for case in ORDER])
def test_denied_in_the_order_of_files(tmp_path: Path, files: dict[str, str], places: list[str]) -> None:
    assert kmod.denied_by(host(tmp_path, files), "overlay") == places


DEPENDENCIES = {
    **RELEASE,
    "/lib/modules/6.1.0-13-amd64/modules.dep": (
        "kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz kernel/net/802/stp.ko.xz\n"
        "kernel/net/ipv4/netfilter/nf-conntrack.ko:\n"
    ),
}


@pytest.mark.parametrize(
    ("name", "files", "places"),
    [
        ("br_netfilter", {}, []),
        ("br-netfilter", {"/etc/modprobe.d/x.conf": "install br-netfilter /bin/true\n"}, ["install br_netfilter"]),
        ("nf_conntrack", {"/etc/modprobe.d/x.conf": "install nf-conn* /bin/true\n"}, ["install nf_conn*"]),
        ("br_netfilter", {"/etc/modprobe.d/x.conf": "install bridge /bin/true\n"}, ["install bridge"]),
        ("br_netfilter", {"/etc/modprobe.d/x.conf": "install b* /bin/true\n"}, ["install b*"]),
        ("br_netfilter", {"/etc/modprobe.d/x.conf": "blacklist bridge\ninstall llc /bin/true\n"}, []),
        (
            "br_netfilter",
            {
                "/etc/modprobe.d/x.conf": "install stp /bin/true\n",
                "/lib/modules/6.1.0-13-amd64/modules.builtin": "kernel/net/802/stp.ko\n",
            },
            [],
        ),
    ],
)
def test_denied_by_what_a_module_needs(tmp_path: Path, name: str, files: dict[str, str], places: list[str]) -> None:
    found = kmod.denied_by(host(tmp_path, {**DEPENDENCIES, **files}), name)
    assert [place.partition("(")[2].rpartition(" ")[0] for place in found] == places
