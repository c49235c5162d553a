# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issue a kubeconfig with a client certificate of its own."""

from __future__ import annotations

DOCUMENTATION = r"""
module: client_kubeconfig
version_added: 0.1.0
short_description: Issue a kubeconfig with a client certificate of its own
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Lets kubeadm issue a kubeconfig for a user who is in no group, on a control plane that has the key of the cluster's
    authority. What the user may do is a matter of RBAC.
  - It is issued anew when less than a third of the time that its certificate holds is left, when the authority or the
    address of the API has changed, or when it is another user's, cannot be read, or is not there.
  - A certificate that was issued holds until it expires, whatever becomes of the file.
  - The key is in no output, diff or log, and on no command line.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  path:
    description: Where it is, with mode 0600.
    type: path
    required: true
  user:
    description: The user's name.
    type: str
    required: true
  config:
    description: The configuration of kubeadm that the control plane was made with.
    type: path
    default: /etc/kubernetes/kubeadm.yaml
  reference:
    description: A kubeconfig of kubeadm whose address of the API is the one that is wanted.
    type: path
    default: /etc/kubernetes/admin.conf
  authority:
    description: The certificate of the cluster's authority.
    type: path
    default: /etc/kubernetes/pki/ca.crt
seealso:
  - name: kubeadm kubeconfig
    description: What issues it.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-kubeconfig/
"""

EXAMPLES = r"""
- name: Issue a kubeconfig for a program on the control planes
  groundwork.kubernetes.client_kubeconfig:
    path: /etc/kubernetes/example.conf
    user: example
"""

RETURN = r"""
fingerprint:
  description:
    - SHA-256 of the client's certificate that is there afterwards, in hexadecimal digits.
    - V(new) in check mode where it would be issued.
  returned: success
  type: str
  sample: 0b7b5f2d3c0a4f1f1c8f6f2b1a4cf5e1a9f7d1f27b9c8f4f7e1d2c3b4a596877
found:
  description: The same of the certificate that was there before; empty where there was none that the cluster takes.
  returned: success
  type: str
  sample: ''
reason:
  description: Why it was issued, or would be; empty where it was not.
  returned: success
  type: str
  sample: it is not there
"""

import time
from typing import Any, Dict, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import certificates
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import (
    ClientKubeconfig,
    KubeconfigError,
    issue,
    parse_kubeconfig,
    server_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    write_private,
)

TIMEOUT = 60
ATTRIBUTES = Attributes(0o600, 0, 0)


def read(path: str) -> Optional[ClientKubeconfig]:
    """The kubeconfig that is there; None where there is none that can be read."""
    try:
        return parse_kubeconfig((read_bytes(path) or b"").decode("utf-8", "replace"))
    except KubeconfigError:
        return None


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Compare, then issue."""
    path, user = module.params["path"], module.params["user"]
    authority = certificates(read_bytes(module.params["authority"]) or b"")
    server = server_of((read_bytes(module.params["reference"]) or b"").decode("utf-8", "replace"))
    if not authority and not module.check_mode:
        module.fail_json(
            msg=f"{module.params['authority']} is not there or holds no certificate, so that {path} cannot be issued: "
            "run this on a control plane"
        )
    now = time.time()

    def unfit(kubeconfig: ClientKubeconfig) -> str:
        return kubeconfig.unfit(user, server, authority, now)

    found = read(path)
    reason = unfit(found) if found else "it is not there or cannot be read"
    before = found.fingerprint if found and found.usable(authority, now) else ""
    result = {"changed": bool(reason), "fingerprint": "new" if reason else before, "found": before, "reason": reason}
    if not reason and ATTRIBUTES.differ(path):
        result["changed"] = True
        if not module.check_mode:
            ATTRIBUTES.apply(path)
    if not reason or module.check_mode:
        return result
    text = issue(Kubeadm(module, TIMEOUT), user, [], module.params["config"])
    issued = parse_kubeconfig(text)
    fault = unfit(issued)
    if fault:
        raise KubeconfigError(f"what kubeadm issues from {module.params['config']} does not fit: {fault}")
    write_private(module, path, text.encode())
    ATTRIBUTES.apply(path)
    return {**result, "fingerprint": issued.fingerprint}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "user": {"type": "str", "required": True},
            "config": {"type": "path", "default": "/etc/kubernetes/kubeadm.yaml"},
            "reference": {"type": "path", "default": "/etc/kubernetes/admin.conf"},
            "authority": {"type": "path", "default": "/etc/kubernetes/pki/ca.crt"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (OSError, DerError, KubeadmError, KubeconfigError) as error:
        module.fail_json(msg=f"{module.params['path']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
