# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the members have come with a restore, and all that its archive is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    PROVEN,
    STAGED,
    STAGING,
    SWITCHED,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.identity import Identities
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import (
    Findings,
    Info,
    Request,
)

IN_PLACE = (SWITCHED, PROVEN)
UNFINISHED = (STAGING, STAGED, SWITCHED, PROVEN)


class RestoreProgress:
    """The journals of the members."""

    def __init__(self, hosts: Mapping[str, Info], members: Sequence[str]) -> None:
        """Take them from the hosts.

        Args:
            hosts: what restore_info returned, by host.
            members: hosts that hold etcd's members; those that did not answer are left out.
        """
        self.members = [host for host in members if host in hosts]
        self.journals = {host: hosts[host]["journal"] for host in self.members if hosts[host]["journal"]}

    def stage(self, host: str, identifier: str) -> str:
        """How far a host has come with a restore."""
        journal = self.journals.get(host, {})
        return str(journal["stage"]) if journal.get("id") == identifier else ""

    def unfinished(self) -> tuple[Info | None, dict[str, Info]]:
        """The restore that was interrupted, and those whose data is in place somewhere, by their ids."""
        open_ones = [journal for journal in self.journals.values() if journal["stage"] in UNFINISHED]
        in_place = {journal["id"]: journal for journal in open_ones if journal["stage"] in IN_PLACE}
        return next(iter(in_place.values()), None) or next(iter(open_ones), None), in_place

    def is_in_place(self, journal: Info) -> bool:
        """Whether every member has its new data, so that the archive is needed no more."""
        return all(self.stage(host, journal["id"]) in IN_PLACE for host in self.members)


@dataclass(frozen=True)
class RestoreContext:
    """All that an archive is chosen and judged by.

    Attributes:
        hosts: what restore_info returned, by host.
        request: what is asked for.
        progress: how far the members have come.
        identities: whose archives count.
        findings: gets what stands against the archive or the choice.
    """

    hosts: Mapping[str, Info]
    request: Request
    progress: RestoreProgress
    identities: Identities
    findings: Findings
