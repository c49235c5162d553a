"""What kube-proxy has left of another mode goes from a real kernel's rules, where it is known to run otherwise."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import proxy_rules

COLLECTIONS = Path(proxy_rules.__file__).parents[6]
# Of others, and what the kubelet has too.
STAY = ["KUBE-FIREWALL", "KUBE-MARK-MASQ", "KUBE-POSTROUTING", "MINE"]

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("iptables-legacy-save"), reason="needs root and iptables"
)


@pytest.fixture(scope="module")
def reported() -> dict[str, Any]:
    """What the module returned, and what there was."""
    script = Path(__file__).with_name("proxy_host.py")
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", sys.executable, script, COLLECTIONS]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize(
    ("run", "mode", "warning"),
    [
        ("silent", "none", "runs in mode none in place of iptables"),
        ("nonsense", "", "does not tell its mode, but 200 'nonsense'"),
        ("other", "ipvs", "runs in mode ipvs in place of iptables"),
        ("none_while_it_runs", "iptables", "runs in mode iptables in place of none"),
        ("elsewhere", "", "kube-proxy runs and does not answer"),
    ],
)
def test_nothing_goes_where_the_mode_is_not_known(reported: dict[str, Any], run: str, mode: str, warning: str) -> None:
    """A warning says why."""
    result = reported[run]
    assert (result["changed"], result["mode"], result["removed"]) == (False, mode, [])
    assert [text for text in result["warnings"] if warning in str(text)]
    there = {"none_while_it_runs": "iptables", "elsewhere": "ipvs"}.get(run)
    assert result["chains"] == (reported[there]["chains"] if there else reported["before"])


def test_check_mode_says_what_would_go(reported: dict[str, Any]) -> None:
    """And removes nothing."""
    assert reported["check"]["removed"] == [
        "rules iptables-legacy nat: 1 chains, 0 rules in other chains",
        "interface kube-ipvs0",
    ]
    assert reported["check"]["chains"] == reported["before"]


def test_to_iptables_and_again(reported: dict[str, Any]) -> None:
    """What IPVS alone has goes, and a second run finds nothing."""
    assert {*reported["before"]} - {*reported["iptables"]["chains"]} == {"KUBE-NODE-PORT", "kube-ipvs0"}
    assert (reported["again"]["changed"], reported["again"]["chains"]) == (False, reported["iptables"]["chains"])


def test_to_nftables(reported: dict[str, Any]) -> None:
    """Nothing of the two others stays."""
    assert reported["nftables"]["chains"] == STAY


def test_to_ipvs(reported: dict[str, Any]) -> None:
    """Services' own chains go, and what IPVS needs stays."""
    kept = ["KUBE-FIREWALL", "KUBE-FORWARD", "KUBE-MARK-MASQ", "KUBE-NODE-PORT", "KUBE-POSTROUTING", "KUBE-SERVICES"]
    assert reported["ipvs"]["chains"] == [*kept, "MINE", "kube-ipvs0"]


def test_to_none(reported: dict[str, Any]) -> None:
    """When nothing answers, all goes."""
    assert reported["none"]["chains"] == STAY
