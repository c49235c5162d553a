# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a static pod's manifest says, read in the form in which kubeadm writes it: options, image, probe, port.

Hosts need not have a YAML parser for Python, and a control plane that is broken has no other reader. A manifest that
people wrote in another form of YAML reads as one that says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, List, Optional

PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
MANIFEST_IMAGE = re.compile(r"""^\s*(?:- )?image:\s+['"]?([^\s'"]+)""", re.MULTILINE)


@dataclass(frozen=True)
class Probe:
    """What the kubelet asks a container."""

    host: str
    port: int
    path: str
    secure: bool

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}{self.path}"


def flags(manifest: str) -> Dict[str, str]:
    """The options in a static pod's command, in the form in which kubeadm writes manifests."""
    found = re.findall(r"^\s*- (?:'|\")?--([\w-]+)=(.*?)(?:'|\")?\s*$", manifest, re.MULTILINE)
    return dict(found)


def manifest_image(manifest: str) -> str:
    """The image of a static pod's first container, in the form in which kubeadm writes manifests."""
    found = MANIFEST_IMAGE.search(manifest)
    return found[1] if found else ""


def probe(manifest: str) -> Optional[Probe]:
    """The first HTTP probe of a manifest that tells most: readiness before liveness; None where there is none."""
    lines = manifest.splitlines()
    for kind in PROBES:
        fields = _http_get(lines, kind)
        port = _port(fields.get("port", ""), lines)
        if port:
            path, secure = fields.get("path", "/"), fields.get("scheme", "HTTP").upper() == "HTTPS"
            return Probe(fields.get("host", "127.0.0.1"), port, path, secure)
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _http_get(lines: List[str], kind: str) -> Dict[str, str]:
    """The fields of a probe's httpGet."""
    start = next((number for number, line in enumerate(lines) if line.strip() == f"{kind}:"), None)
    if start is None:
        return {}
    fields: Dict[str, str] = {}
    inside = -1
    for line in lines[start + 1 :]:
        if _indent(line) <= _indent(lines[start]):
            break
        if line.strip() == "httpGet:":
            inside = _indent(line)
        elif inside >= 0 and _indent(line) <= inside:
            break
        elif inside >= 0:
            name, _colon, value = line.strip().partition(":")
            fields[name] = value.strip().strip("'\"")
    return fields


def _port(text: str, lines: List[str]) -> int:
    """A port's number, given as such or by its name."""
    if text.isdigit():
        return int(text)
    named = re.compile(rf"\s*(?:- )?name: ['\"]?{re.escape(text)}['\"]?\s*")
    for number, line in enumerate(lines):
        if text and named.fullmatch(line):
            near = " ".join(lines[max(0, number - 3) : number + 4])
            found = re.search(r"containerPort: (\d+)", near)
            return int(found.group(1)) if found else 0
    return 0
