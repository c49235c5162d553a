"""Names of archives: what they say, and what is none."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    archive_name,
    list_archives,
    named_archives,
)

START = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)  # a Sunday


def test_names(tmp_path: Path) -> None:
    assert archive_name("a-b", START) == "a-b-20261122T120000Z.tar"
    names = [
        "a-20261122T120000Z.tar", "a-20261123T120000Z.tar.bad", "a-b-20261122T120000Z.tar", "a-20261322T120000Z.tar",
        "a-20261122T120000Z.tar.part", "a-20261122T120000Z.db", "a.tar", ".groundwork-draft-x",
    ]  # fmt: skip
    for name in names:
        (tmp_path / name).touch()
    found = [(os.path.basename(item.path), item.bad) for item in list_archives(str(tmp_path), "a")]
    assert found == [("a-20261123T120000Z.tar.bad", True), ("a-20261122T120000Z.tar", False)]
    assert {item.cluster for item in list_archives(str(tmp_path))} == {"a", "a-b"}
    assert list_archives(str(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("name", "cluster", "uid"),
    [
        ("a-20261122T120000Z.tar", "a", ""),
        ("a-20261122T120000Z-1f0c6a52.tar", "a", "1f0c6a52"),
        ("a-20261122T120000Z-1f0c6a52.tar.age.bad", "a", "1f0c6a52"),
        # What looks like an identity may be the end of a name.
        ("a-1f0c6a52-20261122T120000Z.tar", "a-1f0c6a52", ""),
        ("a-20261122T120000Z-1f0c6a52-20261122T120000Z.tar", "a-20261122T120000Z-1f0c6a52", ""),
    ],
)
def test_whose_a_name_says_it_is(name: str, cluster: str, uid: str) -> None:
    [item] = named_archives([f"/x/{name}"])
    assert (item.cluster, item.uid, item.time) == (cluster, uid, START)
    assert name.startswith(archive_name(cluster, START, uid and "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11"))


@pytest.mark.parametrize(
    "name", ["a-20261122T120000Z-1f0c6a5.tar", "a-20261122T120000Z-1F0C6A52.tar", "a-1f0c6a52.tar"]
)
def test_names_of_no_archive(name: str) -> None:
    assert named_archives([name]) == []
