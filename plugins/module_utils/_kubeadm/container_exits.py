# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static pods that end again and again, and what their logs say of it; read on the host, without an API server."""

from __future__ import annotations

import contextlib
import glob
import os
import re
from typing import Dict, List, Set

from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm

POD_LOGS = "/var/log/pods"
# So often something has to end by itself, with nothing of the former in its way, to be given up.
ENDED_TOO_OFTEN = 3
LOG_LINES = 5
LINE_LENGTH = 500
TAIL = 65536
# The kernel keeps so much of a process's name.
NAME_LENGTH = 15
RUNTIME_PREFIX = re.compile(r"^\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) [FP] ")
COMPLAINT = re.compile(
    r"^[EF]\d{4} |^(Error|error|panic|fatal error)\b|\blevel=(error|fatal|panic)\b|\"level\":\"(error|fatal|panic)\""
    r"|^unknown (flag|shorthand)|^invalid argument"
)


def telling(lines: List[str]) -> List[str]:
    """Of a log the last complaints; its last lines where there are none.

    A program that does not know a flag may print all that it does know after the complaint, or a trace.
    """
    shown = [RUNTIME_PREFIX.sub("", line)[:LINE_LENGTH] for line in lines]
    shown = [line for line in shown if line.strip()]
    return ([line for line in shown if COMPLAINT.search(line)] or shown)[-LOG_LINES:]


def _tail(path: str) -> List[str]:
    with open(path, "rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - TAIL))
        return stream.read().decode(errors="replace").splitlines()


class StaticPod:
    """A static pod that gets a new manifest; made before it does."""

    def __init__(self, component: str, node: str) -> None:
        """Take note of what runs now.

        Args:
            component: its name and that of its program, such as kube-apiserver.
            node: the name of the host's node.
        """
        self.logs = os.path.join(POD_LOGS, f"kube-system_{component}-{node}_*", component)
        self.program = component[:NAME_LENGTH]
        self.former = self._processes()
        self.before = self._newest()

    def hopeless(self) -> str:
        """Why there is no use in waiting for it; nothing where that is not known."""
        newest, running = self._newest(), self._processes()
        if not self.former:
            # Its processes cannot be seen, so nobody knows whether the last one has ended.
            return ""
        if running & self.former:
            # A new one may end because the former still has its port.
            self.before = newest
            return ""
        started = sum(number - self.before.get(folder, -1) for folder, number in newest.items())
        times = started - bool(running)
        return f"its container has ended {times} times" if times >= ENDED_TOO_OFTEN else ""

    def log(self) -> List[str]:
        """What the newest logs say. The very newest may belong to a container that has only just been started."""
        logs = []
        for path in glob.glob(os.path.join(self.logs, "*.log")):
            with contextlib.suppress(OSError):
                logs.append((os.path.getmtime(path), path))
        lines: List[str] = []
        for _time, path in sorted(logs)[-2:]:
            with contextlib.suppress(OSError):
                lines += _tail(path)
        return telling(lines)

    def _newest(self) -> Dict[str, int]:
        """The number of the newest log by folder: how often the kubelet has started the container again."""
        newest: Dict[str, int] = {}
        for path in glob.glob(os.path.join(self.logs, "*.log")):
            folder, name = os.path.split(path)
            number = name.partition(".")[0]
            if number.isdigit():
                newest[folder] = max(newest.get(folder, -1), int(number))
        return newest

    def _processes(self) -> Set[str]:
        found = set()
        for path in glob.glob(os.path.join(kubeadm.PROCESSES, "[0-9]*", "comm")):
            with contextlib.suppress(OSError), open(path, encoding="utf-8") as stream:
                if stream.read().strip() == self.program:
                    found.add(path)
        return found
