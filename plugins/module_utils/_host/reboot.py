# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host waits for a reboot, and why."""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

KERNEL = re.compile(r"^vmlinu[xz]-(?P<release>\d.*)$")
REQUIRED = "/run/reboot-required"
PACKAGES = "/run/reboot-required.pkgs"
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def release(text: str) -> Tuple[Tuple[int, ...], Tuple[str, ...]]:
    """The numbers of a kernel's release, and its kind: what remains without numbers, such as cloud and amd64."""
    parts = re.split(r"[-._+~]", text)
    numbers = tuple(int(number) for number in re.findall(r"\d+", text.partition("x86_64")[0]))
    return numbers, tuple(word for word in (re.sub(r"\d+", "", part) for part in parts) if word)


def newer_kernel(running: str, files: Sequence[str]) -> str:
    """The newest kernel of the running one's kind that is installed, if it is newer; else empty.

    Args:
        running: the release that runs.
        files: names of the files in /boot.
    """
    numbers, kind = release(running)
    found = [match["release"] for match in map(KERNEL.match, files) if match]
    newer = [one for one in found if release(one)[1] == kind and release(one)[0] > numbers]
    return max(newer, key=lambda one: release(one)[0], default="")


def reasons(required: bool, packages: str, restarting: bool, newer: str) -> List[str]:
    """Why a host waits for a reboot.

    Args:
        required: whether there is a file that says so.
        packages: what is in the file that names packages.
        restarting: whether needs-restarting says so.
        newer: a kernel that waits for it.
    """
    found: List[str] = []
    if required:
        names = ", ".join(sorted(set(packages.split())))
        found.append(f"{REQUIRED} is there" + (f" because of {names}" if names else ""))
    if restarting:
        found.append("needs-restarting says so")
    if newer:
        found.append(f"kernel {newer} is installed")
    return found
