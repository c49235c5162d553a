"""The module drain on a real API server, with the real controllers of budgets and workloads and the real scheduler.

GROUNDWORK_KUBERNETES_DIR names the folder with Kubernetes' programs, GROUNDWORK_ETCD_DIR the one with etcd.
"""

# ruff: noqa: D103

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import cluster_status, drain, out_of_service

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "manifest"))

from api_server import ETCD, KUBERNETES
from small_cluster import Kubelets, SmallCluster, certificate, wait_for

NEEDED = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
LACKING = [name for name in NEEDED if not (KUBERNETES / name).is_file()] + ["etcd"] * (not (ETCD / "etcd").is_file())
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"without {', '.join(LACKING)}" if LACKING else "all is there")
Object = dict[str, Any]
Call = Callable[..., dict[str, Any]]
HASH = "pod-template-hash"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallCluster]:
    made = SmallCluster(tmp_path_factory.mktemp("cluster"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def kubelets(cluster: SmallCluster) -> Iterator[Kubelets]:
    """Two nodes with their kubelets; nothing else is left from the test before."""
    wait_for(lambda: cluster.exists("namespace", "default"))
    for name in ("w1", "w2"):
        cluster.node(name)
    running = Kubelets(cluster)
    running.start()
    yield running
    for kind in ("apps/v1/namespaces/default/deployments", "apps/v1/namespaces/default/statefulsets"):
        cluster.call("DELETE", f"/apis/{kind}", {"propagationPolicy": "Background"})
    cluster.call("DELETE", "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets")
    for kind in ("validating", "mutating"):
        cluster.call("DELETE", f"/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations")
    running.silent.clear()
    wait_for(lambda: not cluster.call("GET", "/apis/apps/v1/namespaces/default/replicasets")["items"])
    cluster.call("DELETE", "/api/v1/namespaces/default/pods")
    wait_for(lambda: not cluster.pods())
    cluster.call("DELETE", "/api/v1/nodes")
    for name in cluster.call("GET", "/apis/storage.k8s.io/v1/volumeattachments")["items"]:
        cluster.call("DELETE", f"/apis/storage.k8s.io/v1/volumeattachments/{name['metadata']['name']}")
    running.stopped.set()
    running.join()


@pytest.fixture
def call(run: Call, cluster: SmallCluster, monkeypatch: pytest.MonkeyPatch) -> Call:
    """call(name=..., check=True, ...): the module's result."""
    monkeypatch.setenv("PATH", f"{KUBERNETES}:/usr/bin:/bin")

    def it(check: bool = False, **options: Any) -> dict[str, Any]:
        given = {"kubeconfig": str(cluster.kubeconfig), "timeout": 240, **options}
        return run(drain, **given, _ansible_check_mode=check, _ansible_diff=True)

    return it


def pod_spec(**more: Any) -> Object:
    return {"containers": [{"name": "it", "image": "it"}], "terminationGracePeriodSeconds": 5, **more}


def deployment(cluster: SmallCluster, name: str, replicas: int, on: str = "", **spec: Any) -> None:
    """Make one, with all its pods on a node at first if that is named."""
    item = {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(**spec)},
        },
    }
    others = [other for other in ("w1", "w2") if on and other != on]
    for other in others:
        cluster.call("PATCH", f"/api/v1/nodes/{other}", {"spec": {"unschedulable": True}})
    cluster.call("POST", "/apis/apps/v1/namespaces/default/deployments", item)
    wait_for(lambda: ready(cluster, name) == replicas)
    for other in others:
        cluster.call("PATCH", f"/api/v1/nodes/{other}", {"spec": {"unschedulable": None}})


def ready(cluster: SmallCluster, name: str) -> int:
    found = cluster.call("GET", f"/apis/apps/v1/namespaces/default/deployments/{name}")
    return int(found.get("status", {}).get("updatedReplicas", 0)) and len(
        [pod for pod in cluster.pods() if pod["metadata"]["labels"].get("app") == name and pod["spec"].get("nodeName")
         and pod["status"]["phase"] == "Running"]
    )  # fmt: skip


def budget(cluster: SmallCluster, name: str, app: str, **spec: Any) -> None:
    """Make one, and wait until its controller has counted."""
    item = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": app}}, **spec}}
    path = "/apis/policy/v1beta1/namespaces/default/poddisruptionbudgets"
    cluster.call("POST", path, item)
    wanted = len([pod for pod in cluster.pods() if pod["metadata"]["labels"].get("app") == app])

    def counted() -> bool:
        status = cluster.call("GET", f"{path}/{name}").get("status", {})
        return status.get("expectedPods") == wanted and status.get("observedGeneration") == 1

    wait_for(counted)


def bare(cluster: SmallCluster, name: str, node: str = "w1", labels: dict[str, str] | None = None, **spec: Any) -> None:
    cluster.call(
        "POST",
        "/api/v1/namespaces/default/pods",
        {"metadata": {"name": name, "labels": labels or {"app": name}}, "spec": pod_spec(nodeName=node, **spec)},
    )
    wait_for(lambda: cluster.call("GET", f"/api/v1/namespaces/default/pods/{name}")["status"]["phase"] == "Running")


def evicted(result: Object) -> list[str]:
    return sorted(name for item in result["plan"] for name in item["evicts"])


def refused(call: Call, cluster: SmallCluster, *message: str, **options: Any) -> Object:
    """The check and the run refuse the same, and change nothing."""
    pods = [pod["metadata"]["uid"] for pod in cluster.pods()]
    check, result = call(name="w1", check=True, **options), call(name="w1", **options)
    assert (check["failed"], check["msg"], check["reasons"]) == (True, result["msg"], result["reasons"])
    assert "Nothing was changed" in result["msg"]
    for text in message:
        assert text in result["msg"], result["msg"]
    assert len(result["reasons"]) == len(message)
    assert not cluster.cordoned("w1")
    assert [pod["metadata"]["uid"] for pod in cluster.pods()] == pods
    return result


def drained(call: Call, cluster: SmallCluster, **options: Any) -> Object:
    """The check foresees what the run then does; a second run changes nothing."""
    pods = cluster.on("w1")
    check = call(name="w1", check=True, **options)
    assert not check.get("failed"), check
    assert (check["changed"], cluster.cordoned("w1"), cluster.on("w1")) == (True, False, pods)
    result = call(name="w1", **options)
    assert not result.get("failed"), result
    assert evicted(check) == sorted(result["evicted"])
    assert [one["action"] for one in result["pods"] if one["action"] not in ("gone", "ignore")] == []
    assert cluster.cordoned("w1")
    again = call(name="w1", **options)
    assert (again["changed"], again["plan"], again["rows"][0]["result"]) == (False, [], "unchanged")
    return check


def test_pods_go_and_a_node_is_given_back(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 3, on="w1")
    check = drained(call, cluster)
    assert (len(evicted(check)), cluster.on("w1")) == (3, [])
    assert {one["owner"] for one in check["pods"]} == {"Deployment default/web"}
    assert cluster.annotations("w1")["groundwork.kubernetes/cordoned"] == "drain"
    foreseen = call(name="w1", state="uncordoned", check=True)
    result = call(name="w1", state="uncordoned")
    assert (foreseen["changed"], foreseen["plan"]) == (True, result["plan"])
    assert not cluster.cordoned("w1")
    assert "groundwork.kubernetes/cordoned" not in cluster.annotations("w1")
    assert not call(name="w1", state="uncordoned")["changed"]


def test_a_cordon_of_a_user_stays(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 1, on="w1")
    cluster.call("PATCH", "/api/v1/nodes/w1", {"spec": {"unschedulable": True}})
    result = call(name="w1")
    assert (result["changed"], result["cordons"], cluster.on("w1")) == (True, {"w1": "foreign"}, [])
    result = call(name="w1", state="uncordoned")
    # Those of earlier calls in this process come with it.
    foreign = [warning for warning in result["warnings"] if "the cordon is not this collection's" in str(warning)]
    assert (result["changed"], cluster.cordoned("w1"), len(foreign)) == (False, True, 1)


def test_a_budget_of_all_replicas_never_lets_one_go(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 2)
    budget(cluster, "all", "web", minAvailable=2)
    names = [name for name in cluster.on("w1") if name.startswith("web")]
    result = refused(call, cluster, "PodDisruptionBudget default/all never lets a pod go: it needs 2 healthy pods of 2")
    assert names
    assert "Deployment default/web" in result["msg"]
    result = call(name="w1", allow_past_budgets=True)
    assert (sorted(result["evicted"]), cluster.on("w1")) == ([f"default/{name}" for name in names], [])


def test_two_pods_of_one_budget_go_one_after_the_other(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 2, on="w1")
    budget(cluster, "one", "web", minAvailable=1)
    check = drained(call, cluster)
    assert "PodDisruptionBudget default/one lets 1 of 2 pods go at a time" in check["plan"][0]["disrupts"]
    assert cluster.on("w1") == []


def test_no_room_for_the_first_of_two(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 2, on="w1", nodeSelector={"kubernetes.io/hostname": "w1"})
    budget(cluster, "one", "web", minAvailable=1)
    refused(call, cluster, "lets 1 of 2 pods go before others are ready, and other nodes have room for 0")


def test_no_room_without_a_budget_is_said(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    cluster.report("w2", "True", cpu="1")
    container = {"name": "it", "image": "it", "resources": {"requests": {"cpu": "2"}}}
    deployment(cluster, "big", 1, on="w1", containers=[container])
    check = drained(call, cluster)
    assert "no other node has room for it" in check["plan"][0]["disrupts"]


def test_everything_at_once(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 1, on="w1")
    budget(cluster, "first", "web", minAvailable=0)
    budget(cluster, "second", "web", minAvailable=0)
    deployment(cluster, "cache", 1, on="w1", volumes=[{"name": "data", "emptyDir": {}}])
    deployment(cluster, "slow", 1, on="w1", terminationGracePeriodSeconds=600)
    bare(cluster, "debug")
    refused(
        call,
        cluster,
        "more than one PodDisruptionBudget (default/first and default/second)",
        "its data in emptyDir would be lost (volume data)",
        "it may take 600 s to end (terminationGracePeriodSeconds), and timeout is 240 s",
        "default/debug on w1: no controller would start it again",
    )
    check = drained(call, cluster, allow_bare_pods=True, allow_emptydir=True, allow_past_budgets=True, grace_period=3)
    assert len(evicted(check)) == 4
    assert [pod for pod in cluster.pods() if pod["metadata"]["name"] == "debug"] == []


def test_ten_minutes_are_given_where_the_time_allows(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "slow", 1, on="w1", terminationGracePeriodSeconds=600)
    check = drained(call, cluster, timeout=600)
    assert "pods may take 600 s to end" in check["plan"][0]["disrupts"]


def test_a_sick_pod_under_a_budget(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    """While the others are healthy it goes; where it is missing it holds, and the message says why."""
    kubelets.sick.add("web")
    deployment(cluster, "web", 2, on="w1")
    kubelets.sick.clear()
    budget(cluster, "one", "web", minAvailable=1)
    check = call(name="w1", check=True)
    assert "waited for: it needs 1 healthy pods of 2 and has 0" in check["plan"][0]["disrupts"]
    result = call(name="w1", timeout=8)
    assert result["failed"]
    assert "The pod itself is not ready" in result["msg"]
    assert "w1 is given back" in result["msg"]
    assert (cluster.cordoned("w1"), "groundwork.kubernetes/cordoned" in cluster.annotations("w1")) == (False, False)


def test_a_drain_that_fails_in_the_middle(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    """A budget that is used up elsewhere meanwhile: the node stays cordoned, with the reason; a later run goes on."""
    deployment(cluster, "quick", 1, on="w1")
    deployment(cluster, "web", 2, on="w1")
    budget(cluster, "one", "web", minAvailable=1)
    kubelets.sick.add("web")
    result = call(name="w1", timeout=10)
    assert (result["failed"], result["changed"], len(result["evicted"])) == (True, True, 2)
    assert "waits for PodDisruptionBudget default/one: it needs 1 healthy pods of 2 and has 1" in result["msg"]
    assert (cluster.cordoned("w1"), "w1 stays cordoned" in result["msg"]) == (True, True)
    assert cluster.annotations("w1")["groundwork.kubernetes/cordoned"].startswith("drain failed: default/web-")
    kubelets.sick.clear()
    for pod in cluster.pods():
        if not any(one["status"] == "True" for one in pod["status"].get("conditions", []) if one["type"] == "Ready"):
            cluster.call("DELETE", f"/api/v1/namespaces/default/pods/{pod['metadata']['name']}")
    result = call(name="w1")
    assert (result.get("failed"), result["changed"], cluster.on("w1")) == (None, True, [])
    assert cluster.annotations("w1")["groundwork.kubernetes/cordoned"] == "drain"


def test_a_node_that_is_cut_off(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 1, on="w1", terminationGracePeriodSeconds=1)
    kubelets.silent.add("w1")
    cluster.report("w1", "Unknown")
    check = call(name="w1", check=True)
    assert "its kubelet is silent since 2026-01-01T00:00:00Z" in check["plan"][0]["disrupts"]
    result = call(name="w1", timeout=300)
    assert result["failed"]
    assert "the kubelet of w1 is silent since 2026-01-01T00:00:00Z, so nothing ends on it" in result["msg"]
    assert result["rows"][0]["seconds"] < 60
    assert cluster.cordoned("w1")


def test_what_stays(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    bare(cluster, "done")
    cluster.set_status("/api/v1/namespaces/default/pods/done", {"phase": "Succeeded"})
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "uid": "0", "controller": True}
    mirror = {"kubernetes.io/config.mirror": "0", "kubernetes.io/config.source": "file"}
    for metadata in ({"name": "agent", "ownerReferences": [owner]}, {"name": "static", "annotations": mirror}):
        item = {"metadata": {**metadata, "labels": {}}, "spec": pod_spec(nodeName="w1")}
        with contextlib.suppress(urllib.error.HTTPError):
            cluster.call("POST", "/api/v1/namespaces/default/pods", item)
    result = call(name="w1")
    reasons = {one["name"]: one["reason"] for one in result["pods"]}
    assert reasons["done"] == "has ended (Succeeded)"
    assert reasons.get("agent", "of DaemonSet default/agent") == "of DaemonSet default/agent"
    assert result["evicted"] == []


@pytest.fixture
def playbook(cluster: SmallCluster, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """playbook(name, nodes, check=False): real Ansible on this machine, with the kubeconfig where hosts have it."""
    root = Path(__file__).resolve().parents[4]
    etc, inventory = tmp_path / "etc", tmp_path / "hosts.json"
    etc.mkdir()
    host = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"children": {"kube_control_plane": {"hosts": {"cp-1": host}}}}}))
    # Only this run sees it.
    script = (
        f"mount -t tmpfs tmpfs {etc} && mkdir {etc}/upper {etc}/work"
        f" && mount -t overlay -o lowerdir=/etc,upperdir={etc}/upper,workdir={etc}/work overlay /etc"
        f' && mkdir -p /etc/kubernetes && cp {cluster.kubeconfig} /etc/kubernetes/admin.conf && exec "$@"'
    )

    def run(name: str, nodes: str, check: bool = False) -> tuple[int, str]:
        command = [
            sys.executable,
            "-m",
            "ansible",
            "playbook",
            f"--inventory={inventory}",
            f"{root}/playbooks/{name}.yml",
        ]
        command += [f"--extra-vars=drain_nodes={nodes} drain_timeout=240", *["--check"] * check]
        environment = {
            **os.environ,
            "PATH": f"{KUBERNETES}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(root / ".build" / "collections"),
        }
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", *command],
            env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if "PLAY [" not in done.stdout:
            pytest.skip(f"the run did not begin: {done.stderr.strip()}")
        return done.returncode, done.stdout

    return run


def test_the_playbooks(cluster: SmallCluster, kubelets: Kubelets, playbook: Callable[..., tuple[int, str]]) -> None:
    deployment(cluster, "web", 2, on="w1")
    budget(cluster, "one", "web", minAvailable=1)
    pods = cluster.on("w1")
    rc, output = playbook("drain", "w1", check=True)
    assert (rc, cluster.on("w1"), cluster.cordoned("w1")) == (0, pods, False), output
    for text in (
        "schedulable, 2 pods to go",
        f"evicts default/{pods[0]}, default/{pods[1]}",
        "lets 1 of 2 pods go at a time",
    ):
        assert text in output
    rc, output = playbook("drain", "w1")
    assert (rc, cluster.on("w1"), cluster.cordoned("w1")) == (0, [], True), output
    assert "lets 1 of 2 pods go at a time" in output
    assert "changed=1 " in output
    rc, output = playbook("drain", "w1")
    assert (rc, "Nothing is to be done." in output, "changed=0 " in output) == (0, True, True), output
    rc, output = playbook("uncordon", "w1", check=True)
    assert (rc, "changed=1 " in output, cluster.cordoned("w1")) == (0, True, True), output
    rc, output = playbook("uncordon", "w1")
    assert (rc, "changed=1 " in output, cluster.cordoned("w1")) == (0, True, False), output
    rc, output = playbook("uncordon", "w1")
    assert (rc, "changed=0 " in output) == (0, True), output
    for name in ("drain", "uncordon"):
        for nodes in ("", "w9"):
            rc, output = playbook(name, nodes)
            assert (rc, "Nothing was changed" in output, "Nothing is to be done" in output) == (2, True, False), output
    bare(cluster, "debug")
    for check in (True, False):
        rc, output = playbook("drain", "w1", check=check)
        assert (rc, "w1 cannot be drained. Nothing was changed." in output) == (2, True), output
        assert "or set drain_allow_bare_pods to lose it" in output, output
    assert not cluster.cordoned("w1")


@pytest.fixture
def hook(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], str]]:
    """A webhook on loopback that gives one answer; the address of it."""
    servers: list[http.server.HTTPServer] = []

    def serve(answer: dict[str, Any]) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                review["response"] = {"uid": review["request"]["uid"], **answer}
                body = json.dumps(review).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate(tmp_path))
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"https://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()


def webhook(cluster: SmallCluster, client: Object, *resources: str, version: str = "v1", **more: Any) -> None:
    item = {
        "metadata": {"name": "guard"},
        "webhooks": [
            {
                "name": "guard.example.org",
                "clientConfig": client,
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": list(resources)}
                ],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail",
                **more,
            }
        ],
    }
    cluster.call("POST", f"/apis/admissionregistration.k8s.io/{version}/validatingwebhookconfigurations", item)


def test_a_webhook_that_denies(
    cluster: SmallCluster, kubelets: Kubelets, call: Call, hook: Callable[[dict[str, Any]], str], tmp_path: Path
) -> None:
    deployment(cluster, "web", 1, on="w1")
    url = hook({"allowed": False, "status": {"message": "not before Monday"}})
    bundle = base64.b64encode((tmp_path / "hook.crt").read_bytes()).decode()
    webhook(cluster, {"url": url, "caBundle": bundle}, "pods/eviction")
    # It takes the API server a moment to know of it.
    wait_for(lambda: call(name="w1", check=True).get("failed"))
    refused(call, cluster, 'its eviction is refused: admission webhook "guard.example.org" denied the request')


def test_a_webhook_that_knows_no_dry_run(
    cluster: SmallCluster, kubelets: Kubelets, call: Call, hook: Callable[[dict[str, Any]], str], tmp_path: Path
) -> None:
    """What it will say cannot be foreseen, and is said; the node is given back when it denies."""
    deployment(cluster, "web", 1, on="w1")
    url = hook({"allowed": False, "status": {"message": "not before Monday"}})
    bundle = base64.b64encode((tmp_path / "hook.crt").read_bytes()).decode()
    client = {"url": url, "caBundle": bundle}
    # Only the older version of webhooks may say that it knows none.
    webhook(
        cluster, client, "pods/eviction", version="v1beta1", sideEffects="Some", admissionReviewVersions=["v1beta1"]
    )

    def foreseen() -> bool:
        return "does not support dry run" in call(name="w1", check=True)["plan"][0]["disrupts"]

    wait_for(foreseen)
    result = call(name="w1")
    assert "denied the request: not before Monday" in result["msg"]
    assert "w1 is given back" in result["msg"]
    assert not cluster.cordoned("w1")


def test_a_webhook_that_would_be_gone(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    """Its pod is on the node, and it is asked before any pod starts: refused. Without its own namespace it is said."""
    deployment(cluster, "guard", 1, on="w1")
    service = {"metadata": {"name": "guard"}, "spec": {"selector": {"app": "guard"}, "ports": [{"port": 443}]}}
    cluster.call("POST", "/api/v1/namespaces/default/services", service)
    try:
        wait_for(lambda: cluster.call("GET", "/api/v1/namespaces/default/endpoints/guard").get("subsets"))
        client = {"service": {"namespace": "default", "name": "guard"}}
        webhook(cluster, client, "pods")
        refused(call, cluster, "is asked before pods like its own start, so they would never start again")
        cluster.call("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/guard")
        webhook(cluster, client, "pods", objectSelector={"matchLabels": {"app": "other"}})
        check = call(name="w1", check=True)
        assert "what it is asked about fails until they run elsewhere" in check["plan"][0]["disrupts"]
    finally:
        cluster.call("DELETE", "/api/v1/namespaces/default/services/guard")


def test_volumes_are_detached(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    deployment(cluster, "web", 1, on="w1")
    item = {
        "metadata": {"name": "csi-1"},
        "spec": {"attacher": "csi.example.org", "nodeName": "w1", "source": {"persistentVolumeName": "pv-1"}},
    }
    cluster.call("POST", "/apis/storage.k8s.io/v1/volumeattachments", item)
    result = call(name="w1", wait_for_volumes=True, timeout=8)
    assert result["reasons"] == ["volume pv-1 is still attached to w1 (VolumeAttachment csi-1)"]
    assert cluster.annotations("w1")["groundwork.kubernetes/cordoned"].startswith("drain failed: volume pv-1")
    timer = threading.Timer(3, lambda: cluster.call("DELETE", "/apis/storage.k8s.io/v1/volumeattachments/csi-1"))
    timer.start()
    result = call(name="w1", wait_for_volumes=True)
    assert not result.get("failed")
    assert call(name="w1", wait_for_volumes=True)["changed"] is False


@pytest.mark.parametrize("names", [[], [""], ["w1", "w9"], ["w1", "w1"]])
def test_names_that_are_no_nodes(cluster: SmallCluster, kubelets: Kubelets, call: Call, names: list[str]) -> None:
    for state in ("drained", "uncordoned"):
        result = call(name=names, state=state)
        assert result["failed"]
        assert "Nothing was changed" in result["msg"]
    assert not cluster.cordoned("w1")


def test_two_nodes_at_once(cluster: SmallCluster, kubelets: Kubelets, call: Call) -> None:
    cluster.node("w3")
    deployment(cluster, "web", 4, on="w1")
    result = call(name=["w1", "w2"])
    assert not result.get("failed"), result
    assert (cluster.on("w1"), cluster.on("w2"), len(cluster.on("w3"))) == ([], [], 4)


def test_a_host_that_is_powered_off(cluster: SmallCluster, kubelets: Kubelets, run: Call, call: Call) -> None:
    """Its pods start elsewhere, and what is attached to it is waited for; before 1.24 without the taint."""
    given = {"kubeconfig": str(cluster.kubeconfig), "name": "w1", "_ansible_diff": True}
    deployment(cluster, "db", 2, on="w1")
    item = {
        "metadata": {"name": "csi-1"},
        "spec": {"attacher": "csi.example.org", "nodeName": "w1", "source": {"persistentVolumeName": "pv-1"}},
    }
    cluster.call("POST", "/apis/storage.k8s.io/v1/volumeattachments", item)
    assert "is said to be powered off" in run(out_of_service, **given)["msg"]
    kubelets.silent.add("w1")
    cluster.report("w1", "Unknown")
    before = cluster.on("w1")
    foreseen = run(out_of_service, **given, _ansible_check_mode=True)
    assert (foreseen["plan"][0]["before"], cluster.on("w1")) == ("2 pods to go, 1 volume attached", before)
    assert "six minutes after their pods are gone" in foreseen["plan"][0]["disrupts"]
    result = run(out_of_service, **given, timeout=8)
    assert result["reasons"][0].startswith("volume pv-1 is still attached to w1 (VolumeAttachment csi-1)")
    assert (cluster.on("w1"), cluster.cordoned("w1")) == ([], True)
    wait_for(lambda: len(cluster.on("w2")) == 2)
    timer = threading.Timer(3, lambda: cluster.call("DELETE", "/apis/storage.k8s.io/v1/volumeattachments/csi-1"))
    timer.start()
    assert run(out_of_service, **given)["rows"][0]["after"] == "no pods, no volumes attached"
    assert run(out_of_service, **given)["changed"] is False


def test_a_control_plane_is_taken_off_kubeadms_list(cluster: SmallCluster, run: Call, call: Call) -> None:
    entry = "    advertiseAddress: 192.0.2.{0}\n    bindPort: 6443\n"
    entries = "".join(f"  cp-{number}:\n{entry.format(number)}" for number in (1, 2))
    text = f"apiEndpoints:\n{entries}apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterStatus\n"
    stored = {"metadata": {"name": "kubeadm-config"}, "data": {"ClusterStatus": text, "ClusterConfiguration": "kept"}}
    wait_for(lambda: cluster.exists("namespace", "kube-system"))
    cluster.call("POST", "/api/v1/namespaces/kube-system/configmaps", stored)
    given = {"kubeconfig": str(cluster.kubeconfig), "absent": ["cp-2", "w-1"]}
    assert run(cluster_status, **given)["removed"] == ["cp-2"]
    data = cluster.call("GET", "/api/v1/namespaces/kube-system/configmaps/kubeadm-config")["data"]
    assert data == {"ClusterStatus": text.replace(f"  cp-2:\n{entry.format(2)}", ""), "ClusterConfiguration": "kept"}
    assert run(cluster_status, **given)["changed"] is False
