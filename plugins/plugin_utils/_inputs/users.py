# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges accounts and what their groups may do."""

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
