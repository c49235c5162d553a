"""The action backup_fetch in a play of real Ansible, from this machine to itself."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONTENT = bytes(range(256)) * (17 * 4096) + b"end"  # more than one piece
SUM = hashlib.sha256(CONTENT).hexdigest()
NAME = "test-20261122T120000Z-1f0c6a52.tar"
Fetch = Callable[..., dict[str, Any]]
# Of rclone and age, as much as is asked of them; tests/integration/_backup/copies has the real ones.
RCLONE = """#!/usr/bin/env python3
import json, os, sys
flags = dict(word.split("=") for word in sys.argv[2:] if "=" in word)
folder = sys.argv[-1].partition(":")[2]
if sys.argv[1] == "lsjson":
    if not os.path.isdir(folder):
        sys.exit(3)
    print(json.dumps([{"Name": name, "Size": os.path.getsize(f"{folder}/{name}")} for name in os.listdir(folder)]))
else:
    with open(folder, "rb") as stream:
        stream.seek(int(flags["--offset"]))
        cut = int(open(flags["--config"]).read() or 0)
        sys.stdout.buffer.write(stream.read(int(flags["--count"]) - cut))
"""
AGE = """#!/bin/sh
# age --decrypt --identity FILE --output FILE FILE
cat "$6" > "$5"
test "$(cat "$3")" = right || { echo "age: error: $(cat "$3")" >&2; exit 1; }
"""


@pytest.fixture
def fetch(tmp_path: Path, play: Callable[..., Any]) -> Fetch:
    for suffix in ("", ".age"):
        (tmp_path / (NAME + suffix)).write_bytes(CONTENT)
    (tmp_path / f"{NAME}.age.json").write_text("{}")

    def run(*flags: str, **options: Any) -> dict[str, Any]:
        default = {} if "copy" in options else {"path": str(tmp_path / NAME), "sha256": SUM}
        given = {**default, "directory": str(tmp_path / "to"), **options}
        tasks = play(tmp_path, {"tasks": [{"name": "it", "groundwork.kubernetes.backup_fetch": given}]}, *flags).tasks
        result: dict[str, Any] = tasks["it"]["localhost"]
        return result

    return run


def test_an_archive_comes_whole_and_once(fetch: Fetch, tmp_path: Path) -> None:
    assert fetch("--check")["changed"]
    assert not (tmp_path / "to").exists()

    result = fetch()

    assert (result["changed"], result["dest"], result["removed"]) == (True, str(tmp_path / "to" / NAME), [])
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT
    assert (tmp_path / "to").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "to" / NAME).stat().st_mode & 0o777 == 0o600
    assert not fetch()["changed"]
    assert [path.name for path in (tmp_path / "to").iterdir()] == [NAME]


def test_the_connection_does_not_tell_what_comes_through_it(tmp_path: Path, play: Callable[..., Any]) -> None:
    (tmp_path / "bin").mkdir()
    # What ssh is asked to do is done here; all else of the connection is real.
    (tmp_path / "bin" / "ssh").write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    (tmp_path / "bin" / "ssh").chmod(0o755)
    reported = "the key of the cluster's authority"
    (tmp_path / NAME).write_text(reported)
    tasks = [
        {
            "name": "it",
            "groundwork.kubernetes.backup_fetch": {"path": str(tmp_path / NAME), "directory": f"{tmp_path}/to"},
        },
        # Others say what the connection brings, so that this test can fail.
        {"name": "another", "ansible.builtin.raw": "echo what others say"},
    ]
    host = {"ansible_connection": "ssh", "ansible_ssh_executable": str(tmp_path / "bin" / "ssh"), "ansible_host": "::1"}

    done = play(tmp_path, {"tasks": tasks}, "-vvv", inventory={"all": {"hosts": {"far": host}}})

    assert (done.rc, (tmp_path / "to" / NAME).read_text()) == (0, reported), done.output
    assert "b'what others say" in done.output
    spelt = {reported, *(base64.b64encode(reported.encode()[start:])[4:20].decode() for start in range(3))}
    assert not [text for text in spelt if text in done.output]


def test_what_somebody_laid_there_is_neither_written_to_nor_followed(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / f"{NAME}.part").symlink_to(tmp_path / "other")
    (tmp_path / "other").write_text("untouched")
    (tmp_path / "other").chmod(0o666)
    assert fetch()["changed"]
    assert (tmp_path / "other").read_text() == "untouched"
    assert (tmp_path / "to" / NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("flags", [[], ["--check"]])
def test_a_folder_in_which_others_may_write_is_refused(fetch: Fetch, tmp_path: Path, flags: list[str]) -> None:
    (tmp_path / "to").mkdir()
    (tmp_path / "to").chmod(0o777)
    assert f"others than root may write in {tmp_path}/to" in fetch(*flags)["msg"]
    assert list((tmp_path / "to").iterdir()) == []


def test_a_signature_comes_with_its_archive(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.sig").write_text("forged")
    assert fetch()["changed"]
    assert (tmp_path / "to" / f"{NAME}.sig").read_text() == "forged"
    # One that was made later comes too, and goes with another archive of that name.
    (tmp_path / f"{NAME}.sig").write_text("forged again")
    assert not fetch()["changed"]
    assert (tmp_path / "to" / f"{NAME}.sig").read_text() == "forged again"
    (tmp_path / f"{NAME}.sig").unlink()
    (tmp_path / NAME).write_bytes(b"another")
    fetch(sha256=hashlib.sha256(b"another").hexdigest())
    assert [path.name for path in (tmp_path / "to").iterdir()] == [NAME]


def test_what_is_too_large_for_a_signature(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.sig").write_bytes(b"x" * 70_000)
    assert f"{tmp_path}/{NAME}.sig has 70000 bytes, so it is no signature" in fetch()["msg"]
    assert not list(tmp_path.glob("to/*"))


def test_the_rule_holds_on_the_controller(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "to").mkdir()
    old = [f"test-2026112{day}T000000Z-1f0c6a52.tar" for day in (0, 1)]
    others = [f"test-20261101T000000Z{uid}.tar" for uid in ("", "-2ab4c9d0")] + ["other-20261101T000000Z.tar"]
    for name in [*old, *others, f"{old[0]}.age", f"{old[0]}.age.json", f"{old[0]}.sig"]:
        (tmp_path / "to" / name).touch()

    result = fetch(path=str(tmp_path / f"{NAME}.age"), keep={"last": 2})

    assert result["removed"] == [str(tmp_path / "to" / name) for name in (old[0], f"{old[0]}.age")]
    left = {old[1], *others, f"{NAME}.age", f"{NAME}.age.json"}
    assert {path.name for path in (tmp_path / "to").iterdir()} == left


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sha256": "0" * 64}, f"came with SHA-256 {SUM}, not 000"),
        ({"path": "/tmp/x.tar", "keep": {"last": 1}}, "does not have the name of an archive"),
        ({"path": "/nowhere/test-20261122T120000Z.tar"}, "failed with exit code 1"),
        ({"directory": "/proc/x"}, "directory: /proc/x: No such file"),
    ],
)
def test_what_is_refused(fetch: Fetch, tmp_path: Path, options: dict[str, Any], message: str) -> None:
    result = fetch(**options)
    assert message in result["msg"], result
    assert not list(tmp_path.glob("to/*"))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name, text in (("rclone", RCLONE), ("age", AGE)):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "rclone.conf").touch()
    return tmp_path


@pytest.fixture
def copy(programs: Path) -> dict[str, str]:
    """The options for a copy with two archives of this cluster, the newer one encrypted, and other files."""
    there = programs / "there"
    there.mkdir()
    (there / NAME.replace("22T", "21T")).write_bytes(b"old")
    (there / f"{NAME}.age").write_bytes(CONTENT)
    for name in (f"{NAME}.age.json", "test-20261123T120000Z.tar.part", "other-20261124T120000Z.tar"):
        (there / name).touch()
    return {"copy": f"remote:{there}", "copy_config": str(programs / "rclone.conf"), "cluster": "test"}


def key(folder: Path, content: str = "right", mode: int = 0o600) -> str:
    path = folder / "key.txt"
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def test_the_newest_of_a_copy_is_decrypted_here(fetch: Fetch, copy: dict[str, str], tmp_path: Path) -> None:
    options = {**copy, "identity": key(tmp_path)}
    assert fetch("--check", **options)["changed"]
    assert not (tmp_path / "to").exists()

    result = fetch(**options)

    assert result["dest"] == str(tmp_path / "to" / NAME)
    assert result["source"] == f"remote:{tmp_path}/there/{NAME}.age"
    assert result["archive"]["fault"] == "not_an_archive"
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT
    assert (tmp_path / "to" / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "to").iterdir()] == [NAME]
    (tmp_path / "there" / f"{NAME}.age.sig").write_text("forged")
    fetch(**options)
    assert (tmp_path / "to" / f"{NAME}.sig").read_text() == "forged"


THEIRS, OLD = "test-20261123T120000Z-2ab4c9d0.tar", "test-20261124T120000Z.tar"


@pytest.mark.parametrize(
    ("names", "options", "came"),
    [
        ([OLD], {}, NAME),  # one without an identity counts only if that is told
        ([OLD], {"adopt_unidentified": True}, OLD),
        ([THEIRS], {"cluster_uid": "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11"}, NAME),
        ([THEIRS], {"cluster_uid": "2ab4c9d0"}, THEIRS),
        (
            [THEIRS],
            {},
            f"archives of several clusters with the name test, {NAME}.age, {THEIRS}: name the one that is meant",
        ),
        ([], {"cluster_uid": "2ab4c9d0"}, "no archive of the cluster test with the identity 2ab4c9d0. It has other-"),
    ],
)
def test_the_newest_is_that_of_the_cluster(
    fetch: Fetch, copy: dict[str, str], names: list[str], options: dict[str, Any], came: str
) -> None:
    tmp_path = Path(copy["copy_config"]).parent
    for name in names:
        (tmp_path / "there" / name).write_bytes(b"x")
    result = fetch(**copy, **options, identity=key(tmp_path))
    assert came in (result.get("dest") or result["msg"])
    assert result.get("failed", False) is (".tar" not in came[-4:])


def test_what_carries_no_identity_is_not_overwritten_where_archives_are_kept(fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / OLD).write_bytes(CONTENT)
    (tmp_path / "to").mkdir(0o700)
    (tmp_path / "to" / OLD).write_bytes(b"another")
    options = {"path": str(tmp_path / OLD), "keep": {"last": 1}}
    assert (
        "another one. It carries no cluster's identity, so it was not overwritten"
        in fetch(**options, sha256=SUM)["msg"]
    )
    assert (tmp_path / "to" / OLD).read_bytes() == b"another"
    assert fetch(**options, sha256=SUM, adopt_unidentified=True)["changed"]


@pytest.mark.parametrize("wanted", [NAME, f"{NAME}.age", NAME.replace("22T", "21T")])
def test_one_that_is_named(fetch: Fetch, copy: dict[str, str], tmp_path: Path, wanted: str) -> None:
    result = fetch(**copy, path=wanted, identity=key(tmp_path))
    assert os.path.basename(result["dest"]) == wanted.replace(".age", "")


def test_an_encrypted_one_on_the_host(fetch: Fetch, programs: Path, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.age.json").unlink()  # its description is not needed
    result = fetch(path=str(tmp_path / f"{NAME}.age"), identity=key(tmp_path))
    assert result["dest"] == str(tmp_path / "to" / NAME), result
    assert (tmp_path / "to" / NAME).read_bytes() == CONTENT


NO_KEY = "identity: {}/key.txt: No such file or directory. It is looked for on the machine that runs Ansible"
REFUSED: dict[str, tuple[dict[str, str], list[str]]] = {
    "no key": ({"identity": ""}, ["identity: it is not set, and remote:{}/there/" + NAME + ".age is encrypted"]),
    "no such key": ({"identity": "{}/key.txt"}, [NO_KEY]),
    "a folder": ({"identity": "{}"}, ["identity: {} is not a file"]),
    "no such archive": ({"path": "x.tar"}, ["copy: remote:{}/there has no x.tar. It has other-20261124T120000Z.tar"]),
    "none of the cluster": ({"cluster": "mine"}, ["has no archive of the cluster mine. It has other-"]),
    "no folder": ({"copy": "remote:{}/nowhere"}, ["has no archive of the cluster test. It has no archives at all"]),
    "no configuration": ({"copy_config": "/nowhere"}, ["copy: there is no /nowhere on localhost, which is to read"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_copies_that_are_refused(fetch: Fetch, copy: dict[str, str], tmp_path: Path, case: str) -> None:
    options, messages = REFUSED[case]
    result = fetch(**{**copy, **{name: text.format(tmp_path) for name, text in options.items()}})
    assert len(result["faults"]) == len(messages)
    for fault, message in zip(result["faults"], messages, strict=True):
        assert message.format(tmp_path) in fault
    assert not (tmp_path / "to").exists()


def test_a_key_that_others_can_read(fetch: Fetch, copy: dict[str, str], tmp_path: Path) -> None:
    result = fetch(**copy, identity=key(tmp_path, mode=0o640))
    assert result["faults"] == [
        f"identity: {tmp_path}/key.txt can be read by others than its owner: set its mode to 0600"
    ]


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("no identity matched any of the recipients", "is encrypted for other keys"),
        ("could not read passphrase: no terminal", "cannot be decrypted with {}/key.txt: age says could not read"),
        ("failed to decrypt and authenticate payload chunk", "is truncated or damaged: age says failed to decrypt"),
    ],
)
def test_what_age_refuses_leaves_nothing(
    fetch: Fetch, copy: dict[str, str], tmp_path: Path, printed: str, message: str
) -> None:
    result = fetch(**copy, identity=key(tmp_path, printed))
    assert message.format(tmp_path) in result["msg"]
    assert list((tmp_path / "to").iterdir()) == []


def test_nothing_is_decrypted_where_others_can_look(fetch: Fetch, copy: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "to").mkdir(0o755)
    result = fetch(**copy, identity=key(tmp_path))
    assert result["faults"] == [f"directory: others can enter {tmp_path}/to: nothing is decrypted there"]


def test_a_copy_that_comes_short(fetch: Fetch, copy: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "rclone.conf").write_text("7")
    Path(f"{tmp_path}/there/{NAME}.age").write_bytes(b"x" * 64 * 1024 * 1024)
    result = fetch(**copy, identity=key(tmp_path))
    assert f"only {64 * 1024 * 1024 - 7} of {64 * 1024 * 1024} bytes came" in result["msg"]
    assert list((tmp_path / "to").iterdir()) == []
