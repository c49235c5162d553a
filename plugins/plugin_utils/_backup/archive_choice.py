# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which archive is restored, where it is, and whether it must come to the controller first."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_description import ENCRYPTED
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import SEALED
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.identity import uid_in, uid_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_progress import RestoreContext
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.restore_request import CONTROLLER, Info


class ArchiveChoice:
    """Looks for an archive on the hosts, on the controller and in the copies."""

    def __init__(self, context: RestoreContext) -> None:
        """Find out where the archive comes from."""
        request = context.request
        self.hosts, self.request, self.progress = context.hosts, request, context.progress
        self.identities = context.identities
        self.faults, self.warnings = context.findings.faults, context.findings.warnings
        self.bring = {"remote": "", "host": "", "path": ""}
        brought = request.brought.get("archive")
        if brought:
            here = {**brought, "source": request.brought["source"]}
            self.request = replace(request, archive=here["path"], archive_host=CONTROLLER, controller=[here], copy="")
        elif not request.rollback:
            self.find_source()

    @property
    def awaited(self) -> bool:
        """Whether the archive is not known before it has been brought."""
        return bool(self.bring["host"] or self.request.copy)

    def find_source(self) -> None:
        """Which archive must come to the controller before it can be looked at: of a copy, or encrypted."""
        request, asked = self.request, plain(self.request.archive)
        if request.copy and request.archive_host:
            self.faults.append("restore_copy and restore_archive_host: an archive comes from one of them only")
        if request.copy and request.copy not in request.copies:
            names = ", ".join(request.copies) or "it has none"
            self.faults.append(f"restore_copy: {request.copy!r} is no name in backup_copies: {names}")
        journal = self.progress.unfinished()[0]
        begun = os.path.basename(journal["path"]) if journal else ""
        known = {item["identity"] for info in self.hosts.values() for item in info["archives"]}
        at_hand = journal and (journal["identity"] in known or self.progress.is_in_place(journal))
        sealed = self.sealed()
        if at_hand and (not asked or os.path.basename(asked) == begun) and (request.copy or sealed):
            self.request = replace(request, archive="", archive_host="", copy="")
        elif request.copy in request.copies:
            self.bring.update(remote=request.copy, path=request.archive or begun)
        elif sealed and request.identity and not request.copy:
            self.bring.update(host=sealed[0], path=sealed[1])

    def sealed(self) -> tuple[str, str] | None:
        """The encrypted archive that is asked for: where it is, and its path; or the newest, if none is newer."""
        if self.request.archive:
            asked = [(host, info["archive"]) for host, info in self.hosts.items()]
            asked += [(CONTROLLER, item) for item in self.request.controller]
            found = [(host, item["path"]) for host, item in asked if item.get("fault") == ENCRYPTED]
        else:
            found = [(host, path) for host, info in self.hosts.items() for path in info["encrypted"]]
        if self.request.archive_host:
            found = [(host, path) for host, path in found if host == self.request.archive_host]
        if self.request.archive:
            return max(found, key=lambda item: os.path.basename(item[1]), default=None)
        journal = self.progress.unfinished()[0]
        if journal:
            begun = os.path.basename(journal["path"])
            return next((item for item in found if plain(os.path.basename(item[1])) == begun), None)
        own = [item for item in found if self.identities.owns(uid_in(item[1]))]
        newest = max(own, key=lambda item: os.path.basename(item[1]), default=None)
        return newest if newest and is_newer(newest[1], self.choose(None)) else None

    def is_same(self, journal: Info) -> bool:
        """Whether the archive that is asked for is that of a journal."""
        found = self.candidates()
        return any(item["identity"] == journal["identity"] for item in found.values())

    def candidates(self) -> dict[str, Info]:
        """The archive that is asked for, by the hosts that have it."""
        asked = {host: info["archive"] for host, info in self.hosts.items() if info["archive"]}
        for item in self.request.controller:
            asked[CONTROLLER] = item
        if self.request.archive_host:
            asked = {host: item for host, item in asked.items() if host == self.request.archive_host}
        return {host: item for host, item in asked.items() if "identity" in item}

    def choose(self, journal: Info | None) -> dict[str, Any]:
        """The archive to restore, or nothing."""
        if self.request.archive:
            found = self.candidates()
            identities = {item["identity"] for item in found.values()}
            if len(identities) > 1:
                self.faults.append(
                    f"{self.request.archive} is another archive on each of {', '.join(sorted(found))}: name the host "
                    "that is meant (restore_archive_host)"
                )
            return dict(next(iter(found.values()), {}))
        known = [item for info in self.hosts.values() for item in info["archives"]]
        if self.request.archive_host:
            known = list(self.hosts.get(self.request.archive_host, {}).get("archives", []))
        if journal:
            known = [item for item in known if item["identity"] == journal["identity"]]
        else:
            known = [item for item in known if self.identities.owns(uid_of(item))]
        return dict(max(known, key=lambda item: str(item["created"]), default={}))

    def read(self, archive: Info, otherwise: str) -> dict[str, Any]:
        """A chosen archive as the hosts have read it in full; nothing where it is damaged everywhere.

        Args:
            archive: the chosen one, as its manifest tells.
            otherwise: what to do if it is damaged.
        """
        if not self.request.read:
            return dict(archive)
        for item in self.request.read.values():
            if is_whole(item, archive):
                return dict(item)
        damaged = [f"{host}: {item.get('message') or 'it is gone'}" for host, item in self.request.read.items()]
        self.faults.append(f"{'; '.join(damaged)}. {otherwise}")
        return {}

    def no_archive(self, journal: Info | None) -> str:
        """Why there is none."""
        if self.request.archive:
            asked = [info["archive"] for info in self.hosts.values() if info["archive"]] + list(self.request.controller)
            messages = sorted({item["message"] for item in asked if item and item.get("message")})
            where = f" on {self.request.archive_host}" if self.request.archive_host else " on any host of this run"
            return "; ".join(messages) or f"restore_archive: there is no {self.request.archive}{where}"
        if journal:
            return (
                f"the restore {journal['id']} was interrupted, and its archive, {journal['path']}, is on no host any "
                "more: name it (restore_archive), or roll back (restore_rollback)"
            )
        return self.identities.no_archive() or (
            f"no good backup of {self.request.cluster} was found on {', '.join(self.hosts)}: name one "
            "(restore_archive), on a host or on the machine that runs Ansible (restore_archive_host: localhost)"
        )

    def refuse_older(self, archive: Info) -> None:
        """Nobody shall get an older backup without knowing of a newer one that is encrypted."""
        sealed = [path for info in self.hosts.values() for path in info["encrypted"]]
        found = [path for path in sealed if self.identities.owns(uid_in(path))]
        newest = max(found, key=os.path.basename, default="")
        if newest and is_newer(newest, archive):
            self.faults.append(
                f"the newest backup, {newest}, is encrypted: name the file with age's private key, on the machine that "
                "runs Ansible (restore_identity), or an older archive that is not encrypted (restore_archive)"
            )

    def places(self, archive: Info) -> dict[str, str]:
        """Where each host has the archive, as far as its bytes were read; before that, where it is to be read."""
        if not archive:
            return {}
        if not archive["whole"]:
            listed = [(host, item) for host, info in self.hosts.items() for item in info["archives"]]
            same = [(host, item["path"]) for host, item in listed if item["identity"] == archive["identity"]]
            return dict(reversed(same))  # the first of each host
        asked = [(host, info["archive"]) for host, info in self.hosts.items()]
        asked += [*self.request.read.items(), *((CONTROLLER, item) for item in self.request.controller)]
        found = {host: item["path"] for host, item in asked if is_whole(item, archive)}
        for host, item in asked:
            if host not in found and item.get("message") and item.get("fault") != ENCRYPTED:
                self.warnings.append(f"{host}: {item['message']}: that of {', '.join(found)} is taken")
        return found


def plain(path: str) -> str:
    """An archive's path without encryption."""
    return path[: -len(SEALED)] if path.endswith(SEALED) else path


def is_whole(item: Info, archive: Info) -> bool:
    """Whether something was read in full, and is the archive that is meant."""
    return bool(item.get("whole")) and item["identity"] == archive["identity"]


def is_newer(path: str, archive: Info) -> bool:
    """Whether an encrypted archive is newer than another; names sort by time."""
    return plain(os.path.basename(path)) > os.path.basename(archive.get("path", ""))
