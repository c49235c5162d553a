# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads, verifies and adapts a manifest on the controller; the module of the same name applies it on the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    ManifestError,
    Object,
    check,
    flatten,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader, DownloadError
from ansible_collections.groundwork.kubernetes.plugins.modules.manifest import ARGUMENTS, SOURCES
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import manifests

PASSED_ON = (
    *("state", "kubeconfig", "own_server", "owner", "take_over", "recreate", "force_conflicts"),
    *("wait", "wait_nodes", "timeout"),
)
DOWNLOAD_TIMEOUT = 60
# The largest known ones, with the definitions of an operator's resources, have about 3 MiB.
MAX_MANIFEST = 32 * 1024**2


class ActionModule(ActionBase):
    """The controller's half of the module manifest."""

    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the task."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        _spec, options = self.validate_argument_spec(
            argument_spec=ARGUMENTS, mutually_exclusive=[SOURCES], required_one_of=[SOURCES]
        )
        try:
            objects = manifests.render(
                self._objects(options),
                options["image_mirrors"],
                options["pod_cidr"],
                options["patches"],
                options["network"],
            )
            if options["fixed_images"]:
                manifests.refuse_floating(objects)
        except ManifestError as error:
            return {**result, "failed": True, "msg": str(error)}
        # As the user wrote them: a path's ~ is the managed host's.
        arguments = {name: self._task.args[name] for name in PASSED_ON if name in self._task.args}
        result.update(
            self._execute_module(
                module_name="groundwork.kubernetes.manifest",
                module_args={**arguments, "objects": objects},
                task_vars=task_vars,
            )
        )
        # The objects can be megabytes, and Secrets: the result says what was asked for without them.
        result["invocation"] = {"module_args": {**arguments, "objects": [f"{len(objects)} objects"]}}
        return result

    def _objects(self, options: Dict[str, Any]) -> List[Object]:
        if options["objects"] is not None:
            return check(flatten(options["objects"]))
        data, source = self._read(options)
        if options["checksum"]:
            manifests.verify(data, options["checksum"], source)
        elif options["url"]:
            found = manifests.checksum_of(data)
            raise ManifestError(
                f"url needs a checksum; {source} has {found}: make sure that it is the right file, then set checksum"
            )
        return manifests.parse(data, source)

    def _read(self, options: Dict[str, Any]) -> Tuple[bytes, str]:
        if options["content"] is not None:
            return options["content"].encode("utf-8"), "content"
        if options["path"] is not None:
            path = self._find_needle("files", options["path"])
            return Path(path).read_bytes(), path
        try:
            downloader = Downloader(DOWNLOAD_TIMEOUT, allow_http=options["allow_http"])
            return downloader.data(options["url"], MAX_MANIFEST), options["url"]
        except DownloadError as error:
            raise ManifestError(f"on the controller: {error}; give a reachable url, or the file as path") from error
