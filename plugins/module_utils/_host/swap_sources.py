# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which swap is on and what turns it on at boot: /proc/swaps, fstab, systemd's units and generators.

Every function reads below a root ("" on a real host), so that the paths it reports are the host's own.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import AbstractSet, Callable, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes

Resolve = Callable[[str], str]
KINDS = ("partition", "file", "zram")
MARK = b"# turned off by groundwork.kubernetes.swap: "
MASK = "/dev/null"
# Where systemd finds units; a file in the first hides the others' (systemd.unit(5), "Unit File Load Path").
OWN_UNITS = "/etc/systemd/system"
UNIT_FOLDERS = (
    OWN_UNITS,
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)
PULLS = {".wants", ".requires", ".upholds"}
TARGET = "swap.target"
# Services that make swap themselves: zram-tools, Ubuntu's zram-config, dphys-swapfile.
SERVICES = {"zramswap.service": "zram", "zram-config.service": "zram", "dphys-swapfile.service": "file"}
# zram-generator.conf(5): the first main file counts, and of drop-ins with one name the first.
ZRAM_FOLDERS = ("/run/systemd", "/etc/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
ZRAM_CONFIGURATION = "zram-generator.conf"
# systemd-gpt-auto-generator(8): partitions of this type are swap unless bit 63 of their attributes is set.
GPT_GENERATOR = "systemd-gpt-auto-generator"
GPT_SWAP = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"
GPT_NO_AUTO = 1 << 63
TAG = re.compile(r'(UUID|LABEL|PARTUUID|PARTLABEL)="?([^"]+)"?$')


class SwapError(Exception):
    """What stands in the way, all of it."""

    def __init__(self, problems: List[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


@dataclass(frozen=True)
class Active:
    """Swap that is on (sizes in bytes)."""

    path: str
    kind: str
    size: int
    used: int
    priority: int


@dataclass(frozen=True)
class Source:
    """Something that turns swap on at boot; path is empty where a service decides it."""

    name: str
    path: str
    kind: str


@dataclass(frozen=True)
class Entry(Source):
    """A line of fstab, counted from one."""

    line: int


@dataclass(frozen=True)
class Unit(Source):
    """A systemd unit and the links that pull it in."""

    links: Tuple[str, ...]


@dataclass(frozen=True)
class Fstab:
    """The table of file systems: the swap it turns on at boot, the swap it does not (noauto), what is wrong."""

    path: str
    content: bytes
    entries: List[Entry] = field(default_factory=list)
    noauto: List[Entry] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)


def resolver(root: str) -> Resolve:
    """What gives the file behind a path or a tag (UUID=, LABEL=, PARTUUID=, PARTLABEL=), links followed."""
    root = os.path.realpath(root) if root else ""

    def resolve(what: str) -> str:
        tag = TAG.match(what)
        if tag:
            # udev escapes what is no plain character of a file name.
            name = re.sub(r"[^\w#+.:=@-]", lambda char: "".join(f"\\x{b:02x}" for b in os.fsencode(char[0])), tag[2])
            what = f"/dev/disk/by-{tag[1].lower()}/{name}"
        return os.path.realpath(root + what)[len(root) :] if what.startswith("/") else what

    return resolve


def kind_of(path: str) -> str:
    """What a resolved path is, as far as its name tells."""
    if re.match(r"/dev/zram\d+$", path):
        return "zram"
    return "partition" if path.startswith("/dev/") else "file"


def unit_path(name: str) -> str:
    """The path in a swap unit's name (systemd-escape --unescape --path)."""
    escaped = os.fsencode(name[: -len(".swap")]).replace(b"-", b"/")
    return "/" + os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", lambda code: bytes([int(code[1], 16)]), escaped))


def lines_of(content: bytes) -> List[bytes]:
    """The lines of a file, each with its end."""
    return io.BytesIO(content).readlines()


def _unescape(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8) & 255]), field))


def parse_swaps(content: bytes) -> List[Active]:
    """The swap that /proc/swaps lists; the kernel escapes blanks in a path as in fstab.

    Raises:
        SwapError: where a line has no meaning.
    """
    found = []
    for line in filter(bytes.strip, lines_of(content)[1:]):
        try:
            name, kind, size, used, priority = line.split()
        except ValueError as error:
            raise SwapError([f"/proc/swaps has a line of no meaning: {os.fsdecode(line.strip())!r}"]) from error
        path = _unescape(name)
        kind = b"zram" if kind_of(path) == "zram" else kind
        found.append(Active(path, kind.decode(), int(size) * 1024, int(used) * 1024, int(priority)))
    return found


def parse_fstab(content: bytes, path: str, resolve: Resolve) -> Fstab:
    """What fstab(5) says of swap; lines that it does not allow are faults."""
    fstab = Fstab(path, content)
    for number, line in enumerate(lines_of(content), start=1):
        fields = line.split()
        if not fields or fields[0].startswith(b"#"):
            continue
        if len(fields) < 3:
            fstab.faults.append(
                f"{path} line {number} has {len(fields)} of the fields device, mount point, type: "
                f"{os.fsdecode(line.strip())!r}; correct it or make it a comment"
            )
        elif fields[2] == b"swap":
            what = resolve(_unescape(fields[0]))
            entry = Entry(f"{path}:{number}", what, kind_of(what), number)
            is_noauto = len(fields) > 3 and b"noauto" in fields[3].split(b",")
            (fstab.noauto if is_noauto else fstab.entries).append(entry)
    return fstab


def comment(content: bytes, lines: AbstractSet[int]) -> bytes:
    """The file with these lines (counted from one) marked as comments, every other byte kept."""
    return b"".join(MARK + line if number in lines else line for number, line in enumerate(lines_of(content), start=1))


def parse_available(meminfo: bytes) -> Optional[int]:
    """MemAvailable of /proc/meminfo in bytes."""
    found = re.search(rb"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def may_swapoff(status: bytes) -> bool:
    """Whether /proc/self/status shows CAP_SYS_ADMIN (bit 21), which swapoff(2) asks for."""
    found = re.search(rb"^CapEff:\s+([0-9a-f]+)", status, re.MULTILINE)
    return not found or bool(int(found[1], 16) >> 21 & 1)


def parse_lsblk(output: str) -> List[str]:
    """The partitions that systemd-gpt-auto-generator takes for swap, of lsblk --pairs NAME, PARTTYPE, PARTFLAGS."""
    disks = [dict(pair.split("=", 1) for pair in shlex.split(line)) for line in output.splitlines()]
    return [
        disk["NAME"]
        for disk in disks
        if disk["PARTTYPE"].lower() == GPT_SWAP and not int(disk["PARTFLAGS"] or "0", 16) & GPT_NO_AUTO
    ]


def parse_zram(contents: List[bytes]) -> List[str]:
    """The devices that zram-generator makes swap of: those without a mount point and another file system."""
    swap: Dict[str, bool] = {}
    for content in contents:
        section = ""
        for line in content.decode("utf-8", "replace").splitlines():
            header = re.match(r"\s*\[(.*)\]\s*$", line)
            key, _equals, value = (part.strip() for part in line.partition("="))
            if header:
                section = header[1].strip()
                if re.match(r"zram\d+$", section):
                    swap.setdefault(section, True)
            elif section in swap and (key == "mount-point" or (key == "fs-type" and value != "swap")):
                swap[section] = False
    return [name for name, is_swap in swap.items() if is_swap]


def zram_files(root: str) -> List[bytes]:
    """zram-generator's configuration, in the order in which it is read."""
    mains = (read_bytes(f"{root}{folder}/{ZRAM_CONFIGURATION}") for folder in ZRAM_FOLDERS)
    main = next((content for content in mains if content is not None), b"")
    drops: Dict[str, Path] = {}
    for folder in reversed(ZRAM_FOLDERS):
        drops.update({path.name: path for path in Path(f"{root}{folder}/{ZRAM_CONFIGURATION}.d").glob("*.conf")})
    return [main, *(read_bytes(str(drops[name])) or b"" for name in sorted(drops))]


def is_masked(root: str, name: str) -> bool:
    """Whether a unit's name leads to nothing, or to an empty file, which systemd takes for the same."""
    path = f"{root}{OWN_UNITS}/{name}"
    return (os.path.islink(path) and os.readlink(path) == MASK) or (os.path.isfile(path) and os.path.getsize(path) == 0)


def find_units(root: str, resolve: Resolve) -> Tuple[List[Unit], List[Source]]:
    """The units that turn swap on at boot, and the partitions for which systemd-gpt-auto-generator made some.

    What was generated from fstab is left to fstab. Units of that generator have names that change from boot to boot
    (/dev/disk/by-diskseq), so they cannot be masked by name.
    """
    links: Dict[str, List[str]] = {f"dev-{device}.swap": [] for device in parse_zram(zram_files(root))}
    gpt: Dict[str, Source] = {}
    target_masked = is_masked(root, TARGET)
    for folder in UNIT_FOLDERS:
        for link in sorted(Path(root + folder).glob("*/*")):
            name, puller = link.name, link.parent
            if puller.suffix not in PULLS or not (name in SERVICES or name.endswith(".swap")):
                continue
            made_from = read_bytes(f"{root}{folder}/{name}") or b"" if "/generator" in folder else b""
            if (target_masked and puller.stem == TARGET) or b"SourcePath=/etc/fstab" in made_from:
                continue
            if GPT_GENERATOR.encode() in made_from:
                path = resolve(unit_path(name))
                gpt[path] = Source(GPT_GENERATOR, path, kind_of(path))
            else:
                links.setdefault(name, []).append(str(link))
    units = []
    for name in sorted(links):
        if not is_masked(root, name):
            path = resolve(unit_path(name)) if name.endswith(".swap") else ""
            units.append(Unit(name, path, kind_of(path) if path else SERVICES[name], tuple(links[name])))
    return units, list(gpt.values())


def has_gpt_generator(root: str) -> bool:
    """Whether systemd-gpt-auto-generator is there and not masked."""
    mask = f"{root}/etc/systemd/system-generators/{GPT_GENERATOR}"
    return not os.path.lexists(mask) and any(
        os.path.exists(f"{root}{folder}/systemd/system-generators/{GPT_GENERATOR}") for folder in ("/usr/lib", "/lib")
    )
