# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose an archive is: that of the cluster whose identity it carries.

The identity is the UID of the namespace kube-system. It is in etcd's data, so it survives a restore, and no rotation of
the authorities changes it. A name is no proof: clusters often share one, and with it a folder or a bucket. An etcd
without Kubernetes has no identity.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import SHORT
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    BINARY_FOLDERS,
    KUBECONFIG_OPTION,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd, EtcdError

NAMESPACE = "namespaces/kube-system"
PREFIX = "/registry/"
UID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# The field uid of ObjectMeta: its number and type, its length, and the text. What precedes it cannot look like that.
IN_PROTOBUF = re.compile(rf"\*\$({UID})", re.ASCII)


def matches(uid: str, other: str) -> bool:
    """Whether two UIDs are one, where either may be only the beginning that is in an archive's name."""
    length = max(min(len(uid), len(other)), SHORT)
    return uid[:length] == other[:length] and bool(uid and other)


@dataclass(frozen=True)
class Owner:
    """A cluster, and which archives are its own.

    Attributes:
        cluster: its name.
        uid: its identity; empty where it has none or is not known, which is nobody's.
        adopt: whether archives of that name without an identity are its own.
    """

    cluster: str
    uid: str = ""
    adopt: bool = False

    def owns(self, uid: str) -> bool:
        """Whether an archive of the cluster's name with some identity, or the beginning of one, is its own."""
        return matches(uid, self.uid) if uid else self.adopt

    @property
    def stem(self) -> str:
        """What the names of its files that are no archives begin with."""
        return f"{self.cluster}-{self.uid[:SHORT]}" if self.uid else self.cluster


def parse_uid(record: str) -> str:
    """The UID in a namespace's record, in protobuf or in JSON; empty where it is encrypted or unreadable."""
    if record.startswith("{"):
        try:
            uid = json.loads(record)["metadata"]["uid"]
        except (ValueError, KeyError, TypeError):
            return ""
        return uid if isinstance(uid, str) and re.fullmatch(UID, uid) else ""
    found = IN_PROTOBUF.search(record) if record.startswith("k8s\0") else None
    return found.group(1) if found else ""


def cluster_uid(module: AnsibleModule, etcd: Etcd, endpoint: str, prefix: str = PREFIX, kubeconfig: str = "") -> str:
    """The identity of the cluster behind a member of etcd; empty where it has none, or where that is not known.

    Where etcd has the record encrypted, the API is asked.
    """
    key = f"{prefix.rstrip('/')}/{NAMESPACE}"
    try:
        record = etcd.read_key([endpoint], key, local=True)
    except EtcdError as error:
        module.warn(
            f"{endpoint} does not tell which cluster it holds, so that no archive is taken for its own: {error}"
        )
        return ""
    uid = parse_uid(record)
    if record and not uid:
        uid, reason = ask_api(module, kubeconfig or str(KUBECONFIG_OPTION["default"]))
        if reason:
            module.warn(
                f"etcd has {key} in a form that cannot be read, as with encryption at rest, and the API does not tell "
                f"which cluster it is, so that no archive is taken for its own: {reason}"
            )
    return uid


def ask_api(module: AnsibleModule, kubeconfig: str) -> Tuple[str, str]:
    """The identity, or why the API does not tell."""
    if not os.path.exists(kubeconfig):
        return "", f"{kubeconfig} does not exist"
    if module.get_bin_path("kubectl", opt_dirs=BINARY_FOLDERS) is None:
        return "", "kubectl is not installed"
    try:
        found = Kubectl(module, kubeconfig, timeout=15).get("namespace", "kube-system")
        return str(found["metadata"]["uid"]), ""
    except (KubectlError, ValueError, KeyError, TypeError) as error:
        return "", str(error)
