"""The module cluster_verify against a program in kubectl's place that plays a cluster of two workers."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import first_use, kubectl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_run import NAMES
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.checks import SIGNALS
from ansible_collections.groundwork.kubernetes.plugins.modules import cluster_verify

FIRST_USE = ("service-name", "api-from-pods", "volumes")
Run = Callable[..., dict[str, Any]]
ROOT = Path(__file__).resolve().parents[4]

# The cluster's state is a folder: what is in faults is broken, objects holds what was created, calls what was asked.
KUBECTL = r"""#!PYTHON -IS
import datetime, json, os, re, sys, time
from pathlib import Path

state = Path(__file__).parent
faults = (state / "faults").read_text().split()
port = int((state / "port").read_text())
arguments = sys.argv[3:]
with (state / "calls").open("a") as stream:
    stream.write(" ".join(arguments) + "\n")


def ready(good=True):
    return [{"type": "Ready", "status": "True" if good else "False", "reason": "R"}]


def node(name, taints=()):
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux"}},
        "spec": {"taints": list(taints)},
        "status": {
            "conditions": ready("notready:" + name not in faults),
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        },
    }


def pod(name, on, namespace="kube-system", good=True, **metadata):
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"nodeName": on},
        "status": {"phase": "Running" if good else "Pending", "podIP": "10.0.0.1", "conditions": ready(good)},
    }


def answer(document):
    print(json.dumps(document))
    sys.exit(0)


def fail(text):
    print("Error from server" + text, file=sys.stderr)
    sys.exit(1)


namespace = next((word.split("=")[1] for word in arguments if word.startswith("--namespace=")), "")
created = state / "objects"
if "away" in faults:
    fail(": refused")
if "slow" in faults:
    time.sleep(60)
command, what = arguments[0], arguments[1]
if command == "create":
    created.write_text(sys.stdin.read())
elif command == "delete":
    if what == "namespace" and "stuck" not in faults:
        created.unlink(missing_ok=True)
elif command == "logs":
    fail(": log is gone") if "logs:" + what in faults else print("serving")
elif command == "exec":
    if "exec:" + what in faults:
        fail(": runtime is broken")
    kinds = {"configmap": "ConfigMap", "secret": "Secret"}
    kind = kinds[arguments[-1].split("/")[-2]] if "cat" in arguments else ""
    if kind and "volume:" + kind in faults:
        print("old")
    elif kind:
        print(f"{kind} of {namespace}")
    elif "/apis" in arguments[-1]:
        print("login" if "token" in faults else '{"kind":"APIGroupList"}')
    else:
        print("Address: 10.96.0.1" if "nslookup" in arguments else "fine")
elif command == "port-forward":
    print(f"Forwarding from 127.0.0.1:{port} -> 8080", flush=True)
    time.sleep(60)
elif what == "--raw" and arguments[2] == "/apis/batch/v1":
    answer({"resources": [{"name": "jobs"}, *([] if "old-batch" in faults else [{"name": "cronjobs"}])]})
elif what == "jobs.batch":
    answer({"items": [] if "no-job" in faults else [{"status": {"failed" if "job" in faults else "succeeded": 1}}]})
elif what == "ingressclasses.networking.k8s.io":
    annotations = {} if "no-class" in faults else {"ingressclass.kubernetes.io/is-default-class": "true"}
    answer({"items": [{"metadata": {"name": "other"}}, {"metadata": {"name": "edge", "annotations": annotations}}]})
elif what == "ingresses.networking.k8s.io":
    answer({"status": {"loadBalancer": {}}})
elif what == "--raw" and arguments[2] in faults:
    sys.exit("Error from server (NotFound): the server could not find the requested resource")
elif what == "--raw":
    fail(' ("[+]ping ok\\n[-]etcd failed: no\\n")') if "etcd" in faults and "etcd" in arguments[2] else print("ok")
elif what == "nodes":
    answer({"items": [node("cp1", [{"key": "k", "effect": "NoSchedule"}]), node("w1"), node("w2")]})
elif what == "lease":
    now = "then" if arguments[2] in faults else str(time.time())
    answer({"spec": {"holderIdentity": "cp1", "renewTime": now, "leaseDurationSeconds": 15}})
elif what == "pods" and "kube-apiserver" in arguments[3]:
    annotation = {"kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint": "192.0.2.1:6443"}
    answer({"items": [pod("kube-apiserver-cp1", "cp1", annotations=annotation)]})
elif what == "pods":
    answer({"items": [pod("kube-proxy-" + name, name) for name in ("cp1", "w1", "w2")]})
elif what == "pods,daemonsets.apps,deployments.apps":
    answer({"items": [pod("system", "cp1", good="system" not in faults)] if namespace == "kube-system" else []})
elif what == "deployments.apps,pods":
    good = ["pull:" + name not in faults for name in ("w1", "w2")]
    deployment = {"kind": "Deployment", "metadata": {"name": "web"}, "status": {"availableReplicas": sum(good)}}
    pods = [pod("web-1", "w1", namespace, good[0]), pod("web-2", "w2", namespace, good[1])]
    answer({"items": [deployment, *pods]})
elif what == "events":
    about = {"kind": "Pod", "name": "web-2"}
    answer({"items": [{"type": "Warning", "reason": "Failed", "message": "no such image", "involvedObject": about,
                       "metadata": {"creationTimestamp": "2026-11-01T12:00:00Z"}}]})
elif what == "configmap":
    answer({"data": {"config.conf": 'mode: "web-1"' if "proxy" in faults else "mode: iptables"}})
elif what == "namespaces":
    old = {"metadata": {"name": "groundwork-verify-old", "creationTimestamp": "2020-01-01T00:00:00Z"}}
    answer({"items": [old] if "old" in faults else []})
elif what == "namespace":
    answer({}) if created.exists() else fail(" (NotFound): none")
elif what == "service" and arguments[2] == "web":
    answer({"spec": {"ports": [{"nodePort": port}]}})
elif what == "service" and arguments[2] == "kubernetes":
    answer({"spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 443}]}})
elif what == "service" and "dns" not in faults:
    answer({})
else:
    fail(" (NotFound): " + " ".join(arguments))
"""


class Handler(BaseHTTPRequestHandler):
    """All HTTP servers of the cluster in one: kube-proxy's mode, and the pods by chance."""

    asked: ClassVar[list[str]] = []  # by a name of an Ingress

    def do_GET(self) -> None:
        if self.headers["Host"].startswith("groundwork-verify-"):
            self.asked.append(self.headers["Host"])
        body = "iptables" if self.path == "/proxyMode" else random.choice(["web-1", "web-2"])  # noqa: S311
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


class Cluster:
    """The played cluster."""

    def __init__(self, folder: Path, port: int, run_module: Run) -> None:
        self.folder, self.port = folder, port
        self.run_module = run_module
        self.kubeconfig = str(folder / "admin.conf")
        for name, text in {"admin.conf": "", "calls": "", "faults": "", "port": str(port)}.items():
            (folder / name).write_text(text)
        script = folder / "kubectl"
        script.write_text(KUBECTL.replace("PYTHON", sys.executable))
        script.chmod(0o755)

    def verify(self, **options: Any) -> dict[str, Any]:
        """The module's result; without the checks that take time unless skip says so."""
        options = {"kubeconfig": self.kubeconfig, "settle": 0, "skip": ["scheduler", "controller-manager"]} | options
        return self.run_module(cluster_verify, **options)

    def breaks(self, *faults: str) -> None:
        (self.folder / "faults").write_text(" ".join(faults))

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()

    @property
    def exists(self) -> bool:
        return (self.folder / "objects").exists()


@pytest.fixture
def cluster(run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(kubectl, "BINARY_FOLDERS", [str(tmp_path)])
    monkeypatch.setattr(cluster_verify, "BINARY_FOLDERS", [str(tmp_path)])
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    yield Cluster(tmp_path, server.server_address[1], run_module)
    for number, handler in handlers.items():
        signal.signal(number, handler)
    server.shutdown()
    server.server_close()


def states(result: dict[str, Any]) -> dict[str, str]:
    return {
        check["name"]: "skipped" if check["skipped"] else "passed" if check["passed"] else "failed"
        for check in result["checks"]
    }


def test_a_cluster_that_works(cluster: Cluster) -> None:
    result = cluster.verify(settle=10, skip=[], nodes=["cp1", "w1", "w2"], cron_job=True, ingress_port=cluster.port)
    assert not result.get("failed"), result["msg"]
    assert result["changed"] is False
    assert states(result) == dict.fromkeys([*NAMES, "cleanup"], "passed")
    assert not cluster.exists
    assert len(result["table"].splitlines()) == 22
    namespace = re.findall(r"groundwork-verify-[a-z]{8}", "\n".join(cluster.calls))[0]
    assert set(Handler.asked) == {f"{namespace}.example.invalid"}
    assert {
        "get --raw /readyz?verbose --server=https://192.0.2.1:6443",
        "get --raw /readyz/etcd --server=https://192.0.2.1:6443",
        "create --filename=-",
        f"logs web-1 --namespace={namespace} --container=web --tail=5",
        f"exec web-2 --namespace={namespace} --container=web -- hostname",
        f"exec web-1 --namespace={namespace} --container=web -- wget -q -O - -T 5 http://10.0.0.1:8080/",
        f"exec web-1 --namespace={namespace} --container=web -- nslookup kubernetes.default.svc.cluster.local",
        f"exec web-1 --namespace={namespace} --container=web -- wget -q -O - -T 5 "
        f"http://web.{namespace}.svc.cluster.local:80/",
        f"exec web-2 --namespace={namespace} --container=web -- cat /etc/groundwork-verify/secret/content",
        f"exec web-1 --namespace={namespace} --container=web -- sh -c wget -q -O - --no-check-certificate --header "
        '"Authorization: Bearer $(cat /var/run/secrets/kubernetes.io/serviceaccount/token)" '
        "https://kubernetes.default.svc:443/apis",
        f"port-forward --namespace={namespace} --address=127.0.0.1 pod/web-1 :8080",
        "port-forward --namespace=kube-system --address=127.0.0.1 pod/kube-proxy-w2 :10249",
        f"delete namespace {namespace} --ignore-not-found --wait=false",
    } <= set(cluster.calls)


@pytest.mark.parametrize(
    ("faults", "options", "failed", "message"),
    [
        (["notready:cp1"], {}, {"nodes"}, "- nodes: cp1: NotReady (R)"),
        ([], {"nodes": ["w9"]}, {"nodes"}, "- nodes: w9: not in the cluster"),
        (["etcd"], {}, {"etcd"}, "- etcd: kube-apiserver-cp1: etcd failed: no"),
        (["/readyz/etcd"], {}, set(), ""),
        (["/readyz/etcd", "etcd"], {}, {"etcd"}, "- etcd: kube-apiserver-cp1: etcd failed: no"),
        (["/readyz/etcd", "/livez/etcd"], {}, {"etcd"}, "- etcd: kube-apiserver-cp1: it knows no /livez/etcd"),
        (["system"], {}, {"system-pods"}, "- system-pods: pod kube-system/system on cp1: Pending"),
        (
            ["kube-scheduler"],
            {"skip": []},
            {"scheduler", "controller-manager"},
            "- scheduler: held by cp1, which has not",
        ),
        (["proxy"], {}, {"kube-proxy"}, "- kube-proxy: cp1: iptables in place of web; w1: iptables in place of web"),
        (["logs:web-1"], {}, {"logs"}, "- logs: w1: Error from server: log is gone"),
        (
            ["token"],
            {},
            {"api-from-pods"},
            "- api-from-pods: w1: https://kubernetes.default.svc:443/apis answers with something else: login",
        ),
        (
            ["volume:Secret"],
            {},
            {"volumes"},
            "- volumes: w1: /etc/groundwork-verify/secret/content, of a Secret, holds something else: old",
        ),
        (
            ["exec:web-2"],
            {},
            {"exec", "pod-network", "dns", *FIRST_USE},
            "- exec: w2: Error from server: runtime is broken",
        ),
        (["dns"], {"require_dns": True}, {"dns"}, "- dns: DNS is not installed"),
        (["old-batch"], {"cron_job": True}, set(), ""),
        (
            ["old-batch", "job"],
            {"cron_job": True},
            {"cron-job"},
            "- cron-job: the job that a batch/v1beta1 CronJob has started failed",
        ),
        ([], {"ingress_port": 1}, {"ingress"}, "- ingress: cp1: [Errno 111] Connection refused"),
        ([], {"http_path": "/proxyMode"}, set(), ""),
    ],
)
def test_faults(cluster: Cluster, faults: list[str], options: dict[str, Any], failed: set[str], message: str) -> None:
    cluster.breaks(*faults)
    result = cluster.verify(**options)
    assert {name for name, state in states(result).items() if state == "failed"} == failed
    assert bool(result.get("failed")) == bool(failed)
    assert message in result.get("msg", "")
    assert states(result)["cleanup"] == "passed"
    assert not cluster.exists


def test_a_deployment_that_stays_incomplete(cluster: Cluster) -> None:
    cluster.breaks("pull:w2")
    result = cluster.verify(timeout=25)
    assert result["failed"]
    assert "pod web-2 on w2: Pending; event Failed of pod web-2: no such image" in result["msg"]
    assert "- spread: no ready pod on w2" in result["msg"]
    # The node that has a pod is still asked.
    assert states(result)["exec"] == "passed"
    assert states(result)["pod-network"] == "skipped"
    assert not cluster.exists


def test_no_node_takes_pods(cluster: Cluster) -> None:
    cluster.breaks("notready:w1", "notready:w2")
    result = cluster.verify()
    assert "- deployment: no node takes pods: cp1 (tainted k), w1 (not ready), w2 (not ready)" in result["msg"]
    assert states(result)["exec"] == "skipped"
    assert not any(call.startswith(("create", "delete")) for call in cluster.calls)


def test_an_api_server_that_is_away(cluster: Cluster) -> None:
    cluster.breaks("away")
    result = cluster.verify()
    assert states(result) == dict.fromkeys(NAMES, "skipped") | {"api-server": "failed"}
    assert "refused" in result["msg"]


def test_without_a_client_or_dns(cluster: Cluster) -> None:
    cluster.breaks("dns")
    result = cluster.verify(http_client=[], read_command=[])
    assert not result.get("failed")
    assert any(call.endswith("https://10.96.0.1:443/apis") for call in cluster.calls)
    skipped = {check["name"]: check["detail"] for check in result["checks"] if check["skipped"]}
    assert skipped["pod-network"] == "the option http_client is empty"
    assert skipped["dns"].startswith("DNS is not installed")
    assert skipped["volumes"] == "the option read_command is empty"
    assert states(cluster.verify())["service-name"] == "skipped"
    assert states(cluster.verify(api_client=[]))["api-from-pods"] == "skipped"
    assert skipped["scheduler"] == "left out by the option skip"


def test_what_is_only_tried_where_it_is_there(cluster: Cluster) -> None:
    def said(**options: Any) -> dict[str, str]:
        return {check["name"]: check["detail"] for check in cluster.verify(**options)["checks"] if check["skipped"]}

    skipped = said()
    assert skipped["cron-job"] == "the option cron_job is off, as it takes up to a minute"
    assert skipped["ingress"] == (
        "the Ingress of class edge has got no address, and the option ingress_port names no port of nodes"
    )
    assert "Ingress of class other" in said(ingress_class="other")["ingress"]
    cluster.breaks("no-class")
    assert said()["ingress"] == "no IngressClass is the default, and the option ingress_class names none"
    assert said(cron_job=True, exec_command=[])["cron-job"] == "the option exec_command is empty"


def test_a_job_that_is_not_started(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_use, "MINUTE", 0.1)
    cluster.breaks("no-job")
    assert "- cron-job: no job was started by a batch/v1 CronJob" in cluster.verify(cron_job=True)["msg"]


def test_leftovers_are_removed(cluster: Cluster) -> None:
    cluster.breaks("old")
    result = cluster.verify(_ansible_check_mode=True)
    assert (result["changed"], result["removed_namespaces"]) == (True, ["groundwork-verify-old"])
    assert not any(call.startswith("delete") for call in cluster.calls)
    result = cluster.verify()
    assert (result["changed"], result["removed_namespaces"]) == (True, ["groundwork-verify-old"])
    assert "delete namespaces groundwork-verify-old --ignore-not-found --wait=false" in cluster.calls


def test_check_mode_only_reads(cluster: Cluster) -> None:
    result = cluster.verify(settle=10, skip=[], _ansible_check_mode=True)
    assert not result.get("failed")
    assert result["changed"] is False
    assert [name for name, state in states(result).items() if state == "passed"] == NAMES[:7]
    assert not any(call.startswith(("create", "delete", "exec")) for call in cluster.calls)


def test_not_installed(cluster: Cluster) -> None:
    result = cluster.verify(kubeconfig="/nowhere/admin.conf")
    assert result["failed"]
    assert result["msg"].startswith("/nowhere/admin.conf does not exist on this host: run the checks on")
    result = cluster.verify(kubeconfig="/nowhere/admin.conf", _ansible_check_mode=True)
    assert states(result) == dict.fromkeys(NAMES, "skipped")


def test_a_wrong_check_to_skip(cluster: Cluster) -> None:
    result = cluster.verify(skip=["dsn"])
    assert "value of skip must be one or more of" in result["msg"]
    assert cluster.calls == []


MAIN = f"""
from {cluster_verify.__name__} import BINARY_FOLDERS, main
BINARY_FOLDERS[:] = ["@folder@"]
main()
"""


def test_a_signal_ends_it_and_it_cleans_up(cluster: Cluster) -> None:
    cluster.breaks("pull:w2")
    arguments = cluster.folder / "arguments"
    arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {"kubeconfig": cluster.kubeconfig}}))
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN.replace("@folder@", str(cluster.folder)), str(arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
    )
    until = time.monotonic() + 30
    while not cluster.exists and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, _err = process.communicate(timeout=30)
    result = json.loads(out)
    assert result["msg"].startswith("The checks were interrupted by SIGTERM")
    assert states(result)["cleanup"] == "passed"
    assert not cluster.exists


def test_defaults_of_the_role_are_those_of_the_module() -> None:
    defaults = yaml.safe_load((ROOT / "roles/verify/defaults/main/main.yml").read_text())
    specs = yaml.safe_load((ROOT / "roles/verify/meta/argument_specs.yml").read_text())["argument_specs"]["main"][
        "options"
    ]
    assert {name: option["default"] for name, option in specs.items()} == defaults
    not_of_the_module = {"verify_nodes", "verify_require_dns", "verify_backup_max_age", "verify_backup_directory"}
    not_of_the_module |= {"verify_etcd_api_server", "verify_hardening"}
    for name in defaults.keys() - not_of_the_module:
        option = name.split("_", 1)[1]
        assert defaults[name] == cluster_verify.SPEC[option]["default"]
    documented = yaml.safe_load(cluster_verify.DOCUMENTATION)["options"]
    assert specs["verify_skip"]["choices"] == documented["skip"]["choices"] == NAMES
