# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hardening asks of a version of Kubernetes, or of the machine that runs Ansible, that is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import oldest_with, release

# Variables that need something of releases.yml.
NEEDS = {
    "control_plane_pod_security": "pod_security_api",
    "control_plane_authentication_configuration": "authentication_api",
}


def hardening_faults(version: str, used: Sequence[str], patches: str, patch_files: Sequence[str]) -> Iterator[str]:
    """What cannot be done, one sentence each.

    Args:
        version: of Kubernetes.
        used: which of the variables in NEEDS are set.
        patches: the folder with kubeadm's patches; empty for none.
        patch_files: what lies in it.

    Raises:
        ReleaseError: if the version is not covered.
    """
    offered = release(version)
    for variable, setting in NEEDS.items():
        if variable in used and not offered[setting]:
            yield (
                f"{variable} needs Kubernetes {oldest_with(setting)} or newer, and kubernetes_version is {version}. "
                "Leave it empty, or upgrade the cluster."
            )
    if patches and not patch_files:
        yield (
            f"control_plane_patches: there is no file in {patches} on the machine that runs Ansible. Give the path of "
            "a folder with patches."
        )
