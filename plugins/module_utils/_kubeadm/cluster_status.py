# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of API servers that kubeadm before 1.22 keeps in the cluster: ClusterStatus in the ConfigMap kubeadm-config.

kubeadm writes it itself, always in the same form, so it needs no parser of YAML.
"""

from __future__ import annotations

import re
from typing import List, Sequence, Tuple

LIST = "apiEndpoints:"
ENTRY = re.compile(r"^( +)(\"[^\"]+\"|'[^']+'|[^\s:'\"]+):\s*$")


def without(text: str, names: Sequence[str]) -> Tuple[str, List[str]]:
    """The text without the API servers of these nodes, and those that were in it.

    Args:
        text: what ClusterStatus holds.
        names: of nodes.
    """
    kept: List[str] = []
    removed: List[str] = []
    indent, inside, dropping = "", False, False
    for line in text.splitlines(keepends=True):
        if not line.startswith(" "):
            inside, dropping = line.strip() == LIST, False
        elif inside:
            entry = ENTRY.match(line)
            indent = indent or (entry[1] if entry else "")
            if entry and entry[1] == indent:
                name = entry[2].strip("'\"")
                dropping = name in names
                removed += [name] if dropping else []
        if not dropping:
            kept.append(line)
    return "".join(kept), removed
