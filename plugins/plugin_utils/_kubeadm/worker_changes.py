# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workers have to be changed, and in which batches: one alone first, by which a bad setting is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.losses import ENDED, SITE, UNFINISHED
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_plan import batch_size

Result = Mapping[str, Any]


def batches(hosts: Sequence[str], size: int) -> list[list[str]]:
    """The first alone, then as many at a time as may be changed together."""
    rest = hosts[1:]
    return [list(hosts[:1])][: len(hosts)] + [list(rest[start : start + size]) for start in range(0, len(rest), size)]


def worker_changes(
    states: Mapping[str, Result], due: Mapping[str, Result], settings: Mapping[str, Result], batch: str
) -> dict[str, Any]:
    """What is to be changed on workers that have joined.

    Args:
        states: what kubeadm_info returned of each worker, with losses=true.
        due: what kubeadm_join returned in check mode.
        settings: what the module node returned in check mode.
        batch: how many are changed at a time, a number or a percentage of all.

    Raises:
        ValueError: if the batch is neither.
    """
    lost = {
        host: [loss for loss in result["losses"] if loss["by"] == SITE and loss["kind"] != UNFINISHED]
        for host, result in states.items()
    }
    others = [host for host in states if settings.get(host, {}).get("changed_nodes")]
    changing = [
        host
        for host in states
        if any(loss["kind"] != ENDED for loss in lost[host])
        or due.get(host, {}).get("action", "none") != "none"
        or host in others
    ]
    return {
        "ended": [host for host, found in lost.items() if any(loss["kind"] == ENDED for loss in found)],
        "lost": [host for host, found in lost.items() if any(loss["kind"] != ENDED for loss in found)],
        "settings": others,
        "batches": batches(changing, batch_size(batch, len(states), "worker_batch")),
    }
