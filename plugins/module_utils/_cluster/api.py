# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this host can reach a cluster at all, and how to wait for something in it."""

from __future__ import annotations

import os
import time
from typing import Callable, Optional, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    BINARY_FOLDERS,
    Kubectl,
    KubectlError,
)

INTERVAL = 2.0
CHECK_TIMEOUT = 10
# Where it is, the host has joined a cluster.
KUBELET = "kubelet.conf"
# Whose user may do everything; others may be restricted by right.
ADMINISTRATOR = "admin.conf"


def cluster_missing(module: AnsibleModule, kubeconfig: str) -> Optional[str]:
    """Why there is no cluster to ask from this host yet; None where there is one."""
    if module.get_bin_path("kubectl", opt_dirs=BINARY_FOLDERS) is None:
        return "kubectl is not installed on this host"
    if not os.path.exists(kubeconfig):
        return f"there is no kubeconfig at {kubeconfig} on this host"
    return None


def require_cluster(module: AnsibleModule, kubeconfig: str) -> None:
    """End where there is no cluster to ask, in check mode too: a plan without it would say that nothing is to be done.

    This is for work on a cluster that exists. What builds one comes to its end in check mode, see not_known.
    """
    missing = cluster_missing(module, kubeconfig)
    if missing:
        module.fail_json(
            msg=f"There is no cluster that this host can ask: {missing}. Run this on a control plane, or build the "
            "cluster first (playbook site)"
        )


def not_known(module: AnsibleModule, kubeconfig: str) -> bool:
    """In check mode, whether the host belongs to a cluster that cannot be asked; a warning says why.

    A run that changes things mends first what is missing here. A check cannot, so what it would change in the cluster
    stays unknown. A host without a cluster is something else: everything there is new.
    """
    if not module.check_mode:
        return False
    reason = cluster_missing(module, kubeconfig)
    if not reason:
        reason = unreachable(module, kubeconfig)
    elif not os.path.exists(os.path.join(os.path.dirname(kubeconfig), KUBELET)):
        return False
    if reason:
        module.warn(
            f"The cluster that this host belongs to cannot be asked, so what would change in it is not known: {reason}"
        )
    return bool(reason)


def unreachable(module: AnsibleModule, kubeconfig: str) -> str:
    """Why the cluster does not tell: no API server answers, or the administrator's rights are lost; or nothing."""
    kubectl = Kubectl(module, kubeconfig, CHECK_TIMEOUT)
    try:
        if os.path.basename(kubeconfig) != ADMINISTRATOR:
            kubectl.run("get", "--raw=/version")
        elif not may_everything(kubectl):
            return f"the administrator of {kubeconfig} may not do everything; the playbook site gives the rights again"
    except KubectlError as error:
        return str(error)
    return ""


def may_everything(kubectl: Kubectl, options: Sequence[str] = ()) -> bool:
    """Whether a user may do everything, as administrators may.

    Args:
        kubectl: has the user's kubeconfig.
        options: lead to an API server.

    Raises:
        KubectlError: if that cannot be asked.
    """
    said = kubectl.run("auth", "can-i", "*", "*", "--all-namespaces", *options, ok=(0, 1)).split()
    if said[:1] == ["no"]:  # a reason may follow
        return False
    if said[:1] != ["yes"]:
        kubectl.run("get", "--raw=/version", *options)  # it says why
    return True


def poll(pending: Callable[[], str], timeout: float) -> str:
    """Ask until nothing is pending or the time is over.

    An API server that is away for a moment is waited for as well.

    Args:
        pending: says what is missing, or an empty string when all is there.
        timeout: seconds; 0 asks once.

    Returns:
        What is still missing; an empty string when all is there.
    """
    end = time.monotonic() + timeout
    while True:
        missing = _ask(pending)
        if not missing or time.monotonic() >= end:
            return missing
        time.sleep(INTERVAL)


def _ask(pending: Callable[[], str]) -> str:
    try:
        return pending()
    except KubectlError as error:
        return str(error)
