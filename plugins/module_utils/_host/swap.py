# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which swap may stay, and the steps that turn the rest off, now and at boot.

Every function reads below a root ("" on a real host), so that the paths it reports are the host's own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import AbstractSet, Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap_sources import (
    GPT_GENERATOR,
    KINDS,
    MASK,
    OWN_UNITS,
    TAG,
    TARGET,
    Active,
    Entry,
    Fstab,
    Resolve,
    Source,
    SwapError,
    Unit,
    comment,
    find_units,
    has_gpt_generator,
    is_masked,
    lines_of,
    may_swapoff,
    parse_available,
    parse_fstab,
    parse_lsblk,
    parse_swaps,
    resolver,
)

VIRTUAL = "virtual"  # what lxcfs shows in a container: the swap of the container's host that it may use
WRITABLE_UNITS = (OWN_UNITS, "/run/systemd/system")
ON_THE_CONTAINERS_HOST = (
    "on the container's host, turn swap off, or let the container use none (LXC: lxc.cgroup2.memory.swap.max = 0; "
    "Incus and LXD: limits.memory.swap=false; Proxmox: swap: 0)"
)


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
class SwapPlan:
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
            pairs = zip(lines_of(self.fstab.before or b""), lines_of(self.fstab.after or b""))
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


def gpt_partitions(module: AnsibleModule, root: str) -> List[str]:
    """The partitions that systemd takes for swap; none where its generator or lsblk is missing."""
    lsblk = module.get_bin_path("lsblk")
    if lsblk is None or not has_gpt_generator(root):
        return []
    # lsblk fails where the kernel has no block devices to show, which is no fault of the host.
    rc, out, _err = module.run_command(
        [lsblk, "--pairs", "--paths", "--output", "NAME,PARTTYPE,PARTFLAGS"], expand_user_and_vars=False
    )
    return parse_lsblk(out) if rc == 0 else []


def is_due(module: AnsibleModule, root: str = "") -> bool:
    """Whether the module swap, asked to turn all off, would change something, warn or fail."""
    try:
        state = read_state(root, f"{root}/etc/fstab", gpt_partitions(module, root))
        todo = plan(state, parse_allow([], resolver(root)))
    except SwapError:
        return True
    return todo.changed or bool(todo.warnings)


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


def plan(state: State, allowed: Allowed, force: bool = False) -> SwapPlan:
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
    return SwapPlan(
        fstab=FileChange(state.fstab.path, state.fstab.content, comment(state.fstab.content, lines)),
        links=links,
        swapoff=swapoff,
        staying=[swap for swap in state.active if allowed(swap)],
        warnings=warnings,
    )
