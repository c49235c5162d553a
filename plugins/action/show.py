# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a text, a plan or what came of it, on the controller."""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.plan import PlanError, shown

OPTIONS: dict[str, Any] = {
    "text": {"type": "str"},
    "plan": {"type": "list", "elements": "dict"},
    "results": {"type": "list", "elements": "dict"},
}


class ActionModule(ActionBase):
    """Lines for people as the message; the records stay beside them for callbacks, as its arguments."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Show them."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS, required_one_of=[tuple(OPTIONS)])
        try:
            lines = shown(options["text"], options["plan"], options["results"])
        except PlanError as error:
            return {**result, "failed": True, "msg": str(error)}
        # With YAML Ansible's default callback prints the lines of a text, with JSON those of a list.
        form = constants.config.get_config_value("result_format", plugin_type="callback", plugin_name="default")
        return {
            **result,
            "changed": False,
            "msg": "\n".join(lines) if form == "yaml" else lines,
            "invocation": {"module_args": {name: options[name] for name in ("plan", "results")}},
            "_ansible_verbose_always": True,
        }
