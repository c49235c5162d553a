"""What network plugins leave goes from a real kernel, and nothing else does. nft and ipset: by unit tests alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import network_remains

COLLECTIONS = Path(network_remains.__file__).parents[6]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("iptables-legacy-save"), reason="needs root and iptables"
)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the module returned, and what there was."""
    script = Path(__file__).with_name("network_host.py")
    command = ["unshare", "--mount", "--net", sys.executable, script, tmp_path_factory.mktemp("host"), COLLECTIONS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_check_mode_names_everything_and_changes_nothing(reported: dict[str, Any]) -> None:
    """One of each kind; what is of others is in no line."""
    removed = reported["check"]["removed"]
    assert {line.split()[0] for line in removed} == {"unit", "rules", "interface", "route", "path"}
    assert not [line for line in removed if "mine" in line.lower() or "podman" in line or "KUBE" in line]
    assert reported["check"]["diff"][0]["before"].splitlines() == removed
    assert reported["checked"] == reported["before"]


def test_one_plugin_goes_and_others_stay(reported: dict[str, Any]) -> None:
    """Of bridge, everything; of the others, nothing."""
    before, now = reported["before"], reported["without_bridge"]
    assert sorted({*before["links"]} - {*now["links"]}) == ["cni0", "pod-vxlan"]
    assert [rule for rule in before["rules"] if rule not in now["rules"] and "kubernetes" not in rule] == []
    assert not [rule for rule in now["rules"] if "kubernetes" in rule]
    assert now["routes"] == ["10.9.0.0/16", "10.244.2.0/24"]
    assert now["units"] == ["mine.service"]
    gone = {*before["files"]} - {*now["files"]}
    assert gone == {
        "/etc/cni/net.d/10-bridge.conflist",
        "/etc/kubernetes/pod-forwarding",
        "/etc/kubernetes/pod-routes",
        "/etc/systemd/system/kubernetes-pod-routes.service",
        "/etc/systemd/system/kubernetes-pod-traffic.service",
        "/var/lib/cni/networks/kubernetes/10.244.0.2",
        "/var/lib/cni/results/kubernetes-1-eth0",
    }


def test_nothing_is_left_of_any(reported: dict[str, Any]) -> None:
    """Only what others have, and a second run finds nothing."""
    after = reported["after"]
    assert after["links"] == ["cni-podman0", "lo", "mine.1", "mine0", "mine1"]
    assert [chain for chain in after["chains"] if chain not in ("MINE", "KUBE-FORWARD")] == [
        # Another program's network has rules there.
        "CNI-DN-podman",
        "CNI-HOSTPORT-DNAT",
    ]
    assert len(after["rules"]) == 3
    assert after["routes"] == ["10.9.0.0/16"]
    assert after["files"] == [
        "/etc/cni/net.d/87-podman.conflist",
        "/etc/kubernetes/admin.conf",
        "/var/lib/cni/networks/podman/10.88.0.2",
        "/var/lib/cni/results/podman-1-eth0",
    ]
    assert (reported["again"]["changed"], reported["again"]["removed"]) == (False, [])
