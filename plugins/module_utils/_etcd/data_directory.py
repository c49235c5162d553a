# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tool needs to make a member's data directory of a snapshot, and whose the data is then."""

from __future__ import annotations

import grp
import pwd
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import EtcdError, Tool

BUMP_REVISION = 1_000_000_000  # what Kubernetes' documentation recommends
WAL_SEGMENT = 64 * 1000 * 1000  # a restore writes the first segment of the write-ahead log in full
RESTORE_OPTIONS: Dict[str, Any] = {
    "name": {"type": "str"},
    "initial_cluster": {"type": "dict"},
    "bump_revision": {"type": "int"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}


@dataclass(frozen=True)
class MemberRestorePlan:
    """The arguments of snapshot restore apart from the folders, and whose the data is; -1: nobody in particular."""

    arguments: List[str]
    bump: int
    uid: int
    gid: int
    warning: str = ""


def plan_member_restore(
    tool: Tool, options: Dict[str, Any], token: str, peer_urls: Sequence[str] = ()
) -> MemberRestorePlan:
    """Turn the options of RESTORE_OPTIONS into what a tool is called with.

    Args:
        tool: what restores.
        options: the options.
        token: the cluster's.
        peer_urls: the member's; those in initial_cluster unless given.

    Raises:
        EtcdError: with all that is wrong with them.
    """
    faults: List[str] = []
    wanted: Optional[int] = options["bump_revision"]
    bump = (BUMP_REVISION if wanted is None else wanted) if tool.bumps_revision else 0
    limit = f"{tool.name} {tool.version} cannot raise the revision (etcdctl 3.4.27 and etcdutl 3.5.10 can)"
    if wanted is not None and wanted < 0:
        faults.append(f"bump_revision: {wanted} is below 0")
    elif wanted and not tool.bumps_revision:
        faults.append(f"bump_revision: {limit}; use a newer tool, or set it to 0")
    name: str = options["name"]
    given: Dict[str, Any] = options["initial_cluster"]
    members = {member: urls if isinstance(urls, list) else [str(urls)] for member, urls in given.items()}
    if name not in members:
        faults.append(f"name: {name} is not in initial_cluster, which has {', '.join(sorted(members)) or 'no member'}")
    uid = _number(options, "owner", lambda user: pwd.getpwnam(user).pw_uid, faults)
    gid = _number(options, "group", lambda group: grp.getgrnam(group).gr_gid, faults)
    if faults:
        raise EtcdError("; ".join(faults))
    arguments = [
        f"--name={name}",
        f"--initial-cluster={','.join(f'{member}={url}' for member, urls in members.items() for url in urls)}",
        f"--initial-cluster-token={token}",
        f"--initial-advertise-peer-urls={','.join(peer_urls or members[name])}",
    ]
    if bump:  # each of the two flags is refused without the other
        arguments += [f"--bump-revision={bump}", "--mark-compacted"]
    return MemberRestorePlan(arguments, bump, uid, gid, "" if wanted is not None or tool.bumps_revision else limit)


def _number(options: Dict[str, Any], option: str, find: Callable[[str], int], faults: List[str]) -> int:
    """The number of a user or group given by name or number; -1 where none is given."""
    value: str = options[option]
    if not value:
        return -1
    try:
        return int(value) if value.isdigit() else find(value)
    except KeyError:
        faults.append(f"{option}: there is no {value} on this host")
        return -1
