"""Whose an object is."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.ownership import marked, not_own

HELM = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "n"}


def item(annotations: dict[str, str] | None, kind: str = "Service") -> dict[str, Any]:
    metadata = {"name": "s", "namespace": "n", "annotations": annotations}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, ""),
        (item({"groundwork.kubernetes/owner": "n/shop"}), ""),
        (item({"groundwork.kubernetes/owner": "n/shop", **HELM}), ""),
        (item({"groundwork.kubernetes/owner": "n/other"}), "Service n/s is of n/other"),
        (item(HELM), "Service n/s is of the release n/shop of Helm"),
        (item(None), "Service n/s was made by something else"),
        (item(None, "Namespace"), ""),
    ],
)
def test_whose_it_is(found: dict[str, Any] | None, expected: str) -> None:
    assert not_own(found, "n/shop") == expected


def test_marks() -> None:
    assert marked(item({"a": "b"}), "n/shop")["metadata"]["annotations"] == {
        "a": "b",
        "groundwork.kubernetes/owner": "n/shop",
    }
    assert marked(item(None, "Namespace"), "n/shop") == item(None, "Namespace")
