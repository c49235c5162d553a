# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster knows of accounts: bindings, service accounts, and a record of what was issued; and what is to change.

Requests for certificates are gone after an hour, and nobody keeps a token. So a ConfigMap for each account notes what
was issued and until when it holds. All objects carry the label; what does not carry it is somebody else's.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Set, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.accounts import (
    EVERYWHERE,
    OIDC,
    TOKEN,
    Account,
    Binding,
    Object,
    digest,
    slug,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import columns

LABEL = "groundwork.kubernetes/user"
RECORD, BINDING, ACCOUNT = "record", "binding", "account"
GROUP = "groundwork.kubernetes/group"
NAMESPACE = "kube-system"
RBAC = "rbac.authorization.k8s.io"
BINDINGS = ("RoleBinding", "ClusterRoleBinding")


def moment(seconds: float) -> str:
    """A time for people."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


class RecordError(Exception):
    """A note of what was issued cannot be read."""


@dataclass(frozen=True)
class Issued:
    """Something that was issued.

    Attributes:
        id: a certificate's serial number, or a token's unique id.
        kind: what it is.
        begins: since when it is there, in seconds since 1970.
        ends: until when it holds.
        delivered: whether its file was written; else it is lost.
    """

    id: str
    kind: str
    begins: int
    ends: int
    delivered: bool = False


@dataclass(frozen=True)
class Record:
    """What the cluster knows of an account."""

    title: str
    kind: str
    issued: Tuple[Issued, ...] = ()
    revoked: int = 0

    @classmethod
    def of(cls, item: Object) -> Record:
        """From its ConfigMap.

        Raises:
            RecordError: if it cannot be read.
        """
        data = item.get("data") or {}
        try:
            issued = tuple(Issued(**one) for one in json.loads(data["issued"]))
            return cls(data["account"], data["kind"], issued, int(data["revoked"]))
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(
                f"the ConfigMap {item['metadata']['name']} in {NAMESPACE} cannot be read ({error}), so that nobody "
                "knows what it notes: mend it, or delete it when all that it noted has ended"
            ) from error

    def object(self) -> Object:
        """As its ConfigMap."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"groundwork-user-{slug(self.title)[:200]}-{digest(self.title)}",
                "namespace": NAMESPACE,
                "labels": {LABEL: RECORD},
            },
            "data": {
                "account": self.title,
                "kind": self.kind,
                "issued": json.dumps([asdict(one) for one in self.issued], sort_keys=True),
                "revoked": str(self.revoked),
            },
        }

    def holding(self, now: float) -> List[Issued]:
        """What still logs in, or would if it had not been lost."""
        return [one for one in self.issued if one.ends > now]

    def until(self, now: float) -> int:
        """Until when the last of it holds; 0 where nothing does."""
        return max((one.ends for one in self.holding(now)), default=0)

    def with_issued(self, one: Issued, now: float) -> Record:
        """The record with something more; what has ended is forgotten."""
        return replace(self, issued=(*self.holding(now), one), revoked=0)

    def with_delivered(self, identifiers: Iterable[str]) -> Record:
        """The record, where files were written."""
        known = set(identifiers)
        return replace(
            self, issued=tuple(replace(one, delivered=True) if one.id in known else one for one in self.issued)
        )


@dataclass(frozen=True)
class Cluster:
    """What is there.

    Attributes:
        records: by the account's title.
        bindings: ours, in whatever namespace.
        service_accounts: titles of ours.
        names: (kind, namespace, name) of namespaces, roles and service accounts of whomever.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    bindings: Sequence[Object] = ()
    service_accounts: Sequence[str] = ()
    names: Set[Tuple[str, str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, items: Sequence[Object], names: str) -> Cluster:
        """From the objects with the label, and lines of kind, namespace and name."""
        found = [(item["metadata"]["labels"].get(LABEL), item) for item in items]
        records = [Record.of(item) for kind, item in found if kind == RECORD and item["kind"] == "ConfigMap"]
        accounts = [
            f"{item['metadata']['namespace']}/{item['metadata']['name']}"
            for kind, item in found
            if kind == ACCOUNT and item["kind"] == "ServiceAccount"
        ]
        lines = [line.split() for line in names.splitlines()]
        return cls(
            {record.title: record for record in records},
            [item for kind, item in found if kind == BINDING and item["kind"] in BINDINGS],
            accounts,
            {(line[0], "" if line[1] == "<none>" else line[1], line[2]) for line in lines if len(line) == 3},
        )


def binding_objects(bindings: Sequence[Binding], accounts: Sequence[Account]) -> List[Object]:
    """The objects that bind groups, with their members by name."""
    found = []
    for binding in bindings:
        members = [one.subject for one in accounts if binding.group in one.groups and not one.absent]
        members.sort(key=lambda subject: (subject["kind"], subject.get("namespace", ""), subject["name"]))
        group = {"kind": "Group", "apiGroup": RBAC, "name": binding.group}
        for namespace in binding.namespaces:
            everywhere = namespace == EVERYWHERE
            name = f"groundwork:{slug(binding.group)}:{slug(binding.role)}"
            metadata = {
                "name": f"{name[:200]}-{digest(binding.group, binding.kind, binding.role)}",
                "labels": {LABEL: BINDING},
                "annotations": {GROUP: binding.group},
            }
            found.append(
                {
                    "apiVersion": f"{RBAC}/v1",
                    "kind": "ClusterRoleBinding" if everywhere else "RoleBinding",
                    "metadata": metadata if everywhere else {**metadata, "namespace": namespace},
                    "roleRef": {"apiGroup": RBAC, "kind": binding.kind, "name": binding.role},
                    "subjects": [group, *members],
                }
            )
    return found


def what_it_allows(item: Object) -> str:
    """A binding's role and where that counts, for people."""
    return f"{item['roleRef']['name']} {place_of(item)}"


def place_of(item: Object) -> str:
    """Where a binding counts."""
    namespace = item["metadata"].get("namespace")
    return f"in {namespace}" if namespace else "everywhere"


def members_of(item: Optional[Object]) -> str:
    """Those that a binding names, for people."""
    subjects = (item or {}).get("subjects") or []
    names = [
        f"{one['namespace']}/{one['name']}" if one.get("namespace") else one["name"]
        for one in subjects
        if one["kind"] != "Group"
    ]
    return ", ".join(names) or ("the group alone" if item else "")


def cluster_faults(cluster: Cluster, bindings: Sequence[Binding], accounts: Sequence[Account]) -> List[str]:
    """What the cluster lacks, or has in the way."""
    found = []

    def there(kind: str, namespace: str, name: str) -> bool:
        return (kind, namespace, name) in cluster.names

    for binding in bindings:
        group = f"the group {binding.group}"
        for namespace in binding.namespaces:
            if namespace != EVERYWHERE and not there("Namespace", "", namespace):
                found.append(
                    f"{group} is to be bound in the namespace {namespace}, which does not exist; make it first"
                )
            elif binding.kind == "Role" and not there("Role", namespace, binding.role):
                found.append(f"{group}: the namespace {namespace} has no Role {binding.role}; make it first")
        if binding.kind == "ClusterRole" and not there("ClusterRole", "", binding.role):
            found.append(f"{group}: there is no ClusterRole {binding.role}; make it first, or correct the name")
    for account in accounts:
        if account.kind == TOKEN and not account.absent and not there("Namespace", "", account.namespace):
            found.append(f"{account.title}: the namespace {account.namespace} does not exist; make it first")
        foreign = account.title not in cluster.service_accounts
        if account.kind == TOKEN and foreign and there("ServiceAccount", account.namespace, account.name):
            found.append(
                f"{account.title}: this service account is there and not this collection's (label {LABEL}); take "
                "another name"
            )
    return list(dict.fromkeys(found))


def returning_faults(cluster: Cluster, accounts: Sequence[Account], now: float) -> List[str]:
    """Names that cannot be used again yet, since what was issued under them and revoked still logs in."""
    found = []
    for account in accounts:
        record = cluster.records.get(account.title)
        if record and record.revoked and not account.absent and record.until(now):
            serials = ", ".join(one.id for one in record.holding(now))
            found.append(
                f"{account.title} was revoked on {moment(record.revoked)}, and its certificate {serials} still logs in "
                f"until {moment(record.until(now))}: it would have the name's rights again; wait, or take another name"
            )
    return found


@dataclass(frozen=True)
class Due:
    """What is to be done with accounts.

    Attributes:
        revoke: accounts whose rights and service accounts go.
        create: service accounts that are missing.
        issue: accounts that get something to log in with.
        forget: titles of records of which nothing holds any more.
    """

    revoke: Sequence[Account] = ()
    create: Sequence[Account] = ()
    issue: Sequence[Account] = ()
    forget: Sequence[str] = ()


def due(cluster: Cluster, accounts: Sequence[Account], renew: Sequence[str], now: float) -> Due:
    """Compare what is there with what is wanted.

    What was issued once is not issued again when it has ended: only where it is asked for by name, or never arrived.
    """
    revoke, create, issue = [], [], []
    for account in accounts:
        record = cluster.records.get(account.title)
        ours = account.kind == TOKEN and account.title in cluster.service_accounts
        if account.absent:
            if ours or (record and not record.revoked and record.until(now)):
                revoke.append(account)
            continue
        if account.kind == TOKEN and not ours:
            create.append(account)
        delivered = any(one.delivered for one in (record.issued[-1:] if record else ()))
        # Of a service account that was deleted, no token is good any more.
        lost = account.kind == TOKEN and not ours
        if account.kind != OIDC and (lost or not delivered or account.title in renew):
            issue.append(account)
    named = {account.title for account in accounts if not account.absent}
    gone = {account.title for account in revoke}
    ended = [title for title, record in cluster.records.items() if title not in named | gone and not record.until(now)]
    return Due(revoke, create, issue, sorted(ended))


def unknown_names(names: Sequence[str], accounts: Sequence[Account]) -> List[str]:
    """Names that no account has."""
    known = {account.title for account in accounts if not account.absent and account.kind != OIDC}
    return [
        f"renew: {name} is no account; name one of {', '.join(sorted(known)) or 'none'}"
        for name in names
        if name not in known
    ]


def state_of(record: Optional[Record], account: Optional[Account], now: float) -> str:
    """What an account can log in with, for people."""
    kind = account.kind if account else record.kind if record else ""
    if kind == OIDC:
        until = record.until(now) if record else 0
        beside = f"; {record.kind} until {moment(until)}" if record and until else ""
        return f"OIDC, as long as its provider lets it{beside}"
    if record is None or not record.issued:
        return "revoked" if account and account.absent else "nothing issued yet"
    until = record.until(now)
    lost = "" if record.issued[-1].delivered else ", not handed over"
    if record.revoked:
        return f"revoked; its {kind} logs in until {moment(until)}" if until else "revoked"
    ends = f"{kind} until {moment(until)}" if until else f"{kind} ended {moment(record.issued[-1].ends)}"
    return f"{ends}{lost}{'' if account else ', not in the inventory'}"


def listed(
    cluster: Cluster, bindings: Sequence[Object], accounts: Sequence[Account], now: float
) -> List[Dict[str, Any]]:
    """Who has what until when.

    Args:
        cluster: its records count, also of accounts that are not wanted.
        bindings: the objects that bind, as they are afterwards.
        accounts: those that are wanted.
        now: the time, in seconds since 1970.
    """
    known = {account.title: account for account in accounts}
    found = []
    for title in sorted({*known, *cluster.records}):
        account, record = known.get(title), cluster.records.get(title)
        rights = [what_it_allows(item) for item in bindings if title in members_of(item).split(", ")]
        found.append(
            {
                "account": title,
                "kind": account.kind if account else record.kind if record else "",
                "groups": sorted(account.groups) if account and not account.absent else [],
                "may": rights,
                "expires": record.until(now) if record else 0,
                "state": state_of(record, account, now),
            }
        )
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> List[str]:
    """The list for people."""
    if not rows:
        return ["There are no accounts."]
    cells = [
        (row["account"], ", ".join(row["groups"]) or "-", ", ".join(row["may"]) or "nothing", row["state"])
        for row in rows
    ]
    return columns([("ACCOUNT", "GROUPS", "MAY", "LOGS IN BY"), *cells])
