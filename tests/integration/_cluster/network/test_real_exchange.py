"""The modules pod_network_proof and pod_network_exchange on a real API server; the test plays the kubelets.

GROUNDWORK_KUBERNETES_DIR names the folder with Kubernetes' programs, GROUNDWORK_ETCD_DIR the one with etcd. That pods
talk is proven on whole clusters.
"""

# ruff: noqa: D103

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import pod_network_exchange, pod_network_proof

sys.path.insert(0, str(Path(__file__).parents[1] / "drain"))
sys.path.insert(0, str(Path(__file__).parents[1] / "manifest"))

import small_cluster
from api_server import ETCD, KUBERNETES
from small_cluster import Kubelets, SmallCluster, wait_for

NEEDED = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
LACKING = [name for name in NEEDED if not (KUBERNETES / name).is_file()] + ["etcd"] * (not (ETCD / "etcd").is_file())
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"without {', '.join(LACKING)}" if LACKING else "all is there")
Call = Callable[..., dict[str, Any]]
SETTINGS = {"plugin": "bridge", "mtu": 1450}
ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCluster]:
    made = SmallCluster(tmp_path_factory.mktemp("cluster"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_cluster, "CONTROLLERS", f"{small_cluster.CONTROLLERS},namespace,serviceaccount")
        try:
            made.start()
            wait_for(lambda: made.exists("namespace", "default"))
            kubelets = Kubelets(made)
            kubelets.start()
            yield made
            kubelets.stopped.set()
            kubelets.join()
        finally:
            made.stop()


@pytest.fixture
def prove(run: Call, cluster: SmallCluster, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("PATH", f"{KUBERNETES}:/usr/bin:/bin")

    def it(**options: Any) -> dict[str, Any]:
        given = {"kubeconfig": str(cluster.kubeconfig), "settings": SETTINGS, "image": "pause", **options}
        return run(pod_network_proof, **given)

    return it


@pytest.fixture
def exchange(run: Call, cluster: SmallCluster, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("PATH", f"{KUBERNETES}:/usr/bin:/bin")

    def it(check: bool = False) -> dict[str, Any]:
        old = {"flannel": ["/etc/cni/net.d/10-flannel.conflist"]}
        given = {"kubeconfig": str(cluster.kubeconfig), "plugins": old, "new": "bridge"}
        return run(pod_network_exchange, **given, _ansible_check_mode=check)

    return it


def test_a_pod_on_each_node_whatever_keeps_others_away(prove: Call, cluster: SmallCluster) -> None:
    """Its Service has an address of its own, the record is kept, the namespace goes, and a second run does nothing."""
    for name in ("w1", "w2"):
        cluster.node(name)
    taint = {"key": "dedicated", "value": "x", "effect": "NoSchedule"}
    cluster.call("PATCH", "/api/v1/nodes/w2", {"spec": {"taints": [taint]}})
    assert prove(nodes=["w1", "w2"], _ansible_check_mode=True)["due"] == ["it was not proven before"]
    begun = prove(nodes=["w1", "w2"])
    assert [place["node"] for place in begun["places"]] == ["w1", "w2"], begun
    addresses = [address for place in begun["places"] for address in place["cluster_ips"]]
    assert len({*addresses}) == 2
    ended = prove(state="ended", namespace=begun["namespace"], nodes=["w1", "w2"])
    assert ended["changed"], ended
    wait_for(lambda: not cluster.exists("namespace", begun["namespace"]))
    assert prove(nodes=["w1", "w2"])["changed"] is False
    cluster.node("w3")
    assert prove(nodes=["w1", "w2", "w3"], _ansible_check_mode=True)["due"] == ["node w3 is new"]


def test_a_plugin_goes_when_no_pod_needs_it(exchange: Call, cluster: SmallCluster) -> None:
    """Refused with the pod's name until then; roles of others stay."""
    if not cluster.exists("node", "w1"):
        cluster.node("w1")
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": "kube-flannel"}})
    for name in ("flannel", "flannel-of-mine"):
        cluster.call("POST", ROLES, {"metadata": {"name": name}, "rules": []})
    spec = {"containers": [{"name": "it", "image": "it"}], "nodeName": "w1"}
    wait_for(lambda: cluster.exists("serviceaccount", "default"))
    cluster.call("POST", "/api/v1/namespaces/default/pods", {"metadata": {"name": "web"}, "spec": spec})
    refused = exchange()
    assert "these pods use: default/web on w1." in refused["msg"]
    assert cluster.exists("namespace", "kube-flannel")
    cluster.call("DELETE", "/api/v1/namespaces/default/pods/web")
    wait_for(lambda: not cluster.pods())
    assert exchange(check=True)["removed"] == ["namespace kube-flannel", "clusterrole flannel"]
    assert cluster.exists("namespace", "kube-flannel")
    assert exchange()["removed"] == ["namespace kube-flannel", "clusterrole flannel"]
    assert not cluster.exists("namespace", "kube-flannel")
    assert "flannel-of-mine" in [role["metadata"]["name"] for role in cluster.call("GET", ROLES)["items"]]
    assert (exchange()["changed"], exchange()["removed"]) == (False, [])
