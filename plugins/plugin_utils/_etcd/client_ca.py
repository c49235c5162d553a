# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The CA of etcd for a client: which host is asked for it, and who signs the client's certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import inventory_of

NO_KEY = ("", "absent")


@dataclass(frozen=True)
class Registers:
    """Names of the variables with results of etcd_host_info.

    Attributes:
        member: of a member's host, registered by itself.
        asked: of the hosts that were asked for their CA, in a loop, registered by who asked.
    """

    member: str
    asked: str


def find_client_ca(
    hosts: Sequence[str], hostvars: Mapping[str, Any], play_hosts: Sequence[str], registers: Registers
) -> Dict[str, Any]:
    """Whom to ask, and what the answers were.

    Args:
        hosts: those that may have the CA, the ones that keep its key first.
        hostvars: the variables of all hosts.
        play_hosts: the hosts that take part in the run, of which one has asked.
        registers: where the answers are.
    """
    known, names = inventory_of(hostvars), list(dict.fromkeys(hosts))
    # A host on which the run has just looked at etcd can be reached.
    reached = [name for name in names if name in known and known[name].get(registers.member) is not None]
    asked = [known[name].get(registers.asked) for name in play_hosts if name in known]
    answers: List[Mapping[str, Any]] = [
        answer for result in asked if isinstance(result, Mapping) for answer in result.get("results") or []
    ]
    return {
        "candidates": reached[:1] or names,
        "certificate": next((one["ca_certificate"] for one in answers if one.get("ca_certificate")), ""),
        "answered": [one["item"] for one in answers if one.get("ca_key")],
        "signer": next((one["item"] for one in answers if one.get("ca_key", "") not in NO_KEY), ""),
    }
