# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the running kernel has a module's function, and what keeps a module from being loaded."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.sysctl import drop_ins, under

# What only exists while the function is there. A function that is built in need not be named below /sys/module.
PROOFS: Dict[str, str] = {
    "br_netfilter": "/proc/sys/net/bridge",
    "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
}
FILESYSTEMS = ("overlay",)


def _words(root: str, path: str, index: int) -> List[str]:
    """One column of a file, or nothing where there is no such file."""
    try:
        with open(under(root, path), encoding="utf-8") as stream:
            return [line.split()[index] for line in stream if line.strip()]
    except FileNotFoundError:
        return []


def kernel_release(root: str) -> str:
    """The running kernel's release, as uname -r prints it."""
    return "".join(_words(root, "/proc/sys/kernel/osrelease", 0))


def find(root: str, name: str) -> Optional[str]:
    """How the running kernel has a module: loaded, built-in, or None where it has not."""
    module = name.replace("-", "_")
    if module in _words(root, "/proc/modules", 0):
        return "loaded"
    built_in = _words(root, f"/lib/modules/{kernel_release(root)}/modules.builtin", -1)
    if (
        any(os.path.basename(path)[: -len(".ko")].replace("-", "_") == module for path in built_in)
        or os.path.exists(under(root, f"/sys/module/{module}"))
        or (module in PROOFS and os.path.exists(under(root, PROOFS[module])))
        or (module in FILESYSTEMS and module in _words(root, "/proc/filesystems", -1))
    ):
        return "built-in"
    return None


def dependencies(root: str, name: str) -> List[str]:
    """The modules that modprobe loads before a module, as modules.dep names them."""
    module = name.replace("-", "_")
    try:
        with open(under(root, f"/lib/modules/{kernel_release(root)}/modules.dep"), encoding="utf-8") as stream:
            for line in stream:
                path, _colon, needed = line.partition(":")
                if _module_of(path) == module:
                    return [_module_of(one) for one in needed.split()]
    except OSError:
        pass
    return []


def _module_of(path: str) -> str:
    """The name of the module in a file, which may be compressed (.ko.xz)."""
    return os.path.basename(path).partition(".ko")[0].replace("-", "_")


@dataclass(frozen=True)
class Line:
    """A line of modprobe.d(5): a word, the module or pattern it is about, and the rest."""

    path: str
    word: str
    module: str
    rest: str

    def __str__(self) -> str:
        """The place and what it says."""
        return f"{self.path} ({' '.join([self.word, self.module, *self.rest.split()])})"


def _modprobe_lines(root: str) -> Iterator[Line]:
    """The lines of all files, in the order in which kmod reads them."""
    for path in drop_ins(root, "modprobe.d"):
        if os.path.basename(path).startswith("."):
            continue
        try:
            with open(under(root, path), encoding="utf-8", errors="replace") as stream:
                lines = stream.read().replace("\\\n", "").splitlines()
        except OSError:  # kmod goes on as well
            continue
        for line in lines:
            words = line.split(maxsplit=2)
            if len(words) > 1 and not words[0].startswith("#"):
                yield Line(path, words[0], _underscores(words[1]), words[2] if len(words) > 2 else "")


def _underscores(name: str) -> str:
    """A name or pattern with kmod's spelling; what stands in brackets stays."""
    return re.sub(r"(\[[^]]*\])|-", lambda found: found[1] or "_", name)


def denied_by(root: str, name: str) -> List[str]:
    """The lines of modprobe.d that keep a module from being loaded, now or at boot.

    They are those that kmod goes by: the first install line that fits the module, or one of those it needs, if its
    command does not load it; and a blacklist line of the module itself. modprobe does not heed the latter where it is
    given the name, but systemd-modules-load, which loads modules at boot, does.
    """
    module, lines = name.replace("-", "_"), list(_modprobe_lines(root))
    installs = [line for line in lines if line.word == "install" and line.rest]
    found: List[Line] = []
    for one in [module, *(needed for needed in dependencies(root, module) if find(root, needed) != "built-in")]:
        first = next((line for line in installs if fnmatchcase(one, line.module)), None)
        if first and never_loads(first.rest, one):
            found.append(first)
    found += [line for line in lines if line.word == "blacklist" and line.module == module]
    return [str(line) for line in dict.fromkeys(found)]


# Programs that load nothing, and how they end where that is sure.
IDLE: Dict[str, Optional[bool]] = {
    "true": True,
    ":": True,
    "echo": True,
    "printf": True,
    "logger": None,
    "sleep": None,
    "test": None,
    "[": None,
    "false": False,
    "null": False,  # /dev/null is no program
}
SHELLS = ("sh", "bash", "dash")
LOADERS = ("modprobe", "insmod")


def never_loads(command: str, module: str) -> bool:
    """Whether the shell command of an install line surely does not load a module; where that is unknown, it may."""
    try:
        commands = _commands(command)
    except ValueError:
        return False
    ended: Optional[bool] = None  # how the command before ended
    for joint, words in commands:
        if (joint == "&&" and ended is False) or (joint == "||" and ended is True):
            continue
        program = os.path.basename(words[0])
        if program == "exit":
            return True
        if _may_load(program, words[1:], module):
            return False
        ended = IDLE.get(program)
    return True


def _commands(command: str) -> Iterable[Tuple[str, List[str]]]:
    """The simple commands of a shell command, each with what joins it to the one before."""
    reader = shlex.shlex(command, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    found: List[Tuple[str, List[str]]] = []
    joint = ";"
    words: List[str] = []
    for token in [*reader, ";"]:
        if set(token) <= set("();<>|&"):
            if words:
                found.append((joint, words))
            joint, words = token, []
        else:
            words.append(token)
    return found


def _may_load(program: str, arguments: List[str], module: str) -> bool:
    """Whether a simple command may load a module."""
    if program in SHELLS and arguments[:1] == ["-c"]:
        return len(arguments) > 1 and not never_loads(arguments[1], module)
    if program in LOADERS:
        # $CMDLINE_OPTS stands for options that were given to modprobe.
        names = [word for word in arguments if not word.startswith("$CMDLINE_OPTS")]
        return any("$" in word or _module_of(word) == module for word in names)
    return program not in IDLE
