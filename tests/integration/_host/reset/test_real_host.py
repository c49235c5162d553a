"""The module reset from end to end on a host of namespaces: what goes, and what others own stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_paths

CACHE = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache/groundwork-kubernetes")
# The oldest is used: ctr of containerd 2 imports images by a service that this containerd is run without.
ARCHIVES = sorted(CACHE.glob("containerd-*-linux-amd64.tar.gz"))
IMAGES = sorted(CACHE.glob("images/pause_*.tar"))
COLLECTIONS = Path(reset_paths.__file__).parents[6]
CRICTL = Path(__file__).parents[3] / "lab/crictl.py"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not ARCHIVES or not IMAGES or not shutil.which("iptables-save"),
    reason="needs root, iptables, and containerd and an image in the lab's cache",
)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the module returned, and what there was then."""
    script = Path(__file__).with_name("reset_host.py")
    options = ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]
    arguments = [tmp_path_factory.mktemp("host"), COLLECTIONS, ARCHIVES[0], IMAGES[-1], CRICTL]
    command = ["unshare", *options, sys.executable, script, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_check_mode_names_everything_and_changes_nothing(reported: dict[str, Any]) -> None:
    """One of each kind; what is not the cluster's is in no line."""
    plan = reported["check"]["plan"]
    assert {item["subject"] for item in plan} == {
        *("unit", "pod", "mount", "containerd", "rules", "interface", "route", "path")
    }
    assert reported["check"]["faults"] == []
    assert not [item for item in plan if "mine" in item["before"].lower() or "podman" in item["before"]]
    assert reported["before"]["units"] != []
    assert reported["before"]["namespaces"] == ["k8s.io", "mine"]


def test_a_mount_in_use_stops_it_before_any_file_goes(reported: dict[str, Any]) -> None:
    """The kubelet and the timers are stopped, and everything else is there."""
    assert "cannot be unmounted" in reported["busy"]["msg"]
    assert reported["stopped"] == {**reported["before"], "units": ["kubernetes-pod-traffic.service"]}


def test_a_mount_of_somebody_elses_is_refused(reported: dict[str, Any]) -> None:
    """It is named."""
    assert "/var/lib/kubelet/mine is a mount that Kubernetes did not make" in reported["foreign"]["msg"]


def test_what_the_cluster_made_goes_and_everything_else_stays(reported: dict[str, Any]) -> None:
    """Own chain and policy, own namespace of containerd, podman's network, own route, own files."""
    assert reported["reset"].get("msg") is None
    assert reported["after"] == {
        "files": [
            "/etc/kubernetes/mine",
            "/var/lib/etcd/mine",
            "/var/lib/cni/networks/podman/10.88.0.2",
            "/var/backups/kubernetes/example.tar",
            "/root/.kube/mine",
        ],
        "networks": ["87-podman.conflist"],
        "rules": [":INPUT DROP", ":MINE -", "-A INPUT -j MINE"],
        "interfaces": ["cni-podman0"],
        "routes": ["10.9.0.0/16"],
        "namespaces": ["mine"],
        "units": [],
        "mounted": False,
    }


def test_a_second_run_changes_nothing(reported: dict[str, Any]) -> None:
    """Its plan is empty."""
    assert (reported["second"]["changed"], reported["second"]["plan"]) == (False, [])
