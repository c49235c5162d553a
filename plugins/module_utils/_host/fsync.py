# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a disk is for etcd: the time that synchronous writes take."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import time
from typing import Any, Dict, List, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def measure_fsync(folder: str, writes: int = 500, seconds: float = 3.0) -> Dict[str, Any]:
    """How long synchronous writes of 2 KiB take in a folder, as etcd writes its log: into room that was made before.

    Args:
        folder: where; the file has no name, so that nothing stays behind.
        writes: at most so many.
        seconds: at most so long.

    Returns:
        Number of writes, median, 99th percentile and worst, in milliseconds.
    """
    block, started = b"\0" * 2048, time.monotonic()
    taken: List[float] = []
    with tempfile.TemporaryFile(dir=folder, prefix=".groundwork-") as stream:
        handle = stream.fileno()
        # Where the filesystem cannot make room, etcd goes on without.
        with contextlib.suppress(OSError):
            os.posix_fallocate(handle, 0, len(block) * writes)
        while len(taken) < writes and time.monotonic() - started < seconds:
            before = time.monotonic()
            os.pwrite(handle, block, len(block) * len(taken))
            os.fdatasync(handle)
            taken.append((time.monotonic() - before) * 1000)
    return {
        "folder": folder,
        "writes": len(taken),
        "median_ms": round(percentile(taken, 0.5), 3),
        "p99_ms": round(percentile(taken, 0.99), 3),
        "worst_ms": round(max(taken), 3),
    }
