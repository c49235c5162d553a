# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a snapshot of a running etcd, and gives it its name once it is verified."""

from __future__ import annotations

import os
import shutil
import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.answers import EndpointStatus
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import Etcd, verify_snapshot
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.snapshot import (
    HASH_SIZE,
    Snapshot,
    SnapshotError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import (
    CommandError,
    EtcdError,
    ToolMissingError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import require_own
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.staging import (
    DraftFile,
    NoSpaceError,
    abandoned_drafts,
    require_space,
)


class SnapshotSave:
    """A file that gets a verified snapshot."""

    def __init__(self, module: AnsibleModule, etcd: Etcd) -> None:
        """Take the options from the module."""
        self.module, self.etcd, self.options = module, etcd, module.params
        self.path = os.path.abspath(self.options["path"])

    def run(self) -> Dict[str, Any]:
        """Take a snapshot, unless a good one is there.

        Raises:
            EtcdError: if the file is there and no good snapshot, or if none can be taken.
            NoSpaceError: if there is too little room.
            SnapshotError: if what was saved is not good; nothing of it stays.
        """
        if os.path.lexists(self.path) and not self.options["force"]:
            try:
                return {"changed": False, "snapshot": verify_snapshot(self.etcd, self.path).as_dict()}
            except SnapshotError as error:
                raise EtcdError(
                    f"{error}. It is left as it is: remove it, choose another path, or set force to replace it"
                ) from error
        result: Dict[str, Any] = {
            "changed": True,
            "diff": {
                "before": {"path": self.path, "state": "a file" if os.path.lexists(self.path) else "absent"},
                "after": {"path": self.path, "state": "a verified snapshot"},
            },
        }
        missing = self.missing()
        if missing and self.module.check_mode:
            self.module.warn(f"{missing}; a snapshot would be taken once that is there")
            return result
        if missing:
            raise EtcdError(missing)

        source = self.etcd.source(self.options["allow_unhealthy"])
        result["endpoint"] = source.endpoint
        require_space(os.path.dirname(self.path), source.db_size + HASH_SIZE, f"the snapshot of {source.endpoint}")
        if self.module.check_mode:
            return result
        result["snapshot"] = self.save_from(source).as_dict()
        return result

    def missing(self) -> str:
        """What a save cannot do without, or nothing."""
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            return f"the folder {folder} does not exist"
        require_own(folder, sticky=True)
        if self.etcd.tool("etcdctl") is None:
            return "etcdctl is not installed on this host"
        try:
            self.etcd.snapshot_tool()
        except ToolMissingError as error:
            return str(error)
        return ""

    def save_from(self, source: EndpointStatus) -> Snapshot:
        """Stream the snapshot to a draft, verify that, and only then give it its name."""
        folder = os.path.dirname(self.path)
        for draft in abandoned_drafts(folder, before=time.time() - self.options["save_timeout"] - 3600):
            shutil.rmtree(draft, ignore_errors=True)
        with DraftFile(self.module, self.path) as draft_file:
            try:
                self.etcd.save(source.endpoint, draft_file.path, self.options["save_timeout"])
            except CommandError as error:
                if error.no_space:
                    raise NoSpaceError(
                        f"{folder} became full while the snapshot of {source.endpoint} was written; "
                        "nothing of it is left there. Free some space or choose another file system"
                    ) from error
                raise
            snapshot = verify_snapshot(self.etcd, draft_file.path, name=self.path, etcd_version=source.version)
            draft_file.publish(0o600)
        return snapshot
