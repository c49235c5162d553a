# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without its cluster: what was made on it by kubeadm, the kubelet, the runtime and this collection goes.

kubeadm reset is not called. It goes on where an unmount has failed and deletes what is mounted, takes a member out of
etcd without asking whether the quorum holds, and leaves what it did not make itself.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_paths, reset_rules
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_programs import NetworkPrograms
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_remains import MANAGER_FILES
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_routes import (
    FORWARDING_FILE,
    ROUTES_FILE,
    SERVICE,
    UNIT_FILE,
    RouteHost,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import ResetError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import Pod, Runtime, runtime_of
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.root_kubeconfig import is_earlier, leftovers
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.routes import RouteError, commands
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import ENABLED, ServiceError, Systemd
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_units import Places, state_file_of

PROTO = 77  # of the module pod_routes
UNITS = "/etc/systemd/system"
TRAFFIC = f"{UNITS}/kubernetes-pod-traffic.service"
SCHEDULES = ("groundwork-backup", "groundwork-etcd-defrag")
# The services that a role runs if its record has this file, in the order in which they end: the virtual address goes to
# another host first.
RUN_WITH = {
    "keepalived.service": "/etc/keepalived/keepalived.conf",
    "haproxy.service": "/etc/haproxy/haproxy.cfg",
    "etcd.service": f"{UNITS}/etcd.service",
}
INTERFACE = (
    "pod-vxlan",
    "flannel.1",
    "flannel-v6.1",
    "kube-ipvs0",
    "vxlan.calico",
    "vxlan-v6.calico",
    "wireguard.cali",
)
INTERFACE_PREFIXES = ("cali", "cilium")
SHOWN = 4  # chains of a table that are named
HELD = ("kubeadm", "kubectl", "kubelet")
YUM = "/etc/yum.repos.d/kubernetes.repo"


@dataclass
class Found:
    """All of the cluster that a host has. What is stopped first stands in early_units."""

    early_units: List[str] = field(default_factory=list)
    units: List[str] = field(default_factory=list)
    pods: List[Pod] = field(default_factory=list)
    mounts: List[str] = field(default_factory=list)
    namespace: bool = False
    rules: List[Tuple[str, reset_rules.Removal]] = field(default_factory=list)
    tables: List[str] = field(default_factory=list)
    sets: List[str] = field(default_factory=list)
    interfaces: List[str] = field(default_factory=list)
    routes: List[str] = field(default_factory=list)
    paths: List[str] = field(default_factory=list)
    emptied: List[str] = field(default_factory=list)
    holds: List[str] = field(default_factory=list)
    faults: List[str] = field(default_factory=list)

    @property
    def early_pods(self) -> List[Pod]:
        """Those that are stopped first."""
        return [pod for pod in self.pods if pod.running and not pod.host_network]

    def summary(self) -> str:
        """How much of what there is, in one line."""
        units, rules = [*self.early_units, *self.units], [*self.rules, *self.tables, *self.sets]
        named = f" ({', '.join(units)})" if units else ""
        counts = [
            (len(units), f"unit{{0}}{named}"),
            (len(self.pods), "pod{0}"),
            (len(self.mounts), "mount{0}"),
            (int(self.namespace), "namespace of containerd with its images"),
            (len(rules), "table{0} or set{0} of rules"),
            (len(self.interfaces), "interface{0}"),
            (len(self.routes), "route{0}"),
            (len(self.paths) + len(self.emptied), "path{0}"),
            (len(self.holds), "hold{0}"),
        ]
        words = [f"{count} {word.format('' if count == 1 else 's')}" for count, word in counts if count]
        return ", ".join(words) or "nothing of a cluster"

    def describe(self) -> List[Dict[str, str]]:
        """One line for each thing: what it is, and what becomes of it."""
        rows = [("unit", unit, "stopped, disabled") for unit in [*self.early_units, *self.units]]
        rows += [("pod", pod.name, "removed") for pod in self.pods]
        rows += [("mount", mount, "unmounted") for mount in self.mounts]
        rows += [("containerd", "namespace k8s.io with its images", "removed")] if self.namespace else []
        rows += [("rules", _rules(program, removal), "removed") for program, removal in self.rules]
        rows += [("nftables", f"table {table}", "removed") for table in self.tables]
        rows += [("ipset", name, "removed") for name in self.sets]
        rows += [("interface", name, "removed") for name in self.interfaces]
        rows += [("route", line, "removed") for line in self.routes]
        rows += [("path", path, "removed") for path in [*self.paths, *self.emptied]]
        rows += [("hold", name, "released") for name in self.holds]
        return [{"subject": subject, "before": before, "after": after} for subject, before, after in rows]


def _rules(program: str, removal: reset_rules.Removal) -> str:
    """A table's part in a few words."""
    shown = [name for name in removal.chains if not name.startswith(("KUBE-SEP-", "KUBE-SVC-", "KUBE-FW-"))]
    shown = shown[:SHOWN]
    more = f" and {len(removal.chains) - len(shown)} others" if len(removal.chains) > len(shown) else ""
    chains = f"chains {', '.join(shown)}{more}" if removal.chains else "no chain"
    return f"{program} {removal.table}: {chains}; {removal.rules} rules in other chains"


class Host(NetworkPrograms):
    """Finds and removes."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the module's options."""
        super().__init__(module, ResetError)
        self.options: Mapping[str, Any] = module.params
        self.runtime: Runtime = runtime_of(module, self.options["runtime_endpoint"])

    def find(self) -> Found:
        """All of the cluster that the host has, with what stands against its removal."""
        found = Found()
        mounts, networks = reset_paths.current_mounts(), reset_paths.read_networks()
        try:
            found.pods = self.runtime.pods()
            found.namespace = self.runtime.has_namespace()
        except ResetError as error:
            found.faults.append(str(error))
        self.find_units(found)
        self.find_network(found, networks)
        found.mounts = reset_paths.kubelet_mounts(os.path.realpath(reset_paths.KUBELET), mounts)
        found.paths = self.paths(mounts, networks)
        found.emptied = reset_paths.emptied(found.paths, [self.options["etcd_pki_dir"], *reset_paths.EMPTIED])
        found.faults += reset_paths.mount_faults(found.paths, mounts, found.mounts)
        found.faults += [
            f"{path} is a static pod that neither kubeadm nor this collection wrote: move it out of its folder"
            for path in reset_paths.unknown_manifests()
        ]
        found.holds = self.holds()
        return found

    # What is on the host.

    def find_units(self, found: Found) -> None:
        """Units that run or start at boot; the kubelet and timers go first, what others may still need last."""
        recorded = reset_paths.recorded()
        early = ["kubelet.service", *(f"{name}{part}.timer" for name in SCHEDULES for part in ("", "-age"))]
        early += [f"{name}.service" for name in SCHEDULES]
        late = [os.path.basename(TRAFFIC), SERVICE]
        late += [unit for unit, path in RUN_WITH.items() if path in recorded]
        for names, units in ((early, found.early_units), (late, found.units)):
            for name in names:
                unit = Systemd(self.module, name).read()
                if unit.running or (unit.exists and unit.file_state in ENABLED and unit.file_state != "static"):
                    units.append(name)

    def find_network(self, found: Found, networks: reset_paths.Networks) -> None:
        """Rules, sets, interfaces and routes."""
        for program in self.savers():
            for table in reset_rules.parse(self.run(program)):
                removal = reset_rules.removal(table, networks.names, bool(networks.foreign))
                if removal.lines:
                    found.rules.append((program, removal))
        nft, ipset = self.program("nft"), self.program("ipset")
        found.tables = reset_rules.own_nft_tables(self.run(nft, "list", "tables")) if nft else []
        found.sets = reset_rules.own_sets(self.run(ipset, "list", "-name")) if ipset else []
        bridges = {"cni0", *networks.bridges} - set(networks.foreign_bridges)
        found.interfaces = [
            name
            for name in sorted(os.listdir("/sys/class/net"))
            if name in INTERFACE or name in bridges or name.startswith(INTERFACE_PREFIXES)
        ]
        found.routes = commands([], RouteHost(self.module, "/").routes(), PROTO)

    def paths(self, mounts: Sequence[str], networks: reset_paths.Networks) -> List[str]:
        """Files and folders; those by which something is recognised stand last."""
        data, wal, pki = (self.options[f"etcd_{name}_dir"] for name in ("data", "wal", "pki"))
        files = [
            *self.kubeconfigs(),
            *self.schedules(),
            TRAFFIC,
            f"/{UNIT_FILE}",
            f"/{ROUTES_FILE}",
            f"/{FORWARDING_FILE}",
            *MANAGER_FILES,
            *reset_paths.PATTERNS,
            *(f"/var/lib/cni/networks/{name}" for name in networks.names),
            *(f"{data}/{name}" for name in ("member", "member.removed-*", "before-restore-*")),
            *([f"{wal}/*.wal", f"{wal}/*.tmp", f"{wal}.removed-*"] if wal else []),
            *(f"{pki}/{name}.*" for name in ("ca", "peer-ca", "member", "peer")),
            *networks.files,
            *reset_paths.recorded(),
        ]
        return reset_paths.existing(files, reset_paths.FOLDERS, mounts)

    def kubeconfigs(self) -> List[str]:
        """Root's kubeconfigs, if they are what this cluster gave."""
        path = self.options["root_kubeconfig"]
        current = read_bytes("/etc/kubernetes/admin.conf")
        if not path or not current:
            return []
        own = is_earlier(read_bytes(path) or b"", current)
        return [*([path] if own else []), *leftovers(path, current)]

    @staticmethod
    def schedules() -> List[str]:
        """The files of the timers."""
        found = []
        for name in SCHEDULES:
            places = Places(name)
            state = state_file_of(read_bytes(places.settings))
            found += [places.age_timer, places.age_service, places.timer, places.service, places.good, places.stamp]
            found += [*([state] if state else []), places.program, places.settings]
        return found

    def holds(self) -> List[str]:
        """Packages that are kept from updates."""
        mark = self.program("apt-mark")
        held = self.run(mark, "showhold").split() if mark else []
        text = (read_bytes(YUM) or b"").decode(errors="replace")
        return [name for name in HELD if name in held] + [
            line for line in text.splitlines() if line.startswith("exclude=")
        ]

    # What is done.

    def stop(self, found: Found) -> List[str]:
        """Stop what makes new things, end the pods, unmount; what was complained of.

        API servers are pods of the host's network and go on: a network plugin may ask them when it takes a pod's
        network down.

        Raises:
            ResetError: with the mounts that are in use.
        """
        self.end_units(found.early_units)
        complaints = self.runtime.stop(found.early_pods)
        self.unmount()
        return complaints

    def unmount(self) -> None:
        """Unmount what Kubernetes mounted, the last one first.

        Raises:
            ResetError: with the mounts that are in use.
        """
        kubelet = os.path.realpath(reset_paths.KUBELET)
        mounts = reset_paths.kubelet_mounts(kubelet, reset_paths.current_mounts())
        faults = [fault for fault in map(self.unmount_fault, mounts) if fault]
        if faults:
            raise ResetError(
                "\n".join(faults) + f"\nNothing below {kubelet} was deleted, and the kubelet is stopped. End what uses "
                f"the mounts ('fuser --verbose --mount {kubelet}/...' shows it), and run this again"
            )

    def unmount_fault(self, mount: str) -> str:
        """Unmount; what was complained of, or nothing."""
        rc, out, err = self.module.run_command(["umount", mount], expand_user_and_vars=False)
        return f"{mount} cannot be unmounted: {(err or out).strip()}" if rc else ""

    def remove(self, found: Found) -> List[str]:
        """Remove all that is there, each kind before what it is recognised by; what was complained of."""
        complaints = self.runtime.remove(found.pods) if found.pods else []
        self.unmount()
        self.end_units(found.units)
        if found.namespace:
            self.runtime.remove_namespace()
        self.runtime.remove_network_namespaces(found.pods)
        if complaints:
            # Its CRI remembers pods that it could not remove, and reads at its start what is there.
            Systemd(self.module, "containerd.service").act("restart")
        self.remove_network(found)
        for path in found.paths:
            reset_paths.remove(path)
        for folder in found.emptied:
            os.rmdir(folder)
        if found.early_units or found.units or any(path.startswith(UNITS) for path in found.paths):
            Systemd(self.module, "kubelet.service").act("daemon-reload")
        self.release(found.holds)
        return complaints

    def end_units(self, names: Sequence[str]) -> None:
        """Stop units, now and at boot."""
        for name in names:
            systemd = Systemd(self.module, name)
            if systemd.read().exists:
                systemd.act("disable", "--now")
            else:
                systemd.act("stop")

    def remove_network(self, found: Found) -> None:
        """Remove rules and what they name, then interfaces and routes."""
        for program, _removal in found.rules:
            # Pods that went have taken theirs along, and the host's own may have changed.
            self.remove_rules_of(program)
        self.delete_tables(found.tables)
        ipset = self.program("ipset")
        if ipset:
            self.destroy_sets(reset_rules.own_sets(self.run(ipset, "list", "-name")))
        for name in found.interfaces:
            if os.path.exists(f"/sys/class/net/{name}"):
                self.delete_link(name)
        host = RouteHost(self.module, "/")
        left = commands([], host.routes(), PROTO)
        if left:
            host.batch(left)

    def remove_rules_of(self, program: str) -> None:
        """Remove one variant's rules, each table in one step."""
        networks = reset_paths.read_networks()
        for table in reset_rules.parse(self.run(program)):
            removal = reset_rules.removal(table, networks.names, bool(networks.foreign))
            if removal.lines:
                self.remove_rules(program, removal)

    def release(self, holds: Sequence[str]) -> None:
        """Let packages be updated again."""
        names = [name for name in holds if name in HELD]
        if names:
            self.run(str(self.program("apt-mark")), "unhold", *names)
        if len(names) < len(holds):
            with open(YUM, encoding="utf-8") as stream:
                lines = stream.readlines()
            with open(YUM, "w", encoding="utf-8") as stream:
                stream.writelines(line for line in lines if not line.startswith("exclude="))


FAILURES = (ResetError, RouteError, ServiceError, OSError)
