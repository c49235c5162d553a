# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AuthenticationConfiguration for API servers that have no such file yet: their arguments C(--oidc-*)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.component_fields import component_fields
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minor_of, oldest_with

KIND = "AuthenticationConfiguration"
# The file takes all of these; without the argument, RS256 alone counts.
ALGORITHMS = "RS256,RS384,RS512,ES256,ES384,ES512,PS256,PS384,PS512"
NO_PREFIX = "-"


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []


def oidc_arguments(configuration: Mapping[str, Any], authority_file: str) -> dict[str, str]:
    """The arguments that mean the same; an empty one is not needed. What cannot be said by them is left out.

    Args:
        configuration: AuthenticationConfiguration without C(apiVersion) and C(kind).
        authority_file: where the authority's certificates are; empty for the host's own.
    """
    providers = _list(configuration.get("jwt"))
    if not providers:
        return {}
    provider = _map(providers[0])
    issuer, mappings = _map(provider.get("issuer")), _map(provider.get("claimMappings"))
    username, groups = _map(mappings.get("username")), _map(mappings.get("groups"))
    rule = _map(next(iter(_list(provider.get("claimValidationRules"))), None))
    return {
        "oidc-issuer-url": str(issuer.get("url") or ""),
        "oidc-client-id": str(next(iter(_list(issuer.get("audiences"))), "")),
        "oidc-ca-file": authority_file,
        "oidc-signing-algs": ALGORITHMS,
        "oidc-username-claim": str(username.get("claim") or ""),
        "oidc-username-prefix": str(username.get("prefix") or NO_PREFIX),
        "oidc-groups-claim": str(groups.get("claim") or ""),
        "oidc-groups-prefix": str(groups.get("prefix") or ""),
        "oidc-required-claim": f"{rule['claim']}={rule.get('requiredValue') or ''}" if rule.get("claim") else "",
    }


def count_faults(configuration: Mapping[str, Any]) -> Iterator[str]:
    """Of what there is more than the arguments take, one sentence each: where, and what to do."""
    since = oldest_with("authentication_api")
    one = f"before Kubernetes {since} the API server takes one; leave one, or upgrade the cluster"
    providers = _list(configuration.get("jwt"))
    if len(providers) > 1:
        yield f"jwt has {len(providers)} issuers, and {one}"
    for at, provider in enumerate(map(_map, providers)):
        audiences = _list(_map(provider.get("issuer")).get("audiences"))
        if len(audiences) > 1:
            yield f"jwt[{at}].issuer.audiences has {len(audiences)} audiences, and {one}"
        rules = _list(provider.get("claimValidationRules"))
        if len(rules) > 1:
            yield f"jwt[{at}].claimValidationRules has {len(rules)} rules, and {one}"


def oidc_faults(configuration: Mapping[str, Any], version: str) -> Iterator[str]:
    """What the arguments of this version cannot say, one sentence each: where, and what to do.

    Raises:
        ReleaseError: if the version is none.
    """
    for found in component_fields().unknown(KIND, configuration, minor_of(version)):
        yield f"{found.place} {found.why}"
    yield from count_faults(configuration)
