# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root's copy of the administrator's kubeconfig: which files are one of this cluster."""

from __future__ import annotations

import os
import re
from typing import List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import read_file

# What kubeadm writes anew for the same administrator of the same cluster.
RENEWED = re.compile(rb"^(\s*(?:-\s+)?)(client-certificate-data|client-key-data|server):\s*\S+\s*$", re.MULTILINE)
DROPPED = re.compile(rb"^preferences: \{\}\n", re.MULTILINE)  # not written by newer releases
AUTHORITY = b"certificate-authority-data:"
# As Ansible names the copies that it keeps.
KEPT = r"\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~"


def is_earlier(content: bytes, current: bytes) -> bool:
    """Whether a file is a kubeconfig of the administrator that this cluster gave earlier."""

    def fixed(text: bytes) -> bytes:
        return RENEWED.sub(rb"\1\2", DROPPED.sub(b"", text)).strip()

    return AUTHORITY in current and fixed(content) == fixed(current)


def leftovers(dest: str, current: bytes) -> List[str]:
    """Files that were kept beside it and are earlier kubeconfigs of this cluster."""
    folder, name = os.path.split(dest)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = [os.path.join(folder, item) for item in names if re.fullmatch(re.escape(name) + KEPT, item)]
    return [path for path in paths if not os.path.islink(path) and is_earlier(read_file(path) or b"", current)]
