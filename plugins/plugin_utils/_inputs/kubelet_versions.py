# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the kubelets that a run would install against the API servers that run, also those it leaves out.

A kubelet must never be newer than an API server that it may reach
(https://kubernetes.io/releases/version-skew-policy/). What variables say of the control planes is no proof: new
programs upgrade no cluster. What is not known is not taken for fine where a kubelet would change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    Node,
    version_tuple,
)

SKEW_THREE_SINCE = 28
Facts = Mapping[str, Any]


def older_minors(newest: int) -> int:
    """How many minors a kubelet may be older than the newest API server."""
    return 3 if newest >= SKEW_THREE_SINCE else 2


def sort_key(version: str) -> tuple[Any, ...]:
    """By what versions are compared: a pre-release comes before its release."""
    release, _dash, early = version.partition("+")[0].partition("-")
    numbers = tuple(int(part) for part in re.findall(r"\d+", release)[:3])
    return (
        numbers,
        not early,
        [(not part.isdigit(), int(part) if part.isdigit() else part) for part in early.split(".")],
    )


@dataclass
class Running:
    """What is known of the control planes' API servers.

    Attributes:
        versions: by host.
        unknown: hosts that have or may have one, with the reason why its version is not known.
    """

    versions: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    def add(self, host: str, facts: Facts) -> None:
        """What a control plane's host says of itself; one that is in no cluster has none."""
        cluster = facts["cluster"]
        if host in self.versions:
            return
        if cluster["api_server_version"]:
            self.versions[host] = str(cluster["api_server_version"]).removeprefix("v")
            self.unknown.pop(host, None)
        elif cluster["kubelet_conf"]:
            self.unknown.setdefault(host, "no manifest of its API server names a version")
        else:
            self.unknown.pop(host, None)


def running(nodes: Sequence[Node], left_out: Mapping[str, Facts]) -> Running:
    """What the hosts of a run, those that were asked beside them, and the API servers themselves report."""
    found = Running()
    servers = {host: server for node in nodes for host, server in (node.setting("api_servers") or {}).items()}
    answers = [answer for node in nodes for answer in node.facts.get("api_servers") or []]
    for host, server in servers.items():
        given = [answer for answer in answers if server and answer["server"] == server]
        version = next((answer["version"] for answer in given if answer["version"]), "")
        if version:
            found.versions[host] = version
        else:
            silent = "no node of this run could ask it" if server else "its address is not known"
            found.unknown[host] = next((answer["error"] for answer in given), "") or silent
    for node in nodes:
        if CONTROL_PLANE in node.roles:
            found.add(node.name, node.facts)
    for host, facts in left_out.items():
        found.add(host, facts)
    return found


def _installed(node: Node) -> str:
    return str(node.facts["cluster"].get("kubelet_version") or "")


def _wanted(node: Node) -> str:
    return str(node.setting("kubernetes_version") or "")


def gets_newer(node: Node) -> bool:
    """Whether a run may give a node a newer kubelet than it has."""
    installed = _installed(node)
    return node.runs_kubelet and (not installed or sort_key(installed) < sort_key(_wanted(node)))


def to_ask(nodes: Sequence[Node]) -> list[str]:
    """The control planes outside of a run to ask, since no API server answered and a kubelet would change."""
    return (
        sorted(running(nodes, {}).unknown.keys() - {node.name for node in nodes}) if any(map(gets_newer, nodes)) else []
    )


def kubelet_versions(nodes: Sequence[Node], left_out: Mapping[str, Facts]) -> Iterator[Fault]:
    """Kubelets that would be newer than an API server, or much older, or of which that is not known."""
    known = running(nodes, left_out)
    for node in nodes:
        own = known.versions.get(node.name) if CONTROL_PLANE in node.roles else None
        # Of a control plane whose own API server has another version, that is reported already.
        if node.runs_kubelet and _wanted(node) and own in (None, _wanted(node)):
            yield from _node(node, known)


def _node(node: Node, known: Running) -> Iterator[Fault]:
    wanted, installed = _wanted(node), _installed(node)
    severity = ERROR if wanted != installed else WARNING
    older = [host for host, version in known.versions.items() if sort_key(version) < sort_key(wanted)]
    if older:
        lowest = min((known.versions[host] for host in older), key=sort_key)
        text = (
            f"kubernetes_version {wanted} is newer than the API server of {listed(sorted(older))} ({lowest}); "
            f"a kubelet must never be newer than an API server, and this play upgrades no cluster: set "
            f"kubernetes_version to {lowest}"
        )
        yield node.fault("skew-unsupported", text, severity)
        return
    newest = max((version_tuple(version)[1] for version in known.versions.values()), default=0)
    if newest - version_tuple(wanted)[1] > older_minors(newest):
        text = (
            f"kubernetes_version {wanted} does not fit API servers of 1.{newest}; a kubelet may be at most "
            f"{older_minors(newest)} minors older"
        )
        yield node.fault("skew-unsupported", text, severity)
    elif known.unknown and gets_newer(node) and (node.in_cluster or not known.versions):
        reasons = ", ".join(f"{host}: {why}" for host, why in sorted(known.unknown.items()))
        what, advice = "would be the kubelet's, which joins", "see that they can be reached"
        if node.in_cluster:
            what = f"would replace the kubelet {installed or 'of a version that is not known'}"
            advice += f", or set kubernetes_version to {installed}" if installed else ""
        text = (
            f"kubernetes_version {wanted} {what}, and which version the API servers run is not known ({reasons}); a "
            f"kubelet must never be newer than an API server: {advice}"
        )
        yield node.fault("version-unknown", text, ERROR if node.in_cluster else WARNING)
