"""The file of the lock: what it says, in which form, what is wrong with one, and how two differ."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.locked_images import FilterModule as ImageFilters
from ansible_collections.groundwork.kubernetes.plugins.filter.pinned_checksum import FilterModule as ChecksumFilters
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import (
    FILE,
    IMAGE,
    Artifact,
    Lock,
    LockError,
    drift,
    merged,
    parse,
    read,
)

ONE, TWO = "1" * 64, "2" * 64
NODES = ("control_plane", "worker")
RUNC = Artifact(FILE, "runc", "1.4.3", "amd64", "https://example.com/runc", ONE, 5, NODES)
PAUSE = Artifact(IMAGE, "r.io/pause:3", sha256=TWO, size=7, roles=NODES)
ETCD = Artifact(IMAGE, "r.io/etcd:3", sha256=ONE, roles=("control_plane",))
LOCK = Lock(("amd64",), (RUNC, ETCD, PAUSE))
pinned_checksum = ChecksumFilters().filters()["pinned_checksum"]
locked_images = ImageFilters().filters()["locked_images"]


def test_a_text_says_what_the_lock_is() -> None:
    assert parse(LOCK.text(), "lock") == LOCK
    shuffled = Lock(("amd64",), (PAUSE, Artifact(**{**vars(RUNC), "roles": NODES[::-1]}), ETCD))
    assert shuffled.text() == LOCK.text()
    entries = yaml.safe_load(LOCK.text())["artifacts"]
    assert entries[1] == {"kind": "image", "name": "r.io/etcd:3", "sha256": ONE, "roles": ["control_plane"]}
    assert LOCK.text().startswith("---\n# ")


def entry(**values: Any) -> str:
    return yaml.safe_dump({"format": 1, "architectures": ["amd64"], "artifacts": [{"kind": "file", **values}]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "lock is no YAML"),
        ("", "lock is no lock of format 1"),
        ("format: 2\n", "lock is no lock of format 1"),
        ("format: 1\n", "lock has no list of artifacts"),
        (entry(kind="program"), "artifact 1: it is no mapping with a kind of chart, file, image, manifest, package"),
        (entry(name="a", sha256=ONE, md5="x"), "artifact 1: it has md5"),
        (entry(sha256=ONE), "artifact 1: name must be text"),
        (entry(name="a", sha256=ONE, version=1.4), "artifact 1: version must be text, in quotes"),
        (entry(name="a", sha256=ONE[1:]), "artifact 1: sha256 of a is not 64 hexadecimal digits"),
        (entry(name="a", sha256=ONE, size=-1), "artifact 1: size or roles of a make no sense"),
        (entry(name="a", sha256=ONE, roles="worker"), "artifact 1: size or roles of a make no sense"),
        (Lock((), (RUNC, RUNC)).text(), "lock has file runc 1.4.3 amd64 more than once"),
    ],
)
def test_what_is_wrong_with_a_text(text: str, message: str) -> None:
    with pytest.raises(LockError) as told:
        parse(text, "lock")
    assert message in str(told.value)


def test_all_that_is_wrong_is_told() -> None:
    data = {"format": 1, "architectures": [], "artifacts": [7, {"kind": "file"}]}
    with pytest.raises(LockError, match=r"artifact 1.*\n.*artifact 2"):
        parse(yaml.safe_dump(data), "lock")


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    with pytest.raises(LockError, match=r"cannot be read: No such file or directory; make it by the playbook lock"):
        read(str(path))
    path.write_text(LOCK.text())
    assert read(str(path)) == LOCK
    path.write_text(Lock(("amd64",), ()).text())
    os.utime(path, ns=(1, 1))
    assert read(str(path)).artifacts == ()


def test_each_artifact_once_with_all_roles() -> None:
    other = Artifact(**{**vars(RUNC), "roles": ("etcd",)})
    assert merged([PAUSE, RUNC, other]) == [
        Artifact(**{**vars(RUNC), "roles": ("control_plane", "etcd", "worker")}),
        PAUSE,
    ]


def test_drift() -> None:
    moved = Artifact(**{**vars(RUNC), "sha256": TWO, "size": 6})
    assert list(drift([RUNC, PAUSE], [moved, ETCD])) == [
        f"file runc 1.4.3 amd64: sha256 {ONE} is now {TWO}; size 5 is now 6",
        "image r.io/etcd:3: is not in the lock",
        "image r.io/pause:3: no host needs it any more",
    ]
    assert list(drift([RUNC], [RUNC])) == []


def test_only_the_lock_is_believed(tmp_path: Path) -> None:
    path = str(tmp_path / "lock.txt")
    Path(path).write_text(LOCK.text())
    own = {"runc": {"1.4.3": {"amd64": TWO}}}
    assert pinned_checksum(TWO, "runc", "1.4.3", "amd64", own, lock=path) == f"sha256:{ONE}"
    for version, architecture in (("1.4.4", "amd64"), ("1.4.3", "arm64")):
        with pytest.raises(
            AnsibleFilterError, match=f"has no runc {version} for {architecture}; run the playbook lock"
        ):
            pinned_checksum(TWO, "runc", version, architecture, own, lock=path)
    with pytest.raises(AnsibleFilterError, match=r"kubernetes_lock: .*cannot be read"):
        pinned_checksum(TWO, "runc", "1.4.3", "amd64", own, lock=f"{path}.gone")


def test_images_of_a_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock.txt")
    Path(path).write_text(LOCK.text())
    assert locked_images(path) == {"r.io/etcd:3": f"sha256:{ONE}", "r.io/pause:3": f"sha256:{TWO}"}
    assert locked_images(path, "worker") == {"r.io/pause:3": f"sha256:{TWO}"}
    assert locked_images("") == {}
    with pytest.raises(AnsibleFilterError, match=r"kubernetes_lock: .*cannot be read"):
        locked_images(f"{path}.gone")
