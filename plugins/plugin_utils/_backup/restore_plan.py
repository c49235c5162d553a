# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a restore from what all hosts have, and names everything that stands against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    FINISHED,
    ROLLED_BACK,
    STAGED,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.archive_choice import ArchiveChoice
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.archive_faults import ArchiveJudge
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.host_faults import host_faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.identity import Identities, listed, live_uid
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_progress import (
    IN_PLACE,
    UNFINISHED,
    RestoreContext,
    RestoreProgress,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import (
    CONTROLLER,
    Findings,
    Info,
    Request,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_summary import summary


class RestorePlanner:
    """Decides what is restored, where, and whether a restore is begun, gone on with or undone."""

    def __init__(self, hosts: Mapping[str, Info], request: Request) -> None:
        """Look at what the hosts have.

        Args:
            hosts: what restore_info returned, by host.
            request: what is asked for.
        """
        self.hosts = hosts
        findings = Findings([of_role(fault) for fault in request.brought.get("faults", [])])
        self.faults, self.warnings = findings.faults, findings.warnings
        self.progress = RestoreProgress(hosts, request.members)
        given = request.cluster_uid or ("" if request.other_cluster else live_uid(hosts))
        self.identities = Identities(request.cluster, given, request.adopt, listed(hosts))
        context = RestoreContext(hosts, request, self.progress, self.identities, findings)
        self.judge = ArchiveJudge(context)
        self.choice = ArchiveChoice(context)
        self.request = self.choice.request
        self.must_read = False

    def plan(self) -> dict[str, Any]:
        """The plan, with all faults."""
        members = self.progress.members
        self.faults += host_faults(self.hosts, self.request, self.progress)
        if self.request.rollback:
            archive: dict[str, Any] = {}
            identifier, action = self.rollback(), "roll back"
        else:
            identifier, archive, action = self.forward()
        stages = {host: self.progress.stage(host, identifier) for host in members}
        touched = [host for host, stage in stages.items() if stage in (*IN_PLACE, FINISHED)]
        stop = bool(touched) if self.request.rollback else len(touched) < len(members)
        places = self.choice.places(archive)
        healthy = [host for host in members if self.hosts[host]["live"].get("healthy")]
        revision = max((self.hosts[host]["live"].get("revision", 0) for host in healthy), default=0)
        # A cluster that began anew, after its data was lost, is behind the backup.
        lost = revision - archive["etcd"]["revision"] if archive else 0
        prepare = not self.request.rollback and self.lacks_data(identifier)
        stop = stop and not self.request.rebuild
        save = self.request.save and stop and (self.request.rollback or not touched)
        if save and not healthy and members:
            self.warnings.append(
                "no member of etcd is healthy, so what runs now cannot be saved as a backup; its data is kept beside "
                "the new"
            )
        plan = {
            "action": action,
            "id": identifier,
            "archive": archive,
            "cluster_uid": self.identities.given,
            "trusted_signers": sorted(filter(None, self.judge.signers)),
            "signed": self.judge.signed(archive),
            "bring": self.choice.bring,
            "read": places if self.must_read and not self.request.read else {},
            "places": places,
            "copy_from": CONTROLLER if CONTROLLER in places else next(iter(places), ""),
            "copy_to": [host for host in members if host not in places] if prepare else [],
            "members": members,
            "initial_cluster": {
                self.hosts[host]["member"]["name"]: self.hosts[host]["member"]["peer_urls"] for host in members
            },
            "client_urls": [self.hosts[host]["member"]["client_url"] for host in members],
            "external": any(self.hosts[host]["member"]["kind"] == "external" for host in members),
            "stages": stages,
            "prepare": prepare,
            "save": save and bool(healthy),
            "stop": stop,
            "revisions_lost": lost if archive and revision and not touched and lost >= 0 else None,
            "warnings": self.warnings,
        }
        self.confirmed(plan)
        return {**plan, "faults": self.faults, "summary": summary(plan, self.request)}

    def forward(self) -> tuple[str, dict[str, Any], str]:
        """The restore's id, the archive, and whether it is begun or gone on with."""
        journal, in_place = self.progress.unfinished()
        if len(in_place) > 1:
            self.faults.append(
                f"several restores were interrupted, {', '.join(sorted(in_place))}, on different hosts: roll back "
                "(restore_rollback), then begin again"
            )
        if journal and not in_place and (self.request.archive and not self.choice.is_same(journal)):
            journal = None  # nothing but drafts: another archive may take their place
        awaited = self.choice.awaited
        archive = {} if awaited else self.choice.choose(journal)
        if not archive and journal and self.progress.is_in_place(journal):
            # The data is in place everywhere, so that the archive is needed no more.
            archive = {
                **{key: journal[key] for key in ("path", "identity", "created", "cluster")},
                "etcd": {"version": "", "revision": journal["revision"], "keys": journal["keys"]}, "age": 0, "size": 0,
                "whole": False,
            }  # fmt: skip
        elif not archive and not awaited:
            self.faults.append(self.choice.no_archive(journal))
        elif archive and not archive["whole"]:
            self.must_read = not in_place or self.lacks_data(str((journal or {}).get("id", "")))
            otherwise = "Roll back (restore_rollback)" if in_place else "Name another archive (restore_archive)"
            archive = self.choice.read(archive, otherwise) if self.must_read else archive
        if archive and journal and in_place and archive["identity"] != journal["identity"]:
            self.faults.append(
                f"the restore {journal['id']} of {journal['path']} was interrupted after its data was put in place. "
                f"Go on with that archive, or roll back (restore_rollback), before {archive['path']} is restored"
            )
        if archive and archive["whole"] and not (journal and in_place):
            self.judge.judge_archive(archive)
        if not journal and not self.request.archive and not awaited:
            self.choice.refuse_older(archive)
        if journal:
            return str(journal["id"]), archive, "go on with the restore"
        times = [self.hosts[host]["time"] for host in self.progress.members]
        return str(min(times, default="")), archive, "rebuild" if self.request.rebuild else "restore"

    def lacks_data(self, identifier: str) -> bool:
        """Whether a member has no new data yet."""
        made = (STAGED, *IN_PLACE, FINISHED)
        return any(self.progress.stage(host, identifier) not in made for host in self.progress.members)

    def rollback(self) -> str:
        """The id of the restore that is undone."""
        undone = {host: item for host, item in self.progress.journals.items() if item["stage"] != ROLLED_BACK}
        # Those that were interrupted go first; one that is finished can be undone as long as its old data is there.
        found = {item["id"] for item in undone.values() if item["stage"] in UNFINISHED}
        found = found or {item["id"] for item in undone.values()}
        if not found:
            self.faults.append("restore_rollback: no restore was begun on these hosts, or it was rolled back already")
            return ""
        identifier = str(max(found))
        for host, journal in undone.items():
            if journal["id"] != identifier or journal["stage"] not in (*IN_PLACE, FINISHED):
                continue
            kept = any(
                folder.endswith(f"/before-restore-{identifier}") for folder in self.hosts[host]["data"]["leftovers"]
            )
            if not kept:
                why = "is gone" if journal["had_data"] else "never was"
                self.faults.append(
                    f"restore_rollback: {host} has nothing to go back to: its data from before the restore "
                    f"{identifier} {why}"
                )
        return identifier

    def confirmed(self, plan: Mapping[str, Any]) -> None:
        """A confirmation names the cluster."""
        if self.request.check or self.request.confirm == self.request.cluster:
            return
        given = f"it is {self.request.confirm!r}" if self.request.confirm else "it is not set"
        what = (
            "goes back to its data from before a restore"
            if self.request.rollback
            else "loses what came after the backup"
        )
        self.faults.append(
            f"restore_confirm: {given}. The cluster {what}: set it to the cluster's name, {self.request.cluster}, to "
            "confirm that, or run with --check to see what would be done"
        )


def of_role(fault: str) -> str:
    """A fault of backup_fetch, with the names of the role's variables for its options."""
    fault = fault.replace("(cluster_uid)", "(restore_cluster_uid)")
    return f"restore_{fault}" if fault.startswith(("identity:", "copy:")) else fault


def plan_restore(hosts: Mapping[str, Info], request: Request) -> dict[str, Any]:
    """What is to be done, or why it must not."""
    return RestorePlanner(hosts, request).plan()
