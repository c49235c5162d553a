# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a token of an identity provider logs in at the API server of this host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import one_line
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi

HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Login:
    """A token, and as whom it must log in; as anybody if that is empty."""

    token: str
    user: str = ""

    def lacking(self, api: OwnApi) -> str:
        """Why the API server does not know it, or knows it as somebody else; empty where all is well.

        The API server is asked about the token by an administrator, so that it is on no command line.
        """
        spec: Dict[str, Any] = {"token": self.token}
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        try:
            status = json.loads(api.create(review)).get("status") or {}
        except KubectlError as error:
            return self._hidden(error.stderr)
        if not status.get("authenticated"):
            reason = self._hidden(str(status.get("error") or ""))
            return f"the token does not log in{f': {reason}' if reason else ''}"
        name = str((status.get("user") or {}).get("username") or "")
        if self.user and name != self.user:
            return f"the token logs in as {name}, not as {self.user}"
        return ""

    def _hidden(self, text: str) -> str:
        return one_line(text.replace(self.token, HIDDEN))
