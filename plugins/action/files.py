# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands the module files what not everyone may read in an option that Ansible keeps out of outputs and logs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.preloaded import load_filters

load_filters()


class ActionModule(ActionBase):
    """The controller's half of the module files."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = {name: value for name, value in self._task.args.items() if name != "secrets"}
        if isinstance(arguments.get("files"), list):
            arguments["files"], arguments["secrets"] = apart(arguments["files"])
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result


def apart(files: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """The entries without the text of those that not everyone may read, and these texts by the entry's number.

    They are in base64, so that no text of a few letters is blotted out wherever else these letters are in a result.
    """
    entries, secrets = list(files), {}
    for number, entry in enumerate(entries):
        if isinstance(entry, Mapping) and entry.get("content") is not None and private(entry.get("mode", "0644")):
            entries[number] = {name: value for name, value in entry.items() if name != "content"}
            secrets[str(number)] = base64.b64encode(str(entry["content"]).encode("utf-8", "surrogateescape")).decode()
    return entries, secrets


def private(mode: Any) -> bool:
    """Whether a file of this mode is for some only; what is no mode, the module refuses."""
    try:
        return not int(str(mode), 8) & 0o004
    except ValueError:
        return True
