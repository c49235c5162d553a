# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads that are tried again where that may help, and that say clearly why they failed.

A server is not believed more than need be: nothing comes over http unless that is allowed, no redirect leads from https
to anything else, and what does not end is not read to its end.
"""

from __future__ import annotations

import contextlib
import errno
import io
import ssl
import time
from http.client import HTTPException
from typing import Any, BinaryIO, Dict, Optional
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit

from ansible.module_utils.urls import ConnectionError as UrlError
from ansible.module_utils.urls import open_url

CHUNK = 1024 * 1024
MAX_TEXT = 1024**2
# The largest program, the kubelet, has about a tenth of that.
MAX_FILE = 1024**3
MAX_REDIRECTS = 10
PROTECTED = ("https", "file")
REDIRECT_STATUS = (301, 302, 303, 307, 308)
TEMPORARY_STATUS = (408, 425, 429, 500, 502, 503, 504)


class DownloadError(Exception):
    """Why a download failed."""


def unprotected(url: str) -> str:
    """Why a URL may not be used unless http is allowed; empty for https and files."""
    scheme = urlsplit(url).scheme
    if scheme in PROTECTED:
        return ""
    reason = f"{scheme or 'this'} can be read and changed on its way"
    return f"{reason}; use https, or set allow_http (kubernetes_allow_http of the roles)"


class Downloader:
    """Fetches URLs.

    Args:
        timeout: how long a server may be silent, in seconds.
        retries: how often a download is tried again after a fault of the network or of the server.
        validate_certs: whether servers' TLS certificates are verified.
        allow_http: whether URLs may be other than https.
    """

    def __init__(
        self, timeout: int = 30, retries: int = 3, validate_certs: bool = True, allow_http: bool = False
    ) -> None:
        self.timeout = timeout
        self.retries = retries
        self.validate_certs = validate_certs
        self.allow_http = allow_http

    def data(self, url: str, limit: int = MAX_TEXT) -> bytes:
        """A small file."""
        target = io.BytesIO()
        self._fetch(url, target, limit)
        return target.getvalue()

    def text(self, url: str) -> str:
        """A small text file."""
        return self.data(url).decode("utf-8", "replace")

    def file(self, url: str, path: str) -> None:
        """Any file, written to a path."""
        with open(path, "wb") as target:
            self._fetch(url, target, MAX_FILE)

    def open(self, url: str, headers: Optional[Dict[str, str]] = None, method: str = "GET") -> Any:
        """The server's answer after redirects, once. Authorization goes to no other server than the first.

        Raises:
            HTTPError: for a status that is none of success.
            DownloadError: where the server may not be asked.
            ValueError: where redirects do not end, or lead where they may not.
        """
        refused = "" if self.allow_http else unprotected(url)
        if refused:
            raise DownloadError(f"cannot download {url}: {refused}")
        sent = dict(headers or {})
        for _hop in range(MAX_REDIRECTS + 1):
            response = self._ask(url, sent, method)
            if not isinstance(response, str):
                return response
            target = _follow(url, response)
            if urlsplit(target).netloc != urlsplit(url).netloc:
                sent.pop("Authorization", None)
            url = target
        raise ValueError(f"more than {MAX_REDIRECTS} redirects")

    def _fetch(self, url: str, target: BinaryIO, limit: int) -> None:
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
            except (HTTPException, UrlError) as error:
                reason, temporary = str(error) or type(error).__name__, not isinstance(error, UrlError)
            except ValueError as error:
                reason, temporary = str(error), False
            else:
                return
            if attempt == self.retries or not temporary:
                raise DownloadError(f"cannot download {url}: {reason}")
            time.sleep(min(2**attempt, 10))

    def _fetch_once(self, url: str, target: BinaryIO, limit: int) -> None:
        with contextlib.closing(self.open(url)) as response:
            expected = response.headers.get("Content-Length")
            if expected and int(expected) > limit:
                raise ValueError(_too_long(limit))
            received = 0
            for chunk in iter(lambda: response.read(CHUNK), b""):
                received += len(chunk)
                if received > limit:
                    raise ValueError(_too_long(limit))
                target.write(chunk)
            target.flush()
        if expected and received != int(expected):
            raise ConnectionError(f"the connection ended after {received} of {expected} bytes")

    def _ask(self, url: str, headers: Dict[str, str], method: str) -> Any:
        """The server's answer to one request, or where it redirects to."""
        try:
            return open_url(
                url,
                method=method,
                headers=headers,
                timeout=self.timeout,
                validate_certs=self.validate_certs,
                decompress=False,
                follow_redirects="none",
            )
        except HTTPError as error:
            target = error.headers.get("Location") if error.code in REDIRECT_STATUS else None
            if not target:
                raise
            error.close()
            return str(target)


def _follow(url: str, target: str) -> str:
    """Where a redirect leads; never from https to anything else, and never to a file of this machine."""
    found = urljoin(url, target)
    scheme = urlsplit(found).scheme
    if scheme != "https" and (scheme != "http" or urlsplit(url).scheme != "http"):
        raise ValueError(f"{url} redirects to {found}, which is not https")
    return found


def _too_long(limit: int) -> str:
    return f"more than {limit} bytes, which is too long for what it should be"
