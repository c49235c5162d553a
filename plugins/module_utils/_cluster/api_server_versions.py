# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions a cluster's API servers run, asked by one of its nodes with what its kubelet has."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.connections import at_once

AUTHORITY = "/etc/kubernetes/pki/ca.crt"
CLIENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"
LONGEST_ANSWER = 65536


@dataclass(frozen=True)
class ApiServer:
    """What an API server answered: its version such as 1.36.5, or why it did not."""

    server: str
    version: str
    error: str


def _context(authority: str, client: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority)
    # Most API servers tell anybody; one that admits nobody without a name tells its nodes.
    if os.path.exists(client):
        context.load_cert_chain(client)
    return context


def _place(server: str) -> Tuple[str, int]:
    host, _colon, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def ask(server: str, timeout: float, authority: str = AUTHORITY, client: str = CLIENT) -> ApiServer:
    """Ask one API server, given as host:port, for its version."""
    try:
        host, port = _place(server)
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=_context(authority, client))
        try:
            connection.request("GET", "/version")
            answer = connection.getresponse()
            body = answer.read(LONGEST_ANSWER)
        finally:
            connection.close()
        if answer.status != http.client.OK:
            return ApiServer(server, "", f"it answers {answer.status} {answer.reason}")
        version = str(json.loads(body)["gitVersion"])
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or error.reason or str(error)
        return ApiServer(server, "", f"it is not trusted: {why}")
    except FileNotFoundError:
        return ApiServer(server, "", f"there is no {authority} to trust it by")
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        return ApiServer(server, "", getattr(error, "strerror", None) or str(error) or type(error).__name__)
    return ApiServer(server, version[1:] if version.startswith("v") else version, "")


def ask_all(
    servers: Sequence[str], timeout: float, authority: str = AUTHORITY, client: str = CLIENT
) -> List[Dict[str, Any]]:
    """Ask all at the same time. One that hangs is left behind at the deadline."""
    found = at_once(lambda server: ask(server, timeout, authority, client), servers, timeout)
    late = f"no answer within {timeout:g} s"
    return [asdict(found.get(server, ApiServer(server, "", late))) for server in dict.fromkeys(servers)]
