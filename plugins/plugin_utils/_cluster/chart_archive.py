# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A chart's archive: what it is called, and what its templates ask of a cluster."""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import dataclass

import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError

# The largest known ones have about a megabyte.
MAX_ARCHIVE = 32 * 1024**2
MAX_MEMBER = 8 * 1024**2
ACTION = re.compile(r"{{.*?}}", re.DOTALL)
QUOTED = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|/\*.*?\*/', re.DOTALL)
LOOKUP = re.compile(r"(?<![\w.$])lookup\b")
APIS = re.compile(r"\.APIVersions\b")


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        name: of the chart.
        version: of the chart.
        lookups: templates that ask a cluster for objects.
        asks_apis: whether a template asks which APIs there are.
    """

    name: str
    version: str
    lookups: tuple[str, ...]
    asks_apis: bool

    def __str__(self) -> str:
        """As Helm names its archive."""
        return f"{self.name}-{self.version}"

    @property
    def asks(self) -> bool:
        """Whether what is rendered depends on more of the cluster than its version."""
        return self.asks_apis or bool(self.lookups)


def code(template: str) -> str:
    """What a template does, without its text, its comments and the texts that it quotes."""
    return "\n".join(QUOTED.sub("", action) for action in ACTION.findall(template))


def read_chart(data: bytes, source: str) -> Chart:
    """Read an archive.

    Raises:
        ManifestError: if it is no chart.
    """
    description: bytes | None = None
    lookups, asks = [], False
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                parts = member.name.split("/")
                if not member.isfile() or member.size > MAX_MEMBER:
                    continue
                if len(parts) == 2 and parts[1] == "Chart.yaml":
                    description = _content(archive, member)
                elif "templates" in parts[1:-1]:
                    actions = code(_content(archive, member).decode("utf-8", "replace"))
                    lookups += [member.name] if LOOKUP.search(actions) else []
                    asks = asks or bool(APIS.search(actions))
        said = yaml.safe_load(description or b"")
    except (tarfile.TarError, EOFError, OSError, yaml.YAMLError) as error:
        raise ManifestError(f"{source} is no archive of a chart: {error}; make one with helm package") from error
    if not isinstance(said, dict) or not said.get("name") or not said.get("version"):
        raise ManifestError(f"{source} is no archive of a chart: it has no Chart.yaml with a name and a version")
    return Chart(str(said["name"]), str(said["version"]), tuple(sorted(lookups)), asks)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""
