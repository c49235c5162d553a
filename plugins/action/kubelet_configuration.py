# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds on the controller the kubelet's configuration that all control planes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import raw_variables
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.kubelet import configuration_of, in_common

DRIVER = "kubernetes_cgroup_driver"
SETTINGS = ("kubernetes_kubelet_shutdown", "kubernetes_kubelet_security", "kubernetes_kubelet_configuration")


class ActionModule(ActionBase):
    """Evaluates the variables of control planes, also of those that the run leaves out."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Give the configuration that is stored in the cluster."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            {"control_planes": {"type": "list", "elements": "str", "required": True}}
        )
        variables, names = task_vars or {}, options["control_planes"]
        # What a play of other hosts sets for itself is not what the play of the control planes sets.
        own_play = bool(set(names) & set(variables.get("ansible_play_hosts_all", [])))
        found = [self._configuration(name, variables, own_play) for name in names]
        result.update(
            changed=False,
            configuration=in_common(found),
            differs=any(configuration != found[0] for configuration in found),
        )
        return result

    def _configuration(self, name: str, task_vars: dict[str, Any], own_play: bool) -> dict[str, Any]:
        raw = raw_variables(self._task, task_vars, name, of_play=own_play)
        templar = Templar(loader=self._loader, variables=raw)
        try:
            driver = str(templar.template(raw[DRIVER]))
        except AnsibleError:
            driver = ""
        return configuration_of(driver, *(known(self._loader, raw, raw.get(setting)) for setting in SETTINGS))


def known(loader: DataLoader, variables: dict[str, Any], value: Any) -> dict[str, Any]:
    """What can be evaluated of a mapping; what needs facts of a host that is not there is left out, key by key."""
    try:
        found = Templar(loader=loader, variables=variables).template(value)
        return dict(found) if isinstance(found, Mapping) else {}
    except AnsibleError:
        if not isinstance(value, Mapping):
            return {}
    kept = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            kept[key] = known(loader, variables, inner)
            continue
        try:
            kept[key] = Templar(loader=loader, variables=variables).template(inner)
        except AnsibleError:
            continue
    return kept
