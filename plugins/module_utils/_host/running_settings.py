# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster was made with and keeps for life, read from the files that kubeadm wrote on a node.

What cannot be read is left out, so that nobody takes it for another value.
"""

from __future__ import annotations

import os
import re
from typing import Callable, Dict, Iterator, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    COMPONENTS,
    ETCD,
    FOLDER,
    kubeconfig,
    manifest,
)

Read = Callable[[str], str]
KUBELET = "/var/lib/kubelet"
# Where the kubelet's own certificate is, and what kubeadm gave it: by arguments, or by a file of its own.
CLIENT_CERTIFICATE = f"{KUBELET}/pki/kubelet-client-current.pem"
ARGUMENTS = f"{KUBELET}/kubeadm-flags.env"
INSTANCE = f"{KUBELET}/instance-config.yaml"
CONFIGURATION = f"{KUBELET}/config.yaml"
# Where the kubelet itself listens in the place of a runtime when it speaks to Docker.
DOCKERSHIM = "/var/run/dockershim.sock"
NODE_USER = "system:node:"
LOOPBACK = ("https://127.0.0.1:", "https://[::1]:", "https://localhost:")
STACKED, EXTERNAL = "stacked", "external"


def running_settings(read: Read) -> Dict[str, str]:
    """The settings that are known, by name.

    Args:
        read: gives a file's text; an empty one where there is none.
    """
    return {name: value for found in (_cluster(read), _node(read)) for name, value in found if value}


def _cluster(read: Read) -> Iterator[Tuple[str, str]]:
    """What a control plane's files say."""
    api_server, controllers = (flags(read(manifest(FOLDER, name))) for name in COMPONENTS[:2])
    yield "cluster_name", controllers.get("cluster-name", "")
    yield "pod_cidr", controllers.get("cluster-cidr", "")
    yield "service_cidr", api_server.get("service-cluster-ip-range", "")
    yield "advertise_address", api_server.get("advertise-address", "")
    yield "api_port", api_server.get("secure-port", "")
    yield "certificates_dir", os.path.dirname(api_server.get("client-ca-file", ""))
    yield "etcd", _etcd(api_server.get("etcd-servers", ""), bool(read(manifest(FOLDER, ETCD))))
    servers = set(_fields(read(kubeconfig(FOLDER, "admin")), "server"))
    if len(servers) == 1:
        yield "endpoint", servers.pop().rpartition("://")[2].rstrip("/")


def _node(read: Read) -> Iterator[Tuple[str, str]]:
    """What a node's files say."""
    yield "dns_domain", next(_fields(read(CONFIGURATION), "clusterDomain"), "")
    yield "cri_socket", runtime_socket(read)
    yield "node_name", _node_name(read(CLIENT_CERTIFICATE))


def runtime_socket(read: Read) -> str:
    """The socket of the container runtime that the kubelet uses; empty where that cannot be told."""
    arguments = read(ARGUMENTS)
    argument = re.search(r"--container-runtime-endpoint=([^\s\"]+)", arguments)
    if argument:
        return argument[1]
    # kubeadm gives a kubelet this flag where it is to speak to Docker itself, before Kubernetes 1.24.
    shim = DOCKERSHIM if re.search(r"--network-plugin=", arguments) else ""
    return shim or next(_fields(read(INSTANCE), "containerRuntimeEndpoint"), "")


def _etcd(servers: str, has_member: bool) -> str:
    """Whose etcd the API server uses; empty where that cannot be told."""
    local = {server.startswith(LOOPBACK) for server in servers.split(",") if server}
    return {(True, True): STACKED, (False, False): EXTERNAL}.get((local == {True}, has_member), "") if local else ""


def _fields(text: str, name: str) -> Iterator[str]:
    """The values of a field in the form in which kubeadm writes YAML."""
    return (found[1] for found in re.finditer(rf"^[ -]*{name}: ['\"]?([^\s'\"]+)['\"]?\s*$", text, re.MULTILINE))


def _node_name(pem: str) -> str:
    """The node's name in the kubelet's certificate."""
    try:
        users = [parse_certificate(one).user for one in certificates(pem.encode())[:1]]
    except DerError:
        return ""
    return next((user[len(NODE_USER) :] for user in users if user.startswith(NODE_USER)), "")
