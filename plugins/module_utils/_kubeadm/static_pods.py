# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static pods of a host: their manifests, what runs of them, and whether they answer the probes of the kubelet.

The kubelet runs what lies in its folder of manifests and ends what no longer does
(https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/). So a static pod is stopped by moving its
manifest to a folder beside, and started by moving it back: the file itself is never changed.
"""

from __future__ import annotations

import http.client
import os
import ssl
from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import Probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.processes import program_of

PROC = "/proc"
PROBE_SECONDS = 5.0


class StaticPodError(Exception):
    """A static pod cannot be stopped or started; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where a static pod's manifest is, and where it is when the pod is stopped."""

    name: str
    active: str
    aside: str

    @property
    def is_active(self) -> bool:
        """Whether the kubelet sees it."""
        return os.path.exists(self.active)

    @property
    def is_aside(self) -> bool:
        """Whether it is stopped."""
        return os.path.exists(self.aside)


def places(names: Sequence[str], manifests: str, aside: str) -> List[Place]:
    """The static pods of these names that the host has, running or stopped.

    Raises:
        StaticPodError: if one of them has two manifests.
    """
    found = [Place(name, *(os.path.join(folder, f"{name}.yaml") for folder in (manifests, aside))) for name in names]
    double = [place for place in found if place.is_active and place.is_aside]
    if double:
        raise StaticPodError(
            "; ".join(f"there are both {place.active} and {place.aside}" for place in double)
            + ". Nothing was changed: keep the one that is right and remove the other"
        )
    return [place for place in found if place.is_active or place.is_aside]


def move(source: str, target: str) -> None:
    """Rename a manifest, so that it survives a power cut in one of the two places."""
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
        sync_folder(os.path.dirname(folder))
    os.rename(source, target)
    for path in (folder, os.path.dirname(source)):
        sync_folder(path)


def sync_folder(path: str) -> None:
    """Make a folder's entries survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def processes(name: str, proc: str = PROC) -> List[int]:
    """Processes of a program that run in a pod: the kubelet keeps all of its pods below a control group kubepods."""
    return sorted(int(entry) for entry in os.listdir(proc) if entry.isdigit() and _is_in_pod(name, proc, entry))


def _is_in_pod(name: str, proc: str, process: str) -> bool:
    if program_of(process, proc) != name:
        return False
    try:
        with open(os.path.join(proc, process, "cgroup"), encoding="utf-8") as stream:
            return "kubepods" in stream.read()
    except OSError:  # it has ended meanwhile
        return False


def answer(asked: Probe) -> str:
    """Why a probe fails, or nothing; certificates are not looked at, as the kubelet does not."""
    kind: Dict[str, Any] = {"timeout": PROBE_SECONDS}
    if asked.secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        kind["context"] = context
    connect = http.client.HTTPSConnection if asked.secure else http.client.HTTPConnection
    connection = connect(asked.host.strip("[]"), asked.port, **kind)
    try:
        connection.request("GET", asked.path, headers={"Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{asked} does not answer: {error or type(error).__name__}"
    finally:
        connection.close()
    return "" if 200 <= status < 400 else f"{asked} answers with HTTP status {status}"
