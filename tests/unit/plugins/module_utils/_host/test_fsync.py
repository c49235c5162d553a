"""The speed of a disk, measured in a real folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import fsync


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([5.0], 0.99, 5.0), (list(range(1, 101)), 0.99, 99), (list(range(1, 101)), 0.5, 50), ([3, 1, 2], 1.0, 3)],
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    assert fsync.percentile(values, share) == expected


def test_fsync_leaves_nothing(tmp_path: Path) -> None:
    found = fsync.measure_fsync(str(tmp_path), writes=5)
    assert (found["folder"], found["writes"]) == (str(tmp_path), 5)
    assert 0 <= found["median_ms"] <= found["p99_ms"] <= found["worst_ms"]
    assert not list(tmp_path.iterdir())
