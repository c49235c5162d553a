"""ca_rotation_cluster and what it decides by: which objects hand out which authority, which pods are old; calls."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.authority_holders import (
    fingerprints,
    handed_out,
    note,
    old_pods,
    restartable,
    since,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import ca_rotation_cluster

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki

Run = Callable[..., dict[str, Any]]
Object = dict[str, Any]
OLD, NEW = pki.issue("kubernetes"), pki.issue("kubernetes", key="the next")
ONE, TWO = fingerprints(OLD.crt), fingerprints(NEW.crt)
BASE = ["/usr/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=60s"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def info(pem: str) -> Object:
    text = f"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {encoded(pem)}\n    server: https://x\n"
    return {"metadata": {"resourceVersion": "7"}, "data": {"kubeconfig": text, "jws-kubeconfig-abc": "signed"}}


def meta(name: str, owner: str = "", namespace: str = "default") -> Object:
    kind, _slash, of = owner.partition("/")
    return {
        "name": name,
        "namespace": namespace,
        "ownerReferences": [{"kind": kind, "name": of, "controller": True}] if owner else [],
    }


def root(pem: str) -> Object:
    return {"metadata": meta("kube-root-ca.crt"), "data": {"ca.crt": pem}}


def token(pem: str) -> Object:
    return {"metadata": meta("token-1"), "data": {"ca.crt": encoded(pem), "token": encoded("SECRET")}}


def pod(name: str, started: str, owner: str = "", *, volume: Object | None = None, phase: str = "Running") -> Object:
    given = {"projected": {"sources": [{"serviceAccountToken": {}}, {"configMap": {"name": "kube-root-ca.crt"}}]}}
    return {
        "metadata": meta(name, owner=owner),
        "spec": {"nodeName": "w-1", "volumes": [{"name": "v", **(given if volume is None else volume)}]},
        "status": {"startTime": started, "phase": phase},
    }


BEFORE, AFTER = "2026-01-01T12:00:00Z", "2026-01-02T12:00:00Z"


def test_what_objects_hand_out() -> None:
    found = handed_out(info(OLD.crt + NEW.crt), [root(NEW.crt)], [token(OLD.crt), {"metadata": meta("empty")}])
    assert found == {
        "configmap kube-public/cluster-info": [*ONE, *TWO],
        "configmap default/kube-root-ca.crt": TWO,
        "secret default/token-1": ONE,
        "secret default/empty": [],
    }
    assert handed_out({}, [], []) == {}


@pytest.mark.parametrize(
    ("one", "owner"),
    [
        (pod("old", BEFORE), "nobody"),
        (pod("old", BEFORE, "DaemonSet/proxy"), "DaemonSet/proxy"),
        (pod("old", BEFORE, "ReplicaSet/till-5d"), "Deployment/till"),
        (pod("old", BEFORE, "ReplicaSet/alone"), "ReplicaSet/alone"),
        (pod("old", BEFORE, volume={"secret": {"secretName": "token-1"}}), "nobody"),
        # By another clock it may have been before.
        (pod("old", "2026-01-02T00:00:10Z"), "nobody"),
        (pod("new", "2026-01-02T00:00:11Z"), ""),
        (pod("new", AFTER), ""),
        (pod("no token", BEFORE, volume={"emptyDir": {}}), ""),
        (pod("a password", BEFORE, volume={"secret": {"secretName": "password"}}), ""),
        (pod("ended", BEFORE, phase="Succeeded"), ""),
        (pod("not started", ""), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else value["metadata"]["name"],
)
def test_which_pods_are_old(one: Object, owner: str) -> None:
    sets = [{"metadata": meta("till-5d", owner="Deployment/till")}, {"metadata": meta("alone")}]
    found = old_pods([one], [token(NEW.crt)], sets, "2026-01-02T00:00:00Z")
    assert [(pod.owner, pod.node) for pod in found] == ([(owner, "w-1")] if owner else [])


def test_where_nobody_knows_since_when_all_are_old() -> None:
    assert len(old_pods([pod("new", AFTER)], [], [], "")) == 1


@pytest.mark.parametrize(
    ("noted", "held", "at"),
    [
        (note([*ONE, *TWO], 1e9), [*ONE, *TWO], "2001-09-09T01:46:40Z"),
        # The order tells nothing: pods trust what they trust.
        (note([*ONE, *TWO], 1e9), [*TWO, *ONE], "2001-09-09T01:46:40Z"),
        (note([*ONE, *TWO], 1e9), TWO, ""),
        ("", TWO, ""),
        ("nonsense", TWO, ""),
    ],
    ids=["noted", "in another order", "of others", "never", "nonsense"],
)
def test_since_when(noted: str, held: list[str], at: str) -> None:
    assert since({"metadata": {"annotations": {"groundwork.kubernetes/authority": noted}}}, held) == at
    assert since({"metadata": {}}, held) == ""


def test_what_is_restarted() -> None:
    pods = [pod("a", BEFORE, "DaemonSet/proxy"), pod("b", BEFORE, "DaemonSet/proxy"), pod("c", BEFORE, "Job/once")]
    old = old_pods([*pods, pod("d", BEFORE)], [], [], "2026-01-02T00:00:00Z")
    assert restartable(old, ["default"]) == restartable(old, ["*"]) == ["default/DaemonSet/proxy"]
    assert restartable(old, ["kube-system"]) == []


class Api:
    """An API server that answers kubectl, and a controller manager that follows."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.info, self.root, self.token = info(OLD.crt), OLD.crt, OLD.crt
        self.follows = True
        self.noted = note(ONE, 1767312000.0)
        self.pods = [pod("proxy-x", BEFORE, "DaemonSet/proxy"), pod("bare", BEFORE)]

    def run_command(self, command: list[str], **more: Any) -> tuple[int, str, str]:
        words = command[3:]
        if words[0] == "replace":
            self.calls.append(words)
            self.info = json.loads(more["data"])
            if self.follows:
                self.root = self.token = base64.b64decode(self.info["data"]["kubeconfig"].split()[6]).decode()
            return 0, "", ""
        if words[0] == "annotate":
            self.calls.append(words[:-1])
            self.noted = words[-1].partition("=")[2]
            return 0, "", ""
        if words[0] == "patch":
            self.calls.append(words)
            self.pods[0] = pod("proxy-y", AFTER, "DaemonSet/proxy")
            return 0, "", ""
        return 0, json.dumps(self.answer(words)), ""

    def answer(self, words: list[str]) -> Object:
        if words[1] == "namespace":
            return {"metadata": {"annotations": {"groundwork.kubernetes/authority": self.noted}}}
        if words[1] == "configmap":
            return self.info
        if words[1] == "daemonset.apps":
            status = {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}
            kind = {"kind": "DaemonSet", "apiVersion": "apps/v1"}
            return {**kind, "metadata": meta("proxy"), "spec": {}, "status": status}
        path = words[1].partition("=")[2].partition("?")[0]
        ready = {"type": "Ready", "status": "True"}
        lists = {
            "/api/v1/configmaps": [root(self.root)],
            "/api/v1/secrets": [token(self.token)],
            "/api/v1/pods": self.pods,
            "/apis/apps/v1/replicasets": [],
            "/api/v1/nodes": [{"metadata": {"name": "w-1"}, "spec": {}, "status": {"conditions": [ready]}}],
        }
        return {"items": lists[path]}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    monkeypatch.setattr(AnsibleModule, "run_command", made.run_command)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_more: "/usr/bin/kubectl")
    monkeypatch.setattr(api, "INTERVAL", 0.01)
    return made


def test_it_reads(cluster: Api, run_module: Run) -> None:
    found = run_module(ca_rotation_cluster)
    assert (found["changed"], found["nodes"], cluster.calls) == (False, {"w-1": True}, [])
    assert found["holders"]["secret default/token-1"] == ONE
    assert [one["owner"] for one in found["old_pods"]] == ["nobody", "DaemonSet/proxy"]
    assert "SECRET" not in str(found)
    assert encoded("SECRET") not in str(found)


def test_it_publishes_once(cluster: Api, run_module: Run) -> None:
    options = {"state": "published", "authorities": OLD.crt + NEW.crt, "timeout": 1}
    assert run_module(ca_rotation_cluster, **options, _ansible_check_mode=True)["changed"]
    assert cluster.calls == []
    done = run_module(ca_rotation_cluster, **options)
    assert done["done"] == ["configmap kube-public/cluster-info", "the note in namespace kube-system"]
    assert cluster.calls == [["replace", "--filename=-"], ["annotate", "--overwrite", "namespace", "kube-system"]]
    assert done["since"]
    assert len(done["old_pods"]) == 2
    assert set(map(tuple, done["holders"].values())) == {(*ONE, *TWO)}
    # The API server compares it, and nobody's signature is lost.
    assert cluster.info["metadata"]["resourceVersion"] == "7"
    assert cluster.info["data"]["jws-kubeconfig-abc"] == "signed"
    assert not run_module(ca_rotation_cluster, **options)["changed"]
    cluster.noted = ""  # as a run leaves it that was killed
    assert run_module(ca_rotation_cluster, **options)["done"] == ["the note in namespace kube-system"]


def test_a_controller_manager_that_does_not_follow(cluster: Api, run_module: Run) -> None:
    cluster.follows = False
    failed = run_module(ca_rotation_cluster, state="published", authorities=NEW.crt, timeout=0)
    assert "configmap default/kube-root-ca.crt, secret default/token-1. See its log" in failed["msg"]


def test_it_restarts_workloads_once(cluster: Api, run_module: Run) -> None:
    options = {"state": "restarted", "authorities": NEW.crt, "namespaces": ["default"], "timeout": 1}
    checked = run_module(ca_rotation_cluster, **options, _ansible_check_mode=True)
    assert (checked["done"], cluster.calls) == (["default/DaemonSet/proxy"], [])
    done = run_module(ca_rotation_cluster, **options)
    annotation = {"groundwork.kubernetes/authority": TWO[0][:16]}
    text = json.dumps({"spec": {"template": {"metadata": {"annotations": annotation}}}})
    assert cluster.calls == [["patch", "daemonset/proxy", "--namespace=default", f"--patch={text}"]]
    assert [one["name"] for one in done["old_pods"]] == ["bare"]
    assert not run_module(ca_rotation_cluster, **options)["changed"]


@pytest.mark.parametrize("state", ["published", "restarted"])
def test_no_certificate_is_refused(cluster: Api, run_module: Run, state: str) -> None:
    assert "Nothing was changed" in run_module(ca_rotation_cluster, state=state, authorities="x")["msg"]
