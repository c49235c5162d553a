# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares the hosts of a run with those that it leaves out: whether a new one is a clone of one that works.

Control planes outside of the run are read as hosts are. They, or control planes of the run, tell by which machine id
and product_uuid the nodes of the cluster are known. Names and MAC addresses of others outside of the run are not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.host_machine import IDENTITIES
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.kubelet_versions import to_ask
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node

Facts = Mapping[str, Any]
# What the API knows of a machine.
OF_NODES = {"duplicate-machine-id": "machine_id", "duplicate-product-uuid": "product_uuid"}


class Known(NamedTuple):
    """A value by which a host outside of the run is known."""

    fault: str
    value: str
    host: str


def hosts_to_ask(nodes: Sequence[Node]) -> list[str]:
    """The control planes outside of the run to read: for their versions, and where a host is new, for its clones."""
    asked = set(to_ask(nodes))
    if any(not node.in_cluster and node.runs_kubelet and node.setting("left_out") for node in nodes) and not any(
        node.facts.get("nodes") for node in nodes
    ):
        played = {node.name for node in nodes}
        asked |= {host for node in nodes for host in node.setting("api_servers") or {} if host not in played}
    return sorted(asked)


def _known(nodes: Sequence[Node], left_out: Mapping[str, Facts]) -> Iterator[Known]:
    names = {str(name): host for node in nodes for name, host in (node.setting("left_out") or {}).items()}
    for host, facts in left_out.items():
        for fault, identity in IDENTITIES.items():
            yield from (Known(fault, value, host) for value in identity.values(facts) if value)
    of_cluster: Iterable[Facts] = (facts for facts in [*(node.facts for node in nodes), *left_out.values()])
    for facts in of_cluster:
        for machine in facts.get("nodes") or []:
            for fault, fact in OF_NODES.items():
                if machine["name"] in names and machine[fact]:
                    yield Known(fault, machine[fact], names[machine["name"]])


def clones(nodes: Sequence[Node], left_out: Mapping[str, Facts]) -> Iterator[Fault]:
    """What hosts of the run share with hosts that it leaves out.

    Args:
        nodes: the hosts of the run.
        left_out: what host_facts read of hosts outside of it.
    """
    known = list(dict.fromkeys(_known(nodes, left_out)))
    for node in nodes:
        for fault, identity in IDENTITIES.items():
            for value in dict.fromkeys(identity.values(node.facts)):
                holders = [one.host for one in known if (one.fault, one.value) == (fault, value)]
                if holders:
                    text = (
                        f"the {identity.what} {value} is that of {listed(list(dict.fromkeys(holders)))} too, which "
                        f"this run leaves out; {identity.advice}"
                    )
                    yield node.fault(fault, text)
