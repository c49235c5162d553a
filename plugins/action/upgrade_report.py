# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges an upgrade on the controller, once, by what upgrade_info read of all hosts."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import upgrade_plan
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removals import Setting
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_faults import find_faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_request import Host, Request

OPTIONS: dict[str, Any] = {
    "version": {"type": "str", "required": True},
    "results": {"type": "dict", "required": True},
    "cluster": {"type": "dict", "required": True},
    "nodes": {"type": "dict", "required": True},
    "control_planes": {"type": "list", "elements": "str", "required": True},
    "variables": {"type": "list", "elements": "dict", "default": []},
    "kubelet_flags": {"type": "list", "elements": "str", "default": []},
    "batch": {"type": "str", "default": "1"},
    "drains": {"type": "bool", "default": False},
    "previews": {"type": "list", "elements": "dict", "default": []},
    "purposes": {"type": "dict", "default": {}},
    "backup": {"type": "bool", "default": True},
    "etcd": {"type": "dict", "default": {}},
    "runtime": {"type": "str", "default": ""},
    "etcd_tag": {"type": "str", "default": ""},
    "ignore": {"type": "raw", "default": []},
}


def read_request(options: dict[str, Any]) -> Request:
    """What the action's options say."""
    planes = options["control_planes"]
    hosts = [
        Host(name, options["nodes"][name], name in planes, facts, options["kubelet_flags"])
        for name, facts in options["results"].items()
        if facts["joined"] or name in planes
    ]
    variables = [
        Setting(one["component"], argument["name"], str(argument["value"]), one["variable"])
        for one in options["variables"]
        for argument in one["arguments"]
    ]
    return Request(
        options["version"],
        hosts,
        options["cluster"],
        [name for name in planes if name not in options["results"]],
        variables,
        options["drains"],
        options["purposes"],
        {preview["item"]: preview.get("reasons") or [] for preview in options["previews"]},
        options["etcd"],
        options["runtime"],
        options["etcd_tag"],
    )


def evicted(previews: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The pods that each drain evicts, by node."""
    return {
        preview["item"]: [pod for step in preview.get("plan") or [] for pod in step.get("evicts") or []]
        for preview in previews
    }


class ActionModule(ActionBase):
    """Finds everything that speaks against an upgrade and fails with one message, or gives the plan."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Judge, and fail with one message."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        request = read_request(options)
        try:
            release(request.version)
            size = upgrade_plan.batch_size(options["batch"], len(request.workers))
            found = find_faults(request, options["ignore"])
        except (ReleaseError, ValueError) as error:
            return {**result, "failed": True, "msg": str(error)}
        names = [host.name for host in request.hosts]
        ending = (
            "Nothing was changed. Correct this and run again; where a fault is meant to be, add the name in its "
            "brackets to upgrade_ignore."
        )
        printed = faults.show_errors(found, names, "Upgrade")
        result.update(faults.as_result(found, names, "Upgrade", ending, printed))
        if not result.get("failed"):
            first = upgrade_plan.leader(request)
            steps = upgrade_plan.steps(request, evicted(options["previews"]), options["backup"])
            result.update(
                leader=first.name if first else "",
                apply=upgrade_plan.cluster_is_due(request),
                batches=upgrade_plan.batches(request, size),
                plan=[step.describe() for step in steps],
                before={host.name: request.kubelet(host) for host in request.hosts},
                unready=sorted(request.cluster["unready"]),
            )
        return result
