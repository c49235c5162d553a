# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_host_info: what a host has of etcd."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_host_info
short_description: Show what a host has of etcd
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Returns in one round trip whether a host holds a member's data, which etcd is installed, how its service is, and
    which certificates there are.
  - It asks the host alone, so it works without a cluster, on an empty host, and while etcd is down.
    M(groundwork.kubernetes.etcd_info) asks the cluster.
  - No private key leaves the host or is read by the module. OpenSSL tells whether a key belongs to its certificate.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  data_dir:
    description: The member's data directory. Without it, nothing is returned of a member.
    type: path
  wal_dir:
    description: Folder of the write-ahead log, where it is outside O(data_dir).
    type: path
  bootstrap_file:
    description: Environment file with what the member begins with.
    type: path
  bin_dir:
    description: Folder with the program C(etcd).
    type: path
    default: /usr/local/bin
  unit:
    description: Name of the member's systemd unit.
    type: str
    default: etcd.service
  files:
    description: Files that the service reads at its start.
    type: list
    elements: path
    default: []
  user:
    description: User who runs the service and owns RV(folders) and the key.
    type: str
    default: root
  certificate:
    description: File with a certificate, PEM.
    type: path
  key:
    description: File with the private key of O(certificate).
    type: path
  ca_certificate:
    description: File with the CA certificate, PEM.
    type: path
  ca_key:
    description: File with the private key of O(ca_certificate).
    type: path
  peer_certificate:
    description: File with the certificate for other members, PEM.
    type: path
  peer_key:
    description: File with the private key of O(peer_certificate).
    type: path
  peer_ca_certificate:
    description: File with the CA certificate of O(peer_certificate), PEM.
    type: path
  peer_ca_key:
    description: File with the private key of O(peer_ca_certificate).
    type: path
seealso:
  - module: groundwork.kubernetes.etcd_info
"""

EXAMPLES = r"""
- name: Look at the host
  groundwork.kubernetes.etcd_host_info:
    data_dir: /var/lib/etcd
    user: etcd
    certificate: /etc/etcd/pki/member.crt
    key: /etc/etcd/pki/member.key
  register: host

- name: Show whether a member has begun here
  ansible.builtin.debug:
    var: host.data
"""

RETURN = r"""
data:
  description: Whether a member's write-ahead log is there.
  returned: success
  type: bool
  sample: true
user_exists:
  description: Whether the user exists.
  returned: success
  type: bool
  sample: true
folders:
  description: Which of the member's folders are missing or not the user's alone.
  returned: success
  type: list
  elements: str
  sample: []
bootstrap:
  description: The variables in the bootstrap file. None once the member is a part of its cluster.
  returned: success
  type: dict
  sample: {ETCD_INITIAL_CLUSTER_STATE: new}
version:
  description: Version of the program C(etcd), or empty.
  returned: success
  type: str
  sample: 3.6.15
service:
  description: The unit.
  returned: success
  type: dict
  contains:
    active:
      description: Whether the service is up. It is not while it waits for the quorum.
      type: bool
      sample: true
    enabled:
      description: Whether it is started at boot.
      type: bool
      sample: true
    stale:
      description: Files that were written after it was started.
      type: list
      elements: str
      sample: [/etc/etcd/etcd.env]
certificate:
  description: The certificate, PEM, or empty.
  returned: success
  type: str
key:
  description:
    - State of the key. V(exposed) is a key that belongs to another user, or that others may read.
    - Empty if no key was asked for.
  returned: success
  type: str
  choices: ['', ok, absent, mismatch, exposed]
  sample: ok
ca_certificate:
  description: The CA certificate, PEM, or empty.
  returned: success
  type: str
ca_key:
  description: State of the CA's key.
  returned: success
  type: str
  choices: ['', ok, absent, mismatch, exposed]
  sample: absent
peer_certificate:
  description: The certificate for other members, PEM, or empty.
  returned: success
  type: str
peer_key:
  description: State of its key.
  returned: success
  type: str
  choices: ['', ok, absent, mismatch, exposed]
  sample: ok
peer_ca_certificate:
  description: The CA certificate of peers, PEM, or empty.
  returned: success
  type: str
peer_ca_key:
  description: State of its key.
  returned: success
  type: str
  choices: ['', ok, absent, mismatch, exposed]
  sample: absent
"""

import os
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd, EtcdError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.on_host import (
    has_data,
    read_bootstrap,
    read_pair,
    unfit_folders,
    user_id,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.restart_due import Started
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import (
    ENABLED,
    ServiceError,
    Systemd,
)

ARGUMENTS: Dict[str, Any] = {
    "data_dir": {"type": "path"},
    "wal_dir": {"type": "path"},
    "bootstrap_file": {"type": "path"},
    "bin_dir": {"type": "path", "default": "/usr/local/bin"},
    "unit": {"type": "str", "default": "etcd.service"},
    "files": {"type": "list", "elements": "path", "default": []},
    "user": {"type": "str", "default": "root"},
    "certificate": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "ca_certificate": {"type": "path"},
    "ca_key": {"type": "path", "no_log": False},
    "peer_certificate": {"type": "path"},
    "peer_key": {"type": "path", "no_log": False},
    "peer_ca_certificate": {"type": "path"},
    "peer_ca_key": {"type": "path", "no_log": False},
}


def member(module: AnsibleModule) -> Dict[str, Any]:
    """What the host has of a member."""
    options = module.params
    data_dir, wal_dir = options["data_dir"], options["wal_dir"] or ""
    folders: List[str] = [data_dir, *([wal_dir] if wal_dir else [])]
    tool = Etcd(module).tool("etcd") if os.path.exists(os.path.join(options["bin_dir"], "etcd")) else None
    unit = Systemd(module, options["unit"]).read()
    started = Started(options["unit"], unit.invocation)
    return {
        "data": has_data(data_dir, wal_dir),
        "folders": unfit_folders(folders, user_id(options["user"])),
        "bootstrap": read_bootstrap(options["bootstrap_file"]),
        "version": str(tool.version) if tool else "",
        "service": {
            "active": unit.active_state == "active",
            "enabled": unit.file_state in ENABLED,
            "stale": started.changed(options["files"], unit.started_at) if unit.running else [],
        },
    }


def run(module: AnsibleModule) -> Dict[str, Any]:
    """What the module returns."""
    options = module.params
    owner = user_id(options["user"])
    nothing = {"active": False, "enabled": False, "stale": []}
    result = {"data": False, "folders": [], "bootstrap": {}, "version": "", "service": nothing}
    if options["data_dir"]:
        result = member(module)
    pairs = {"": owner, "ca_": 0, "peer_": owner, "peer_ca_": 0}
    certificates: Dict[str, str] = {}
    for prefix, user in pairs.items():
        pair = read_pair(options[f"{prefix}certificate"], options[f"{prefix}key"], user)
        certificates.update({f"{prefix}certificate": pair.certificate, f"{prefix}key": pair.key})
    return {
        "changed": False,
        "user_exists": owner is not None,
        **result,
        **certificates,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = run(module)
    except (EtcdError, ServiceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
