# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a cluster has of accounts, and does step by step what is due.

Rights go before anything else. What is issued is noted before anybody gets it, so that the list is never short of it.
"""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Callable, Dict, List, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.account_state import (
    ACCOUNT,
    GROUP,
    LABEL,
    Cluster,
    Record,
    binding_objects,
    due,
    members_of,
    moment,
    place_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.accounts import (
    CERTIFICATE,
    EVERYWHERE,
    OIDC,
    TOKEN,
    Account,
    Binding,
    Object,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.credentials import (
    EXPIRATION_SINCE,
    Issuer,
    cluster_of,
    kubeconfig,
    oidc_user,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    FIELD_MANAGER,
    Change,
    Ref,
    as_list,
    from_output,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanItem

OURS = "configmaps,serviceaccounts,rolebindings,clusterrolebindings"
NAMED = "namespaces,serviceaccounts,roles,clusterroles"
NAMES = "--output=custom-columns=:.kind,:.metadata.namespace,:.metadata.name"


@dataclass(frozen=True)
class Step:
    """A step of the plan, and what does it; that tells what there is then, or nothing where the plan says it."""

    item: PlanItem
    work: Callable[[], str]


class AccountRun:
    """What is there, what is due, and how that is done.

    Args:
        module: its options are those of the module user.
        accounts: the accounts, proven to be possible.
        bindings: the bindings, proven to be possible.
        seal: encrypts a text for public keys.
    """

    def __init__(
        self,
        module: AnsibleModule,
        accounts: Sequence[Account],
        bindings: Sequence[Binding],
        seal: Callable[[str, Sequence[str]], str],
    ) -> None:
        self.module, self.accounts, self.bindings, self.seal = module, accounts, bindings, seal
        self.params = module.params
        self.kubectl = Kubectl(module, self.params["kubeconfig"])
        self.now = time.time()
        self.cluster = self._read()
        self.due = due(self.cluster, accounts, self.params["renew"], self.now)
        self.changes: List[Change] = []
        self.files: List[Dict[str, str]] = []
        self.issued: List[str] = []
        self._facts: Object = {}

    @property
    def seals(self) -> bool:
        """Whether something is to be encrypted."""
        return any(account.encrypt_to for account in self.due.issue)

    def _read(self) -> Cluster:
        everywhere = ("--all-namespaces",)
        items = (self.kubectl.get(OURS, *everywhere, f"--selector={LABEL}") or {}).get("items") or []
        return Cluster.of(items, self.kubectl.run("get", NAMED, *everywhere, "--no-headers", NAMES))

    def _apply(self, objects: Sequence[Object], dry_run: bool = False) -> List[Object]:
        """The objects as the server has, or would have, them afterwards. They are ours as a whole."""
        if not objects:
            return []
        options = ["--server-side", "--force-conflicts", f"--field-manager={FIELD_MANAGER}", "--output=json"]
        options += ["--dry-run=server"] if dry_run else []
        return from_output(self.kubectl.run("apply", *options, "--filename=-", stdin=as_list(objects)))

    def _delete(self, item: Object) -> None:
        self.kubectl.run("delete", "--ignore-not-found", "--wait=false", "--filename=-", stdin=as_list([item]))

    def _compare(self) -> List[Change]:
        """What becomes of bindings; without any data, nothing."""
        if not self.accounts and not self.bindings:
            return []
        live = {Ref.of(item): item for item in self.cluster.bindings}
        wanted = binding_objects(self.bindings, self.accounts)
        found = [
            Change(Ref.of(after), live.get(Ref.of(after)), after, item)
            for item, after in zip(wanted, self._apply(wanted, dry_run=True))
        ]
        kept = {Ref.of(item) for item in wanted}
        return [*found, *(Change(ref, item, None) for ref, item in live.items() if ref not in kept)]

    def bindings_afterwards(self) -> List[Object]:
        """The bindings, when the steps are done."""
        if not self.accounts and not self.bindings:
            return list(self.cluster.bindings)
        return [change.after for change in self.changes if change.after]

    def steps(self) -> List[Step]:
        """What is to be done, in its order."""
        self.changes = self._compare()
        if self.due.issue or any(account.kind == OIDC and not account.absent for account in self.accounts):
            self._facts = cluster_of(self.kubectl, self.params["server"])
        works = [partial(self._bind, change) for change in self.changes if change.action != "unchanged"]
        works += [partial(self._revoke, account) for account in self.due.revoke]
        works += [partial(self._create, account) for account in self.due.create]
        works += [partial(self._issue, account) for account in self.due.issue]
        works += [partial(self._forget, title) for title in self.due.forget]
        return [Step(item, work) for item, work in zip([*self._binding_items(), *self.account_items()], works)]

    def _binding_items(self) -> List[PlanItem]:
        items = []
        for change in self.changes:
            item = change.after or change.before
            if change.action == "unchanged" or item is None:
                continue
            group = (item["metadata"].get("annotations") or {}).get(GROUP, item["metadata"]["name"])
            subject = f"{item['roleRef']['name']} {place_of(item)}"
            items.append(PlanItem(f"group {group}", subject, members_of(change.before), members_of(change.after)))
        return items

    def account_items(self) -> List[PlanItem]:
        """The steps of the plan that are not about bindings."""
        items = []
        for account in self.due.revoke:
            record = self.cluster.records.get(account.title)
            until = record.until(self.now) if record else 0
            said = (
                "its service account is deleted, and its tokens with it"
                if account.kind == TOKEN
                else f"its certificate cannot be taken back: it logs in until {moment(until)}, without rights"
            )
            items.append(PlanItem(account.title, "account", self._before(account), "revoked", disrupts=said))
        items += [PlanItem(account.title, "service account", "", "there") for account in self.due.create]
        for account in self.due.issue:
            after = f"for {account.hours} h"
            items.append(
                PlanItem(account.title, account.kind, self._before(account), after, disrupts=self._caution(account))
            )
        return [*items, *(PlanItem(title, "record", "nothing of it holds", "") for title in self.due.forget)]

    def _before(self, account: Account) -> str:
        record = self.cluster.records.get(account.title)
        if not record or not record.issued:
            return ""
        last = record.issued[-1]
        lost = "" if last.delivered else ", not handed over"
        return f"{'until' if last.ends > self.now else 'ended'} {moment(last.ends)}{lost}"

    def _caution(self, account: Account) -> str:
        """What is to be known before something is issued."""
        record = self.cluster.records.get(account.title)
        said = []
        if record and record.until(self.now):
            said.append(f"what was issued before holds until {moment(record.until(self.now))}")
        minor = self._minor
        if account.kind == CERTIFICATE and minor < EXPIRATION_SINCE:
            kept = "kept" if self.params["accept_longer"] else "thrown away"
            said.append(f"this API server (1.{minor}) ignores for how long, and a longer certificate is {kept}")
        return "; ".join(said)

    @cached_property
    def _minor(self) -> int:
        version = json.loads(self.kubectl.run("get", "--raw=/version"))
        return int(re.sub(r"\D.*", "", str(version["minor"])) or 0)

    def _bind(self, change: Change) -> str:
        if change.wanted:
            self._apply([change.wanted])
        elif change.before:
            self._delete(change.before)
        return ""

    def _note(self, record: Record) -> None:
        self._apply([record.object()])
        self.cluster = replace(self.cluster, records={**self.cluster.records, record.title: record})

    def _revoke(self, account: Account) -> str:
        if account.kind == TOKEN:
            self._delete(self._service_account(account))
            if account.title in self.cluster.records:
                self._forget(account.title)
            return "deleted"
        record = replace(self.cluster.records[account.title], revoked=int(self.now))
        self._note(record)
        return f"revoked; logs in until {moment(record.until(self.now))}"

    def _service_account(self, account: Account) -> Object:
        metadata = {"name": account.name, "namespace": account.namespace, "labels": {LABEL: ACCOUNT}}
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}

    def _create(self, account: Account) -> str:
        self._apply([self._service_account(account)])
        return ""

    def _forget(self, title: str) -> str:
        self._delete(self.cluster.records[title].object())
        self.cluster = replace(
            self.cluster, records={key: value for key, value in self.cluster.records.items() if key != title}
        )
        return ""

    def _issue(self, account: Account) -> str:
        made = Issuer(self.module, self.kubectl, self.params["accept_longer"]).issue(account)
        text = self._kubeconfig(account, made.user)
        content = self.seal(text, account.encrypt_to) if account.encrypt_to else text
        record = self.cluster.records.get(account.title) or Record(account.title, account.kind)
        # Of another kind is what it had before; the certificates among that still hold.
        self._note(replace(record, kind=account.kind).with_issued(made.issued, self.now))
        self.issued.append(made.issued.id)
        self.files.append(self._file(account, content))
        return f"until {moment(made.issued.ends)}"

    def _file(self, account: Account, content: str) -> Dict[str, str]:
        name = f"{account.file}.kubeconfig{'.age' if account.encrypt_to else ''}"
        return {"path": os.path.join(self.params["directory"], name), "content": content, "mode": "0600"}

    def _kubeconfig(self, account: Account, user: Object) -> str:
        places = {namespace for one in self.bindings if one.group in account.groups for namespace in one.namespaces} - {
            EVERYWHERE
        }
        namespace = account.namespace or (places.pop() if len(places) == 1 else "")
        return kubeconfig(account, self._facts, self.params["cluster"], user, namespace)

    def files_to_come(self) -> List[Dict[str, str]]:
        """The files of what is to be issued, without their content."""
        return [self._file(account, "") for account in self.due.issue]

    def other_files(self) -> List[Dict[str, str]]:
        """The kubeconfigs of accounts to which nothing is issued, which are the same at any time."""
        return [
            self._file(account, self._kubeconfig(account, oidc_user(self.params["oidc"])))
            for account in self.accounts
            if account.kind == OIDC and not account.absent
        ]

    def note_delivered(self, identifiers: Sequence[str]) -> bool:
        """Note that files have arrived; whether that was news."""
        news = False
        for record in list(self.cluster.records.values()):
            after = record.with_delivered(identifiers)
            if after != record:
                news = True
                if not self.module.check_mode:
                    self._note(after)
        return news
