"""A real API server, the real controllers of budgets and workloads, the real scheduler; the test plays the kubelets."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api_server import KUBERNETES, ApiServer

Object = dict[str, Any]

ALLOCATABLE = {"cpu": "4", "memory": "8Gi", "pods": "20"}
CONTROLLERS = "deployment,replicaset,statefulset,disruption,endpoint,garbagecollector"


class SmallCluster(ApiServer):
    """The control plane, and nodes that are only objects."""

    def start(self) -> None:
        """Start the programs, and register the nodes."""
        super().start()
        shared = f"--kubeconfig={self.kubeconfig}"
        self._run(
            KUBERNETES / "kube-controller-manager", shared, f"--controllers={CONTROLLERS}", "--leader-elect=false",
            "--secure-port=0", "--port=0",
        )  # fmt: skip
        self._run(KUBERNETES / "kube-scheduler", shared, "--leader-elect=false", "--secure-port=0", "--port=0")

    def stop(self) -> None:
        """End the programs, which have nothing to finish."""
        for process in self.processes:
            process.kill()
            process.wait()

    def call(self, method: str, path: str, body: Object | None = None) -> Object:
        """One call of the API; raises HTTPError."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": kind},
        )
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            found: Object = json.loads(answer.read())
            return found

    def node(self, name: str, **allocatable: str) -> None:
        """Register a node that is ready."""
        self.call("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
        self.call("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": None}})
        self.report(name, "True", **allocatable)

    def report(self, name: str, ready: str, **allocatable: str) -> None:
        """What a node's kubelet, or the node controller in its place, says."""
        room = {**ALLOCATABLE, **allocatable}
        condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z", "reason": "Test"}
        status = {"allocatable": room, "capacity": room, "conditions": [condition]}
        self.set_status(f"/api/v1/nodes/{name}", status)

    def pods(self, namespace: str = "default") -> list[Object]:
        """The pods of a namespace."""
        return list(self.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"])

    def on(self, node: str) -> list[str]:
        """The names of the pods of a node."""
        return sorted(pod["metadata"]["name"] for pod in self.pods() if pod["spec"].get("nodeName") == node)

    def annotations(self, node: str) -> dict[str, str]:
        """A node's annotations."""
        return self.call("GET", f"/api/v1/nodes/{node}")["metadata"].get("annotations") or {}

    def cordoned(self, node: str) -> bool:
        """Whether a node is cordoned."""
        return bool(self.call("GET", f"/api/v1/nodes/{node}")["spec"].get("unschedulable"))


class Kubelets(threading.Thread):
    """The kubelets of all nodes: pods get ready, and end when they are told."""

    def __init__(self, cluster: SmallCluster) -> None:
        """Nothing is done yet."""
        super().__init__(daemon=True)
        self.cluster = cluster
        self.silent: set[str] = set()
        self.sick: set[str] = set()
        self.stopped = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.stopped.wait(0.2):
            with contextlib.suppress(OSError, urllib.error.HTTPError):
                for pod in self.cluster.call("GET", "/api/v1/pods")["items"]:
                    with contextlib.suppress(urllib.error.HTTPError):
                        self._look(pod)

    def _look(self, pod: Object) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        node = pod["spec"].get("nodeName")
        if not node or node in self.silent:
            return
        if metadata.get("deletionTimestamp"):
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            self.cluster.call("DELETE", path, options)
        elif (pod["status"].get("phase")) == "Pending":
            ready = "False" if metadata.get("labels", {}).get("app") in self.sick else "True"
            condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}
            status = {"phase": "Running", "conditions": [condition], "podIP": "192.0.2.1"}
            self.cluster.set_status(path, {**status, "podIPs": [{"ip": "192.0.2.1"}]})


def wait_for(what: Callable[[], Any], seconds: float = 180) -> Any:
    """What a function returns, once that is something."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found or time.monotonic() > end:
            assert found, "it did not come in time"
            return found
        time.sleep(0.2)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for loopback and its key."""
    certificate, key = folder / "hook.crt", folder / "hook.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hook",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key
