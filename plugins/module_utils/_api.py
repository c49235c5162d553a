# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this host can reach a cluster at all, and how to wait for something in it."""

from __future__ import annotations

import os
import time
from typing import Callable, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubectl import BINARY_FOLDERS, KubectlError

INTERVAL = 2.0


def cluster_missing(module: AnsibleModule, kubeconfig: str) -> Optional[str]:
    """Why there is no cluster to ask from this host yet; None where there is one."""
    if module.get_bin_path("kubectl", opt_dirs=BINARY_FOLDERS) is None:
        return "kubectl is not installed on this host"
    if not os.path.exists(kubeconfig):
        return f"there is no kubeconfig at {kubeconfig} on this host"
    return None


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
