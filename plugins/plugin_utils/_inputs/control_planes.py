# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against work on the control planes, judged from what all of their hosts are."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    AUTHORITY_KEY,
    ETCD,
    FOLDER,
    manifest,
    unsigned,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.losses import UPGRADE
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Node

State = Mapping[str, Any]
MEMBERS_STOPPED = (
    "the manifests of etcd are missing on {}, and members of etcd are not started on a guess: put them back from where "
    "they were moved to. If the members are lost for good, restore a backup (docs/restore.md)"
)
UNSIGNED = (
    f"{{}} cannot be issued again, as {FOLDER}/{AUTHORITY_KEY} is on no control plane of this run: put back what is "
    "missing, from a backup if need be (docs/restore.md)"
)
SECOND_CLUSTER = (
    "no host of this run is a control plane yet, but {} of the same group did not take part and may be one. Run again "
    "without --limit, or take hosts that are gone out of the inventory"
)


def faults(states: Mapping[str, State], unseen: Sequence[str] = ()) -> List[Tuple[str, str]]:
    """Hosts of the control plane that people have to put right first, each with what is wrong and what to do.

    Args:
        states: what kubeadm_info returned of each host.
        unseen: hosts of the control plane that did not take part and may hold a cluster.
    """
    # Those that show which cluster it is; one whose initialization was interrupted may go on with it.
    holding = [name for name, state in states.items() if state["role"] == "control_plane" and not state["interrupted"]]
    beginning = [name for name, state in states.items() if state["interrupted"] == "init"]
    found = [(name, text) for name, state in states.items() for text in _faults(name, state, holding, beginning)]
    for name in holding:
        names = unsigned(states[name]["missing"], signs=False)
        # One that has lost the key gets it from another one first.
        if names and not states[name]["faults"] and not any(states[one]["signs"] for one in holding):
            found.append((name, UNSIGNED.format(names)))
    stopped = [
        name for name in holding if manifest(FOLDER, ETCD) in states[name]["missing"] and not states[name]["faults"]
    ]
    if len(stopped) > 1:
        found += [(name, MEMBERS_STOPPED.format(", ".join(stopped))) for name in stopped]
    if states and unseen and not holding and not beginning:
        found.append((next(iter(states)), SECOND_CLUSTER.format(", ".join(unseen))))
    return found


def _faults(name: str, state: State, holding: List[str], beginning: List[str]) -> Iterator[str]:
    interrupted = state["interrupted"]
    if interrupted == "init" and holding:
        yield (
            f"an initialization was begun here and never finished, and {', '.join(holding)} is of a control plane "
            "already. Two clusters would become of it. If this host is to join, set it up anew; if a restore is to go "
            "on here, set the others up anew"
        )
    elif interrupted == "init" and beginning[0] != name:
        yield f"an initialization was begun here and on {beginning[0]}: set one of the two hosts up anew"
    elif interrupted == "join" and not holding:
        yield (
            "it began to join a cluster as control plane, and no host of this run holds that cluster. No new one is "
            "begun in its place: run again with a control plane of the cluster (without --limit), or restore a backup "
            "(docs/restore.md)"
        )
    elif interrupted:
        return
    elif state["role"] == "worker":
        traces = "".join(f" and {path}" for path in state["traces"])
        yield (
            f"it is a node of a cluster, by /etc/kubernetes/kubelet.conf{traces}, and has nothing else of a control "
            "plane. If it was one, put back what was moved away: its manifests, kubeconfigs and etcd's data. If it is "
            "a worker, take it out of the group of the control planes"
        )
    elif state["role"] == "none" and state["traces"]:
        yield (
            f"{', '.join(state['traces'])} is there, and nothing else of a control plane. If the host was one, put "
            "back what was moved away; if it is a new one, move that file away"
        )
    else:
        yield from state["faults"]
        # Where that was looked for.
        unfinished = [loss for loss in state.get("losses", []) if loss["by"] == UPGRADE]
        yield from (f"{loss['what']}. Run the playbook upgrade, which goes on" for loss in unfinished)


def only_data(node: Node) -> bool:
    """Whether etcd's data is all that a host has of a control plane."""
    state = node.facts["cluster"].get("node")
    return not state or len(state["traces"]) <= 1


def incomplete(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Control planes that lack what no run can write again; before anything is changed on any host."""
    found = {
        node.name: node.facts["cluster"]["node"]
        for node in nodes
        if "control_plane" in node.roles and node.facts["cluster"].get("node")
    }
    data = [
        node.name for node in nodes if not node.in_cluster and only_data(node) and node.facts["cluster"]["etcd_data"]
    ]
    for name, text in faults(found):
        # Data alone is a fault of its own.
        if name not in data:
            yield Fault("control-plane-incomplete", text, name)
