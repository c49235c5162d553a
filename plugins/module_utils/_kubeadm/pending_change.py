# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remembers on the disk a change of what runs that has begun, so that a later run can undo or finish it."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm

NAME = "kubeadm-attempt.json"


@dataclass
class Attempt:
    """A change that has begun and not ended.

    Attributes:
        steps: what it may have done of the steps that apply a changed configuration.
        files: what it is about to change, as it was before, by path; None where there was no such file.
    """

    steps: List[str] = field(default_factory=list)
    files: Dict[str, Optional[bytes]] = field(default_factory=dict)


def _path() -> str:
    return os.path.join(os.path.dirname(kubeadm.STAMP), NAME)


def read() -> Optional[Attempt]:
    """The change that an earlier run has begun and not ended."""
    content = read_bytes(_path())
    if content is None:
        return None
    kept = json.loads(content)
    files = {path: None if text is None else base64.b64decode(text) for path, text in kept["files"].items()}
    return Attempt(kept["steps"], files)


def begin(module: AnsibleModule, steps: List[str]) -> None:
    """Remember the steps that are about to be done, beside those of attempts that have not ended well."""
    earlier = read() or Attempt()
    _write(module, Attempt(sorted({*earlier.steps, *steps})))


def hold(module: AnsibleModule, files: Dict[str, Optional[bytes]]) -> None:
    """Remember files as they are, before they are changed; none when what they became is proven, or they are back."""
    attempt = read() or Attempt()
    attempt.files = files
    if files or attempt.steps:
        _write(module, attempt)
    else:
        end()


def end() -> None:
    """Forget the change: it has been made."""
    kubeadm.remove_files([_path()])


def _write(module: AnsibleModule, attempt: Attempt) -> None:
    files = {
        path: None if content is None else base64.b64encode(content).decode() for path, content in attempt.files.items()
    }
    kept = {"steps": attempt.steps, "files": files}
    kubeadm.write_private(module, _path(), json.dumps(kept, indent=1, sort_keys=True).encode())
