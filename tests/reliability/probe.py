"""Reads and writes a ConfigMap through the API's endpoint until its input ends; prints each call as a line of JSON.

One file with the standard library alone, so that it runs on any host. Its input is one line of JSON: the fields of
Access and of Plan. Each call is a new TCP and TLS connection, as a new client would make it, and has a deadline. Two
threads call at a fixed pace, one reads and one writes, so that a read that hangs delays no write.

The writer raises a counter by one, each time on condition that nobody else changed the object since (resourceVersion),
so a call whose answer was lost can never overwrite a later one. A write is acknowledged when the API answered 200. A
counter that is read later and is lower than an acknowledged one is a lost write.
"""

from __future__ import annotations

import contextlib
import http
import http.client
import json
import os
import socket
import ssl
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

# How long the object is asked for before the first call and after the last.
PATIENCE = 60.0


class CallError(Exception):
    """A call that was not answered with success."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Access:
    """An API server or what stands before it, and who calls: PEM texts."""

    server: str
    authority: str
    certificate: str
    key: str
    timeout: float = 2.0


@dataclass(frozen=True)
class Plan:
    """What is called, and how often."""

    namespace: str = "default"
    name: str = "reliability-probe"
    interval: float = 0.4  # seconds between two calls of a thread


class Api:
    """The API, one connection a call."""

    def __init__(self, access: Access) -> None:
        self.access = access
        url = urllib.parse.urlsplit(access.server)
        self.host, self.port = url.hostname or "", url.port or 443
        self.tls = ssl.create_default_context(cadata=access.authority)
        with _private_file(access.certificate + access.key) as path:
            self.tls.load_cert_chain(path)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The object that the API answers with.

        Raises:
            CallError: if it does not answer in time, or not with success.
        """
        deadline = time.monotonic() + self.access.timeout
        try:
            with self._connected(deadline) as connection:
                text = None if body is None else json.dumps(body)
                # The connection forgets its socket where the server says that it closes it, as one does that ends.
                socket_ = connection.sock
                connection.request(method, path, text, {"Content-Type": "application/json"})
                socket_.settimeout(_left(deadline))
                response = connection.getresponse()
                socket_.settimeout(_left(deadline))
                content = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise CallError(str(error) or type(error).__name__) from error
        if response.status >= 300:
            raise CallError(f"{response.status} {_message(content)}", response.status)
        answer: dict[str, Any] = json.loads(content)
        return answer

    @contextlib.contextmanager
    def _connected(self, deadline: float) -> Iterator[http.client.HTTPConnection]:
        plain = socket.create_connection((self.host, self.port), timeout=_left(deadline))
        with plain:
            plain.settimeout(_left(deadline))
            with self.tls.wrap_socket(plain, server_hostname=self.host) as secure:
                secure.settimeout(_left(deadline))
                connection = http.client.HTTPConnection(self.host, self.port)
                connection.sock = secure
                yield connection


def _left(deadline: float) -> float:
    """Seconds until then.

    Raises:
        TimeoutError: if there are none.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _message(content: bytes) -> str:
    """What an answer says of its failure, on one line."""
    try:
        text = str(json.loads(content).get("message", ""))
    except (ValueError, AttributeError):
        text = content.decode(errors="replace")
    return " ".join(text.split())[:200]


@contextlib.contextmanager
def _private_file(text: str) -> Iterator[str]:
    """A file with a secret, for as long as it is needed."""
    descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        yield path
    finally:
        os.unlink(path)


@dataclass
class Probe:
    """The two threads, and what they share."""

    call: Callable[[str, str, dict[str, Any] | None], dict[str, Any]]
    plan: Plan
    say: Callable[[dict[str, Any]], None]
    acknowledged: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    # The object as it was last seen by the writer; none if what became of the last write is not known.
    known: dict[str, Any] | None = None

    @property
    def path(self) -> str:
        """Where the ConfigMap is."""
        return f"/api/v1/namespaces/{self.plan.namespace}/configmaps"

    def begin(self) -> None:
        """Make the object, or take the one that is there.

        Raises:
            CallError: if that is not possible for a minute.
        """
        self.known = self.patiently(self.get_or_make)
        self.acknowledged = counter(self.known)

    def patiently(self, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The object, asked for until there is an answer.

        Raises:
            CallError: if there is none for a minute.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return ask()
            except CallError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(self.plan.interval)

    def get_or_make(self) -> dict[str, Any]:
        """The object as it is, or a new one."""
        try:
            return self.get()
        except CallError as error:
            if error.status != http.HTTPStatus.NOT_FOUND:
                raise
        return self.call("POST", self.path, {"metadata": {"name": self.plan.name}, "data": {"counter": "0"}})

    def get(self) -> dict[str, Any]:
        """The object as it is."""
        return self.call("GET", f"{self.path}/{self.plan.name}", None)

    def read(self) -> dict[str, Any]:
        """One read; a counter below an acknowledged one is a lost write."""
        least = self.acknowledged
        found = counter(self.get())
        return {"counter": found, "lost": max(0, least - found)}

    def write(self) -> dict[str, Any]:
        """One write; one whose outcome was not known is looked up first."""
        current, self.known = self.known, None
        if current is None:
            current = self.get()
        wanted = counter(current) + 1
        changed = {**current, "data": {**current.get("data", {}), "counter": str(wanted)}}
        self.known = self.call("PUT", f"{self.path}/{self.plan.name}", changed)
        lost = max(0, self.acknowledged - counter(current))
        self.acknowledged = max(self.acknowledged, counter(self.known))
        return {"counter": wanted, "lost": lost}

    def pace(self, name: str, work: Callable[[], dict[str, Any]]) -> None:
        """Call again and again until the end, and tell of each call."""
        due = time.monotonic()
        while not self.ended.wait(max(0.0, due - time.monotonic())):
            started, at = time.monotonic(), time.time()
            try:
                outcome = {"ok": True, **work()}
            except CallError as error:
                outcome = {"ok": False, "error": str(error)}
            self.say({"call": name, "at": round(at, 3), "seconds": round(time.monotonic() - started, 3), **outcome})
            # After a call that took long there is no rush to make up for it.
            due = max(due + self.plan.interval, time.monotonic())

    def run(self, until: Callable[[], object]) -> None:
        """Call until something returns, then look at what is left."""
        self.begin()
        threads = [
            threading.Thread(target=self.pace, args=pair) for pair in (("read", self.read), ("write", self.write))
        ]
        for thread in threads:
            thread.start()
        until()
        self.ended.set()
        for thread in threads:
            thread.join()
        found = counter(self.patiently(self.get))
        self.say({"call": "end", "counter": found, "lost": max(0, self.acknowledged - found)})


def counter(configmap: dict[str, Any]) -> int:
    """The counter in the object."""
    return int(configmap["data"]["counter"])


def main() -> None:
    """Call as the first line of the input says, until the input ends."""
    given = json.loads(sys.stdin.readline())
    lock = threading.Lock()

    def say(line: dict[str, Any]) -> None:
        with lock:
            print(json.dumps(line), flush=True)

    probe = Probe(Api(Access(**given["access"])).call, Plan(**given.get("plan", {})), say)
    try:
        probe.run(sys.stdin.read)
    except CallError as error:
        sys.exit(f"the probe's object cannot be read: {error}")


if __name__ == "__main__":
    main()
