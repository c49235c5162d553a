# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges where programs, packages and images come from: over what, and what proves that they are upstream's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import (
    ARCHITECTURES,
    find,
    is_digest,
    is_url,
    malformed,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs, runs_kubelet
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.needed import Download, downloads

SOURCE = re.compile(
    r"_url$|_checksums?$|^cni_(manifests|chart|calico_crds)$|^container_runtime_(registry_mirrors|package_repository)$"
)
CHECKSUM = re.compile(r"(sha256:)?[0-9a-fA-F]{64}|https?://\S+|file://\S+")
UNPROTECTED = re.compile(r"(http|ftp)://\S*")


def leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The values inside a value, each with where it is."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            yield from leaves(inner, f"{name}[{at}]")
    else:
        yield name, value


def _switched_on(host: HostInput, variable: str) -> bool:
    # What is no boolean is reported by its type.
    return bool(boolean(host.values.get(variable) or False, strict=False))


def checksums(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """The form of every checksum."""
    for variable in sorted(inputs.known.keys() & host.values.keys()):
        if not re.search(r"_checksums?$", variable):
            continue
        for place, value in leaves(host.values[variable], variable):
            if value not in (None, "") and not CHECKSUM.fullmatch(str(value)):
                text = f"{place} {value!r} is no checksum; give SHA-256 as 64 hexadecimal digits, or a file's URL"
                yield host.fault("checksum-invalid", text)


def sources(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Sources that anyone on the way can change, where that is not allowed."""
    if _switched_on(host, "kubernetes_allow_http"):
        return
    ending = "; who sits on the way decides what comes: use https, or set kubernetes_allow_http"
    for variable in sorted(name for name in inputs.known.keys() & host.values.keys() if SOURCE.search(name)):
        for place, value in leaves(host.values[variable], variable):
            if UNPROTECTED.fullmatch(str(value)):
                yield host.fault("source-unprotected", f"{place} {value} is not https{ending}")
            elif place.endswith(".skip_verify") and value is True:
                yield host.fault("source-unprotected", f"{place} leaves the certificate unverified{ending}")


def digest_forms(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """The form of the digests that are given."""
    for wrong in malformed(host.values.get("kubernetes_digests")):
        yield host.fault("checksum-invalid", f"kubernetes_digests: {wrong}")


def digests(inputs: Inputs) -> Iterator[Fault]:
    """Downloads of which only their own server says what they must be, all in one."""
    unproven = sorted({text for host in inputs.played for text in _unproven(host, inputs)})
    if not unproven:
        return
    required = any(_switched_on(host, "kubernetes_digests_required") for host in inputs.played)
    text = (
        f"no digest or fingerprint is known of {', '.join(unproven)}: who holds such a server decides its checksum or "
        "key, too; put upstream's digests into kubernetes_digests, and fingerprints beside the repository's key"
    )
    if not required:
        text += ", or accept this by preflight_ignore: [digest-missing]"
    yield Fault("digest-missing", text, severity=ERROR if required else WARNING)


def _unproven(host: HostInput, inputs: Inputs) -> Iterator[str]:
    yield from _unproven_keys(host, inputs)
    for one in downloads(host, inputs):
        if one.version and not _proven(host, one):
            shown = f"({one.architecture})" if one.architecture else ""
            yield " ".join(filter(None, [one.program, one.version, shown]))


def _proven(host: HostInput, one: Download) -> bool:
    """Whether it is known what a download must be, without asking its server."""
    # With a lock only what it says counts.
    return bool(host.text("kubernetes_lock")) or is_digest(one.checksum) or _known(host, one)


def _known(host: HostInput, one: Download) -> bool:
    digests_given = host.values.get("kubernetes_digests")
    architectures = [one.architecture] if one.architecture else ARCHITECTURES
    return any(find(one.program, one.version, name, digests_given) for name in architectures)


def _unproven_keys(host: HostInput, inputs: Inputs) -> Iterator[str]:
    """The package repositories whose key is what their server says."""
    roles, runtime = inputs.roles_of(host.name), host.text("kubernetes_container_runtime")
    if not roles or not runs_kubelet(roles):
        return
    if host.text("kubernetes_install_method") == "package" and not host.values.get(
        "kubernetes_package_key_fingerprints"
    ):
        yield "the key of Kubernetes' package repository"
    if runtime == "containerd" and host.text("container_runtime_install_method") == "archive":
        return
    repository = host.values.get("container_runtime_package_repository")
    if isinstance(repository, Mapping) and repository:
        if is_url(repository.get("key")) and not repository.get("fingerprints"):
            yield f"the key of the package repository {repository.get('name')}"
    elif runtime == "crio":
        yield "the key of CRI-O's package repository (give it as container_runtime_package_repository)"


def urls(host: HostInput, inputs: Inputs) -> list[str]:
    """Where a host of the cluster downloads its programs from, as far as the variables tell without the host.

    Where no digest is known, the file with the checksum is needed, too.
    """
    found: list[str] = []
    for one in downloads(host, inputs):
        checksum = "" if _proven(host, one) or not one.url else str(one.checksum or "")
        found += [address for address in (one.url, checksum) if re.match(r"https?://", address)]
    return list(dict.fromkeys(found))
