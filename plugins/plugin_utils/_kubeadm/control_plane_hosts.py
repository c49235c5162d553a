# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of the control plane hold a cluster, which one leads a run, and which ones join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ControlPlaneHosts:
    """The hosts of the control plane by what they are and do in a run.

    Attributes:
        states: what kubeadm_info returned, by host, of those that were asked.
        unseen: those that were not.
        ready: those that are control planes already; the ones that lack nothing come first, then those that lack least.
        interrupted: those whose initialization was begun and has not finished.
        leader: the host that leads; empty where no host is in the run.
        joining: hosts of the run that are to join.
        resuming: of these, those whose join was begun before and is taken back first.
    """

    states: dict[str, Mapping[str, Any]]
    unseen: list[str]
    ready: list[str]
    interrupted: list[str]
    leader: str
    joining: list[str]
    resuming: list[str]


def control_plane_hosts(
    hosts: Sequence[str], results: Mapping[str, Mapping[str, Any]], run: Sequence[str]
) -> ControlPlaneHosts:
    """Tell the hosts of the control plane apart.

    Args:
        hosts: all of them, in the inventory's order.
        results: what kubeadm_info returned, by host; one without a role has not been asked.
        run: the hosts of this run that have not failed.

    Raises:
        KeyError: if a result lacks something.
    """
    states = {host: results[host] for host in hosts if "role" in results.get(host, {})}
    holding = [host for host, state in states.items() if state["role"] == "control_plane" and not state["interrupted"]]
    authorities = {name for host in holding for name in states[host].get("authorities", {})}

    def lacks(host: str) -> int:
        state = states[host]
        known = authorities - set(state.get("authorities", {}))
        return len(state["missing"]) + len(state.get("losses", [])) + len(known)

    ready = sorted(holding, key=lacks)
    interrupted = [host for host, state in states.items() if state["interrupted"] == "init"]
    leader = next(iter([*ready, *interrupted, *run]), "")
    joining = [host for host in run if host not in (*ready, leader)]
    return ControlPlaneHosts(
        states=states,
        unseen=[host for host in hosts if host not in states],
        ready=ready,
        interrupted=interrupted,
        leader=leader,
        joining=joining,
        resuming=[host for host in states if states[host]["interrupted"] == "join" and host in joining],
    )
