# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports on which the programs of a cluster's hosts listen.

https://kubernetes.io/docs/reference/networking/ports-and-protocols/; those on the loopback address are the programs'
own defaults. The ports of the API server and of HAProxy are variables.
"""

from __future__ import annotations

# By what a host is in the cluster: control_plane, etcd, worker.
PORTS: dict[str, dict[int, str]] = {
    "control_plane": {10250: "kubelet", 10257: "kube-controller-manager", 10259: "kube-scheduler"},
    "etcd": {2379: "etcd", 2380: "etcd"},
    "worker": {10250: "kubelet", 10256: "kube-proxy"},
}
# Where programs listen on the loopback address only.
LOOPBACK_PORTS: dict[str, dict[int, str]] = {
    "control_plane": {10248: "kubelet", 10249: "kube-proxy"},
    "etcd": {2381: "etcd"},
    "worker": {10248: "kubelet", 10249: "kube-proxy"},
}
API_SERVER = "kube-apiserver"


def taken_ports(api_port: int) -> dict[int, str]:
    """The ports that a host may not give to anything else, whatever it is in the cluster, each with its program."""
    tables = [*PORTS.values(), *LOOPBACK_PORTS.values()]
    return {**{port: program for table in tables for port, program in table.items()}, api_port: API_SERVER}
