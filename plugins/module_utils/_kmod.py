# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the running kernel has a module's function, and what keeps a module from being loaded."""

from __future__ import annotations

import os
from typing import Dict, Iterator, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._sysctl import drop_ins, under

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


def _modprobe_lines(root: str) -> Iterator[Tuple[str, List[str]]]:
    """Place and words of each line of modprobe.d(5)."""
    for path in drop_ins(root, "modprobe.d"):
        try:
            with open(under(root, path), encoding="utf-8", errors="replace") as stream:
                lines = stream.read().replace("\\\n", " ").splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            words = line.split("#")[0].split()
            if len(words) > 1:
                yield f"{path} ({' '.join(words)})", words


def denied_by(root: str, name: str) -> List[str]:
    """The lines of modprobe.d that keep a module from being loaded: blacklist, and install with true or false."""
    module = name.replace("-", "_")
    return [
        place
        for place, words in _modprobe_lines(root)
        if words[1].replace("-", "_") == module
        and (words[0] == "blacklist" or (words[0] == "install" and os.path.basename(words[-1]) in ("true", "false")))
    ]
