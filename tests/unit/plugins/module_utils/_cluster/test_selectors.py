"""What labels are selected by."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.selectors import fulfils, selects

LABELS = {"app": "web", "tier": "front", "cores": "8"}


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (expression("app", "In", "web", "api"), True),
        (expression("app", "In", "api"), False),
        (expression("none", "In", ""), False),
        (expression("app", "NotIn", "api"), True),
        (expression("none", "NotIn", "api"), True),
        (expression("app", "NotIn", "web"), False),
        (expression("app", "Exists"), True),
        (expression("none", "Exists"), False),
        (expression("none", "DoesNotExist"), True),
        (expression("app", "DoesNotExist"), False),
        (expression("cores", "Gt", "4"), True),
        (expression("cores", "Gt", "8"), False),
        (expression("cores", "Lt", "9"), True),
        (expression("app", "Gt", "4"), False),
        (expression("app", "Unheard"), False),
    ],
)
def test_an_expression(one: dict[str, Any], expected: bool) -> None:
    assert fulfils(one, LABELS) is expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [expression("tier", "Exists")]}, True),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [expression("tier", "DoesNotExist")]}, False),
    ],
)
def test_a_selector(selector: dict[str, Any] | None, expected: bool) -> None:
    assert selects(selector, LABELS) is expected


def test_what_has_no_labels_is_selected_by_an_empty_selector_only() -> None:
    assert (selects({}, None), selects({"matchLabels": {"app": "web"}}, None)) == (True, False)
