# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificates a member's host needs, who signs them, and what else of the PKI changes on it.

A member has one certificate for clients and one for the other members, each with an authority of its own. In a cluster
that was begun with one authority for both, the first certificate is for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import is_address
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.certificates import certificate_faults

USAGES = ["serverAuth", "clientAuth"]


@dataclass(frozen=True)
class Kind:
    """One of a member's certificates.

    Attributes:
        name: of its files, member.crt and member.key.
        prefix: of its fields in what etcd_host_info returned.
        authority: the name of its CA's files.
        title: its CA, in a message.
        noun: its CA, in a list of changes.
        variable: the beginning of the names of the CA's variables.
    """

    name: str
    prefix: str
    authority: str
    title: str
    noun: str
    variable: str


KINDS = (
    Kind("member", "", "ca", "CA", "the CA", "etcd_ca"),
    Kind("peer", "peer_", "peer-ca", "CA of peers", "the CA of peers", "etcd_peer_ca"),
)


@dataclass(frozen=True)
class Host:
    """A member's host.

    Attributes:
        name: in the inventory.
        info: what etcd_host_info returned of it.
        common_name: of its certificates.
        names: names and addresses that a certificate is issued for.
        addresses: those that one which the user brings must be for.
        folder: of the certificates.
        renew_days: how many days a certificate must still be good.
    """

    name: str
    info: Mapping[str, Any]
    common_name: str
    names: Sequence[str]
    addresses: Sequence[str]
    folder: str
    renew_days: float


def plan_certificates(host: Host, authorities: Mapping[str, Mapping[str, Any]]) -> Dict[str, Any]:
    """What is issued, handed over or put right on a host, as the filter returns it.

    Args:
        host: the host.
        authorities: the results of the filter etcd_authority, by the name of the CA's files.
    """
    faults = {kind.name: _faults(host, kind, authorities[kind.authority]) for kind in KINDS}
    provided = [kind for kind in KINDS if authorities[kind.authority]["mode"] == "provided"]
    requests = [
        _request(host, kind, authorities[kind.authority])
        for kind in KINDS
        if kind not in provided and faults[kind.name]
    ]
    exposed = [kind.name for kind in provided if host.info[f"{kind.prefix}key"] == "exposed"]
    changes = [change for kind in KINDS for change in _of_authority(host, kind, authorities[kind.authority])]
    changes += [f"the certificate {one['name']}: {', '.join(faults[one['name']])}" for one in requests]
    changes += [f"the mode and owner of {name}.key" for name in exposed]
    return {
        "due": bool(changes),
        "faults": faults,
        "requests": requests,
        "exposed": exposed,
        "changes": changes,
        "trusted": [
            f"{host.folder}/{kind.authority}.crt"
            for kind in KINDS
            if host.name in authorities[kind.authority]["lacking"]
        ],
        "refused": [
            f"There is no key of the {kind.title} to issue a certificate with, and of {host.folder}/{kind.name}.crt "
            f"this is known: {', '.join(faults[kind.name])}. Put a good one with its key there, bring the CA's key "
            f"back from a backup, or set {kind.variable}_key with the certificate"
            for kind in provided
            if faults[kind.name]
        ],
    }


def _faults(host: Host, kind: Kind, authority: Mapping[str, Any]) -> List[str]:
    """What speaks against a certificate; one that the user brings may have further names, and its key is put right."""
    if authority["mode"] == "shared":
        return []
    provided, key = authority["mode"] == "provided", host.info[f"{kind.prefix}key"]
    return certificate_faults(
        host.info[f"{kind.prefix}certificate"],
        authority=authority["issuer"] or authority["certificate"],
        names=host.addresses if provided else host.names,
        key="" if provided and key == "exposed" else key,
        renew_days=host.renew_days,
        needed=USAGES,
        exact=not provided,
    )


def _request(host: Host, kind: Kind, authority: Mapping[str, Any]) -> Dict[str, Any]:
    """What is asked of the signer: a host, or, where that is empty, whoever has the user's key."""
    names = list(dict.fromkeys(host.names))
    return {
        "name": kind.name,
        "authority": kind.authority,
        "signer": authority["signer"],
        "issuer": authority["issuer"],
        "common_name": host.common_name,
        "names": [
            *(f"DNS:{name}" for name in names if not is_address(name)),
            *(f"IP:{name}" for name in names if is_address(name)),
        ],
        "usages": USAGES,
    }


def _of_authority(host: Host, kind: Kind, authority: Mapping[str, Any]) -> Iterator[str]:
    """What becomes of an authority's files on the host."""
    if host.name == authority["maker"]:
        yield f"{kind.noun}, because {authority['reason']}"
    if host.name in authority["lacking"]:
        yield f"{kind.noun}, handed to this host"
    if host.name in authority["keyless"]:
        yield f"{kind.noun}: its key, handed to this host"
    if host.name in authority["surplus"]:
        yield f"{kind.noun}: its key, removed from this host"
