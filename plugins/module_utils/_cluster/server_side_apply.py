# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a manifest in a cluster: compared in a dry run, applied on the server's side, waited for, deleted.

https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import os
from typing import Dict, List, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import poll
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    FIELD_MANAGER,
    Change,
    ManifestError,
    Object,
    Ref,
    Unknown,
    as_list,
    defined_by,
    from_output,
    is_crd,
    is_foundation,
    unknown_in,
    unready,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.run_to_end import (
    comes_to_an_end,
    not_succeeded,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import (
    explain,
    held_up,
    is_workload,
    lacking,
    name_of,
)


class ServerSideApply:
    """The objects of one manifest in the cluster that kubectl reaches."""

    def __init__(self, module: AnsibleModule) -> None:
        """Use the kubeconfig that the module's options name."""
        self.module = module
        kubeconfig = module.params["kubeconfig"]
        folder = os.path.dirname(kubeconfig)
        self.kubectl = Kubectl(
            module, kubeconfig, options=OwnApi(module, folder).options() if module.params["own_server"] else ()
        )
        self.recreate = module.params["recreate"] and module.params["state"] == "present"
        self.tolerant = module.check_mode or module.params["state"] == "absent"

    def read(self, objects: Sequence[Object]) -> List[Object]:
        """The server's copies of those objects that exist."""
        if not objects:
            return []
        return from_output(
            self.kubectl.run("get", "--ignore-not-found", "--output=json", "--filename=-", stdin=as_list(objects))
        )

    def apply(self, objects: Sequence[Object], dry_run: bool = False) -> List[Object]:
        """The objects as the server has, or would have, them afterwards."""
        if not objects:
            return []
        options = ["--dry-run=server"] if dry_run else []
        if self.module.params["force_conflicts"]:
            options.append("--force-conflicts")
        try:
            return from_output(
                self.kubectl.run(
                    "apply",
                    "--server-side",
                    f"--field-manager={FIELD_MANAGER}",
                    "--output=json",
                    *options,
                    "--filename=-",
                    stdin=as_list(objects),
                )
            )
        except KubectlError as error:
            if "conflict" in error.stderr and not self.module.params["force_conflicts"]:
                raise ManifestError(f"{error}\nSet force_conflicts to true to take these fields over.") from error
            raise

    def plan(self, objects: Sequence[Object]) -> List[Change]:
        """What applying, or deleting, the objects changes."""
        foundations = [item for item in objects if is_foundation(item)]
        found = {Ref.of(item): item for item in self.read(foundations)}
        unknown = defined_by(item for item in foundations if Ref.of(item) not in found or unready(found[Ref.of(item)]))
        return self._plan_known(objects, found, unknown)

    def _plan_known(self, objects: Sequence[Object], found: Dict[Ref, Object], unknown: Unknown) -> List[Change]:
        try:
            return self._compare(objects, found, unknown)
        except KubectlError as error:
            more = unknown | unknown_in(error.stderr)
            # What an earlier task would have created is not there in check mode; what is deleted need not be there.
            if not self.tolerant or more == unknown:
                raise
            if self.module.params["state"] == "present":
                self.module.warn(f"The cluster does not know {more} yet; what needs it counts as new")
            return self._plan_known(objects, found, more)

    def _compare(self, objects: Sequence[Object], found: Dict[Ref, Object], unknown: Unknown) -> List[Change]:
        known = [item for item in objects if not unknown.holds(item)]
        live = {**found, **{Ref.of(item): item for item in self.read([one for one in known if not is_foundation(one)])}}
        if self.module.params["state"] == "absent":
            return [Change(ref, item, None) for ref, item in live.items()]
        # What is made anew may differ where the server forbids a change.
        asked = [item for item in known if not (self.recreate and Ref.of(item) in live)]
        afterwards = dict(zip(map(id, asked), self.apply(asked, dry_run=True)))
        changes: List[Change] = []
        for item in objects:
            after = afterwards.get(id(item), item)
            changes.append(Change(Ref.of(after), live.get(Ref.of(after)), after, item))
        return changes

    def wait_until_ready(self, objects: Sequence[Object], timeout: float) -> None:
        """Wait until the server says that each of the objects is ready.

        Raises:
            ManifestError: saying which are not, and why.
        """
        waiting: List[Tuple[Object, str]] = []
        elsewhere: Dict[str, List[str]] = {}

        def pending() -> str:
            # What cannot be asked to its end is not known: nothing of a half answer is kept.
            waiting.clear()
            elsewhere.clear()
            nodes = self.module.params["wait_nodes"]
            found = [
                (item, *(lacking(self.kubectl, item, nodes) if is_workload(item) else (unready(item), [])))
                for item in self.read(objects)
            ]
            waiting.extend((item, fault) for item, fault, _places in found if fault)
            elsewhere.update((name_of(item), places) for item, _fault, places in found if places)
            return "; ".join(f"{Ref.of(item)} {fault}" for item, fault in waiting)

        missing = poll(pending, timeout) if objects else ""
        rest = []
        for item, fault in waiting:
            if is_workload(item) and held_up(item, len(elsewhere.get(name_of(item), []))):
                self.module.warn(
                    f"{name_of(item)} {fault} after {timeout:.0f} seconds: pods on other nodes hold it up."
                )
            else:
                rest.append(explain(self.kubectl, item, fault) if is_workload(item) else f"{Ref.of(item)} {fault}")
        for name, nodes in elsewhere.items():
            if nodes:
                self.module.warn(f"{name} is not ready on {', '.join(sorted(set(nodes)))}; nobody waited for that.")
        if missing and (rest or not waiting):
            raise ManifestError(f"not ready after {timeout:.0f} seconds:\n" + "\n".join(rest or [missing]))

    def delete(self, objects: Sequence[Object], wait: float) -> None:
        """Delete objects, the last of the manifest first; with a time to wait, until they are gone.

        Raises:
            ManifestError: saying which are still there.
        """
        self.kubectl.run("delete", "--ignore-not-found", "--wait=false", "--filename=-", stdin=as_list(objects))

        def pending() -> str:
            try:
                return ", ".join(str(Ref.of(item)) for item in self.read(objects))
            except KubectlError as error:
                # A kind that is gone has no objects left.
                if unknown_in(error.stderr):
                    return ", ".join(
                        str(Ref.of(item)) for item in self.read([one for one in objects if is_foundation(one)])
                    )
                raise

        missing = poll(pending, wait) if wait else ""
        if missing:
            raise ManifestError(
                f"still there after {wait:.0f} seconds: {missing}; their finalizers may wait for a controller"
            )

    def carry_out(self, changes: Sequence[Change]) -> None:
        """Do what was planned, and wait for it if the options ask for that.

        Raises:
            KubectlError: if the API server refuses something.
            ManifestError: if something does not become ready, or does not go, in time.
        """
        params = self.module.params
        timeout = float(params["timeout"])
        if params["state"] == "absent":
            doomed = [change.before for change in reversed(changes) if change.before]
            if doomed:
                self.delete(doomed, timeout if params["wait"] else 0.0)
            return
        if self.recreate:
            self._make_anew(changes, timeout)
            return
        todo = [change.wanted for change in changes if change.wanted and change.action != "unchanged"]
        everything = [change.wanted for change in changes if change.wanted]
        if todo:
            self.apply([item for item in todo if is_foundation(item)])
            self.wait_until_ready([item for item in everything if is_crd(item)], timeout)
            self.apply([item for item in todo if not is_foundation(item)])
        if params["wait"]:
            self.wait_until_ready([item for item in everything if is_workload(item)], timeout)

    def _make_anew(self, changes: Sequence[Change], timeout: float) -> None:
        """Delete what is there, make all of it, and wait for what comes to an end if the options ask for that."""
        there = [change.before for change in reversed(changes) if change.before]
        if there:
            self.delete(there, timeout)
        made = [change.wanted for change in changes if change.wanted]
        self.apply(made)
        ending = [item for item in made if comes_to_an_end(item)]
        if not (self.module.params["wait"] and ending):
            return

        def pending() -> str:
            return "; ".join(f"{Ref.of(item)} {lack}" for item in self.read(ending) if (lack := not_succeeded(item)))

        missing = poll(pending, timeout)
        if missing:
            raise ManifestError(f"not done after {timeout:.0f} seconds: {missing}")
