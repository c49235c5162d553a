"""The judgement of hosts, as tables: what a host is, what it is to be, which faults are found."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.public_keys import key_hash
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.public_keys import (
    ETCD_CA,
    ETCD_CA_KEY,
    ETCD_CLIENT,
    ETCD_FOLDER,
    KUBERNETES_CA,
    SERVICE_ACCOUNT_KEY,
    STACKED_ETCD_CA,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.host_machine import (
    clock_offset,
    missing_packages,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.preflight import find_faults
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import Pair, issue

CA, OTHER_CA, OLD = issue("etcd-ca"), issue("other-ca"), issue("old", since=-9, days=-1)


def space(free_mb: int, path: str = "/var/lib/containerd", total_mb: int = 20000) -> dict[str, Any]:
    """A folder's filesystem."""
    room = {"free_mb": free_mb, "total_mb": total_mb, "free_inodes": 900, "total_inodes": 1000}
    return {"path": path, **room, "device": 1}


FACTS: dict[str, Any] = {
    "hostname": "a",
    "machine_id": "aaaa",
    "product_uuid": "aaaa-aa",
    "kernel": "6.1.0-25-amd64",
    "systemd": True,
    "clock": {"epoch": time.time(), "duration": 0.1, "synchronised": True, "offset": 0.1, "tolerance": 0.2},
    "interfaces": [
        {"name": "eth0", "mac": "52:54:00:00:00:0a", "mtu": 1500, "physical": True, "addresses": ["192.0.2.10"]}
    ],
    "default_interface": "eth0",
    "routes": [{"destination": "192.0.2.0/24", "interface": "eth0", "on_link": True}],
    "cpus": 2,
    "memory_mb": 2000,
    "swap": [],
    "cgroup": {"version": 2, "controllers": ["cpu", "cpuset", "io", "memory", "pids"]},
    "space": [space(9000)],
    "listeners": [],
    "security": {"selinux": "disabled", "apparmor": False, "firewalld": False, "ufw": False},
    "traffic": {
        "iptables": "nf_tables",
        "legacy_tables": [],
        "rp_filter": {"all": 0, "default": 2, "eth0": 2},
        "foreign_routes": False,
        "name_servers": ["192.0.2.53"],
        "virtual_ip_at": "",
    },
    "kernel_options": {"known": True, "missing": []},
    "leftovers": {"cni": [], "places": [], "distributions": [], "runtimes": ["containerd"]},
    "missing_artifacts": [],
    "missing_images": [],
    "proxies": {"schemes": [], "no_proxy": ""},
    "pod_network": {"file": "", "name": "", "addresses": 0},
    "cluster": {
        "kubelet_conf": False,
        "admin_conf": False,
        "etcd_data": False,
        "ca_sha256": "",
        "api_server_version": "",
    },
    "programs": {name: f"/usr/sbin/{name}" for name in ("ip", "iptables", "mount", "nsenter", "conntrack", "socat")},
    "connections": [],
    "pki": [],
    "fsync": None,
}
SETTINGS: dict[str, Any] = {
    "roles": ["control_plane", "etcd"],
    "external_etcd": False,
    "api_endpoint": "",
    "etcd_data_dir": "/var/lib/etcd",
    "kubernetes_version": "1.36.5",
    "kubernetes_node_ip": "192.0.2.10",
    "kubernetes_pod_cidr": "10.244.0.0/16",
    "kubernetes_service_cidr": "10.96.0.0/12",
    "kubernetes_api_port": 6443,
    "kubernetes_proxy_mode": "iptables",
    "cni_bridge_network": "kubernetes",
    "kubernetes_kubelet_configuration": {},
    "kubernetes_ignore_preflight_errors": [],
    "preflight_swap": "disabled",
    "preflight_packages": {"conntrack": "conntrack", "ip": "iproute2", "tc": "iproute2", "socat": "socat"},
    "preflight_control_plane_cpus": 2,
    "preflight_control_plane_memory_mb": 1700,
    "preflight_node_cpus": 1,
    "preflight_node_memory_mb": 900,
    "preflight_kernel": "4.19",
    "preflight_free_mb": {"/var/lib/containerd": 4096},
    "preflight_etcd_fsync_ms": 0,
    "preflight_clock_skew_seconds": 5,
    "preflight_certificate_days": 30,
}
JOINED = {
    "cluster": {
        "kubelet_conf": True,
        "admin_conf": True,
        "etcd_data": True,
        "ca_sha256": "cafe",
        "api_server_version": "1.36.5",
    }
}
WORKER = {"roles": ["worker"]}


def carrying(role: str = "control_plane", kubelet_conf: bool = True, **more: list[str]) -> dict[str, Any]:
    """Facts of a host of the cluster in this state."""
    state = {"role": role, "interrupted": "", "traces": [], "missing": [], "faults": [], **more}
    return {"cluster": {**JOINED["cluster"], "kubelet_conf": kubelet_conf, "node": state}}


ETCD_ONLY = {"roles": ["etcd"], "external_etcd": True, "etcd_hosts": True}
BALANCER = {"roles": ["load_balancer"]}


def on_network(file: str, name: str, addresses: int = 3) -> dict[str, Any]:
    """Facts of a host of the cluster whose pods are on this network."""
    return {**JOINED, "pod_network": {"file": file, "name": name, "addresses": addresses}}


UNSET = {"kubernetes_node_ip": None}
BRIDGE = {"cni_plugin": "bridge"}
HOLDER = {"virtual_ip": "192.0.2.200", "holds_virtual_ip": True}
V1 = {"cgroup": {"version": 1, "controllers": ["cpu", "cpuset", "memory", "pids"]}}
NOT_FAIL = {"kubernetes_kubelet_configuration": {"failCgroupV1": False}}


def node(name: str = "a", facts: dict[str, Any] | None = None, settings: dict[str, Any] | None = None) -> Node:
    """A healthy host, except for what is given."""
    return Node(name, {**copy.deepcopy(FACTS), **(facts or {})}, {**SETTINGS, **(settings or {})})


def other(name: str = "b", facts: dict[str, Any] | None = None, settings: dict[str, Any] | None = None) -> Node:
    """Another healthy host, which shares nothing with the first."""
    number = name[-1]
    own = {
        "hostname": name,
        "machine_id": number * 4,
        "product_uuid": number * 6,
        "interfaces": [
            {
                "name": "eth0",
                "mac": f"52:54:00:00:00:0{number}",
                "mtu": 1500,
                "physical": True,
                "addresses": [f"192.0.2.{ord(number)}"],
            }
        ],
    }
    return node(name, {**own, **(facts or {})}, {"kubernetes_node_ip": f"192.0.2.{ord(number)}", **(settings or {})})


def bridged(name: str, *addresses: str) -> Node:
    """A host with a bridge that has the same MAC address everywhere, as Docker's used to."""
    bridge = {
        "name": "docker0",
        "mac": "02:42:ac:11:00:01",
        "mtu": 1500,
        "physical": False,
        "addresses": list(addresses),
    }
    return other(name, {"interfaces": [*other(name).facts["interfaces"], bridge]})


def has(*addresses: str, interface: str = "eth0", physical: bool = True) -> dict[str, Any]:
    """The addresses of a host's interface."""
    mac = f"that of {' '.join(addresses)}"
    return {
        "interfaces": [{"name": interface, "mac": mac, "mtu": 1500, "physical": physical, "addresses": list(addresses)}]
    }


def pki(path: str, pair: Pair, *others: Pair, **more: Any) -> dict[str, Any]:
    """A file of a host's PKI."""
    certificate = path.endswith(".crt")
    file = {
        "path": path,
        "mode": "0600",
        "certificates": "".join(one.crt for one in (pair, *others)) if certificate else "",
        "public_keys": [] if certificate else [key_hash(pair.pub)],
        "error": "",
    }
    return {"pki": [{**file, **more}]}


def route(destination: str, interface: str = "tun0", on_link: bool = False) -> dict[str, Any]:
    return {"routes": [{"destination": destination, "interface": interface, "on_link": on_link}]}


def listener(port: int, process: str) -> dict[str, Any]:
    return {"listeners": [{"port": port, "address": "::", "process": process}]}


def connection(target: str, state: str, via: str = "") -> dict[str, Any]:
    error = "" if state == "connected" else state
    return {"connections": [{"target": target, "via": via, "state": state, "error": error, "milliseconds": 1}]}


def running(version: str) -> dict[str, Any]:
    return {"cluster": {**JOINED["cluster"], "api_server_version": version}}


def clock(offset: float, tolerance: float = 0.2) -> dict[str, Any]:
    return {
        "clock": {"synchronised": True, "offset": offset, "tolerance": tolerance, "epoch": time.time(), "duration": 1}
    }


ONE_HOST = [
    ("healthy", {}, {}, []),
    ("healthy and joined", JOINED, {}, []),
    ("no systemd", {"systemd": False}, {}, ["error systemd-missing"]),
    ("no machine id", {"machine_id": ""}, {}, ["error machine-id-missing"]),
    ("clock free-running", {"clock": {"synchronised": False}}, {}, ["warning clock-unsynchronised"]),
    ("clock unknown", {"clock": {"synchronised": None}}, {}, []),
    ("one CPU", {"cpus": 1}, {}, ["error cpu-too-few"]),
    ("one CPU in a worker", {"cpus": 1}, WORKER, []),
    ("one CPU in an etcd host", {"cpus": 1}, ETCD_ONLY, []),
    ("one CPU allowed", {"cpus": 1}, {"preflight_control_plane_cpus": 1}, []),
    ("little memory", {"memory_mb": 1699}, {}, ["error memory-too-small"]),
    ("little memory in a worker", {"memory_mb": 899}, WORKER, ["error memory-too-small"]),
    ("enough memory for a worker", {"memory_mb": 900}, WORKER, []),
    ("full disk", {"space": [space(4095)]}, {}, ["error disk-full"]),
    (
        "full disk of a member",
        {**JOINED, "space": [space(4095)]},
        {},
        ["warning disk-full"],
    ),
    (
        "slow disk",
        {"fsync": {"folder": "/var/lib/etcd", "p99_ms": 10.1}},
        {"preflight_etcd_fsync_ms": 10},
        ["warning disk-slow"],
    ),
    (
        "a disk that is slower than etcd's heartbeat",
        {"fsync": {"folder": "/var/lib/etcd", "p99_ms": 100.1}},
        {"preflight_etcd_fsync_ms": 10},
        ["error disk-slow"],
    ),
    ("a disk that nobody asks for", {"fsync": {"folder": "/var/lib/etcd", "p99_ms": 100.1}}, {}, []),
    ("fast disk", {"fsync": {"folder": "/var/lib/etcd", "p99_ms": 9.9}}, {"preflight_etcd_fsync_ms": 10}, []),
    ("old kernel", {"kernel": "4.18.0-553.el8"}, {}, ["error kernel-too-old"]),
    ("a kernel too old for Cilium", {"kernel": "5.4.0"}, {"cni_plugin": "cilium"}, ["warning kernel-too-old"]),
    ("a kernel for Calico", {"kernel": "5.10.0"}, {"cni_plugin": "calico"}, []),
    ("kernel compared as numbers", {"kernel": "5.4.0"}, {"preflight_kernel": "5.10"}, ["error kernel-too-old"]),
    (
        "kernel for nftables",
        {"kernel": "5.10.0-30"},
        {"kubernetes_proxy_mode": "nftables"},
        ["error kernel-too-old"],
    ),
    ("cgroup v1 before 1.35", V1, {"kubernetes_version": "1.34.11"}, []),
    ("cgroup v1 from 1.35", V1, {"kubernetes_version": "1.35.0"}, ["error cgroup-v1"]),
    ("cgroup v1 allowed to the kubelet only", V1, NOT_FAIL, ["error cgroup-v1"]),
    (
        "cgroup v1 allowed",
        V1,
        {**NOT_FAIL, "kubernetes_ignore_preflight_errors": ["SystemVerification"]},
        [],
    ),
    ("cgroup v1 allowed by all", V1, {**NOT_FAIL, "kubernetes_ignore_preflight_errors": ["all"]}, []),
    ("cgroup v1 of an etcd host", V1, ETCD_ONLY, []),
    (
        "memory controller off",
        {"cgroup": {"version": 2, "controllers": ["cpu", "cpuset", "pids"]}},
        {},
        ["error cgroup-controllers"],
    ),
    ("swap that will be turned off", {"swap": ["/swapfile"]}, {}, []),
    ("swap that stays", {"swap": ["/swapfile"]}, {"preflight_swap": "allowed"}, ["error swap-active"]),
    (
        "swap that the kubelet takes",
        {"swap": ["/swapfile"]},
        {"preflight_swap": "allowed", "kubernetes_kubelet_configuration": {"failSwapOn": False}},
        [],
    ),
    ("swap of a container's host", {"swap": ["none"]}, {}, ["error swap-active"]),
    ("swap of a container's host that stays", {"swap": ["none"]}, {"preflight_swap": "allowed"}, ["error swap-active"]),
    (
        "swap of a container's host that would be turned off",
        {"swap": ["none"]},
        {"kubernetes_kubelet_configuration": {"failSwapOn": False}},
        ["error swap-active"],
    ),
    (
        "swap of a container's host that the kubelet takes",
        {"swap": ["none"]},
        {"preflight_swap": "allowed", "kubernetes_kubelet_configuration": {"failSwapOn": False}},
        [],
    ),
    ("swap of a container's host, no node", {"swap": ["none"]}, ETCD_ONLY, []),
    ("a stranger's port", listener(6443, "nginx"), {}, ["error port-taken"]),
    ("a stranger on another API port", listener(8443, "nginx"), {"kubernetes_api_port": 8443}, ["error port-taken"]),
    ("a port another role needs", listener(6443, "haproxy"), WORKER, []),
    ("etcd on an external etcd host", listener(2379, "etcd"), ETCD_ONLY, []),
    ("a program of Kubernetes on another one's port", listener(2379, "kubelet"), {}, ["error port-taken"]),
    ("HAProxy on its port", listener(8443, "haproxy"), {**BALANCER, "balancer_ports": [8443]}, []),
    ("a stranger on HAProxy's port", listener(8443, "nginx"), {"balancer_ports": [8443]}, ["error port-taken"]),
    ("HAProxy on the API server's port", listener(6443, "haproxy"), {}, ["error port-taken"]),
    (
        "a proxy in place of kube-proxy",
        listener(10256, "cilium-agent"),
        {**WORKER, "kubernetes_proxy_mode": "none"},
        [],
    ),
    ("one CPU, little memory in a load balancer", {"cpus": 1, "memory_mb": 300}, BALANCER, []),
    ("cgroup v1 of a load balancer", V1, BALANCER, []),
    (
        "swap of a load balancer",
        {"swap": ["/swapfile"]},
        {**BALANCER, "preflight_swap": "allowed"},
        [],
    ),
    (
        "no room for containers in a load balancer",
        {"space": [space(1)]},
        BALANCER,
        [],
    ),
    ("sources of images out of a load balancer's reach", connection("https://dl.k8s.io", "timeout"), BALANCER, []),
    (
        "an address among the pods'",
        {**has("192.0.2.10", "10.244.7.1")},
        {},
        ["error address-clash"],
    ),
    (
        "an address of a network plugin among the pods'",
        has("192.0.2.10", "10.244.7.1", interface="cni0"),
        {},
        ["error cluster-leftover"],
    ),
    ("an address among the pods' of a member", {**JOINED, **has("192.0.2.10", "10.244.7.1")}, {}, []),
    ("a virtual address", {}, HOLDER, []),
    (
        "a virtual address in another network",
        {},
        {**HOLDER, "virtual_ip": "198.51.100.9"},
        ["warning virtual-ip-remote"],
    ),
    (
        "a virtual address of the other IP version",
        {},
        {**HOLDER, "virtual_ip": "2001:db8::9"},
        ["warning virtual-ip-remote"],
    ),
    (
        "a virtual address on a host that is not to hold it",
        has("192.0.2.10", "192.0.2.200"),
        {"virtual_ip": "192.0.2.200"},
        ["error address-clash"],
    ),
    (
        "a certificate that expired",
        pki(KUBERNETES_CA, issue("ca", since=-9, days=-1)),
        {},
        ["error certificate-expired"],
    ),
    (
        "a certificate that had not expired yet by the host's clock",
        {**pki(KUBERNETES_CA, OLD), "clock": {"epoch": time.time() - 5 * 86400, "synchronised": True}},
        {},
        ["warning certificate-expiring"],
    ),
    ("a certificate that will", pki(KUBERNETES_CA, issue("ca", days=9)), {}, ["warning certificate-expiring"]),
    (
        "a certificate that will, later than asked",
        pki(KUBERNETES_CA, issue("ca", days=9)),
        {"preflight_certificate_days": 7},
        [],
    ),
    (
        "a member's certificate that expired",
        {"pki": [*pki(f"{ETCD_FOLDER}/member.crt", OLD)["pki"], *pki(ETCD_CA_KEY, OLD)["pki"]]},
        ETCD_ONLY,
        ["warning certificate-expired"],
    ),
    (
        "a member's certificate that expired, and the CA's key is elsewhere",
        pki(f"{ETCD_FOLDER}/member.crt", OLD),
        ETCD_ONLY,
        ["error certificate-expired"],
    ),
    (
        "a member's certificate that expired, and the CA's key is given",
        pki(f"{ETCD_FOLDER}/member.crt", OLD),
        {**ETCD_ONLY, "etcd_ca_key_elsewhere": True},
        ["warning certificate-expired"],
    ),
    ("etcd's client certificate that expired", pki(ETCD_CLIENT, OLD), {}, ["error certificate-expired"]),
    (
        "the client certificate that expired of an etcd on hosts of its own",
        pki(ETCD_CLIENT, OLD),
        {"etcd_hosts": True, "external_etcd": True},
        ["warning certificate-expired"],
    ),
    (
        "another CA for etcd",
        {**pki(ETCD_CA, CA), "cluster": {**FACTS["cluster"], "etcd_data": True}},
        {**ETCD_ONLY, "etcd_ca": [key_hash(OTHER_CA.pub)]},
        ["error ca-differs"],
    ),
    (
        "the next CA for etcd",
        {**pki(ETCD_CA, CA), "cluster": {**FACTS["cluster"], "etcd_data": True}},
        {**ETCD_ONLY, "etcd_ca": [key_hash(OTHER_CA.pub), key_hash(CA.pub)]},
        [],
    ),
    ("another CA for an etcd without data", pki(ETCD_CA, CA), {**ETCD_ONLY, "etcd_ca": [key_hash(OTHER_CA.pub)]}, []),
    ("Kubernetes' own port", {**JOINED, **listener(6443, "kube-apiserver")}, {}, []),
    ("the controller manager's shortened name", listener(10257, "kube-controller"), {}, []),
    ("an unknown process before joining", listener(10250, ""), {}, ["error port-taken"]),
    ("an unknown process of a member", {**JOINED, **listener(10250, "")}, {}, []),
    (
        "both of the host's addresses, otherwise written",
        {"interfaces": [{**FACTS["interfaces"][0], "addresses": ["192.0.2.10", "2001:db8::10"]}]},
        {"kubernetes_node_ip": "192.0.2.10, 2001:DB8:0::10"},
        [],
    ),
    (
        "the second address is another host's",
        {},
        {"kubernetes_node_ip": "192.0.2.10, 2001:DB8:0::10"},
        ["error node-address-missing"],
    ),
    (
        "another host's address",
        {},
        {"kubernetes_node_ip": "192.0.2.99"},
        ["error node-address-missing"],
    ),
    ("route inside the pod network", route("10.244.3.0/24"), {}, ["error route-clash"]),
    ("route inside the pod network of a member", {**JOINED, **route("10.244.3.0/24", "eth0")}, {}, []),
    ("route of a network plugin", route("10.244.3.0/24", "flannel.1"), {}, []),
    ("the hosts' own network around the pods'", route("10.0.0.0/8", "eth0", True), {}, ["error route-clash"] * 2),
    ("a route through a gateway around it", route("10.0.0.0/8"), {}, ["warning route-clash"] * 2),
    ("another network", route("172.17.0.0/16", "docker0", True), {}, []),
    ("another family", route("fd00::/8", "eth0"), {}, []),
    (
        "dual stack",
        route("fd00::/64", "tun0"),
        {"kubernetes_pod_cidr": "10.244.0.0/16,fd00::/56"},
        ["error route-clash"],
    ),
    ("a program that will be installed", {"programs": {**FACTS["programs"], "socat": ""}}, {}, []),
    (
        "a program that nothing brings",
        {"programs": {**FACTS["programs"], "nsenter": ""}},
        {},
        ["error program-missing"],
    ),
    (
        "conntrack of a new version",
        {"programs": {**FACTS["programs"], "conntrack": ""}},
        {"preflight_packages": {}},
        [],
    ),
    (
        "conntrack of an old version",
        {"programs": {**FACTS["programs"], "conntrack": ""}},
        {"preflight_packages": {}, "kubernetes_version": "1.31.0"},
        ["error program-missing"],
    ),
    ("firewalld", {"security": {"firewalld": True, "ufw": False}}, {}, ["warning firewall-active"]),
    ("ufw", {"security": {"firewalld": False, "ufw": True}}, {}, ["warning firewall-active"]),
    ("pods on the network", on_network("10-bridge.conflist", "kubernetes"), BRIDGE, []),
    ("pods on another network", on_network("10-bridge.conflist", "by-hand"), BRIDGE, ["error pod-network-other"]),
    (
        "pods on another network that is kept",
        on_network("10-bridge.conflist", "by-hand"),
        {**BRIDGE, "cni_bridge_network": "by-hand"},
        [],
    ),
    ("pods of a later file", on_network("99-own.conf", "kubernetes"), BRIDGE, []),
    ("pods of another plugin that stays", on_network("05-own.conf", "own"), {"cni_plugin": "none"}, []),
    ("another network without pods", on_network("05-own.conf", "own", 0), BRIDGE, []),
    (
        "another network of no cluster",
        {"pod_network": {"file": "05-own.conf", "name": "own", "addresses": 3}},
        BRIDGE,
        [],
    ),
    (
        "etcd data without a cluster",
        {"cluster": {**FACTS["cluster"], "etcd_data": True}},
        {},
        ["error etcd-leftover"],
    ),
    ("etcd data of external etcd", {"cluster": {**FACTS["cluster"], "etcd_data": True}}, ETCD_ONLY, []),
    (
        "etcd beside the control plane",
        {"cluster": {**FACTS["cluster"], "etcd_data": True}},
        {"external_etcd": True},
        [],
    ),
    ("the version that runs", running("v1.36.5"), {}, []),
    ("the next minor", running("1.35.9"), {}, ["error version-differs"]),
    ("the next patch", running("v1.36.4"), {}, ["error version-differs"]),
    ("two minors in one step", running("1.34.11"), {}, ["error version-differs"]),
    ("an older minor", running("1.37.0-rc.1"), {}, ["error version-differs"]),
    ("another minor on a worker", running("1.34.11"), WORKER, []),
    ("reachable", connection("https://dl.k8s.io", "connected"), {}, []),
    ("unreachable", connection("https://dl.k8s.io", "timeout"), {}, ["error endpoint-unreachable"]),
    (
        "unreachable for a member",
        {**JOINED, **connection("https://dl.k8s.io", "timeout")},
        {},
        ["warning endpoint-unreachable"],
    ),
    ("no API yet", connection("api:6443", "refused"), {"api_endpoint": "api:6443"}, []),
    (
        "no name for the API",
        connection("api:6443", "unresolved"),
        {"api_endpoint": "api:6443"},
        ["error endpoint-unreachable"],
    ),
    (
        "a stranger at the API endpoint",
        connection("api:6443", "connected"),
        {"api_endpoint": "api:6443"},
        ["warning endpoint-taken"],
    ),
    ("the API of a member", {**JOINED, **connection("api:6443", "refused")}, {"api_endpoint": "api:6443"}, []),
    ("pods of the hosts' MTU", {}, {"cni_plugin": "bridge", "cni_mtu": 1500}, []),
    ("pods of a larger MTU", {}, {"cni_plugin": "bridge", "cni_mtu": 1501}, ["error pod-mtu"]),
    ("pods of an MTU with a tunnel", {}, {"cni_plugin": "bridge", "cni_mtu": 1450, "cni_encapsulation": "always"}, []),
    (
        "pods of an MTU too large for a tunnel",
        {},
        {"cni_plugin": "bridge", "cni_mtu": 1451, "cni_encapsulation": "cross-subnet"},
        ["error pod-mtu"],
    ),
    ("an MTU of pods by IP in IP", {}, {"cni_plugin": "calico", "cni_mtu": 1480}, []),
    ("one that is too large for it", {}, {"cni_plugin": "calico", "cni_mtu": 1481}, ["error pod-mtu"]),
    ("an MTU with WireGuard", {}, {"cni_plugin": "flannel", "cni_mtu": 1421, "cni_wireguard": True}, ["error pod-mtu"]),
    ("an MTU of a plugin that is not known", {}, {"cni_plugin": "manifests", "cni_mtu": 9000}, []),
    ("a host of no group", listener(6443, "nginx"), {"roles": []}, []),
]


@pytest.mark.parametrize(
    ("facts", "settings", "expected"), [case[1:] for case in ONE_HOST], ids=[c[0] for c in ONE_HOST]
)
def test_one_host(facts: dict[str, Any], settings: dict[str, Any], expected: list[str]) -> None:
    found = find_faults([node(facts=facts, settings=settings)])
    assert [f"{fault.severity} {fault.id}" for fault in found] == expected
    assert {fault.host for fault in found} <= {"a"}
    assert all("; " in fault.text for fault in found), "each fault says what to do"


API = {"api_endpoint": "api:6443"}
ACROSS = [
    (
        "the address of a host that the run leaves out, at another interface",
        [
            other(
                facts={"interfaces": [{**FACTS["interfaces"][0], "addresses": ["192.0.2.98", "192.0.2.77"]}]},
                settings={"left_out_addresses": {"192.0.2.77": "cp2", "192.0.2.78": "cp3"}},
            )
        ],
        ["error address-clash b"],
    ),
    ("different hosts", [node(), other()], []),
    ("same host name", [node(), other(facts={"hostname": "a"})], ["error duplicate-hostname "]),
    ("same machine id", [node(), other(facts={"machine_id": "aaaa"})], ["error duplicate-machine-id "]),
    ("no machine id twice is no duplicate", [other("b", {"product_uuid": ""}), other("c", {"product_uuid": ""})], []),
    ("same product_uuid", [node(), other(facts={"product_uuid": "aaaa-aa"})], ["error duplicate-product-uuid "]),
    (
        "same MAC",
        [node(), other(facts={"interfaces": [{**other().facts["interfaces"][0], "mac": "52:54:00:00:00:0a"}]})],
        ["error duplicate-mac "],
    ),
    (
        "same address by the facts",
        [node(settings=UNSET), other(facts=has("192.0.2.10"), settings=UNSET)],
        ["error address-clash "],
    ),
    (
        "same address of a host of etcd and a load balancer",
        [node(settings={**ETCD_ONLY, **UNSET}), other(facts=has("192.0.2.10"), settings={**BALANCER, **UNSET})],
        ["error address-clash "],
    ),
    (
        "a host's address on another one",
        [node(), other(facts=has("192.0.2.98", "192.0.2.10"))],
        ["error address-clash b"],
    ),
    (
        "same address of a network behind which each host stands, and others for the cluster",
        [
            node(facts=has("10.0.2.15", "192.0.2.10")),
            other(facts=has("10.0.2.15", "192.0.2.98")),
        ],
        [],
    ),
    (
        "same address of bridges",
        [bridged("b", "172.17.0.1"), bridged("c", "172.17.0.1")],
        [],
    ),
    (
        "the virtual address on two that may hold it",
        [
            node(facts=has("192.0.2.10", "192.0.2.200"), settings=HOLDER),
            other(facts=has("192.0.2.98", "192.0.2.200"), settings=HOLDER),
        ],
        [],
    ),
    (
        "different CAs on control planes that are in no cluster",
        [node(facts=pki(KUBERNETES_CA, CA)), other(facts=pki(KUBERNETES_CA, OTHER_CA))],
        ["error ca-differs "],
    ),
    (
        "different CAs on control planes that are in clusters",
        [
            node(facts={**JOINED, **pki(KUBERNETES_CA, CA)}),
            other(facts={**pki(KUBERNETES_CA, OTHER_CA), "cluster": {**JOINED["cluster"], "ca_sha256": "beef"}}),
        ],
        ["error foreign-cluster "],
    ),
    (
        "hosts of a cluster whose CA is being rotated",
        [
            node(facts={**JOINED, **pki(KUBERNETES_CA, CA, OTHER_CA)}),
            other(
                facts={**pki(KUBERNETES_CA, OTHER_CA), "cluster": {**JOINED["cluster"], "ca_sha256": "beef"}},
                settings=WORKER,
            ),
        ],
        [],
    ),
    (
        "a control plane that joins while the CA is rotated",
        [node(facts={**JOINED, **pki(KUBERNETES_CA, CA, OTHER_CA)}), other()],
        ["error rotation-under-way b"],
    ),
    (
        "a worker that joins while the CA is rotated",
        [node(facts={**JOINED, **pki(KUBERNETES_CA, CA, OTHER_CA)}), other(settings=WORKER)],
        [],
    ),
    (
        "a CA that was renewed on one",
        [node(facts=pki(KUBERNETES_CA, CA)), other(facts=pki(KUBERNETES_CA, issue("etcd-ca", days=900)))],
        [],
    ),
    ("a CA on one only", [node(facts=pki(KUBERNETES_CA, CA)), other()], []),
    (
        "different CAs of stacked etcd",
        [node(facts={**JOINED, **pki(STACKED_ETCD_CA, CA)}), other(facts={**JOINED, **pki(STACKED_ETCD_CA, OTHER_CA)})],
        ["error ca-differs "],
    ),
    (
        "different CAs on workers",
        [node(facts=pki(KUBERNETES_CA, CA)), other(facts=pki(KUBERNETES_CA, OTHER_CA), settings=WORKER)],
        [],
    ),
    (
        "different CAs of etcd's members",
        [node(facts=pki(ETCD_CA, CA), settings=ETCD_ONLY), other(facts=pki(ETCD_CA, OTHER_CA), settings=ETCD_ONLY)],
        ["error ca-differs "],
    ),
    (
        "another CA of etcd on its members than on control planes",
        [node(facts=pki(STACKED_ETCD_CA, CA)), other(facts=pki(ETCD_CA, OTHER_CA), settings=ETCD_ONLY)],
        ["error ca-differs "],
    ),
    (
        "different keys of service accounts",
        [node(facts=pki(SERVICE_ACCOUNT_KEY, CA)), other(facts=pki(SERVICE_ACCOUNT_KEY, OTHER_CA))],
        ["error ca-differs "],
    ),
    (
        "same MAC of bridges",
        [bridged("b"), bridged("c")],
        [],
    ),
    ("clocks within the limit", [node(facts=clock(0)), other(facts=clock(5.3))], []),
    ("clocks apart", [node(facts=clock(0)), other(facts=clock(6))], ["error clock-skew b"]),
    ("clocks apart, uncertain", [node(facts=clock(0)), other(facts=clock(6, 2))], []),
    (
        "one clock of three behind",
        [node(facts=clock(0)), other("b", clock(-60)), other("c", clock(0.1))],
        ["error clock-skew b"],
    ),
    (
        "different MTU",
        [node(), other(facts={"interfaces": [{**other().facts["interfaces"][0], "mtu": 1400}]})],
        ["warning mtu-differs "],
    ),
    (
        "different clusters",
        [node(facts=JOINED), other(facts={"cluster": {**JOINED["cluster"], "ca_sha256": "beef"}})],
        ["error foreign-cluster "],
    ),
    ("same cluster", [node(facts=JOINED), other(facts=JOINED)], []),
    (
        "a new host that cannot reach the API",
        [node(facts=JOINED), other(facts=connection("api:6443", "timeout"), settings={**API, **WORKER})],
        ["warning endpoint-unreachable b"],
    ),
    (
        "a control plane that lacks what can be written again",
        [node(facts=JOINED), other(facts=carrying(traces=["x", "y"], missing=["kube-apiserver.yaml"]))],
        [],
    ),
    (
        "a control plane that lacks what cannot",
        [node(facts=JOINED), other(facts=carrying(traces=["x", "y"], missing=["e"], faults=["etcd.yaml is missing"]))],
        ["error control-plane-incomplete b"],
    ),
    (
        "a control plane without kubelet.conf, and etcd's data that must not be moved away",
        [
            node(facts=JOINED),
            other(facts=carrying(kubelet_conf=False, traces=["x", "y"], missing=["k"], faults=["k is missing"])),
        ],
        ["error control-plane-incomplete b"],
    ),
    (
        "etcd's data and nothing else",
        [node(), other(facts=carrying(kubelet_conf=False, traces=["data"], missing=["k"], faults=["holds data"]))],
        ["error etcd-leftover b"],
    ),
    (
        "a node among the control planes",
        [node(facts=JOINED), other(facts=carrying("worker"))],
        ["error control-plane-incomplete b"],
    ),
    (
        "a worker",
        [node(facts=JOINED), other(facts=carrying("worker"), settings=WORKER)],
        [],
    ),
    (
        "a new host that can",
        [node(facts=JOINED), other(facts=connection("api:6443", "connected"), settings={**API, **WORKER})],
        [],
    ),
]


@pytest.mark.parametrize(("nodes", "expected"), [case[1:] for case in ACROSS], ids=[case[0] for case in ACROSS])
def test_across_hosts(nodes: list[Node], expected: list[str]) -> None:
    assert [f"{fault.severity} {fault.id} {fault.host}" for fault in find_faults(nodes)] == expected


def test_missing_packages() -> None:
    host = node(facts={"programs": {**FACTS["programs"], "ip": "", "tc": "", "socat": "", "ebtables": ""}})
    assert missing_packages(host) == ["iproute2", "socat"]
    assert missing_packages(Node("lb", host.facts, {**host.settings, **BALANCER})) == ["iproute2"]


@pytest.mark.parametrize(
    ("sent", "received", "epoch", "duration", "expected"),
    [
        (100.0, 101.0, 100.2, 0.5, (-0.05, 0.25)),
        (100.0, 101.0, 160.25, 0.5, (60.0, 0.25)),
        (100.0, 101.0, 100.0, 2.0, (0.0, 0.0)),
    ],
)
def test_clock_offset(
    sent: float, received: float, epoch: float, duration: float, expected: tuple[float, float]
) -> None:
    assert clock_offset(sent, received, epoch, duration) == expected
