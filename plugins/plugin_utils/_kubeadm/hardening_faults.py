# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hardening asks of a version of Kubernetes, or of the machine that runs Ansible, that is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.oidc import oidc_faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import oldest_with, release

POD_SECURITY, AUTHENTICATION = "control_plane_pod_security", "control_plane_authentication_configuration"


def hardening_faults(
    version: str,
    pod_security: Mapping[str, Any],
    authentication: Mapping[str, Any],
    patches: str,
    patch_files: Sequence[str],
) -> Iterator[str]:
    """What cannot be done, one sentence each.

    Args:
        version: of Kubernetes.
        pod_security: the variable C(control_plane_pod_security).
        authentication: the variable C(control_plane_authentication_configuration).
        patches: the folder with kubeadm's patches; empty for none.
        patch_files: what lies in it.

    Raises:
        ReleaseError: if the version is not covered.
    """
    offered = release(version)
    if pod_security and not offered["pod_security_api"]:
        yield (
            f"{POD_SECURITY} needs Kubernetes {oldest_with('pod_security_api')} or newer, and kubernetes_version is "
            f"{version}. Leave it empty, or upgrade the cluster."
        )
    if not offered["authentication_api"]:
        for fault in oidc_faults(authentication, version):
            yield f"{AUTHENTICATION}.{fault}."
    if patches and not patch_files:
        yield (
            f"control_plane_patches: there is no file in {patches} on the machine that runs Ansible. Give the path of "
            "a folder with patches."
        )
