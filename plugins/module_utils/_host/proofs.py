# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that show whether files do what they are for, once programs read them; those of a failure are put back."""

from __future__ import annotations

import io
import json
import os
import stat
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.file_set import FilesError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import remove_file, stat_file

RECORDS = "/var/lib/groundwork/unproven"


class Saved(NamedTuple):
    """A file as it was; no content where there was none."""

    content: Optional[bytes]
    attributes: Attributes


class Unproven:
    """The files of a set that no proof has been tried on since they were written, also by a run that was cut off."""

    def __init__(self, name: str) -> None:
        self.path = os.path.join(RECORDS, f"{name}.json")

    def read(self) -> Set[str]:
        """Their paths."""
        try:
            with open(self.path, encoding="utf-8") as stream:
                return {path for path in json.load(stream) if isinstance(path, str)}
        except (OSError, ValueError):
            return set()

    def write(self, module: AnsibleModule, paths: Set[str]) -> None:
        """Remember them; with none there is no file."""
        if paths == self.read():
            return
        if not paths:
            remove_file(self.path)
            return
        text = json.dumps(sorted(paths), indent=2) + "\n"
        install_stream(module, io.BytesIO(text.encode()), self.path, Attributes(0o644))


def below(proof: Mapping[str, Any], paths: Iterable[str]) -> Set[str]:
    """The files that a proof is for."""
    return {path for path in paths if path.startswith(proof["folder"].rstrip("/") + "/")}


def due(proofs: Sequence[Mapping[str, Any]], unproven: Set[str]) -> List[Mapping[str, Any]]:
    """The proofs that have files which were never proven."""
    return [proof for proof in proofs if below(proof, unproven)]


def save(paths: Iterable[str]) -> Dict[str, Saved]:
    """Files as they are."""
    found: Dict[str, Saved] = {}
    for path in paths:
        content = read_bytes(path)
        attributes = Attributes(0o600)
        if content is not None:
            status = stat_file(path)
            attributes = Attributes(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        found[path] = Saved(content, attributes)
    return found


def prove(
    module: AnsibleModule, proofs: Sequence[Mapping[str, Any]], saved: Mapping[str, Saved], unproven: Set[str]
) -> Set[str]:
    """Run the commands; gives the files of those that the host has no program for.

    Args:
        module: what runs them.
        proofs: those that are due.
        saved: the files that were written now, as they were.
        unproven: files that no proof has been tried on.

    Raises:
        FilesError: with all that failed; the files of these are as they were.
    """
    left: Set[str] = set()
    faults: List[str] = []
    for proof in proofs:
        program = module.get_bin_path(proof["command"][0], opt_dirs=["/usr/local/bin"])
        if program is None:
            left |= below(proof, unproven)
            continue
        rc, out, err = module.run_command([program, *proof["command"][1:]], expand_user_and_vars=False)
        if rc:
            back = sorted(below(proof, saved))
            for path in back:
                put_back(module, path, saved[path])
            ending = (
                f"{', '.join(back)} {'is' if len(back) == 1 else 'are'} as before" if back else "nothing was changed"
            )
            faults.append(f"{proof['name']} failed, and {ending}: {(err or out).strip() or f'exit code {rc}'}")
    if faults:
        raise FilesError("\n".join(faults))
    return left


def put_back(module: AnsibleModule, path: str, was: Saved) -> None:
    """Make a file what it was."""
    if was.content is None:
        remove_file(path)
    else:
        install_stream(module, io.BytesIO(was.content), path, was.attributes)
