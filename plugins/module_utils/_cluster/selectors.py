# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether labels are selected, as budgets, services, webhooks and pods select them."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Sequence

Object = Dict[str, Any]


def fulfils(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels fulfil one expression; what is not known they do not fulfil."""
    key, operator = expression["key"], expression["operator"]
    values: Sequence[str] = expression.get("values") or []
    has, value = key in labels, labels.get(key, "")
    if operator == "In":
        return has and value in values
    if operator == "NotIn":
        return not has or value not in values
    if operator in ("Exists", "DoesNotExist"):
        return has == (operator == "Exists")
    if operator in ("Gt", "Lt") and value.lstrip("-").isdigit() and len(values) == 1:
        return int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0])
    return False


def selects(selector: Optional[Object], labels: Optional[Mapping[str, str]]) -> bool:
    """Whether a label selector selects labels: none selects nothing, an empty one everything."""
    if selector is None:
        return False
    labels = labels or {}
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items()) and all(
        fulfils(expression, labels) for expression in selector.get("matchExpressions") or []
    )
