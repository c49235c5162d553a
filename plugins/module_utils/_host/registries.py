# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether images are where a container runtime would look for them: their manifests' heads are asked for.

A runtime asks the servers of a registry one after the other until one has the image; so it is asked here.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from tempfile import NamedTemporaryFile
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple, Union
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import is_bypassed
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import full_name

AT_A_TIME = 16
DEFAULT_PORTS = {"http": 80, "https": 443}
MANIFESTS = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)
# Servers that answer so know no HEAD, or sign addresses for GET alone.
ANSWERS_TO_HEAD = (403, 405, 501)
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
# Longer than any token or manifest.
MAX_ANSWER = 4 * 1024**2
PEM = "-----BEGIN "


def registry_of(image: str) -> str:
    """The registry of an image."""
    return full_name(image).partition("/")[0]


def split_name(image: str) -> Tuple[str, str]:
    """An image's path in its registry, and its tag or digest."""
    path = full_name(image).partition("/")[2]
    name, at, digest = path.partition("@")
    if at:
        return name, digest
    name, _colon, tag = path.rpartition(":")
    return name, tag


def token_url(challenge: str) -> str:
    """Where a registry says that a token is to be had; empty where it wants something else.

    https://distribution.github.io/distribution/spec/auth/token/
    """
    kind, _blank, text = challenge.partition(" ")
    fields = dict(CHALLENGE.findall(text))
    realm = fields.get("realm", "")
    if kind.lower() != "bearer" or urlsplit(realm).scheme not in ("http", "https"):
        return ""
    query = urlencode({name: fields[name] for name in ("service", "scope") if name in fields})
    return f"{realm}?{query}" if query else realm


def token_of(answer: Union[str, bytes]) -> str:
    """The token in such an answer; empty where there is none.

    Raises:
        ValueError: if it is no JSON.
    """
    found = json.loads(answer)
    token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
    return token if isinstance(token, str) else ""


def _opener(server: Mapping[str, Any], url: str, proxies: Mapping[str, str]) -> OpenerDirector:
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme, 443)
    proxy = proxies.get(parts.scheme) or ""
    through = (
        {parts.scheme: proxy} if proxy and not is_bypassed(parts.hostname or "", port, proxies.get("no") or "") else {}
    )
    return build_opener(ProxyHandler(through), HTTPSHandler(context=_context(server)))


def _context(server: Mapping[str, Any]) -> ssl.SSLContext:
    """Whom to believe, and who asks; certificates are files of the host, or texts.

    Raises:
        ValueError: naming what cannot be read.
    """
    context = ssl.create_default_context()
    authority, certificate, key = (str(server.get(name) or "") for name in ("ca", "client_certificate", "client_key"))
    try:
        if authority.startswith(PEM):
            context.load_verify_locations(cadata=authority)
        elif authority:
            context.load_verify_locations(authority)
    except (OSError, ValueError) as error:
        raise ValueError(f"the CA's certificate {_named(authority)} cannot be read: {_why(error)}") from error
    try:
        if certificate:
            with _as_file(certificate) as first, _as_file(key) as second:
                context.load_cert_chain(first, second or None)
    except (OSError, ValueError) as error:
        shown = f"{_named(certificate)} or its key {_named(key)}"
        raise ValueError(f"the client certificate {shown} cannot be read: {_why(error)}") from error
    if server.get("skip_verify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _named(text: str) -> str:
    return "given as text" if text.startswith(PEM) else text


def _why(error: Exception) -> str:
    return getattr(error, "strerror", "") or str(error)


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """A path as it is; a text as a file for its owner alone, since Python's ssl takes keys from files only."""
    if not text.startswith(PEM):
        yield text
        return
    with NamedTemporaryFile("w", prefix="groundwork-") as file:
        file.write(text)
        file.flush()
        yield file.name


def _basic(server: Mapping[str, Any]) -> str:
    if not server.get("username"):
        return ""
    words = f"{server['username']}:{server.get('password') or ''}"
    return f"Basic {base64.b64encode(words.encode()).decode()}"


class Asker:
    """Asks one server of a registry.

    Args:
        server: url, and as far as they are given namespace, ca, skip_verify, username and password.
        proxies: by scheme, and those who are reached without (no).
        timeout: of each request, in seconds.
    """

    def __init__(self, server: Mapping[str, Any], proxies: Mapping[str, str], timeout: float) -> None:
        self.server, self.proxies, self.timeout = server, proxies, timeout

    def open(self, url: str, method: str, authorization: str) -> bytes:
        """What is at a URL."""
        # No other scheme comes here.
        request = Request(url, method=method, headers={"Accept": f"{MANIFESTS}, */*"})  # noqa: S310
        if authorization:
            # A redirect leads to somebody else's server.
            request.add_unredirected_header("Authorization", authorization)
        with _opener(self.server, url, self.proxies).open(request, timeout=self.timeout) as response:
            return response.read(MAX_ANSWER)

    def authorization(self, challenge: str) -> str:
        """What a server asks for that wants to know who asks; empty where that is not known."""
        if challenge.partition(" ")[0].lower() == "basic":
            return _basic(self.server)
        url = token_url(challenge)
        if not url:
            return ""
        # The server chooses who gives the token. In plain text that one gets no password which the server would not.
        if self.server.get("username") and urlsplit(url).scheme not in ("https", urlsplit(self.server["url"]).scheme):
            raise ValueError(f"it has accounts log in without TLS, at {url.partition('?')[0]}")
        token = token_of(self.open(url, "GET", _basic(self.server)))
        return f"Bearer {token}" if token else ""

    def head(self, url: str) -> None:
        """Ask whether a manifest or blob is there, as whom the server asks for."""
        try:
            self.ask(url, "HEAD")
        except HTTPError as error:
            if error.code not in ANSWERS_TO_HEAD:
                raise
            self.ask(url, "GET")

    def ask(self, url: str, method: str) -> bytes:
        """What is at a URL, for whom the server asks for."""
        try:
            return self.open(url, method, "")
        except HTTPError as error:
            error.close()
            if error.code != 401:
                raise
            authorization = self.authorization(error.headers.get("WWW-Authenticate") or "")
            if not authorization:
                raise
        try:
            return self.open(url, method, authorization)
        except HTTPError as error:
            error.close()
            raise


def _missing_at(server: Mapping[str, Any], image: str, proxies: Mapping[str, str], timeout: float) -> Dict[str, Any]:
    """Why a server has not got an image; nothing where it has."""
    name, reference = split_name(image)
    # By it a mirror of several registries knows which one is meant.
    namespace = f"?ns={quote(server['namespace'])}" if server.get("namespace") else ""
    answered, why = False, ""
    url = f"{server['url']}/{name}/manifests/{reference}{namespace}"
    try:
        Asker(server, proxies, timeout).head(url)
    except HTTPError as error:
        if error.code in (401, 403) and urlsplit(error.url).netloc != urlsplit(url).netloc:
            return {}  # whom another server that it leads to lets in is not known
        answered, why = True, f"HTTP {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        why = str(getattr(error, "reason", "") or error or type(error).__name__)
    return {"url": server["url"], "error": why, "answered": answered} if why else {}


def missing(
    image: str, servers: Sequence[Mapping[str, Any]], proxies: Mapping[str, str], timeout: float
) -> List[Dict[str, Any]]:
    """Why each of a registry's servers has not got an image; nothing where one has."""
    found = []
    for server in servers:
        why = _missing_at(server, image, proxies, timeout)
        if not why:
            return []
        found.append(why)
    return found


def all_missing(
    images: Sequence[str], registries: Sequence[Mapping[str, Any]], proxies: Mapping[str, str], timeout: float
) -> List[Dict[str, Any]]:
    """The images that cannot be had, each with the reason of each server.

    Args:
        images: their names.
        registries: by registry the servers in their order, and files of the host that would name others.
        proxies: by scheme, and those who are reached without (no).
        timeout: of each request, in seconds.
    """
    known = {
        one["registry"]: one["servers"] for one in registries if not any(os.path.exists(path) for path in one["unless"])
    }
    wanted = [image for image in dict.fromkeys(images) if registry_of(image) in known]
    if not wanted:
        return []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = list(pool.map(lambda image: missing(image, known[registry_of(image)], proxies, timeout), wanted))
    return [{"image": image, "errors": errors} for image, errors in zip(wanted, found) if errors]
