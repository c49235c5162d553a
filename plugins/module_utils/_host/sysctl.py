# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel settings: running values, the files that set them at boot, and which of those files has the last word.

Files are read as sysctl.d(5) of systemd and sysctl(8) of procps say. Paths are the host's, below a root folder.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Dict, Iterator, List, Optional, Tuple

# One key under two names: a write to either sets both (kernel: Documentation/networking/ip-sysctl.rst).
SAME_KEYS = {
    "net/ipv4/ip_forward": "net/ipv4/conf/all/forwarding",
    "net/ipv4/conf/all/forwarding": "net/ipv4/ip_forward",
}
KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_./:@-]*[A-Za-z0-9_-]")
DROP_IN_PARENTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")


class SysctlError(Exception):
    """The kernel refused a value, or to show one."""


@dataclass(frozen=True)
class Setting:
    """One line of a file: a key (which may be a pattern) and its value (None: "-key", which drops the key)."""

    path: str
    line: int
    key: str
    value: Optional[str]

    def __str__(self) -> str:
        """The place and what it says, as an administrator would write it."""
        says = f"-{dotted(self.key)}" if self.value is None else f"{dotted(self.key)} = {self.value}"
        return f"{self.path}:{self.line} ({says})"


def under(root: str, path: str) -> str:
    """An absolute path of the host below the root folder."""
    return os.path.join(root, path.lstrip("/"))


def normalize_key(key: str) -> str:
    """A key as a path below /proc/sys: net.ipv4.ip_forward and net/ipv4/ip_forward are the same.

    The first separator decides; where it is a dot, dots and slashes change places.
    """
    first = re.search(r"[./]", key)
    if first is not None and first.group() == ".":
        key = key.translate(str.maketrans("./", "/."))
    return re.sub("/+", "/", key).strip("/")


def dotted(key: str) -> str:
    """A normalized key in the form people write."""
    return key.translate(str.maketrans("./", "/."))


def normalize_value(value: str) -> str:
    """A value without the differences in white space that mean nothing (the kernel prints tabs)."""
    return " ".join(value.split())


def parse_line(line: str) -> Optional[Tuple[str, Optional[str]]]:
    """Key and value of one line, or None where it sets nothing."""
    text = line.strip()
    if not text or text[0] in "#;":
        return None
    key, equals, value = text.partition("=")
    if not equals and not key.startswith("-"):
        return None
    return normalize_key(key.lstrip("-").strip()), normalize_value(value) if equals else None


def parse_file(root: str, path: str) -> Iterator[Setting]:
    """The settings of one file; a file that is not there (a link to nothing) has none."""
    try:
        with open(under(root, path), encoding="utf-8", errors="surrogateescape", newline="\n") as stream:
            lines = stream.readlines()
    except FileNotFoundError:
        return
    for number, line in enumerate(lines, 1):
        setting = parse_line(line)
        if setting is not None:
            yield Setting(path, number, *setting)


def drop_ins(root: str, kind: str) -> List[str]:
    """The *.conf files of /etc/KIND, /run/KIND and so on, in the order they are read.

    Files are sorted by name whatever their folder; of files with one name, only the first folder's counts.
    """
    chosen: Dict[str, str] = {}
    for parent in DROP_IN_PARENTS:
        folder = f"{parent}/{kind}"
        try:
            names = os.listdir(under(root, folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            if name.endswith(".conf"):
                chosen.setdefault(name, f"{folder}/{name}")
    return [chosen[name] for name in sorted(chosen)]


def files_after(root: str, path: str) -> List[str]:
    """The files read after a file of /etc/sysctl.d, links followed, each once.

    systemd-sysctl reads /etc/sysctl.conf only where a link in sysctl.d leads to it; sysctl --system reads it last.
    """
    name = os.path.basename(path)
    later = [found for found in drop_ins(root, "sysctl.d") if os.path.basename(found) > name]
    real_root = os.path.realpath(root)
    real = [os.path.realpath(under(root, found)) for found in [*later, "/etc/sysctl.conf"]]
    return list(dict.fromkeys("/" + os.path.relpath(found, real_root) for found in real if os.path.isfile(found)))


def contradicts(setting: Setting, key: str, value: str) -> bool:
    """Whether a line that is read later changes what a key was set to.

    A pattern never does: a key that is set by its name is exempt from patterns. It does change the key's other name.
    """
    if setting.key == key:
        return setting.value != value
    other = SAME_KEYS.get(key)
    if other is None or setting.value is None:
        return False
    return setting.value != value and _matches(setting.key, other)


def _matches(pattern: str, key: str) -> bool:
    parts, names = pattern.split("/"), key.split("/")
    return len(parts) == len(names) and all(fnmatchcase(name, part) for name, part in zip(names, parts))


def conflicts(root: str, path: str, wanted: Dict[str, str]) -> List[Setting]:
    """The lines read after our file that set another value than it does."""
    return [
        setting
        for later in files_after(root, path)
        for setting in parse_file(root, later)
        if any(contradicts(setting, key, value) for key, value in wanted.items())
    ]


def comment_out(content: bytes, lines: List[int], mark: str) -> bytes:
    """A file with some lines (counted from 1) made comments that begin with a mark; its other bytes stay."""
    parts = content.split(b"\n")
    for number in lines:
        parts[number - 1] = b"# " + mark.encode() + b" " + parts[number - 1].lstrip()
    return b"\n".join(parts)


def read_value(root: str, key: str) -> Optional[str]:
    """The running value, or None where the kernel has no such key.

    Raises:
        SysctlError: where it has the key and does not show it. Some can only be written; some show nothing until set.
    """
    try:
        with open(under(root, f"/proc/sys/{key}"), encoding="utf-8", errors="surrogateescape") as stream:
            return normalize_value(stream.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError as error:
        raise SysctlError(f"sysctl: {dotted(key)} is a folder of settings: name one of them") from error
    except OSError as error:
        raise SysctlError(
            f"sysctl: {dotted(key)} cannot be read ({error.strerror}), so that its value cannot be compared: leave it "
            "out, and set it by other means if it is needed"
        ) from error


def read_fault(root: str, key: str) -> str:
    """Why the kernel does not show a key that it has, or nothing."""
    try:
        read_value(root, key)
    except SysctlError as error:
        return str(error)
    return ""


def write_values(root: str, values: Dict[str, str]) -> None:
    """Set running values; where one is refused, those set before it are put back.

    Raises:
        SysctlError: names the key, with the kernel's message.
    """
    done: Dict[str, str] = {}
    for key, value in values.items():
        try:
            before = read_value(root, key)
            _write(root, key, value)
            kept = read_value(root, key)
            if kept != value:
                raise SysctlError(f"the kernel turned {dotted(key)} = {value} into {kept}: give a value it keeps")
        except (OSError, SysctlError) as error:
            reason = (
                f"the kernel refused {dotted(key)} = {value}: {error.strerror}" if isinstance(error, OSError) else error
            )
            raise SysctlError("\n".join([str(reason), *_put_back(root, done)])) from error
        if before is not None:
            done[key] = before


def _put_back(root: str, values: Dict[str, str]) -> List[str]:
    """Set values as they were; what the kernel refuses to take back."""
    refusals = {key: _refusal(root, key, value) for key, value in values.items()}
    return [f"{dotted(key)} cannot be put back to {values[key]}: {fault}" for key, fault in refusals.items() if fault]


def _refusal(root: str, key: str, value: str) -> str:
    """Set a value; why the kernel refused, or nothing."""
    try:
        _write(root, key, value)
    except OSError as error:
        return str(error.strerror)
    return ""


def _write(root: str, key: str, value: str) -> None:
    with open(under(root, f"/proc/sys/{key}"), "w", encoding="utf-8") as stream:
        stream.write(value + "\n")


def check_keys(settings: Dict[str, object], managed: Dict[str, str]) -> List[str]:
    """What is wrong with the keys and values of a user, one message each."""
    errors: List[str] = []
    seen: Dict[str, str] = {}
    for key, value in settings.items():
        name = normalize_key(key)
        if not KEY.fullmatch(key) or ".." in key or "//" in key:
            errors.append(f"sysctl: {key!r} is no key: write a name such as vm.overcommit_memory, without patterns")
        elif name in managed or SAME_KEYS.get(name) in managed:
            errors.append(f"sysctl: {key} is what this module sets by itself: leave it out")
        elif name in seen:
            errors.append(f"sysctl: {key} and {seen[name]} are the same key: leave one out")
        if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
            errors.append(f"sysctl: the value of {key} is {value!r}: give a number or a text")
        elif "\n" in str(value):
            errors.append(f"sysctl: the value of {key} has more than one line: give one")
        seen[name] = key
    return errors
