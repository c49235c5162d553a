# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether add-ons do their work: what their APIs and services answer, and which releases nobody names any more."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Answer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import (
    PREFIX,
    RecordError,
    read_record,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import columns, one_line

NODES = "nodes"
DETAIL = 160


@dataclass(frozen=True)
class Question:
    """What is asked of an add-on.

    Attributes:
        addon: its name.
        what: what is so if the answer is right.
        path: what is read of the API; it may lead to a service of the cluster.
        condition: that the object must have; none if empty.
        items: how many objects the list must have at least, a number or nodes; any number if empty.
        text: a regular expression that must be found in the answer; any answer if empty.
    """

    addon: str
    what: str
    path: str
    condition: str = ""
    items: str = ""
    text: str = ""

    @classmethod
    def of(cls, given: Dict[str, Any]) -> Question:
        """A question as the module takes it."""
        return cls(**{name: given.get(name) or "" for name in cls.__dataclass_fields__})

    def missing(self, answer: Answer, nodes: int) -> str:
        """What an answer lacks; empty where it is right.

        Args:
            answer: what came back.
            nodes: how many nodes are ready.
        """
        if not answer.good:
            return f"{self.path}: {answer.message}"
        if self.condition and self.condition not in _conditions(answer.body):
            return f"{self.path} is not {self.condition}: {_why(answer.body, self.condition)}"
        if self.items:
            wanted, found = nodes if self.items == NODES else int(self.items), len(answer.body.get("items") or [])
            if found < wanted:
                return f"{self.path} has {found} of {wanted}"
        if self.text and not re.search(self.text, _text(answer.body)):
            return f"{self.path} says {one_line(_text(answer.body), DETAIL) or 'nothing'}, and not {self.text}"
        return ""


def _conditions(body: Dict[str, Any]) -> List[str]:
    return [one["type"] for one in (body.get("status") or {}).get("conditions") or [] if one.get("status") == "True"]


def _why(body: Dict[str, Any], condition: str) -> str:
    found = [one for one in (body.get("status") or {}).get("conditions") or [] if one.get("type") == condition]
    return one_line(str(found[0].get("message") or found[0].get("reason") or "")) if found else "nothing says so"


def _text(body: Dict[str, Any]) -> str:
    """An answer as text; what is no JSON is the message."""
    return body["message"] if set(body) == {"message"} else json.dumps(body, ensure_ascii=False)


@dataclass(frozen=True)
class Proof:
    """What came of a question."""

    question: Question
    lacks: str


@dataclass(frozen=True)
class Installed:
    """A release of which the cluster has a record."""

    namespace: str
    name: str
    chart: str

    def __str__(self) -> str:
        """As a person names it."""
        return f"{self.namespace}/{self.name}"


def installed(secrets: Sequence[Dict[str, Any]]) -> List[Installed]:
    """The releases of a cluster, by the Secrets that record them; one that cannot be read is a release all the same."""
    found = []
    for secret in secrets:
        metadata = secret["metadata"]
        try:
            record = read_record(secret)
        except RecordError:
            record = None
        name = metadata["name"][len(PREFIX) :] if metadata["name"].startswith(PREFIX) else metadata["name"]
        found.append(Installed(metadata["namespace"], name, record.chart if record else "unknown"))
    return sorted(found, key=str)


def table(proofs: Sequence[Proof], releases: Sequence[Installed], addons: Dict[str, str]) -> str:
    """The add-ons as aligned text.

    Args:
        proofs: what came of the questions.
        releases: of the cluster.
        addons: the add-on of each release.
    """
    charts = {str(release): release.chart for release in releases}
    rows = [["ADD-ON", "RELEASE", "RESULT", "DETAIL"]]
    told = set()
    for release, addon in addons.items():
        chart = charts.get(release, "-")
        own = [] if addon in told else [proof for proof in proofs if proof.question.addon == addon]
        told.add(addon)
        for proof in own:
            detail = one_line(proof.lacks, DETAIL) or proof.question.what
            rows.append([addon, chart, "FAILED" if proof.lacks else "passed", detail])
        if not own:
            rows.append([addon, chart, "applied", ""])
    return "\n".join(columns(rows))
