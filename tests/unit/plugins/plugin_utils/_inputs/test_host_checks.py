"""What is said of hosts' disks, filters, leftovers and kernels: exact messages."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.preflight import find_faults
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.plugin_utils._inputs.test_preflight import (
    FACTS,
    JOINED,
    WORKER,
    node,
    other,
    space,
)

Facts = dict[str, Any]
ETCD_ALONE = {"roles": ["etcd"], "external_etcd": True, "etcd_hosts": True}
FULL = {"preflight_free_mb": {"/var/lib/containerd": 4096, "/var/lib/kubelet": 1024, "/var/lib/etcd": 2048}}


def left(**more: Any) -> Facts:
    return {"leftovers": {**FACTS["leftovers"], **more}}


def traffic(**more: Any) -> Facts:
    return {"traffic": {**FACTS["traffic"], **more}}


def interfaces(*names: str) -> Facts:
    own = [{"name": name, "mac": "", "mtu": 1500, "physical": False, "addresses": []} for name in names]
    return {"interfaces": [*FACTS["interfaces"], *own]}


def containerd(*files: tuple[str, int], packaged: str = "") -> Facts:
    """What it reads beside its own file."""
    rows = [{"path": f"/etc/containerd/conf.d/{name}", "version": number} for name, number in files]
    return left(containerd={"files": rows, "version": packaged})


ARCHIVE = {"containerd": {"imports": [], "variable": "container_runtime_containerd_version", "version": "2.1.9"}}
PACKAGE = {"containerd": {"imports": [], "variable": "container_runtime_packages", "version": ""}}
INTERRUPTED = {
    "cluster": {**FACTS["cluster"], "node": {"role": "none", "interrupted": "join", "traces": [], "missing": []}}
}
TWO_NETWORKS = {
    "interfaces": [
        {**FACTS["interfaces"][0], "addresses": ["198.51.100.9"]},
        {**FACTS["interfaces"][0], "name": "eth1", "mac": "m", "addresses": ["192.0.2.10"]},
    ]
}
LEFT_OUT = {
    "left_out_addresses": {"192.0.2.20": "cp1", "192.0.2.21": "w2", "192.0.2.30": "lb1"},
    "left_out_roles": {"cp1": ["control_plane"], "w2": ["worker"], "lb1": ["load_balancer"]},
}
IMAGE_ADVICE = (
    "put what is missing onto the mirror, or correct kubernetes_image_repository, container_runtime_registry_mirrors "
    "or the account"
)
PROXY_ADVICE = "kubeadm, kubectl and API servers would ask the proxy for them; add what is lacking"


def lacking(image: str, *errors: tuple[str, str]) -> Facts:
    """An image that no server has."""
    said = [{"url": url, "error": error, "answered": error.startswith("HTTP")} for url, error in errors]
    return {"image": image, "errors": said}


CASES: list[tuple[str, Facts, Facts, list[str]]] = [
    (
        "folders of one filesystem",
        {"space": [space(5000), space(5000, "/var/lib/kubelet"), space(5000, "/var/lib/etcd")]},
        FULL,
        [
            "error disk-full 5000 MB are free for /var/lib/containerd, /var/lib/kubelet and /var/lib/etcd, which are "
            "on one "
            "filesystem, but 7168 are needed; make room or lower preflight_free_mb"
        ],
    ),
    (
        "etcd's folder on a host that is no member",
        {"space": [space(6000), space(6000, "/var/lib/kubelet"), space(6000, "/var/lib/etcd")]},
        {**FULL, **WORKER},
        [],
    ),
    (
        "the folder of a member alone",
        {"space": [space(2000), space(2000, "/var/lib/kubelet"), space(2000, "/var/lib/etcd")]},
        {**FULL, **ETCD_ALONE},
        [
            "error disk-full 2000 MB are free for /var/lib/etcd, but 2048 are needed; make room or lower "
            "preflight_free_mb"
        ],
    ),
    (
        "few inodes",
        {"space": [{**space(9000), "free_inodes": 49}]},
        {},
        [
            "error inodes-few 49 of 1000 inodes are free for /var/lib/containerd; remove small files, or make the "
            "filesystem "
            "anew"
        ],
    ),
    (
        "a disk that the kernel made read-only",
        {
            "space": [{**space(9000, path), "read_only": True} for path in ("/usr/local/bin", "/var/lib/kubelet")],
            **JOINED,
        },
        {},
        [
            "error disk-read-only nothing can be written in /var/lib/kubelet, where the file system is mounted "
            "read-only; find out why (dmesg), repair it, and mount it for writing",
        ],
    ),
    ("no fixed number of inodes", {"space": [{**space(9000), "free_inodes": 0, "total_inodes": 0}]}, {}, []),
    (
        "images above the kubelet's line",
        {"space": [space(9000, total_mb=60000)]},
        {},
        [
            "warning image-space 85 % of the filesystem of /var/lib/containerd are used, and above 85 % the kubelet "
            "removes "
            "images; make room, or set imageGCHighThresholdPercent in kubernetes_kubelet_configuration"
        ],
    ),
    (
        "images below a higher line",
        {"space": [space(9000, total_mb=60000)]},
        {"kubernetes_kubelet_configuration": {"imageGCHighThresholdPercent": 90}},
        [],
    ),
    (
        "another distribution",
        left(distributions=["k3s"], places=["/var/lib/rancher/k3s"]),
        {},
        [
            "error cluster-leftover the host is in no cluster and has parts of one: the service k3s, "
            "/var/lib/rancher/k3s; "
            "remove that cluster by its own means, or run the playbook reset; interfaces go with a restart of the host"
        ],
    ),
    (
        "manifests and interfaces of an earlier cluster",
        {
            **left(places=["/etc/kubernetes/manifests/etcd.yaml"]),
            **interfaces("cni0", "tunl0", "cali0123456789a", "cni-podman0"),
        },
        WORKER,
        [
            "error cluster-leftover the host is in no cluster and has parts of one: "
            "/etc/kubernetes/manifests/etcd.yaml, the "
            "interface cni0, the interface cali0123456789a; remove that cluster by its own means, or run the playbook "
            "reset; interfaces go with a restart of the host"
        ],
    ),
    (
        "manifests of a control plane, of which more is said elsewhere",
        left(places=["/etc/kubernetes/manifests/etcd.yaml"]),
        {},
        [],
    ),
    (
        "what a member has",
        {**JOINED, **left(places=["/etc/kubernetes/manifests/etcd.yaml"]), **interfaces("cni0")},
        {},
        [],
    ),
    ("what an interrupted join has", {**INTERRUPTED, **interfaces("cni0")}, WORKER, []),
    (
        "another runtime",
        left(runtimes=["containerd", "crio", "docker"]),
        {},
        ["warning runtime-clash crio runs, and kubernetes_container_runtime is containerd; stop it, or choose it"],
    ),
    (
        "other runtimes beside CRI-O",
        left(runtimes=["containerd", "crio", "docker"]),
        {"kubernetes_container_runtime": "crio"},
        [
            "warning runtime-clash containerd and docker runs, and kubernetes_container_runtime is crio; stop it, or "
            "choose it"
        ],
    ),
    (
        "files with which containerd would not start",
        containerd(("98-old.toml", 2), ("99-gpu.toml", 4), ("x.toml", 5)),
        ARCHIVE,
        [
            "error containerd-drop-in containerd 2.1.9 reads its configuration up to version 3, and would not start "
            "with files of newer versions: /etc/containerd/conf.d/99-gpu.toml (4), /etc/containerd/conf.d/x.toml (5); "
            "write them in version 3, or move them away"
        ],
    ),
    (
        "a file for which the package is too old",
        {**JOINED, **containerd(("99-gpu.toml", 3), packaged="1.7.24")},
        PACKAGE,
        [
            "error containerd-drop-in containerd 1.7.24 reads its configuration up to version 2, and would not start "
            "with files of newer versions: /etc/containerd/conf.d/99-gpu.toml (3); write them in version 2, or move "
            "them away, or install containerd 2.0 or newer (container_runtime_packages)"
        ],
    ),
    ("files that containerd reads", containerd(("99-gpu.toml", 3)), ARCHIVE, []),
    ("a package that is not there yet", containerd(("99-gpu.toml", 9)), PACKAGE, []),
    ("another runtime on a member", {**JOINED, **left(runtimes=["crio"])}, {}, []),
    (
        "a network that counts before the cluster's",
        left(cni=["05-cilium.conflist", "10-bridge.conflist", "87-podman-bridge.conflist"]),
        {"cni_plugin": "bridge"},
        [
            "error cni-leftover /etc/cni/net.d has 05-cilium.conflist, 87-podman-bridge.conflist, and "
            "05-cilium.conflist "
            "counts before 10-bridge.conflist; move it away"
        ],
    ),
    (
        "a network that counts until the cluster's is there",
        left(cni=["87-podman-bridge.conflist"]),
        {"cni_plugin": "bridge"},
        [
            "warning cni-leftover /etc/cni/net.d has 87-podman-bridge.conflist, which pods get until the cluster's "
            "network is "
            "there; move it away"
        ],
    ),
    (
        "a network after that of a member",
        {**JOINED, **left(cni=["10-bridge.conflist", "87-x.conflist"])},
        {"cni_plugin": "bridge"},
        [],
    ),
    (
        "a network before that of a member",
        {**JOINED, **left(cni=["05-x.conflist", "10-bridge.conflist"])},
        {"cni_plugin": "bridge"},
        [
            "warning cni-leftover /etc/cni/net.d has 05-x.conflist, and 05-x.conflist counts before "
            "10-bridge.conflist; "
            "move it away"
        ],
    ),
    ("the own network of a member", {**JOINED, **left(cni=["05-mine.conflist"])}, {"cni_plugin": "manifests"}, []),
    (
        "rules of two kinds",
        traffic(legacy_tables=["filter", "nat"]),
        {},
        [
            "warning iptables-mixed iptables uses nftables, and there are rules of the legacy kind in filter, nat; "
            "remove "
            "those (iptables-legacy-save shows them), or have all programs use one kind"
        ],
    ),
    ("rules of the legacy kind alone", traffic(iptables="legacy", legacy_tables=["nat"]), {}, []),
    ("rules of two kinds on a member", {**JOINED, **traffic(legacy_tables=["nat"])}, {}, []),
    (
        "a loose filter and Calico",
        traffic(rp_filter={"all": 2, "eth0": 0}),
        {"cni_plugin": "calico"},
        [
            "error rp-filter net.ipv4.conf.all.rp_filter is 2 (loose), with which Calico does not start; set it to 1 "
            "or 0 in "
            "a file of /etc/sysctl.d"
        ],
    ),
    ("a loose filter and another plugin", traffic(rp_filter={"all": 2, "eth0": 0}), {"cni_plugin": "bridge"}, []),
    (
        "a strict filter where the default route is elsewhere",
        {**traffic(rp_filter={"all": 1, "eth1": 0}), **TWO_NETWORKS},
        {},
        [
            "warning rp-filter net.ipv4.conf.eth1.rp_filter is strict (1), and the default route is at eth0: packets "
            "of pods "
            "that come by eth1 from other networks are dropped; set net.ipv4.conf.eth1.rp_filter to 2 in a file of "
            "/etc/sysctl.d"
        ],
    ),
    ("the looser of two filters counts", {**traffic(rp_filter={"all": 1, "eth1": 2}), **TWO_NETWORKS}, {}, []),
    ("a strict filter with one network", traffic(rp_filter={"all": 1, "eth0": 1}), {}, []),
    ("filters that cannot be read", traffic(rp_filter={}), {"cni_plugin": "calico"}, []),
    (
        "networkd and routes to pods",
        traffic(foreign_routes=True),
        {"cni_plugin": "bridge"},
        [
            "warning networkd-routes systemd-networkd removes routes that it did not make when it restarts, those to "
            "pods "
            "too; set ManageForeignRoutes=no under [Network] in /etc/systemd/networkd.conf.d/kubernetes.conf and "
            "restart it"
        ],
    ),
    ("networkd and tunnels", traffic(foreign_routes=True), {"cni_plugin": "flannel"}, []),
    (
        "names from the host itself",
        traffic(name_servers=["127.0.0.1", "::1"]),
        {},
        [
            "warning dns-loop /etc/resolv.conf only names 127.0.0.1, ::1, the host itself, and CoreDNS could not ask "
            "it for "
            "other names; set resolvConf in kubernetes_kubelet_configuration to a file with the true servers"
        ],
    ),
    (
        "no names at all",
        traffic(name_servers=[]),
        {},
        [
            "warning dns-loop /etc/resolv.conf names no server and CoreDNS could not ask it for other names; set "
            "resolvConf "
            "in kubernetes_kubelet_configuration to a file with the true servers"
        ],
    ),
    ("one true server", traffic(name_servers=["127.0.0.1", "fe80::1%eth0"]), {}, []),
    (
        "another file",
        traffic(name_servers=[]),
        {"kubernetes_kubelet_configuration": {"resolvConf": "/etc/true.conf"}},
        [],
    ),
    (
        "a kernel without what pods need",
        {"kernel_options": {"known": True, "missing": ["VETH", "VXLAN", "NET_IPIP"]}},
        {"cni_plugin": "flannel"},
        [
            "error kernel-option kernel 6.1.0-25-amd64 was built without CONFIG_VETH, CONFIG_VXLAN; install the "
            "distribution's own kernel"
        ],
    ),
    (
        "a kernel without what no plugin needs",
        {"kernel_options": {"known": True, "missing": ["VXLAN", "NET_IPIP"]}},
        {},
        [],
    ),
    ("a kernel of which nothing is known", {"kernel_options": {"known": False, "missing": []}}, {}, []),
    (
        "an archive that is not there",
        {"missing_artifacts": [{"url": "https://dl.k8s.io/x", "error": "HTTP 404"}]},
        {},
        [
            "error artifact-missing https://dl.k8s.io/x cannot be had: HTTP 404; correct the version or URL, or put "
            "it onto "
            "the mirror"
        ],
    ),
    (
        "a firewall",
        {"security": {"firewalld": True, "ufw": False}},
        {**WORKER, "cni_plugin": "flannel", **LEFT_OUT},
        [
            "warning firewall-active firewalld is active; let TCP 10250 (the kubelet) from 192.0.2.20, UDP 8472 "
            "(VXLAN of pods) from 192.0.2.20/31 and all from kubernetes_pod_cidr 10.244.0.0/16 pass (docs/ports.md), "
            "or stop it"
        ],
    ),
    (
        "a firewall on a member of etcd",
        {"security": {"firewalld": False, "ufw": True}},
        {**ETCD_ALONE, **LEFT_OUT},
        [
            "warning firewall-active ufw is active; let TCP 2379 (etcd) from 192.0.2.20, TCP 2380 (etcd's members) "
            "from hosts of the cluster pass (docs/ports.md), or stop it"
        ],
    ),
    (
        "images that their servers do not have, and one whose server cannot be reached",
        {
            "missing_images": [
                lacking("r.example.com/kube-apiserver:v1.36.5", ("https://m.example.com/v2", "HTTP 404")),
                lacking("r.example.com/kube-proxy:v1.36.5", ("https://m.example.com/v2", "HTTP 404")),
                lacking("other.example.com/pause:3", ("https://other.example.com/v2", "timed out")),
                lacking("far.example.com/pause:3", ("https://far.example.com/v2", "timed out")),
            ],
            "connections": [
                {
                    "target": "https://far.example.com",
                    "via": "",
                    "state": "timeout",
                    "error": "no answer within 3 s",
                    "milliseconds": 1,
                }
            ],
        },
        {},
        [
            "error endpoint-unreachable cannot reach https://far.example.com: no answer within 3 s; open the way, set "
            "a mirror, or correct preflight_endpoints",
            "error image-missing r.example.com/kube-apiserver:v1.36.5, r.example.com/kube-proxy:v1.36.5 cannot be "
            f"pulled: https://m.example.com/v2 says HTTP 404; {IMAGE_ADVICE}",
            "error image-missing other.example.com/pause:3 cannot be pulled: https://other.example.com/v2 says timed "
            f"out; {IMAGE_ADVICE}",
        ],
    ),
    (
        "a proxy for everything",
        {"proxies": {"schemes": ["https"], "no_proxy": "localhost,192.0.2.0/24"}},
        {"api_endpoint": "api.example.com:6443"},
        [
            "error no-proxy-incomplete https_proxy is set where Ansible's modules run, and no_proxy lacks "
            "api.example.com (kubernetes_api_endpoint), 10.96.0.0/12 (kubernetes_service_cidr), 10.244.0.0/16 "
            f"(kubernetes_pod_cidr), .svc (webhooks and aggregated APIs): {PROXY_ADVICE}"
        ],
    ),
    (
        "a proxy on a worker that has joined",
        {"proxies": {"schemes": ["http", "https"], "no_proxy": "10.0.0.0/8,.example.com"}, **JOINED},
        {**WORKER, "api_endpoint": "api.example.com:6443"},
        [
            "warning no-proxy-incomplete http_proxy and https_proxy is set where Ansible's modules run, and no_proxy "
            f"lacks 192.0.2.10 (nodes): {PROXY_ADVICE}"
        ],
    ),
    (
        "a proxy that leaves the cluster alone",
        {"proxies": {"schemes": ["https"], "no_proxy": "192.0.2.10, 10.96.0.0/12,10.244.0.0/15,.svc,.cluster.local"}},
        {},
        [],
    ),
    ("a proxy for nothing", {"proxies": {"schemes": ["https"], "no_proxy": "*"}}, {}, []),
    (
        "a proxy on a member of etcd alone",
        {"proxies": {"schemes": ["https"], "no_proxy": ""}},
        ETCD_ALONE,
        [],
    ),
]


@pytest.mark.parametrize(("facts", "settings", "expected"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_one_host(facts: Facts, settings: Facts, expected: list[str]) -> None:
    found = find_faults([node(facts=facts, settings=settings)])
    assert [f"{fault.severity} {fault.id} {fault.text}" for fault in found] == expected


@pytest.mark.parametrize(
    ("mac", "more", "expected"),
    [
        (
            "52:54:00:00:00:ff",
            {},
            [
                "the API's virtual address 192.0.2.200 is taken by the machine with the MAC address "
                "52:54:00:00:00:ff, which "
                "answers a, b; choose a free address"
            ],
        ),
        ("52:54:00:00:00:0a", {}, []),
        ("52:54:00:00:00:ff", JOINED, []),
        ("", {}, []),
    ],
    ids=["another machine", "a host of the run", "a cluster is there", "nobody"],
)
def test_virtual_address(mac: str, more: Facts, expected: list[str]) -> None:
    nodes = [
        node(
            facts={**traffic(virtual_ip_at=mac), **more},
            settings={"virtual_ip": "192.0.2.200", "holds_virtual_ip": True},
        ),
        other(facts=traffic(virtual_ip_at=mac), settings={"virtual_ip": "192.0.2.200", **WORKER}),
    ]
    assert [fault.text for fault in find_faults(nodes) if fault.id == "virtual-ip-taken"] == expected
