"""Real parts for the copies: rclone, age and sshd of Debian's packages, and OpenStack Swift from PyPI, in the cache."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / ".build" / "collections"))
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(Path(__file__).parent))

from filled_member import filled_member  # noqa: E402
from lab.debian import Debian  # noqa: E402
from lab.settings import Settings  # noqa: E402
from object_store import PORT, ObjectStore  # noqa: E402
from real_etcd import Member  # noqa: E402
from ssh_server import SshServer  # noqa: E402

PACKAGES = ("rclone", "age", "openssh-server", "libwrap0")
SWIFT = "swift==2.38.*"


def prepared(folder: Path) -> Path:
    """A folder that is filled once and is only there when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder.with_name(f"{folder.name}.draft")


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder into which the packages are unpacked."""
    cache = Settings().cache
    folder = cache / "tools-1"
    if not folder.exists():
        draft = prepared(folder)
        shutil.rmtree(draft, ignore_errors=True)
        for package in PACKAGES:
            Debian(cache).unpack(package, "bookworm", draft)
        draft.rename(folder)
    return folder


@pytest.fixture(scope="session")
def swift() -> Path:
    """The programs of Swift."""
    folder = Settings().cache / "swift-2.38"
    if not (folder / "ready").exists():
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", SWIFT], check=True)
        (folder / "ready").touch()
    return folder / "bin"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter, as pytest's cannot."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """etcd with the data that is backed up."""
    with filled_member(tmp_path_factory.mktemp("etcd")) as running:
        yield running


@pytest.fixture(scope="module")
def store(swift: Path) -> Iterator[ObjectStore]:
    """An object store with the S3 protocol."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        running = ObjectStore(swift, Path(name), PORT)
        yield running
        running.stop()


@pytest.fixture
def ssh(tools: Path, open_folder: Path) -> Iterator[SshServer]:
    """An OpenSSH server."""
    running = SshServer(tools, open_folder, PORT + 9)
    yield running
    running.stop()
