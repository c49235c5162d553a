# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that a host's run pulls, and where containerd looks for them.

containerd's docs/hosts.md and docs/cri/registry.md say how. Left out is what is not known before a run: the tags of
etcd and CoreDNS, which kubeadm chooses, and images in manifests.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import of_registry
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registries import registry_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import needed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    HostInput,
    Inputs,
    runs_kubelet,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.needed import part, plugins

MIRRORS, CONFIGURATION, ENVIRONMENT = VARIABLES = (
    "container_runtime_registry_mirrors",
    needed.CONFIGURATION,
    "container_runtime_environment",
)
FILES = "/etc/containerd/certs.d"
DEFAULT, DOCKER, DOCKER_SERVER = "_default", "docker.io", "https://registry-1.docker.io"


def images(host: HostInput, inputs: Inputs) -> list[str]:
    """The images that containerd pulls on a host, as far as their names are known."""
    roles = inputs.roles_of(host.name)
    if not roles or not runs_kubelet(roles) or host.text("kubernetes_container_runtime") != "containerd":
        return []
    return [image for image, parts in needed.images(host, inputs).items() if set(parts) & set(roles)]


def registries(wanted: Sequence[str], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How containerd asks the registries of images: their servers in order, with credentials.

    Args:
        wanted: the images.
        values: VARIABLES, as far as they are set.
    """
    accounts: dict[str, Any] = {}
    for plugin in plugins(values):
        own = plugin.get("registry")
        if own and (not isinstance(own, Mapping) or own.keys() - {"configs"}):
            return []  # containerd is told in another way than by hosts.toml
        accounts.update(part(own, "configs") or {})
    entries = [one for one in values.get(MIRRORS) or [] if isinstance(one, Mapping)]
    found = []
    for name in dict.fromkeys(map(registry_of, wanted)):
        given = [one for one in entries if of_registry(str(one.get("registry"))) == name]
        # A file of the host's own comes before one for all registries.
        unless = [] if given else [f"{FILES}/{name}/hosts.toml"]
        given = given or [one for one in entries if one.get("registry") == DEFAULT]
        unless += [] if given else [f"{FILES}/{DEFAULT}/hosts.toml"]
        servers = list(_servers(name, given, accounts))
        # With a token for another kind of login what a server says is not known.
        if all(server is not None for server in servers):
            found.append({"registry": name, "unless": unless, "servers": servers})
    return found


def _servers(
    name: str, entries: Sequence[Mapping[str, Any]], accounts: Mapping[str, Any]
) -> Iterator[dict[str, Any] | None]:
    own = DOCKER_SERVER if name == DOCKER else f"https://{name}"
    mirrors = {str(mirror.get("url")): mirror for entry in entries for mirror in entry.get("mirrors") or []}
    last = next((str(entry["server"]) for entry in reversed(entries) if entry.get("server")), own)
    for given, mirror in {**mirrors, last: mirrors.get(last, {})}.items():
        url = given if "://" in given else f"https://{given}"
        if "resolve" not in (mirror.get("capabilities") or ["resolve"]):
            continue
        place = urlsplit(url).netloc
        account = _account(part(accounts, place, "auth"))
        if account is None:
            yield None
            continue
        yield {
            "url": _root(url, bool(mirror.get("override_path"))),
            "namespace": "" if place == urlsplit(own).netloc else name,
            "ca": mirror.get("ca") or "",
            "skip_verify": bool(mirror.get("skip_verify")),
            "username": account[0],
            "password": account[1],
        }


def _root(url: str, whole: bool) -> str:
    """Where the API of a server begins."""
    url = url.rstrip("/")
    return url if whole or url.endswith("/v2") else f"{url}/v2"


def _account(auth: Any) -> tuple[str, str] | None:
    """User and password; empty where there is none, None where it is something else."""
    if not isinstance(auth, Mapping):
        return "", ""
    if auth.get("username"):
        return str(auth["username"]), str(auth.get("password") or "")
    if auth.get("auth"):
        try:
            user, _colon, password = base64.b64decode(str(auth["auth"])).decode().partition(":")
        except ValueError:
            return None
        return user, password.rstrip("\0")
    return None if auth.get("identitytoken") else ("", "")


def proxies(values: Mapping[str, Any]) -> dict[str, str]:
    """The proxies of containerd's service, by scheme, and who is reached without (no)."""
    given = values.get(ENVIRONMENT)
    found: dict[str, str] = {}
    for name, value in given.items() if isinstance(given, Mapping) else []:
        kind = str(name).lower().removesuffix("_proxy")
        # The spelling in capitals counts where there are both.
        if kind in ("http", "https", "no") and value and (str(name).isupper() or kind not in found):
            found[kind] = str(value)
    return found
