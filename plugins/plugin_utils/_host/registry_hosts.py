# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How containerd reaches registries: the files below certs.d (containerd's docs/hosts.md).

containerd 1.x also takes mirrors, certificates and accounts in its configuration file (docs/cri/registry.md). Beside a
folder of such files it refuses the first two, and 2.x is to lose all of them: they become files here.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import of_registry
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registries import PEM, registry_of

FOLDER = "/etc/containerd/certs.d"
DEFAULT, DOCKER, DOCKER_SERVER = "_default", "docker.io", "https://registry-1.docker.io"
SECTIONS = ("io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images")
PATH = re.compile(r"(?:[a-z]+://)?([^/]*)")
# How a server is reached, and who asks; what else a mirror has stands in the file as it is.
ACCOUNT = ("username", "password")
CERTIFICATES = ("ca", "client_certificate", "client_key")
CONNECTION = (*ACCOUNT, *CERTIFICATES, "skip_verify")

Entry = Mapping[str, Any]


def entries(given: Any, configuration: Any) -> list[dict[str, Any]]:
    """What is told of registries, in the form of container_runtime_registry_mirrors.

    Args:
        given: container_runtime_registry_mirrors.
        configuration: container_runtime_containerd_config, of which what older versions have of registries is taken.
    """
    listed = [dict(one) for one in given or [] if isinstance(one, Mapping)]
    known: dict[str, dict[str, Any]] = {}
    mirrors: list[dict[str, Any]] = []
    for registry in _of_older(configuration):
        known.update({place: _connection(one) for place, one in _maps(registry.get("configs"))})
        mirrors += [
            {
                "registry": DEFAULT if name == "*" else name,
                "mirrors": [_endpoint(url) for url in one.get("endpoint") or []],
            }
            for name, one in _maps(registry.get("mirrors"))
        ]
    found = [_with_connections(one, known) for one in [*listed, *mirrors]]
    names = {of_registry(str(one.get("registry"))) for one in found}
    for place, connection in known.items():
        name = DOCKER if place == place_of(DOCKER_SERVER) else of_registry(place)
        if connection and name not in names:
            found.append({"registry": name, **connection})
    return found


def configuration_without(configuration: Any) -> dict[str, Any]:
    """containerd's configuration without what becomes files."""
    found = dict(configuration or {})
    plugins = found.get("plugins")
    if not isinstance(plugins, Mapping) or not list(_of_older(found)):
        return found
    found["plugins"] = dict(plugins)
    for section in SECTIONS:
        plugin = plugins.get(section)
        registry = plugin.get("registry") if isinstance(plugin, Mapping) else None
        if isinstance(plugin, Mapping) and isinstance(registry, Mapping) and "config_path" not in registry:
            kept = {name: value for name, value in registry.items() if name not in ("mirrors", "configs")}
            others = {
                place: {"auth": dict(one["auth"])} for place, one in _maps(registry.get("configs")) if _other_login(one)
            }
            rest = {**kept, **({"configs": others} if others else {})}
            own = {name: value for name, value in plugin.items() if name != "registry"}
            found["plugins"][section] = {**own, **({"registry": rest} if rest else {})}
    return found


def place_of(url: str) -> str:
    """Host and port of a URL, whatever they are; where it is wrong, other checks say so."""
    found = PATH.match(url)
    return found[1] if found else ""


def own_server(registry: str) -> str:
    """The URL of a registry itself; none stands for all others."""
    if registry == DEFAULT:
        return ""
    return DOCKER_SERVER if registry == DOCKER else f"https://{registry}"


def other_logins(configuration: Any) -> set[str]:
    """The servers at which containerd logs in otherwise than with a name and a password; what they say is not known."""
    return {
        place
        for registry in _of_older(configuration)
        for place, one in _maps(registry.get("configs"))
        if _other_login(one)
    }


def files(given: Any, configuration: Any) -> list[dict[str, Any]]:
    """The files, each with its path, mode, and content: of hosts.toml as a map, of others as text."""
    contents: dict[str, dict[str, Any]] = {}
    texts: dict[str, dict[str, Any]] = {}
    for entry in entries(given, configuration):
        name = of_registry(str(entry["registry"]))
        content = contents.setdefault(name, {})
        if entry.get("server"):
            content["server"] = entry["server"]
        content.update(_settings(entry, name, "server", texts))
        for mirror in entry.get("mirrors") or []:
            place = place_of(mirror["url"])
            of_mirror = _settings(mirror, name, re.sub(r"[^A-Za-z0-9.-]", "_", place), texts)
            content.setdefault("host", {}).setdefault(mirror["url"], {}).update(of_mirror)
    for name, content in contents.items():
        own = {key: content[key] for key in ("ca", "client", "header", "skip_verify") if key in content}
        server = content.get("server") or own_server(name)
        # containerd 1.x does not read a file without hosts, so the server is one of them too, after the mirrors.
        if server and (own or "host" not in content):
            content.setdefault("host", {}).setdefault(server, {}).update(own)
    return [
        *texts.values(),
        *(
            {"path": f"{FOLDER}/{name}/hosts.toml", "mode": "0600" if _secret(content) else "0644", "content": content}
            for name, content in contents.items()
        ),
    ]


def proofs(given: Any, configuration: Any, known: Sequence[str]) -> list[dict[str, Any]]:
    """The pulls by which the runtime shows that it reaches registries with a test_image, an account or certificates.

    Args:
        given: container_runtime_registry_mirrors.
        configuration: container_runtime_containerd_config.
        known: images that the host needs anyway.
    """
    wanted: dict[str, str] = {}
    for entry in entries(given, configuration):
        name = of_registry(str(entry["registry"]))
        image = entry.get("test_image") or next((one for one in known if registry_of(one) == name), "")
        private = any(one.get(key) for one in [entry, *(entry.get("mirrors") or [])] for key in CONNECTION)
        if image and (private or entry.get("test_image")):
            wanted[name] = str(image)
    return [
        {
            "name": f"the pull of {image}, which shows whether the runtime reaches the registry {name},",
            "folder": f"{FOLDER}/{name}",
            "command": ["crictl", "pull", image],
        }
        for name, image in wanted.items()
    ]


def unprotected(given: Any, configuration: Any) -> Iterator[str]:
    """Servers where anyone on the way decides which image a tag is."""
    for entry in entries(given, configuration):
        name = of_registry(str(entry["registry"]))
        mirrors = entry.get("mirrors") or []
        for url, one in [(str(entry.get("server") or name), entry), *((str(one["url"]), one) for one in mirrors)]:
            if url.startswith("http:") or one.get("skip_verify"):
                yield url


def wrong_connections(given: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with accounts and certificates: where, and what."""
    for number, entry in enumerate(given if isinstance(given, Sequence) and not isinstance(given, str) else []):
        if not isinstance(entry, Mapping):
            continue
        place = f"[{number}]"
        yield from _wrong(place, entry)
        if str(entry.get("registry")) == DEFAULT and not entry.get("server"):
            for name in CONNECTION:
                if entry.get(name):
                    yield f"{place}.{name}", f"would be for every registry; name one, or give the {DEFAULT} a server"
        mirrors = entry.get("mirrors")
        for at, mirror in enumerate(mirrors if isinstance(mirrors, Sequence) else []):
            if isinstance(mirror, Mapping):
                yield from _wrong(f"{place}.mirrors[{at}]", mirror)


def _wrong(place: str, one: Entry) -> Iterator[tuple[str, str]]:
    for given, missing in (ACCOUNT, ACCOUNT[::-1], CERTIFICATES[1:], CERTIFICATES[:0:-1]):
        if one.get(given) and not one.get(missing):
            yield f"{place}.{given}", f"needs {missing} beside it"
    # RFC 7617 ends the name at the first colon.
    if ":" in str(one.get("username") or ""):
        yield f"{place}.username", "may have no colon: what follows it would be taken for the password"
    for name in CERTIFICATES:
        value = str(one.get(name) or "")
        if value and not value.startswith(("/", PEM)):
            yield f"{place}.{name}", f"is neither a path that begins with / nor a text that begins with {PEM.strip()}"


def _settings(one: Entry, registry: str, label: str, texts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A server's part of hosts.toml; certificates that are given as text become files of their own."""
    found = {
        name: value
        for name, value in one.items()
        if name in ("capabilities", "override_path", "skip_verify") and value is not None
    }
    paths = {}
    for name, ending in zip(CERTIFICATES, ("ca.crt", "client.crt", "client.key")):
        value = str(one.get(name) or "")
        if value.startswith(PEM):
            path = f"{FOLDER}/{registry}/{label}-{ending}"
            mode = "0600" if name == "client_key" else "0644"
            texts[path] = {"path": path, "mode": mode, "content": value.rstrip("\n") + "\n"}
            value = path
        paths[name] = value
    if paths["ca"]:
        found["ca"] = paths["ca"]
    if paths["client_certificate"]:
        found["client"] = [[paths["client_certificate"], paths["client_key"]]]
    if one.get("username"):
        words = f"{one['username']}:{one.get('password') or ''}"
        found["header"] = {"Authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}
    return found


def _secret(content: Mapping[str, Any]) -> bool:
    return "header" in content or any("header" in host for host in content.get("host", {}).values())


def _of_older(configuration: Any) -> Iterator[Entry]:
    """What containerd's own configuration says of registries, where it is not told of another folder of files."""
    plugins = configuration.get("plugins") if isinstance(configuration, Mapping) else None
    for section in SECTIONS:
        plugin = plugins.get(section) if isinstance(plugins, Mapping) else None
        registry = plugin.get("registry") if isinstance(plugin, Mapping) else None
        if isinstance(registry, Mapping) and "config_path" not in registry:
            yield registry


def _maps(value: Any) -> list[tuple[str, Entry]]:
    items = value.items() if isinstance(value, Mapping) else []
    return [(str(name), one) for name, one in items if isinstance(one, Mapping)]


def _endpoint(url: Any) -> dict[str, Any]:
    """A mirror as 1.x has it: where its URL has a path, that is the whole one."""
    return {"url": str(url), **({"override_path": True} if PATH.sub("", str(url), count=1).strip("/") else {})}


def _connection(one: Entry) -> dict[str, Any]:
    """Certificates and account of a server, as 1.x has them."""
    known = dict(_maps(one))
    tls: Entry = known.get("tls", {})
    username, password = _account(known.get("auth", {}))
    found = {
        "ca": tls.get("ca_file"),
        "client_certificate": tls.get("cert_file"),
        "client_key": tls.get("key_file"),
        "skip_verify": tls.get("insecure_skip_verify"),
        "username": username,
        "password": password,
    }
    return {name: value for name, value in found.items() if value}


def _other_login(one: Entry) -> bool:
    auth = one.get("auth")
    return isinstance(auth, Mapping) and any(auth.values()) and not _account(auth)[0]


def _account(auth: Entry) -> tuple[str, str]:
    if auth.get("username"):
        return str(auth["username"]), str(auth.get("password") or "")
    try:
        user, _colon, password = base64.b64decode(str(auth.get("auth") or "")).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password.rstrip("\0")


def _with_connections(entry: Entry, known: Mapping[str, Entry]) -> dict[str, Any]:
    """An entry with what 1.x keeps by the name of a server, for the registry itself and for its mirrors."""
    name = of_registry(str(entry.get("registry")))
    own = str(entry.get("server") or own_server(name))
    found = {**known.get(place_of(own), {}), **entry}
    if isinstance(entry.get("mirrors"), Sequence):
        found["mirrors"] = [
            {**known.get(place_of(str(one.get("url"))), {}), **one} if isinstance(one, Mapping) else one
            for one in entry["mirrors"]
        ]
    return found
