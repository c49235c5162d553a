# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a schedule's program: what it was made from, and a shell script that finds a Python for the rest.

Python reads a zip file from its end and sh a script from its beginning, so one file is both. The shell is there also
when the Python that the program was installed with is not, and can say so.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Optional, Tuple

# Folders of which each Python is tried; one elsewhere has to be named.
FOLDERS = ("/usr/bin", "/usr/local/bin", "/usr/libexec")
MARK = re.compile(rb"#!/bin/sh\n# groundwork\.kubernetes ([0-9a-f]{64}) ansible-core (\d+)\.(\d+) ([0-9a-f]{64})\n")
SCRIPT = """\
# PROGRAM SETTINGS [PYTHON]: run the module. PROGRAM --age STAMP MINUTES: say if its last good run is longer ago.
name=${0##*/}
name=${name%.pyz}
if [ "$1" = --age ]; then
    good=$(cat "$2" 2> /dev/null)
    case $good in
        '' | *[!0-9]*) age=unknown ;;
        *) age=$((($(date +%s) - good) / 60)) ;;
    esac
    if [ "$age" != unknown ] && [ "$age" -le "$3" ] && [ "$age" -ge -60 ]; then exit 0; fi
    timer="$(systemctl is-enabled "$name.timer" 2>&1), $(systemctl is-active "$name.timer" 2>&1)"
    echo "<2>the last good run of $name.service is too old: minutes ago: $age, limit: $3, its timer: $timer." \\
        "See journalctl --unit=$name.service" >&2
    exit 1
fi
tried=
for python in "$2" /usr/bin/python3 /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9] \\
    /usr/local/bin/python3 /usr/local/bin/python3.[0-9] /usr/local/bin/python3.[0-9][0-9] \\
    /usr/libexec/platform-python; do
    if [ -x "$python" ]; then
        if said=$("$python" -I "$0" 2>&1 < /dev/null); then
            exec "$python" -I "$0" "$1"
        fi
        tried="$tried $python: $(echo "$said" | tail -n 1 | cut -c -200);"
    elif [ -n "$python" ] && [ "$python" = "$2" ]; then
        tried="$tried $python: is not there;"
    fi
done
echo "<2>failed: no Python of this host can run $0. Tried:${tried:- none is there.} Install a newer python3," \\
    "or name one with the option python of groundwork.kubernetes.schedule" >&2
exit 1
"""


@dataclass(frozen=True)
class Origin:
    """What a program was made from: a hash of the collection's part, and the minor version of ansible-core."""

    own: str
    core: Tuple[int, int]


def head(origin: Origin, rest: bytes) -> bytes:
    """What comes before the script and the zip file."""
    major, minor = origin.core
    digest = hashlib.sha256(rest).hexdigest()
    return f"#!/bin/sh\n# groundwork.kubernetes {origin.own} ansible-core {major}.{minor} {digest}\n".encode()


def origin_of(program: bytes) -> Optional[Origin]:
    """What a program says it was made from; None where it is none, or was changed since."""
    found = MARK.match(program)
    if not found or hashlib.sha256(program[found.end() :]).hexdigest() != found.group(4).decode():
        return None
    return Origin(found.group(1).decode(), (int(found.group(2)), int(found.group(3))))


def serves(installed: Optional[bytes], wanted: bytes) -> bool:
    """Whether a program that is installed does as well as another one.

    Patch releases of ansible-core make no difference. Of two minor ones the newer stays, so that administrators with
    different ones do not replace each other's program for ever.
    """
    if installed == wanted:
        return True
    there, new = origin_of(installed or b""), origin_of(wanted)
    return there is not None and new is not None and there.own == new.own and there.core >= new.core
