"""Network plugins by the role cni on a real API server, with real Helm: what is asked for becomes objects, once.

No plugin runs: their images are not at hand, and the test plays the controllers of their workloads.
"""

# ruff: noqa: D103

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from chart_files import checksum
from helm_programs import helm
from network_plugins import INSTALLATION, calico, canal, cilium, daemon_set, flannel, operator
from real_play import Played, run_play

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "tests"))

from lab.settings import Settings  # noqa: E402

Play = Callable[..., "Applied"]
WORKLOADS = {
    "daemonsets": {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1},
    "deployments": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1},
}


class Applied(Played):
    """What came of a run of the role."""

    @property
    def changed(self) -> list[str]:
        """The objects that were, or would be, changed."""
        return [
            f"{one['kind']} {one['name']} {one['action']}"
            for _name, result in self.tasks
            for step in [result, *(result.get("results") or [])]
            if step.get("changed")
            for one in step.get("objects") or []
            # A release's record says in its last step that it has come to its end.
            if one["action"] != "unchanged" and not one["name"].startswith("groundwork-chart-")
        ]


def own_address() -> str:
    """An address of this machine that is not of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module", autouse=True)
def cluster(server: ApiServer) -> Iterator[None]:
    """A node, and what stands for the controllers of DaemonSets and Deployments: all that appears is ready."""
    server.create(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDR": "10.244.0.0/24"}}
    )
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
    addresses = [{"type": "InternalIP", "address": own_address()}]
    server.set_status("/api/v1/nodes/n1", {"conditions": [ready], "addresses": addresses})
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            for kind, status in WORKLOADS.items():
                for item in server.get(kind, "--all-namespaces")["items"]:
                    metadata = item["metadata"]
                    if (item.get("status") or {}).get("observedGeneration") != metadata["generation"]:
                        path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/{kind}/{metadata['name']}"
                        server.set_status(path, {**status, "observedGeneration": metadata["generation"]})
            time.sleep(0.3)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(timeout=30)
    subprocess.run([*server.kubectl, "delete", "node", "n1"], check=True, capture_output=True)


@pytest.fixture
def play(server: ApiServer, tmp_path: Path) -> Play:
    """play(check=False, **variables): the role on this machine, which is the one node."""

    def run(check: bool = False, **given: Any) -> Applied:
        variables = {
            "kubernetes_node_name": "n1",
            "kubernetes_node_ip": own_address(),
            "kubernetes_version": "1.20.2",
            "cni_kubeconfig": str(server.kubeconfig),
            "cni_helm": str(helm("4.2.3", Settings().cache)),
            "cni_prove": False,
            "cni_timeout": 60,
            **given,
        }
        roles = [{"role": "groundwork.kubernetes.cni"}]
        play = {"hosts": "kube_control_plane", "gather_facts": False, "roles": roles}
        return Applied(run_play(server, tmp_path, play, variables, "--diff", *["--check"] * check))

    return run


def settled(play: Play, **variables: Any) -> list[str]:
    """What a run changes: that is what a check has foreseen, and then nothing is left to do."""
    foreseen = play(check=True, **variables)
    assert foreseen.rc == 0, foreseen.output
    done = play(**variables)
    assert done.rc == 0, done.output
    assert {*foreseen.changed} == {*done.changed}
    again = play(**variables)
    assert (again.rc, again.changed) == (0, []), again.output
    return done.changed


def manifest(tmp_path: Path, plugin: str, text: str) -> dict[str, Any]:
    path = tmp_path / f"{plugin}.yml"
    path.write_text(text)
    return {"cni_plugin": plugin, "cni_manifest_path": str(path)}


def chart(plugin: str, path: Path, **more: Any) -> dict[str, Any]:
    source = {"chart": str(path), "checksum": checksum(path)}
    return {"cni_plugin": plugin, "cni_install": "chart", "cni_chart": source, **more}


def mtu_of(played_room: int) -> int:
    """The pods' MTU on this machine, by what is added to their packets."""
    links = json.loads(subprocess.run(["ip", "-json", "address"], check=True, capture_output=True).stdout)
    own = next(
        link["mtu"] for link in links for one in link.get("addr_info") or [] if one.get("local") == own_address()
    )
    return int(own) - played_room


def test_calicos_manifest(server: ApiServer, play: Play, tmp_path: Path) -> None:
    given = manifest(tmp_path, "calico", calico("3.32.1"))
    assert "IPPool default-ipv4-ippool created" in settled(play, **given)
    pool = server.get("ippools.crd.projectcalico.org", "default-ipv4-ippool")["spec"]
    assert (pool["ipipMode"], pool["vxlanMode"], pool["cidr"]) == ("Always", "Never", "10.244.0.0/16")
    assert server.get("configmap", "calico-config", "--namespace=kube-system")["data"]["veth_mtu"] == str(mtu_of(20))
    # A change of what is asked for: the pool, and calico-node anew.
    changed = settled(play, **given, cni_tunnel="vxlan", cni_encapsulation="cross-subnet", cni_masquerade=False)
    assert changed == [
        "IPPool default-ipv4-ippool updated",
        "ConfigMap calico-config updated",
        "DaemonSet calico-node updated",
    ]
    pool = server.get("ippools.crd.projectcalico.org", "default-ipv4-ippool")["spec"]
    assert (pool["ipipMode"], pool["vxlanMode"], pool["natOutgoing"]) == ("Never", "CrossSubnet", False)
    peers = [{"address": "192.0.2.1", "as_number": 64513}]
    assert "BGPPeer peer-192-0-2-1 created" in settled(play, **given, cni_bgp_peers=peers)
    refused = play(**manifest(tmp_path, "calico", calico("3.31.7")), cni_calico_version="3.31.7")
    assert "an older Calico does not know what the newer one has written" in refused.output
    alone = manifest(tmp_path, "calico", calico("3.33.0"))
    assert "and cni_calico_version is 3.32.1: it takes the manifest of its version" in play(**alone).output
    floating = manifest(tmp_path, "calico", calico("3.32.1").replace("node:v3.32.1", "node"))
    assert "images without a fixed tag: quay.io/calico/node" in play(**floating).output
    newer = manifest(tmp_path, "calico", calico("3.33.0"))
    assert "DaemonSet calico-node updated" in settled(play, **newer, cni_calico_version="3.33.0")


def test_canals_manifest(server: ApiServer, play: Play, tmp_path: Path) -> None:
    given = manifest(tmp_path, "canal", canal("3.32.1"))
    assert "DaemonSet canal created" in settled(play, **given, cni_encapsulation="never")
    data = server.get("configmap", "canal-config", "--namespace=kube-system")["data"]
    assert json.loads(data["net-conf.json"]) == {"Network": "10.244.0.0/16", "Backend": {"Type": "host-gw"}}
    containers = server.get("daemonset", "canal", "--namespace=kube-system")["spec"]["template"]["spec"]["containers"]
    flanneld = next(one for one in containers if one["name"] == "kube-flannel")
    assert flanneld["env"][0]["valueFrom"]["fieldRef"]["fieldPath"] == "status.hostIP"


def test_flannels_chart(server: ApiServer, play: Play, tmp_path: Path) -> None:
    given = chart("flannel", flannel(tmp_path))
    assert "DaemonSet kube-flannel-ds created" in settled(play, **given)
    data = server.get("configmap", "kube-flannel-cfg", "--namespace=kube-flannel")["data"]
    backend = {"Type": "vxlan", "MTU": mtu_of(0)}
    assert json.loads(data["net-conf.json"]) == {"Network": "10.244.0.0/16", "Backend": backend}
    assert "cni_mtu is 99999, and packets of pods may have" in play(**given, cni_mtu=99999).output


def test_calicos_operator(server: ApiServer, play: Play, tmp_path: Path) -> None:
    path = operator(tmp_path, "v3.33.0")
    version = {"cni_calico_version": "3.33.0"}
    refused = play(**chart("calico", path, **version))
    assert "the cluster does not serve Installation default (operator.tigera.io/v1)" in refused.output, refused.output
    crds = tmp_path / "operator-crds.yaml"
    crds.write_text(json.dumps(INSTALLATION))
    given = chart("calico", path, cni_calico_crds={"path": str(crds)}, **version)
    given["cni_values"] = {"installation": {"registry": "r"}}
    late = play(**given, cni_timeout=5)
    assert "there is no calico-system/calico-node yet after 5 s" in late.output
    # What the operator does.
    server.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "calico-system"}})
    node = daemon_set("calico-node", {"name": "calico-node", "image": "quay.io/calico/node:v3.33.0"})
    server.create({**node, "metadata": {"name": "calico-node", "namespace": "calico-system"}})
    assert play(**given).rc == 0
    assert "Deployment tigera-operator updated" not in settled(play, **given, cni_block_size=24)
    spec = server.get("installations.operator.tigera.io", "default")["spec"]
    assert spec["registry"] == "r"
    (pool,) = spec["calicoNetwork"]["ipPools"]
    assert (pool["cidr"], pool["encapsulation"], pool["blockSize"]) == ("10.244.0.0/16", "VXLAN", 24)
    assert spec["calicoNetwork"]["mtu"] == mtu_of(50)


def test_ciliums_chart(server: ApiServer, play: Play, tmp_path: Path) -> None:
    first = chart("cilium", cilium(tmp_path, "1.18.2"), cni_cilium_version="1.18.2")
    assert "DaemonSet cilium created" in settled(play, **first)
    data = server.get("configmap", "cilium-config", "--namespace=kube-system")["data"]
    assert {
        name: data[name] for name in ("kube-proxy-replacement", "routing-mode", "tunnel-protocol", "ipam", "mtu")
    } == {
        "kube-proxy-replacement": "false",
        "routing-mode": "tunnel",
        "tunnel-protocol": "vxlan",
        "ipam": "kubernetes",
        "mtu": str(mtu_of(0)),
    }
    assert server.get("deployment", "cilium-operator", "--namespace=kube-system")["spec"]["replicas"] == 1
    skipped = play(**chart("cilium", cilium(tmp_path, "1.20.1")))
    assert "Go to 1.19 first, with its chart" in skipped.output
    other = play(**chart("cilium", cilium(tmp_path, "1.19.0"), cni_cilium_version="1.18.2"))
    assert other.rc != 0
    replacing = {"kubernetes_proxy_mode": "none", "kubernetes_api_endpoint": "api.example.com:8443"}
    native = {"cni_encapsulation": "never", "cni_wireguard": True, "cni_interface": "eth1"}
    given = chart("cilium", cilium(tmp_path, "1.19.0"), cni_cilium_version="1.19.0", **replacing, **native)
    assert "DaemonSet cilium updated" in settled(play, **given)
    data = server.get("configmap", "cilium-config", "--namespace=kube-system")["data"]
    assert (data["kube-proxy-replacement"], data["routing-mode"], data["enable-wireguard"]) == (
        "true",
        "native",
        "true",
    )
    assert (data["ipv4-native-routing-cidr"], data["devices"]) == ("10.244.0.0/16", "eth1")
    spec = server.get("daemonset", "cilium", "--namespace=kube-system")["spec"]["template"]["spec"]
    env = {one["name"]: one.get("value") for one in spec["containers"][0]["env"]}
    assert env == {"KUBERNETES_SERVICE_HOST": "api.example.com", "KUBERNETES_SERVICE_PORT": "8443"}
