# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that know a host's rules, sets and interfaces: who removes some of them finds and runs them here."""

from __future__ import annotations

from typing import List, Optional, Type

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_rules import Removal

RESTORE_WAIT = "10"


class NetworkPrograms:
    """Finds and runs them."""

    def __init__(self, module: AnsibleModule, failure: Type[Exception]) -> None:
        """Nothing is run yet.

        Args:
            module: runs them.
            failure: what is raised with what a program complained of.
        """
        self.module = module
        self.failure = failure

    def run(self, *command: str, stdin: str = "") -> str:
        """Standard output of a command.

        Raises:
            Exception: the one that was given, with what it complained of.
        """
        rc, out, err = self.module.run_command(list(command), data=stdin or None, expand_user_and_vars=False)
        if rc != 0:
            raise self.failure(f"{' '.join(command)} failed with exit code {rc}: {(err or out).strip()}")
        return str(out)

    def program(self, name: str) -> Optional[str]:
        """Where a program is, or nothing."""
        found: Optional[str] = self.module.get_bin_path(name, opt_dirs=["/usr/sbin", "/sbin"])
        return found

    def savers(self) -> List[str]:
        """The programs that print the rules, of both variants where the host has both."""
        found: List[str] = []
        for family in ("iptables", "ip6tables"):
            variants = [self.program(f"{family}-{variant}-save") for variant in ("nft", "legacy")]
            found += [path for path in variants if path] or [path for path in [self.program(f"{family}-save")] if path]
        return found

    def remove_rules(self, saver: str, removal: Removal) -> None:
        """Remove rules and chains of one table of a variant in one step."""
        text = "".join(f"{line}\n" for line in removal.lines)
        self.run(f"{saver[: -len('-save')]}-restore", "--noflush", "--wait", RESTORE_WAIT, stdin=text)

    def delete_tables(self, tables: List[str]) -> None:
        """Delete tables of nftables, each given as family and name."""
        for table in tables:
            self.run(str(self.program("nft")), "delete", "table", *table.split())

    def destroy_sets(self, names: List[str]) -> None:
        """Destroy sets of ipset that no rule uses any more."""
        for name in names:
            self.run(str(self.program("ipset")), "destroy", name)

    def delete_link(self, name: str) -> None:
        """Delete an interface; the other end of a pair goes with it."""
        self.run(str(self.program("ip")), "link", "delete", name)
