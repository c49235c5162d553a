# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans a restore from what all hosts say of themselves, and names everything that stands against it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_description import ENCRYPTED
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import SEALED
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restore_journal import (
    FINISHED,
    PROVEN,
    ROLLED_BACK,
    STAGED,
    STAGING,
    SWITCHED,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import (
    WRONG,
    distrust,
    public_part,
    signer_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_versions import version_fault
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import normal, url_hosts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._backup.identity import (
    Identities,
    listed,
    live_uid,
    uid_in,
    uid_of,
)

Info = Mapping[str, Any]
CONTROLLER = "localhost"
IN_PLACE = (SWITCHED, PROVEN)
UNFINISHED = (STAGING, STAGED, SWITCHED, PROVEN)
WAL_SEGMENT = 64 * 1000 * 1000


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        cluster: the cluster's name.
        confirm: the name that was given to confirm it.
        members: hosts that hold etcd's members.
        control_planes: hosts of the control plane.
        addresses: the inventory's address of each host.
        archive: path of the archive; empty: the newest.
        archive_host: the host that has it; empty: whichever, localhost: the controller.
        controller: what the controller has, in the form of restore_info's archives.
        copy: the one of the copies that the archive is in; empty: it is on a host or on the controller.
        copies: names of all copies.
        identity: the file with the private key for encrypted archives.
        brought: what backup_fetch returned when it brought an archive to the controller; empty before.
        rollback: whether an earlier restore is to be undone.
        other_cluster: whether an archive of another cluster is taken.
        cluster_uid: the identity of the cluster whose archives are meant, or its beginning; empty: what etcd tells,
            else the one that all archives of the name carry.
        adopt: whether archives of the name without an identity are the cluster's.
        save: whether what runs now is to be saved.
        rebuild: whether an empty host is made the first of a cluster again.
        check: whether it is check mode, which needs no confirmation.
        trusted_signers: public keys of those who make the cluster's archives, besides those of the hosts.
        unverified: whether an archive is taken of which it is not known who made it.
    """

    cluster: str
    members: Sequence[str]
    control_planes: Sequence[str]
    addresses: Mapping[str, str] = field(default_factory=dict)
    confirm: str = ""
    archive: str = ""
    archive_host: str = ""
    controller: Sequence[Info] = ()
    copy: str = ""
    copies: Sequence[str] = ()
    identity: str = ""
    brought: Info = field(default_factory=dict)
    rollback: bool = False
    other_cluster: bool = False
    cluster_uid: str = ""
    adopt: bool = False
    save: bool = True
    rebuild: bool = False
    check: bool = False
    trusted_signers: Sequence[str] = ()
    unverified: bool = False


class Planner:
    """Looks at what the hosts say."""

    def __init__(self, hosts: Mapping[str, Info], request: Request) -> None:
        self.hosts, self.request = hosts, request
        self.faults = [of_role(fault) for fault in request.brought.get("faults", [])]
        self.warnings: list[str] = []
        self.members = [host for host in request.members if host in hosts]
        told = request.cluster_uid or ("" if request.other_cluster else live_uid(hosts))
        self.identities = Identities(request.cluster, told, request.adopt, listed(hosts))
        # A host makes archives with a key of its own, or with the cluster's.
        own = {host: str(info.get("signer", "")) for host, info in hosts.items() if info.get("signer")}
        self.signers = {public_part(key): f"the key of {host}" for host, key in own.items()}
        self.signers.update({public_part(key): "in backup_trusted_signers" for key in request.trusted_signers})
        self.faults += [f"backup_trusted_signers: {fault}" for fault in signer_faults(request.trusted_signers)]
        self.journals = {host: hosts[host]["journal"] for host in self.members if hosts[host]["journal"]}
        self.bring = {"remote": "", "host": "", "path": ""}
        brought = request.brought.get("archive")
        if brought:
            here = {**brought, "source": request.brought["source"]}
            self.request = replace(request, archive=here["path"], archive_host=CONTROLLER, controller=[here], copy="")
        elif not request.rollback:
            self.find_source()

    def plan(self) -> dict[str, Any]:
        """The plan, with all faults."""
        self.judge_hosts()
        if self.request.rollback:
            archive: dict[str, Any] = {}
            identifier, action = self.rollback(), "roll back"
        else:
            identifier, archive, action = self.forward()
        stages = {host: self.stage(host, identifier) for host in self.members}
        touched = [host for host, stage in stages.items() if stage in (*IN_PLACE, FINISHED)]
        stop = bool(touched) if self.request.rollback else len(touched) < len(self.members)
        places = self.places(archive)
        healthy = [host for host in self.members if self.hosts[host]["live"].get("healthy")]
        revision = max((self.hosts[host]["live"].get("revision", 0) for host in healthy), default=0)
        # A cluster that began anew, after its data was lost, is behind the backup.
        lost = revision - archive["etcd"]["revision"] if archive else 0
        prepare = not self.request.rollback and any(
            stage not in (STAGED, *IN_PLACE, FINISHED) for stage in stages.values()
        )
        stop = stop and not self.request.rebuild
        save = self.request.save and stop and (self.request.rollback or not touched)
        if save and not healthy and self.members:
            self.warnings.append(
                "no member of etcd is healthy, so what runs now cannot be saved as a backup; its data is kept beside "
                "the new"
            )
        plan = {
            "action": action,
            "id": identifier,
            "archive": archive,
            "cluster_uid": self.identities.told,
            "trusted_signers": sorted(filter(None, self.signers)),
            "signed": self.signed(archive),
            "bring": self.bring,
            "places": places,
            "copy_to": [host for host in self.members if host not in places] if prepare else [],
            "members": self.members,
            "initial_cluster": {
                self.hosts[host]["member"]["name"]: self.hosts[host]["member"]["peer_urls"] for host in self.members
            },
            "client_urls": [self.hosts[host]["member"]["client_url"] for host in self.members],
            "external": any(self.hosts[host]["member"]["kind"] == "external" for host in self.members),
            "stages": stages,
            "prepare": prepare,
            "save": save and bool(healthy),
            "stop": stop,
            "revisions_lost": lost if archive and revision and not touched and lost >= 0 else None,
            "warnings": self.warnings,
        }
        self.confirmed(plan)
        return {**plan, "faults": self.faults, "summary": summary(plan, self.request)}

    def stage(self, host: str, identifier: str) -> str:
        """How far a host has come with a restore."""
        journal = self.journals.get(host, {})
        return str(journal["stage"]) if journal.get("id") == identifier else ""

    def judge_hosts(self) -> None:
        """What is wrong with the hosts, whatever is asked for."""
        wanted = [*self.request.members, *self.request.control_planes]
        missing = [host for host in dict.fromkeys(wanted) if host not in self.hosts]
        if missing:
            self.faults.append(
                f"{', '.join(missing)} did not take part. A restore gives all members of etcd new data at once, "
                "since members with old and with new data are two clusters. Run without --limit; take hosts that are "
                "gone for good out of the inventory. If only some members are broken and the others still work, do "
                "not restore: remove the broken ones and add them again"
            )
        if not self.request.members:
            self.faults.append("there is no host for etcd: the groups of the inventory are empty")
        for host, info in self.hosts.items():
            if info["problem"]:
                self.faults.append(f"{host}: {info['problem']}")
        for host in self.request.control_planes:
            if host in self.hosts and not self.hosts[host]["control_plane"]:
                self.faults.append(
                    f"{host} is no control plane: there is no manifest of its API server. For a host that is new or "
                    "was lost see docs/restore.md, 'New hosts'"
                )
        for host in self.members:
            self.judge_member(host)
            if self.request.rebuild:
                self.judge_empty(host)
        kinds = {self.hosts[host]["member"]["kind"] for host in self.members}
        if len(kinds) > 1:
            self.faults.append("some members of etcd are static pods and others are not: they cannot be one cluster")
        names = Counter(self.hosts[host]["member"]["name"] for host in self.members)
        self.faults += [f"{count} members of etcd have the name {name}" for name, count in names.items() if count > 1]

    def judge_empty(self, host: str) -> None:
        """What is on a host that is to be empty."""
        info = self.hosts[host]
        if self.journals.get(host, {}).get("stage") in UNFINISHED:
            return
        if info["control_plane"]:
            self.faults.append(f"{host} is a control plane already: use the playbook restore")
        elif info["data"]["present"]:
            self.faults.append(f"{host}: {info['member']['data_dir']} has data of etcd: move it away first")

    def judge_member(self, host: str) -> None:
        """What is wrong with a member."""
        member = self.hosts[host]["member"]
        if member["wal_dir"]:
            self.faults.append(
                f"{host}: etcd keeps its write-ahead log in {member['wal_dir']} (--wal-dir), outside of its data "
                "directory. That cannot be restored"
            )
        urls = [url for url in member["peer_urls"] if url]
        if not urls or not member["name"]:
            self.faults.append(f"{host}: it is not known what its member of etcd is called, or where it is reached")
        found = url_hosts(urls)
        address = self.request.addresses.get(host)
        if urls and address and normal(address) not in found:
            self.faults.append(
                f"{host}: its etcd is set up for {', '.join(urls)}, but the host's address is {address}. "
                "See docs/restore.md, 'New addresses'"
            )

    def forward(self) -> tuple[str, dict[str, Any], str]:
        """The restore's id, the archive, and whether it is begun or gone on with."""
        journal, in_place = self.unfinished()
        if len(in_place) > 1:
            self.faults.append(
                f"several restores were interrupted, {', '.join(sorted(in_place))}, on different hosts: roll back "
                "(restore_rollback), then begin again"
            )
        if journal and not in_place and (self.request.archive and not self.is_same(journal)):
            journal = None  # nothing but drafts: another archive may take their place
        awaited = bool(self.bring["host"] or self.request.copy)
        archive = {} if awaited else self.choose(journal)
        if not archive and journal and self.is_in_place(journal):
            # The data is in place everywhere, so that the archive is needed no more.
            archive = {
                **{key: journal[key] for key in ("path", "identity", "created", "cluster")},
                "etcd": {"version": "", "revision": journal["revision"], "keys": journal["keys"]}, "age": 0, "size": 0,
            }  # fmt: skip
        elif not archive and not awaited:
            self.faults.append(self.no_archive(journal))
        if archive and journal and in_place and archive["identity"] != journal["identity"]:
            self.faults.append(
                f"the restore {journal['id']} of {journal['path']} was interrupted after its data was put in place. "
                f"Go on with that archive, or roll back (restore_rollback), before {archive['path']} is restored"
            )
        if archive and not (journal and in_place):
            self.judge_archive(archive)
        if not journal and not self.request.archive and not awaited:
            self.judge_encrypted(archive)
        if journal:
            return str(journal["id"]), archive, "go on with the restore"
        times = [self.hosts[host]["time"] for host in self.members]
        return str(min(times, default="")), archive, "rebuild" if self.request.rebuild else "restore"

    def unfinished(self) -> tuple[Info | None, dict[str, Info]]:
        """The restore that was interrupted, and those whose data is in place somewhere, by their ids."""
        open_ones = [journal for journal in self.journals.values() if journal["stage"] in UNFINISHED]
        in_place = {journal["id"]: journal for journal in open_ones if journal["stage"] in IN_PLACE}
        return next(iter(in_place.values()), None) or next(iter(open_ones), None), in_place

    def is_in_place(self, journal: Info) -> bool:
        """Whether every member has its new data, so that the archive is needed no more."""
        return all(self.stage(host, journal["id"]) in IN_PLACE for host in self.members)

    def find_source(self) -> None:
        """Which archive must come to the controller before it can be looked at: of a copy, or encrypted."""
        request, asked = self.request, plain(self.request.archive)
        if request.copy and request.archive_host:
            self.faults.append("restore_copy and restore_archive_host: an archive comes from one of them only")
        if request.copy and request.copy not in request.copies:
            names = ", ".join(request.copies) or "it has none"
            self.faults.append(f"restore_copy: {request.copy!r} is no name in backup_copies: {names}")
        journal = self.unfinished()[0]
        begun = os.path.basename(journal["path"]) if journal else ""
        known = {item["identity"] for info in self.hosts.values() for item in info["archives"]}
        at_hand = journal and (journal["identity"] in known or self.is_in_place(journal))
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
        journal = self.unfinished()[0]
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

    def no_archive(self, journal: Info | None) -> str:
        """Why there is none."""
        if self.request.archive:
            asked = [info["archive"] for info in self.hosts.values() if info["archive"]] + list(self.request.controller)
            said = sorted({item["message"] for item in asked if item and item.get("message")})
            where = f" on {self.request.archive_host}" if self.request.archive_host else " on any host of this run"
            return "; ".join(said) or f"restore_archive: there is no {self.request.archive}{where}"
        if journal:
            return (
                f"the restore {journal['id']} was interrupted, and its archive, {journal['path']}, is on no host any "
                "more: name it (restore_archive), or roll back (restore_rollback)"
            )
        return self.identities.no_archive() or (
            f"no good backup of {self.request.cluster} was found on {', '.join(self.hosts)}: name one "
            "(restore_archive), on a host or on the machine that runs Ansible (restore_archive_host: localhost)"
        )

    def judge_archive(self, archive: Info) -> None:
        """What is wrong with the archive, for this cluster and these hosts."""
        path = archive.get("source", archive["path"])
        if archive.get("fault"):
            self.faults.append(archive["message"])
        ours = not self.request.other_cluster
        if self.request.rebuild and not archive["authority"]:
            self.faults.append(f"{path} does not hold the cluster's authority, so that nothing can be rebuilt of it")
        if ours and archive["cluster"] != self.request.cluster:
            self.faults.append(
                f"{path} is a backup of the cluster {archive['cluster']}, not of {self.request.cluster}. "
                "restore_other_cluster allows it"
            )
        foreign = [
            host
            for host, info in self.hosts.items()
            if info["authority"] and archive["authority"] and info["authority"] != archive["authority"]
        ]
        if ours and foreign:
            self.faults.append(
                f"{path} is of a cluster with another certificate authority than {', '.join(foreign)}: service "
                "accounts, nodes and certificates would not fit. restore_other_cluster allows it"
            )
        foreign_uid = self.identities.fault(path, uid_of(archive)) if ours else ""
        self.faults += [foreign_uid] if foreign_uid else []
        newer = [item for item, _uid in self.identities.listed if is_newer(item, archive)]
        self.warnings += self.identities.warnings(path, uid_of(archive), newer)
        self.judge_signature(archive, path)
        self.judge_keys(archive, path)
        for host in self.members:
            info = self.hosts[host]
            version = info["live"].get("version") or info["member"]["version"]
            fault = version_fault(archive["etcd"]["version"], version, version) if version else ""
            if fault:
                self.faults.append(f"{host}: {path} cannot be restored: {fault}")
            needed = 2 * archive["size"] + WAL_SEGMENT
            if info["data"]["free"] < needed and self.stage(host, info["journal"].get("id", "")) not in UNFINISHED:
                self.faults.append(
                    f"{host}: {info['member']['data_dir']} has {info['data']['free'] >> 20} MiB free, but the new "
                    f"data needs {needed >> 20} MiB beside the old"
                )

    def judge_signature(self, archive: Info, path: str) -> None:
        """Whether it is known who made the archive."""
        signature = archive["signature"]
        reason = distrust(signature, self.signers)
        if not reason:
            return
        if signature["state"] == WRONG:
            self.faults.append(f"{path} {reason}: do not trust it. Name another one (restore_archive)")
        elif self.request.unverified:
            self.warnings.append(f"{path} {reason}. It is taken, as restore_unverified says")
        else:
            self.faults.append(
                f"{path} {reason}. Whoever made it gets the cluster in hand. Name the public key of its maker in "
                "backup_trusted_signers, or set restore_unverified, if you know by other means where it comes from: "
                "see docs/restore.md, 'Who made it'"
            )

    def signed(self, archive: Info) -> str:
        """Who signed the archive, for people; nothing where there is none, or where it is not read any more."""
        if "signature" not in archive:
            return ""
        signature = archive["signature"]
        reason = distrust(signature, self.signers)
        if reason:
            return f"not verified: it {reason}"
        return f"by {signature['fingerprint']}, {self.signers[signature['key']]}"

    def judge_keys(self, archive: Info, path: str) -> None:
        """Whether the API servers could read what is encrypted in the backup."""
        wanted: Mapping[str, str] = archive.get("encryption_keys", {})
        for host in self.request.control_planes:
            has = self.hosts.get(host, {}).get("encryption_keys", {})
            lacking = [name for key, name in wanted.items() if key not in has]
            if lacking and host in self.hosts:
                self.faults.append(
                    f"{host}: its API server does not have the keys {', '.join(lacking)}, with which Secrets in {path} "
                    "may be encrypted. Nobody could read those then: see docs/restore.md, 'Keys of encryption at rest'"
                )

    def judge_encrypted(self, archive: Info) -> None:
        """Nobody shall get an older backup without knowing of a newer one that is encrypted."""
        sealed = [path for info in self.hosts.values() for path in info["encrypted"]]
        found = [path for path in sealed if self.identities.owns(uid_in(path))]
        newest = max(found, key=os.path.basename, default="")
        if newest and is_newer(newest, archive):
            self.faults.append(
                f"the newest backup, {newest}, is encrypted: name the file with age's private key, on the machine that "
                "runs Ansible (restore_identity), or an older archive that is not encrypted (restore_archive)"
            )

    def rollback(self) -> str:
        """The id of the restore that is undone."""
        undone = {host: item for host, item in self.journals.items() if item["stage"] != ROLLED_BACK}
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

    def places(self, archive: Info) -> dict[str, str]:
        """Where each host has the archive."""
        found: dict[str, str] = {}
        for host, info in self.hosts.items():
            items = [info["archive"], *info["archives"]]
            paths = [item["path"] for item in items if item and item.get("identity") == archive.get("identity", "")]
            if paths:
                found[host] = paths[0]
        here = [item["path"] for item in self.request.controller if item.get("identity") == archive.get("identity", "")]
        return {**found, **({CONTROLLER: here[0]} if here else {})}

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


def plain(path: str) -> str:
    """An archive's path without encryption."""
    return path[: -len(SEALED)] if path.endswith(SEALED) else path


def is_newer(path: str, archive: Info) -> bool:
    """Whether an encrypted archive is newer than another; names sort by time."""
    return plain(os.path.basename(path)) > os.path.basename(archive.get("path", ""))


def of_role(fault: str) -> str:
    """A fault of backup_fetch, with the names of the role's variables for its options."""
    fault = fault.replace("(cluster_uid)", "(restore_cluster_uid)")
    return f"restore_{fault}" if fault.startswith(("identity:", "copy:")) else fault


def age(seconds: int) -> str:
    """An age for people."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}s"
    return f"{seconds} seconds"


def summary(plan: Mapping[str, Any], request: Request) -> list[str]:
    """The plan in sentences."""
    lines = [f"{plan['action'].capitalize()} {plan['id']} of the cluster {request.cluster}"]
    archive = plan["archive"]
    if archive:
        path = archive.get("source", archive["path"])
        lines += [
            f"backup: {path}, made {archive['created']} ({age(archive['age'])} ago)" if archive["age"]
            else f"backup: {path}, made {archive['created']}",
            f"it is of the cluster with the identity {uid_of(archive) or 'not known'}",
            *([f"signed: {plan['signed']}"] if plan["signed"] else []),
            f"it has revision {archive['etcd']['revision']}, {archive['etcd']['keys']} keys",
        ]  # fmt: skip
    if plan["revisions_lost"] is not None:
        lines.append(f"the cluster has made {plan['revisions_lost']} changes since then, which will be lost")
    lines.append(f"members: {', '.join(f'{name} ({url[0]})' for name, url in plan['initial_cluster'].items())}")
    stages = {host: stage for host, stage in plan["stages"].items() if stage}
    if stages:
        lines.append(f"done before: {', '.join(f'{host} {stage}' for host, stage in stages.items())}")
    if plan["copy_to"]:
        lines.append(f"the archive is copied to {', '.join(plan['copy_to'])}")
    if plan["save"]:
        lines.append("what runs now is saved as a backup first")
    if plan["stop"]:
        lines.append("the API servers and etcd are stopped meanwhile; pods go on running")
    return [*lines, *(f"warning: {text}" for text in plan["warnings"])]


def plan_restore(hosts: Mapping[str, Info], request: Request) -> dict[str, Any]:
    """What is to be done, or why it must not."""
    return Planner(hosts, request).plan()
