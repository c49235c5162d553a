# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one way modules call kubectl: where it is, which kubeconfig, how its output is read."""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ansible.module_utils.basic import AnsibleModule

KUBECONFIG_OPTION: Dict[str, Any] = {"type": "path", "default": "/etc/kubernetes/admin.conf"}
BINARY_FOLDERS = ["/usr/local/bin", "/usr/bin"]
# What passes by itself within seconds. The request may have been carried out or not, so only what can be repeated is.
PASSING = ("etcdserver: leader changed", "etcdserver: request timed out")
REPEATABLE = ("apply", "delete", "get")
TRIES = 5
PAUSE = 2.0


class KubectlError(Exception):
    """kubectl failed; the message is its output."""

    def __init__(self, command: List[str], rc: int, stderr: str) -> None:
        self.command, self.rc, self.stderr = command, rc, stderr.strip()
        super().__init__(f"kubectl {' '.join(command)} failed with exit code {rc}: {self.stderr}")

    @property
    def not_found(self) -> bool:
        """Whether the API server has no such object."""
        return "(NotFound)" in self.stderr


class Kubectl:
    """Runs kubectl with one kubeconfig on the host where the module runs."""

    def __init__(self, module: AnsibleModule, kubeconfig: str, timeout: int = 60, options: Sequence[str] = ()) -> None:
        self.module = module
        self.base = [
            module.get_bin_path("kubectl", required=True, opt_dirs=BINARY_FOLDERS),
            f"--kubeconfig={kubeconfig}",
            f"--request-timeout={timeout}s",
            *options,
        ]

    def run(self, *arguments: str, stdin: Optional[str] = None, ok: Tuple[int, ...] = (0,)) -> str:
        """Standard output of one call, which is repeated while etcd elects a leader.

        Args:
            *arguments: the command after the options that every call shares.
            stdin: what the command reads.
            ok: exit codes that are no failure (kubectl diff exits 1 for a difference).

        Raises:
            KubectlError: on any other exit code.
        """
        tries = TRIES if arguments[0] in REPEATABLE else 1
        while True:
            rc, out, err = self.module.run_command(
                [*self.base, *arguments], data=stdin, binary_data=False, expand_user_and_vars=False
            )
            if rc in ok:
                return str(out)
            tries -= 1
            if not tries or not any(text in err for text in PASSING):
                raise KubectlError(list(arguments), rc, err or out)
            time.sleep(PAUSE)

    def get(self, *arguments: str) -> Any:
        """What kubectl get prints as JSON, parsed; None where the object does not exist."""
        try:
            return json.loads(self.run("get", *arguments, "--output=json"))
        except KubectlError as error:
            if error.not_found:
                return None
            raise

    def read_yaml(self, path: str, text: Optional[str] = None) -> Any:
        """A file's YAML as kubectl reads it, or with the path - that of a text; no API server is asked."""
        arguments = ["patch", "--local", f"--filename={path}", "--type=merge", "--patch={}", "--output=json"]
        return json.loads(self.run(*arguments, stdin=text))
