# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates of a cluster's hosts are renewed, by what, and what came of it.

Read on the hosts, decided here for all of them together: what stands against it is known before anything changes.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem, ResultRow, columns
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import DAY, READERS, Found

BY_KUBEADM = ("leaf", "kubeconfig")
AUTHORITIES = ("ca", "front-proxy-ca", "etcd/ca")
GUIDE = "docs/certificates.md, 'An external authority'"


@dataclass(frozen=True)
class Host:
    """A host's certificates, as certificates_info gave them."""

    name: str
    certificates: Tuple[Found, ...]
    keys: Tuple[str, ...]

    @classmethod
    def of(cls, name: str, info: Mapping[str, Any]) -> Host:
        """From what the module returned."""
        return cls(name, tuple(Found.of(one) for one in info["certificates"]), tuple(info["authorities"]))


@dataclass
class Plan:
    """What is to be done.

    Attributes:
        items: the steps, in their order.
        faults: why nothing may be done.
        notes: what people should look at.
        ended: control planes on which something of kubeadm's or the kubelet's client has ended.
        control_planes: those that take their turn.
        kubelets: hosts whose kubelets are mended.
        bootstraps: of these, those that need a token.
        etcd: hosts of external etcd whose members' certificates are renewed.
        etcd_clients: control planes whose certificate for external etcd is.
        copies: hosts whose copies of admin.conf follow.
    """

    items: List[PlanItem] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)
    ended: List[str] = field(default_factory=list)
    control_planes: List[str] = field(default_factory=list)
    kubelets: List[str] = field(default_factory=list)
    bootstraps: List[str] = field(default_factory=list)
    etcd: List[str] = field(default_factory=list)
    etcd_clients: List[str] = field(default_factory=list)
    copies: List[str] = field(default_factory=list)

    def describe(self) -> Dict[str, Any]:
        """As a filter returns it."""
        return {**asdict(self), "items": [item.describe() for item in self.items]}


def day_of(ends: float, now: float) -> str:
    """When a certificate ends, for people."""
    left = int((ends - now) // DAY)
    said = f"{left} days" if left >= 0 else "ended"
    return f"{time.strftime('%Y-%m-%d', time.gmtime(ends))} ({said})"


def make_plan(hosts: Sequence[Host], days: float, now: float) -> Plan:
    """The plan for all hosts.

    Args:
        hosts: as they were read; one without a name in the inventory is the machine that runs Ansible.
        days: how many days a certificate must still be good.
        now: the time, in seconds since 1970.
    """
    plan = Plan()
    admins = [one for host in hosts for one in host.certificates if one.name == "admin.conf" and one.authority]
    etcd, turns, kubelets, copies = [], [], [], []
    for host in hosts:
        plan.notes += _notes(host, days, now)
        for one in host.certificates:
            due = one.due(days, now)
            if one.kind == "etcd" and due:
                member = one.name.startswith("etcd-")
                _add(plan.etcd if member else plan.etcd_clients, host.name)
                etcd.append(_item(host, one, now, "issued by etcd's authority"))
            elif one.kind in BY_KUBEADM and due:
                plan.faults += _unfit(host, one, now)
                _add(plan.control_planes, host.name)
                turns.append(_item(host, one, now, "renewed by kubeadm", READERS.get(one.name.replace(".conf", ""))))
            elif one.kind == "memory" and due:
                _add(plan.control_planes, host.name)
                turns.append(_item(host, one, now, "made at its start", one.name))
            elif one.kind == "kubelet" and due and not (one.name == "kubelet-serving" and one.signer):
                _kubelet(plan, host, one, now)
                kubelets.append(_item(host, one, now, "renewed", "kubelet"))
            elif one.kind == "copy" and due and _follows(one, admins):
                _add(plan.copies, host.name)
                copies.append(_item(host, one, now, "as admin.conf"))
            if one.kind in BY_KUBEADM and one.ended(now):
                _add(plan.ended, host.name)
            if one.pod and not due:
                _add(plan.control_planes, host.name)
                turns.append(PlanItem(host.name, one.pod, f"older {one.name}", one.name, (one.pod,)))
    plan.items = etcd + turns + kubelets + copies
    return plan


def _add(names: List[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _item(host: Host, one: Found, now: float, after: str, restarts: Optional[str] = None) -> PlanItem:
    return PlanItem(host.name, one.name, day_of(one.ends, now), after, (restarts,) if restarts else ())


def _kubelet(plan: Plan, host: Host, one: Found, now: float) -> None:
    _add(plan.kubelets, host.name)
    if one.name == "kubelet-client" and one.ended(now):
        _add(plan.ended if "ca" in host.keys else plan.bootstraps, host.name)


def _follows(copy: Found, admins: Sequence[Found]) -> bool:
    """Whether a kubeconfig is the administrator's of this cluster."""
    return any((copy.user, copy.groups, copy.authority) == (one.user, one.groups, one.authority) for one in admins)


def _unfit(host: Host, one: Found, now: float) -> List[str]:
    """Why kubeadm cannot issue a certificate."""
    if one.signer not in host.keys:
        return [
            f"{host.name}: {one.path} {_when(one, now)}, and the key of its authority, "
            f"/etc/kubernetes/pki/{one.signer}.key, is not on the host. Have it signed where that is kept: see {GUIDE}"
        ]
    authority = next((ca for ca in host.certificates if (ca.kind, ca.name) == ("authority", one.signer)), None)
    if authority and authority.ended(now):
        return [
            f"{host.name}: {one.path} {_when(one, now)}, and its authority, {authority.path}, has ended. What it signs "
            "is good for nobody: see docs/certificates.md, 'The authorities'"
        ]
    return []


def _when(one: Found, now: float) -> str:
    return f"{'ended' if one.ended(now) else 'ends'} on {time.strftime('%Y-%m-%d', time.gmtime(one.ends))}"


def _notes(host: Host, days: float, now: float) -> List[str]:
    """What nobody does by itself, and people should know."""
    notes = [
        f"{host.name}: {one.name} ({one.path or one.address}): {one.error}" for one in host.certificates if one.error
    ]
    for one in host.certificates:
        if one.kind in ("authority", "given") and one.due(days, now):
            notes.append(f"{host.name}: {one.path} {_when(one, now)}: see docs/certificates.md, 'The authorities'")
        if one.name == "kubelet-serving" and one.signer and one.due(days, now):
            notes.append(f"{host.name}: {one.path} {_when(one, now)}: what the kubelet asks for is approved at the end")
    return notes


def table(hosts: Sequence[Host], now: float) -> List[str]:
    """All certificates, as lines."""
    rows: List[Sequence[str]] = [("HOST", "CERTIFICATE", "ENDS", "SERVED AT", "SHOWS")]
    for host in hosts:
        for one in host.certificates:
            shows = "the file's" if one.served == one.serial else f"an older one ({one.served})"
            rows.append(
                (
                    host.name,
                    one.name,
                    day_of(one.ends, now) if one.ends else "unknown",
                    one.address or "-",
                    "-" if not one.address else "no answer" if not one.served else shows if one.path else "in memory",
                )
            )
    return columns(rows)


def results(
    before: Sequence[Host], after: Sequence[Host], plan: Sequence[PlanItem], seconds: Mapping[str, float], now: float
) -> List[ResultRow]:
    """What came of each step: a certificate's end before and after.

    Args:
        before: as the plan was made.
        after: as it is now.
        plan: the steps.
        seconds: how long it took on each host.
        now: the time, in seconds since 1970.
    """
    old, new = (
        {(host.name, one.name): one for host in hosts for one in host.certificates} for hosts in (before, after)
    )
    rows = []
    for item in plan:
        key = (item.host, item.subject)
        stale = [one for (host, _name), one in new.items() if host == item.host and one.pod in item.restarts]
        one = new.get(key)
        if key in old and one:
            done = one.serial != old[key].serial and not one.pod and not stale
            after_text = day_of(one.ends, now) if one.ends else "unknown"
        else:
            done, after_text = not stale and item.host in {host.name for host in after}, item.after
        took = seconds.get(item.host, 0.0)
        rows.append(ResultRow(item.host, item.subject, item.before, after_text, took, "changed" if done else "failed"))
    return rows
