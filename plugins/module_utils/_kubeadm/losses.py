# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node has lost of what kubeadm made on it, decided from what was read: missing, altered, of no use, ended.

Nothing is called lost because it could not be read.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Mapping, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import ETCD, NodeState
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import (
    KubeconfigError,
    parse_kubeconfig,
)

MISSING, ALTERED, UNUSABLE, ENDED, UNFINISHED, RIGHTS = (
    "missing",
    "altered",
    "unusable",
    "ended",
    "unfinished",
    "rights",
)
# Who makes it good: a playbook, or people.
SITE, CERTIFICATES, UPGRADE, PEOPLE = "site", "certificates", "upgrade", ""
# Of etcd's manifest, what depends on when the member joined and means nothing once it has data.
JOINED_WITH = re.compile(r"^\s*- --initial-cluster(?:-state)?=.*\n", re.MULTILINE)
MASTERS = "system:masters"
# Whose a kubeconfig is: the user, and the groups of which it must have one; kubeadm writes the second from 1.29 on.
USERS: Dict[str, Any] = {
    "admin": ("kubernetes-admin", (MASTERS, "kubeadm:cluster-admins")),
    "controller-manager": ("system:kube-controller-manager", ()),
    "scheduler": ("system:kube-scheduler", ()),
}
# What a line of a kubeconfig looks like.
LINE = re.compile(r"\s*$|\s*#|---|\s*(?:-\s+)?[\w-]+:|\s*-\s")
DIFF_LINES = 40
# What kubeadm's file for the kubelet sets.
FLAGS = "KUBELET_KUBEADM_ARGS"


@dataclass(frozen=True)
class Loss:
    """One thing that a node lacks.

    Attributes:
        path: the file, or what else it is.
        kind: missing, altered, unusable, ended, unfinished or rights.
        what: what is wrong.
        by: the playbook that makes it good; empty where people have to.
        diff: for an altered file, how it differs from what kubeadm writes.
        needs: the authority's key that it takes and that is not on this host; another control plane may have it.
    """

    path: str
    kind: str
    what: str
    by: str = SITE
    diff: str = ""
    needs: str = ""

    def describe(self) -> Dict[str, Any]:
        """As a module returns it."""
        return asdict(self)


def unfinished(state: NodeState) -> List[Loss]:
    """A run of kubeadm that was begun on the host and has not finished."""
    if not state.interrupted:
        return []
    what = f"kubeadm {state.interrupted} was begun and has not finished"
    return [Loss(f"kubeadm {state.interrupted}", UNFINISHED, what, SITE)]


def unfinished_upgrade(versions: Mapping[str, str]) -> List[Loss]:
    """An upgrade that was begun on the host and has not finished.

    Args:
        versions: of the images that the components' manifests name; empty for one that is missing or names none.
    """
    if len({version for version in versions.values() if version}) < 2:
        return []
    named = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    what = f"the manifests are of several versions ({named}): an upgrade was begun and has not finished"
    return [Loss("kubeadm upgrade", UNFINISHED, what, UPGRADE)]


def missing(state: NodeState) -> List[Loss]:
    """The files of a node that are not there; where people have to put something right first, that."""
    if state.faults:
        return [Loss(", ".join(state.missing), MISSING, fault, PEOPLE) for fault in state.faults]
    return [Loss(path, MISSING, "it is missing") for path in state.missing]


def text_diff(path: str, found: str, written: str) -> str:
    """How a file differs from what kubeadm writes."""
    lines = difflib.unified_diff(
        found.splitlines(), written.splitlines(), path, f"{path} as kubeadm writes it", lineterm="", n=1
    )
    return "\n".join(list(lines)[:DIFF_LINES])


def altered(name: str, path: str, found: str, written: str, healthy: bool) -> List[Loss]:
    """What was changed in a manifest of a static pod.

    Args:
        name: the static pod's.
        path: the manifest's.
        found: its text.
        written: what kubeadm writes by the configuration that was applied.
        healthy: whether the pod answers; a member of etcd that does is not restarted for the looks of its manifest.
    """
    if name == ETCD:
        if JOINED_WITH.sub("", found) == JOINED_WITH.sub("", written):
            return []
    elif found == written:
        return []
    by = PEOPLE if name == ETCD and healthy else SITE
    what = "it differs from what kubeadm writes by the configuration that was applied"
    if not by:
        what += ". Its member works, so it is left alone: move the file away, and site writes it again"
    return [Loss(path, ALTERED, what, by, text_diff(path, found, written))]


def with_joined(found: str, written: str) -> str:
    """The manifest of etcd that kubeadm writes, with how the member joined as the one that was there says it."""
    kept = JOINED_WITH.findall(found)
    lines: List[str] = []
    for line in written.splitlines(True):
        if not JOINED_WITH.match(line):
            lines.append(line)
        elif kept:
            lines += kept
            kept = []
    return "".join(lines)


def kubeconfig_fault(name: str, text: str, authorities: Sequence[bytes]) -> str:
    """Why a kubeconfig of a component is of no use; nothing if it is, or if it is of another kind than kubeadm's.

    Args:
        name: kubeadm's name for it.
        text: its content.
        authorities: the certificates of the cluster's authority, in DER; none if they are not known.
    """
    user, groups = USERS[name]
    if not text.strip() or [line for line in text.splitlines() if not LINE.match(line)]:
        return "it is no kubeconfig" if text.strip() else "it is empty"
    if "client-certificate-data" not in text:
        # Another way to prove who one is, or a certificate in a file: somebody's own.
        return "" if "users:" in text and "clusters:" in text else "it is no kubeconfig"
    try:
        found = parse_kubeconfig(text)
    except KubeconfigError as error:
        return str(error)
    if authorities and not set(authorities) & set(found.authorities):
        return "it trusts another authority than that of the cluster"
    if found.client.user != user or (groups and not set(groups) & set(found.client.groups)):
        whose = " of ".join([found.client.user, *([", ".join(found.client.groups)] if found.client.groups else [])])
        return f"it is that of {whose}, and not of {user}"
    return ""


def flags_fault(text: str, arguments: Sequence[Mapping[str, Any]]) -> str:
    """What the kubelet's file of flags lacks."""
    if not sets_flags(text):
        return f"it does not set {FLAGS}"
    lacking = lacking_flags(text, arguments)
    return f"it lacks {' '.join(lacking)}" if lacking else ""


def sets_flags(text: str) -> bool:
    """Whether a file is one that kubeadm writes with the kubelet's flags."""
    return text.strip().partition("=")[0] == FLAGS


def lacking_flags(text: str, arguments: Sequence[Mapping[str, Any]]) -> List[str]:
    """Those of the wanted flags that are not in such a file."""
    words = text.strip().partition("=")[2].strip("\"'").split()
    return [
        f"--{item['name']}={item['value']}"
        for item in arguments
        if item["value"] is not None and f"--{item['name']}={item['value']}" not in words
    ]


def named_files(manifests: Sequence[str], folder: str) -> List[str]:
    """The files of a folder that static pods are started with."""
    found = {value for text in manifests for value in flags(text).values()}
    return sorted(path for path in found if path.startswith(folder + "/"))
