# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell with which keys the API server on a host encrypts what it stores."""

from __future__ import annotations

DOCUMENTATION = r"""
module: encryption_info
version_added: 0.1.0
short_description: With which keys an API server encrypts what it stores
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads the configuration of encryption at rest that the static pod of the API server names.
  - Makes a fresh key, which nothing uses yet, if asked for. Like this no key comes from the machine that runs Ansible.
  - The result holds keys. The task needs C(no_log).
  - The filter P(groundwork.kubernetes.encryption_plan#filter) makes a plan of the results of all hosts.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  generate_key:
    description: Whether to make a fresh key of 32 random bytes.
    type: bool
    default: false
  manifest:
    description: The API server's static pod, as kubeadm writes it.
    type: path
    default: /etc/kubernetes/manifests/kube-apiserver.yaml
  folder:
    description: Where configurations are kept.
    type: path
    default: /etc/kubernetes/encryption
seealso:
  - plugin: groundwork.kubernetes.encryption_plan
    plugin_type: filter
  - module: groundwork.kubernetes.encryption_rewrite
"""

EXAMPLES = r"""
- name: Read how Secrets are encrypted
  groundwork.kubernetes.encryption_info:
    generate_key: true
  register: encryption
  no_log: true
"""

RETURN = r"""
exists:
  description: Whether the host has a static pod of an API server.
  returned: success
  type: bool
file:
  description: The file that the API server reads; empty if it encrypts nothing.
  returned: success
  type: str
  sample: /etc/kubernetes/encryption/config-0123456789abcdef.yaml
config:
  description: That file's text; empty if there is none. It holds keys.
  returned: success
  type: str
files:
  description: The configurations in O(folder), whether the API server reads them or not.
  returned: success
  type: list
  elements: str
stored:
  description: The texts of these files where there is no API server, as after a backup was put back. They hold keys.
  returned: success
  type: list
  elements: str
key:
  description: A fresh key. Its name tells when it was made, in UTC.
  returned: when O(generate_key=true)
  type: dict
  contains:
    name:
      description: A name for the key.
      type: str
      sample: key-20261122t101500z
    secret:
      description: 32 random bytes in base64.
      type: str
"""

import base64
import glob
import os
import re
import secrets
from datetime import datetime, timezone
from typing import Any, Dict, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes

ARGUMENT = re.compile(r"""^\s*-\s*["']?--encryption-provider-config=([^"'\s]+)""", re.MULTILINE)
KEY_NAME = "key-%Y%m%dt%H%M%Sz"
KEY_BYTES = 32


def config_path(manifest: str) -> str:
    """The file that a static pod names; empty if none."""
    found = ARGUMENT.search(manifest)
    return found.group(1) if found else ""


def new_key(now: datetime) -> Dict[str, str]:
    """A key whose name tells when it was made."""
    secret = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return {"name": now.strftime(KEY_NAME), "secret": secret}


def text(content: Optional[bytes]) -> str:
    """A file's text; empty for no file."""
    return (content or b"").decode("utf-8", "replace")


def main() -> None:
    """Read the static pod, and the file that it names."""
    module = AnsibleModule(
        {
            # Says whether, and is no key.
            "generate_key": {"type": "bool", "default": False, "no_log": False},
            "manifest": {"type": "path", "default": "/etc/kubernetes/manifests/kube-apiserver.yaml"},
            "folder": {"type": "path", "default": "/etc/kubernetes/encryption"},
        },
        supports_check_mode=True,
    )
    try:
        manifest = read_bytes(module.params["manifest"])
        path = config_path(text(manifest))
        files = sorted(glob.glob(os.path.join(glob.escape(module.params["folder"]), "config-*.yaml")))
        result: Dict[str, Any] = {
            "exists": manifest is not None,
            "file": path,
            "config": text(read_bytes(path)) if path else "",
            "files": files,
            "stored": [text(read_bytes(name)) for name in files] if manifest is None else [],
        }
    except OSError as error:
        module.fail_json(msg=f"{error.filename} cannot be read: {error.strerror}")
    if module.params["generate_key"]:
        result["key"] = new_key(datetime.now(timezone.utc))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
