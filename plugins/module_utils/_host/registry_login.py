# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of registries, in a file that docker login, podman login or skopeo login has written.

https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
"""

from __future__ import annotations

import json
from typing import Dict, Mapping
from urllib.parse import urlsplit

# How these programs call the server of docker.io.
DOCKER = {"index.docker.io": "registry-1.docker.io", "docker.io": "registry-1.docker.io"}


class LoginError(Exception):
    """Why such a file cannot be used; nothing of it is in the message."""


def read_logins(path: str) -> Dict[str, str]:
    """User and password by server, encoded as for Basic; none where no file is named.

    Raises:
        LoginError: where it cannot be used.
    """
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8") as stream:
            document = json.load(stream)
        entries = document.get("auths") if isinstance(document, Mapping) else None
    except OSError as error:
        raise LoginError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        entries = None
    if not isinstance(entries, Mapping):
        raise LoginError(f"{path} is no file of docker login, podman login or skopeo login")
    found = {}
    for name, entry in entries.items():
        server = urlsplit(name if "://" in name else f"//{name}").netloc
        auth = entry.get("auth") if isinstance(entry, Mapping) else None
        if not isinstance(auth, str) or not auth:
            raise LoginError(
                f"{path} has no password for {server}, but leaves it to another program; log in with --authfile, into "
                "a file of its own"
            )
        found[DOCKER.get(server, server)] = auth
    return found
