# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads that are tried again where that may help, and that say clearly why they failed."""

from __future__ import annotations

import contextlib
import errno
import io
import ssl
import time
from typing import BinaryIO, Optional
from urllib.error import HTTPError

from ansible.module_utils.urls import open_url

CHUNK = 1024 * 1024
MAX_TEXT = 1024 * 1024
TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)


class DownloadError(Exception):
    """Why a download failed."""


class Downloader:
    """Fetches URLs.

    Args:
        timeout: how long a server may be silent, in seconds.
        retries: how often a download is tried again after a fault of the network or of the server.
        validate_certs: whether servers' TLS certificates are verified.
    """

    def __init__(self, timeout: int = 30, retries: int = 3, validate_certs: bool = True) -> None:
        self.timeout = timeout
        self.retries = retries
        self.validate_certs = validate_certs

    def text(self, url: str) -> str:
        """A small text file."""
        target = io.BytesIO()
        self._fetch(url, target, MAX_TEXT)
        return target.getvalue().decode("utf-8", "replace")

    def file(self, url: str, path: str) -> None:
        """Any file, written to a path."""
        with open(path, "wb") as target:
            self._fetch(url, target)

    def _fetch(self, url: str, target: BinaryIO, limit: Optional[int] = None) -> None:
        for attempt in range(self.retries + 1):
            target.seek(0)
            target.truncate()
            try:
                self._fetch_once(url, target, limit)
            except HTTPError as error:
                reason, temporary = f"HTTP status {error.code} {error.reason}", error.code in TEMPORARY_STATUS
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    raise
                # urllib wraps the fault that matters; a certificate does not get better by trying again.
                cause = getattr(error, "reason", error)
                reason, temporary = str(cause), not isinstance(cause, ssl.SSLCertVerificationError)
            except ValueError as error:
                reason, temporary = str(error), False
            else:
                return
            if attempt == self.retries or not temporary:
                raise DownloadError(f"cannot download {url}: {reason}")
            time.sleep(min(2**attempt, 10))

    def _fetch_once(self, url: str, target: BinaryIO, limit: Optional[int]) -> None:
        with contextlib.closing(
            open_url(url, timeout=self.timeout, validate_certs=self.validate_certs, decompress=False)
        ) as response:
            expected = response.headers.get("Content-Length")
            received = 0
            for chunk in iter(lambda: response.read(CHUNK), b""):
                received += len(chunk)
                if limit and received > limit:
                    raise ValueError(f"more than {limit} bytes, which is too long for what it should be")
                target.write(chunk)
            target.flush()
        if expected and received != int(expected):
            raise ConnectionError(f"the connection ended after {received} of {expected} bytes")
