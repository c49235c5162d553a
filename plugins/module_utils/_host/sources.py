# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether files are where they are to be downloaded from: their heads are asked for, many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Dict, List, Sequence
from urllib.error import HTTPError

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible.module_utils.urls import open_url

AT_A_TIME = 16
# Servers that answer so know no HEAD, or sign addresses for GET alone.
ANSWERS_TO_HEAD = (403, 405, 501)


def missing(url: str, timeout: float) -> str:
    """Why a file cannot be had; empty where it can."""
    why = _asked(url, timeout, "HEAD")
    return _asked(url, timeout, "GET") if why in {f"HTTP {status}" for status in ANSWERS_TO_HEAD} else why


def _asked(url: str, timeout: float, method: str) -> str:
    try:
        # Of what GET would give nothing is read.
        open_url(url, method=method, timeout=timeout, follow_redirects="safe").close()
    except HTTPError as error:
        error.close()
        return f"HTTP {error.code}"
    except (OSError, HTTPException, UrlError, ValueError) as error:
        return str(getattr(error, "reason", "") or error or type(error).__name__)
    return ""


def all_missing(urls: Sequence[str], timeout: float) -> List[Dict[str, str]]:
    """Those that cannot be had, each with the reason."""
    wanted = list(dict.fromkeys(urls))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = list(pool.map(lambda url: missing(url, timeout), wanted))
    return [{"url": url, "error": why} for url, why in zip(wanted, found) if why]
