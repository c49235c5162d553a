# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges all hosts on the controller, once, by what host_facts read of them."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import between, outside
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.host_machine import missing_packages
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.kubelet_versions import kubelet_versions
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.preflight import find_faults, read_nodes

OPTIONS: dict[str, Any] = {
    "results": {"type": "dict", "required": True},
    "settings": {"type": "dict", "required": True},
    "between": {"type": "dict", "default": {}},
    "left_out": {"type": "list", "elements": "dict", "default": []},
    "ignore": {"type": "raw", "default": []},
}


class ActionModule(ActionBase):
    """Finds every fault of every host and fails with one message."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge, and fail with one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        nodes = read_nodes(options["results"], options["settings"])
        left_out = {outcome["item"]: outcome["host"] for outcome in options["left_out"] if "host" in outcome}
        found = [
            *find_faults(nodes),
            *kubelet_versions(nodes, left_out),
            *outside.clones(nodes, left_out),
            *between.faults(nodes, options["between"]),
        ]
        found = faults.apply_ignore(found, options["ignore"])
        ending = (
            "No host was changed. Correct this and run again; where a fault is meant to be, add the name in its "
            "brackets to preflight_ignore."
        )
        names = [node.name for node in nodes]
        printed = faults.show_errors(found, names, "Preflight")
        result.update(faults.as_result(found, names, "Preflight", ending, printed))
        if not result.get("failed"):
            result["packages"] = {node.name: missing_packages(node) for node in nodes}
        return result
