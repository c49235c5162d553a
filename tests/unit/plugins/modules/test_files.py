"""The module files: what it writes, what it says in check mode, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import file_set, proofs
from ansible_collections.groundwork.kubernetes.plugins.modules import files

Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "records"
    monkeypatch.setattr(file_set, "RECORDS", str(folder))
    return folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_writes_files_with_parents_and_mode(run_module: Run, tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        result = run_module(
            files,
            files=[
                {"path": str(tmp_path / "a/b/c.conf"), "content": "text\n"},
                {"path": str(tmp_path / "key"), "content": "s", "mode": "0600"},
            ],
        )
    finally:
        os.umask(old)
    assert result["changed"] is True
    assert result["changed_paths"] == [str(tmp_path / "a/b/c.conf"), str(tmp_path / "key")]
    assert (tmp_path / "a/b/c.conf").read_text() == "text\n"
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c.conf", "key")] == [0o755, 0o755, 0o644, 0o600]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "key"]


def test_second_run_changes_nothing(run_module: Run, tmp_path: Path) -> None:
    wanted = [{"path": str(tmp_path / "f"), "content": "é\n", "mode": "0640", "owner": "root", "group": "0"}]
    assert run_module(files, files=wanted)["changed"] is True
    written = (tmp_path / "f").stat().st_mtime_ns
    assert run_module(files, files=wanted)["changed"] is False
    assert run_module(files, files=wanted, _ansible_check_mode=True)["changed"] is False
    assert (tmp_path / "f").stat().st_mtime_ns == written


def test_check_mode_writes_nothing_and_shows_the_difference(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("old\n")
    result = run_module(
        files,
        files=[
            {"path": str(tmp_path / "old"), "content": "new\n"},
            {"path": str(tmp_path / "sub/new"), "content": "new\n"},
        ],
        _ansible_check_mode=True,
        _ansible_diff=True,
    )
    assert result["changed"] is True
    assert [(diff["before"], diff["after"]) for diff in result["diff"]] == [("old\n", "new\n"), ("", "new\n")]
    assert (tmp_path / "old").read_text() == "old\n"
    assert not (tmp_path / "sub").exists()


def test_mode_alone_is_a_change(run_module: Run, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    path.chmod(0o666)
    arguments = {"files": [{"path": str(path), "content": "x", "mode": "0600"}], "_ansible_diff": True}
    result = run_module(files, **arguments, _ansible_check_mode=True)
    assert (result["changed"], mode(path)) == (True, 0o666)
    assert "mode 0666" in result["diff"][0]["before"]
    assert "mode 0600" in result["diff"][0]["after"]
    run_module(files, **arguments)
    assert mode(path) == 0o600
    assert run_module(files, **arguments)["changed"] is False


def test_owner_is_kept_where_none_is_given(run_module: Run, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("x")
    os.chown(path, 1234, 1235)
    run_module(files, files=[{"path": str(path), "content": "y"}])
    assert (path.read_text(), path.stat().st_uid, path.stat().st_gid) == ("y", 1234, 1235)


def test_link_stays_and_its_target_is_written(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    run_module(files, files=[{"path": str(tmp_path / "link"), "content": "new"}])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize(("before", "after"), [(0o600, "0600"), (0o644, "0600"), (0o600, "0644")])
def test_private_content_is_not_in_the_diff(run_module: Run, tmp_path: Path, before: int, after: str) -> None:
    path = tmp_path / "secret"
    path.write_text("hunter1")
    path.chmod(before)
    result = run_module(files, files=[{"path": str(path), "content": "hunter2", "mode": after}], _ansible_diff=True)
    assert "hunter" not in str(result["diff"])


def test_absent_removes_once(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    wanted = [{"path": str(tmp_path / "f"), "state": "absent"}]
    assert run_module(files, files=wanted, _ansible_check_mode=True)["changed"] is True
    assert (tmp_path / "f").exists()
    assert run_module(files, files=wanted)["changed"] is True
    assert not (tmp_path / "f").exists()
    assert run_module(files, files=wanted)["changed"] is False


def test_all_faults_are_told_and_nothing_is_written(run_module: Run, tmp_path: Path) -> None:
    result = run_module(
        files,
        files=[
            {"path": str(tmp_path / "good"), "content": "x"},
            {"path": "relative", "content": "x"},
            {"path": str(tmp_path), "content": "x"},
            {"path": str(tmp_path / "none")},
            {"path": str(tmp_path / "mode"), "content": "x", "mode": "rw"},
            {"path": str(tmp_path / "owner"), "content": "x", "owner": "nobody-here"},
            {"path": str(tmp_path / "good"), "content": "y"},
        ],
    )
    assert result["failed"] is True
    lines = result["msg"].splitlines()
    assert [line.rpartition(": ")[2] if "mode" not in line else "mode" for line in lines] == [
        "is no absolute path",
        "is a folder; this module writes and removes files only",
        "has no content; give content, source or state=absent, and one of them only",
        "mode",
        "the host has no user 'nobody-here'",
        "is listed twice; keep one entry",
    ]
    assert list(tmp_path.iterdir()) == []


def test_set_removes_what_is_no_longer_listed(run_module: Run, tmp_path: Path) -> None:
    def entries(*names: str) -> list[dict[str, str]]:
        return [{"path": str(tmp_path / name), "content": name} for name in names]

    (tmp_path / "foreign").write_text("x")
    run_module(files, set="s", files=entries("a", "b"))
    result = run_module(files, set="s", files=entries("b"), _ansible_check_mode=True)
    assert result["changed_paths"] == [str(tmp_path / "a")]
    assert (tmp_path / "a").exists()
    assert run_module(files, set="s", files=entries("b"))["changed_paths"] == [str(tmp_path / "a")]
    assert not (tmp_path / "a").exists()
    assert run_module(files, set="s", files=entries("b"))["changed"] is False
    assert run_module(files, set="s", files=[])["changed_paths"] == [str(tmp_path / "b")]
    assert (tmp_path / "foreign").exists()


def test_unreadable_record_removes_nothing(run_module: Run, tmp_path: Path, records: Path) -> None:
    run_module(files, set="s", files=[{"path": str(tmp_path / "a"), "content": "x"}])
    (records / "s.json").write_text("{")
    assert run_module(files, set="s", files=[])["changed"] is False
    assert (tmp_path / "a").exists()


def test_set_is_a_plain_name(run_module: Run) -> None:
    result = run_module(files, set="../s", files=[])
    assert result["failed"] is True
    assert "../s" in result["msg"]


def test_content_is_validated_before_anything_is_written(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / "old").write_text("good\n")
    wanted = [
        {"path": str(tmp_path / "first"), "content": "x"},
        {"path": str(tmp_path / "old"), "content": "bad\n", "validate": "grep -q good %s"},
        {"path": str(tmp_path / "new"), "content": "bad\n", "validate": "ls %s/below"},
    ]
    for check in (True, False):
        result = run_module(files, files=wanted, _ansible_check_mode=check)
        assert result["failed"] is True
        quiet, reported = result["msg"].splitlines()
        assert quiet == f"{tmp_path}/old: 'grep -q good %s' refuses it, so nothing was changed: exit code 1"
        assert reported.startswith(f"{tmp_path}/new: 'ls %s/below' refuses it, so nothing was changed: ")
        assert f"'{tmp_path}/new/below': Not a directory" in reported
        assert [path.name for path in tmp_path.iterdir()] == ["old"]
    wanted[1]["content"] = wanted[2]["content"] = "good, too\n"
    wanted[2]["validate"] = "grep good %s"
    assert run_module(files, files=wanted)["changed"] is True
    assert (tmp_path / "old").read_text() == "good, too\n"
    # What did not change is not asked about again.
    wanted[1]["validate"] = "false %s"
    assert run_module(files, files=wanted)["changed"] is False


def test_validation_without_its_program(run_module: Run, tmp_path: Path) -> None:
    wanted = [{"path": str(tmp_path / "f"), "content": "x", "validate": "no-such-program %s"}]
    assert run_module(files, files=wanted, _ansible_check_mode=True)["changed"] is True
    assert run_module(files, files=wanted)["msg"] == (
        f"{tmp_path}/f: cannot be checked: the host has no program no-such-program"
    )
    wanted[0]["validate"] = "true"
    assert run_module(files, files=wanted)["msg"] == f"{tmp_path}/f: validate has no %s to stand for the file"


def test_a_secret_has_its_mode_before_its_name(
    run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the hidden name it is its owner's alone; a pair takes its place when both files are written."""
    moves: list[tuple[str, int, list[str]]] = []
    real = os.rename

    def rename(source: str, target: str, **folders: int) -> None:
        moves.append((target, mode(tmp_path / source), sorted(path.name for path in tmp_path.iterdir())))
        real(source, target, **folders)

    monkeypatch.setattr(os, "rename", rename)
    pair = [
        {"path": str(tmp_path / "key"), "content": "k", "mode": "0600"},
        {"path": str(tmp_path / "crt"), "content": "c"},
    ]
    assert run_module(files, files=pair)["changed"] is True
    assert moves == [("key", 0o600, [".crt.groundwork", ".key.groundwork"]), ("crt", 0o644, [".crt.groundwork", "key"])]


def test_a_draft_that_cannot_be_written_leaves_all_as_it_was(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "file").write_text("")
    wanted = [{"path": str(tmp_path / "a"), "content": "new"}, {"path": str(tmp_path / "file/b"), "content": "new"}]
    assert run_module(files, files=wanted)["failed"] is True
    assert (tmp_path / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "file"]


@pytest.mark.parametrize("bits", ["0600", "0644"])
def test_what_lies_where_the_draft_is_written(run_module: Run, tmp_path: Path, bits: str) -> None:
    (tmp_path / "other").write_text("untouched")
    (tmp_path / ".a.groundwork").symlink_to(tmp_path / "other")
    run_module(files, files=[{"path": str(tmp_path / "a"), "content": "new", "mode": bits}])
    assert (tmp_path / "other").read_text() == "untouched"
    assert (tmp_path / "a").read_text() == "new"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_secret_is_not_written_to_a_file_of_somebody_else(run_module: Run, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("s")
    os.chown(path, 12345, 12345)
    held = path.open("r+")
    wanted = [{"path": str(path), "content": "s", "mode": "0600"}]
    assert run_module(files, files=wanted)["changed"] is True
    held.write("forged")
    held.close()
    assert (path.read_text(), path.stat().st_uid, mode(path)) == ("s", 0, 0o600)
    assert run_module(files, files=wanted)["changed"] is False


def test_a_folder(run_module: Run, tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    wanted = [
        {"path": str(folder), "state": "directory", "mode": "0700"},
        {"path": str(folder / "key"), "content": "k", "mode": "0600"},
    ]
    result = run_module(files, files=wanted, _ansible_check_mode=True, _ansible_diff=True)
    assert (result["changed_paths"], folder.exists()) == ([str(folder), str(folder / "key")], False)
    assert (result["diff"][0]["before"], "mode 0700" in result["diff"][0]["after"]) == ("absent\n", True)
    assert run_module(files, files=wanted)["changed"] is True
    assert [mode(path) for path in (tmp_path / "a", folder, folder / "key")] == [0o755, 0o700, 0o600]
    assert run_module(files, files=wanted)["changed"] is False
    folder.chmod(0o755)
    assert run_module(files, files=wanted)["changed_paths"] == [str(folder)]
    assert mode(folder) == 0o700


def test_a_file_where_a_folder_is_to_be(run_module: Run, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    result = run_module(files, files=[{"path": str(tmp_path / "a"), "state": "directory"}])
    assert result["msg"] == f"{tmp_path / 'a'}: is a file"


def test_content_of_another_file(run_module: Run, tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "to/config"
    wanted = [{"path": str(path), "source": str(source), "mode": "0600"}]
    assert "to take its content from" in run_module(files, files=wanted)["msg"]
    source.write_bytes(b"one\xff")
    assert run_module(files, files=wanted)["changed"] is True
    assert run_module(files, files=wanted)["changed"] is False
    assert (path.read_bytes(), mode(path)) == (b"one\xff", 0o600)


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path, run_module: Callable[..., dict[str, Any]]) -> None:
    entry = {"path": str(tmp_path / "theirs"), "state": "directory", "mode": "0700", "keep": True}
    assert run_module(files, files=[entry])["changed_paths"] == [entry["path"]]
    assert (tmp_path / "theirs").stat().st_mode & 0o7777 == 0o700
    (tmp_path / "theirs").chmod(0o2775)
    assert not run_module(files, files=[entry], _ansible_diff=True)["changed"]
    assert (tmp_path / "theirs").stat().st_mode & 0o7777 == 0o2775


def test_a_file_with_itself_as_content_goes_with_its_set(run_module: Run, tmp_path: Path) -> None:
    """How a role claims a file that another module has made."""
    path = tmp_path / "kubeconfig"
    path.write_text("secret")
    path.chmod(0o600)
    wanted = [{"path": str(path), "source": str(path), "mode": "0600"}]
    for _turn in range(2):
        result = run_module(files, set="example", files=wanted)
        assert result["changed_paths"] == []
    assert path.read_text() == "secret"
    assert run_module(files, set="example", files=[])["changed_paths"] == [str(path)]
    assert not path.exists()
    assert run_module(files, set="example", files=[])["changed"] is False


def proof(folder: Path, *command: str) -> list[dict[str, Any]]:
    return [{"name": "the proof", "folder": str(folder), "command": list(command)}]


@pytest.fixture
def unproven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(proofs, "RECORDS", str(tmp_path / "unproven"))
    return tmp_path / "unproven" / "one.json"


def test_a_proof_that_fails_puts_its_files_back(run_module: Run, tmp_path: Path, unproven: Path) -> None:
    folder, other = tmp_path / "d", tmp_path / "other"
    before = [
        {"path": str(folder / "kept"), "content": "a", "mode": "0600"},
        {"path": str(folder / "gone"), "content": "b"},
    ]
    assert run_module(files, files=before, set="one", proofs=proof(folder, "true"))["unproven"] == []
    after = [{"path": str(folder / "kept"), "content": "x"}, {"path": str(folder / "new"), "content": "y"}]
    result = run_module(
        files, files=[*after, {"path": str(other), "content": "z"}], set="one", proofs=proof(folder, "false")
    )
    assert result["failed"]
    names = f"{folder}/gone, {folder}/kept, {folder}/new"
    assert result["msg"] == f"the proof failed, and {names} are as before: exit code 1"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"kept": "a", "gone": "b"}
    assert (mode(folder / "kept"), other.read_text()) == (0o600, "z")


def test_a_proof_waits_for_its_program(run_module: Run, tmp_path: Path, unproven: Path) -> None:
    wanted, folder = [{"path": str(tmp_path / "d/f"), "content": "a"}], tmp_path / "d"
    for _time in range(2):
        result = run_module(files, files=wanted, set="one", proofs=proof(folder, "no-such-program"))
        assert result["unproven"] == [str(folder / "f")]
    options = {"files": [], "set": "one", "keep_others": True}
    failed = run_module(files, **options, proofs=proof(folder, "false"))
    assert failed["msg"] == "the proof failed, and nothing was changed: exit code 1"
    assert (folder / "f").exists()
    done = run_module(files, **options, proofs=proof(folder, "true"))
    assert (done["changed"], done["unproven"], unproven.exists()) == (False, [], False)
    # It is proven once.
    assert not run_module(files, files=wanted, set="one", proofs=proof(folder, "false")).get("failed")


def test_nothing_is_proven_in_check_mode(run_module: Run, tmp_path: Path, unproven: Path) -> None:
    wanted = [{"path": str(tmp_path / "d/f"), "content": "a"}]
    command = ("touch", str(tmp_path / "ran"))
    run_module(files, files=wanted, set="one", proofs=proof(tmp_path / "d", *command), _ansible_check_mode=True)
    assert list(tmp_path.iterdir()) == []


def test_others_of_a_set_stay_where_that_is_asked_for(run_module: Run, tmp_path: Path) -> None:
    first, second = ([{"path": str(tmp_path / name), "content": "x"}] for name in ("first", "second"))
    run_module(files, files=first, set="one")
    run_module(files, files=second, set="one", keep_others=True)
    assert (tmp_path / "first").exists()
    run_module(files, files=second, set="one")
    assert not (tmp_path / "first").exists()


def test_in_check_mode_a_program_that_is_replaced_validates_nothing(tmp_path: Path) -> None:
    program, path = tmp_path / "program", tmp_path / "f"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    item = {
        "path": str(path),
        "content": "x",
        "state": "present",
        "source": None,
        "mode": None,
        "owner": None,
        "group": None,
    }
    entries = file_set.plan_entries([{**item, "validate": f"{program} %s"}])

    class Module:
        tmpdir = str(tmp_path)
        check_mode = True

        @staticmethod
        def get_bin_path(name: str) -> str:
            return name

        @staticmethod
        def run_command(_command: list[str], **_options: Any) -> tuple[int, str, str]:
            return 1, "", "no"

    module: Any = Module()
    file_set.validate(module, entries, [str(program)])
    with pytest.raises(file_set.FilesError):
        file_set.validate(module, entries)
    module.check_mode = False
    with pytest.raises(file_set.FilesError):
        file_set.validate(module, entries, [str(program)])
