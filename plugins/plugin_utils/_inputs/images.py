# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that a host's run pulls, and where containerd looks for them.

containerd's docs/hosts.md and docs/cri/registry.md say how. Left out is what is not known before a run: the tags of
etcd and CoreDNS, which kubeadm chooses, and images in manifests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import of_registry
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registries import registry_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import registry_hosts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry_hosts import (
    ACCOUNT,
    CERTIFICATES,
    CONNECTION,
    DEFAULT,
    DOCKER,
    DOCKER_SERVER,
    FOLDER,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import needed
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    HostInput,
    Inputs,
    runs_kubelet,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.needed import plugins

MIRRORS, CONFIGURATION, ENVIRONMENT = VARIABLES = (
    "container_runtime_registry_mirrors",
    needed.CONFIGURATION,
    "container_runtime_environment",
)


def images(host: HostInput, inputs: Inputs) -> list[str]:
    """The images that containerd pulls on a host, as far as their names are known."""
    roles = inputs.roles_of(host.name)
    if not roles or not runs_kubelet(roles) or host.text("kubernetes_container_runtime") != "containerd":
        return []
    return [image for image, parts in needed.images(host, inputs).items() if set(parts) & set(roles)]


def registries(wanted: Sequence[str], values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How containerd asks the registries of images: their servers in order, with certificates and accounts.

    Args:
        wanted: the images.
        values: VARIABLES, as far as they are set.
    """
    for plugin in plugins(values):
        own = plugin.get("registry")
        if own and (not isinstance(own, Mapping) or own.keys() - {"configs", "mirrors"}):
            return []  # containerd is told in another way than by hosts.toml
    others = registry_hosts.other_logins(values.get(CONFIGURATION))
    entries = registry_hosts.entries(values.get(MIRRORS), values.get(CONFIGURATION))
    found = []
    for name in dict.fromkeys(map(registry_of, wanted)):
        given = [one for one in entries if of_registry(str(one.get("registry"))) == name]
        # A file of the host's own comes before one for all registries.
        unless = [] if given else [f"{FOLDER}/{name}/hosts.toml"]
        given = given or [one for one in entries if one.get("registry") == DEFAULT]
        unless += [] if given else [f"{FOLDER}/{DEFAULT}/hosts.toml"]
        servers = list(_servers(name, given))
        if not others & {urlsplit(server["url"]).netloc for server in servers}:
            found.append({"registry": name, "unless": unless, "servers": servers})
    return found


def _servers(name: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    own = DOCKER_SERVER if name == DOCKER else f"https://{name}"
    mirrors = {str(mirror.get("url")): mirror for entry in entries for mirror in entry.get("mirrors") or []}
    last = next((str(entry["server"]) for entry in reversed(entries) if entry.get("server")), own)
    settings: dict[str, Any] = {}
    for entry in entries:
        settings.update({key: entry[key] for key in CONNECTION if entry.get(key)})
    for given, mirror in {**mirrors, last: {**mirrors.get(last, {}), **settings}}.items():
        url = given if "://" in given else f"https://{given}"
        if "resolve" not in (mirror.get("capabilities") or ["resolve"]):
            continue
        yield {
            "url": _root(url, bool(mirror.get("override_path"))),
            "namespace": "" if urlsplit(url).netloc == urlsplit(own).netloc else name,
            "skip_verify": bool(mirror.get("skip_verify")),
            **{key: str(mirror.get(key) or "") for key in (*CERTIFICATES, *ACCOUNT)},
        }


def _root(url: str, whole: bool) -> str:
    """Where the API of a server begins."""
    url = url.rstrip("/")
    return url if whole or url.endswith("/v2") else f"{url}/v2"


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
