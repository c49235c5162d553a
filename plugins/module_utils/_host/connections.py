# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts to reach other machines by TCP, or the proxies that the environment names for them."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import is_bypassed

# Seconds beyond the timeout in which a name may still be resolved.
GRACE = 1.0
DEFAULT_PORTS = {"http": 80, "https": 443}
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Connection:
    """An attempt to reach something by TCP."""

    target: str
    via: str
    state: str  # connected, refused, timeout, unresolved or unreachable
    error: str
    milliseconds: int


def parse_endpoint(target: str) -> Tuple[str, int]:
    """Host and port of a URL, of host:port or of a host alone (port 443).

    Raises:
        ValueError: where it is none of these.
    """
    parts = urlsplit(target if "://" in target else "//" + target)
    if not parts.hostname:
        raise ValueError(f"{target!r} is neither a URL nor host:port")
    return parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme, 443)


def environment_proxies() -> Dict[str, Any]:
    """For which schemes the environment names a proxy, which may hold a secret, and who is reached without one."""
    found = getproxies_environment()
    return {"schemes": [scheme for scheme in ("http", "https") if found.get(scheme)], "no_proxy": found.get("no", "")}


def _proxy_for(target: str) -> Optional[str]:
    """The proxy that the environment names for a URL."""
    parts = urlsplit(target)
    proxy = getproxies_environment().get(parts.scheme) if parts.scheme else None
    if not proxy:
        return None
    host, port = parse_endpoint(target)
    return None if is_bypassed(host, port, getproxies_environment().get("no", "")) else proxy


def connect(target: str, timeout: float) -> Connection:
    """Open and close one TCP connection to a URL or host:port, or to the proxy that is set for it."""
    proxy = _proxy_for(target)
    started, state, error = time.monotonic(), "connected", ""
    try:
        socket.create_connection(parse_endpoint(proxy or target), timeout=timeout).close()
    except ConnectionRefusedError as problem:
        state, error = "refused", problem.strerror or str(problem)
    except socket.gaierror as problem:
        state, error = "unresolved", problem.strerror or str(problem)
    except socket.timeout:
        state, error = "timeout", f"no answer within {timeout:g} s"
    except (OSError, UnicodeError) as problem:
        state, error = "unreachable", getattr(problem, "strerror", None) or str(problem)
    # The proxy's URL may hold an account.
    via = urlsplit(proxy).netloc.rpartition("@")[2] or proxy if proxy else ""
    return Connection(target, via, state, error, int((time.monotonic() - started) * 1000))


def at_once(action: Callable[[str], Answer], targets: Sequence[str], timeout: float) -> Dict[str, Answer]:
    """What an action gives for each target, all at the same time.

    One that hangs is left behind at the deadline, and left out: a resolver that hangs cannot be interrupted.
    """
    done: Dict[str, Answer] = {}

    def attempt(target: str) -> None:
        done[target] = action(target)

    threads = [threading.Thread(target=attempt, args=(target,), daemon=True) for target in dict.fromkeys(targets)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout + GRACE
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return {target: done[target] for target in dict.fromkeys(targets) if target in done}


def connect_all(targets: Sequence[str], timeout: float) -> List[Connection]:
    """Try all targets at the same time."""
    done = at_once(lambda target: connect(target, timeout), targets, timeout)
    late = f"no answer within {timeout:g} s; its name may not resolve"
    return [
        done.get(target, Connection(target, "", "timeout", late, int(timeout * 1000)))
        for target in dict.fromkeys(targets)
    ]


def connection_facts(connections: Sequence[Connection]) -> List[Dict[str, Any]]:
    """The attempts as plain data."""
    return [asdict(connection) for connection in connections]
