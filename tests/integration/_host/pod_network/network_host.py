"""A host of namespaces that has had every network plugin: the module pod_network_absent works on it.

Started by test_real_network.py as the first process of its own namespaces. Only systemd is played. Prints as JSON what
the module returned, and what there was before and after.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

WORK, COLLECTIONS = map(Path, sys.argv[1:3])
sys.path[:0] = [str(COLLECTIONS), str(Path(__file__).parents[1])]

from ansible_collections.groundwork.kubernetes.plugins.modules import pod_network_absent  # noqa: E402 - the path stands before
from own_host import call, own_file_systems, play_systemd, run  # noqa: E402

RULES = """\
*nat
:MINE - [0:0]
:FLANNEL-POSTRTG - [0:0]
:cali-POSTROUTING - [0:0]
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-0123456789abcdef01234 - [0:0]
:CNI-DN-podman - [0:0]
-A POSTROUTING -j MINE
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A POSTROUTING -m comment --comment "cali:O3lYWMrLQYEMJtB5" -j cali-POSTROUTING
-A POSTROUTING -s 10.244.0.0/16 -m comment --comment kubernetes-pods -j MASQUERADE
-A CNI-HOSTPORT-DNAT -m comment --comment "dnat name: \\"kubernetes\\" id: \\"1\\"" -j CNI-DN-0123456789abcdef01234
-A CNI-HOSTPORT-DNAT -m comment --comment "dnat name: \\"podman\\" id: \\"2\\"" -j CNI-DN-podman
COMMIT
*filter
:FLANNEL-FWD - [0:0]
:cali-FORWARD - [0:0]
:CILIUM_FORWARD - [0:0]
:KUBE-FORWARD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD
-A FORWARD -m comment --comment "cilium-feeder: CILIUM_FORWARD" -j CILIUM_FORWARD
-A FORWARD -s 10.244.0.0/16 -m comment --comment kubernetes-pods -j ACCEPT
-A FORWARD -j KUBE-FORWARD
COMMIT
"""
NETWORKS = {
    "10-bridge.conflist": {"name": "kubernetes", "plugins": [{"type": "bridge", "bridge": "cni0"}]},
    "10-flannel.conflist": {"name": "cbr0", "plugins": [{"type": "flannel"}]},
    "10-calico.conflist": {"name": "k8s-pod-network", "plugins": [{"type": "calico"}]},
    "05-cilium.conflist": {"name": "cilium", "plugins": [{"type": "cilium-cni"}]},
    "87-podman.conflist": {"name": "podman", "plugins": [{"type": "bridge", "bridge": "cni-podman0"}]},
}
FILES = (
    "/etc/systemd/system/kubernetes-pod-traffic.service",
    "/etc/systemd/system/kubernetes-pod-routes.service",
    "/etc/kubernetes/pod-routes",
    "/etc/kubernetes/pod-forwarding",
    "/etc/kubernetes/admin.conf",
    "/etc/cni/net.d/calico-kubeconfig",
    "/var/lib/cni/networks/kubernetes/10.244.0.2",
    "/var/lib/cni/networks/podman/10.88.0.2",
    "/var/lib/cni/results/kubernetes-1-eth0",
    "/var/lib/cni/results/podman-1-eth0",
    "/var/lib/cni/flannel/1",
    "/var/lib/calico/nodename",
    "/var/lib/cilium/x",
    "/run/flannel/subnet.env",
    "/run/calico/x",
    "/run/cilium/x",
)
BRIDGES = ("cni0", "cni-podman0")
PAIRS = {"cali0123456789a": "p1", "cilium_host": "cilium_net", "lxc0123456789ab": "p2", "mine0": "mine1"}
TUNNELS = {"flannel.1": (1, 8472), "vxlan.calico": (4096, 4790), "pod-vxlan": (77, 4789), "mine.1": (5, 4791)}
ROUTES = {"10.244.1.0/24": "77", "10.244.2.0/24": "80", "10.9.0.0/16": "4"}


def furnish() -> None:
    """File systems of this process, and on them what the plugins and somebody else would have made."""
    own_file_systems(WORK, "etc", "var")
    for path in map(Path, FILES):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    for file, content in NETWORKS.items():
        Path("/etc/cni/net.d", file).write_text(json.dumps(content))
    play_systemd(WORK, "kubernetes-pod-traffic.service", "kubernetes-pod-routes.service", "mine.service")
    for bridge in BRIDGES:
        run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "link", "set", bridge, "up")
    run("ip", "address", "add", "192.0.2.1/24", "dev", "cni-podman0")
    for one, other in PAIRS.items():
        run("ip", "link", "add", one, "type", "veth", "peer", "name", other)
    for name, (vni, port) in TUNNELS.items():
        run("ip", "link", "add", name, "type", "vxlan", "id", vni, "local", "192.0.2.1", "dstport", port)
    for cidr, proto in ROUTES.items():
        run("ip", "route", "add", cidr, "via", "192.0.2.9", "proto", proto)
    run("iptables-legacy-restore", stdin=RULES)


def state() -> dict[str, Any]:
    """What there is."""
    saved = run("iptables-legacy-save").splitlines()
    chains = [line[1:].split()[0] for line in saved if line.startswith(":") and " - [" in line]
    return {
        "links": sorted(os.listdir("/sys/class/net")),
        "chains": sorted(chains),
        "rules": sorted(line for line in saved if line.startswith("-A")),
        "routes": [line.split()[0] for line in run("ip", "-N", "route", "show").splitlines() if " via " in line],
        "files": sorted(
            path for path in (*FILES, *(f"/etc/cni/net.d/{name}" for name in NETWORKS)) if os.path.exists(path)
        ),
        "units": sorted(os.listdir(WORK / "units")),
    }


def main() -> None:
    """Do all, one after the other."""
    furnish()
    everything = ["bridge", "flannel", "calico", "canal", "cilium"]
    report: dict[str, Any] = {"before": state()}
    report["check"] = call(pod_network_absent, plugins=everything, _ansible_check_mode=True, _ansible_diff=True)
    report["checked"] = state()
    report["bridge"] = call(pod_network_absent, plugins=["bridge"])
    report["without_bridge"] = state()
    report["all"] = call(pod_network_absent, plugins=everything)
    report["after"] = state()
    report["again"] = call(pod_network_absent, plugins=everything)
    print(json.dumps(report))


main()
