"""Copies by rclone: what is to be done, in which commands, and what is made of the answers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    Listed,
    archive_name,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.copies import (
    Copied,
    Rclone,
    Remote,
    file_sha256,
    last_words,
    parse_listing,
    remember,
    remembered,
    to_do,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep

START = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


OWNER, OTHER = Owner("test", "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11"), "2ab4c9d0"


def archive(days: int, seal: str = "", cluster: str = "test", uid: str = OWNER.uid) -> str:
    return archive_name(cluster, START - timedelta(days=days), uid) + seal


def local(*names: str) -> list[Listed]:
    return named_archives([f"/backups/{name}" for name in names])


@pytest.mark.parametrize(
    ("here", "there", "missing", "gone"),
    [
        ([], {}, [], []),
        ([archive(0)], {}, [archive(0)], []),
        ([archive(0), archive(1)], {archive(1): 10}, [archive(0)], []),
        # What has another size there is copied again.
        ([archive(0)], {archive(0): 9}, [archive(0)], []),
        # The rule looks at both sides: only the newest two of all stay, and no more are copied.
        ([archive(0), archive(3)], {archive(1): 10, archive(2): 10}, [archive(0)], [archive(2)]),
        ([archive(5)], {archive(0): 10, archive(1): 10}, [], []),
        # Others' archives, bad ones and what is none are left alone.
        ([archive(0)], {archive(9, cluster="other"): 1, archive(8) + ".bad": 1, "notes": 1}, [archive(0)], []),
        # So are those of a cluster of the same name, and those that carry no identity.
        ([archive(0)], {archive(days, uid=uid): 9 for days in (0, 8, 9) for uid in (OTHER, "")}, [archive(0)], []),
        # An encrypted one needs its description, and each its signature.
        ([archive(0, ".age")], {archive(0, ".age"): 10, archive(0, ".age.sig"): 1}, [archive(0, ".age")], []),
        ([archive(0, ".age")], {archive(0, ".age"): 10, archive(0, ".age.json"): 1}, [archive(0, ".age")], []),
        ([archive(0, ".age")], {archive(0, f".age{end}"): 10 for end in ("", ".json", ".sig")}, [], []),
        # One that was never signed needs none.
        ([archive(1)], {archive(1): 10}, [], []),
    ],
)
def test_what_is_to_do(here: list[str], there: dict[str, int], missing: list[str], gone: list[str]) -> None:
    items = local(*here)
    sizes = {item.name: 10 for item in items}
    remote = [Remote(name, size, 0) for name, size in there.items()]
    beside = {item.name: [".json", ".sig"] if item.sealed else [] for item in items}
    found = to_do(items, sizes, remote, OWNER, Keep(last=2), companions=beside)
    assert ([item.name for item in found.missing], found.gone, found.taken) == (missing, gone, [])


def test_the_last_copy_never_goes() -> None:
    remote = [Remote(archive(days), 1, 0) for days in range(5)]
    assert to_do([], {}, remote, OWNER, Keep(), companions={}).gone == [archive(days) for days in range(1, 5)]


@pytest.mark.parametrize(("adopt", "gone", "unidentified"), [(False, [], [1, 2]), (True, [2], [])])
def test_copies_without_an_identity_are_adopted_only_if_told(
    adopt: bool, gone: list[int], unidentified: list[int]
) -> None:
    remote = [Remote(archive(days, uid=""), 10, 0) for days in (1, 2)]
    [new] = local(archive(0))
    owner = replace(OWNER, adopt=adopt)
    found = to_do([new], {new.name: 10}, remote, owner, Keep(last=2), companions={new.name: []})
    assert found.gone == [archive(days, uid="") for days in gone]
    assert found.unidentified == [archive(days, uid="") for days in unidentified]


def test_what_carries_no_identity_is_not_overwritten(
    program: Program, bring: Callable[..., Copied], tmp_path: Path
) -> None:
    name = archive(0, uid="")
    program.files = {name: "another one"}
    result = bring(name, owner=Owner("test"))
    assert f"has another {name}, which carries no cluster's identity: it was not overwritten" in result.error
    assert program.files == {name: "another one"}
    assert bring(name, owner=Owner("test", adopt=True)).copied == [name]


class Program:
    """An rclone that is played: what is at the other end, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.asked: list[list[str]] = []
        self.failing = ""
        self.about: tuple[int, str] = (1, "")

    def get_bin_path(self, name: str, opt_dirs: list[str]) -> str:
        return f"/usr/bin/{name}"

    def run_command(self, command: list[str], expand_user_and_vars: bool) -> tuple[int, str, str]:
        words = [word for word in command[1:] if not word.startswith("--")]
        self.asked.append(words)
        if words[0] == self.failing:
            return 1, "", "2026/11/22 08:00:00 ERROR : x\n2026/11/22 08:00:01 Failed to do it:\n\tno way\n"
        if words[0] == "lsjson":
            listed = [
                {"Name": name, "Size": len(text), "ModTime": "2026-01-01T00:00:00.123456789Z"}
                for name, text in self.files.items()
            ]
            return (0, json.dumps(listed), "") if self.files else (3, "[\n", "directory not found")
        if words[0] == "about":
            return (*self.about, "")
        name = words[-1].rpartition("/")[2]
        if words[0] == "copyto":
            self.files[name] = Path(words[1]).read_text()
        if words[0] == "hashsum":
            path = self.files[name]
            return 0, f"{hash_of(path)}  {name}\n", ""
        if words[0] == "moveto":
            self.files[name] = self.files.pop(words[1].rpartition("/")[2])
        if words[0] == "deletefile":
            del self.files[name]
        return 0, "", ""


def hash_of(text: str) -> str:
    import hashlib  # noqa: PLC0415

    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def program() -> Program:
    return Program()


@pytest.fixture
def bring(program: Program, tmp_path: Path) -> Callable[..., Copied]:
    def call(*names: str, keep: Keep | None = None, owner: Owner = OWNER) -> Copied:
        for name in names:
            (tmp_path / name).write_text(f"content of {name}")
        items = named_archives([str(tmp_path / name) for name in names])
        rclone = Rclone(program, "/etc/rclone.conf")  # type: ignore[arg-type]
        return rclone.bring("away:bucket/x", items, owner, keep or Keep(last=2))

    return call


def test_a_copy_is_read_back_before_it_gets_its_name(
    program: Program, bring: Callable[..., Copied], tmp_path: Path
) -> None:
    name = archive(0)
    result = bring(name)
    assert result == Copied("away", "away:bucket/x", copied=[name])
    at = f"away:bucket/x/{name}"
    assert program.asked == [
        ["lsjson", "away:bucket/x"],
        ["about", "away:bucket/x"],
        ["copyto", str(tmp_path / name), f"{at}.part"],
        ["hashsum", "sha256", f"{at}.part"],
        ["moveto", f"{at}.part", at],
    ]
    assert program.files == {name: f"content of {name}"}
    program.asked.clear()
    assert bring(name).copied == []
    assert program.asked == [["lsjson", "away:bucket/x"]]


def test_a_description_comes_before_its_archive_and_goes_after_it(
    program: Program, bring: Callable[..., Copied], tmp_path: Path
) -> None:
    for end in (".json", ".sig"):
        (tmp_path / archive(0, f".age{end}")).write_text("{}")
    ends = (".age", ".age.json", ".age.sig")
    program.files = {archive(days, suffix): "x" for days in (1, 2) for suffix in ends}
    result = bring(archive(0, ".age"))
    assert (result.copied, result.removed) == ([archive(0, ".age")], [archive(2, ".age")])
    order = [words[-1].rpartition("/")[2] for words in program.asked if words[0] in ("moveto", "deletefile")]
    there, gone = ([archive(days, end) for end in ends] for days in (0, 2))
    assert order == [*there[1:], there[0], *gone]


@pytest.mark.parametrize("step", ["lsjson", "copyto", "hashsum", "moveto", "deletefile"])
def test_nothing_is_removed_where_a_step_fails(program: Program, bring: Callable[..., Copied], step: str) -> None:
    program.files = {archive(days): "x" for days in (1, 2)}
    program.failing = step
    result = bring(archive(0))
    assert not result.ok
    assert result.error.endswith("Failed to do it: no way")
    assert result.removed == []
    assert archive(2) in program.files


def test_a_copy_that_comes_back_different(
    program: Program, bring: Callable[..., Copied], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "hash_of", lambda text: "0" * 64)
    result = bring(archive(0))
    assert "has SHA-256 000" in result.error
    assert list(program.files) == [f"{archive(0)}.part"]


def test_too_little_room_is_foreseen_where_it_is_told(program: Program, bring: Callable[..., Copied]) -> None:
    program.about = (0, json.dumps({"free": 1}))
    assert "away:bucket/x has 0.0 MiB free, but" in bring(archive(0)).error
    for answer in ("{}", "nonsense", "[]"):
        program.about = (0, answer)
        assert bring(archive(0)).ok
        program.files.clear()


def test_what_killed_runs_left_goes(program: Program, bring: Callable[..., Copied]) -> None:
    others = ["x.part", *(archive(1, **of) + ".part" for of in ({"cluster": "other"}, {"uid": OTHER}, {"uid": ""}))]
    program.files = dict.fromkeys(
        [archive(0) + ".part", archive(3, ".age.json.part"), archive(3, ".sig.part"), *others], "x"
    )
    assert bring(archive(0)).ok
    assert sorted(program.files) == sorted([archive(0), *others])


def test_only_the_configuration_file_counts(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RCLONE_DRY_RUN", "1")
    monkeypatch.setenv("AWS_PROFILE", "x")
    Rclone(program, None)  # type: ignore[arg-type]
    assert "RCLONE_DRY_RUN" not in os.environ
    assert "AWS_PROFILE" not in os.environ


def test_faults(program: Program, tmp_path: Path) -> None:
    config = tmp_path / "rclone.conf"
    assert Rclone(program, str(config)).faults() == [f"copy_config: {config} does not exist"]  # type: ignore[arg-type]
    config.touch(0o640)
    assert "set its mode to 0600" in Rclone(program, str(config)).faults()[0]  # type: ignore[arg-type]
    config.chmod(0o600)
    assert Rclone(program, str(config)).faults() == []  # type: ignore[arg-type]


def test_a_listing() -> None:
    text = (
        '[{"Name": "a", "Size": 3, "ModTime": "2026-11-22T12:00:00+01:00"}, {"Name": "b", "Size": -1, "ModTime": ""}]'
    )
    assert parse_listing(text, START.timestamp() + 5) == [Remote("a", 3, 5.0), Remote("b", -1, 0.0)]
    assert parse_listing("", 0) == []


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        ("", "no message"),
        ("plain\n", "plain"),
        ("2026/11/22 08:00:00 one\n2026/11/22 08:00:01 two:\n\tmore\n", "two: more"),
    ],
)
def test_last_words(stderr: str, words: str) -> None:
    assert last_words(stderr) == words


def test_what_came_of_copies_is_remembered(tmp_path: Path) -> None:
    path = str(tmp_path / "test.copies.json")
    assert remembered(path) == {}
    remember(path, [Copied("a", "a:x"), Copied("b", "b:y")], "one", 5)
    known = remember(path, [Copied("a", "a:x", ok=False, error="gone")], "two", 9)
    expected: dict[str, Any] = {"target": "a:x", "ok": False, "error": "gone", "archive": "one", "time": 5}
    assert known == remembered(path) == {"a": expected}
    assert os.stat(path).st_mode & 0o777 == 0o600
    Path(path).write_text("[]")
    assert remembered(path) == {}
    assert file_sha256(path) == hash_of("[]")
