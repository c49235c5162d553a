# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which swap is on, what turns it on at boot, and the steps that turn it off for good.

Every function reads below a root ("" on a real host), so that the paths it reports are the host's own.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import AbstractSet, Any, Callable, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, read_bytes

Resolve = Callable[[str], str]

KINDS = ("partition", "file", "zram")
VIRTUAL = "virtual"  # what lxcfs shows in a container: the swap of the container's host that it may use
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
WRITABLE_UNITS = (OWN_UNITS, "/run/systemd/system")
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

ON_THE_CONTAINERS_HOST = (
    "on the container's host, turn swap off, or let the container use none (LXC: lxc.cgroup2.memory.swap.max = 0; "
    "Incus and LXD: limits.memory.swap=false; Proxmox: swap: 0)"
)

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
class Link:
    """A symbolic link to make, or (no target) to remove."""

    path: str
    target: Optional[str] = None

    def diff(self) -> Dict[str, str]:
        """The change in the form Ansible's diff mode shows."""
        before, after = ("", f"link to {self.target}\n") if self.target else ("link\n", "")
        return {"before_header": self.path, "after_header": self.path, "before": before, "after": after}

    def apply(self) -> None:
        """Make or remove the link."""
        if self.target is None:
            os.unlink(self.path)
            return
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        os.symlink(self.target, self.path)


@dataclass(frozen=True)
class Fstab:
    """The table of file systems: the swap it turns on at boot, the swap it does not (noauto), what is wrong."""

    path: str
    content: bytes
    entries: List[Entry] = field(default_factory=list)
    noauto: List[Entry] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """What was found on a host."""

    root: str
    fstab: Fstab
    active: List[Active]
    units: List[Unit]
    gpt: List[Source]  # what systemd takes for swap unless fstab has an entry of that type
    available: Optional[int]
    privileged: bool

    @property
    def sources(self) -> List[Source]:
        """Everything that turns swap on at the next boot."""
        gpt = [] if self.fstab.entries or self.fstab.noauto else self.gpt
        return [*self.fstab.entries, *self.units, *gpt]


@dataclass(frozen=True)
class Allowed:
    """The swap that may stay: by kind, or by path."""

    kinds: AbstractSet[str]
    paths: AbstractSet[str]
    faults: List[str] = field(default_factory=list)

    def __call__(self, swap: Any) -> bool:
        """Whether this Active or Source may stay."""
        return swap.kind in self.kinds or swap.path in self.paths


@dataclass(frozen=True)
class Plan:
    """What turns the rest off, in the order in which it is done."""

    fstab: FileChange
    links: List[Link]
    swapoff: List[Active]
    staying: List[Active]
    warnings: List[str]

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.fstab.changed or self.links or self.swapoff)

    def diff(self) -> List[Dict[str, str]]:
        """The changes in the form Ansible's diff mode shows; of fstab only the lines that change."""
        found = [link.diff() for link in self.links]
        if self.fstab.changed:
            pairs = zip(_lines(self.fstab.before or b""), _lines(self.fstab.after or b""))
            changed = [(before, after) for before, after in pairs if before != after]
            before, after = (b"".join(side) for side in zip(*changed))
            found.insert(0, FileChange(self.fstab.path, before, after).diff())
        if self.swapoff:
            after_paths = [swap.path for swap in self.staying]
            before_paths = after_paths + [swap.path for swap in self.swapoff]
            found.append(
                {
                    "before_header": "active swap",
                    "after_header": "active swap",
                    "before": "".join(f"{path}\n" for path in before_paths),
                    "after": "".join(f"{path}\n" for path in after_paths),
                }
            )
        return found


# Names and paths


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


def parse_allow(allow: List[str], resolve: Resolve) -> Allowed:
    """What may stay, from kinds, paths and tags; values that are none of these are faults."""
    paths = [value for value in allow if value not in KINDS]
    return Allowed(
        kinds=frozenset(KINDS).intersection(allow),
        paths=frozenset(resolve(path) for path in paths),
        faults=[
            f"allow: {value!r} is neither a kind ({', '.join(KINDS)}) nor an absolute path nor a tag such as UUID="
            for value in paths
            if not value.startswith("/") and not TAG.match(value)
        ],
    )


# What the kernel, fstab and tools say


def _lines(content: bytes) -> List[bytes]:
    return io.BytesIO(content).readlines()


def _unescape(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8) & 255]), field))


def parse_swaps(content: bytes) -> List[Active]:
    """The swap that /proc/swaps lists; the kernel escapes blanks in a path as in fstab.

    Raises:
        SwapError: where a line has no meaning.
    """
    found = []
    for line in filter(bytes.strip, _lines(content)[1:]):
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
    for number, line in enumerate(_lines(content), start=1):
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
    return b"".join(MARK + line if number in lines else line for number, line in enumerate(_lines(content), start=1))


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


# systemd's units


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


# State and plan


def read_state(root: str, fstab: str, partitions: List[str]) -> State:
    """What a host says of its swap.

    Args:
        root: what stands before the paths of /proc, /etc/systemd and so on.
        fstab: the path of fstab, as it is.
        partitions: the GPT partitions of type swap.
    """
    resolve = resolver(root)
    units, generated = find_units(root, resolve)
    gpt = {source.path: source for source in generated}
    gpt.update({path: Source(GPT_GENERATOR, path, "partition") for path in map(resolve, partitions)})
    return State(
        root=root,
        fstab=parse_fstab(read_bytes(fstab) or b"", fstab, resolve),
        active=parse_swaps(read_bytes(f"{root}/proc/swaps") or b""),
        units=units,
        gpt=[] if is_masked(root, TARGET) else list(gpt.values()),
        available=parse_available(read_bytes(f"{root}/proc/meminfo") or b""),
        privileged=may_swapoff(read_bytes(f"{root}/proc/self/status") or b""),
    )


def _unit_links(root: str, unit: Unit, problems: List[str]) -> List[Link]:
    """The link that masks a unit, or the links to remove where the unit's own file is in the mask's place."""
    own = f"{root}{OWN_UNITS}/{unit.name}"
    if not os.path.lexists(own):
        return [Link(own, MASK)]
    fixed = [link for link in unit.links if not link.startswith(tuple(f"{root}{path}/" for path in WRITABLE_UNITS))]
    if fixed:
        problems.append(f"{unit.name} cannot be masked, its file is {own}, and {fixed[0]} pulls it in; remove {own}")
    return [Link(link) for link in unit.links]


def _fit_problem(swapoff: List[Active], available: Optional[int]) -> List[str]:
    used = sum(swap.used for swap in swapoff)
    if available is None or used <= available:
        return []
    names = ", ".join(f"{swap.path} {swap.used >> 20} MiB" for swap in swapoff if swap.used)
    return [
        f"what is swapped out ({names}) does not fit into the {available >> 20} MiB of memory available; "
        "free memory first (drain the node, stop its workload), or set force to try all the same"
    ]


def _gpt_links(state: State, allowed: Allowed, staying: List[Source], warnings: List[str]) -> List[Link]:
    """The mask of swap.target where systemd-gpt-auto-generator would turn swap on that is not allowed."""
    unwanted = [source.path for source in state.gpt if not allowed(source)]
    # The generator leaves swap alone as soon as fstab has any entry of that type, even one that is noauto.
    if not unwanted or state.fstab.noauto or any(isinstance(source, Entry) for source in staying):
        return []
    if not staying and len(unwanted) == len(state.gpt):
        return [Link(f"{state.root}{OWN_UNITS}/{TARGET}", MASK)]
    warnings.append(
        f"systemd turns on {', '.join(unwanted)} at boot because of the GPT partition type, and swap that is allowed "
        f"needs {TARGET}, which would be masked; set bit 63 (no-auto) of the partition's attributes with sfdisk "
        "--part-attrs, or list it in fstab with the option noauto"
    )
    return []


def plan(state: State, allowed: Allowed, force: bool = False) -> Plan:
    """What turns off all swap that is not allowed, now and at boot.

    Raises:
        SwapError: where it cannot be done.
    """
    problems = [*allowed.faults, *state.fstab.faults]
    warnings: List[str] = []
    swapoff = [swap for swap in state.active if not allowed(swap) and swap.kind != VIRTUAL]
    problems += [
        f"this host is a container that may use {swap.size >> 20} MiB of its host's swap (lxcfs lists it in "
        f"/proc/swaps as {swap.path!r}), which cannot be turned off from within; {ON_THE_CONTAINERS_HOST}"
        for swap in state.active
        if swap.kind == VIRTUAL
    ]
    staying = [source for source in (*state.fstab.entries, *state.units) if allowed(source)]
    links = [link for unit in state.units if not allowed(unit) for link in _unit_links(state.root, unit, problems)]
    links += _gpt_links(state, allowed, staying, warnings)

    if swapoff and not state.privileged:
        problems.append(
            f"active swap ({', '.join(swap.path for swap in swapoff)}) cannot be turned off without CAP_SYS_ADMIN; run "
            "as root (become), or turn it off on the machine that runs this container, whose swap it is"
        )
    if not force:
        problems += _fit_problem(swapoff, state.available)
    if problems:
        raise SwapError(problems)

    if staying and is_masked(state.root, TARGET):
        names = ", ".join(source.name for source in staying)
        warnings.append(f"{TARGET} is masked, so swap that is allowed stays off at boot ({names}); unmask it")
    lines = {entry.line for entry in state.fstab.entries if not allowed(entry)}
    known = {source.path for source in state.sources}
    kinds = {source.kind for source in state.units if not source.path}
    warnings += [
        f"nothing in {state.fstab.path} or systemd's units turns on {swap.path}; if it is back after a reboot, look "
        "for a script or an agent (cloud-init, waagent) that does"
        for swap in swapoff
        if swap.path not in known and swap.kind not in kinds
    ]
    return Plan(
        fstab=FileChange(state.fstab.path, state.fstab.content, comment(state.fstab.content, lines)),
        links=links,
        swapoff=swapoff,
        staying=[swap for swap in state.active if allowed(swap)],
        warnings=warnings,
    )
