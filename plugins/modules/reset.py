# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove from a host what a cluster has made of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reset
version_added: 0.1.0
short_description: Removes from a host what a Kubernetes cluster has made of it
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Removes by owner what C(kubeadm), the kubelet, the container runtime for Kubernetes and this collection have made;
    files, units with their timers, pods, firewall rules, interfaces, routes, holds of packages.
  - Programs, packages, the container runtime with its configuration, backups, and what is not known to be the cluster's
    stay. So do firewall tables and policies, other namespaces of containerd, and CNI configurations of others.
  - Nothing is removed below a mount. A folder that is a mount itself is emptied. What Kubernetes mounted below
    C(/var/lib/kubelet) is unmounted; if that fails, nothing is removed and the module fails. Any other mount in a
    folder that is to be removed is a fault.
  - C(kubeadm reset) is not called. It deletes what is mounted where an unmount has failed, and takes a member out of
    etcd without asking whether the quorum holds.
  - All faults are reported at once, before anything is changed.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
attributes:
  check_mode:
    details:
      - In check mode faults are no failure, but are returned in RV(faults).
options:
  state:
    description:
      - V(stopped) stops the kubelet and the timers, ends pods except those in the host's network, and unmounts.
      - V(absent) does that and removes everything.
      - Give V(stopped) to all hosts before V(absent) to any. Then the API servers, which are pods in the host's
        network, still answer network plugins that end a pod, and a mount that is in use stops the run before any host
        lost a file.
    type: str
    choices: [stopped, absent]
    default: absent
  host:
    description: The name of the host in RV(plan).
    type: str
    default: ''
  runtime_endpoint:
    description: The socket of the container runtime, as the kubelet uses it.
    type: str
    default: unix:///run/containerd/containerd.sock
  etcd_data_dir:
    description: The folder in which etcd has its data. Only what etcd and this collection made in it is removed.
    type: path
    default: /var/lib/etcd
  etcd_wal_dir:
    description: The folder of etcd's write-ahead log, where it has one of its own.
    type: path
    default: ''
  etcd_pki_dir:
    description: The folder of the certificates of external etcd.
    type: path
    default: /etc/etcd/pki
  root_kubeconfig:
    description:
      - Root's copy of the administrator's kubeconfig. It is removed if it is what this cluster gave, and stays if it is
        anything else.
    type: path
    default: /root/.kube/config
notes:
  - Pods are ended without their grace period, as the kubelet does not run any more.
  - With kube-proxy in mode C(ipvs), virtual services stay in the kernel until C(ipvsadm --clear) or a reboot.
"""

EXAMPLES = r"""
- name: Stop everything
  groundwork.kubernetes.reset:
    state: stopped

- name: Remove everything
  groundwork.kubernetes.reset:
"""

RETURN = r"""
plan:
  description: What was, or would be, stopped or removed, in its order.
  returned: success
  type: list
  elements: dict
  sample: [{host: worker-1, subject: unit, before: kubelet.service, after: "stopped, disabled"}]
summary:
  description: How much of what that is, in one line, and where data of etcd is.
  returned: success
  type: str
  sample: "2 units (kubelet.service, kubernetes-pod-traffic.service), 7 pods, 31 paths; etcd's data in /var/lib/etcd"
faults:
  description: What stands against it. Outside of check mode, the module fails with these.
  returned: success
  type: list
  elements: str
  sample: []
node:
  description: Whether the host has joined a cluster, by its files.
  returned: success
  type: bool
  sample: true
member:
  description: Whether the host has data of a member of etcd.
  returned: success
  type: bool
  sample: false
addresses:
  description: The host's addresses, by which a cluster that lives on may know it under another name.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.21]
begun:
  description: Whether a reset was begun on a host that has joined a cluster. Its kubelet does not start at boot then.
  returned: success
  type: bool
  sample: false
row:
  description: What came of it, as a row for M(groundwork.kubernetes.show).
  returned: always
  type: dict
  sample: {host: worker-1, subject: parts of the cluster, before: "41", after: "0", seconds: 12.5, result: changed}
"""

import os
import time
from dataclasses import asdict
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import HostReader
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import ResultRow
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.proc_net import ipv4_addresses
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset import FAILURES, Host
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import ResetError

KUBECONFIG = "/etc/kubernetes/kubelet.conf"


def own_addresses() -> List[str]:
    """The host's addresses, without those of lo."""
    return [address for one in HostReader().interfaces(ipv4_addresses()) for address in one["addresses"]]


def run(module: AnsibleModule, began: float) -> Dict[str, Any]:
    """Find, and unless in check mode, stop and remove.

    Raises:
        ResetError: with all that stands against it.
    """
    options = module.params
    host = Host(module)
    found = host.find()
    stopping = bool(found.early_units or found.early_pods or found.mounts)
    lines = [{"host": options["host"], **line} for line in found.describe()]
    node = os.path.exists(KUBECONFIG)
    member = os.path.exists(os.path.join(options["etcd_data_dir"], "member"))
    result: Dict[str, Any] = {
        "changed": stopping if options["state"] == "stopped" else bool(lines),
        "plan": lines,
        "summary": found.summary() + (f"; etcd's data in {options['etcd_data_dir']}" if member else ""),
        "faults": found.faults,
        "node": node,
        "member": member,
        "addresses": own_addresses(),
        "begun": node and "kubelet.service" not in found.early_units,
    }
    if not module.check_mode:
        if found.faults:
            raise ResetError("Nothing was changed:\n" + "\n".join(found.faults))
        complaints = host.stop(found) if stopping else []
        if options["state"] == "absent" and lines:
            complaints += host.remove(found)
        for complaint in complaints:
            module.warn(f"The runtime could not end a pod as it should, which was then removed: {complaint}")
    if module._diff and result["changed"]:
        text = "".join(f"{line['subject']} {line['before']}\n" for line in lines)
        result["diff"] = {"before": text, "after": "" if options["state"] == "absent" else "stopped\n"}
    running = len(found.early_units) + len(found.early_pods) + len(found.mounts)
    before = len(lines) if options["state"] == "absent" else running
    result["row"] = row(module, began, str(before), "0", "changed" if result["changed"] else "unchanged")
    return result


def row(module: AnsibleModule, began: float, before: str, after: str, result: str) -> Dict[str, Any]:
    """What came of it."""
    removing = module.params["state"] == "absent"
    subject = "parts of the cluster" if removing else "units, pods, mounts"
    return asdict(ResultRow(module.params["host"], subject, before, after, round(time.monotonic() - began, 1), result))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["stopped", "absent"], "default": "absent"},
            "host": {"type": "str", "default": ""},
            "runtime_endpoint": {"type": "str", "default": "unix:///run/containerd/containerd.sock"},
            "etcd_data_dir": {"type": "path", "default": "/var/lib/etcd"},
            "etcd_wal_dir": {"type": "path", "default": ""},
            "etcd_pki_dir": {"type": "path", "default": "/etc/etcd/pki"},
            "root_kubeconfig": {"type": "path", "default": "/root/.kube/config"},
        },
        supports_check_mode=True,
    )
    began = time.monotonic()
    try:
        module.exit_json(**run(module, began))
    except FAILURES as error:
        module.fail_json(msg=str(error), row=row(module, began, "", "", "failed"))


if __name__ == "__main__":
    main()
