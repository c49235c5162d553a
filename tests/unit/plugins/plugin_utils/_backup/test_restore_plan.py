"""The plan of a restore: what is chosen, and everything that stands against it."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.restore_plan import restore_plan
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.signature import fingerprint

ID = "20261122T081500Z"
OLD, NEW = "a" * 16, "b" * 16
UID, OTHER = "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11", "2ab4c9d0-11aa-4bbb-8ccc-d0d1d2d3d4d5"
ENCRYPTED_PATH = "/x/example-20261122T020000Z-1f0c6a52.tar.age"
HOSTS = ("cp-1", "cp-2", "cp-3")


def public_key(seed: int) -> str:
    """A public key of ssh, as far as is looked at here."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes([seed]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


OURS, THEIRS = public_key(1), public_key(2)


def signature(state: str = "good", key: str = OURS, message: str = "") -> dict[str, str]:
    return {"state": state, "key": key if state == "good" else "", "message": message, "fingerprint": fingerprint(key)}


def archive(identity: str = NEW, **more: Any) -> dict[str, Any]:
    created = "2026-11-22T02:00:00Z" if identity == NEW else "2026-11-21T02:00:00Z"
    return {
        "path": f"/backups/{identity[0]}.tar", "fault": "", "message": "", "identity": identity, "cluster": "example",
        "cluster_uid": UID, "created": created, "age": 7200, "size": 1000, "host": "cp-1", "authority": "CA",
        "etcd": {"version": "3.6.8", "revision": 100, "keys": 7}, "signature": signature(), "whole": True, **more,
    }  # fmt: skip


def info(number: int, **more: Any) -> dict[str, Any]:
    address = f"192.0.2.{number}"
    member = {
        "kind": "stacked", "name": f"cp-{number}", "peer_urls": [f"https://{address}:2380"],
        "client_url": f"https://{address}:2379", "data_dir": "/var/lib/etcd", "wal_dir": "", "version": "3.6.8",
        "certificates": {},
    }  # fmt: skip
    return {
        "time": ID, "problem": "", "journal": {}, "member": {**member, **more.pop("member", {})},
        "data": {"present": True, "in_use": True, "size": 900, "free": 10**10, "leftovers": []},
        "live": {"healthy": True, "revision": 150, "version": "3.6.8", "error": "", "cluster_uid": UID},
        "stopped": [],
        "control_plane": True, "authority": "CA", "archives": [], "archive": {}, "encrypted": [],
        "signer": f"{OURS} cp-{number}", **more,
    }  # fmt: skip


def listed(item: dict[str, Any]) -> dict[str, Any]:
    """What restore_info tells of an archive whose bytes were not read."""
    unread = {"state": "unread"} if item["signature"]["state"] == "good" else {}
    return {**item, "whole": False, "signature": {**item["signature"], **unread}}


def journal(stage: str, identity: str = NEW, identifier: str = ID, **more: Any) -> dict[str, Any]:
    return {
        "id": identifier, "cluster": "example", "identity": identity, "path": f"/backups/{identity[0]}.tar",
        "created": "2026-11-22T02:00:00Z", "stage": stage, "data_dir": "/var/lib/etcd", "had_data": True,
        "revision": 100, "keys": 7, **more,
    }  # fmt: skip


def plan(*hosts: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The plan that is made once the chosen archive was read."""
    names = HOSTS[: len(hosts)]
    infos = {
        name: {**one, "archives": [listed(item) for item in one.get("archives", [])]} for name, one in zip(names, hosts)
    }
    given = {
        "cluster": "example", "confirm": "example", "members": list(names), "control_planes": list(names),
        "addresses": {name: f"192.0.2.{number}" for number, name in enumerate(names, 1)}, **options,
    }  # fmt: skip
    made = restore_plan(infos, **given)
    if not made["read"]:
        return made
    assert made["signed"] == ""
    read = {
        name: next(item for item in one["archives"] if item["path"] == made["read"][name])
        for name, one in zip(names, hosts)
        if name in made["read"]
    }
    return restore_plan(infos, **{"read": read, **given})


def test_the_newest_archive_goes_to_all_members() -> None:
    made = plan(info(1, archives=[archive(OLD)]), info(2, archives=[archive(NEW), archive(OLD)]), info(3))
    assert made["faults"] == []
    assert made["archive"]["identity"] == NEW
    assert made["places"] == {"cp-2": "/backups/b.tar"}
    assert (made["copy_from"], made["copy_to"]) == ("cp-2", ["cp-1", "cp-3"])
    assert made["initial_cluster"] == {f"cp-{n}": [f"https://192.0.2.{n}:2380"] for n in (1, 2, 3)}
    assert (made["id"], made["action"]) == (ID, "restore")
    assert (made["prepare"], made["save"], made["stop"], made["external"]) == (True, True, True, False)
    assert made["revisions_lost"] == 50
    assert "backup: /backups/b.tar, made 2026-11-22T02:00:00Z (2 hours ago)" in made["summary"]


def test_an_archive_on_the_controller_goes_to_all() -> None:
    asked = {"archive": "/srv/b.tar", "archive_host": "localhost", "controller": [archive(path="/srv/b.tar")]}
    made = plan(info(1, archives=[archive(OLD)]), **asked)
    assert made["faults"] == []
    assert made["places"] == {"localhost": "/srv/b.tar"}
    assert made["copy_to"] == ["cp-1"]


DAMAGED = {"path": "/backups/b.tar", "fault": "damaged", "message": "/backups/b.tar is damaged: etcd.db"}


def test_an_archive_that_was_not_read_is_neither_trusted_nor_taken() -> None:
    hosts = [info(1, archives=[archive()]), info(2, archives=[archive()]), info(3)]
    one = plan(*hosts, read={"cp-1": DAMAGED, "cp-2": archive()})
    assert (one["faults"], one["places"], one["copy_to"]) == ([], {"cp-2": "/backups/b.tar"}, ["cp-1", "cp-3"])
    assert one["warnings"] == [f"cp-1: {DAMAGED['message']}: that of cp-2 is taken"]
    assert "all of its bytes were read on cp-2" in one["summary"]
    assert [line for line in one["summary"] if line.startswith("signed: by SHA256:")]

    none = plan(*hosts, read={"cp-1": DAMAGED, "cp-2": {}})
    assert none["faults"] == [f"cp-1: {DAMAGED['message']}; cp-2: it is gone. Name another archive (restore_archive)"]
    assert not [line for line in none["summary"] if line.startswith("signed")]

    resumed = [info(1, archives=[archive()], journal=journal("switched")), info(2)]
    assert plan(*resumed, read={"cp-1": DAMAGED})["faults"] == [
        f"cp-1: {DAMAGED['message']}. Roll back (restore_rollback)"
    ]


def test_a_named_archive_is_the_one_whose_bytes_are_taken() -> None:
    """Not that of the same manifest which a host has besides."""
    hosts = [info(1, archives=[archive()])]
    asked = {"archive": "/x/b.tar", "archive_host": "localhost"}
    made = plan(*hosts, **asked, controller=[archive(path="/x/b.tar")])
    assert (made["places"], made["copy_to"]) == ({"localhost": "/x/b.tar"}, ["cp-1"])
    assert "all of its bytes were read on the machine that runs Ansible" in made["summary"]
    damaged = plan(*hosts, **asked, controller=[{**DAMAGED, "message": "/x/b.tar is damaged"}])
    assert (damaged["faults"], damaged["places"], damaged["signed"]) == (["/x/b.tar is damaged"], {}, "")
    both = plan(info(1, archive=DAMAGED), info(2, archive=archive()), archive="/backups/b.tar")
    assert (both["places"], both["copy_to"]) == ({"cp-2": "/backups/b.tar"}, ["cp-1"])


def test_without_quorum_nothing_is_saved() -> None:
    down = {"live": {"healthy": False, "revision": 0, "version": "", "error": "it does not run"}}
    made = plan(info(1, archives=[archive()], **down))
    assert (made["faults"], made["save"], made["revisions_lost"]) == ([], False, None)
    assert "no member of etcd is healthy" in made["warnings"][0]


def test_check_mode_needs_no_confirmation() -> None:
    assert plan(info(1, archives=[archive()]), confirm="", check=True)["faults"] == []


FAULTS: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "no confirmation": ([info(1, archives=[archive()])], {"confirm": ""}, "restore_confirm: it is not set"),
    "another name": ([info(1, archives=[archive()])], {"confirm": "exmaple"}, "restore_confirm: it is 'exmaple'"),
    "no archive": ([info(1)], {}, "no good backup of example was found on cp-1"),
    "no such archive": ([info(1)], {"archive": "/x.tar"}, "restore_archive: there is no /x.tar on any host"),
    "a bad archive": (
        [info(1, archive={"path": "/x.tar", "fault": "truncated", "message": "/x.tar is truncated"})],
        {"archive": "/x.tar"}, "/x.tar is truncated",
    ),
    "two archives of one name": (
        [info(1, archive=archive(NEW)), info(2, archive=archive(OLD))], {"archive": "/x.tar"},
        "another archive on each of cp-1, cp-2",
    ),
    "only encrypted ones": ([info(1, encrypted=[ENCRYPTED_PATH])], {}, "is encrypted: name"),
    "a newer one is encrypted": (
        [info(1, archives=[archive(path="/x/example-20261121T020000Z-1f0c6a52.tar")],
              encrypted=[ENCRYPTED_PATH])], {}, f"the newest backup, {ENCRYPTED_PATH}",
    ),
    "limited": (
        [info(1, archives=[archive()])], {"members": ["cp-1", "cp-2"]}, "cp-2 did not take part. A restore gives all",
    ),
    "no members": ([], {}, "there is no host for etcd"),
    "another cluster": (
        [info(1, archive=archive(cluster="other"))], {"archive": "/x.tar"}, "of the cluster other, not of example",
    ),
    "another authority": (
        [info(1, archives=[archive()], authority="X")], {}, "another certificate authority than cp-1",
    ),
    "newer data": (
        [info(1, archives=[archive(etcd={"version": "3.7.0", "revision": 1, "keys": 1})])], {}, "older etcd 3.6.8",
    ),
    "much older data": (
        [info(1, archives=[archive(etcd={"version": "3.4.3", "revision": 1, "keys": 1})])], {},
        "reads only data of its own minor version",
    ),
    "no room": (
        [info(1, archives=[archive(size=10**12)])], {}, "cp-1: /var/lib/etcd has 9536 MiB free, but the new data needs",
    ),
    "a new host": ([info(1, archives=[archive()], control_plane=False)], {}, "cp-1 is no control plane"),
    "a new address": (
        [info(1, archives=[archive()])], {"addresses": {"cp-1": "192.0.2.99"}}, "the host's address is 192.0.2.99",
    ),
    "a log elsewhere": ([info(1, archives=[archive()], member={"wal_dir": "/wal"})], {}, "in /wal (--wal-dir)"),
    "two of a name": (
        [info(1, archives=[archive()]), info(2, member={"name": "cp-1"})], {}, "2 members of etcd have the name cp-1",
    ),
    "two kinds": (
        [info(1, archives=[archive()]), info(2, member={"kind": "external"})], {}, "cannot be one cluster",
    ),
    "an unreadable journal": ([info(1, archives=[archive()], problem="x cannot be read")], {}, "x cannot be read"),
    "another one is in place": (
        [info(1, archives=[archive()], journal=journal("switched", OLD), archive=archive())],
        {"archive": "/x.tar"}, "was interrupted after its data was put in place",
    ),
    "two are in place": (
        [info(1, archives=[archive()], journal=journal("switched")),
         info(2, journal=journal("switched", identifier="20261122T081501Z"))],
        {}, "several restores were interrupted",
    ),
    "its archive is gone": ([info(1, journal=journal("staged")), info(2)], {}, "is on no host any more"),
    "nothing to roll back": ([info(1)], {"rollback": True}, "no restore was begun"),
    "rolled back already": ([info(1, journal=journal("rolled_back"))], {"rollback": True}, "no restore was begun"),
    "nothing to go back to": (
        [info(1, journal=journal("finished"))], {"rollback": True}, "cp-1 has nothing to go back to",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_faults(case: str) -> None:
    hosts, options, message = FAULTS[case]
    faults = plan(*hosts, **options)["faults"]
    assert [fault for fault in faults if message in fault], faults


def test_all_faults_are_named_at_once() -> None:
    made = plan(info(1, archives=[archive(size=10**12, authority="Y")], member={"wal_dir": "/wal"}), confirm="")
    assert len(made["faults"]) == 4


def test_another_cluster_can_be_allowed() -> None:
    given = {"archive": "/x.tar", "other_cluster": True}
    assert plan(info(1, archive=archive(cluster="other", authority="X")), **given)["faults"] == []


SILENT = {"live": {"healthy": False, "revision": 0, "version": "", "error": "", "cluster_uid": ""}}
FOREIGN = {"cluster_uid": OTHER, "path": f"/backups/example-20261123T020000Z-{OTHER[:8]}.tar"}
OLDER = {"cluster_uid": "", "path": "/backups/example-20261123T020000Z.tar"}
SEALED_FOREIGN = f"/backups/example-20261124T020000Z-{OTHER[:8]}.tar.age"
CHOSEN: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str, str]] = {
    "a newer one of another cluster": (
        [info(1, archives=[archive(OLD), archive(NEW, **FOREIGN)])], {}, OLD, "",
    ),
    "one of another cluster, sealed": (
        [info(1, archives=[archive(OLD)], encrypted=[SEALED_FOREIGN])], {}, OLD, "",
    ),
    "none but of another cluster": (
        [info(1, archives=[archive(NEW, **FOREIGN)])], {}, "", f"example, whose identity is {UID}, was found, but",
    ),
    "of another cluster, since this one began anew": (
        [info(1, archives=[archive(NEW, **FOREIGN)])], {"cluster_uid": OTHER[:8]}, NEW, "",
    ),
    "named, and of another cluster": (
        [info(1, archive=archive(NEW, **FOREIGN))], {"archive": FOREIGN["path"]}, NEW,
        "set restore_cluster_uid to 2ab4c9d0",
    ),
    "the same, and allowed": (
        [info(1, archive=archive(NEW, **FOREIGN))], {"archive": FOREIGN["path"], "other_cluster": True}, NEW, "",
    ),
    "etcd is silent, and all are of one": ([info(1, archives=[archive(OLD)], **SILENT)], {}, OLD, ""),
    "etcd is silent, and there are two": (
        [info(1, archives=[archive(OLD), archive(NEW, **FOREIGN)], **SILENT)], {}, "",
        "restore_cluster_uid to the beginning of the UID of its namespace kube-system, 1f0c6a52 or 2ab4c9d0",
    ),
    "the same, and one is told": (
        [info(1, archives=[archive(OLD), archive(NEW, **FOREIGN)], **SILENT)], {"cluster_uid": UID}, OLD, "",
    ),
    "none has an identity": (
        [info(1, archives=[archive(NEW, **OLDER)], **SILENT)], {}, "", "name one without an identity",
    ),
    "none has an identity, and they are adopted": (
        [info(1, archives=[archive(NEW, **OLDER)], **SILENT)], {"adopt": True}, NEW, "",
    ),
    "without an identity, and named": (
        [info(1, archive=archive(NEW, **OLDER))], {"archive": OLDER["path"]}, NEW, "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHOSEN)
def test_archives_of_clusters_with_one_name(case: str) -> None:
    hosts, options, identity, message = CHOSEN[case]
    made = plan(*hosts, **options)
    assert made["archive"].get("identity", "") == identity
    assert [message in fault for fault in made["faults"]] == ([True] if message else [])


def test_what_carries_no_identity_is_named() -> None:
    made = plan(info(1, archives=[archive(OLD), archive(NEW, **OLDER)]))
    assert made["warnings"] == [f"{OLDER['path']} is newer, but carries no cluster's identity: name it to restore it"]
    named = plan(info(1, archive=archive(NEW, **OLDER)), archive=OLDER["path"])
    assert "only its name tells that it is this cluster's" in named["warnings"][0]
    assert f"it is of the cluster with the identity {UID}" in made["summary"]


@pytest.mark.parametrize(
    ("hosts", "options", "uid"),
    [([info(1)], {}, UID), ([info(1, **SILENT)], {}, ""), ([info(1)], {"cluster_uid": OTHER}, OTHER)],
)
def test_a_copy_is_searched_for_the_same_cluster(
    hosts: list[dict[str, Any]], options: dict[str, Any], uid: str
) -> None:
    made = plan(*hosts, **options, copy="offsite", copies=["offsite"])
    assert (made["cluster_uid"], made["bring"]["remote"]) == (uid, "offsite")


RESUMED: dict[str, tuple[list[str], bool, bool]] = {
    "while the data was made": (["staging", "", ""], True, True),
    "after the data was made": (["staged"] * 3, False, True),
    "while it was put in place": (["switched", "staged", "staged"], False, True),
    "after it was put in place": (["switched"] * 3, False, False),
    "before the end": (["proven"] * 3, False, False),
}


@pytest.mark.parametrize("case", RESUMED)
def test_an_interrupted_restore_goes_on_under_its_id(case: str) -> None:
    stages, prepare, stop = RESUMED[case]
    hosts = [
        info(number, time="20270101T000000Z", journal=journal(stage, OLD) if stage else {}, archives=[archive(NEW)])
        for number, stage in enumerate(stages, 1)
    ]
    hosts[1]["archives"].append(archive(OLD))
    made = plan(*hosts)
    assert (made["faults"], made["id"], made["archive"]["identity"]) == ([], ID, OLD)
    assert made["action"] == "go on with the restore"
    assert (made["prepare"], made["stop"]) == (prepare, stop)


def test_the_archive_is_not_needed_once_all_is_in_place() -> None:
    made = plan(*(info(number, journal=journal("switched")) for number in (1, 2, 3)))
    assert (made["faults"], made["copy_to"], made["id"]) == ([], [], ID)


def test_drafts_give_way_to_another_archive() -> None:
    made = plan(
        info(1, time="20270101T000000Z", journal=journal("staged", OLD), archive=archive(NEW)), archive="/b.tar"
    )
    assert (made["faults"], made["id"], made["archive"]["identity"]) == ([], "20270101T000000Z", NEW)


@pytest.mark.parametrize(("stage", "stop"), [("staged", False), ("switched", True), ("finished", True)])
def test_rolling_back(stage: str, stop: bool) -> None:
    data = {"present": True, "in_use": True, "size": 1, "free": 1, "leftovers": [f"/var/lib/etcd/before-restore-{ID}"]}
    made = plan(info(1, journal=journal(stage), data=data), info(2), rollback=True)
    assert (made["faults"], made["id"], made["stop"], made["prepare"]) == ([], ID, stop, False)
    assert made["save"] is stop


def test_wrong_input_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="what restore_info returned"):
        plan({"time": "x"})


def test_a_cluster_that_began_anew_is_not_ahead() -> None:
    anew = {"live": {"healthy": True, "revision": 5, "version": "3.6.8", "error": ""}}
    assert plan(info(1, archives=[archive()], **anew))["revisions_lost"] is None


REBUILT: dict[str, tuple[dict[str, Any], str]] = {
    "an empty host": ({}, ""),
    "a control plane": ({"control_plane": True}, "is a control plane already"),
    "old data": ({"data": {"present": True, "in_use": False, "size": 1, "free": 10**10, "leftovers": []}}, "has data"),
    "begun before": ({"control_plane": True, "journal": journal("switched")}, ""),
    "without keys": ({"archives": [archive(authority="")]}, "does not hold the cluster's authority"),
}


@pytest.mark.parametrize("case", REBUILT)
def test_rebuilding(case: str) -> None:
    more, message = REBUILT[case]
    empty = {
        "control_plane": False, "authority": "", "archives": [archive()],
        "data": {"present": False, "in_use": False, "size": 0, "free": 10**10, "leftovers": []},
        "live": {"healthy": False, "revision": 0, "version": "", "error": "it does not run"},
    }  # fmt: skip
    made = plan(info(1, **{**empty, **more}), rebuild=True, control_planes=[])
    faults = made["faults"]
    assert (made["stop"], made["save"], made["warnings"]) == (False, False, [])
    assert [fault for fault in faults if message in fault] if message else faults == []


COPY = {"copy": "offsite", "copies": ["store", "offsite"]}
KEY = {"identity": "/home/me/key.txt"}
NOTHING = {"remote": "", "host": "", "path": ""}
SEALED = "/backups/example-20261122T020000Z-1f0c6a52.tar.age"
NAMED = {"path": "/backups/example-20261121T020000Z-1f0c6a52.tar"}
JOURNAL_PATH = "/var/lib/groundwork/restore/example-20261122T020000Z-1f0c6a52.tar"
ENCRYPTED = {"path": SEALED, "fault": "encrypted", "message": f"{SEALED} is encrypted"}
SOURCES: dict[str, tuple[list[dict[str, Any]], dict[str, Any], dict[str, str]]] = {
    "nothing to bring": ([info(1, archives=[archive()])], KEY, {}),
    "the newest of a copy": ([info(1, archives=[archive()])], COPY, {"remote": "offsite"}),
    "one that is named": (
        [info(1)],
        {**COPY, "archive": "example-1.tar"},
        {"remote": "offsite", "path": "example-1.tar"},
    ),
    "the newest is encrypted": (
        [info(1, archives=[archive(**NAMED)]), info(2, encrypted=[SEALED])],
        KEY,
        {"host": "cp-2", "path": SEALED},
    ),
    "only an older one is encrypted": (
        [info(1, archives=[archive(path="/backups/example-20261123T020000Z-1f0c6a52.tar")], encrypted=[SEALED])],
        KEY,
        {},
    ),
    "an encrypted one that is named": (
        [info(1), info(2, archive=ENCRYPTED)],
        {**KEY, "archive": SEALED},
        {"host": "cp-2", "path": SEALED},
    ),
    "an encrypted one on the controller": (
        [info(1)],
        {**KEY, "archive": SEALED, "archive_host": "localhost", "controller": [ENCRYPTED]},
        {"host": "localhost", "path": SEALED},
    ),
    "a restore that was interrupted, whose archive is at hand": (
        [info(1, journal=journal("staged", path=JOURNAL_PATH), archives=[archive(path=JOURNAL_PATH)])],
        {**COPY, **KEY},
        {},
    ),
    "the same, with the archive named": (
        [info(1, journal=journal("staged", path=JOURNAL_PATH), archives=[archive(path=JOURNAL_PATH)])],
        {**COPY, **KEY, "archive": "example-20261122T020000Z-1f0c6a52.tar.age"},
        {},
    ),
    "the same, with another archive named": (
        [info(1, journal=journal("staged", path=JOURNAL_PATH), archives=[archive(path=JOURNAL_PATH)])],
        {**COPY, "archive": "example-1.tar"},
        {"remote": "offsite", "path": "example-1.tar"},
    ),
    "an interrupted one whose archive is gone": (
        [info(1, journal=journal("staged", path=JOURNAL_PATH), encrypted=["/backups/example-20261129T0000Z.tar.age"])],
        COPY,
        {"remote": "offsite", "path": "example-20261122T020000Z-1f0c6a52.tar"},
    ),
    "the same, on a host and encrypted": (
        [info(1, journal=journal("staged", path=JOURNAL_PATH), encrypted=[SEALED])],
        KEY,
        {"host": "cp-1", "path": SEALED},
    ),
    "all is in place": ([info(1, journal=journal("switched", path=JOURNAL_PATH))], {**COPY, **KEY}, {}),
    "rollback": ([info(1, journal=journal("switched"))], {**COPY, "rollback": True}, {}),
}


@pytest.mark.parametrize("case", SOURCES)
def test_what_has_to_come_to_the_controller(case: str) -> None:
    hosts, options, bring = SOURCES[case]
    made = plan(*hosts, **options)
    assert made["bring"] == {**NOTHING, **bring}
    if bring:
        assert (made["archive"], made["faults"]) == ({}, [])


def test_what_was_brought_is_restored() -> None:
    brought = {"archive": archive(path="/home/me/x.tar"), "source": "offsite:bucket/x.tar.age", "changed": False}
    made = plan(info(1, archives=[archive(OLD)]), info(2), brought=brought, **COPY, **KEY)
    assert (made["faults"], made["bring"], made["copy_to"]) == ([], NOTHING, ["cp-1", "cp-2"])
    assert made["places"] == {"localhost": "/home/me/x.tar"}
    assert "backup: offsite:bucket/x.tar.age, made 2026-11-22T02:00:00Z (2 hours ago)" in made["summary"]


def test_what_could_not_be_brought_is_told_with_all_else() -> None:
    faults = ["identity: /k does not fit", "copy: offsite:b has no archives", "age is not installed"]
    made = plan(info(1), brought={"faults": faults}, confirm="", **COPY)
    assert made["faults"][:3] == ["restore_identity: /k does not fit", f"restore_{faults[1]}", faults[2]]
    assert [fault for fault in made["faults"][3:] if "restore_confirm" not in fault] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copy": "elsewhere", "copies": ["store"]}, "restore_copy: 'elsewhere' is no name in backup_copies: store"),
        ({"copy": "elsewhere"}, "no name in backup_copies: it has none"),
        ({**COPY, "archive_host": "cp-1"}, "restore_copy and restore_archive_host"),
        ({"archive": SEALED}, f"{SEALED} is encrypted"),
        ({"brought": {"archive": archive(cluster="other"), "source": "c:x"}}, "c:x is a backup of the cluster other"),
        ({"brought": {"archive": archive(fault="proof", message="x failed"), "source": "c:x"}}, "x failed"),
    ],
)
def test_sources_that_are_refused(options: dict[str, Any], message: str) -> None:
    made = plan(info(1, archive=ENCRYPTED if "archive" in options else {}), **options)
    assert [fault for fault in made["faults"] if message in fault] == made["faults"] != []


def test_a_newer_encrypted_backup_is_never_passed_over() -> None:
    made = plan(info(1, archives=[archive(**NAMED)], encrypted=[SEALED]))
    assert ["restore_identity" in fault for fault in made["faults"]] == [True]


def test_keys_that_the_api_servers_no_longer_have() -> None:
    sealed = archive(encryption_keys={"aa": "key-1", "bb": "key-2"})
    hosts = [info(1, archives=[sealed], encryption_keys={"bb": "key-2", "aa": "key-1", "cc": "key-3"}), info(2)]
    [fault] = plan(*hosts)["faults"]
    assert fault.startswith("cp-2: its API server does not have the keys key-1, key-2, with which")
    assert plan(hosts[0])["faults"] == []


@pytest.mark.parametrize("address", ["2001:db8::1", "2001:DB8:0::1"])
@pytest.mark.parametrize("link", ["https://[2001:db8::1]:2380", "https://[2001:0DB8::0:1]:2380"])
def test_a_members_address_is_compared_as_an_address(address: str, link: str) -> None:
    found = plan(info(1, archives=[archive()], member={"peer_urls": [link]}), addresses={"cp-1": address})
    assert not [fault for fault in found["faults"] if "the host's address is" in fault]


UNSIGNED = signature("none", message="is not signed, so that it is not known who made it")
FORGED = signature("wrong", message="has the signature of another archive, x.tar")
UNREAD = signature("unknown", message="has a signature, but ssh-keygen, which verifies it, is not installed")
SIGNED: dict[str, tuple[dict[str, Any], dict[str, Any], str, str]] = {
    "by a host": ({}, {}, "", f"by {fingerprint(OURS)}, the key of cp-1"),
    "by a key of the inventory": (
        {"signature": signature(key=THEIRS)}, {"trusted_signers": [f"{THEIRS} an old host"]}, "",
        f"by {fingerprint(THEIRS)}, in backup_trusted_signers",
    ),
    "by another key": (
        {"signature": signature(key=THEIRS)}, {}, f"is signed by the key {fingerprint(THEIRS)}, which is not among",
        f"not verified: it is signed by the key {fingerprint(THEIRS)}, which is not among those that are trusted",
    ),
    "by nobody": ({"signature": UNSIGNED}, {}, "is not signed, so that", f"not verified: it {UNSIGNED['message']}"),
    "by who knows whom": (
        {"signature": UNREAD}, {"trusted_signers": [THEIRS]}, "ssh-keygen, which verifies it, is not installed",
        f"not verified: it {UNREAD['message']}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SIGNED)
def test_who_made_an_archive(case: str) -> None:
    more, options, fault, printed = SIGNED[case]
    made = plan(info(1, archives=[archive(**more)]), **options)
    assert [fault in text for text in made["faults"]] == ([True] if fault else [])
    assert all("restore_unverified" in text for text in made["faults"])
    assert (made["signed"], f"signed: {printed}" in made["summary"]) == (printed, True)
    allowed = plan(info(1, archives=[archive(**more)]), **options, unverified=True)
    assert allowed["faults"] == []
    assert [fault in text for text in allowed["warnings"]] == ([True] if fault else [])


def test_a_wrong_signature_is_never_taken() -> None:
    for unverified in (False, True):
        made = plan(info(1, archives=[archive(signature=FORGED)]), unverified=unverified)
        assert ["has the signature of another archive, x.tar: do not trust it" in text for text in made["faults"]] == [
            True
        ]


def test_who_is_trusted() -> None:
    made = plan(info(1, archives=[archive()], signer=""), info(2), trusted_signers=[f"{THEIRS} x", "nonsense"])
    assert made["trusted_signers"] == sorted([OURS, THEIRS])
    assert ["backup_trusted_signers: 'nonsense' is no public key" in fault for fault in made["faults"]] == [True]
