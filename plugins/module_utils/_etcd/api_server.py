# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the API server of a host reaches its etcd."""

from __future__ import annotations

from typing import Any, Dict

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags

FLAGS = {"cacert": "etcd-cafile", "cert": "etcd-certfile", "key": "etcd-keyfile"}


def client_of_api_server(manifest: str) -> Dict[str, Any]:
    """The options of etcd's client that the API server with this manifest uses.

    Raises:
        EtcdError: if the manifest does not have them.
    """
    try:
        with open(manifest, encoding="utf-8") as stream:
            found = flags(stream.read())
    except (OSError, UnicodeDecodeError) as error:
        raise EtcdError(f"api_server: {manifest} cannot be read ({error}): is there an API server here?") from error
    if not found.get("etcd-servers"):
        raise EtcdError(f"api_server: {manifest} has no option --etcd-servers: set endpoints, cacert, cert and key")
    return {"endpoints": found["etcd-servers"].split(","), **{name: found.get(flag) for name, flag in FLAGS.items()}}
