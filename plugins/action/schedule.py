# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the program of a schedule on the controller; the module of the same name installs it on the host."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_units import faults, settings_text
from ansible_collections.groundwork.kubernetes.plugins.modules.schedule import ARGUMENTS, REQUIRED_IF
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.timer_program import build

COLLECTION = "groundwork.kubernetes"
PLUGINS = Path(__file__).resolve().parents[1]
INTERNAL = ("program", "settings")
HIDDEN = "(not shown)"


class ActionModule(ActionBase):
    """The controller's half of the module schedule."""

    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the task."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        spec = {name: option for name, option in ARGUMENTS.items() if name not in INTERNAL}
        _spec, options = self.validate_argument_spec(argument_spec=spec, required_if=REQUIRED_IF)
        # As the user wrote them: a path's ~ is the managed host's.
        arguments = {name: value for name, value in self._task.args.items() if name != "parameters"}
        try:
            arguments.update(self._built(options, self._task.args.get("parameters") or {}))
        except ValueError as error:
            return {**result, "failed": True, "msg": str(error)}
        result.update(
            self._execute_module(module_name=f"{COLLECTION}.schedule", module_args=arguments, task_vars=task_vars)
        )
        shown = {**options, "parameters": HIDDEN}
        result["invocation"] = {"module_args": shown}
        return result

    def _built(self, options: Mapping[str, Any], parameters: Mapping[str, Any]) -> Dict[str, str]:
        """The internal options of the module.

        Raises:
            ValueError: with all that is wrong with the task's options.
        """
        found = faults(options)
        if options["state"] == "absent":
            if found:
                raise ValueError("\n".join(found))
            return {}
        module = (options["module"] or "").removeprefix(f"{COLLECTION}.")
        values: Dict[str, Any] = {}
        try:
            values = plain(parameters, "parameters")
            if module:
                values, wrong = checked_parameters(module, values)
                found += wrong
        except ValueError as error:
            found.append(str(error))
        if found:
            raise ValueError("\n".join(found))
        return {
            "module": module,
            "program": base64.b64encode(zlib.compress(build(module), 9)).decode(),
            "settings": settings_text(options["name"], values, options["state_file"]),
        }


def plain(value: Any, where: str) -> Any:
    """A value of plain types, which JSON can hold.

    Raises:
        ValueError: if it is of another type.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) or hasattr(value, "__ENCRYPTED__"):  # a variable of the vault, before ansible-core 2.19
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{where}[{number}]") for number, item in enumerate(value)]
    raise ValueError(f"{where}: a {type(value).__name__} cannot be written as JSON, give it as text")


def checked_parameters(module: str, parameters: Mapping[str, Any]) -> Tuple[Dict[str, Any], List[str]]:
    """The parameters of a module in the types of its documentation, and what is wrong with them."""
    path = PLUGINS / "modules" / f"{module}.py"
    if not module.isidentifier() or not path.is_file():
        return {}, [f"module: {COLLECTION} has no module {module!r}"]
    if (PLUGINS / "action" / path.name).exists():
        return {}, [f"module: a part of {module} runs on the controller, so it cannot run without Ansible"]
    documentation = get_docstring(str(path), fragment_loader, collection_name=COLLECTION, plugin_type="module")[0]
    values, wrong = convert(documentation["options"], parameters)
    return values, [f"parameters of {module}: {text}" for text in wrong]


def convert(
    options: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Any]
) -> Tuple[Dict[str, Any], List[str]]:
    """Parameters in the types that a module's documentation describes, and what is wrong with them.

    What the host lacks is not known here, nor what its ~ is: paths are texts.
    """
    checked = ArgumentSpecValidator(argument_spec(options)).validate(dict(parameters))
    given = {name: value for name, value in checked.validated_parameters.items() if name in parameters}
    return plain(given, "parameters"), list(checked.error_messages)


def argument_spec(options: Mapping[str, Mapping[str, Any]]) -> Dict[str, Dict[str, Any]]:
    """The argument specification that a module's documentation describes, with texts for paths."""
    taken = ("type", "elements", "required", "choices", "default", "aliases")
    return {
        name: {
            **{key: "str" if option[key] == "path" else option[key] for key in taken if key in option},
            **({"options": argument_spec(option["suboptions"])} if "suboptions" in option else {}),
        }
        for name, option in options.items()
    }
