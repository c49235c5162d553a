# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The head of a timer's program: a shell script that finds a Python for the rest.

Python reads a zip file from its end and sh a script from its beginning, so one file is both. The shell is there also
when the Python that the program was installed with is not, and can say so.
"""

from __future__ import annotations

# Folders of which each Python is tried; one elsewhere has to be named.
FOLDERS = ("/usr/bin", "/usr/local/bin", "/usr/libexec")
SCRIPT = """\
#!/bin/sh
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
        if failure=$("$python" -I "$0" 2>&1 < /dev/null); then
            exec "$python" -I "$0" "$1"
        fi
        tried="$tried $python: $(echo "$failure" | tail -n 1 | cut -c -200);"
    elif [ -n "$python" ] && [ "$python" = "$2" ]; then
        tried="$tried $python: is not there;"
    fi
done
echo "<2>failed: no Python of this host can run $0. Tried:${tried:- none is there.} Install a newer python3," \\
    "or name one with the option python of groundwork.kubernetes.schedule" >&2
exit 1
"""
