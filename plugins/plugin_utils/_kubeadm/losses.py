# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes have lost, judged together: authorities come from a control plane that has them, never from nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import FOLDER, manifest

Result = Mapping[str, Any]
PKI = f"{FOLDER}/pki"
# Its manifest tells whether a control plane is to have the authorities' keys.
MANAGER = manifest(FOLDER, "kube-controller-manager")
# What tells whether two files are of one authority, by the file that says so.
PUBLIC = {"sa.key": "sa.pub"}
FROM_BACKUP = (
    "{host}: {path} is on no control plane, and its static pods need it. It is not made anew, as nothing would trust "
    "it: put it back from a backup (ansible {host} --become -m groundwork.kubernetes.restore_files -a 'path=ARCHIVE "
    "include={path}', docs/restore.md)"
)
ROTATING = (
    "{host}: {path} is missing, and a rotation of the authority has not ended, in which hosts may have different ones. "
    "It is not copied: put back the one that the host had"
)
# What differs in the middle of a stage of a rotation.
ROTATED = ("ca.crt", "ca.key")
DIFFERS = (
    "{hosts}: {path} is not the same on all of them. Nothing here tells which is right: put the right one in its place"
)


@dataclass
class Authorities:
    """Files of authorities that control planes lack.

    Attributes:
        copies: the files that a host lacks and another one has, by host.
        sources: the host that has such a file, by the file.
        faults: what people have to put right, with the host.
    """

    copies: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """As a filter gives it."""
        return asdict(self)


def _wants(named: Collection[str], name: str) -> bool:
    """Whether a control plane is to have a file: one whose authority's key is kept elsewhere has no keys by right."""
    return name in named or not name.endswith(".key") or "ca.key" in named


def authorities(results: Mapping[str, Result]) -> Authorities:
    """What of authorities is copied to which control plane.

    Args:
        results: what kubeadm_info returned of each node, with losses=true.
    """
    found = Authorities()
    hosts = {
        host: result
        for host, result in results.items()
        if result.get("role") == "control_plane" and not result["interrupted"] and "authorities" in result
    }
    every = {name for result in hosts.values() for name in result["named_authorities"]}
    named = {
        host: every if MANAGER in result.get("missing", []) else result["named_authorities"]
        for host, result in hosts.items()
    }
    names = every | {name for result in hosts.values() for name in result["authorities"]}
    holders = {
        name: [host for host, result in hosts.items() if name in result["authorities"]] for name in sorted(names)
    }
    rotated = ROTATED if any(result["rotating"] for result in hosts.values()) else ()
    differing = [
        name
        for name, having in holders.items()
        if name not in rotated and len({hosts[host]["authorities"][name] for host in having}) > 1
    ]
    found.faults = [DIFFERS.format(hosts=", ".join(holders[name]), path=f"{PKI}/{name}") for name in differing]
    for name, having in holders.items():
        path = f"{PKI}/{name}"
        lacking = [host for host in hosts if host not in having and _wants(named[host], name)]
        if not having:
            found.faults += [FROM_BACKUP.format(host=host, path=path) for host in lacking]
        elif name in rotated:
            found.faults += [ROTATING.format(host=host, path=path) for host in lacking]
        elif lacking and PUBLIC.get(name, name.replace(".key", ".crt")) not in differing:
            found.sources[path] = having[0]
            for host in lacking:
                found.copies.setdefault(host, []).append(path)
    return found


def lines(results: Mapping[str, Result]) -> list[str]:
    """What all nodes have lost, one line each, with what makes it good.

    Args:
        results: what kubeadm_info returned of each node, with losses=true.
    """
    found, lost = [], authorities(results)
    for host, result in results.items():
        for loss in result.get("losses") or []:
            by = f" The playbook {loss['by']} makes it good." if loss["by"] else ""
            if loss["needs"] and loss["needs"] not in lost.copies.get(host, []):
                by = f" It cannot be issued again, as {loss['needs']} is not there: put back what is missing."
            found.append(f"{host}: {loss['path']}: {loss['what'].rstrip('.')}.{by}")
            found += [f"    {line}" for line in loss["diff"].splitlines()]
    for host, paths in lost.copies.items():
        found += [
            f"{host}: {path}: it is missing. The playbook site copies it from {lost.sources[path]}." for path in paths
        ]
    return found + [f"{fault}." for fault in lost.faults]
