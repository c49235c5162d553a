# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs programs as a task asks for it: the options, and what comes of them."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifact_installer import Installer, act
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifact_plan import make_plan
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader

MEMBER: Dict[str, Any] = {
    "source": {"type": "str", "required": True},
    "dest": {"type": "path"},
    "mode": {"type": "str"},
    "optional": {"type": "bool", "default": False},
}
# Those of every module that installs programs, and those of the module artifacts alone.
OPTIONS: Dict[str, Any] = {
    "artifacts": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "url": {"type": "str"},
            "checksum": {"type": "str"},
            "dest": {"type": "path"},
            "members": {"type": "list", "elements": "dict", "options": MEMBER},
            "strip": {"type": "int", "default": 0},
            "mode": {"type": "str", "default": "0755"},
            "owner": {"type": "str", "default": "0"},
            "group": {"type": "str", "default": "0"},
        },
        "required_if": [("state", "present", ("url", "checksum", "dest"))],
    },
    "allow_http": {"type": "bool", "default": False},
    "require_digests": {"type": "bool", "default": False},
}
LIMITS: Dict[str, Any] = {
    "state_dir": {"type": "path", "default": "/var/lib/groundwork/artifacts"},
    "timeout": {"type": "int", "default": 30},
    "retries": {"type": "int", "default": 3},
    "validate_certs": {"type": "bool", "default": True},
}


def install(module: AnsibleModule, options: Mapping[str, Any]) -> Dict[str, Any]:
    """Download, verify and install; nothing is installed in check mode.

    Args:
        module: to run programs.
        options: OPTIONS, and LIMITS as far as they are not the defaults.

    Raises:
        ArtifactError: with every fault, before anything is installed.
    """
    params = {**{name: limit["default"] for name, limit in LIMITS.items()}, **options}
    downloader = Downloader(params["timeout"], params["retries"], params["validate_certs"], params["allow_http"])
    installer = Installer(module, downloader, params["state_dir"])
    plan = make_plan(params["artifacts"], params["state_dir"], params["allow_http"], params["require_digests"])
    changed = plan.changes()
    digests = {name: stamp.digest for name, stamp in plan.stamps.items() if stamp}
    if not module.check_mode and (plan.missing or plan.removed or any(changed.values())):
        for name, (paths, digest) in act(plan, installer).items():
            changed[name] = paths
            digests[name] = digest
    result: Dict[str, Any] = {
        "changed": any(changed.values()),
        "changed_paths": [path for paths in changed.values() for path in paths],
        "artifacts": {
            artifact.name: {
                "changed": bool(changed[artifact.name]),
                "checksum": digests.get(artifact.name, artifact.checksum),
                "paths": changed[artifact.name],
            }
            for artifact in plan.artifacts
        },
    }
    if module._diff and result["changed"]:
        result["diff"] = plan.diff()
    return result
