"""What a cluster keeps of a release."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import (
    Entry,
    Record,
    RecordError,
    read_record,
)


def test_there_and_back() -> None:
    record = Record(
        "shop-1", "d", True, (Entry("v1", "Service", "n", "s"), Entry("apps/v1", "Deployment", "n", "d", True))
    )
    secret = record.secret("n", "shop")
    assert secret["metadata"] == {"name": "groundwork-chart-shop", "namespace": "n"}
    assert read_record(secret) == record
    assert read_record(None) is None


@pytest.mark.parametrize("data", [None, {}, {"release": "?"}, {"release": "e30="}, {"release": "bnVsbA=="}])
def test_something_else(data: Any) -> None:
    with pytest.raises(RecordError, match="the Secret n/x is no record of a chart"):
        read_record({"metadata": {"name": "x", "namespace": "n"}, "data": data})


def test_another_version_of_an_api_is_the_same_object() -> None:
    assert Entry("policy/v1", "B", "n", "b").identity == Entry("policy/v1beta1", "B", "n", "b").identity
    assert Entry("v1", "B", "n", "b").identity != Entry("x/v1", "B", "n", "b").identity
