# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without what a network plugin has left on it: units, configuration, rules, sets, interfaces, routes, files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Dict, List, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_paths, reset_rules
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_programs import NetworkPrograms
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_remains import (
    PLUGINS,
    Remains,
    matching,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_network import SUFFIXES, network_name
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_routes import RouteHost
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import ResetError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.routes import RouteError, Running, commands
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import ENABLED, ServiceError, Systemd

CNI = "/etc/cni/net.d"
NETWORKS, RESULTS = "/var/lib/cni/networks", "/var/lib/cni/results"
FAILURES = (ResetError, RouteError, ServiceError, OSError)
NOTHING = re.compile(r"(?!)")
BRIDGE = re.compile(r'"bridge"\s*:\s*"([^"]+)"')


@dataclass
class Left:
    """What there is of plugins. Each kind goes before what it is recognised by."""

    units: List[str] = field(default_factory=list)
    rules: List[Tuple[str, reset_rules.Removal]] = field(default_factory=list)
    tables: List[str] = field(default_factory=list)
    sets: List[str] = field(default_factory=list)
    links: List[str] = field(default_factory=list)
    routes: List[str] = field(default_factory=list)
    paths: List[str] = field(default_factory=list)

    def lines(self) -> List[str]:
        """One line for each thing."""
        rules = [
            f"{os.path.basename(program)[: -len('-save')]} {removal.table}: "
            f"{', '.join(removal.chains) or 'no chain'}; {removal.rules} rules in other chains"
            for program, removal in self.rules
        ]
        kinds: Dict[str, Sequence[str]] = {
            "unit": self.units,
            "rules": rules,
            "nftables": self.tables,
            "set": self.sets,
            "interface": self.links,
            "route": self.routes,
            "path": self.paths,
        }
        return [f"{kind} {one}" for kind, found in kinds.items() for one in found]


def pattern(texts: Sequence[str]) -> re.Pattern[str]:
    """One that fits what any of several do; nothing where there are none."""
    given = [text for text in texts if text]
    return re.compile("|".join(f"(?:{text})" for text in given)) if given else NOTHING


def wanted(routes: Sequence[Running], protocols: Sequence[int]) -> List[str]:
    """The lines that remove the routes of these protocols, and no other."""
    return [line for number in protocols for line in commands([], list(routes), number)]


def foreign(folder: str) -> Dict[str, str]:
    """The configurations that are of none of the plugins, each with the bridge that it names first, or nothing."""
    own = {name for remains in PLUGINS.values() for name in remains.configurations}
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found = {}
    for name in names:
        if name.endswith(SUFFIXES) and name not in own:
            text = (read_bytes(os.path.join(folder, name)) or b"").decode(errors="replace")
            bridge = BRIDGE.search(text)
            found[name] = bridge.group(1) if bridge else ""
    return found


class NetworkHost(NetworkPrograms):
    """Finds and removes what plugins have on a host."""

    def __init__(self, module: AnsibleModule, plugins: Sequence[str], keep: Sequence[str]) -> None:
        """Take what goes and what stays.

        Args:
            module: runs programs.
            plugins: the plugins of which nothing stays.
            keep: the plugins whose files stay, since they are used.
        """
        super().__init__(module, ResetError)
        self.remains: List[Remains] = [PLUGINS[name] for name in plugins]
        self.kept = {f"{CNI}/{name}" for plugin in keep for name in PLUGINS[plugin].configurations}
        self.foreign = foreign(CNI)

    def names(self) -> List[str]:
        """The CNI networks of what goes, by which the plugin portmap names its chains."""
        files = [f"{CNI}/{name}" for one in self.remains for name in one.configurations]
        found = [network_name((read_bytes(file) or b"").decode(errors="replace")) for file in files]
        return sorted({name for name in found if name})

    def rules(self, program: str) -> List[reset_rules.Removal]:
        """What goes of one variant's tables."""
        chain, comment = pattern([one.chains for one in self.remains]), pattern([one.comments for one in self.remains])
        found = [
            reset_rules.removal(table, self.names(), bool(self.foreign), chain, comment)
            for table in reset_rules.parse(self.run(program))
        ]
        return [removal for removal in found if removal.lines]

    def find(self) -> Left:
        """All that there is."""
        left = Left()
        for name in dict.fromkeys(unit for one in self.remains for unit in one.units):
            unit = Systemd(self.module, name).read()
            if unit.running or (unit.exists and unit.file_state in ENABLED and unit.file_state != "static"):
                left.units.append(name)
        left.rules = [(program, removal) for program in self.savers() for removal in self.rules(program)]
        nft, ipset = self.program("nft"), self.program("ipset")
        tables, sets = pattern([one.tables for one in self.remains]), pattern([one.sets for one in self.remains])
        listed = self.run(nft, "list", "tables").splitlines() if nft and tables is not NOTHING else []
        left.tables = [line[len("table ") :] for line in listed if tables.fullmatch(line[len("table ") :])]
        named = self.run(ipset, "list", "-name").split() if ipset and sets is not NOTHING else []
        left.sets = [name for name in named if sets.fullmatch(name)]
        patterns = [text for one in self.remains for text in one.links]
        left.links = [
            name for name in matching(os.listdir("/sys/class/net"), patterns) if name not in self.foreign.values()
        ]
        protocols = list(dict.fromkeys(number for one in self.remains for number in one.protocols))
        left.routes = wanted(RouteHost(self.module, "/").routes(), protocols) if protocols else []
        left.paths = self.paths()
        return left

    def paths(self) -> List[str]:
        """Files and folders; the configurations, by which all else is recognised, stand last."""
        networks = self.names()
        results = sorted(os.listdir(RESULTS)) if os.path.isdir(RESULTS) else []
        files = [
            *(path for one in self.remains for path in one.paths),
            *(f"{NETWORKS}/{name}" for name in networks),
            *(f"{RESULTS}/{file}" for file in results for name in networks if file.startswith(f"{name}-")),
            *(f"{CNI}/{name}" for one in self.remains for name in one.configurations),
        ]
        return [path for path in dict.fromkeys(files) if os.path.lexists(path) and path not in self.kept]

    def remove(self, left: Left) -> None:
        """Remove it.

        Raises:
            ResetError: with what a program complained of.
        """
        for name in left.units:
            Systemd(self.module, name).act("disable", "--now")
        for program in dict.fromkeys(program for program, _removal in left.rules):
            for removal in self.rules(program):
                self.remove_rules(program, removal)
        self.delete_tables(left.tables)
        self.destroy_sets(left.sets)
        routes = RouteHost(self.module, "/")
        if left.routes:
            routes.batch(left.routes)
        for name in left.links:
            # The other end of a pair goes with it.
            if os.path.exists(f"/sys/class/net/{name}"):
                self.delete_link(name)
        for path in left.paths:
            reset_paths.remove(path)
        if left.units:
            Systemd(self.module, left.units[0]).act("daemon-reload")
