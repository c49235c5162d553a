"""Hosts that really have the faults which preflight finds, all read in one run, and one that has none.

Each host is a network namespace at one switch, with its own host name, overlays of the machine's folders, and what a
case puts there. Nothing of the machine is changed. What no namespace can have stands in ELSEWHERE.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_checks import HOST_CHECKS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.preflight import find_faults, read_nodes
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.plugin_utils._inputs.test_preflight import SETTINGS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces")

COLLECTIONS = Path(__file__).resolve().parents[4] / ".build" / "collections"
RUN = """
import json, sys
sys.path.insert(0, {path!r})
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.modules import host_facts
with patch_module_args(json.loads(sys.argv[1])):
    host_facts.main()
"""
# A host without a fault: systemd runs, cgroups are version 2, there is no swap, the kernel tells no options.
HEALTHY = """
hostname "$1"
mount -t tmpfs none "$0"
for folder in boot etc usr var; do
  mkdir -p "$0/$folder/upper" "$0/$folder/work"
  mount -t overlay none -o "lowerdir=/$folder,upperdir=$0/$folder/upper,workdir=$0/$folder/work" "/$folder"
done
mount -t tmpfs none /run && mkdir -p /run/systemd/system
mount -t tmpfs none /sys/fs/cgroup && echo cpu cpuset io memory pids > /sys/fs/cgroup/cgroup.controllers
echo "$1" > /etc/machine-id
mkdir -p "$0/class/net" "$0/class/dmi/id" && mount --bind /sys/class/net "$0/class/net"
echo "$1" > "$0/class/dmi/id/product_uuid" && mount --rbind "$0/class" /sys/class
echo Filename > "$0/swaps" && mount --bind "$0/swaps" /proc/swaps
echo "nameserver 192.0.2.53" > "$0/resolv" && mount --bind "$0/resolv" /etc/resolv.conf
: > "$0/none" && mount --bind "$0/none" /proc/config.gz
rm -rf /etc/kubernetes /etc/cni /var/lib/etcd /var/lib/kubelet /etc/ufw
for folder in containerd kubelet etcd; do
  mkdir -p "/var/lib/$folder" && mount -t tmpfs -o size=64m none "/var/lib/$folder"
done
cat > /usr/bin/systemctl <<'END'
#!/bin/sh
shift
for unit; do case " $RUNS " in *" $unit "*) echo active;; *) echo inactive;; esac; done
END
chmod +x /usr/bin/systemctl
export RUNS=""
"""
# An address that the switch has.
TAKEN = "192.0.2.250"
# At which another host of these listens.
ENDPOINT = "192.0.2.200:10250"
OWN = {
    "preflight_free_mb": {"/var/lib/containerd": 32, "/var/lib/kubelet": 32, "/var/lib/etcd": 32},
    "preflight_packages": {},
    "preflight_node_cpus": 1,
    "preflight_control_plane_cpus": 1,
    "kubernetes_node_ip": "",
}
MANIFEST = """
mkdir -p /etc/kubernetes/manifests
cat > /etc/kubernetes/manifests/kube-apiserver.yaml <<END
spec:
  containers:
  - command:
    - kube-apiserver
    - --service-cluster-ip-range=10.97.0.0/16
    image: registry.k8s.io/kube-apiserver:v1.35.1
END
"""
CLONED = """
hostname clone
echo clone > /etc/machine-id
echo clone > "$0/class/dmi/id/product_uuid"
"""


@dataclass
class Host:
    """A host.

    Attributes:
        faults: what must be said of it, and nothing else.
        setup: commands that give it the faults.
        roles: what it is in the cluster.
        settings: variables that differ from the others'.
        options: of the module that differ.
        before: a program in whose hands the module runs, as taskset.
    """

    faults: set[str]
    setup: str = ""
    roles: list[str] = field(default_factory=lambda: ["worker"])
    settings: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)


HOSTS = {
    "healthy": Host(set()),
    "healthy-plane": Host(
        set(), roles=["control_plane", "etcd"], options={"connect": [ENDPOINT]}, settings={"api_endpoint": ENDPOINT}
    ),
    "machine": Host(
        {"machine-id-missing", "systemd-missing", "cgroup-controllers", "memory-too-small", "cpu-too-few"},
        """
        : > /etc/machine-id
        rmdir /run/systemd/system
        echo cpu cpuset io pids > /sys/fs/cgroup/cgroup.controllers
        echo 'MemTotal: 524288 kB' > "$0/memory" && mount --bind "$0/memory" /proc/meminfo
        """,
        before=["taskset", "--cpu-list", "0"],
        settings={"preflight_node_cpus": 2},
    ),
    "kernel": Host(
        {"kernel-too-old", "kernel-option", "cgroup-v1"},
        """
        printf '%s\\n' CONFIG_NAMESPACES=y CONFIG_NET_NS=y > /boot/config-2.6.40
        for release in $(setarch --uname-2.6 uname -r); do cp /boot/config-2.6.40 "/boot/config-$release"; done
        rm /sys/fs/cgroup/cgroup.controllers
        """,
        before=["setarch", "--uname-2.6"],
    ),
    "swapping": Host(
        {"swap-active"},
        "printf 'Filename Type\\n/swapfile file 1 0 -1\\n' > \"$0/swaps\"",
        settings={"preflight_swap": "allowed"},
    ),
    "disks": Host(
        {"disk-full", "disk-read-only", "inodes-few", "image-space"},
        """
        head --bytes=58M /dev/zero > /var/lib/containerd/images
        mount -o remount,ro /var/lib/kubelet
        mount -t tmpfs -o size=64m,nr_inodes=20 none /var/lib/etcd
        for number in $(seq 19); do : > "/var/lib/etcd/$number"; done
        """,
        roles=["worker", "etcd"],
        settings={"external_etcd": True},
    ),
    "slow": Host(
        {"disk-slow"},
        roles=["etcd"],
        settings={"external_etcd": True, "preflight_etcd_fsync_ms": 0.000001},
        options={"fsync_folder": "/var/lib/etcd"},
    ),
    "left": Host(
        {"cluster-leftover", "cni-leftover", "runtime-clash"},
        """
        mkdir -p /etc/cni/net.d /var/lib/rancher/k3s && echo '{}' > /etc/cni/net.d/00-other.conflist
        ip link add cni0 type bridge
        RUNS="crio k3s"
        """,
        settings={"cni_plugin": "flannel"},
    ),
    "drop-in": Host(
        {"containerd-drop-in"},
        "mkdir -p /etc/containerd/conf.d && echo 'version = 4' > /etc/containerd/conf.d/99-gpu.toml",
        settings={"containerd": {"variable": "container_runtime_containerd_version", "version": "2.1.9"}},
        options={"containerd_imports": ["/etc/containerd/conf.d/*.toml"]},
    ),
    "data": Host({"etcd-leftover"}, "mkdir -p /var/lib/etcd/member", roles=["control_plane", "etcd"]),
    "half": Host(
        {"control-plane-incomplete"},
        "mkdir -p /etc/kubernetes && : > /etc/kubernetes/kubelet.conf",
        roles=["control_plane", "etcd"],
    ),
    "traffic": Host(
        {"firewall-active", "rp-filter", "iptables-mixed", "route-clash", "dns-loop"},
        """
        mkdir -p /etc/ufw && echo ENABLED=yes > /etc/ufw/ufw.conf
        sysctl -qw net.ipv4.conf.all.rp_filter=2
        iptables-legacy -t nat -A POSTROUTING -j RETURN
        ip route add 10.244.7.0/24 via 192.0.2.254
        echo 'nameserver 127.0.0.53' > "$0/resolv"
        """,
        settings={"cni_plugin": "calico"},
    ),
    "networkd": Host(
        {"networkd-routes", "pod-mtu"},
        "RUNS=systemd-networkd",
        settings={"cni_plugin": "bridge", "cni_encapsulation": "always", "cni_mtu": 1451},
    ),
    "listening": Host({"port-taken"}, "", options={"ports": [10250]}, settings={"ports": [10250]}),
    "addresses": Host(
        {"node-address-missing", "interface-missing", "virtual-ip-remote"},
        settings={
            "kubernetes_node_ip": "203.0.113.9",
            "endpoint_interface": "eth7",
            "virtual_ip": "203.0.113.10",
            "holds_virtual_ip": True,
        },
    ),
    "sources": Host(
        {"artifact-missing", "image-missing", "endpoint-unreachable", "program-missing", "no-proxy-incomplete"},
        "export https_proxy=http://192.0.2.254:3128 no_proxy=192.0.2.254",
        settings={"backup_programs": ["no-such-program"]},
        options={
            "artifacts": ["http://192.0.2.254:1/kubelet"],
            "images": ["r.example.com/pause:3.10"],
            "registries": [
                {"registry": "r.example.com", "servers": [{"url": "http://192.0.2.254:1/v2"}]},
            ],
            "connect": ["192.0.2.254:2"],
            "programs": ["no-such-program"],
        },
    ),
    "joined": Host(
        {"version-differs", "setting-fixed", "pod-network-other"},
        MANIFEST
        + """
        mkdir -p /etc/kubernetes/pki /etc/cni/net.d /var/lib/cni/networks/other /var/lib/etcd/member
        for name in kubelet admin controller-manager scheduler; do : > /etc/kubernetes/$name.conf; done
        for name in kube-controller-manager kube-scheduler etcd; do : > /etc/kubernetes/manifests/$name.yaml; done
        for name in ca sa front-proxy-ca; do
          : > /etc/kubernetes/pki/$name.crt; : > /etc/kubernetes/pki/$name.key
        done
        echo '{"name": "other"}' > /etc/cni/net.d/10-bridge.conflist
        : > /var/lib/cni/networks/other/10.244.0.5
        """,
        roles=["control_plane", "etcd"],
        settings={
            "cni_plugin": "bridge",
            "fixed_settings": {
                "service_cidr": {
                    "path": "ClusterConfiguration.networking.serviceSubnet",
                    "variable": "kubernetes_service_cidr",
                    "values": ["10.96.0.0/12"],
                }
            },
        },
    ),
    "other-cluster": Host(
        set(), "mkdir -p /etc/kubernetes/pki; : > /etc/kubernetes/kubelet.conf; echo other > /etc/kubernetes/pki/ca.crt"
    ),
    "clone-1": Host(set(), CLONED),
    "clone-2": Host(set(), f"{CLONED}\nip link set dev eth0 mtu 1400"),
}
# Said of several hosts together.
OF_CLUSTER = {
    "clock-skew",
    "duplicate-hostname",
    "duplicate-mac",
    "duplicate-machine-id",
    "duplicate-product-uuid",
    "endpoint-taken",
    "foreign-cluster",
    "mtu-differs",
    "virtual-ip-taken",
}
# What has real parts of its own elsewhere, or cannot be made here.
ELSEWHERE = {
    "clock-unsynchronised": "the machine's clock is one for all namespaces",
    "path-mtu": "tests/integration/_host/ports",
    "port-blocked": "tests/integration/_host/ports",
    "port-unknown": "tests/integration/_host/ports",
    "rotation-under-way": "needs certificates of two authorities: tests/unit",
    "version-unknown": "needs API servers: tests/unit",
}


class Machines:
    """The hosts at one switch, which has the address .254 and carries the virtual one."""

    def __init__(self, folder: Path) -> None:
        """Nothing is made yet."""
        self.folder = folder
        self.names = {name: f"groundwork-{name}-{os.getpid()}" for name in ("switch", *HOSTS)}

    def make(self) -> None:
        """Make the switch and the hosts."""
        for name in self.names.values():
            command("ip", "netns", "add", name)
        switch = self.names["switch"]
        inside("switch", self, "ip", "link", "add", "br0", "type", "bridge")
        for address in ("192.0.2.254/24", f"{TAKEN}/24"):
            inside("switch", self, "ip", "address", "add", address, "dev", "br0")
        inside("switch", self, "ip", "link", "set", "dev", "br0", "up")
        for number, name in enumerate(HOSTS, 1):
            peer = ("type", "veth", "peer", "name", f"to{number}", "netns", switch)
            command("ip", "-n", self.names[name], "link", "add", "eth0", *peer)
            inside("switch", self, "ip", "link", "set", "dev", f"to{number}", "master", "br0", "up")
            if name.startswith("clone"):
                inside(name, self, "ip", "link", "set", "dev", "eth0", "address", "02:00:00:00:00:01")
            inside(name, self, "ip", "address", "add", f"192.0.2.{number}/24", "dev", "eth0")
            if name == "listening":
                inside(name, self, "ip", "address", "add", ENDPOINT.partition(":")[0], "dev", "eth0")
            for device in ("lo", "eth0"):
                inside(name, self, "ip", "link", "set", "dev", device, "up")
            inside(name, self, "ip", "route", "add", "default", "via", "192.0.2.254")

    def read(self, name: str) -> dict[str, Any]:
        """What host_facts reads of a host, with the clock as its action compares it."""
        host, root = HOSTS[name], self.folder / name
        root.mkdir()
        options = {
            "paths": ["/var/lib/containerd", "/var/lib/kubelet", "/var/lib/etcd"],
            "connect_timeout": 1,
            "stacked_etcd": "control_plane" in host.roles,
            **({"virtual_ip": TAKEN} if name == "healthy" else {}),
            **host.options,
        }
        module = [sys.executable, "-c", RUN.format(path=str(COLLECTIONS)), json.dumps(options)]
        script = f'{HEALTHY}\n{host.setup}\nshift\nexec "$@"'
        apart = ["unshare", "--mount", "--uts", "--propagation=private", "sh", "-euc", script, str(root), name]
        result: dict[str, Any] = json.loads(inside(name, self, *apart, *host.before, *module).strip().splitlines()[-1])
        assert not result["changed"], result
        result["host"]["clock"].update(synchronised=True, offset=3600 if name == "left" else 0, tolerance=1)
        return result

    def close(self) -> None:
        """Remove them."""
        for name in self.names.values():
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def command(*argv: str) -> str:
    """Run a command."""
    done = subprocess.run(argv, check=False, capture_output=True, text=True)
    assert done.returncode == 0, (argv[:6], done.stdout, done.stderr)
    return done.stdout


def inside(name: str, machines: Machines, *argv: str) -> str:
    """Run a command on a host or the switch."""
    return command("ip", "netns", "exec", machines.names[name], *argv)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """The faults by host, of the cluster below an empty name; all hosts are read at once."""
    machines = Machines(tmp_path_factory.mktemp("hosts"))
    try:
        machines.make()
        listens = ["ip", "netns", "exec", machines.names["listening"], sys.executable, "-m", "http.server", "10250"]
        with subprocess.Popen(listens, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as listener:
            try:
                with ThreadPoolExecutor(4) as pool:
                    facts = dict(zip(HOSTS, pool.map(machines.read, HOSTS)))
            finally:
                listener.kill()
        settings = {
            name: {**SETTINGS, **OWN, "roles": host.roles, "virtual_ip": "", **host.settings}
            for name, host in HOSTS.items()
        }
        by_host: dict[str, set[str]] = {name: set() for name in ("", *HOSTS)}
        new = {name: result for name, result in facts.items() if not result["host"]["cluster"]["kubelet_conf"]}
        # Some of it is only said where there is no cluster yet.
        for results in (facts, new):
            for fault in find_faults(read_nodes(results, settings)):
                by_host[fault.host].add(fault.id)
        yield by_host
    finally:
        machines.close()


@pytest.mark.parametrize("name", HOSTS)
def test_a_host(found: dict[str, set[str]], name: str) -> None:
    """All its faults, and no other."""
    assert found[name] - OF_CLUSTER == HOSTS[name].faults


def test_between_hosts(found: dict[str, set[str]]) -> None:
    """What several hosts share, or differ in."""
    assert OF_CLUSTER - set().union(*found.values()) == set()


def test_each_check_is_tried() -> None:
    """Here, or where ELSEWHERE says."""
    tried = OF_CLUSTER.union(*(host.faults for host in HOSTS.values()))
    assert set(HOST_CHECKS) - tried == set(ELSEWHERE)
    assert not tried & set(ELSEWHERE)
