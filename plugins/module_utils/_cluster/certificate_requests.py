# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests for a kubelet's serving certificate may be approved.

A request (PKCS #10, RFC 2986) is read as a kubelet writes it, and whatever else it holds is a reason not to approve.
What signs, checks the form once more
(https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, read_address
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import (
    BOOLEAN,
    COMMON_NAME,
    INTEGER,
    OCTETS,
    OID,
    ORGANIZATION,
    SEQUENCE,
    SET,
    DerError,
    Reader,
    decoded,
    oid,
    read_name,
)

SIGNER = "kubernetes.io/kubelet-serving"
GROUP = "system:nodes"
USER_PREFIX = "system:node:"
# With RSA keys a kubelet asks for the first, with others for the second.
USAGES = (
    {"digital signature", "key encipherment", "server auth"},
    {"digital signature", "server auth"},
)
PEM_HEAD, PEM_FOOT = "-----BEGIN CERTIFICATE REQUEST-----", "-----END CERTIFICATE REQUEST-----"
SHOWN, SHOWN_LENGTH = 5, 80

ATTRIBUTES = 0xA0
DNS_NAME, IP_ADDRESS = 0x82, 0x87
EXTENSION_REQUEST, ALTERNATIVE_NAMES = "1.2.840.113549.1.9.14", "2.5.29.17"


class RequestError(ValueError):
    """A request that is not what a kubelet writes."""


@dataclass
class Request:
    """What a request asks to be certified.

    Attributes:
        common_names: of the subject.
        organizations: of the subject.
        names: DNS names.
        addresses: IP addresses, in their usual form.
        others: whatever else it holds.
    """

    common_names: List[str] = field(default_factory=list)
    organizations: List[str] = field(default_factory=list)
    names: List[str] = field(default_factory=list)
    addresses: List[str] = field(default_factory=list)
    others: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class Node:
    """A node that is known, with all that its serving certificate may hold."""

    name: str
    names: Sequence[str]
    addresses: Sequence[str]


def is_no_hosts(text: str) -> bool:
    """Whether a name or an address can be no single host's in the network: loopback, link-local, multicast and such."""
    address = read_address(text)
    if address is None:
        return text == "localhost" or text.endswith((".localhost", ".localdomain"))
    return address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified


def node_faults(nodes: Sequence[Node], reserved: Sequence[str]) -> List[str]:
    """Why nodes are not as they must be, so that no certificate is good for what is another's.

    Args:
        nodes: all that are known.
        reserved: addresses, networks and names that are no node's.
    """
    names = [node.name for node in nodes]
    faults = [f"nodes names {name} more than once" for name in sorted({one for one in names if names.count(one) > 1})]
    networks = [ipaddress.ip_network(text, strict=False) for text in map(normal, reserved) if _is_network(text)]
    others = {normal(text) for text in reserved if not _is_network(text)}
    holders: Dict[str, str] = {}
    for node in nodes if not faults else []:
        if not node.addresses:
            faults.append(f"node {node.name} has no addresses")
        for text in dict.fromkeys([*map(normal, node.addresses), *node.names]):
            address = read_address(text)
            if address is None and text in node.addresses:
                faults.append(f"{text!r} of node {node.name} is no IP address")
            elif is_no_hosts(text):
                faults.append(f"{text} of node {node.name} is no single host's")
            elif text in others or (address and any(address in network for network in networks)):
                faults.append(f"{text} of node {node.name} is reserved, as it is no node's")
            elif holders.setdefault(text, node.name) != node.name:
                faults.append(f"nodes {holders[text]} and {node.name} share {text}")
    return faults


def _is_network(text: str) -> bool:
    try:
        return "/" in text and bool(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        return False


def _read_subject(reader: Reader, request: Request) -> None:
    for kind, text in read_name(reader):
        if kind == COMMON_NAME:
            request.common_names.append(text)
        elif kind == ORGANIZATION:
            request.organizations.append(text)
        else:
            request.others.append(f"{kind} in its subject")


def _read_names(data: bytes, request: Request) -> None:
    outer = Reader(data)
    names = outer.inner(SEQUENCE)
    outer.end()
    while names:
        tag, value = names.any()
        if tag == DNS_NAME:
            request.names.append(decoded(value, "ascii"))
        elif tag == IP_ADDRESS and len(value) in (4, 16):
            request.addresses.append(normal(str(ipaddress.ip_address(value))))
        else:
            request.others.append("a name that is neither a DNS name nor an IP address")


def _read_extensions(reader: Reader, request: Request) -> None:
    for extension in reader.each(SEQUENCE):
        kind = oid(extension.value(OID))
        tag, data = extension.any()
        if tag == BOOLEAN:
            tag, data = extension.any()
        extension.end()
        if tag != OCTETS:
            raise DerError("it has an extension that is none")
        if kind == ALTERNATIVE_NAMES:
            _read_names(data, request)
        else:
            request.others.append(f"the extension {kind}")


def parse_request(pem: str) -> Request:
    """What a request asks for.

    Args:
        pem: exactly one request.

    Raises:
        RequestError: if it is none.
    """
    lines = pem.strip().split("\n")
    if lines[0].strip() != PEM_HEAD or lines[-1].strip() != PEM_FOOT:
        raise RequestError("it is no PEM of one certificate request")
    try:
        data = base64.b64decode("".join(line.strip() for line in lines[1:-1]), validate=True)
    except binascii.Error:
        raise RequestError("it is no PEM of one certificate request") from None
    try:
        return _read_request(data)
    except DerError as error:
        raise RequestError(str(error)) from error


def _read_request(data: bytes) -> Request:
    request, outer = Request(), Reader(data)
    whole = outer.inner(SEQUENCE)
    outer.end()
    info = whole.inner(SEQUENCE)
    info.value(INTEGER)
    _read_subject(info.inner(SEQUENCE), request)
    info.value(SEQUENCE)  # the public key
    if info:
        for attribute in info.inner(ATTRIBUTES).each(SEQUENCE):
            kind = oid(attribute.value(OID))
            values = attribute.inner(SET)
            attribute.end()
            if kind != EXTENSION_REQUEST:
                request.others.append(f"the attribute {kind}")
                continue
            _read_extensions(values.inner(SEQUENCE), request)
            values.end()
    info.end()
    return request


def is_pending(item: Mapping[str, Any]) -> bool:
    """Whether a CertificateSigningRequest is a kubelet's for serving that nobody has decided on."""
    status = item.get("status") or {}
    return item["spec"].get("signerName") == SIGNER and not status.get("conditions") and not status.get("certificate")


def _pem(item: Mapping[str, Any]) -> str:
    try:
        return base64.b64decode(item["spec"]["request"], validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        raise RequestError("it is no PEM of one certificate request") from None


def _listed(values: Sequence[str]) -> str:
    """Values for a message; who asks may have written anything into them."""
    shown = [repr(value[:SHOWN_LENGTH]) for value in values[:SHOWN]] + ["..."] * (len(values) > SHOWN)
    return ", ".join(shown) or "nothing"


def judge(item: Mapping[str, Any], nodes: Mapping[str, Node]) -> List[str]:
    """Why a CertificateSigningRequest must not be approved; nothing if it may be.

    Args:
        item: a pending one.
        nodes: those that are known, by name.
    """
    spec = item["spec"]
    user = str(spec.get("username", ""))
    node = nodes.get(user[len(USER_PREFIX) :]) if user.startswith(USER_PREFIX) else None
    if node is None:
        return [f"{user!r}, who asks for it, is no node that is known"]
    reasons = []
    if GROUP not in (spec.get("groups") or []):
        reasons.append(f"who asks for it is not in the group {GROUP}")
    usages = [str(usage) for usage in spec.get("usages") or []]
    if set(usages) not in USAGES or len(usages) != len(set(usages)):
        reasons.append(f"it is for {_listed(usages)}")
    try:
        request = parse_request(_pem(item))
    except RequestError as error:
        return [*reasons, f"it cannot be read: {error}"]
    if request.common_names != [user]:
        reasons.append(f"its common name is {_listed(request.common_names)} and not {user!r}")
    if request.organizations != [GROUP]:
        reasons.append(f"its organization is {_listed(request.organizations)} and not {GROUP!r}")
    foreign = [name for name in request.names if name not in node.names]
    foreign += [address for address in request.addresses if address not in map(normal, node.addresses)]
    if foreign:
        reasons.append(f"{_listed(foreign)} is not known to belong to {node.name}")
    if not request.names and not request.addresses:
        reasons.append("it names no address")
    if request.others:
        reasons.append(f"it holds {', '.join(request.others)}")
    return reasons


def approved(item: Dict[str, Any], now: str, message: str, reason: str = "KnownNode") -> Dict[str, Any]:
    """The same object with an approval, as the API's subresource wants it.

    It holds the version and the unique id of what was judged, so another object of that name is not approved.
    """
    condition = {
        "type": "Approved",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastUpdateTime": now,
    }
    kept = {key: item["metadata"][key] for key in ("name", "uid", "resourceVersion")}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": kept,
        "spec": item["spec"],
        "status": {"conditions": [condition]},
    }


def node_of(item: Mapping[str, Any], nodes: Mapping[str, Node]) -> Optional[str]:
    """The known node that asks; None if it is none of them."""
    user = str(item["spec"].get("username", ""))
    name = user[len(USER_PREFIX) :]
    return name if user.startswith(USER_PREFIX) and name in nodes else None
