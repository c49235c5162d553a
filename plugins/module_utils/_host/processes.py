# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command is run with besides its own words, and which programs run."""

from __future__ import annotations

import os
import shutil
from typing import List

PROC = "/proc"


def low_priority() -> List[str]:
    """What a command is run with, so that it takes what others leave."""
    commands = {"nice": ["-n", "19"], "ionice": ["-c", "3"]}
    return [word for name, flags in commands.items() if shutil.which(name) for word in (name, *flags)]


def bound_to(process: int) -> List[str]:
    """What a command is run with, so that the kernel ends it with the process that starts it.

    That process may be gone before the kernel is asked; then the command is not run at all.
    """
    if not shutil.which("setpriv"):
        return []
    return ["setpriv", "--pdeathsig", "KILL", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"', str(process)]


def program_of(process: str, proc: str = PROC) -> str:
    """The name of a process's program, without its folder; empty for one that has ended, and for the kernel's own."""
    try:
        with open(os.path.join(proc, process, "cmdline"), "rb") as stream:
            return os.path.basename(stream.read(4096).split(b"\0", 1)[0].decode("utf-8", "replace"))
    except OSError:
        return ""


def runs(name: str, proc: str = PROC) -> bool:
    """Whether a program runs, in a container or outside."""
    return any(program_of(entry, proc) == name for entry in os.listdir(proc) if entry.isdigit())
