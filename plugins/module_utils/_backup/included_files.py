# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files go into a backup, of this host and of others."""

from __future__ import annotations

import base64
import glob
import os
from typing import Dict, List, Sequence, Tuple


def collect(patterns: Sequence[str], faults: List[str]) -> List[str]:
    """The files that a list of files, folders and patterns means; links to files count as files.

    Args:
        patterns: absolute paths; only one with ``*``, ``?`` or ``[`` may match nothing.
        faults: gets a message for everything that cannot be backed up.
    """
    found: List[str] = []
    for pattern in patterns:
        if not os.path.isabs(pattern):
            faults.append(f"include: {pattern} is not an absolute path")
            continue
        paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
        for path in paths:
            found += _files_of(os.path.normpath(path), faults)
    return sorted(set(found))


def decode_files(extra: Dict[str, str], files: Sequence[str], faults: List[str]) -> List[Tuple[str, bytes]]:
    """Files that are not on this host, with their contents.

    Args:
        extra: their paths, with the contents in base64.
        files: those of the host, which go before.
        faults: gets a message for everything that cannot be backed up.
    """
    found = []
    for path, text in sorted(extra.items()):
        if not os.path.isabs(path) or os.path.normpath(path) != path:
            faults.append(f"extra_files: {path} is not an absolute path in its shortest form")
            continue
        try:
            content = base64.b64decode(text, validate=True)
        except (ValueError, TypeError):
            faults.append(f"extra_files: the content of {path} is not in base64")
            continue
        if path not in files:
            found.append((path, content))
    return found


def _files_of(path: str, faults: List[str]) -> List[str]:
    if not os.path.lexists(path):
        faults.append(f"include: {path} does not exist")
        return []
    if not os.path.isdir(path):
        if os.path.isfile(path):
            return [path]
        faults.append(f"include: {path} is neither a file nor a folder")
        return []
    found: List[str] = []
    for folder, folders, files in os.walk(path):
        for name in folders:
            inner = os.path.join(folder, name)
            if os.path.islink(inner):
                faults.append(f"include: {inner} is a link to a folder: name what it leads to instead")
        for name in files:
            found += _files_of(os.path.join(folder, name), faults)
    return found
