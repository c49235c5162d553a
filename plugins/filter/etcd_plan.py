# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_plan."""

from __future__ import annotations

from typing import Any, Callable, Dict, Optional

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.addresses import addresses
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.membership_plan import (
    plan_membership,
    read_hosts,
)

DOCUMENTATION = r"""
name: etcd_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a run has to do to the members of an etcd cluster
description:
  - Compares the hosts that are to be members with what M(groundwork.kubernetes.etcd_host_info) returned of each and
    M(groundwork.kubernetes.etcd_info) returned of the cluster.
  - A host with data is a member. A host without joins the cluster, or begins one if no host has data. A dead member
    whose host is empty is replaced, and one without a host is gone.
  - Faults are a number of members that becomes even or is above 7, an upgrade of more than one minor version or back,
    data of another cluster, and what else must be settled first.
extends_documentation_fragment: [groundwork.kubernetes.hosts, groundwork.kubernetes.hosts.registered]
options:
  version:
    description: The version of etcd that is wanted.
    type: str
    required: true
  cluster:
    description: What M(groundwork.kubernetes.etcd_info) returned. None where no member was asked.
    type: dict
  even_allowed:
    description:
      - Whether a run may make an even number of members.
      - One that exists, or is left when a lost member is taken out, is never refused.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show what would be done
  ansible.builtin.debug:
    msg: >-
      {{ groups['etcd'] | groundwork.kubernetes.etcd_plan(hostvars, register='host', play_hosts=ansible_play_hosts_all,
         version='3.6.15', cluster=cluster) }}
"""

RETURN = r"""
_value:
  description:
    - Hosts in C(begun), C(begin) and C(join); ids of dead members in C(replaced), by host, and C(gone); what is to be
      done first in C(faults); further C(initial_cluster), C(endpoints), C(leader) and C(upgrade_from).
  type: dict
"""


def etcd_plan(
    hosts: Any,
    hostvars: Any,
    *,
    register: str,
    play_hosts: Any,
    version: str,
    cluster: Optional[Dict[str, Any]] = None,
    even_allowed: bool = False,
) -> Dict[str, Any]:
    """The plan as a dictionary."""
    names = list(hosts)
    found = read_hosts(names, hostvars, addresses(names, hostvars), tuple(play_hosts), register)
    if cluster is not None and "has_quorum" not in cluster:
        if cluster.get("failed"):
            raise AnsibleFilterError("cluster is the result of a failed task")
        cluster = None
    return plan_membership(found, str(version), cluster, even_allowed).describe()


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"etcd_plan": etcd_plan}
