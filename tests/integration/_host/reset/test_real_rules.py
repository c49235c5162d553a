"""A cluster's rules on a real kernel, in a network namespace of its own: they go, and others' stay."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_rules

PROGRAMS = [
    path
    for family in ("iptables", "ip6tables")
    for variant in ("nft", "legacy")
    if (path := shutil.which(f"{family}-{variant}-save"))
]
THEIRS = """\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:MINE - [0:0]
-A INPUT -j MINE
-A FORWARD -j MINE
-A MINE -p tcp -m tcp --dport 22 -m comment --comment "mine, not KUBE-FORWARD" -j ACCEPT
COMMIT
"""
CLUSTERS = """\
*filter
:KUBE-FORWARD - [0:0]
:KUBE-FIREWALL - [0:0]
-I INPUT -j KUBE-FIREWALL
-A MINE -j KUBE-FORWARD
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -m comment --comment kubernetes-pods -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FIREWALL -j KUBE-FORWARD
COMMIT
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not PROGRAMS, reason="needs root and iptables")


class Namespace:
    """A network namespace, and one variant of iptables in it."""

    def __init__(self, program: str) -> None:
        self.name, self.program = f"groundwork-reset-{os.getpid()}", program
        subprocess.run(["ip", "netns", "add", self.name], check=True)

    def run(self, program: str, *arguments: str, stdin: str = "") -> str:
        """Run a program there."""
        command = ["ip", "netns", "exec", self.name, program, *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True, text=True).stdout

    def restore(self, text: str) -> None:
        """Give the variant's restore program lines, as the module does."""
        self.run(self.program.removesuffix("-save") + "-restore", "--noflush", "--wait", "10", stdin=text)

    def rules(self) -> list[str]:
        """All lines but comments and counters."""
        lines = self.run(self.program).splitlines()
        return [line.partition(" [")[0] for line in lines if not line.startswith("#")]

    def removals(self) -> list[reset_rules.Removal]:
        """What is due."""
        tables = reset_rules.parse(self.run(self.program))
        return [found for table in tables if (found := reset_rules.removal(table, [], False)).lines]


@pytest.fixture(params=PROGRAMS)
def namespace(request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    namespace = Namespace(request.param)
    yield namespace
    subprocess.run(["ip", "netns", "delete", namespace.name], check=True)


def test_the_clusters_rules_go_and_others_stay(namespace: Namespace) -> None:
    """The policy DROP, the user's chain and its rules are as they were, and nothing is left to do."""
    namespace.restore(THEIRS)
    before = namespace.rules()
    namespace.restore(CLUSTERS)
    (removal,) = namespace.removals()
    assert set(removal.chains) == {"KUBE-FORWARD", "KUBE-FIREWALL"}
    assert removal.rules == 4
    namespace.restore("".join(f"{line}\n" for line in removal.lines))
    assert namespace.rules() == before
    assert namespace.removals() == []
