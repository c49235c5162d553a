# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host is judged by the items of the CIS Kubernetes Benchmark, and what of them was promised.

What runs and what was asked for are judged by the same rules. An item is promised where what the variables say fulfils
it, and one that holds by itself (DEFAULT) where they do not say otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

# Parts of a cluster that a host may have.
CONTROL_PLANE, ETCD, NODE = "control_plane", "etcd", "node"
PARTS = (CONTROL_PLANE, ETCD, NODE)
# Why an item holds: in every cluster, by the profile, by a variable that the profile leaves alone, or not at all.
DEFAULT, PROFILE, CHOICE, NO = "default", "profile", "choice", "no"
# What was found: NONE where the host has nothing that the item is about.
PASSED, FAILED, ABSENT, NONE, UNKNOWN = "passed", "failed", "absent", "none", "unknown"
TRUE, FALSE = ("1", "t", "true"), ("0", "f", "false")
# An address that only the host itself reaches, with a port or without; kube-proxy takes it where none is given.
LOOPBACK = re.compile(r"((127\.0\.0\.1|localhost|\[::1\])(:\d+)?|::1)?")

Test = Tuple[str, Callable[[str], bool]]


@dataclass(frozen=True)
class File:
    """A file or folder as it is on a host."""

    path: str
    mode: int
    owner: str


@dataclass
class Found:
    """What is judged: of a host, or of what the variables say.

    Attributes:
        arguments: of each process of a program, by the program's name.
        files: by the name of what the item is about.
        closed: instead of files whether they are to be root's alone, where only that is known.
        settings: the content of configuration files, by name; None where a file could not be read.
    """

    arguments: Dict[str, List[Mapping[str, str]]] = field(default_factory=dict)
    files: Dict[str, List[File]] = field(default_factory=dict)
    closed: Dict[str, bool] = field(default_factory=dict)
    settings: Dict[str, Optional[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What was found of one item, and what it is."""

    result: str
    detail: str


class Check:
    """What an item asks for."""

    # Whether the item is fulfilled where it is not set.
    absent_passes = False

    def look(self, found: Found) -> Verdict:
        """Judge; ABSENT where it is not set."""
        raise NotImplementedError


def text_of(value: Any) -> str:
    """A value as an argument has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(text_of(item) for item in value)
    return str(value)


def _words(value: str) -> List[str]:
    return [word for word in value.split(",") if word]


def _number(value: str) -> int:
    return int(value) if value.lstrip("-").isdigit() else -1


# What a value must be, with the words for one that is not.
SET: Test = ("is empty", bool)
IS_TRUE: Test = ("is not true", lambda value: value.lower() in TRUE)
IS_FALSE: Test = ("is not false", lambda value: value.lower() in FALSE)
NOT_FALSE: Test = ("is false", lambda value: value.lower() not in FALSE)
LOCAL: Test = ("is not 127.0.0.1", lambda value: LOOPBACK.fullmatch(value) is not None)
NOT_ZERO: Test = ("is 0", lambda value: value.strip("0hms") != "")
LEFT_OUT: Test = ("is set", lambda _value: False)


def equals(wanted: str) -> Test:
    """A value, as it is."""
    return f"is not {wanted}", lambda value: value == wanted


def has(word: str) -> Test:
    """A list with a word."""
    return f"lacks {word}", lambda value: word in _words(value)


def lacks(word: str) -> Test:
    """A list without a word."""
    return f"has {word}", lambda value: word not in _words(value)


def at_least(number: int) -> Test:
    """A number, or a greater one."""
    return f"is less than {number}", lambda value: _number(value) >= number


def among(words: Iterable[str]) -> Test:
    """A list of nothing but these words."""
    known = frozenset(words)
    return "has others than strong ones", lambda value: bool(_words(value)) and set(_words(value)) <= known


def one_of(words: Sequence[str]) -> Test:
    """One of these values."""
    return f"is not {' or '.join(words)}", lambda value: value in words


def _judge(name: str, value: Optional[str], test: Test) -> Verdict:
    fault, passes = test
    if value is None:
        return Verdict(ABSENT, f"{name} is not set")
    if passes(value):
        return Verdict(PASSED, f"{name}={value}" if value else f"{name} is empty")
    return Verdict(FAILED, f"{name} {fault}: {value}" if value else f"{name} {fault}")


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that counts of several."""
    order = (FAILED, UNKNOWN, ABSENT, PASSED, NONE)
    return min(verdicts, key=lambda verdict: order.index(verdict.result))


@dataclass(frozen=True)
class Argument(Check):
    """Arguments of a program, each of which must pass; of every process of it.

    Attributes:
        instead: an argument with which these are not read.
    """

    program: str
    names: Tuple[str, ...]
    test: Test = SET
    absent_passes: bool = False
    instead: str = ""

    def look(self, found: Found) -> Verdict:
        processes = found.arguments.get(self.program)
        if not processes:
            return Verdict(UNKNOWN, f"no process {self.program}")
        if any(self.instead in process for process in processes):
            return Verdict(NONE, f"--{self.instead} decides")
        return worst(
            [_judge(f"--{name}", process.get(name), self.test) for process in processes for name in self.names]
        )


@dataclass(frozen=True)
class Setting(Check):
    """A field of a program's configuration file.

    Attributes:
        argument: of the program, which wins over the field.
        unset: how the file has a field that was not set.
        everywhere: whether the program runs in every cluster.
    """

    file: str
    path: str
    test: Test = SET
    absent_passes: bool = False
    argument: str = ""
    unset: str = ""
    everywhere: bool = True

    def look(self, found: Found) -> Verdict:
        if not self.everywhere and found.arguments.get(self.file) == []:
            return Verdict(NONE, f"no process {self.file}")
        given = [process[self.argument] for process in found.arguments.get(self.file, []) if self.argument in process]
        if given:
            return worst([_judge(f"--{self.argument}", value, self.test) for value in given])
        if self.file not in found.settings:
            return Verdict(UNKNOWN, f"no configuration of {self.file} is known")
        value: Any = found.settings[self.file]
        if value is None:
            return Verdict(UNKNOWN, f"the configuration of {self.file} cannot be read")
        for key in self.path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        shown = None if value is None else text_of(value)
        return _judge(self.path, None if self.unset and shown == self.unset else shown, self.test)


@dataclass(frozen=True)
class Closed(Check):
    """Files with no other permissions than these, where they are."""

    name: str
    mode: int = 0o600

    def look(self, found: Found) -> Verdict:
        if self.name in found.closed:
            return Verdict(PASSED if found.closed[self.name] else FAILED, "")
        return _files(self.name, found, lambda file: not file.mode & ~self.mode, lambda file: f"mode {file.mode:04o}")


@dataclass(frozen=True)
class Owned(Check):
    """Files of an owner and a group."""

    name: str
    owner: str = "root:root"

    def look(self, found: Found) -> Verdict:
        return _files(self.name, found, lambda file: file.owner == self.owner, lambda file: file.owner)


def _files(name: str, found: Found, passes: Callable[[File], bool], shown: Callable[[File], str]) -> Verdict:
    if name not in found.files:
        return Verdict(UNKNOWN, "not looked at")
    files = found.files[name]
    wrong = [file for file in files if not passes(file)]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return Verdict(FAILED, f"{wrong[0].path}: {shown(wrong[0])}{more}")
    if not files:
        return Verdict(NONE, "there is none")
    if len({shown(file) for file in files}) == 1:
        return Verdict(PASSED, shown(files[0]) + (f", {len(files)} files" if len(files) > 1 else ""))
    return Verdict(PASSED, f"{len(files)} files")


@dataclass(frozen=True)
class Anonymous(Check):
    """The API server answers nobody without an account, or no more than a list of paths."""

    def look(self, found: Found) -> Verdict:
        flag = Argument("kube-apiserver", ("anonymous-auth",), IS_FALSE).look(found)
        file = Argument("kube-apiserver", ("authentication-config",)).look(found)
        if file.result != PASSED:
            return flag
        configuration = found.settings.get("authentication")
        if configuration is None:
            return Verdict(UNKNOWN, "the file of --authentication-config cannot be read")
        anonymous = configuration.get("anonymous")
        if not isinstance(anonymous, Mapping):
            return flag
        if not anonymous.get("enabled"):
            return Verdict(PASSED, "anonymous is off")
        paths = [str(condition.get("path")) for condition in anonymous.get("conditions") or []]
        if not paths:
            return Verdict(FAILED, "anonymous is on, for every path")
        return Verdict(PASSED, f"without an account only {len(paths)} paths")


@dataclass(frozen=True)
class PodSecurity(Check):
    """Pod security admission enforces one of these levels where a namespace says nothing."""

    levels: Tuple[str, ...]

    def look(self, found: Found) -> Verdict:
        if not found.arguments.get("kube-apiserver"):
            return Verdict(UNKNOWN, "no process kube-apiserver")
        if "admission" not in found.settings:
            return Verdict(ABSENT, "no admission configuration")
        configuration = found.settings["admission"]
        if configuration is None:
            return Verdict(UNKNOWN, "the admission configuration cannot be read")
        plugins = [plugin for plugin in configuration.get("plugins") or [] if plugin.get("name") == "PodSecurity"]
        if not plugins:
            return Verdict(ABSENT, "pod security admission has no defaults")
        level = ((plugins[0].get("configuration") or {}).get("defaults") or {}).get("enforce")
        return _judge("enforce", level, one_of(self.levels))


@dataclass(frozen=True)
class Encrypted(Check):
    """Secrets are written with one of these providers."""

    providers: Tuple[str, ...]

    def look(self, found: Found) -> Verdict:
        argument = Argument("kube-apiserver", ("encryption-provider-config",)).look(found)
        if argument.result != PASSED:
            return argument
        configuration = found.settings.get("encryption")
        if configuration is None:
            return Verdict(UNKNOWN, "the file of --encryption-provider-config cannot be read")
        return _judge("provider", configuration.get("secrets"), one_of(self.providers))


@dataclass(frozen=True)
class OwnAuthority(Check):
    """etcd's authority is not the cluster's."""

    def look(self, found: Found) -> Verdict:
        processes = found.arguments.get("kube-apiserver")
        if not processes:
            return Verdict(UNKNOWN, "no process kube-apiserver")
        etcd, cluster = processes[0].get("etcd-cafile"), processes[0].get("client-ca-file")
        return _judge("--etcd-cafile", etcd, ("is the cluster's", lambda value: value != cluster))


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes:
        number: in the benchmark, version 1.11.
        title: what it asks for.
        part: of the cluster that is looked at.
        by: why it holds.
        check: how that is found.
    """

    number: str
    title: str
    part: str
    by: str
    check: Check


def judge(item: Item, running: Found, wanted: Found) -> Dict[str, Any]:
    """What a host has of an item, and whether that was promised.

    Args:
        item: the item.
        running: what was found on the host.
        wanted: what the variables say.
    """
    verdict, asked = item.check.look(running), item.check.look(wanted).result
    result = verdict.result
    if result == ABSENT:
        result = PASSED if item.check.absent_passes else FAILED
    promised = asked == PASSED or (item.by == DEFAULT and asked != FAILED)
    return {
        "number": item.number,
        "title": item.title,
        "by": item.by,
        "result": result,
        "promised": promised and item.by != NO,
        "detail": verdict.detail,
    }
