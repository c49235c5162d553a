"""Which versions of etcd can go on with which data."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.data_versions import version_fault


@pytest.mark.parametrize(
    ("archive", "member", "tool", "message"),
    [
        ("3.4.23", "3.4.13", "3.4.23", ""),
        ("3.4.23", "3.5.16", "3.5.30", ""),
        ("3.5.16", "3.6.8", "3.6.15", ""),
        ("3.6.8", "3.7.0", "3.6.15", ""),
        ("3.7.1", "", "3.7.1", ""),
        ("3.3.1", "3.4.1", "3.4.1", "3.4 to 3.7 can be restored"),
        ("3.8.0", "3.8.0", "3.8.0", "3.4 to 3.7 can be restored"),
        ("4.0.0", "3.7.0", "3.7.0", "3.4 to 3.7 can be restored"),
        ("3.6.0", "3.5.0", "3.5.0", "the older etcd 3.5.0 of this host cannot read"),
        ("3.4.0", "3.6.0", "3.6.0", "restore it with an etcd in between"),
        ("3.5.0", "3.5.0", "3.6.0", "the tool on this host is of 3.6.0"),
        ("", "3.5.0", "3.6.0", "cannot be compared"),
    ],
)
def test_versions(archive: str, member: str, tool: str, message: str) -> None:
    fault = version_fault(archive, member, tool)
    assert message in fault
    assert bool(fault) == bool(message)
