# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server of the host where the module runs.

A kubeconfig names the cluster's endpoint, behind which any API server answers. Where the question is how this host's
own is, it is asked at the address that its manifest has, which its certificate carries.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import in_url
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import kubeconfig, manifest

API_SERVER = "kube-apiserver"
PORT = "6443"


def own_server(text: str) -> List[str]:
    """The options that lead kubectl to the API server of this manifest."""
    found = flags(text)
    address, port = found.get("advertise-address", ""), found.get("secure-port", PORT)
    if not address:
        # All certificates of kubeadm have this name.
        return [f"--server=https://127.0.0.1:{port}", "--tls-server-name=kubernetes"]
    return [f"--server=https://{in_url(address)}:{port}"]


class OwnApi:
    """Asks the host's own API server."""

    def __init__(self, module: AnsibleModule, folder: str, timeout: int = 10) -> None:
        """Nothing is asked yet.

        Args:
            module: to run kubectl.
            folder: kubeadm's.
            timeout: seconds for an answer.
        """
        self.module, self.folder, self.timeout = module, folder, timeout

    def ready(self) -> bool:
        """Whether it says that it is ready."""
        try:
            return self.get("/readyz").strip() == "ok"
        except KubectlError:
            return False

    def version(self) -> str:
        """Its version, such as v1.36.5.

        Raises:
            KubectlError: if it does not answer.
        """
        return str(json.loads(self.get("/version"))["gitVersion"])

    def options(self) -> List[str]:
        """The options that lead kubectl to it.

        Raises:
            KubectlError: if this host has none.
        """
        text: Optional[bytes] = read_bytes(manifest(self.folder, API_SERVER))
        if text is None:
            raise KubectlError(["get"], 1, f"{manifest(self.folder, API_SERVER)} is not there")
        return own_server(text.decode("utf-8", "replace"))

    def get(self, path: str) -> str:
        """What it answers at a path.

        Raises:
            KubectlError: if it does not.
        """
        kubectl = Kubectl(self.module, kubeconfig(self.folder, "admin"), self.timeout)
        return kubectl.run("get", f"--raw={path}", *self.options())

    def create(self, item: Dict[str, Any]) -> str:
        """What it makes of an object, as JSON.

        Raises:
            KubectlError: if it refuses.
        """
        kubectl = Kubectl(self.module, kubeconfig(self.folder, "admin"), self.timeout)
        return kubectl.run("create", "--filename=-", "--output=json", *self.options(), stdin=json.dumps(item))
