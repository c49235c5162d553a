# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what a host has of a cluster already: etcd's data, versions that run, certificates, keys and CAs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import public_keys
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault, listed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import control_planes
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import CONTROL_PLANE, ETCD, Node


def leftovers(node: Node) -> Iterator[Fault]:
    """etcd's data on a host where kubeadm is to start etcd anew."""
    stacked = CONTROL_PLANE in node.roles and ETCD in node.roles and not node.setting("external_etcd")
    if stacked and node.facts["cluster"]["etcd_data"] and not node.in_cluster and control_planes.only_data(node):
        folder = node.setting("etcd_data_dir") or "/var/lib/etcd"
        text = (
            f"{folder} holds data though the host is in no cluster; move it away, or restore the cluster from it first"
        )
        yield node.fault("etcd-leftover", text)


def other_version(node: Node) -> Iterator[Fault]:
    """Whether the API server that runs has the wanted version: new programs on the hosts do not upgrade a cluster."""
    running = node.facts["cluster"]["api_server_version"].removeprefix("v")
    wanted = str(node.setting("kubernetes_version"))
    if running and running != wanted and CONTROL_PLANE in node.roles:
        text = (
            f"the API server runs {running}, and kubernetes_version is {wanted}; a kubelet must never be newer than "
            "the API server, and this play upgrades no cluster: run the playbook upgrade, or set kubernetes_version to "
            f"{running}"
        )
        yield node.fault("version-differs", text)


def certificates(node: Node) -> Iterator[Fault]:
    """Certificates and keys that are there already and of no use."""
    days = node.setting("preflight_certificate_days") or 0
    # By the clock of the host, where they are used; the controller's may be wrong.
    now = datetime.fromtimestamp(node.facts["clock"].get("epoch") or time.time(), timezone.utc)
    for fault in node.pki.faults(now, days):
        yield replace(fault, host=node.name)
    supplied, have = set(node.setting("etcd_ca") or ()), node.pki.identities(public_keys.ETCD_CA)
    runs = ETCD in node.roles and node.facts["cluster"]["etcd_data"]
    if runs and supplied and have and not supplied & have:
        text = (
            f"{public_keys.ETCD_CA} is another CA than etcd_ca_certificate; members that run would be cut off; give "
            "the present certificate and the new one, one below the other, or leave the variable empty"
        )
        yield node.fault("ca-differs", text)


def clusters(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Hosts that carry different clusters. While the authority is rotated, one that two hosts share is enough."""
    joined = [node for node in nodes if node.facts["cluster"]["ca_sha256"] and node.in_cluster]
    by_authority: dict[str, list[str]] = defaultdict(list)
    for node in joined:
        by_authority[node.facts["cluster"]["ca_sha256"]].append(node.name)
    held = {node.name: node.pki.identities(public_keys.KUBERNETES_CA) for node in joined}
    known = all(held.values())
    differing = public_keys.differing(held) if known else list(by_authority.values())
    if len(by_authority) > 1 and len(differing) > 1:
        groups = "; ".join(listed(names) for names in sorted(differing))
        text = (
            f"hosts carry different clusters (their /etc/kubernetes/pki/ca.crt differ): {groups}; take the strangers "
            "out of the inventory"
        )
        yield Fault("foreign-cluster", text)
    rotated = [node.name for node in joined if CONTROL_PLANE in node.roles and len(held[node.name]) > 1]
    for node in nodes:
        if rotated and CONTROL_PLANE in node.roles and not node.in_cluster:
            text = (
                f"the cluster's authority is being rotated ({listed(rotated)} trust two), and a control plane that "
                "joins meanwhile could not sign; finish it with the playbook rotate_ca, or let the host join later"
            )
            yield node.fault("rotation-under-way", text)


def _place(node: Node, path: str) -> str:
    return f"{node.name}:{path}"


def authorities(nodes: Sequence[Node]) -> Iterator[Fault]:
    """What the control planes and etcd's members must share: their CAs and the key of service accounts."""
    planes = [node for node in nodes if CONTROL_PLANE in node.roles]
    etcds = [node for node in nodes if ETCD in node.roles and node.setting("external_etcd")]
    compared: list[tuple[str, list[tuple[Node, str]]]] = [
        # Those that are in a cluster are compared as clusters.
        (
            "Kubernetes' CA",
            [(node, public_keys.KUBERNETES_CA) for node in planes if not all(p.in_cluster for p in planes)],
        ),
        ("the front proxy's CA", [(node, public_keys.FRONT_PROXY_CA) for node in planes]),
        ("the key of service accounts", [(node, public_keys.SERVICE_ACCOUNT_KEY) for node in planes]),
        (
            "etcd's CA",
            [
                *((node, public_keys.ETCD_CA) for node in etcds),
                *((node, public_keys.STACKED_ETCD_CA) for node in planes),
            ],
        ),
        ("the CA of etcd's peers", [(node, public_keys.ETCD_PEER_CA) for node in etcds]),
    ]
    for what, places in compared:
        groups = public_keys.differing({_place(node, path): node.pki.identities(path) for node, path in places})
        if len(groups) > 1:
            found = "; ".join(listed(holders) for holders in groups)
            text = (
                f"{what} differs between hosts: {found}; take the strangers out of the inventory, or remove what they "
                "have from another cluster"
            )
            yield Fault("ca-differs", text)
