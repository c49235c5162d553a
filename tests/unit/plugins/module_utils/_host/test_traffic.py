"""What decides on packets, and what others have left, from files as hosts have them."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import leftovers, sources, traffic
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import HostReader


def write(root: Path, files: dict[str, str]) -> HostReader:
    """A host with these files."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return HostReader(str(root))


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("iptables v1.8.9 (nf_tables)\n", "nf_tables"),
        ("iptables v1.8.9 (legacy)\n", "legacy"),
        ("iptables v1.4.21\n", ""),
        ("", ""),
    ],
)
def test_iptables_backend(printed: str, expected: str) -> None:
    assert traffic.iptables_backend(printed) == expected


def test_filters(tmp_path: Path) -> None:
    reader = write(
        tmp_path,
        {
            "proc/net/ip_tables_names": "nat\nfilter\n",
            "proc/net/ip6_tables_names": "filter\n",
            "proc/sys/net/ipv4/conf/all/rp_filter": "0\n",
            "proc/sys/net/ipv4/conf/eth0/rp_filter": "2\n",
        },
    )
    assert traffic.legacy_tables(reader) == ["filter", "nat"]
    assert traffic.rp_filter(reader) == {"all": 0, "eth0": 2}
    assert traffic.legacy_tables(HostReader(str(tmp_path / "none"))) == []
    assert traffic.rp_filter(HostReader(str(tmp_path / "none"))) == {}


MAIN, DROPPED = "etc/systemd/networkd.conf", "networkd.conf.d"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, True),
        ({MAIN: "[Network]\n#ManageForeignRoutes=no\n"}, True),
        ({MAIN: "[Network]\nManageForeignRoutes=no\n"}, False),
        ({MAIN: "ManageForeignRoutes=no\n", f"usr/lib/systemd/{DROPPED}/a.conf": "ManageForeignRoutes=yes\n"}, True),
        (
            {
                f"usr/lib/systemd/{DROPPED}/a.conf": "ManageForeignRoutes=yes\n",
                f"etc/systemd/{DROPPED}/a.conf": "ManageForeignRoutes = false\n",
            },
            False,
        ),
        (
            {
                f"etc/systemd/{DROPPED}/20.conf": "ManageForeignRoutes=no\n",
                f"run/systemd/{DROPPED}/10.conf": "ManageForeignRoutes=yes\n",
            },
            False,
        ),
    ],
)
def test_foreign_routes(tmp_path: Path, files: dict[str, str], expected: bool) -> None:
    assert traffic.manages_foreign_routes(write(tmp_path, files)) is expected


def test_name_servers(tmp_path: Path) -> None:
    reader = write(tmp_path, {"etc/resolv.conf": "# a\nsearch x\nnameserver 127.0.0.53\n nameserver 2001:db8::53\n"})
    assert traffic.name_servers(reader) == ["127.0.0.53", "2001:db8::53"]
    write(tmp_path, {"run/systemd/resolve/resolv.conf": "nameserver 192.0.2.53\n"})
    assert traffic.name_servers(reader) == ["192.0.2.53"]


def test_neighbour() -> None:
    """Answers of ip: while nothing has answered, after that, and where that cannot be read."""
    answers = iter(["[]", '[{"dst":"x","state":["INCOMPLETE"]}]', '[{"lladdr":"aa:bb","state":["REACHABLE"]}]'])
    assert traffic.neighbour("127.0.0.1", lambda _words: next(answers)) == "aa:bb"
    assert traffic.neighbour("127.0.0.1", lambda _words: "no JSON", 0.1) == ""
    assert traffic.neighbour("::1", lambda _words: '[{"lladdr":"aa:bb","state":["FAILED"]}]', 0.1) == ""


def test_leftovers(tmp_path: Path) -> None:
    reader = write(
        tmp_path,
        {
            "etc/cni/net.d/87-podman.conflist": "",
            "etc/cni/net.d/10-x.conf": "",
            "etc/cni/net.d/README": "",
            "etc/kubernetes/manifests/etcd.yaml": "",
            "var/lib/k0s/x": "",
        },
    )
    assert leftovers.leftovers(reader) == {
        "cni": ["10-x.conf", "87-podman.conflist"],
        "places": ["/etc/kubernetes/manifests/etcd.yaml", "/var/lib/k0s"],
    }
    assert leftovers.leftovers(HostReader(str(tmp_path / "none"))) == {"cni": [], "places": []}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("version = 3\n", 3),
        ("# version = 4\n  \"version\" = 2 # as before\nimports = [\n  'x']\n[plugins]\nversion = 9\n", 2),
        ("oom_score = 1\n[plugins]\nversion = 4\n", None),
        ("subversion = 4\nversion = 'four'\n", None),
        ("", None),
    ],
)
def test_files_that_containerd_reads(tmp_path: Path, text: str, version: int | None) -> None:
    reader = write(tmp_path, {"etc/containerd/conf.d/x.toml": text, "etc/containerd/conf.d/x.conf": "version = 5"})
    expected = [{"path": "/etc/containerd/conf.d/x.toml", "version": version}] if version else []
    for pattern in ("/etc/containerd/conf.d/*.toml", "conf.d/x.toml"):
        assert leftovers.containerd_files(reader, [pattern]) == expected
    assert leftovers.containerd_files(reader, ["/etc/other/*.toml"]) == []


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6+deb13u1", "1.7.24"),
        ("containerd github.com/containerd/containerd/v2 v2.1.9 6e7e6b5", "2.1.9"),
        ("", ""),
    ],
)
def test_the_version_that_containerd_prints(printed: str, version: str) -> None:
    assert leftovers.containerd_version(printed) == version


def test_kernel_options(tmp_path: Path) -> None:
    every = "".join(f"CONFIG_{name}=y\n" for name in leftovers.KERNEL_OPTIONS if name not in ("VETH", "MEMCG"))
    reader = write(tmp_path, {"boot/config-6.1": f"{every}CONFIG_VETH=m\n# CONFIG_MEMCG is not set\n"})
    assert leftovers.kernel_options(reader, "6.1") == {"known": True, "missing": ["MEMCG"]}
    assert leftovers.kernel_options(reader, "6.2") == {"known": False, "missing": []}
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/config.gz").write_bytes(gzip.compress(every.encode()))
    assert leftovers.kernel_options(reader, "6.2") == {"known": True, "missing": ["MEMCG", "VETH"]}
    (tmp_path / "proc/config.gz").write_bytes(b"damaged")
    assert leftovers.kernel_options(reader, "6.2") == {"known": False, "missing": []}


class Files(http.server.BaseHTTPRequestHandler):
    """Has /there, and /signed for GET alone."""

    def do_HEAD(self) -> None:
        self.send_response({"/there": 200, "/signed": 403, "/locked": 403}.get(self.path, 404))
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response({"/signed": 200, "/locked": 403}.get(self.path, 404))
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server with such files."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_files_that_are_not_there_are_all_told(server: str) -> None:
    wanted = [f"{server}/{name}" for name in ("there", "signed", "locked", "gone", "there")]
    found = sources.all_missing([*wanted, "http://127.0.0.1:1/x"], 2)
    assert [(one["url"], one["error"]) for one in found[:2]] == [
        (f"{server}/locked", "HTTP 403"),
        (f"{server}/gone", "HTTP 404"),
    ]
    assert "refused" in found[2]["error"]
    assert len(found) == 3
