# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the charts of a cluster: their names and files, Helm on the controller, and what Helm says of their values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.dataloader import DataLoader
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import unprotected
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import charts, manifests
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.helm import Helm, HelmError, Target
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR, WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.controller import look_for
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import Inputs

NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
# Helm's own limit, so that names of objects can be made of it.
NAME_LENGTH = 53
SOURCES = ("chart", "url", "rendered")
CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}", re.IGNORECASE)


def releases(inputs: Inputs) -> Iterator[Fault]:
    """What is wrong with the releases, and what Helm says of them where nothing is."""
    leader = inputs.leader()
    given = leader.values.get("charts_releases")
    wanted = [item for item in given if isinstance(item, Mapping)] if isinstance(given, list) else []
    seen: set[tuple[str, str]] = set()
    good = []
    for at, item in enumerate(wanted):
        place, name = f"charts_releases[{at}]", str(item.get("name"))
        identity = (str(item.get("namespace") or "default"), name)
        found = [*_form(place, name, item), *(_files(place, item, inputs) if item.get("state") != "absent" else ())]
        if identity in seen:
            text = f"{place} is the release {'/'.join(identity)} again; give it another name or namespace"
            found.append(Fault("name-clash", text))
        seen.add(identity)
        allowed = boolean(leader.values.get("kubernetes_allow_http") or False, strict=False)
        if item.get("url") and not allowed and unprotected(str(item["url"])):
            text = (
                f"{place}.url {item['url']} is not https; who sits on the way decides what comes: use https, or set "
                "kubernetes_allow_http"
            )
            found.append(Fault("source-unprotected", text))
        yield from found
        if not found and item.get("state") != "absent":
            good.append((f"{place} ({name})", item))
    carried = [(place, item) for place, item in good if item.get("rendered")]
    for place, item in carried:
        yield from _carried(place, item, inputs)
    if not any(item.get("state") != "absent" and not item.get("rendered") for item in wanted):
        return
    try:
        helm = Helm(leader.text("charts_helm") or "helm")
    except HelmError as error:
        yield Fault("controller-lacks", f"{error}, or correct charts_helm: charts_releases has charts")
        return
    for place, item in (one for one in good if one not in carried):
        yield from _rendered(place, item, helm, inputs)


def _form(place: str, name: str, item: Mapping[str, Any]) -> Iterator[Fault]:
    if not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        text = f"{place}.name {name!r} is no release's name; use at most {NAME_LENGTH} lower-case letters, digits and -"
        yield Fault("name-invalid", text)
    if item.get("state") == "absent":
        return
    given = [name for name in SOURCES if item.get(name)]
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "has neither chart nor url nor rendered"
        yield Fault("value-invalid", f"{place} {found}; give one")
    checksum = str(item.get("checksum") or "")
    if checksum and not CHECKSUM.fullmatch(checksum):
        text = f"{place}.checksum {checksum!r} is no checksum; write sha256: and 64 hexadecimal digits"
        yield Fault("checksum-invalid", text)
    if item.get("url") and not checksum:
        text = f"{place} needs a checksum, the SHA-256 of {item['url']}; give it as sha256:..."
        yield Fault("checksum-missing", text)


def _files(place: str, item: Mapping[str, Any], inputs: Inputs) -> Iterator[Fault]:
    named = [(f"{place}.{name}", item[name]) for name in ("chart", "rendered") if item.get(name)]
    named += [(f"{place}.values_files[{at}]", path) for at, path in enumerate(item.get("values_files") or [])]
    for where, path in named:
        found = look_for(inputs.folders, str(path))
        if found is None or not found.is_file():
            text = f"{where} {str(path)!r} is no file on the controller; correct the path, relative ones start at the "
            yield Fault("file-missing", f"{text}playbook")


def sourced(item: Mapping[str, Any], inputs: Inputs, loader: DataLoader) -> tuple[charts.Source, Target]:
    """A release's chart, and what it is rendered for as far as that needs no cluster.

    Raises:
        ManifestError: if the archive cannot be had, or values cannot be read.
        AnsibleError: if they cannot be decrypted.
    """
    path = str(look_for(inputs.folders, str(item["chart"]))) if item.get("chart") else None
    url = str(item["url"]) if item.get("url") else None
    paths = [str(look_for(inputs.folders, str(file))) for file in item.get("values_files") or []]
    # Who may be asked without TLS is judged before.
    archive = charts.read_archive(path, url, item.get("checksum"), allow_http=True)
    source = charts.Source(str(url or path), archive, str(item.get("version") or ""), item.get("skip_hooks") or [])
    target = Target(
        str(item["name"]),
        str(item.get("namespace") or "default"),
        inputs.leader().text("kubernetes_version"),
        item.get("api_versions") or [],
        charts.read_values(loader, paths, item.get("values") or {}),
    )
    return source, target


def _carried(place: str, item: Mapping[str, Any], inputs: Inputs) -> Iterator[Fault]:
    """What is wrong with a file that was rendered elsewhere."""
    path = str(look_for(inputs.folders, str(item["rendered"])))
    target = Target(
        str(item["name"]), str(item.get("namespace") or "default"), inputs.leader().text("kubernetes_version")
    )
    try:
        data = Path(path).read_bytes()
        if item.get("checksum"):
            manifests.verify(data, str(item["checksum"]), path)
        charts.read_rendered(data, path, target, item.get("skip_hooks") or [])
    except (ManifestError, OSError) as error:
        yield Fault("chart-refused", f"{place}: {error}")


def _rendered(place: str, item: Mapping[str, Any], helm: Helm, inputs: Inputs) -> Iterator[Fault]:
    """What Helm says of a chart with its values; where more than they decide it, that is a warning."""
    severity = ERROR
    try:
        source, target = sourced(item, inputs, DataLoader())
        if source.chart().asks:
            severity = WARNING
        charts.render(helm, source, target)
    except HelmError as error:
        yield Fault("chart-refused", f"{place}: {error}", severity=ERROR if error.certain else severity)
    except ManifestError as error:
        yield Fault("chart-refused", f"{place}: {error}")
    except AnsibleError:
        return  # a file that the vault has encrypted: the role reads it
