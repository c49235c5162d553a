"""Which versions of a chart may follow each other."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.charts import skipped_minors


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("cert-manager-1.19.2", "cert-manager-1.20.0", ""),
        ("cert-manager-v1.19.2", "cert-manager-1.19.5", ""),
        ("gateway-api-1.6.1", "gateway-api-0a1b2c3d4e5f", ""),
        (
            "cert-manager-1.18.2",
            "cert-manager-1.21.1",
            "cert-manager-1.18.2 is installed, and it is upgraded by one minor version at a time, not to "
            "cert-manager-1.21.1: try 1.19 first",
        ),
        ("a-1.9.0", "a-2.0.0", ""),
        ("a-1.9.1", "a-1.8.9", "a-1.9.1 is installed, and it does not go back to a-1.8.9"),
    ],
)
def test_minors(before: str, after: str, expected: str) -> None:
    assert skipped_minors(before, after) == expected
