"""Writing as root where another account may plant links: a real account does, also while root writes."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.metrics import known_uid, write_metrics
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import apply_file, plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import (
    UnsafePathError,
    open_folder,
    read_file,
    remove_file,
    require_own,
    resolve,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_runner import write as write_state
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.labels import Labels

NOBODY = 65534
SECRET = "root's own\n"  # noqa: S105 (no password)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to act as another account")


def as_nobody(act: Callable[[], object]) -> None:
    """Do something as an account without rights, in a process of its own."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
            code = 0
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


@contextlib.contextmanager
def going_on(act: Callable[[], object]) -> Iterator[None]:
    """Let that account do something again and again meanwhile."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            while True:
                act()
        os._exit(1)
    try:
        yield
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "it could do nothing any more"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def outcome(act: Callable[[], object]) -> str:
    """What came of it."""
    try:
        act()
    except UnsafePathError:
        return "refused"
    except FileNotFoundError:
        return "missing"
    return "done"


def until_both(act: Callable[[], object]) -> None:
    """Do something until it was often refused and often done."""
    end, seen = time.monotonic() + 30, {"refused": 0, "done": 0, "missing": 0}
    while min(seen["refused"], seen["done"]) < 20:
        assert time.monotonic() < end, seen
        seen[outcome(act)] += 1


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every account can reach, with root's file in a folder of root's alone and a folder of nobody's."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(os.path.realpath(name))
        root.chmod(0o755)
        (root / "root").mkdir(0o755)
        (root / "root" / "file").write_text(SECRET)
        (root / "root" / "file").chmod(0o600)
        (root / "theirs").mkdir(0o755)
        if os.geteuid() == 0:
            os.chown(root / "theirs", NOBODY, NOBODY)
        (root / "open").mkdir()
        (root / "open").chmod(0o1777)
        yield root


def write(path: str) -> None:
    """What the module files does."""
    install_stream(Labels(), io.BytesIO(b"new\n"), resolve(path), Attributes(0o644))  # type: ignore[arg-type]


def change(path: str) -> None:
    """What other modules do with files of the host."""
    apply_file(Labels(), plan_file(path, b"new\n"))  # type: ignore[arg-type]


WRITERS = {
    "files": write,
    "change": change,
    "metrics": lambda path: write_metrics(path, "new\n"),
    "state": lambda path: write_state(path, "new\n"),
}


@needs_root
@pytest.mark.parametrize("folder", ["theirs", "open"])
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
class TestPlantedLinks:
    """Each writer, in a folder of another account's and in one like /tmp."""

    def test_in_the_place_of_the_file(self, place: Path, folder: str, writer: Callable[[str], None]) -> None:
        path, victim = place / folder / "a", place / "root" / "file"
        as_nobody(lambda: path.symlink_to(victim))
        with pytest.raises(UnsafePathError, match=f"^{re.escape(str(path))} is a link, and others"):
            writer(str(path))
        assert (victim.read_text(), victim.stat().st_mode & 0o777) == (SECRET, 0o600)

    def test_in_the_place_of_a_folder(self, place: Path, folder: str, writer: Callable[[str], None]) -> None:
        link = place / folder / "sub"
        as_nobody(lambda: link.symlink_to(place / "root"))
        with pytest.raises(UnsafePathError, match=f"^{re.escape(str(link))} is a link, and others"):
            writer(str(link / "file"))
        assert sorted(os.listdir(place / "root")) == ["file"]

    def test_in_the_place_of_the_draft(self, place: Path, folder: str, writer: Callable[[str], None]) -> None:
        path, victim = place / folder / "a", place / "root" / "file"
        as_nobody(lambda: (place / folder / ".a.groundwork").symlink_to(victim))
        writer(str(path))
        assert (path.read_text(), victim.read_text(), path.is_symlink()) == ("new\n", SECRET, False)

    def test_a_file_without_tricks(self, place: Path, folder: str, writer: Callable[[str], None]) -> None:
        writer(str(place / folder / "a"))
        writer(str(place / folder / "a"))
        assert (place / folder / "a").read_text() == "new\n"
        assert os.listdir(place / folder) == ["a"]


@needs_root
class TestRaces:
    """What is exchanged between a check and its use."""

    def exchange(self, place: Path) -> None:
        """A folder becomes a link to root's, and a folder again."""
        theirs = place / "theirs"
        (theirs / "sub").rename(theirs / "away")
        (theirs / "sub").symlink_to(place / "root")
        (theirs / "sub").unlink()
        (theirs / "away").rename(theirs / "sub")

    def test_a_folder_and_a_link(self, place: Path) -> None:
        as_nobody((place / "theirs" / "sub").mkdir)
        with going_on(lambda: self.exchange(place)):
            until_both(lambda: write_metrics(str(place / "theirs" / "sub" / "file"), "new\n"))
        assert os.listdir(place / "root") == ["file"]
        assert (place / "root" / "file").read_text() == SECRET

    def test_a_file_and_a_link(self, place: Path) -> None:
        path, victim = place / "theirs" / "file", place / "root" / "file"

        def flip() -> None:
            draft = place / "theirs" / "x"
            draft.symlink_to(victim)
            draft.rename(path)
            draft.write_text("theirs")
            draft.rename(path)

        def use() -> None:
            assert read_file(str(path)) in (b"theirs", b"")
            Attributes(0o666).apply(str(path))

        as_nobody(lambda: path.write_text("theirs"))
        with going_on(flip):
            until_both(use)
        assert victim.stat().st_mode & 0o777 == 0o600


@needs_root
class TestReading:
    """Nothing of root's is read for another account, and root does not wait for it."""

    def test_a_pipe_does_not_hold_root_up(self, place: Path) -> None:
        path = place / "theirs" / "a.prom"
        as_nobody(lambda: os.mkfifo(path))
        assert known_uid(str(path), "test") == ""
        write_metrics(str(path), "new\n")
        assert path.read_text() == "new\n"

    def test_a_second_name_of_a_file(self, place: Path) -> None:
        path = place / "theirs" / "a"
        os.link(place / "root" / "file", path)  # the kernel may let its owner alone do so: fs.protected_hardlinks
        with pytest.raises(UnsafePathError, match="second name"):
            read_file(str(path))
        with pytest.raises(UnsafePathError, match="second name"):
            Attributes(0o666).apply(str(path))

    def test_a_file_is_not_removed_through_a_link(self, place: Path) -> None:
        as_nobody(lambda: (place / "theirs" / "sub").symlink_to(place / "root"))
        with pytest.raises(UnsafePathError):
            remove_file(str(place / "theirs" / "sub" / "file"))
        assert (place / "root" / "file").exists()


class TestOwnLinks:
    """Links that only root can have made are the host's own."""

    def test_are_followed(self, place: Path) -> None:
        (place / "root" / "folder").symlink_to("../root/./")
        (place / "root" / "link").symlink_to(place / "root" / "folder" / "file")
        assert resolve(str(place / "root" / "link")) == str(place / "root" / "file")
        change(str(place / "root" / "folder" / "link"))
        assert (place / "root" / "file").read_text() == "new\n"
        assert (place / "root" / "link").is_symlink()

    def test_in_a_circle(self, place: Path) -> None:
        (place / "root" / "a").symlink_to("b")
        (place / "root" / "b").symlink_to("a")
        with pytest.raises(OSError, match="symbolic links"):
            resolve(str(place / "root" / "a"))
        with pytest.raises(OSError, match="symbolic links"):
            open_folder(str(place / "root" / "a" / "c"))

    def test_a_missing_file_is_none(self, place: Path) -> None:
        assert read_file(str(place / "root" / "no" / "file")) is None
        assert resolve(str(place / "root" / "no" / "file")) == str(place / "root" / "no" / "file")


class TestOwnFolders:
    """Where work of many steps may be done."""

    def test_folders_of_root(self, place: Path) -> None:
        require_own(str(place / "root"))
        require_own(str(place / "root" / "not" / "yet"))
        require_own(str(place / "root" / "made" / "here"), 0o700)
        assert [(place / "root" / name).stat().st_mode & 0o777 for name in ("made", "made/here")] == [0o700, 0o700]
        (place / "root" / "made").chmod(0o750)
        require_own(str(place / "root" / "made"), 0o700)
        assert (place / "root" / "made").stat().st_mode & 0o777 == 0o750

    @pytest.mark.parametrize("name", ["theirs", "theirs/sub", "theirs/missing", "open", "open/theirs", "group"])
    @needs_root
    def test_folders_of_others(self, place: Path, name: str) -> None:
        (place / "theirs" / "sub").mkdir(0o700)
        as_nobody((place / "open" / "theirs").mkdir)
        (place / "group").mkdir()
        os.chown(place / "group", 0, NOBODY)
        (place / "group").chmod(0o775)
        blamed = place / ("theirs" if name.startswith("theirs") else name)
        with pytest.raises(UnsafePathError, match=rf"^{place / name} is no safe place: .* write in {blamed}\."):
            require_own(str(place / name))

    def test_in_a_folder_like_tmp(self, place: Path) -> None:
        (place / "open" / "mine").mkdir(0o700)
        require_own(str(place / "open" / "mine"))
        require_own(str(place / "open" / "new"), 0o700)

    @needs_root
    def test_a_folder_that_another_account_made_first(self, place: Path) -> None:
        as_nobody((place / "open" / "new").mkdir)
        with pytest.raises(UnsafePathError, match="no safe place"):
            require_own(str(place / "open" / "new"), 0o700)


FULL = "its file system is full, or has no inodes left: make room"
READ_ONLY = "its file system is mounted read-only: find out why (dmesg), repair it, and mount it for writing"


class TestErrorsOfTheFileSystem:
    """They name the file that is meant, not its draft, and what to do."""

    @pytest.mark.parametrize(
        ("call", "number", "text"),
        [
            ("open", errno.EROFS, f"Read-only file system; {READ_ONLY}"),
            ("open", errno.ENOSPC, f"No space left on device; {FULL}"),
            ("fsync", errno.ENOSPC, f"No space left on device; {FULL}"),
            ("rename", errno.EIO, "Input/output error"),
        ],
    )
    def test_of_a_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, text: str
    ) -> None:
        original = getattr(os, call)

        def fail(*arguments: Any, **more: Any) -> Any:
            if call == "open" and not arguments[1] & os.O_CREAT:
                return original(*arguments, **more)
            raise OSError(number, os.strerror(number), *(arguments[:1] if call == "open" else ()))

        monkeypatch.setattr(os, call, fail)
        with open_folder(str(tmp_path)) as folder, pytest.raises(OSError, match="config") as caught:
            folder.write("config.yaml", lambda stream: stream.write(b"new"))
        assert str(caught.value) == f"[Errno {number}] {text}: '{tmp_path}/config.yaml'"
        monkeypatch.undo()
        assert list(tmp_path.iterdir()) == []

    def test_of_a_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(name: str, *_rest: Any, **_more: Any) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)

        monkeypatch.setattr(os, "mkdir", fail)
        with pytest.raises(OSError, match="read-only") as caught:
            open_folder(str(tmp_path / "a" / "b"), 0o755)
        assert caught.value.filename == str(tmp_path / "a")

    def test_what_is_not_there_is_missing_still(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            remove_file(str(tmp_path / "none"))
        assert caught.value.filename == str(tmp_path / "none")
