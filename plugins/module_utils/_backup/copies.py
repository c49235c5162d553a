# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of archives elsewhere, by rclone: over ssh, in an object store, or wherever else rclone reaches.

A file gets its name at the other end only after it was read back from there and had the right SHA-256. So what has an
archive's name there is whole, and a listing is enough to know what there is, and by the beginning of the cluster's
identity in each name, whose it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import CHUNK
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_folder import BESIDE
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_names import (
    CLUSTER,
    Listed,
    named_archives,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import parse_time
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import Owner
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.retention import Keep, surplus
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import open_folder
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import mebibytes

PART = ".part"
ABANDONED = 24 * 3600  # seconds after which a part is what a killed run left
NO_FOLDER = 3  # rclone's exit code for a folder that is not there
FLAGS = ["--contimeout=15s", "--timeout=60s", "--retries=3", "--low-level-retries=3", "--ask-password=false"]


class CopyError(Exception):
    """A copy could not be made, or is not what was sent."""


@dataclass(frozen=True)
class Remote:
    """A file at the other end."""

    name: str
    size: int
    age: float


@dataclass
class Copied:
    """What came of the copies in one place."""

    name: str
    target: str
    ok: bool = True
    error: str = ""
    copied: List[str] = field(default_factory=list)
    removed: List[str] = field(default_factory=list)
    unidentified: List[str] = field(default_factory=list)


def remote_name(target: str) -> str:
    """The remote of a folder, by which people know the place."""
    return target.partition(":")[0]


def target_faults(targets: Sequence[str]) -> List[str]:
    """What is wrong with the names of places."""
    names = [remote_name(target) for target in targets]
    found = [
        f"copies: {target!r} is no remote:path"
        for target, name in zip(targets, names)
        if ":" not in target or not CLUSTER.fullmatch(name)
    ]
    return found + [f"copies: {name} is there twice" for name in sorted(set(names)) if names.count(name) > 1]


def file_sha256(path: str) -> str:
    """The hash of a file, read a chunk at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def parse_listing(text: str, now: float) -> List[Remote]:
    """The answer of ``rclone lsjson``; times have up to nine digits after the second, and any zone."""
    found = []
    for item in json.loads(text or "[]"):
        moment = item.get("ModTime", "")[:19]
        try:
            age = now - parse_time(moment, "%Y-%m-%dT%H:%M:%S").timestamp()
        except ValueError:
            age = 0.0
        found.append(Remote(item["Name"], item.get("Size", -1), age))
    return found


@dataclass(frozen=True)
class ToDo:
    """What is to be done in one place.

    Attributes:
        missing: archives on the host that are to be copied, newest first.
        gone: names of copies that no rule keeps.
        unidentified: names of archives there that carry no identity, and that are not adopted.
        taken: names of the missing ones that are there, and not known to be the cluster's.
    """

    missing: List[Listed]
    gone: List[str]
    unidentified: List[str]
    taken: List[str]


def beside(items: Sequence[Listed]) -> Dict[str, List[str]]:
    """The ends of the names of files that stand beside archives, by the archives' names."""
    return {item.name: [suffix for suffix in BESIDE if os.path.exists(item.path + suffix)] for item in items}


def to_do(
    local: Sequence[Listed],
    sizes: Dict[str, int],
    remote: Sequence[Remote],
    owner: Owner,
    keep: Keep,
    *,
    companions: Dict[str, List[str]],
) -> ToDo:
    """Which archives are to be copied, and which copies are to be removed.

    The rule that holds on the host holds for the copies: it looks at both, and what it keeps is to be there.

    Args:
        local: good archives on the host.
        sizes: of the same, by name.
        remote: what is at the other end.
        owner: whose; copies of others are left alone.
        keep: the rule.
        companions: what stands beside the archives on the host, and is to stand beside the copies.
    """
    there = {item.name: item.size for item in remote}
    named = [item for item in named_archives(there, owner.cluster) if not item.bad]
    copies = [item for item in named if owner.owns(item.uid)]
    gone = set(surplus([item.time for item in [*local, *copies]], keep))
    missing = [item for item in local if item.time not in gone and there.get(item.name) != sizes[item.name]]
    # An archive whose description or signature is not there yet is copied again.
    missing += [
        item
        for item in local
        if item.time not in gone
        and item not in missing
        and any(item.name + suffix not in there for suffix in companions[item.name])
    ]
    return ToDo(
        sorted(missing, key=lambda item: item.time, reverse=True),
        [item.path for item in copies if item.time in gone],
        [item.path for item in named if not item.uid and not owner.adopt],
        sorted(item.name for item in missing if item.name in there and not owner.owns(item.uid)),
    )


class Rclone:
    """Runs rclone on the host where the module runs."""

    def __init__(self, module: AnsibleModule, config: Optional[str]) -> None:
        self.module, self.config = module, config
        self.path = module.get_bin_path("rclone", opt_dirs=["/usr/local/bin"])
        # Only the configuration file counts: RCLONE_DRY_RUN, for example, would copy nothing.
        for name in [name for name in os.environ if name.startswith(("RCLONE_", "AWS_"))]:
            del os.environ[name]

    def faults(self) -> List[str]:
        """Why nothing can be copied."""
        found = [] if self.path else ["rclone is not installed on this host, which is to copy archives away"]
        if self.config and not os.path.isfile(self.config):
            found.append(f"copy_config: {self.config} does not exist")
        elif self.config and os.stat(self.config).st_mode & 0o077:
            found.append(f"copy_config: {self.config} can be read by others than its owner: set its mode to 0600")
        return found

    def bring(self, target: str, local: Sequence[Listed], owner: Owner, keep: Keep) -> Copied:
        """Copy what is missing in one place, then remove what the rule no longer keeps there."""
        result = Copied(remote_name(target), target)
        try:
            remote = self.listing(target)
            sizes = {item.name: os.path.getsize(item.path) for item in local}
            companions = beside(local)
            plan = to_do(local, sizes, remote, owner, keep, companions=companions)
            result.unidentified = plan.unidentified
            if plan.taken:
                raise CopyError(
                    f"{target} has another {', '.join(plan.taken)}, which carries no cluster's identity: it was not "
                    "overwritten. Give each cluster a folder of its own"
                )
            self.require_space(target, sum(sizes[item.name] for item in plan.missing))
            for item in plan.missing:
                for suffix in companions[item.name]:
                    self.put(item.path + suffix, target)
                self.put(item.path, target)
                result.copied.append(item.name)
            there = {item.name for item in remote}
            for archive in plan.gone:
                self._run("deletefile", inside(target, archive))
                result.removed.append(archive)
                for name in [archive + suffix for suffix in BESIDE if archive + suffix in there]:
                    self._run("deletefile", inside(target, name))
            for part in remote:
                if part.age > ABANDONED and _of_killed_run(part.name, owner, result.copied):
                    self._run("deletefile", inside(target, part.name))
        except CopyError as error:
            result.ok, result.error = False, str(error)
        return result

    def listing(self, target: str) -> List[Remote]:
        """The files in a folder at the other end; one that is not there yet has none."""
        rc, out, err = self._call("lsjson", "--files-only", target)
        if rc == NO_FOLDER:
            return []
        try:
            if rc == 0:
                return parse_listing(out, time.time())
        except (ValueError, KeyError, TypeError) as error:
            raise CopyError(f"the listing of {target} cannot be read: {error}") from error
        raise CopyError(f"{target} cannot be listed: rclone says {last_words(err)}")

    def require_space(self, target: str, needed: int) -> None:
        """Refuse what the other end has no room for, where it can tell; an object store cannot."""
        free = self.free(target) if needed else None
        if free is not None and free < needed:
            raise CopyError(f"{target} has {mebibytes(free)} free, but {mebibytes(needed)} are to be copied there")

    def free(self, target: str) -> Optional[int]:
        """Bytes that are free at the other end, or None where it does not tell."""
        rc, out, _err = self._call("about", "--json", target)
        try:
            found = json.loads(out).get("free") if rc == 0 else None
        except (ValueError, AttributeError):
            found = None
        return found if isinstance(found, int) else None

    def put(self, path: str, target: str) -> None:
        """Copy a file, read it back, and only then give it its name."""
        name = os.path.basename(path)
        part, wanted = inside(target, name + PART), file_sha256(path)
        self._run("copyto", "--ignore-times", path, part)
        answer = self._run("hashsum", "sha256", "--download", part).split()
        if answer[:1] != [wanted]:
            raise CopyError(
                f"{part} has SHA-256 {answer[0] if answer else 'none'}, but {wanted} was sent: the copy does not count"
            )
        self._run("moveto", part, inside(target, name))

    def _call(self, *command: str) -> Tuple[int, str, str]:
        config = [f"--config={self.config}"] if self.config else []
        answer: Tuple[int, str, str] = self.module.run_command(
            [self.path, command[0], *config, *FLAGS, *command[1:]], expand_user_and_vars=False
        )
        return answer

    def _run(self, *command: str) -> str:
        rc, out, err = self._call(*command)
        if rc:
            raise CopyError(f"rclone {' '.join(command)} failed with exit code {rc}: {last_words(err)}")
        return out


def inside(target: str, name: str) -> str:
    """A file in a folder of a remote."""
    return target + name if target.endswith(":") else f"{target.rstrip('/')}/{name}"


def _of_killed_run(name: str, owner: Owner, copied: Sequence[str]) -> bool:
    ends = "|".join(map(re.escape, BESIDE))
    archive = re.sub(rf"({ends})?{re.escape(PART)}$", "", name)
    found = [item for item in named_archives([archive], owner.cluster) if owner.owns(item.uid)]
    return name.endswith(PART) and archive not in copied and bool(found)


def last_words(stderr: str) -> str:
    """The last record that rclone writes, without its time; those before are about single attempts."""
    records = re.split(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d ", stderr, flags=re.MULTILINE)
    words = " ".join(records[-1].split())
    return words or "no message"


def copies_name(stem: str) -> str:
    """The name of the file in which is noted what came of a cluster's copies."""
    return f"{stem}.copies.json"


def remembered(path: str) -> Dict[str, Any]:
    """What is known of the copies from runs before, by their names."""
    try:
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        return {name: value for name, value in data.items() if isinstance(value, dict)}
    except (OSError, ValueError, AttributeError):
        return {}


def remember(path: str, copies: Sequence[Copied], newest: str, now: int) -> Dict[str, Any]:
    """Note what came of copies.

    Args:
        path: the file to note it in.
        copies: of this run; those of others in the file that are no longer made are dropped.
        newest: the name of the newest archive, which a good copy holds.
        now: seconds since 1970.
    """
    before = remembered(path)
    known = {}
    for copy in copies:
        last = {"archive": newest, "time": now} if copy.ok else before.get(copy.name, {})
        known[copy.name] = {
            "target": copy.target,
            "ok": copy.ok,
            "error": copy.error,
            "archive": last.get("archive", ""),
            "time": last.get("time", 0),
        }
    folder_path, name = os.path.split(path)
    with open_folder(folder_path) as folder:
        folder.write(name, lambda stream: stream.write(json.dumps(known, indent=2, sort_keys=True).encode()))
    return known
