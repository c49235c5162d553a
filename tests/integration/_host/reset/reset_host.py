"""A host of namespaces: the module reset works on it with real mounts, rules, interfaces, routes and a real containerd.

Started by test_real_host.py as the first process of its own namespaces. What it writes to /etc, /var, /run and /root is
seen by nobody else and gone with it. Only systemd is played. Prints as JSON what the module returned, run by run, and
what there was then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

WORK, COLLECTIONS, CONTAINERD, IMAGE, CRICTL = map(Path, sys.argv[1:6])
sys.path[:0] = [str(COLLECTIONS), str(Path(__file__).parents[1])]

from ansible_collections.groundwork.kubernetes.plugins.modules import reset  # noqa: E402 - the path stands before
from own_host import call, own_file_systems, play_systemd, run  # noqa: E402

RULES = """\
*filter
:INPUT DROP [0:0]
:MINE - [0:0]
:KUBE-FIREWALL - [0:0]
-A INPUT -j MINE
-A INPUT -j KUBE-FIREWALL
COMMIT
"""
VOLUME = Path("/var/lib/kubelet/pods/1/volumes/kubernetes.io~secret/token")
KUBERNETES = (
    "admin.conf",
    "kubelet.conf",
    "kubeadm.yaml",
    "pki/ca.crt",
    "pki/etcd/ca.key",
    "manifests/etcd.yaml",
    "mine",
)
FILES = (
    *(f"/etc/kubernetes/{name}" for name in KUBERNETES),
    "/etc/systemd/system/kubelet.service",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/etcd/member/snap/db",
    "/var/lib/etcd/mine",
    "/var/lib/cni/networks/kubernetes/10.244.0.2",
    "/var/lib/cni/networks/podman/10.88.0.2",
    "/var/lib/groundwork/kubeadm.json",
    "/var/backups/kubernetes/example.tar",
    "/root/.kube/mine",
)


def programs() -> None:
    """containerd's programs, the lab's crictl, and a systemctl that knows which units run."""
    with tarfile.open(CONTAINERD) as archive:
        archive.extractall(WORK, filter="data")
    (WORK / "bin" / "crictl").write_text(CRICTL.read_text())
    (WORK / "bin" / "crictl").chmod(0o755)
    play_systemd(WORK, "kubelet.service", "groundwork-backup.timer", "kubernetes-pod-traffic.service")


def start_containerd() -> None:
    """One with an image in the namespace of Kubernetes and in another one, and a container in the first."""
    configuration = WORK / "config.toml"
    configuration.write_text(
        f'version = 2\nroot = "{WORK}/containerd"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
    )
    subprocess.Popen([WORK / "bin/containerd", "--config", configuration], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not Path("/run/containerd/containerd.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    for namespace in ("k8s.io", "mine"):
        run("ctr", "--namespace", namespace, "images", "import", "--snapshotter", "native", IMAGE)
    image = run("ctr", "--namespace", "k8s.io", "images", "list", "--quiet").split()[0]
    label = ("--label", "io.cri-containerd.kind=sandbox")
    run("ctr", "--namespace", "k8s.io", "containers", "create", "--snapshotter", "native", *label, image, "pod")


def furnish() -> None:
    """Make what a cluster, and what somebody else, would have made."""
    for path in map(Path, FILES):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    records = Path("/var/lib/groundwork/files")
    records.mkdir(parents=True)
    (records / "kubernetes.json").write_text(json.dumps(["/etc/systemd/system/kubelet.service"]))
    networks = Path("/etc/cni/net.d")
    networks.mkdir(parents=True, exist_ok=True)
    for file, name in (("10-bridge.conflist", "kubernetes"), ("87-podman.conflist", "podman")):
        bridge = "cni0" if name == "kubernetes" else "cni-podman0"
        (networks / file).write_text(json.dumps({"name": name, "plugins": [{"type": "bridge", "bridge": bridge}]}))
    VOLUME.mkdir(parents=True)
    run("mount", "-t", "tmpfs", "tmpfs", VOLUME)
    (VOLUME / "token").write_text("x")
    for name in ("cni0", "cni-podman0"):
        run("ip", "link", "add", name, "type", "bridge")
        run("ip", "link", "set", name, "up")
    run("ip", "address", "add", "192.0.2.1/24", "dev", "cni-podman0")
    for cidr, proto in (("10.244.1.0/24", "77"), ("10.9.0.0/16", "4")):
        run("ip", "route", "add", cidr, "via", "192.0.2.9", "proto", proto)
    run("iptables-restore", "--noflush", stdin=RULES)


def there() -> dict[str, Any]:
    """What the host has of all that."""
    rules = run("iptables-save", "-t", "filter").splitlines()
    networks = sorted(os.listdir("/etc/cni/net.d"))
    return {
        "files": [path for path in FILES if Path(path).exists()],
        "networks": networks,
        "rules": [line.partition(" [")[0] for line in rules if "INPUT" in line or "MINE" in line or "KUBE" in line],
        "interfaces": sorted(set(os.listdir("/sys/class/net")) & {"cni0", "cni-podman0"}),
        "routes": [line.split()[0] for line in run("ip", "route").splitlines() if "via" in line],
        "namespaces": sorted(run("ctr", "namespaces", "list", "--quiet").split()),
        "units": sorted(os.listdir(WORK / "units")),
        "mounted": os.path.ismount(VOLUME),
    }


def main() -> None:
    """Check, a run that a mount in use stops, the reset, and a second one."""
    own_file_systems(WORK, "etc", "var", "root")
    programs()
    furnish()
    start_containerd()
    reported: dict[str, Any] = {"check": call(reset, _ansible_check_mode=True), "before": there()}
    with (VOLUME / "token").open():
        reported["busy"] = call(reset)
    reported["stopped"] = there()
    foreign = Path("/var/lib/kubelet/mine")
    foreign.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", foreign)
    reported["foreign"] = call(reset)
    run("umount", foreign)
    reported["reset"], reported["after"] = call(reset), there()
    reported["second"] = call(reset)
    print(json.dumps(reported))


main()
