# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges accounts and what their groups may do, and how the API server knows accounts of an identity provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.accounts import (
    HOURS,
    KINDS,
    OIDC,
    Account,
    Binding,
    account_faults,
    binding_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.backups import recipient_fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

PREFIX = "user_"
AUTHENTICATION = "control_plane_authentication_configuration"


def users(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """Accounts, bindings, and what is made of them."""
    hours = host.values.get("user_hours")
    if hours is not None and str(hours).isdigit() and not HOURS[0] <= int(hours) <= HOURS[1]:
        yield host.fault("value-invalid", f"user_hours is {hours}; give a number from {HOURS[0]} to {HOURS[1]}")
    given = _maps(host.values.get("user_accounts"))
    # Where the kind is none, or a number is missing, that is told by its type.
    accounts = [
        Account.of(account, HOURS[0])
        for account in given
        if account.get("kind", KINDS[0]) in KINDS and str(account.get("hours") or 1).isdigit()
    ]
    bindings = [Binding.of(binding) for binding in _maps(host.values.get("user_bindings"))]
    for text in [*account_faults(accounts, PREFIX), *binding_faults(bindings, accounts, PREFIX)]:
        yield host.fault("value-invalid", text)
    for at, account in enumerate(accounts):
        for recipient in account.encrypt_to:
            wrong = recipient_fault(recipient)
            if wrong:
                yield host.fault("value-invalid", f"user_accounts[{at}] ({account.title}): encrypt_to {wrong}")
    for at, binding in enumerate(_maps(host.values.get("user_bindings"))):
        if binding.get("role") and binding.get("cluster_role"):
            text = f"user_bindings[{at}] ({binding.get('group')}): give role or cluster_role, one of them"
            yield host.fault("value-invalid", text)
    yield from _ways(host, accounts)


def _ways(host: HostInput, accounts: list[Account]) -> Iterator[Fault]:
    """Where kubeconfigs lead, and who lets people in."""
    oidc = host.values.get("user_oidc")
    if any(account.kind == OIDC and not account.absent for account in accounts) and not oidc:
        text = "user_oidc is empty, but user_accounts has some of the kind oidc; give issuer_url and client_id"
        yield host.fault("value-invalid", text)
    url = str(oidc.get("issuer_url") or "") if isinstance(oidc, Mapping) else ""
    if oidc and not url.startswith("https://"):
        yield host.fault("value-invalid", f"user_oidc.issuer_url {url!r} is no https URL, and no API server takes it")
    if oidc and not (isinstance(oidc, Mapping) and oidc.get("client_id")):
        yield host.fault("value-invalid", "user_oidc.client_id is missing; give what the provider knows kubectl by")
    address = host.text("user_endpoint")
    if address and not endpoint.readable_endpoint(address):
        yield host.fault(
            "value-invalid", f"user_endpoint {address!r} is no host:port; write it like api.example.com:6443"
        )
    if accounts and not address and host.text("kubernetes_api_load_balancer") == endpoint.LOCAL:
        text = (
            "user_endpoint is empty, and with kubernetes_api_load_balancer local the cluster's endpoint is a proxy on "
            "each node, of no use in people's kubeconfigs; give host:port of a control plane, or of a load balancer"
        )
        yield host.fault("value-invalid", text)


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def authentication(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """The identity providers in AuthenticationConfiguration: what the API server would not start with."""
    configuration = host.values.get(AUTHENTICATION)
    providers = configuration.get("jwt") if isinstance(configuration, Mapping) else None
    seen: dict[str, int] = {}
    for at, provider in enumerate(providers if isinstance(providers, list) else []):
        place = f"{AUTHENTICATION}.jwt[{at}]"
        reasons = list(_provider(provider)) if isinstance(provider, Mapping) else ["it is no map"]
        url = str((provider.get("issuer") or {}).get("url")) if not reasons else f"{at}"
        if seen.setdefault(url, at) != at:
            reasons.append(f"issuer.url is that of jwt[{seen[url]}], too; leave one out")
        for reason in reasons:
            yield host.fault("value-invalid", f"{place}: {reason}")


def _provider(provider: Mapping[str, Any]) -> Iterator[str]:
    issuer, mappings = provider.get("issuer"), provider.get("claimMappings")
    issuer = issuer if isinstance(issuer, Mapping) else {}
    url, audiences = str(issuer.get("url") or ""), issuer.get("audiences")
    if not url.startswith("https://"):
        yield f"issuer.url {url!r} is no https URL"
    if not isinstance(audiences, list) or not audiences:
        yield "issuer.audiences is empty; name what the provider issues tokens for, such as the client's id"
    elif len(audiences) > 1 and issuer.get("audienceMatchPolicy") != "MatchAny":
        yield "issuer.audiences has several; set issuer.audienceMatchPolicy to MatchAny"
    mappings = mappings if isinstance(mappings, Mapping) else {}
    for name in ("username", "groups"):
        mapping = mappings.get(name)
        if not isinstance(mapping, Mapping):
            if name == "username":
                yield "claimMappings.username is missing; give claim and prefix, or expression"
            continue
        claim, expression = mapping.get("claim"), mapping.get("expression")
        if bool(claim) == bool(expression):
            yield f"claimMappings.{name} takes claim or expression, one of them"
        elif claim and mapping.get("prefix") is None:
            yield f"claimMappings.{name}.prefix is missing; with a claim it is needed, such as 'oidc:', and may be ''"
        elif claim and str(mapping["prefix"]).startswith("system:"):
            yield f"claimMappings.{name}.prefix {mapping['prefix']!r} makes names of Kubernetes' own; choose another"
