"""Another size for a lab that exists: which hosts stay, come and go, and when etcd's quorum forbids it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from lab.debian import Debian  # noqa: E402  it is no part of the collection
from lab.hosts import Hosts, loop_devices  # noqa: E402
from lab.rootfs import RootFilesystems  # noqa: E402
from lab.settings import ADDRESSES, Settings  # noqa: E402
from lab.sizes import Host, health_by_member, quorum_fault, resize  # noqa: E402

ADDRESS = Settings().address


def hosts(control_planes: int, workers: int, etcd: int = 0) -> list[Host]:
    return resize([], {"control_plane": control_planes, "worker": workers, "etcd": etcd}, ADDRESS).added


@pytest.mark.parametrize(
    ("before", "after", "added", "removed"),
    [
        ((1, 2), (1, 2), [], []),
        ((1, 2), (1, 4), ["worker-3", "worker-4"], []),
        ((1, 2), (1, 0), [], ["worker-1", "worker-2"]),
        ((1, 2), (3, 1), ["control-plane-2", "control-plane-3"], ["worker-2"]),
        ((3, 1), (1, 1), [], ["control-plane-2", "control-plane-3"]),
        ((1, 1, 3), (1, 1), [], ["etcd-1", "etcd-2", "etcd-3"]),
    ],
)
def test_other_sizes(before: tuple[int, ...], after: tuple[int, ...], added: list[str], removed: list[str]) -> None:
    existing = hosts(*before)
    change = resize(existing, dict(zip(("control_plane", "worker", "etcd"), after, strict=False)), ADDRESS)
    assert [host.name for host in change.added] == added
    assert [host.name for host in change.removed] == removed
    assert sorted(change.kept + change.removed, key=str) == sorted(existing, key=str)


def test_a_lost_host_is_made_again_with_its_address() -> None:
    whole = hosts(1, 3)
    lost = next(host for host in whole if host.name == "worker-2")
    change = resize([host for host in whole if host != lost], {"control_plane": 1, "worker": 3}, ADDRESS)
    assert (change.added, change.removed) == ([lost], [])


def test_no_two_hosts_have_an_address() -> None:
    every = [ADDRESS(group, number) for group, numbers in ADDRESSES.items() for number in range(1, len(numbers) + 1)]
    assert len(every) == len(set(every))
    assert not {Settings().mirror, Settings().virtual_ip} & set(every)
    with pytest.raises(RuntimeError, match="at most 39 hosts of the group control_plane"):
        hosts(40, 0)


def test_a_control_plane_is_needed() -> None:
    with pytest.raises(RuntimeError, match="at least one control plane"):
        resize(hosts(1, 1), {"worker": 1}, ADDRESS)


def test_where_etcd_runs() -> None:
    assert [h.name for h in resize(hosts(2, 1), {"control_plane": 1}, ADDRESS).etcd_hosts()] == [
        "control-plane-1",
        "control-plane-2",
    ]
    external = resize(hosts(1, 1, 2), {"control_plane": 1, "etcd": 1}, ADDRESS)
    assert [host.name for host in external.etcd_hosts()] == ["etcd-1", "etcd-2"]


@pytest.mark.parametrize(
    ("members", "removed", "refused"),
    [
        ({"a": True, "b": True, "c": True}, ["worker-1"], False),
        ({"a": True, "b": True, "c": True}, ["c"], False),
        ({"a": True, "b": True, "c": True}, ["b", "c"], True),
        ({"a": True, "b": True}, ["b"], True),
        ({"a": True}, ["a"], True),
        ({"a": True, "b": True, "c": False}, ["b"], True),
        ({"a": True, "b": True, "c": False}, ["c"], False),
        ({"a": True, "b": True, "c": True, "d": False, "e": False}, ["c"], True),
        ({"a": True, "b": True, "c": True, "d": True, "e": True}, ["d", "e"], False),
        # A host that is no member, such as one whose join was interrupted, may go whatever the members do.
        ({"a": True, "b": False, "c": False}, ["d"], False),
    ],
)
def test_quorum(members: dict[str, bool], removed: list[str], refused: bool) -> None:
    assert (quorum_fault(members, removed) is not None) is refused


def test_the_refusal_says_why() -> None:
    reported = quorum_fault({"a": True, "b": True, "c": True}, ["c", "b"])
    assert reported is not None
    assert reported.startswith("without b and c etcd would have 1 of 3 members and needs 2: nothing was removed")


def test_health_by_member() -> None:
    members = {
        "members": [
            {"ID": 10, "name": "a", "clientURLs": ["https://192.0.2.1:2379"]},
            {"ID": 11, "name": "b", "clientURLs": ["https://192.0.2.2:2379"]},
            {"ID": 12, "name": "", "peerURLs": ["https://192.0.2.3:2380"]},
            {"ID": 13, "name": "d", "clientURLs": ["https://192.0.2.4:2379"], "isLearner": True},
        ]
    }
    health = [
        {"endpoint": "https://192.0.2.1:2379", "health": True, "took": "9ms"},
        {"endpoint": "https://192.0.2.2:2379", "health": False, "took": "5s", "error": "context deadline exceeded"},
    ]
    assert health_by_member(json.dumps(members), json.dumps(health)) == {"a": True, "b": False, "c": False}


def podman_of(answers: dict[str, str]) -> Callable[..., str]:
    """A podman on whose hosts these commands answer, by the host and the command's second word; others fail."""

    def podman(*arguments: str, check: bool = True) -> str:
        host, words = arguments[1].removeprefix("one-"), [word for word in arguments[2:] if word != "timeout"]
        answer = answers.get(f"{host} {'find' if words[0] == 'find' else words[2]}")
        if answer is None and check:
            raise RuntimeError("it is not running")
        return answer or ""

    return podman


MEMBERS = json.dumps(
    {"members": [{"ID": n, "name": f"control-plane-{n}", "clientURLs": [f"https://{n}"]} for n in (1, 2, 3)]}
)
HEALTH = json.dumps([{"endpoint": f"https://{number}", "health": True} for number in (1, 2, 3)])


@pytest.mark.parametrize(
    ("answers", "left", "refused"),
    [
        ({f"control-plane-{n} find": "" for n in (1, 2, 3)}, 1, None),  # no cluster yet
        ({}, 2, "nobody tells whether etcd has a quorum without control-plane-3"),
        (
            {"control-plane-2 find": "x", "control-plane-2 member": MEMBERS},
            2,
            "without control-plane-3 etcd would have 0",
        ),
        (
            {"control-plane-2 find": "x", "control-plane-2 member": MEMBERS, "control-plane-2 endpoint": HEALTH},
            1,
            "without control-plane-2 and control-plane-3 etcd would have 1 of 3",
        ),
        (
            {"control-plane-2 find": "x", "control-plane-2 member": MEMBERS, "control-plane-2 endpoint": HEALTH},
            2,
            None,
        ),
    ],
)
def test_members_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: dict[str, str], left: int, refused: str | None
) -> None:
    monkeypatch.setenv("LAB_NAME", "one")
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    monkeypatch.setattr("lab.hosts.podman", podman_of(answers))
    debian = Debian(tmp_path)
    made = Hosts(Settings(), debian, RootFilesystems(tmp_path, debian, print), print)
    change = resize(hosts(3, 1), {"control_plane": left, "worker": 1}, ADDRESS)
    with pytest.raises(RuntimeError, match=refused) if refused else nullcontext():
        made.keep_quorum(change)


@pytest.mark.parametrize(
    ("sizes", "answers", "refused"),
    [
        ((1, 3), {"control-plane-1 find": "/etc/kubernetes/admin.conf"}, "has 1 control plane and cannot have 3"),
        ((3, 1), {"control-plane-1 find": "", "control-plane-2 find": "x"}, "has 3 control planes and cannot have 1"),
        ((1, 3), {}, "make clean first"),  # nobody answers
        ((1, 3), {"control-plane-1 find": ""}, None),  # no cluster yet
        ((1, 1), {"control-plane-1 find": "x"}, None),
        ((3, 5), {"control-plane-1 find": "x"}, None),
        ((3, 2), {"control-plane-1 find": "x"}, None),
        ((0, 3), {}, None),
    ],
)
def test_a_cluster_keeps_its_address(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sizes: tuple[int, int],
    answers: dict[str, str],
    refused: str | None,
) -> None:
    monkeypatch.setenv("LAB_NAME", "one")
    monkeypatch.setattr("lab.hosts.podman", podman_of(answers))
    before, after = sizes
    debian = Debian(tmp_path)
    made = Hosts(Settings(), debian, RootFilesystems(tmp_path, debian, print), print)
    change = resize(hosts(before, 2) if before else [], {"control_plane": after, "worker": 2}, ADDRESS)
    with pytest.raises(RuntimeError, match=refused) if refused else nullcontext():
        made.keep_endpoint(change)


def test_workers_go_without_a_question(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("lab.hosts.podman", podman_of({}))
    debian = Debian(tmp_path)
    made = Hosts(Settings(), debian, RootFilesystems(tmp_path, debian, print), print)
    made.keep_quorum(resize(hosts(3, 1), {"control_plane": 3}, ADDRESS))


def test_only_loop_devices_of_this_lab(tmp_path: Path) -> None:
    for number, file in enumerate(("a.swap", "a.swap (deleted)", "ba.swap", "other", "a.swap.old")):
        backing = tmp_path / f"loop{number}" / "loop" / "backing_file"
        backing.parent.mkdir(parents=True)
        backing.write_text(f"/var/lib/kubelet/{file}\n")
    assert loop_devices(tmp_path, "a.swap") == ["/dev/loop0", "/dev/loop1"]
