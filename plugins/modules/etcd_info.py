# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module etcd_info: the members of an etcd cluster and how they are."""

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_info
short_description: Show how an etcd cluster and each of its members are
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Asks every member of an etcd cluster, and returns which is healthy, which leads, what each runs and how full it is.
  - A cluster that is sick or has lost its quorum is an answer, not a failure.
  - Without the quorum etcd 3.5 and newer do not give the list of members. Then RV(members) are those that O(endpoints)
    lead to.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
  - groundwork.kubernetes.etcd
  - groundwork.kubernetes.etcd.ctl
  - groundwork.kubernetes.etcd.api_server
options:
  quorum_timeout:
    description: Seconds to wait for the cluster to have its quorum. That it does not come is an answer, too.
    type: int
    default: 0
  healthy_timeout:
    description: Seconds to wait for the cluster to be healthy. That it is not is an answer, too.
    type: int
    default: 0
seealso:
  - module: groundwork.kubernetes.etcd_guard
  - module: groundwork.kubernetes.etcd_member
"""

EXAMPLES = r"""
- name: Look at etcd
  groundwork.kubernetes.etcd_info:
    endpoints: "{{ etcd_client_urls }}"
    cacert: /etc/kubernetes/pki/etcd/ca.crt
    cert: /etc/kubernetes/pki/etcd/healthcheck-client.crt
    key: /etc/kubernetes/pki/etcd/healthcheck-client.key
  register: etcd

- name: Stop if anything is wrong
  ansible.builtin.assert:
    that: etcd.healthy
    fail_msg: "{{ etcd.faults | join('; ') }}"

- name: Look at the etcd of an API server, wherever that runs
  groundwork.kubernetes.etcd_info:
    api_server: /etc/kubernetes/manifests/kube-apiserver.yaml
"""

RETURN = r"""
healthy:
  description: Whether the cluster has its quorum, all members are healthy, and no alarm is raised.
  returned: success
  type: bool
  sample: true
faults:
  description: What is wrong, with the members' names. Empty if RV(healthy).
  returned: success
  type: list
  elements: str
  sample: ["node3 (https://192.0.2.13:2380) is not healthy: context deadline exceeded"]
has_quorum:
  description: Whether enough members answer, and one of them leads.
  returned: success
  type: bool
  sample: true
quorum:
  description: How many voting members must answer.
  returned: success
  type: int
  sample: 2
voters:
  description: How many members vote.
  returned: success
  type: int
  sample: 3
leader:
  description: Name of the member that leads, or empty.
  returned: success
  type: str
  sample: node2
alarms:
  description: Alarms of all members, and of members that were removed since.
  returned: success
  type: list
  elements: str
  sample: []
order:
  description: The members' names in the order in which they are best restarted or upgraded, the leader last.
  returned: success
  type: list
  elements: str
  sample: [node1, node3, node2]
error:
  description: Why the list of members could not be read, or empty.
  returned: success
  type: str
  sample: ''
members:
  description: The members.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Its id, as hexadecimal text. Empty if it is not known.
      type: str
      sample: 87d0a3f8befc46a9
    name:
      description: Its name. Empty if it has never started, or if the cluster's list could not be read.
      type: str
      sample: node1
    peer_urls:
      description: URLs for the other members.
      type: list
      elements: str
      sample: ["https://192.0.2.11:2380"]
    client_urls:
      description: URLs for clients. None if it has never started.
      type: list
      elements: str
      sample: ["https://192.0.2.11:2379"]
    learner:
      description: Whether it is a learner, which does not vote.
      type: bool
      sample: false
    started:
      description: Whether it has ever started.
      type: bool
      sample: true
    healthy:
      description:
        - Whether it answered a read that needs the quorum.
        - A learner takes no reads and is healthy if it knows the leader.
        - An alarm alone does not make it unhealthy.
      type: bool
      sample: true
    leader:
      description: Whether it leads.
      type: bool
      sample: false
    error:
      description: Why it is not healthy, or empty.
      type: str
      sample: ''
    version:
      description: Version of etcd that it runs.
      type: str
      sample: 3.6.15
    db_size:
      description: Bytes of its database file.
      type: int
      sample: 4128800
    db_in_use:
      description: Bytes in use in it. The rest would be given back by defragmenting.
      type: int
      sample: 2048000
    db_quota:
      description: Bytes that the database may have. From etcd 3.6 on, null before.
      type: int
      sample: 2147483648
    raft_term:
      description: How many elections there were, as far as it knows.
      type: int
      sample: 4
    raft_index:
      description: The newest entry of the log that it has.
      type: int
      sample: 48311
    raft_applied_index:
      description: The newest entry that it has applied.
      type: int
      sample: 48311
    alarms:
      description: Alarms that it has raised.
      type: list
      elements: str
      sample: [NOSPACE]
"""

import time
from typing import Any, Dict

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.members import PAUSE, read_cluster
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.module import EtcdModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import Cluster, faults, order

ARGUMENTS: Dict[str, Any] = {
    "quorum_timeout": {"type": "int", "default": 0},
    "healthy_timeout": {"type": "int", "default": 0},
    "api_server": {"type": "path"},
}


class InfoModule(EtcdModule):
    """One look at the cluster."""

    def run(self) -> None:
        """Return how it is."""
        cluster = self.read()
        alarms = {alarm for member in cluster.members for alarm in member.alarms}
        self.result.update(
            healthy=cluster.healthy,
            faults=faults(cluster),
            has_quorum=cluster.has_quorum,
            quorum=cluster.quorum,
            voters=len(cluster.voters),
            leader=cluster.leader.name if cluster.leader else "",
            alarms=sorted(alarms.union(cluster.stray_alarms)),
            order=[member.name for member in order(cluster) if member.name],
            error=cluster.error,
            members=[member.describe(cluster.leader_id) for member in cluster.members],
        )

    def read(self) -> Cluster:
        """The cluster, as soon as it is as it should be, or as it is when the time is over."""
        begun = time.monotonic()
        while True:
            cluster = read_cluster(self.etcd)
            timeout = 0 if cluster.healthy else self.options["healthy_timeout"]
            if not cluster.has_quorum:
                timeout = max(timeout, self.options["quorum_timeout"])
            if time.monotonic() >= begun + timeout:
                return cluster
            time.sleep(PAUSE)


def main() -> None:
    """Run the module."""
    InfoModule.main(ARGUMENTS)


if __name__ == "__main__":
    main()
