# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container runtime in what kubeadm has written for a kubelet, and in what is remembered as applied."""

from __future__ import annotations

import copy
import re
from typing import List, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import Document

ENDPOINT, REMOTE = "--container-runtime-endpoint", "--container-runtime=remote"
# Flags of the kubelet for Docker alone.
OF_DOCKER = ("--network-plugin", "--container-runtime", "--docker-endpoint")
# From this minor version on kubeadm does not say that the runtime is another program, as there is nothing else.
DOCKERSHIM_GONE = (1, 24)
# Where instance-config.yaml, and kubeadm's own configuration, name the socket.
OF_INSTANCE, OF_CONFIG = "containerRuntimeEndpoint", "criSocket"


def flags_with_socket(text: str, socket: str, minor: Tuple[int, int], elsewhere: bool = False) -> str:
    """The content of kubeadm-flags.env with another runtime.

    Args:
        text: what kubeadm has written: one variable, with its own arguments and the user's.
        socket: the runtime's.
        minor: of the kubelet.
        elsewhere: whether a file of its own names the socket, so that a flag that is not there is not added.
    """
    variable, _equals, value = text.strip().partition("=")
    words = value.strip('"').split()
    named = any(word.partition("=")[0] == ENDPOINT for word in words)
    if elsewhere and not named:
        return text
    first = [*([REMOTE] if minor < DOCKERSHIM_GONE else []), f"{ENDPOINT}={socket}"]
    kept = [word for word in words if word.partition("=")[0] not in (*OF_DOCKER, ENDPOINT)]
    return '{}="{}"\n'.format(variable or "KUBELET_KUBEADM_ARGS", " ".join([*first, *kept]))


def yaml_with_socket(text: str, field: str, socket: str) -> str:
    """YAML as kubeadm and this collection write it with another runtime; as it is where it names none."""
    return re.sub(rf"^( *{field}: *).*$", lambda found: f"{found[1]}{socket}", text, flags=re.MULTILINE)


def documents_with_socket(documents: List[Document], socket: str) -> List[Document]:
    """What is remembered as applied, with another runtime where it names one."""
    result = copy.deepcopy(documents)
    for document in result:
        registration = document.get("nodeRegistration")
        if isinstance(registration, dict) and OF_CONFIG in registration:
            registration[OF_CONFIG] = socket
    return result
