"""Two clusters of one name, with one folder and one bucket: real etcd, and a real S3-compatible store.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from object_store import ObjectStore
from real_etcd import BINARIES, Member, needs_etcd
from test_real_encryption import RUNNER, Keys

pytestmark = needs_etcd
UIDS = ("1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11", "2ab4c9d0-11aa-4bbb-8ccc-d0d1d2d3d4d5")
Result = dict[str, Any]


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Member]]:
    started = [Member(tmp_path_factory.mktemp("etcd"), name) for name in ("one", "two", "plain")]
    for member, uid in zip(started, [*UIDS, ""], strict=True):
        member.start()
        member.fill(100)
        if uid:
            member.identify(uid)
    yield started
    for member in started:
        member.kill()


@pytest.fixture
def target(tmp_path: Path, tools: Path, store: ObjectStore) -> str:
    lines = ["[offsite]", *(f"{name} = {value}" for name, value in store.settings.items())]
    (tmp_path / "rclone.conf").touch(0o600)
    (tmp_path / "rclone.conf").write_text("\n".join(lines) + "\n")
    bucket = f"offsite:bucket{time.monotonic_ns()}"
    rclone(tmp_path, tools, "mkdir", bucket)
    return f"{bucket}/here"


def rclone(folder: Path, tools: Path, *command: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    program = [f"{tools}/usr/bin/rclone", f"--config={folder}/rclone.conf", *command]
    return subprocess.run(program, check=True, capture_output=True, text=True, env=environment).stdout


@pytest.fixture
def backup(tmp_path: Path, tools: Path, members: list[Member], target: str) -> Callable[..., Result]:
    """Make a backup of one of the clusters; a module runs in a process of its own."""
    environment = {**os.environ, "PATH": f"{tools}/usr/bin:{os.environ['PATH']}"}

    def call(number: int, **more: Any) -> Result:
        options = {
            "bin_dir": str(BINARIES), "endpoints": [members[number].client], "directory": str(tmp_path / "backups"),
            "cluster": "kubernetes", "include": [], "copies": [target], "copy_config": str(tmp_path / "rclone.conf"),
            "host": f"cp-{number}", "metrics_file": str(tmp_path / f"{number}.prom"), **more,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", RUNNER], check=False, input=json.dumps(options), capture_output=True, text=True,
            env=environment,
        )  # fmt: skip
        result: Result = json.loads(done.stdout.strip().splitlines()[-1])
        return result

    return call


def info(folder: Path, **options: Any) -> Result:
    given = {"__module": "backup_info", "directory": str(folder), **options}
    done = subprocess.run(
        [sys.executable, "-c", RUNNER], check=True, input=json.dumps(given), capture_output=True, text=True
    )
    result: Result = json.loads(done.stdout.strip().splitlines()[-1])
    return result


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_each_keeps_its_own(
    tmp_path: Path, tools: Path, backup: Callable[..., Result], target: str, encrypted: bool
) -> None:
    if encrypted:
        keys = Keys(tmp_path, tools)
    more: Result = {"encrypt_to": keys.public} if encrypted else {}
    first = [backup(0, keep={"last": 3}, **more) for _time in range(3)]
    assert [result.get("made") for result in first] == [True] * 3, first
    before = {path.name: path.read_bytes() for path in (tmp_path / "backups").iterdir()}
    there = rclone(tmp_path, tools, "hashsum", "sha256", "--download", target)

    # One night's retention of the second, which keeps one.
    second = [backup(1, keep={"last": 1}, keep_bad=0, unless_newer=60 * number, **more) for number in range(2)]
    second.append(backup(1, keep={"last": 1}, keep_bad=0, **more))

    assert [result.get("made") for result in second] == [True, False, True], second
    after = {path.name: path.read_bytes() for path in (tmp_path / "backups").iterdir()}
    assert {name: after.get(name) for name in before} == before
    assert second[1]["reason"].startswith(f"{second[0]['path']} was proven")
    last = second[2]
    assert (last["removed"], last["kept"]) == ([second[0]["path"]], [last["path"]])
    assert sorted(last["others"]) == sorted(result["path"] for result in first)
    [copied] = last["copies"]
    assert copied["removed"] == [os.path.basename(second[0]["path"])]
    now = rclone(tmp_path, tools, "hashsum", "sha256", "--download", target)
    assert set(there.splitlines()) <= set(now.splitlines())
    own = {line.split()[-1] for line in now.splitlines()} - {line.split()[-1] for line in there.splitlines()}
    assert {name.removesuffix(".json") for name in own} == {os.path.basename(last["path"])}

    # What is told of each.
    for number, count in ((0, 3), (1, 1)):
        text = (tmp_path / f"{number}.prom").read_text()
        assert f'groundwork_backup_archives{{cluster="kubernetes"}} {count}' in text
        assert f'cluster_uid="{UIDS[number]}"' in text
        found = info(tmp_path / "backups", cluster="kubernetes", cluster_uid=UIDS[number])
        assert [item["cluster_uid"] for item in found["backups"]] == [UIDS[number]] * count
        assert all(item["valid"] for item in found["backups"])
        assert len(found["others"]) == 4 - count
        archive = found["copies"][f"kubernetes-{UIDS[number][:8]}"]["offsite"]["archive"]
        assert archive == os.path.basename(found["backups"][0]["path"])
    # The first goes on by its own rule.
    again = backup(0, keep={"last": 3}, **more)
    assert (again["removed"], len(again["kept"])) == ([first[0]["path"]], 3)
    assert again["copies"][0]["removed"] == [os.path.basename(first[0]["path"])]


def test_an_etcd_without_kubernetes_has_no_identity(
    tmp_path: Path, tools: Path, backup: Callable[..., Result], target: str
) -> None:
    first = backup(0)
    plain = [backup(2, keep={"last": 1}) for _time in range(2)]
    assert [result["manifest"]["cluster_uid"] for result in plain] == ["", ""]
    assert (plain[1]["removed"], plain[1]["others"]) == ([], [first["path"]])
    assert plain[0]["path"] in plain[1]["unidentified"]
    assert plain[1]["copies"][0]["copied"] == [os.path.basename(plain[1]["path"])]
    assert len(rclone(tmp_path, tools, "lsf", target).splitlines()) == 3

    adopted = backup(2, keep={"last": 1}, adopt_unidentified=True)
    assert adopted["removed"] == sorted(result["path"] for result in plain)
    left = {os.path.basename(result["path"]) for result in (first, adopted)}
    assert set(rclone(tmp_path, tools, "lsf", target).splitlines()) == left
