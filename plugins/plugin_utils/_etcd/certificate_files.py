# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the PKI that a member's host gets: certificates and keys that were issued, and those of the CAs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

File = dict[str, Any]


def issued(keys: Sequence[Mapping[str, Any]], signed: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each certificate that was signed, with its key.

    Args:
        keys: results of a loop over the certificates' names that made keys.
        signed: results of loops over the requests; those that were skipped have no certificate.

    Raises:
        KeyError: if a certificate has no key.
    """
    made = {result["item"]: result["privatekey"] for result in keys if "privatekey" in result}
    return [
        {"name": name, "key": made[name], "certificate": result["certificate"]}
        for result in signed
        if "certificate" in result
        for name in [result["item"]["name"]]
    ]


def files_of(
    host: str,
    authorities: Mapping[str, Mapping[str, Any]],
    read: Sequence[Mapping[str, Any]],
    certificates: Sequence[Mapping[str, str]],
    exposed: Sequence[str],
    *,
    folder: str,
    user: str,
) -> list[File]:
    """The files as the module files takes them.

    Args:
        host: the host's name in the inventory.
        authorities: what is to be done about each CA, by the name of its files.
        read: results of a loop that read files of CAs.
        certificates: what was issued for the host.
        exposed: names of certificates whose keys get their mode and owner.
        folder: where all of it lies.
        user: the account that etcd runs as.

    Raises:
        KeyError: if a key that the host is to have was not read.
    """
    contents = {
        result["item"]["file"]: base64.b64decode(result["content"]).decode() for result in read if "content" in result
    }
    private = {"mode": "0600", "owner": user, "group": user}
    found: list[File] = []
    for name, authority in authorities.items():
        found += _authority(host, name, authority, contents, folder)
    for pair in certificates:
        path = f"{folder}/{pair['name']}"
        found += [
            {"path": f"{path}.key", "content": pair["key"], **private},
            {"path": f"{path}.crt", "content": pair["certificate"]},
        ]
    return found + [{"path": path, "source": path, **private} for path in (f"{folder}/{name}.key" for name in exposed)]


def _authority(
    host: str, name: str, authority: Mapping[str, Any], contents: Mapping[str, str], folder: str
) -> Iterator[File]:
    """A CA's files on a host."""
    path = f"{folder}/{name}"
    if host in authority["lacking"]:
        yield {"path": f"{path}.crt", "content": contents.get(f"{name}.crt", authority["certificate"])}
    if host in authority["keyless"]:
        yield {"path": f"{path}.key", "content": contents[f"{name}.key"], "mode": "0600", "owner": "root"}
    if host in authority["surplus"]:
        yield {"path": f"{path}.key", "state": "absent"}
