# ruff: noqa: E501 (the kernel writes long lines)
"""What is read of a host: parsers on the kernel's texts, a reader on a small tree, real sockets and files."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import host
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import HostReader
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.proc_net import Listener, parse_listeners

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:192B 0100007F:B0A8 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:280A 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 98 1 0 100 0 0 10 0
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Filename\tType\tSize\tUsed\tPriority\n", []),
        ("", []),
        (
            "Filename Type Size Used Priority\n/swapfile file 1 0 -2\n/dev/dm-1 partition 1 0 -3\n",
            ["/swapfile", "/dev/dm-1"],
        ),
    ],
)
def test_swaps(text: str, expected: list[str]) -> None:
    assert host.parse_swaps(text) == expected


def test_memory() -> None:
    assert host.parse_memory_mb("MemTotal:        2048000 kB\nMemFree: 1 kB\n") == 2000
    assert host.parse_memory_mb("") == 0


def test_listeners() -> None:
    assert list(parse_listeners(TCP)) == [Listener("127.0.0.1", 6443, "4711")]
    assert list(parse_listeners(TCP6)) == [Listener("::", 10250, "99"), Listener("::1", 80, "98")]


def test_cgroup_controllers() -> None:
    text = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t1\t1\nmemory\t0\t1\t0\ncpu\t1\t1\t1\n"
    assert host.parse_cgroup_controllers(text) == ["cpu", "cpuset"]


def test_clock_is_known_or_not() -> None:
    assert host.clock_synchronised() in (True, False, None)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    files = {
        "proc/net/tcp": TCP,
        "proc/net/tcp6": TCP6,
        "proc/net/if_inet6": "fd000000000000000000000000000002 04 40 00 82     eth0\n",
        "proc/1234/comm": "kube-apiserver\n",
        "sys/class/net/eth0/address": "52:54:00:00:00:01\n",
        "sys/class/net/eth0/mtu": "1450\n",
        "sys/class/net/eth0/device/x": "",
        "sys/class/net/lo/mtu": "65536\n",
        "sys/class/net/bonding_masters": "\n",
        "sys/module/apparmor/parameters/enabled": "Y\n",
        "sys/fs/selinux/enforce": "1\n",
        "etc/ufw/ufw.conf": "# comment\nENABLED=yes\n",
        "etc/kubernetes/kubelet.conf": "",
        "etc/kubernetes/pki/ca.crt": "authority",
        "etc/kubernetes/manifests/kube-apiserver.yaml": "spec:\n    image: r:5000/k/kube-apiserver:v1.36.5@sha256:abc\n",
        "var/lib/etcd/member/snap/db": "",
        "usr/sbin/ip": "",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "usr/sbin/ip").chmod(0o755)
    handles = tmp_path / "proc/1234/fd"
    handles.mkdir()
    os.symlink("socket:[4711]", handles / "3")
    os.symlink("/dev/null", handles / "0")
    return tmp_path


def test_interfaces(tree: Path) -> None:
    assert HostReader(str(tree)).interfaces({"lo": ["127.0.0.1"], "eth0": ["192.0.2.2"]}) == [
        {
            "name": "eth0",
            "mac": "52:54:00:00:00:01",
            "mtu": 1450,
            "physical": True,
            "addresses": ["192.0.2.2", "fd00::2"],
        }
    ]


def test_listeners_with_their_processes(tree: Path) -> None:
    reader = HostReader(str(tree))
    assert reader.listeners([6443, 10250, 2379]) == [
        {"port": 6443, "address": "127.0.0.1", "process": "kube-apiserver"},
        {"port": 10250, "address": "::", "process": ""},
    ]
    assert reader.listeners([]) == []
    assert reader.listeners([1]) == []


def test_security(tree: Path, tmp_path: Path) -> None:
    assert HostReader(str(tree)).security() == {"selinux": "enforcing", "apparmor": True, "ufw": True}
    bare = {"selinux": "disabled", "apparmor": False, "ufw": False}
    assert HostReader(str(tmp_path / "nothing")).security() == bare


def test_cluster(tree: Path, tmp_path: Path) -> None:
    found = HostReader(str(tree)).cluster("/var/lib/etcd")
    assert found.pop("ca_sha256") == hashlib.sha256(b"authority").hexdigest()
    assert found.pop("node")["role"] == "control_plane"
    assert found.pop("settings") == {}
    assert found == {"kubelet_conf": True, "admin_conf": False, "etcd_data": True, "api_server_version": "1.36.5"}
    assert HostReader(str(tmp_path / "nothing")).cluster("/var/lib/etcd") == {
        "kubelet_conf": False,
        "admin_conf": False,
        "node": {"role": "none", "interrupted": "", "traces": [], "missing": [], "faults": [], "signs": False},
        "etcd_data": False,
        "ca_sha256": "",
        "api_server_version": "",
        "settings": {},
    }


def test_a_control_plane_that_lacks_something(tree: Path) -> None:
    (tree / "etc/kubernetes/manifests.stopped").mkdir(parents=True)
    (tree / "etc/kubernetes/manifests.stopped/etcd.yaml").touch()
    node = HostReader(str(tree)).cluster("/var/lib/etcd", stacked_etcd=True)["node"]
    assert (node["role"], "/var/lib/etcd/member" in node["traces"]) == ("control_plane", True)
    assert "run the playbook restore again" in node["faults"][0]
    # Of external etcd, neither counts.
    (tree / "etc/kubernetes/manifests.stopped/etcd.yaml").unlink()
    assert HostReader(str(tree)).cluster("/var/lib/etcd")["node"]["traces"] == [
        "/etc/kubernetes/manifests/kube-apiserver.yaml"
    ]


def test_cgroup(tree: Path) -> None:
    reader = HostReader(str(tree))
    (tree / "proc/cgroups").write_text("#\ncpu\t1\t1\t1\n")
    assert reader.cgroup() == {"version": 1, "controllers": ["cpu"]}
    (tree / "sys/fs/cgroup").mkdir()
    (tree / "sys/fs/cgroup/cgroup.controllers").write_text("memory cpu pids\n")
    assert reader.cgroup() == {"version": 2, "controllers": ["cpu", "memory", "pids"]}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, ("", "", 0)),
        (
            {"10-bridge.conflist": '{"name": "by-hand"}', "99-more.conf": '{"name": "more"}', "00-notes": "x"},
            ("10-bridge.conflist", "by-hand", 2),
        ),
        ({"10-bridge.conf": '{"name": "nothing-yet"}'}, ("10-bridge.conf", "nothing-yet", 0)),
        ({"10-bridge.conf": "{"}, ("10-bridge.conf", "", 0)),
        ({"10-bridge.conf": '["by-hand"]'}, ("10-bridge.conf", "", 0)),
        ({"10-bridge.conf": '{"name": "../networks/by-hand"}'}, ("10-bridge.conf", "", 0)),
    ],
    ids=["none", "two", "no pods", "not JSON", "a list", "a path"],
)
def test_pod_network(tree: Path, files: dict[str, str], expected: tuple[str, str, int]) -> None:
    folders = tree / "etc/cni/net.d", tree / "var/lib/cni/networks/by-hand"
    for folder in folders:
        folder.mkdir(parents=True)
    for name, text in files.items():
        (folders[0] / name).write_text(text)
    for name in ("10.244.1.2", "10.244.1.3", "last_reserved_ip.0", "lock"):
        (folders[1] / name).touch()
    assert tuple(HostReader(str(tree)).pod_network().values()) == expected


def test_programs_and_space(tree: Path) -> None:
    reader = HostReader(str(tree))
    assert reader.programs(["ip", "socat"]) == {"ip": str(tree / "usr/sbin/ip"), "socat": ""}
    space = reader.space("/var/lib/etcd/not/yet")
    assert space["path"] == "/var/lib/etcd/not/yet"
    assert 0 <= space["free_mb"] <= space["total_mb"]
    assert space["read_only"] is False


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("Kubernetes v1.36.5\n", "1.36.5"),
        ("Kubernetes v1.37.0-rc.1\n", "1.37.0-rc.1"),
        ("Kubernetes v1.36.5+build1\n", "1.36.5+build1"),
        ("error: v1.36.5\n", ""),
        ("", ""),
    ],
)
def test_kubelet_version(output: str, expected: str) -> None:
    assert host.parse_kubelet_version(output) == expected
