# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by the modules that call etcdctl and etcdutl."""

from __future__ import annotations


class ModuleDocFragment:
    """The client's options, and what some of the modules share besides.

    C(etcd.tools) is for modules that read files, C(etcd.ctl) for those that do not.
    """

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
seealso:
  - name: etcd's runtime reconfiguration
    description: How members are added and removed, and why one at a time.
    link: https://etcd.io/docs/v3.6/op-guide/runtime-configuration/
"""

    GUARD = r"""
options:
  allow_downtime:
    description:
      - Allows to restart, upgrade or defragment the only member of a cluster, or one of two. Such a cluster answers
        nothing meanwhile.
      - No other reason to refuse is waived by it.
    type: bool
    default: false
  wait_timeout:
    description: Seconds that catching up, or the move of leadership, may take.
    type: int
    default: 120
  max_lag:
    description: How many entries of the log the member may be behind the leader to have caught up.
    type: int
    default: 100
"""

    API_SERVER = r"""
options:
  api_server:
    description:
      - The manifest of the host's API server, such as V(/etc/kubernetes/manifests/kube-apiserver.yaml).
      - O(endpoints), O(cacert), O(cert) and O(key) are then those that the API server uses.
    type: path
"""

    SAVE = r"""
options:
  allow_unhealthy:
    description:
      - With O(state=saved), takes the snapshot even if no endpoint is healthy, from the first one that answers.
      - A member without quorum may be behind the others. It is the last resort before its data is lost.
    type: bool
    default: false
  save_timeout:
    description: Seconds that the transfer of a snapshot may take.
    type: int
    default: 600
"""

    RESTORE = r"""
options:
  bump_revision:
    description:
      - How much the revision goes up in a restore. All older revisions count as compacted then.
      - Kubernetes needs it, since its watches and informers would otherwise see revisions that go backwards.
      - V(0) leaves the revision as it is.
      - Without it, V(1000000000) where the tool has the option (etcdctl 3.4.27, etcdutl 3.5.10 and newer), else V(0)
        with a warning.
    type: int
  owner:
    description: Owner of the restored data. Without it, whoever owns O(data_dir).
    type: str
  group:
    description: Group of the restored data. Without it, the group of O(data_dir).
    type: str
seealso:
  - name: etcd's disaster recovery
    description: How a cluster is restored from a snapshot.
    link: https://etcd.io/docs/v3.6/op-guide/recovery/
  - name: Operating etcd clusters for Kubernetes
    description: What Kubernetes asks of a restore.
    link: https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/
"""
