# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that ask or change an etcd cluster share: their options, and how they begin and end."""

from __future__ import annotations

from typing import Any, Dict, Tuple, Type

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.api_server import client_of_api_server
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import (
    CLIENT_OPTIONS,
    CLIENT_REQUIRED_TOGETHER,
    Etcd,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.members import RefusedError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import QuorumError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.tools import EtcdError

GUARD_OPTIONS: Dict[str, Any] = {
    "allow_downtime": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
    "max_lag": {"type": "int", "default": 100},
}


class EtcdModule:
    """One run of a module; what it has put in its result is returned also when it fails."""

    errors: Tuple[Type[Exception], ...] = (EtcdError, QuorumError)

    def __init__(self, module: AnsibleModule) -> None:
        if module.params.get("api_server"):
            module.params.update(client_of_api_server(module.params["api_server"]))
        self.module, self.options = module, module.params
        self.etcd = Etcd(module)
        self.result: Dict[str, Any] = {"changed": False}

    def run(self) -> None:
        """Do what the options ask for, and fill the result."""
        raise NotImplementedError

    @classmethod
    def main(cls, arguments: Dict[str, Any], **rules: Any) -> None:
        """Run the module.

        Args:
            arguments: its options without those of etcd's client.
            rules: what else AnsibleModule is to know, such as required_if.
        """
        module = AnsibleModule(
            argument_spec={**arguments, **CLIENT_OPTIONS},
            required_together=CLIENT_REQUIRED_TOGETHER,
            supports_check_mode=True,
            **rules,
        )
        try:
            job = cls(module)
        except cls.errors as error:
            module.fail_json(**failure(error))
        try:
            job.run()
        except RefusedError as error:
            module.fail_json(msg=str(error), **{**job.result, "reasons": error.reasons})
        except cls.errors as error:
            module.fail_json(**{**job.result, **failure(error)})
        module.exit_json(**job.result)


def failure(error: Exception) -> Dict[str, Any]:
    """What a module returns of an error: its message, and the word for programs where it has one."""
    if isinstance(error, OSError) and error.filename:
        return {"msg": f"{error.filename}: {error.strerror}"}
    fault = getattr(error, "fault", None)
    return {"msg": str(error), **({"fault": fault} if fault else {})}
