# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the lock on the controller: one file with everything that the inventory's hosts get, by checksum."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import Lock, LockError, drift, parse
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.preloaded import load_filters
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry import RegistryError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.input_reader import ROLES, InputReader
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.lock_sources import SourceError, Sources
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Inputs

OPTIONS: dict[str, Any] = {"path": {"type": "str", "default": ""}, "hosts": {"type": "list", "elements": "str"}}

load_filters()


class ActionModule(ActionBase):
    """Asks all sources, and writes what they say."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask, compare, write."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        path = options["path"]
        if not os.path.isabs(path):
            text = (
                f"kubernetes_lock is {path!r}; it must name a file of the controller from the root on, such as "
                "'{{ inventory_dir }}/lock.yml'"
            )
            return {**result, "failed": True, "msg": text}
        try:
            sources = Sources(self._inputs(task_vars or {}, options["hosts"]), self._find, self._loader)
            before = Path(path).read_text(encoding="utf-8") if os.path.exists(path) else ""
            known = parse(before, path).artifacts if before else ()
            lock = Lock(tuple(sources.architectures()), tuple(sources.artifacts()))
        except (LockError, RegistryError, SourceError, OSError, UnicodeDecodeError) as error:
            text = f"The lock cannot be made, and {path} is as it was.\n{error}"
            return {**result, "failed": True, "msg": text}
        after = lock.text()
        if after != before and not self._task.check_mode:
            _write(path, after)
        result.update(
            changed=after != before,
            artifacts=len(lock.artifacts),
            size=sum(artifact.size for artifact in lock.artifacts),
            drift=list(drift(known, lock.artifacts)) if before else [],
        )
        if self._task.diff and after != before:
            result["diff"] = {"before_header": path, "after_header": path, "before": before, "after": after}
        return result

    def _inputs(self, variables: dict[str, Any], hosts: list[str] | None) -> Inputs:
        """All hosts of the cluster, whichever the run is limited to."""
        reader = InputReader(self._task, self._loader, variables, argument_specs.load_specs(ROLES))
        names = hosts if hosts is not None else variables["ansible_play_hosts_all"]
        return reader.inputs([reader.complete(name) for name in names])

    def _find(self, path: str) -> str:
        try:
            return str(self._find_needle("files", path))
        except AnsibleError as error:
            raise OSError(str(error)) from None


def _write(path: str, text: str) -> None:
    """Write beside it, then rename over it."""
    draft = f"{path}.{os.getpid()}"
    try:
        Path(draft).write_text(text, encoding="utf-8")
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)
