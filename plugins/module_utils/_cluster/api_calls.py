# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API over HTTP: what kubectl does not tell, such as why an eviction is refused, and many calls at once.

kubectl proxy listens on a socket in a folder of root's own, and brings the credentials of any kubeconfig.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional
from urllib.parse import quote

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import BINARY_FOLDERS

Object = Dict[str, Any]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
START = 20.0
TRIES = 5
PAUSE = 2.0
# After the module's own time the proxy ends by itself, should the module have been killed.
SPARE = 120


class ApiError(Exception):
    """The API server did not answer as it should; the message says what came instead."""


@dataclass(frozen=True)
class Answer:
    """What came back; code 0 is no answer."""

    code: int
    body: Object = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether it was done."""
        return 200 <= self.code < 300

    @property
    def passing(self) -> bool:
        """Whether it may well be good a moment later."""
        return self.code in (0, 429) or self.code >= 500

    @property
    def message(self) -> str:
        """What the server said, in one line."""
        return " ".join(str(self.body.get("message") or f"HTTP status {self.code}").split())

    @property
    def causes(self) -> List[str]:
        """The details that it gave."""
        details = self.body.get("details") or {}
        return [str(cause.get("message") or "") for cause in details.get("causes") or []]


def answer_of(code: int, body: Object) -> Answer:
    """An answer by its body, where that says more: a refused eviction may come with HTTP status 201."""
    if body.get("kind") == "Status" and body.get("status") == "Failure":
        return Answer(int(body.get("code") or code), body)
    return Answer(code, body)


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Api:
    """Calls of the API, from several threads if wanted, as long as the context lasts."""

    def __init__(self, module: AnsibleModule, kubeconfig: str, seconds: float, call_seconds: float = 30) -> None:
        """Nothing is started yet.

        Args:
            module: to find kubectl.
            kubeconfig: whose rights are used.
            seconds: how long the calls may go on in all.
            call_seconds: how long one may take.
        """
        self.kubectl = module.get_bin_path("kubectl", required=True, opt_dirs=BINARY_FOLDERS)
        self.kubeconfig, self.seconds, self.call_seconds = kubeconfig, seconds, call_seconds
        self._folder = ""
        self._process: Optional[subprocess.Popen[bytes]] = None

    def __enter__(self) -> Api:
        """Start the proxy.

        Raises:
            ApiError: if it does not start.
        """
        self._folder = tempfile.mkdtemp(prefix="groundwork-api-")
        # run_command waits for the end of a program; this one ends with the context.
        self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["timeout", str(int(self.seconds) + SPARE), self.kubectl, f"--kubeconfig={self.kubeconfig}", "proxy",
             f"--unix-socket={self._socket}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        end = time.monotonic() + START
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() >= end:
                said = self._stop()
                raise ApiError(f"kubectl proxy did not start: {said or f'nothing within {START:.0f} s'}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_error: object) -> None:
        """End it."""
        self._stop()

    def call(self, method: str, path: str, body: Optional[Object] = None, kind: str = JSON) -> Answer:
        """One call, made once."""
        connection = _SocketConnection(self._socket, self.call_seconds)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, body=text, headers={"Content-Type": kind, "Accept": JSON})
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {"message": f"the API server does not answer: {error or type(error).__name__}"})
        finally:
            connection.close()
        try:
            parsed = json.loads(content)
        except ValueError:
            parsed = {"message": content.decode("utf-8", "replace")}
        return answer_of(response.status, parsed if isinstance(parsed, dict) else {})

    def get(self, path: str, **query: str) -> Optional[Object]:
        """What is read there, tried again where that may help; None where there is no such object.

        Raises:
            ApiError: if it cannot be read.
        """
        full = path + ("?" + "&".join(f"{key}={quote(value)}" for key, value in query.items()) if query else "")
        for _attempt in range(TRIES):
            answer = self.call("GET", full)
            if answer.good:
                return answer.body
            if answer.code == 404:
                return None
            if not answer.passing:
                break
            time.sleep(PAUSE)
        raise ApiError(f"{full} cannot be read: {answer.message}")

    def items(self, path: str, **query: str) -> List[Object]:
        """The objects of a list; none where the server does not know their kind.

        Raises:
            ApiError: if it cannot be read.
        """
        return list((self.get(path, **query) or {}).get("items") or [])

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(self._socket) == 0

    @property
    def _socket(self) -> str:
        return os.path.join(self._folder, "socket")

    def _stop(self) -> str:
        said = b""
        if self._process:
            self._process.terminate()
            said = self._process.communicate()[1]
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)
        return said.decode("utf-8", "replace").strip()
