# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files and folders of one task: what they are, what they should be, and the change of all of them together.

A set's record lists the files that were written under its name, so that those that are no longer listed can go.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shlex
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, List, Optional, Union

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, plan_file, read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import (
    Attributes,
    Draft,
    install_folder,
    install_stream,
    parse_attributes,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import remove_file, resolve, stat_file

RECORDS = "/var/lib/groundwork/files"
HIDDEN = "(not shown: not everyone may read it)\n"


class FilesError(Exception):
    """What is wrong with the entries, one fault a line."""


@dataclass(frozen=True)
class Entry:
    """One file: what it is and what it should be."""

    change: FileChange
    attributes: Attributes
    validate: Optional[str] = None

    @property
    def path(self) -> str:
        """Where it is."""
        return self.change.path

    @property
    def attributes_differ(self) -> bool:
        """Whether a file that stays has another mode or owner."""
        change = self.change
        return change.before is not None and change.after is not None and self.attributes.differ(change.path)

    @property
    def private(self) -> bool:
        """Whether not everyone may read the file, before or after the change."""
        found = stat_file(self.change.path).st_mode if self.change.before is not None else 0o777
        return not self.attributes.mode & found & 0o004

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return self.change.changed or self.attributes_differ

    def diffs(self) -> List[Dict[str, Any]]:
        """What differs, with a secret's text left out."""
        shown: List[Dict[str, Any]] = []
        if self.change.changed:
            diff = self.change.diff()
            if self.private:
                diff["before"] = HIDDEN if self.change.before else ""
                diff["after"] = f"{HIDDEN[:-1]} changed\n" if self.change.after else ""
            shown.append(diff)
        if self.attributes_differ:
            shown.append(_differ(self.path, self.attributes))
        return shown


@dataclass(frozen=True)
class Folder:
    """A folder as it should be."""

    path: str
    attributes: Attributes
    keep: bool = False

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        if os.path.isdir(self.path) and self.keep:
            return False
        return not os.path.isdir(self.path) or self.attributes.differ_from(os.stat(self.path))

    def diffs(self) -> List[Dict[str, Any]]:
        """What differs."""
        return [_differ(self.path, self.attributes)]


def _differ(path: str, attributes: Attributes) -> Dict[str, Any]:
    """The difference of a mode and owner."""
    before = Attributes(0, os.geteuid(), os.getegid())
    shown = "absent\n"
    if os.path.exists(path):
        found = os.stat(path)
        before = Attributes(found.st_mode & 0o7777, found.st_uid, found.st_gid)
        shown = _describe(before, before)
    header = f"{path} (mode and owner)"
    after = _describe(attributes, before)
    return {
        "before_header": header,
        "after_header": header,
        "before": shown,
        "after": after,
    }


def _describe(attributes: Attributes, default: Attributes) -> str:
    uid = default.uid if attributes.uid is None else attributes.uid
    gid = default.gid if attributes.gid is None else attributes.gid
    return f"mode {attributes.mode:04o} owner {uid} group {gid}\n"


def with_secrets(files: List[Dict[str, Any]], secrets: Dict[str, str]) -> List[Dict[str, Any]]:
    """The entries with the texts that the action plugin put aside."""
    texts = {int(number): base64.b64decode(text).decode("utf-8", "surrogateescape") for number, text in secrets.items()}
    return [{**item, "content": texts.get(number, item["content"])} for number, item in enumerate(files)]


def plan_entries(files: List[Dict[str, Any]]) -> List[Union[Entry, Folder]]:
    """Read what is there and compare.

    Args:
        files: the module's option of that name.

    Raises:
        FilesError: with all the faults that the entries have.
    """
    entries: List[Union[Entry, Folder]] = []
    faults: List[str] = []
    seen: List[str] = []
    for item in files:
        path = item["path"]
        try:
            if path in seen:
                raise ValueError("is listed twice; keep one entry")
            seen.append(path)
            entries.append(_plan_entry(path, item))
        except (OSError, ValueError) as error:
            faults.append(f"{path}: {error}")
    if faults:
        raise FilesError("\n".join(faults))
    return entries


def _plan_entry(path: str, item: Dict[str, Any]) -> Union[Entry, Folder]:
    if not os.path.isabs(path):
        raise ValueError("is no absolute path")
    folder = item["state"] == "directory"
    if os.path.isdir(path) != folder and os.path.exists(path):
        raise ValueError("is a file" if folder else "is a folder; this module writes and removes files only")
    if item["validate"] is not None and "%s" not in item["validate"]:
        raise ValueError("validate has no %s to stand for the file")
    attributes = parse_attributes(item["mode"] or ("0755" if folder else "0644"), item["owner"], item["group"])
    if attributes.private and attributes.uid is None:
        attributes = replace(attributes, uid=os.geteuid())
    if folder:
        return Folder(resolve(path), attributes, item["keep"])
    if item["state"] == "absent":
        return Entry(plan_file(path, None), attributes)
    after = _content(item)
    path = resolve(path)
    change = FileChange(path, None, after) if _strange(path, attributes) else plan_file(path, after)
    return Entry(change, attributes, item["validate"])


def _strange(path: str, attributes: Attributes) -> bool:
    """Whether a secret's file was put there by somebody else, who may still have it open."""
    if not attributes.private or not os.path.lexists(path):
        return False
    return os.stat(path, follow_symlinks=False).st_uid not in (0, os.geteuid(), attributes.uid)


def _content(item: Dict[str, Any]) -> bytes:
    if (item["content"] is None) == (item["source"] is None):
        raise ValueError("has no content; give content, source or state=absent, and one of them only")
    if item["content"] is not None:
        return str(item["content"]).encode("utf-8", "surrogateescape")
    found = read_bytes(item["source"])
    if found is None:
        raise ValueError(f"there is no {item['source']} to take its content from")
    return found


def validate(module: AnsibleModule, entries: List[Union[Entry, Folder]], installed: Iterable[str] = ()) -> None:
    """Let programs judge what they are going to read.

    Args:
        module: what runs them.
        entries: the files.
        installed: programs that are installed before; in check mode those of now are not the ones that will read.

    Raises:
        FilesError: with all that was refused.
    """
    ahead = set(installed) if module.check_mode else set()
    files = [entry for entry in entries if isinstance(entry, Entry) and not ahead & set((entry.validate or "").split())]
    faults = [f"{entry.path}: {fault}" for entry in files for fault in refusals(module, entry)]
    if faults:
        raise FilesError("\n".join(faults))


def refusals(module: AnsibleModule, entry: Entry) -> List[str]:
    """Why an entry's command does not accept the new content; empty where it does."""
    change = entry.change
    if entry.validate is None or change.after is None or not change.changed:
        return []
    command = shlex.split(entry.validate)
    program = module.get_bin_path(command[0])
    if program is None:
        missing = f"cannot be checked: the host has no program {command[0]}"
        return [] if module.check_mode else [missing]
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as folder:  # its owner's alone
        draft = os.path.join(folder, os.path.basename(change.path))
        with open(draft, "wb") as stream:
            stream.write(change.after)
        arguments = [argument.replace("%s", draft) for argument in command[1:]]
        rc, out, err = module.run_command([program, *arguments], expand_user_and_vars=False)
    # A program may quote what it refuses.
    reason = HIDDEN.strip() if entry.private else (err or out).strip().replace(draft, change.path)
    return [f"'{entry.validate}' refuses it, so nothing was changed: {reason or f'exit code {rc}'}"] if rc else []


class Record:
    """The list of files that were written under a set's name."""

    def __init__(self, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
            raise FilesError(f"set: {name!r} may hold letters, digits and . _ - only")
        self.path = os.path.join(RECORDS, f"{name}.json")

    def read(self) -> List[str]:
        """The files; none where nothing was recorded or the record cannot be read."""
        try:
            with open(self.path, encoding="utf-8") as stream:
                return [path for path in json.load(stream) if isinstance(path, str)]
        except (OSError, ValueError):
            return []

    def write(self, module: AnsibleModule, paths: List[str]) -> None:
        """Replace the list."""
        text = json.dumps(sorted(paths), indent=2) + "\n"
        install_stream(module, io.BytesIO(text.encode()), self.path, Attributes(0o644))


def dropped(recorded: List[str], files: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Entries that remove the recorded files that are no longer listed."""
    listed = {item["path"] for item in files}
    absent = dict.fromkeys(("content", "source", "mode", "owner", "group", "validate"))
    return [
        {**absent, "path": path, "state": "absent"}
        for path in recorded
        if path not in listed and not os.path.isdir(path)
    ]


def apply(module: AnsibleModule, entries: List[Union[Entry, Folder]]) -> None:
    """Make files and folders what they should be; the files take their places when all of them are written."""
    with ExitStack() as stack:
        drafts: Dict[str, Draft] = {}
        for entry in entries:
            if isinstance(entry, Folder):
                install_folder(module, entry.path, entry.attributes)
            elif entry.change.changed and entry.change.after is not None:
                drafts[entry.path] = stack.enter_context(draft(module, entry))
        for entry in entries:
            if isinstance(entry, Entry):
                put(entry, drafts.get(entry.path))


def draft(module: AnsibleModule, entry: Entry) -> Draft:
    """What a file is to hold, to be written beside it."""
    attributes = entry.attributes
    if entry.change.before is not None:
        found = stat_file(entry.path)
        attributes = Attributes(
            attributes.mode,
            found.st_uid if attributes.uid is None else attributes.uid,
            found.st_gid if attributes.gid is None else attributes.gid,
        )
    return Draft(module, io.BytesIO(entry.change.after or b""), entry.path, attributes)


def put(entry: Entry, written: Optional[Draft]) -> None:
    """Give one file its content, its attributes alone, or remove it."""
    if entry.change.after is None:
        remove_file(entry.path)
    elif written is None:
        entry.attributes.apply(entry.path)
    else:
        written.publish()
