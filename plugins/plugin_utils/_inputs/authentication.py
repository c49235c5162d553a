# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges how the API server knows who asks: what it would not start with, and what lets a provider make administrators.

The rules are the API server's own (pkg/apis/apiserver/validation of k8s.io/apiserver). Which version has which field,
and of which type, is judged beside the other components' fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    HostInput,
    Inputs,
    version_tuple,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.component_fields import component_fields
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.oidc import count_faults

VARIABLE, KIND = "control_plane_authentication_configuration", "AuthenticationConfiguration"
# The first minor whose API servers read the configuration from a file.
FILE_SINCE = 30
MOST_PROVIDERS = 64
EXCLUDED = re.compile(r"anonymous-auth|authentication-config|oidc-.*")
EXCLUDED_BEFORE = re.compile(r"oidc-.*")
ANY, EGRESS = "MatchAny", ("controlplane", "cluster")
EXTRA_KEY = re.compile(r"(?P<domain>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)/[a-z0-9._~%!$&'()*+,;=:@/-]+")
RESERVED = re.compile(r"(.*\.)?(kubernetes|k8s)\.io")
EMAIL, EMAIL_VERIFIED = re.compile(r"\bclaims\.\??email\b"), re.compile(r"\bclaims\.\??email_verified\b")
SYSTEM = "system:"


def authentication(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """The configuration as a whole, then each provider."""
    configuration = host.values.get(VARIABLE)
    if not isinstance(configuration, Mapping) or not configuration:
        return
    minor, values = version_tuple(host.text("kubernetes_version"))[1], host.values
    if any(component_fields().wrong_types(KIND, configuration)):
        return  # judged beside the other components' fields
    reasons = [*_whole(configuration), *_providers(configuration, _own_issuers(host))]
    if minor < FILE_SINCE:
        reasons += count_faults(configuration)
    for reason in reasons:
        yield host.fault("value-invalid", f"{VARIABLE}.{reason}")
    for reason in [] if reasons else _administrators(configuration):
        yield host.fault("value-invalid", f"{VARIABLE}.{reason}", WARNING)
    excluded = EXCLUDED if minor >= FILE_SINCE else EXCLUDED_BEFORE
    for argument in _arguments(values.get("control_plane_cluster_configuration")):
        if excluded.fullmatch(argument):
            text = (
                f"{VARIABLE} excludes the API server's argument {argument} "
                "(control_plane_cluster_configuration); leave one of them out"
            )
            yield host.fault("value-invalid", text)


def _arguments(configuration: Any) -> dict[str, str]:
    """The API server's arguments that the user gives."""
    for key in ("apiServer", "extraArgs"):
        configuration = configuration.get(key) if isinstance(configuration, Mapping) else None
    items = configuration if isinstance(configuration, list) else []
    return {str(item.get("name")): str(item.get("value")) for item in items if isinstance(item, Mapping)}


def _own_issuers(host: HostInput) -> set[str]:
    """Who issues the tokens of service accounts, which no provider may be."""
    given = _arguments(host.values.get("control_plane_cluster_configuration")).get("service-account-issuer")
    return {given or f"https://kubernetes.default.svc.{host.text('kubernetes_dns_domain')}"}


def _whole(configuration: Mapping[str, Any]) -> Iterator[str]:
    anonymous = configuration.get("anonymous") or {}
    if anonymous.get("conditions") and not anonymous.get("enabled"):
        yield "anonymous has conditions, but enabled is not true; leave the conditions out, or set it"
    providers = configuration.get("jwt") or []
    if len(providers) > MOST_PROVIDERS:
        yield f"jwt has {len(providers)} issuers; the API server takes {MOST_PROVIDERS}"


def _providers(configuration: Mapping[str, Any], own: set[str]) -> Iterator[str]:
    seen: dict[tuple[str, str], int] = {}
    for at, provider in enumerate(configuration.get("jwt") or []):
        issuer = provider.get("issuer") or {}
        reasons = [*_issuer(issuer), *_rules(provider), *_mappings(provider.get("claimMappings") or {})]
        reasons += _verified_email(provider)
        if issuer.get("url") in own:
            reasons.append("issuer.url is the cluster's own, for service accounts; no provider can have it")
        for key in ("url", "discoveryURL"):
            first = seen.setdefault((key, issuer.get(key) or str(at)), at)
            if first != at:
                reasons.append(f"issuer.{key} is that of jwt[{first}], too; leave one out")
        yield from (f"jwt[{at}]: {reason}" for reason in reasons)


def _url_fault(name: str, text: str) -> str:
    try:
        url = urlsplit(text)
        host = url.hostname
    except ValueError:
        return f"{name} {text!r} is no URL"
    if url.scheme != "https" or not host:
        return f"{name} {text!r} is no https URL"
    if "@" in url.netloc or "?" in text or "#" in text:
        return f"{name} has an account, a query or a fragment; leave that out"
    return ""


def _issuer(issuer: Mapping[str, Any]) -> Iterator[str]:
    url, discovery = issuer.get("url") or "", issuer.get("discoveryURL") or ""
    faults = [_url_fault("issuer.url", url), _url_fault("issuer.discoveryURL", discovery) if discovery else ""]
    yield from filter(None, faults)
    if discovery and discovery.rstrip("/") == url.rstrip("/"):
        yield "issuer.discoveryURL is the same as issuer.url; leave it out"
    audiences, policy = issuer.get("audiences") or [], issuer.get("audienceMatchPolicy") or ""
    if not audiences or not all(audiences):
        yield "issuer.audiences is empty; name what the provider issues tokens for, such as the client's id"
    if len(set(audiences)) < len(audiences):
        yield "issuer.audiences has one of them twice; leave one out"
    if len(audiences) > 1 and not policy:
        yield f"issuer.audiences has several; set issuer.audienceMatchPolicy to {ANY}"
    if policy not in ("", ANY):
        yield f"issuer.audienceMatchPolicy {policy!r} is not {ANY}"
    egress = issuer.get("egressSelectorType") or EGRESS[0]
    if egress not in EGRESS:
        yield f"issuer.egressSelectorType {egress!r} is none of {', '.join(EGRESS)}"
    authority = issuer.get("certificateAuthority") or ""
    if authority:
        yield from _authority(authority)


def _authority(text: str) -> Iterator[str]:
    name = "issuer.certificateAuthority"
    if "PRIVATE KEY" in text:
        yield f"{name} has a private key; give the certificates alone"
        return
    try:
        found = [parse_certificate(one) for one in certificates(text.encode())]
    except (DerError, ValueError) as error:
        yield f"{name} cannot be read: {error}"
        return
    if not found:
        yield f"{name} has no certificate in PEM; give the authority's text, not its path"


def _rules(provider: Mapping[str, Any]) -> Iterator[str]:
    seen: set[tuple[str, str]] = set()
    for kind in ("claimValidationRules", "userValidationRules"):
        for at, rule in enumerate(provider.get(kind) or []):
            place, claim, expression = f"{kind}[{at}]", rule.get("claim"), rule.get("expression")
            if kind == "userValidationRules" and not expression:
                yield f"{place} has no expression"
            elif bool(claim) == bool(expression):
                yield f"{place} takes claim or expression, one of them"
            elif claim and rule.get("message"):
                yield f"{place}.message is for an expression; leave it out"
            elif expression and rule.get("requiredValue"):
                yield f"{place}.requiredValue is for a claim; leave it out"
            elif (kind, claim or expression) in seen:
                yield f"{place} is there twice; leave one out"
            seen.add((kind, claim or expression or place))


def _mappings(mappings: Mapping[str, Any]) -> Iterator[str]:
    for name in ("username", "groups"):
        mapping = mappings.get(name)
        if mapping is None:
            if name == "username":
                yield "claimMappings.username is missing; give claim and prefix, or expression"
            continue
        claim, expression, prefix = mapping.get("claim"), mapping.get("expression"), mapping.get("prefix")
        if bool(claim) == bool(expression):
            yield f"claimMappings.{name} takes claim or expression, one of them"
        elif expression and prefix is not None:
            yield f"claimMappings.{name}.prefix is for a claim; put it into the expression"
        elif claim and prefix is None:
            yield f"claimMappings.{name}.prefix is missing; with a claim it is needed, such as 'oidc:', and may be ''"
        elif claim and prefix.startswith(SYSTEM):
            yield f"claimMappings.{name}.prefix {prefix!r} makes names of Kubernetes' own; choose another"
    uid = mappings.get("uid") or {}
    if uid.get("claim") and uid.get("expression"):
        yield "claimMappings.uid takes claim or expression, one of them"
    yield from _extra(mappings.get("extra") or [])


def _extra(extra: list[Mapping[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for at, item in enumerate(extra):
        place, key = f"claimMappings.extra[{at}]", item.get("key") or ""
        found = EXTRA_KEY.fullmatch(key)
        if not found:
            yield f"{place}.key {key!r} is none; write it like example.com/team, in small letters"
        elif RESERVED.fullmatch(found["domain"]):
            yield f"{place}.key {key!r} is of a domain of Kubernetes' own; choose another"
        elif key in seen:
            yield f"{place}.key {key!r} is there twice; leave one out"
        if not item.get("valueExpression"):
            yield f"{place}.valueExpression is missing"
        seen.add(key)


def _verified_email(provider: Mapping[str, Any]) -> Iterator[str]:
    """Who is named by an address must have proven it; the API server asks for that where an expression names them."""
    mappings = provider.get("claimMappings") or {}
    username = (mappings.get("username") or {}).get("expression") or ""
    expressions = [username, *(item.get("valueExpression") or "" for item in mappings.get("extra") or [])]
    expressions += [rule.get("expression") or "" for rule in provider.get("claimValidationRules") or []]
    if EMAIL.search(username) and not any(map(EMAIL_VERIFIED.search, expressions)):
        yield (
            "claimMappings.username.expression uses claims.email, and nothing asks for claims.email_verified; add the "
            "rule claims.email_verified == true to claimValidationRules"
        )


def _administrators(configuration: Mapping[str, Any]) -> Iterator[str]:
    """Providers that can put anybody into the group that no rule holds for."""
    for at, provider in enumerate(configuration.get("jwt") or []):
        groups = (provider.get("claimMappings") or {}).get("groups") or {}
        guarded = any(SYSTEM in (rule.get("expression") or "") for rule in provider.get("userValidationRules") or [])
        if (groups.get("expression") or groups.get("prefix") == "") and not guarded:
            yield (
                f"jwt[{at}]: claimMappings.groups has no prefix, so that the provider can put people into "
                "system:masters, who may do all; give a prefix, or a userValidationRules that refuses groups of system:"
            )
