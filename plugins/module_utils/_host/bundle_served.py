# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a web server gives the files of a bundle, byte for byte."""

from __future__ import annotations

import hashlib
import ssl
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import List, Mapping, Optional, Tuple
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

CHUNK = 1024 * 1024
WORKERS = 4


def served_faults(
    url: str, sums: Mapping[str, str], authority: Optional[str], timeout: float
) -> Tuple[List[str], List[str]]:
    """The files that a server does not give, with its reason, and those that it gives with other bytes."""
    context = ssl.create_default_context(cafile=authority)
    # It stands beside the hosts: a proxy would tell of something else.
    opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))

    def ask(path: str) -> Tuple[str, str]:
        summary = hashlib.sha256()
        try:
            with opener.open(f"{url.rstrip('/')}/{quote(path)}", timeout=timeout) as response:
                for chunk in iter(lambda: response.read(CHUNK), b""):
                    summary.update(chunk)
        except HTTPError as error:
            return "", f"HTTP {error.code}"
        except (OSError, HTTPException, ValueError) as error:
            return "", str(getattr(error, "reason", "") or error)
        return summary.hexdigest(), ""

    paths = sorted(sums)
    with ThreadPoolExecutor(WORKERS) as pool:
        answers = list(zip(paths, pool.map(ask, paths)))
    missing = [f"{path} ({reason})" for path, (_digest, reason) in answers if reason]
    return missing, [path for path, (digest, reason) in answers if not reason and digest != sums[path]]
