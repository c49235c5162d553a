# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of the cluster's authority: in which stage each host is, what is next, and what speaks against it.

Read on the hosts and in the cluster, decided here for all of them together. A stage begins when the ones before it are
done everywhere. A host that has begun a later stage has done the earlier ones, whatever it was interrupted in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.authority_holders import (
    CLUSTER_INFO,
    OldPod,
    restartable,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem, ResultRow, columns
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.ca_rotation import (
    MANAGER,
    Authority,
    Files,
    State,
)

TRUST, RESTART, ISSUE, DROP = STAGES = ("trust", "restart", "issue", "drop")
PAGE = "docs/rotate-the-ca.md"
FILES = Files()
CLUSTER = "the cluster"
KUBELET = "kubelet-client"
ADMIN = "/etc/kubernetes/admin.conf"
SHOWN = 8
STATIC = ("kube-apiserver", MANAGER, "kube-scheduler")


@dataclass(frozen=True)
class Cluster:
    """What the cluster's objects say, as ca_rotation_cluster gave it."""

    holders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    old_pods: Sequence[OldPod] = ()
    nodes: Mapping[str, bool] = field(default_factory=dict)
    since: str = "unknown"

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Cluster:
        """From what the module returned; empty if it did not run."""
        if not value:
            return cls()
        return cls(value["holders"], tuple(OldPod(**one) for one in value["old_pods"]), value["nodes"], value["since"])


@dataclass(frozen=True)
class Wish:
    """What is wanted.

    Attributes:
        stage: the stage; empty to look only.
        nodes: by host that must be there, the name of its node.
        namespaces: those whose workloads are restarted.
        allow_old_pods: whether pods may stay that trust the old authority alone.
    """

    stage: str = ""
    nodes: Mapping[str, str] = field(default_factory=dict)
    namespaces: Sequence[str] = ()
    allow_old_pods: bool = False


@dataclass
class Plan:
    """What is to be done.

    Attributes:
        new: the new authority's certificate in PEM; empty if there is none yet.
        new_host: a control plane that has it with its key, or is to make it.
        helper: a control plane whose administrator's kubeconfig trusts all that the host trusts.
        next: the stage that is next now; empty if no rotation is under way.
        hosts: those that have something to do in the stage.
        cluster: whether there is something to do in the cluster.
        items: the steps.
        faults: why nothing may be done.
        text: how far it is, as lines.
    """

    new: str = ""
    new_host: str = ""
    helper: str = ""
    next: str = ""
    hosts: list[str] = field(default_factory=list)
    cluster: bool = False
    items: list[PlanItem] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """As a filter returns it."""
        return {**asdict(self), "items": [item.describe() for item in self.items]}


def _prints(authorities: Sequence[Authority]) -> list[str]:
    return [one.fingerprint for one in authorities]


def _begun(host: State, new: Authority) -> str:
    """The latest stage that a host has begun; empty for none."""
    trusted = _prints(host.authorities)
    if trusted == [new.fingerprint]:
        return DROP
    if trusted[:1] == [new.fingerprint]:
        return ISSUE
    return TRUST if new.fingerprint in trusted else ""


def lacking(host: State, new: Authority, stage: str) -> list[str]:
    """What a host lacks of a stage; nothing if it has done that, or is a stage further."""
    begun, plane = _begun(host, new), host.role == "control_plane"
    if stage == TRUST:
        return [] if begun in (ISSUE, DROP) else _lacks_trust(host, new, plane)
    if stage == ISSUE:
        wrong = [name for name, key in host.issued.items() if key != new.key_id]
        if plane and begun != DROP:
            own = begun == ISSUE and host.signs_with_next and host.signing == new.fingerprint
            wrong += [] if own else ["the key that signs"]
            wrong += [] if new.fingerprint in host.shown else ["what the API server shows"]
            wrong += [f"{name} runs with what was before" for name in host.old]
        return wrong
    if stage == DROP:
        found = [] if begun == DROP else [FILES.authority[0]]
        found += [path for path, trusted in host.trusts.items() if list(trusted) != [new.fingerprint]]
        if plane and (host.next or host.signing_file != FILES.authority[0]):
            found.append(FILES.folder)
        return found + [f"{name} runs with what was before" for name in host.old if begun == DROP]
    return []


def _lacks_trust(host: State, new: Authority, plane: bool) -> list[str]:
    trusted = _prints(host.authorities)
    found = []
    if new.fingerprint not in trusted:
        found.append(FILES.authority[0])
    if plane:
        if _prints(host.next) != [new.fingerprint] or not host.next_has_key:
            found.append(FILES.next[0])
        signs = [host.signing_file, *host.signing_running] == [FILES.signing] * 2 and [host.signing] == trusted[:1]
        found += [] if signs else [FILES.signing]
    found += [path for path, trusts in host.trusts.items() if new.fingerprint not in trusts]
    return found + [f"{name} runs with what was before" for name in host.old if new.fingerprint in trusted]


def cluster_lacks(cluster: Cluster, new: Authority, stage: str) -> list[str]:
    """The objects that do not hand out what they are to hand out after a stage."""
    if stage == TRUST:
        return [name for name, found in cluster.holders.items() if new.fingerprint not in found]
    if stage == DROP:
        return [name for name, found in cluster.holders.items() if list(found) != [new.fingerprint]]
    return []


def find_new(hosts: Mapping[str, State], cluster: Cluster, faults: list[str]) -> Authority | None:
    """The new authority, if a rotation is under way.

    Args:
        hosts: what each has.
        cluster: what the objects hand out.
        faults: gets a message where it is not known which one is new.
    """
    planes = {name: host for name, host in hosts.items() if host.role == "control_plane" and host.authorities}
    found = {one.fingerprint: one for host in planes.values() for one in host.next}
    if len(found) > 1:
        where = ", ".join(name for name, host in planes.items() if host.next)
        faults.append(
            f"{where}: {FILES.next[0]} differ, so it is not known which authority is the new one. Remove the folder "
            f"{FILES.folder} where {FILES.authority[0]} does not hold what it has"
        )
        return None
    if found:
        return next(iter(found.values()))
    trusted = {tuple(_prints(host.authorities)) for host in planes.values()}
    if len(trusted) > 1:
        faults.append(
            f"{', '.join(planes)}: {FILES.authority[0]} differ, and no rotation of this collection is under way"
        )
        return None
    only = next(iter(planes.values())).authorities if planes else []
    if len(only) > 1:
        faults.append(
            f"{', '.join(planes)}: {FILES.authority[0]} holds {len(only)} certificates, and {FILES.next[0]} does not "
            "tell which is the new one. What this collection does not know it does not rotate: leave the one that signs"
        )
        return None
    if not only:
        return None
    left = [name for name, host in hosts.items() if host.role != "none" and lacking(host, only[0], DROP)]
    # The control planes have dropped the old one, and the rest has not.
    return only[0] if left or cluster_lacks(cluster, only[0], DROP) else None


def make_plan(hosts: Mapping[str, State], cluster: Cluster, wish: Wish, now: float) -> Plan:
    """The plan for all hosts.

    Args:
        hosts: what each has.
        cluster: what its objects and pods have.
        wish: what is wanted.
        now: the time, in seconds since 1970.
    """
    plan = Plan(faults=_faults(hosts, cluster, wish, now))
    new = find_new(hosts, cluster, plan.faults)
    nodes = {name: host for name, host in hosts.items() if host.role != "none"}
    planes = [name for name, host in nodes.items() if host.role == "control_plane"]
    left = {stage: _left(nodes, cluster, wish, new, stage) for stage in STAGES} if new else {}
    plan.next = next((stage for stage in STAGES if left.get(stage)), "") if new else ""
    holding = [name for name in planes if new and _prints(nodes[name].next) == [new.fingerprint]]
    plan.new_host = next((name for name in holding if nodes[name].next_has_key), planes[0] if planes else "")
    whole = [name for name in planes if set(nodes[name].trusts.get(ADMIN, [])) >= set(_prints(nodes[name].authorities))]
    plan.helper = next(iter([*whole, *planes]), "")
    if new:
        plan.new = new.pem
    plan.text = _text(nodes, cluster, new, plan.next, left.get(plan.next, {}))
    if wish.stage and new:
        for stage in STAGES[: STAGES.index(wish.stage)]:
            plan.faults += [_not_done(stage, name, what) for name, what in left[stage].items()]
        plan.hosts = [name for name in nodes if lacking(nodes[name], new, wish.stage)]
        plan.cluster = CLUSTER in left[wish.stage] or bool(plan.hosts and wish.stage in (TRUST, ISSUE, DROP))
    elif wish.stage == TRUST:
        plan.hosts, plan.cluster = list(nodes), True
    plan.items = _items(nodes, cluster, wish, new, plan)
    return plan


def _not_done(stage: str, name: str, what: Sequence[str]) -> str:
    """Why a later stage may not begin."""
    if stage == RESTART:
        return (
            f"These trust the old authority alone, since they were started before the new one was added: "
            f"{', '.join(what)}. Run the stage restart, and restart those of other namespaces than "
            "certificates_rotation_namespaces yourself; or, if they do not ask the API, set "
            "certificates_rotation_allow_old_pods"
        )
    return f"{name}: the stage {stage} is not done ({_some(what)}): run it first, -e certificates_rotation={stage}"


def _left(nodes: Mapping[str, State], cluster: Cluster, wish: Wish, new: Authority, stage: str) -> dict[str, list[str]]:
    """What is left of a stage, by host."""
    found = {name: lacking(host, new, stage) for name, host in nodes.items()}
    # Who trusts the old one alone is cut off then already.
    later = any(_begun(host, new) in (ISSUE, DROP) for host in nodes.values() if host.role == "control_plane")
    if stage == RESTART:
        pods = [] if later or wish.allow_old_pods else cluster.old_pods
        found[CLUSTER] = [f"pod {pod.namespace}/{pod.name}" for pod in pods]
    else:
        found[CLUSTER] = cluster_lacks(cluster, new, stage)
        if stage == TRUST and not cluster.since and not later:
            found[CLUSTER].append("since when they do is not noted")
    return {name: what for name, what in found.items() if what}


def _faults(hosts: Mapping[str, State], cluster: Cluster, wish: Wish, now: float) -> list[str]:
    """What speaks against any stage."""
    faults = [
        f"{name} is in the inventory and was not looked at: leave no host out with --limit, and take those that are "
        "gone out of the inventory"
        for name in wish.nodes
        if name not in hosts
    ]
    known = {wish.nodes.get(name, name) for name, host in hosts.items() if host.role != "none"}
    faults += [
        f"node {name} is no host of this inventory, and would be cut off: remove it (docs/remove-a-node.md), or add it"
        for name in cluster.nodes
        if name not in known
    ]
    # One whose kubelet was interrupted while it asked for a certificate is mended by the stage itself.
    asking = {wish.nodes.get(name, name) for name, host in hosts.items() if host.issued.get(KUBELET) == ""}
    faults += [
        f"node {name} is not ready: mend it first"
        for name, ready in cluster.nodes.items()
        if not ready and name not in asking
    ]
    faults += [f"{name}: {error}" for name, host in hosts.items() for error in host.errors]
    for name, host in hosts.items():
        if host.role != "control_plane":
            continue
        if not host.has_key:
            faults.append(
                f"{name}: {FILES.authority[1]} is not on the host, so the authority is kept elsewhere and its owner "
                f"rotates it: see {PAGE}, 'An external authority'"
            )
        if host.signing_file and host.signing_file not in (FILES.authority[0], FILES.signing):
            faults.append(
                f"{name}: the controller manager signs with {host.signing_file}, which is not the cluster's authority. "
                f"Such a cluster is rotated by hand: see {PAGE}, 'What is refused'"
            )
        if host.authorities and max(one.ends for one in host.authorities) <= now:
            faults.append(
                f"{name}: {FILES.authority[0]} has ended, so nobody trusts anybody and no stage can be proven: see "
                f"{PAGE}, 'What is refused'"
            )
    return faults


def _short(prints: Sequence[str]) -> str:
    return " + ".join(one[:8] for one in prints) or "none"


def _text(
    nodes: Mapping[str, State], cluster: Cluster, new: Authority | None, following: str, left: Mapping[str, list[str]]
) -> list[str]:
    """How far the rotation is."""
    rows: list[Sequence[str]] = [("HOST", "TRUSTS", "SIGNED BY THE NEW ONE", "RUNS WITH WHAT WAS BEFORE")]
    for name, host in nodes.items():
        signed = [key == new.key_id for key in host.issued.values()] if new else []
        share = f"{sum(signed)} of {len(host.issued)}" if new else "-"
        rows.append((name, _short(_prints(host.authorities)), share, ", ".join(host.old) if new and host.old else "-"))
    rows.append((CLUSTER, _short(cluster.holders.get(CLUSTER_INFO, [])), "-", "-"))
    lines = columns(rows)
    if new is None:
        return [*lines, "", "No rotation is under way. It begins with the stage trust."]
    lines += ["", f"The new authority is {new.fingerprint[:8]}."]
    if not following:
        return [*lines, "All stages are done."]
    lines.append(f"Next: -e certificates_rotation={following}. It is left to do on:")
    return lines + [f"  {name}: {_some(what)}" for name, what in left.items()]


def _some(what: Sequence[str]) -> str:
    """The first of many."""
    more = f", and {len(what) - SHOWN} more" if len(what) > SHOWN else ""
    return ", ".join(what[:SHOWN]) + more


def _items(
    nodes: Mapping[str, State], cluster: Cluster, wish: Wish, new: Authority | None, plan: Plan
) -> list[PlanItem]:
    """The steps of the stage."""
    stage, name_of_new = wish.stage, new.fingerprint[:8] if new else "the new one"
    items = []
    if stage == TRUST and new is None and nodes:
        items.append(PlanItem(plan.new_host, "new authority", "", "made by kubeadm"))
    if stage == RESTART and new:
        for workload in restartable(_pods(nodes, cluster, new), wish.namespaces):
            namespace, kind, name = workload.split("/")
            before = f"trusts what was before {name_of_new}"
            items.append(PlanItem(CLUSTER, f"{kind} {namespace}/{name}", before, "restarted", (f"{kind} {name}",)))
        plan.cluster = bool(items)
        return items
    after = {TRUST: "+ " + name_of_new, ISSUE: f"issued by {name_of_new}", DROP: name_of_new}.get(stage, "")
    # Control planes first, one after the other.
    for plane in (True, False):
        for name in plan.hosts:
            host = nodes[name]
            if (host.role == "control_plane") == plane:
                restarts = (*STATIC, "kubelet") if plane else ("kubelet",)
                items.append(PlanItem(name, stage, _short(_prints(host.authorities)), after, restarts))
        if plane and plan.cluster and stage:
            before = _short(cluster.holders.get(CLUSTER_INFO, []))
            items.append(PlanItem(CLUSTER, f"{stage}: what hosts and pods are given", before, after))
    return items


def _pods(nodes: Mapping[str, State], cluster: Cluster, new: Authority) -> Sequence[OldPod]:
    later = any(_begun(host, new) in (ISSUE, DROP) for host in nodes.values() if host.role == "control_plane")
    return [] if later else cluster.old_pods


def results(
    items: Sequence[PlanItem], hosts: Mapping[str, State], cluster: Cluster, wish: Wish, seconds: Mapping[str, float]
) -> list[ResultRow]:
    """What came of the steps, by what there is now.

    Args:
        items: the steps.
        hosts: what each has now.
        cluster: what its objects and pods have now.
        wish: what was wanted.
        seconds: how long it took by host.
    """
    new = find_new(hosts, cluster, [])
    rows = []
    for item in items:
        if new is None:  # the last stage ends so
            done = wish.stage == DROP and bool(hosts)
        elif item.host == CLUSTER and wish.stage == RESTART:
            left = restartable(_pods(hosts, cluster, new), wish.namespaces)
            kind, _space, name = item.subject.partition(" ")
            done = "/".join([name.partition("/")[0], kind, name.partition("/")[2]]) not in left
        elif item.host == CLUSTER:
            done = not cluster_lacks(cluster, new, wish.stage)
        else:
            done = item.host in hosts and not lacking(hosts[item.host], new, wish.stage)
        result = "changed" if done else "failed"
        rows.append(ResultRow(item.host, item.subject, item.before, item.after, seconds.get(item.host, 0.0), result))
    return rows
