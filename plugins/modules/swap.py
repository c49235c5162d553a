# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turn swap off for good, or leave what is allowed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: swap
short_description: Turn swap off, now and at boot
version_added: 0.1.0
description:
  - Finds the swap that is on (C(/proc/swaps)) and everything that turns swap on at boot, and turns off what is not
    allowed.
  - Entries of type swap in fstab become comments that start with C(# turned off by groundwork.kubernetes.swap:).
    Every other byte of the file stays. Entries with the option C(noauto) stay, as they turn nothing on.
  - Units of systemd that are pulled in at boot (C(*.swap), those of zram-generator, C(zramswap.service),
    C(zram-config.service), C(dphys-swapfile.service)) are masked. A unit whose own file is in C(/etc/systemd/system)
    is disabled instead.
  - Where systemd would turn on a GPT partition because of its type, C(swap.target) is masked. systemd does so once
    fstab has no entry of type swap any more, and under a name that can change with each boot.
  - Nothing is changed where something stands in the way, such as a line of fstab that has no meaning or swap that does
    not fit into memory. The message lists all of it.
  - Without systemd, or while it is not running (a container, an image being built), the same files are written and
    systemd does not read them again.
options:
  state:
    description:
      - V(absent) turns swap off.
      - V(query) changes nothing and returns what there is.
    type: str
    choices: [absent, query]
    default: absent
  allow:
    description:
      - Swap that stays as it is, for nodes on which the kubelet uses swap. Nothing is turned on.
      - Each is a kind (V(partition), V(file), V(zram)), an absolute path (links are followed), or a tag as in fstab
        (V(UUID=...), V(LABEL=...), V(PARTUUID=...), V(PARTLABEL=...)).
      - A service that makes swap itself, such as C(zramswap.service), stays only where its kind is named.
    type: list
    elements: str
    default: []
  force:
    description:
      - Turn swap off even where what is swapped out is more than the memory available (C(MemAvailable)). The kernel may
        then refuse, or end processes to make room.
    type: bool
    default: false
  fstab:
    description: Path of the table of file systems. A file that does not exist counts as empty.
    type: path
    default: /etc/fstab
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
attributes:
  diff_mode:
    details: Of fstab it shows the lines that change and no others.
notes:
  - To undo it, remove the mark from the lines of fstab, C(systemctl unmask) or C(systemctl enable) the units in
    RV(disabled), and C(swapon) the device.
  - In a container C(/proc/swaps) shows the swap of the whole machine, or with lxcfs what the container may use of it
    (V(none virtual)). The latter is an error with O(state=absent), since only the container's host can turn it off.
  - C(resume=) on the kernel's command line and the swap space itself are not touched.
seealso:
  - name: Swap memory management
    description: What Kubernetes says of nodes with swap.
    link: https://kubernetes.io/docs/concepts/cluster-administration/swap-memory-management/
  - name: systemd-gpt-auto-generator
    description: Which partitions systemd turns on without fstab.
    link: https://www.freedesktop.org/software/systemd/man/latest/systemd-gpt-auto-generator.html
author: groundwork.kubernetes contributors (@groundwork)
"""

EXAMPLES = r"""
- name: Turn swap off, now and at boot
  groundwork.kubernetes.swap:

- name: Keep compressed memory and one volume as swap
  groundwork.kubernetes.swap:
    allow:
      - zram
      - /dev/mapper/system-swap

- name: Learn which swap there is
  groundwork.kubernetes.swap:
    state: query
  register: swap
"""

RETURN = r"""
active:
  description: Swap that was on when the module started.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Device or file, as the kernel names it.
      type: str
      sample: /dev/dm-1
    kind:
      description: One of partition, file and zram; virtual for what lxcfs shows in a container.
      type: str
      sample: partition
    size:
      description: Size in bytes.
      type: int
      sample: 2147479552
    used:
      description: Bytes that are swapped out.
      type: int
      sample: 1048576
    priority:
      description: Priority that the kernel gives it.
      type: int
      sample: -2
    allowed:
      description: Whether O(allow) names it.
      type: bool
      sample: false
configured:
  description: What turned swap on at boot when the module started.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Line of fstab, name of a unit, or systemd-gpt-auto-generator.
      type: str
      sample: /etc/fstab:7
    path:
      description: Device or file, links followed; empty where a service decides it.
      type: str
      sample: /dev/dm-1
    kind:
      description: One of partition, file and zram.
      type: str
      sample: partition
    allowed:
      description: Whether O(allow) names it.
      type: bool
      sample: false
turned_off:
  description: Active swap that was turned off, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [/dev/dm-1]
disabled:
  description: Lines of fstab and links of systemd that were changed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: ['/etc/fstab:7', /etc/systemd/system/dev-zram0.swap]
"""

import os
import time
from dataclasses import asdict
from typing import Any, Dict, List, Sequence, Union

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import apply_file, read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap import (
    Allowed,
    SwapPlan,
    gpt_partitions,
    parse_allow,
    plan,
    read_state,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap_sources import (
    Active,
    Source,
    SwapError,
    parse_swaps,
    resolver,
)

GONE_CHECKS = 10
GONE_PAUSE = 0.5
ROOT = ""  # before the paths of /proc, /etc/systemd and so on: empty on a host, a folder in tests


def is_gone(path: str) -> bool:
    """Whether swap that could not be turned off is off all the same.

    Containers of one machine see the same swap. Another of them may have been faster, and may still be at it.
    """
    for _attempt in range(GONE_CHECKS):
        if path not in {active.path for active in parse_swaps(read_bytes(f"{ROOT}/proc/swaps") or b"")}:
            return True
        time.sleep(GONE_PAUSE)
    return False


def apply(module: AnsibleModule, todo: SwapPlan) -> None:
    """What turns swap on at boot first, so that systemd does not bring back what swapoff turns off.

    Raises:
        SwapError: with what failed; what was done until then stays, and the next run goes on from there.
    """
    apply_file(module, todo.fstab)
    for link in todo.links:
        link.apply()
    if os.path.isdir(f"{ROOT}/run/systemd/system"):
        rc, out, err = module.run_command(
            [module.get_bin_path("systemctl", required=True), "daemon-reload"], expand_user_and_vars=False
        )
        if rc != 0:
            raise SwapError([f"systemctl daemon-reload failed: {(err or out).strip()}"])
    problems = []
    for swap in todo.swapoff:
        swapoff = module.get_bin_path("swapoff", required=True)
        rc, out, err = module.run_command([swapoff, swap.path], expand_user_and_vars=False)
        if rc != 0 and not is_gone(swap.path):
            problems.append((err or out).strip() or f"swapoff {swap.path} failed with exit code {rc}")
    if problems:
        problems.append("what turns it on at boot is off; swap of a container's machine is turned off on that machine")
        raise SwapError(problems)


def report(found: Sequence[Union[Active, Source]], allowed: Allowed) -> List[Dict[str, Any]]:
    """What was found, as the module returns it."""
    hidden = {"line", "links"}
    return [
        {**{key: value for key, value in asdict(item).items() if key not in hidden}, "allowed": allowed(item)}
        for item in found
    ]


def run(module: AnsibleModule) -> Dict[str, Any]:
    """What the module returns, after doing what it says (unless in check mode).

    Raises:
        SwapError: where it cannot be done.
    """
    options = module.params
    allowed = parse_allow(options["allow"], resolver(ROOT))
    state = read_state(ROOT, options["fstab"], gpt_partitions(module, ROOT))
    result: Dict[str, Any] = {
        "changed": False,
        "active": report(state.active, allowed),
        "configured": report(state.sources, allowed),
        "turned_off": [],
        "disabled": [],
    }
    if options["state"] == "query":
        faults = [*allowed.faults, *state.fstab.faults]
        if faults:
            raise SwapError(faults)
        return result

    todo = plan(state, allowed, options["force"])
    lines = [entry.name for entry in state.fstab.entries if not allowed(entry)]
    result.update(
        changed=todo.changed,
        turned_off=[swap.path for swap in todo.swapoff],
        disabled=lines + [link.path for link in todo.links],
        diff=todo.diff(),
    )
    for warning in todo.warnings:
        module.warn(warning)
    if todo.changed and not module.check_mode:
        apply(module, todo)
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["absent", "query"], "default": "absent"},
            "allow": {"type": "list", "elements": "str", "default": []},
            "force": {"type": "bool", "default": False},
            "fstab": {"type": "path", "default": "/etc/fstab"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (SwapError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
