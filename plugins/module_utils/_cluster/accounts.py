# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of people and programs, and what their groups are bound to, as data; and what of that cannot be.

A certificate carries no groups: nobody could take them back before it ends. The members of a group stand by name in the
bindings, so that who leaves a group, or is revoked, has lost its rights at once.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.certificate_requests import (
    RequestError,
    parse_request,
)

CERTIFICATE, TOKEN, OIDC = KINDS = ("certificate", "token", "oidc")
# Longer than a year nothing is issued.
HOURS = (1, 8784)
EVERYWHERE = "*"
RESERVED = "system:"
# What a certificate and a file may be named by. What comes from an identity provider may be more.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._@+-]*[A-Za-z0-9])?")
FOREIGN_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._@+:#/-]*[A-Za-z0-9])?")
SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# Of a common name in a certificate (RFC 5280, ub-common-name), and of an object's name.
LONGEST = {CERTIFICATE: 64, TOKEN: 253, OIDC: 253}
NAMES = {
    CERTIFICATE: (NAME, "letters, digits and . _ @ + -, at most 64 of them"),
    TOKEN: (SUBDOMAIN, "small letters, digits, . and -"),
    OIDC: (FOREIGN_NAME, "letters, digits and . _ @ + : # / -"),
}

Object = Dict[str, Any]


def slug(text: str) -> str:
    """A text as a part of an object's or a file's name."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")


def digest(*parts: str) -> str:
    """A few digits that belong to these texts and no others."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Account:
    """An account.

    Attributes:
        name: as the API server knows it, without its namespace.
        kind: how it logs in.
        groups: those that it is a member of.
        namespace: a service account's.
        hours: how long what is issued may hold.
        request: a certificate request in PEM whose key somebody else has.
        encrypt_to: public keys of age for which the kubeconfig is encrypted.
        absent: whether it is revoked.
    """

    name: str
    kind: str = CERTIFICATE
    groups: Tuple[str, ...] = ()
    namespace: str = ""
    hours: int = 24
    request: str = ""
    encrypt_to: Tuple[str, ...] = ()
    absent: bool = False

    @classmethod
    def of(cls, value: Mapping[str, Any], hours: int) -> Account:
        """From a module's options."""
        return cls(
            str(value.get("name") or ""),
            value.get("kind") or CERTIFICATE,
            tuple(map(str, value.get("groups") or ())),
            value.get("namespace") or "",
            int(value.get("hours") or hours),
            (value.get("request") or "").strip(),
            tuple(map(str, value.get("encrypt_to") or ())),
            value.get("state") == "absent",
        )

    @property
    def title(self) -> str:
        """As people name it: a service account with its namespace."""
        return f"{self.namespace}/{self.name}" if self.kind == TOKEN else self.name

    @property
    def file(self) -> str:
        """What its files are named by."""
        return re.sub(r"[^A-Za-z0-9._@+-]", "-", self.title)

    @property
    def subject(self) -> Object:
        """As a binding names it."""
        if self.kind == TOKEN:
            return {"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}
        return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": self.name}


@dataclass(frozen=True)
class Binding:
    """What a group may do, in which namespaces."""

    group: str
    kind: str
    role: str
    namespaces: Tuple[str, ...]

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Binding:
        """From a module's options."""
        kind = "Role" if value.get("role") else "ClusterRole"
        namespaces = tuple(map(str, value.get("namespaces") or ()))
        return cls(
            str(value.get("group") or ""), kind, value.get("role") or value.get("cluster_role") or "", namespaces
        )


def account_faults(accounts: Sequence[Account], prefix: str = "") -> List[str]:
    """What is wrong with accounts: all of it.

    Args:
        accounts: the accounts.
        prefix: what the variable's name begins with.
    """
    found = []
    titles: Dict[str, int] = {}
    for at, account in enumerate(accounts):
        place = f"{prefix}accounts[{at}] ({account.title})"
        texts = [*_name(account), *([] if account.absent else [*_groups(account), *_way(account)])]
        found += [f"{place}: {text}" for text in texts]
        if titles.setdefault(account.file.lower(), at) != at:
            other = titles[account.file.lower()]
            found.append(f"{place}: it has the same files as {prefix}accounts[{other}]; name one otherwise")
    return found


def _name(account: Account) -> List[str]:
    pattern, allowed = NAMES[account.kind]
    if account.name.startswith(RESERVED):
        return [f"names that begin with {RESERVED} are Kubernetes' own; choose another one"]
    found = []
    if not pattern.fullmatch(account.name) or len(account.name) > LONGEST[account.kind]:
        found.append(f"the name {account.name!r} cannot be used; it has {allowed}, and begins and ends without a mark")
    if account.kind == TOKEN and not LABEL.fullmatch(account.namespace):
        found.append("a service account is one of a namespace; give namespace")
    if account.kind != TOKEN and account.namespace:
        found.append("namespace is that of a service account (kind token); leave it out, bindings have namespaces")
    return found


def group_fault(group: str) -> str:
    """Why a group cannot be given to anybody; empty where it can."""
    if group == "system:masters":
        return "system:masters is refused: no rule holds for it, and nobody could take it back; bind a ClusterRole"
    if group.startswith(RESERVED):
        return f"the group {group} is refused: groups that begin with {RESERVED} are Kubernetes' own"
    if not FOREIGN_NAME.fullmatch(group):
        return f"the group {group!r} cannot be used; it has {NAMES[OIDC][1]}, and begins and ends without a mark"
    return ""


def _groups(account: Account) -> List[str]:
    return [fault for fault in map(group_fault, account.groups) if fault]


def _way(account: Account) -> List[str]:
    """What is wrong with how an account gets what it logs in with."""
    found = []
    if not HOURS[0] <= account.hours <= HOURS[1]:
        found.append(f"hours is {account.hours}; give a number from {HOURS[0]} to {HOURS[1]}")
    if account.kind == CERTIFICATE and bool(account.request) == bool(account.encrypt_to):
        found.append(
            "give either request, where its owner has the key, or encrypt_to, for whose key of age the kubeconfig is "
            "encrypted"
        )
    if account.kind == TOKEN and not account.encrypt_to:
        found.append("give encrypt_to, for whose key of age the kubeconfig with the token is encrypted")
    if account.kind != CERTIFICATE and account.request:
        found.append("request is for a certificate; leave it out")
    if account.kind == OIDC and account.encrypt_to:
        found.append("the kubeconfig of an account by OIDC holds no secret; leave encrypt_to out")
    if account.kind == CERTIFICATE and account.request:
        found += _request(account)
    return found


def _request(account: Account) -> List[str]:
    try:
        asked = parse_request(account.request)
    except RequestError as error:
        return [f"request cannot be read: {error}"]
    found = []
    if asked.common_names != [account.name]:
        found.append(f"request is for {', '.join(asked.common_names)[:80]!r} and not for {account.name!r}")
    if asked.organizations:
        found.append(
            f"request asks for the group {', '.join(asked.organizations)[:80]} in the certificate, where nobody could "
            f"take it back; make it with the subject /CN={account.name} alone, and give groups here"
        )
    if asked.names or asked.addresses or asked.others:
        found.append("request asks for more than a name; make it with a subject alone")
    return found


def binding_faults(bindings: Sequence[Binding], accounts: Sequence[Account], prefix: str = "") -> List[str]:
    """What is wrong with bindings: all of it.

    Args:
        bindings: the bindings.
        accounts: the accounts.
        prefix: what the variable's name begins with.
    """
    found, seen = [], set()
    for at, binding in enumerate(bindings):
        place = f"{prefix}bindings[{at}] ({binding.group})"
        reasons = [group_fault(binding.group)]
        if not binding.role or re.search(r"[/%]", binding.role) or binding.role in (".", ".."):
            reasons.append("give role or cluster_role, one of them, by its name")
        if not binding.namespaces:
            reasons.append(f"give namespaces, or ['{EVERYWHERE}'] for all of them and the cluster itself")
        if EVERYWHERE in binding.namespaces and (binding.kind == "Role" or len(binding.namespaces) > 1):
            reasons.append(f"namespaces '{EVERYWHERE}' stands alone, and is for a cluster_role")
        for namespace in binding.namespaces:
            if namespace != EVERYWHERE and not LABEL.fullmatch(namespace):
                reasons.append(f"the namespace {namespace!r} cannot be; it has small letters, digits and -")
            one = (binding.group, binding.kind, binding.role, namespace)
            if one in seen:
                reasons.append(f"{binding.role} in {namespace} is there twice; leave one out")
            seen.add(one)
        for account in accounts:
            outside = [namespace for namespace in binding.namespaces if namespace != account.namespace]
            if account.kind == TOKEN and not account.absent and binding.group in account.groups and outside:
                reasons.append(
                    f"the service account {account.title} is a member, which is limited to its namespace, not "
                    f"{', '.join(outside)}; give it a group of its own"
                )
        found += [f"{place}: {reason}" for reason in reasons if reason]
    return found
