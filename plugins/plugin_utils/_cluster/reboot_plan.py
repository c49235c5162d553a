# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts are rebooted, or are drained for other work, in what order, what that costs, and what forbids it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem, ResultRow
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import advise_by_variable

Result = Mapping[str, Any]


class Work(NamedTuple):
    """What is done with hosts, one after the other, each drained before.

    Attributes:
        purpose: of the drains, and the steps' name.
        after: what a host is afterwards; where it differs by host, its result has it.
        restarts: what is restarted.
        name: how a run that was cut off is called.
        role: whose variables allow what a drain or etcd's guard forbids.
    """

    purpose: str
    after: str
    restarts: str
    name: str
    role: str


REBOOT = Work("reboot", "rebooted", "the host", "a reboot", "reboot")


@dataclass(frozen=True)
class WalkPlan:
    """The hosts that are due, in their order, the steps, and the faults."""

    due: list[str]
    plan: list[PlanItem]
    faults: list[str]

    def describe(self) -> dict[str, Any]:
        """As plain values."""
        return {"due": self.due, "plan": [item.describe() for item in self.plan], "faults": self.faults}

    def rows(self, done: Mapping[str, Result]) -> list[dict[str, Any]]:
        """What came of it, with what the hosts have noted."""
        return [
            asdict(ResultRow.of(done[item.host]))
            if item.host in done
            else asdict(ResultRow(item.host, item.subject, item.before, "", 0, "not reached"))
            for item in self.plan
        ]


@dataclass(frozen=True)
class Seen:
    """What was seen before anything is done.

    Attributes:
        names: the names of the hosts as nodes.
        hosts: what was seen of each host, by host: reasons for which it is due, and faults and after, if it has them.
        nodes: what node_info returned of all nodes.
        previews: what the check of the drain returned, by host.
        guards: what the check of etcd's guard returned, by host.
        expected: the hosts that must be nodes.
        expected_members: the hosts that must be members of etcd.
        members: the names of its members.
    """

    names: Mapping[str, str]
    hosts: Mapping[str, Result]
    nodes: Sequence[Result]
    previews: Mapping[str, Result]
    guards: Mapping[str, Result]
    expected: Sequence[str] = ()
    expected_members: Sequence[str] = ()
    members: Sequence[str] = ()


def reasons_of(host: str, seen: Seen, only_if_needed: bool, work: Work) -> list[str]:
    """Why a host is due; empty where it is not."""
    purposes = seen.previews.get(host, {}).get("purposes") or {}
    if purposes.get(seen.names[host]) == work.purpose:
        return [f"{work.name} of it was begun and has not ended"]
    found = list(seen.hosts[host].get("reasons") or [])
    return found or ([] if only_if_needed else ["asked for"])


def unready(seen: Seen) -> list[str]:
    """The nodes that are not ready."""
    return [f"{node['name']} ({node['ready_message']})" for node in seen.nodes if not node["ready"]]


def strangers(host: str, seen: Seen) -> list[str]:
    """What a host is not, though it should be: it would be taken away without a drain, or without etcd's guard."""
    name = seen.names[host]
    cure = "compare kubernetes_node_name with what the cluster has, or take the host out of the group"
    found = []
    if host in seen.expected and name not in [node["name"] for node in seen.nodes]:
        found.append(f"there is no node {name}, so that nothing can be drained: {cure}")
    if host in seen.expected_members and name not in seen.members:
        found.append(f"etcd has no member {name}, so that its guard cannot be asked: {cure}")
    return found


def make_plan(seen: Seen, only_if_needed: bool, work: Work = REBOOT) -> WalkPlan:
    """Judge all hosts, and name everything that forbids it."""
    due: list[str] = []
    items: list[PlanItem] = []
    faults: list[str] = []
    for host in seen.hosts:
        why = reasons_of(host, seen, only_if_needed, work)
        if not why:
            continue
        due.append(host)
        preview = seen.previews.get(host, {})
        steps = preview.get("plan") or []
        faults += [f"{host}: {text}" for text in seen.hosts[host].get("faults") or []]
        faults += [f"{host}: {text}" for text in strangers(host, seen)]
        forbidding = [*(preview.get("reasons") or []), *(seen.guards.get(host, {}).get("reasons") or [])]
        faults += [f"{host}: {advise_by_variable(text, work.role)}" for text in forbidding]
        items.append(
            PlanItem(
                host,
                work.purpose,
                ", ".join(why),
                str(seen.hosts[host].get("after") or work.after),
                restarts=(work.restarts,),
                evicts=tuple(name for step in steps for name in step["evicts"]),
                disrupts="; ".join(step["disrupts"] for step in steps if step["disrupts"]),
            )
        )
    down = unready(seen)
    own = [seen.names[host] for host in due]
    others = [text for text in down if text.partition(" ")[0] not in own]
    if due and (others or len(down) > 1):
        names = ", ".join(others or down)
        faults.append(f"these nodes are not ready, and no other one is taken away beside them: {names}")
    return WalkPlan(due, items, faults)
