# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program helm on the controller: found, asked for its version, and run without anything of its user's."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAJORS = (3, 4)
VERSION = re.compile(r"v?(\d+)\.\d+\.\d+")
TIMEOUT = 120
# Shorter ones are in many words of a message, and no secrets.
SECRET_LENGTH = 4
HIDDEN = "(hidden)"
# What Helm says of values by the chart's schema, and of the version of Kubernetes.
CERTAIN = ("values don't meet the specifications", "chart requires kubeVersion")
# What only tells how to see more.
ADVICE = "Use --debug flag"


class HelmError(Exception):
    """Helm is not there or does not render a chart; the message says why.

    certain says whether nothing but the values and the version of Kubernetes decides it.
    """

    def __init__(self, message: str, certain: bool = False) -> None:
        super().__init__(message)
        self.certain = certain


@dataclass(frozen=True)
class Target:
    """What a chart is rendered for.

    Attributes:
        name: the release's name.
        namespace: its namespace.
        kubernetes_version: of the cluster.
        api_versions: what counts as served.
        values: all that is set.
    """

    name: str
    namespace: str
    kubernetes_version: str
    api_versions: Sequence[str] = ()
    values: Mapping[str, Any] = field(default_factory=dict)


def leaves(value: Any) -> Iterator[str]:
    """The texts and numbers inside values."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from leaves(inner)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def without_values(text: str, values: Any) -> str:
    """A text in which no value shows."""
    lines = (line.strip() for leaf in leaves(values) for line in [leaf, *leaf.splitlines()])
    for secret in sorted({line for line in lines if len(line) >= SECRET_LENGTH}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def merged(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Values over values, as Helm merges its files: maps are merged, everything else is replaced."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below = result.get(key)
            if isinstance(value, Mapping) and isinstance(below, Mapping):
                result[key] = merged([below, value])
            else:
                result[key] = value
    return result


def plain_version(text: str) -> str:
    """A version as Helm takes it, with a v."""
    return text if text.startswith("v") else f"v{text}"


class Helm:
    """The program, of a version that is known."""

    def __init__(self, program: str) -> None:
        """Find it and ask for its version.

        Raises:
            HelmError: if it is not there, or is another program.
        """
        path = shutil.which(program)
        if path is None:
            raise HelmError(
                f"the controller has no program {program}, which renders charts; install Helm 3 or 4 there, from "
                "https://helm.sh"
            )
        self.path = path
        done = self._run(["version", "--template={{.Version}}"], "")
        found = VERSION.match(done.stdout.strip())
        if done.returncode or not found:
            raise HelmError(f"{path} on the controller is another program than Helm; install Helm 3 or 4")
        self.version = done.stdout.strip()
        if int(found[1]) not in MAJORS:
            raise HelmError(f"{path} on the controller is Helm {self.version}; install Helm 3 or 4")

    def template(self, archive: bytes, target: Target) -> str:
        """What Helm prints for a chart, with hooks and definitions of resources.

        Raises:
            HelmError: if Helm refuses; no value is in the message.
        """
        with tempfile.TemporaryDirectory(prefix="groundwork-chart-") as folder:
            chart = Path(folder, "chart.tgz")
            chart.write_bytes(archive)
            arguments = [
                "template",
                target.name,
                str(chart),
                f"--namespace={target.namespace}",
                f"--kube-version={plain_version(target.kubernetes_version)}",
                *(f"--api-versions={one}" for one in target.api_versions),
                "--include-crds",
                "--values=-",
            ]
            done = self._run(arguments, json.dumps(target.values), folder)
        if done.returncode:
            certain = any(text in done.stderr for text in CERTAIN)
            raise HelmError(self._said(done.stderr, target.values), certain)
        return done.stdout

    def _said(self, text: str, values: Mapping[str, Any]) -> str:
        """What Helm says is wrong, in one line, without values and without advice about its options."""
        lines = [line.strip() for line in text.splitlines()]
        kept = [line for line in lines if line and not line.startswith((ADVICE, "WARNING"))]
        message = without_values(" ".join(kept), values).removeprefix("Error: ")
        return message or "Helm failed without a word"

    def _run(self, arguments: list[str], stdin: str, folder: str = "/nonexistent") -> subprocess.CompletedProcess[str]:
        """Run it with settings of nobody, so that every controller renders the same."""
        places = {f"HELM_{name}_HOME": f"{folder}/{name.lower()}" for name in ("CACHE", "CONFIG", "DATA")}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))},
            **places,
            "HELM_PLUGINS": f"{folder}/plugins",
            "KUBECONFIG": f"{folder}/kubeconfig",
        }
        try:
            return subprocess.run(
                [self.path, *arguments],
                input=stdin, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"{self.path} did not end within {TIMEOUT} seconds") from error
        except OSError as error:
            raise HelmError(f"{self.path} on the controller cannot be run: {error.strerror}") from error
