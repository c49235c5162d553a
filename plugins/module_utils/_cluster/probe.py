# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a cluster ask with: kubectl from several threads under one deadline, and plain HTTP."""

from __future__ import annotations

import http.client
import os
import re
import select
import subprocess
import threading
import time
from contextlib import contextmanager
from typing import IO, Callable, Iterator, List, Optional, Set, Tuple, TypeVar, cast

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError

Answer = TypeVar("Answer")

# kubectl port-forward prints one such line for each local address.
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")
# The exit code that timeout(1) gives for a command that took too long.
TIMED_OUT = 124


class ProbeError(Exception):
    """Something did not answer as it should; the message says what came instead."""


class ConcurrentKubectl(Kubectl):
    """kubectl for several threads at once: no call outlives the deadline, and stop() ends those that run."""

    def __init__(self, module: AnsibleModule, kubeconfig: str, seconds: float, call_seconds: int = 30) -> None:
        super().__init__(module, kubeconfig, timeout=call_seconds)
        self.deadline = time.monotonic() + seconds
        self.call_seconds = call_seconds
        self._running: Set[subprocess.Popen[bytes]] = set()
        # Reentrant: a signal handler that calls stop() may interrupt a thread that holds it.
        self._lock = threading.RLock()
        self._stopped = threading.Event()

    @property
    def seconds_left(self) -> float:
        """How long calls may still take."""
        return max(0.0, self.deadline - time.monotonic())

    def pause(self, seconds: float) -> bool:
        """Wait; False where there is no more time, or the module is being stopped."""
        seconds = min(seconds, self.seconds_left)
        return not self._stopped.wait(seconds) and self.seconds_left > 0

    def stop(self) -> None:
        """End what runs and refuse what comes."""
        with self._lock:
            self._stopped.set()
            for process in self._running:
                process.kill()

    def run(self, *arguments: str, stdin: Optional[str] = None, ok: Tuple[int, ...] = (0,)) -> str:
        """Standard output of one call; see Kubectl.run."""
        seconds = min(float(self.call_seconds), self.seconds_left)
        with self._process(arguments, stdin is not None) as process:
            try:
                out, err = process.communicate(stdin.encode() if stdin is not None else None, timeout=seconds)
            except subprocess.TimeoutExpired:
                raise KubectlError(list(arguments), TIMED_OUT, f"no answer within {seconds:.0f} s") from None
        if process.returncode not in ok:
            # The output of a command in a pod may stand on both.
            outputs = [err, out] if arguments[0] == "exec" else [err or out]
            message = b"\n".join(part for part in outputs if part).decode("utf-8", "replace")
            raise KubectlError(list(arguments), process.returncode, message)
        return out.decode("utf-8", "replace")

    @contextmanager
    def forward(self, namespace: str, pod: str, port: int) -> Iterator[int]:
        """A local port that leads to a port of a pod, as long as the context lasts.

        Raises:
            ProbeError: that of the context, with kubectl's output.
        """
        arguments = ("port-forward", f"--namespace={namespace}", "--address=127.0.0.1", f"pod/{pod}", f":{port}")
        with self._process(arguments, False) as process:
            local_port = self._forwarded_port(process, arguments)
            try:
                yield local_port
            except ProbeError as error:
                process.kill()
                output = process.communicate()[1].decode("utf-8", "replace").strip()
                raise ProbeError(f"{error}; kubectl port-forward: {output}" if output else str(error)) from error

    @contextmanager
    def _process(self, arguments: Tuple[str, ...], feed: bool) -> Iterator[subprocess.Popen[bytes]]:
        with self._lock:
            if self._stopped.is_set():
                raise KubectlError(list(arguments), TIMED_OUT, "not started: the checks are being stopped")
            if not self.seconds_left:
                raise KubectlError(list(arguments), TIMED_OUT, "not started: the time of all checks is over")
            # run_command waits for the end of a program; a port-forward has to go on meanwhile.
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                [*self.base, *arguments],
                stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running.discard(process)
            process.kill()
            process.communicate()

    def _forwarded_port(self, process: subprocess.Popen[bytes], arguments: Tuple[str, ...]) -> int:
        stdout: IO[bytes] = cast("IO[bytes]", process.stdout)
        until = time.monotonic() + min(float(self.call_seconds), self.seconds_left)
        output = b""
        while time.monotonic() < until:
            if not select.select([stdout], [], [], until - time.monotonic())[0]:
                break
            part = os.read(stdout.fileno(), 4096)
            output += part
            found = FORWARDING.search(output.decode("utf-8", "replace"))
            if found:
                return int(found.group(1))
            if not part:
                message = process.communicate()[1].decode("utf-8", "replace")
                raise KubectlError(list(arguments), process.returncode, message or "ended without a word")
        raise KubectlError(list(arguments), TIMED_OUT, "no port was opened in time")


def fetch(address: str, port: int, path: str, seconds: float = 5, host: str = "") -> str:
    """The body of an HTTP answer with status 200, asked for without a proxy, by another host's name if one is given.

    Raises:
        ProbeError: where no answer came, or another one.
    """
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Connection": "close", **({"Host": host} if host else {})})
        answer = connection.getresponse()
        body = answer.read(65536).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise ProbeError(str(error) or type(error).__name__) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise ProbeError(f"HTTP status {answer.status}")
    return body


def patiently(kubectl: ConcurrentKubectl, action: Callable[[], Answer], until: float) -> Answer:
    """What an action returns, tried once and again until it works; its last error where it does not by then.

    Args:
        kubectl: whose own deadline also ends it.
        action: raises KubectlError or ProbeError where it does not work.
        until: the time (of time.monotonic) after which it is not tried again.
    """
    pause = 1.0
    while True:
        try:
            return action()
        except (KubectlError, ProbeError):
            if time.monotonic() >= until or not kubectl.pause(pause):
                raise
        pause = min(pause * 2, 5)


def spread_sample(every: List[Answer], count: int) -> List[Answer]:
    """As many of the list as count says, taken evenly from all of it; all where count is 0."""
    if count <= 0 or len(every) <= count:
        return list(every)
    return [every[index * len(every) // count] for index in range(count)]
