# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by the modules that call etcdctl and etcdutl."""

from __future__ import annotations


class ModuleDocFragment:
    """The client's options; C(etcd.tools) for modules that read files, C(etcd.ctl) for those that do not."""

    DOCUMENTATION = r"""
options:
  endpoints:
    description: Client URLs of etcd members.
    type: list
    elements: str
    default: ["https://127.0.0.1:2379"]
  cacert:
    description:
      - File on the host with the CA certificate that signed the members' certificates.
      - On a control plane set up by kubeadm this is C(/etc/kubernetes/pki/etcd/ca.crt).
    type: path
  cert:
    description:
      - File on the host with the client certificate.
      - On a control plane set up by kubeadm this is C(/etc/kubernetes/pki/etcd/healthcheck-client.crt).
    type: path
  key:
    description: File on the host with the private key of O(cert).
    type: path
  timeout:
    description: Seconds that a short request to a member may take.
    type: int
    default: 5
  dial_timeout:
    description: Seconds that connecting to a member may take.
    type: int
    default: 2
"""

    TOOLS = r"""
options:
  bin_dir:
    description:
      - Folder on the host with C(etcdctl) and, from etcd 3.5 on, C(etcdutl).
      - Without it they are looked for in C(/usr/local/bin), C(/usr/bin) and on E(PATH).
    type: path
requirements:
  - etcdctl 3.4 or 3.5, or etcdutl 3.5 to 3.7 with the etcdctl of the same minor version
notes:
  - Tools of the same minor version as the members are recommended.
"""

    CTL = r"""
options:
  bin_dir:
    description:
      - Folder on the host with C(etcdctl).
      - Without it C(etcdctl) is looked for in C(/usr/local/bin), C(/usr/bin) and on E(PATH).
    type: path
requirements:
  - etcdctl 3.4 to 3.7
notes:
  - One of O(endpoints) gives the list of members, and then each member is asked at its own client URLs. Give more than
    one endpoint, so that a member that is down does not hide the others.
  - A member that does not answer adds O(timeout) to each request.
"""
