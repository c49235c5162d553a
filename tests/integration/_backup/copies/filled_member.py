"""A member of etcd with some keys, one of which is gone, and a cluster's identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_etcd import Member

KEYS = 500
UID = "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11"


@contextmanager
def filled_member(folder: Path) -> Iterator[Member]:
    """The member, which runs until the end."""
    running = Member(folder)
    running.start()
    running.fill(KEYS)
    running.ctl("del", "/registry/pods/000001")
    running.identify(UID)
    yield running
    running.kill()
