# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the charts of a cluster: their names and files, Helm on the controller, and what Helm says of their values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Placed:
    """A release, and where it stands in the variables."""

    place: str
    item: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The release's name."""
        return str(self.item.get("name"))

    @property
    def identity(self) -> str:
        """Its namespace and name."""
        return f"{self.item.get('namespace') or 'default'}/{self.name}"

    @property
    def absent(self) -> bool:
        """Whether it is to go."""
        return self.item.get("state") == "absent"


def given(inputs: Inputs) -> list[Placed]:
    """The releases of charts_releases."""
    value = inputs.leader().values.get("charts_releases")
    items = value if isinstance(value, list) else []
    return [Placed(f"charts_releases[{at}]", item) for at, item in enumerate(items) if isinstance(item, Mapping)]


def releases(inputs: Inputs) -> Iterator[Fault]:
    """What is wrong with the releases, and what Helm says of them where nothing is."""
    seen: set[str] = set()
    good = []
    for one in given(inputs):
        found = [*_form(one.place, one.name, one.item), *source_faults(one, inputs)]
        if one.identity in seen:
            text = f"{one.place} is the release {one.identity} again; give it another name or namespace"
            found.append(Fault("name-clash", text))
        seen.add(one.identity)
        yield from found
        if not found and not one.absent:
            good.append(one)
    yield from rendered(good, "charts_releases has charts", inputs)


def source_faults(one: Placed, inputs: Inputs) -> list[Fault]:
    """What is wrong with where a release comes from."""
    if one.absent:
        return []
    found = list(_files(one.place, one.item, inputs))
    allowed = boolean(inputs.leader().values.get("kubernetes_allow_http") or False, strict=False)
    if one.item.get("url") and not allowed and unprotected(str(one.item["url"])):
        text = (
            f"{one.place}.url {one.item['url']} is not https; who sits on the way decides what comes: use https, or "
            "set kubernetes_allow_http"
        )
        found.append(Fault("source-unprotected", text))
    return found


class _Program:
    """Finds Helm when it is needed, and remembers that it is not there."""

    def __init__(self, name: str) -> None:
        self.name, self.lacks = name, ""

    def __call__(self) -> Helm:
        try:
            return Helm(self.name)
        except HelmError as error:
            self.lacks = str(error)
            raise


def rendered(wanted: Sequence[Placed], what: str, inputs: Inputs) -> Iterator[Fault]:
    """What Helm says of releases, and that it is missing where one is a chart."""
    program = _Program(inputs.leader().text("charts_helm") or "helm")
    for one in wanted:
        yield from _carried(one, inputs) if one.item.get("rendered") else _rendered(one, program, inputs)
    if program.lacks:
        yield Fault("controller-lacks", f"{program.lacks}, or correct charts_helm: {what}")


def _form(place: str, name: str, item: Mapping[str, Any]) -> Iterator[Fault]:
    if not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        text = f"{place}.name {name!r} is no release's name; use at most {NAME_LENGTH} lower-case letters, digits and -"
        yield Fault("name-invalid", text)
    if item.get("state") == "absent":
        return
    given_ones = [name for name in SOURCES if item.get(name)]
    if len(given_ones) > 1:
        yield Fault("value-invalid", f"{place} has {' and '.join(given_ones)}; give one")
    elif not given_ones and item.get("objects") is None:
        yield Fault("value-invalid", f"{place} has neither chart nor url nor rendered nor objects; give one")
    yield from checksum_faults(place, item)


def checksum_faults(place: str, item: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with a source's checksum."""
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
    content = charts.read_archive(path, url, item.get("checksum"), allow_http=True) if path or url else b""
    source = charts.Source(
        *(str(url or path), content, str(item.get("version") or ""), item.get("skip_hooks") or []),
        {str(old): str(new) for old, new in (item.get("replace") or {}).items()},
        item.get("objects") or [],
    )
    target = Target(
        str(item["name"]),
        str(item.get("namespace") or "default"),
        inputs.leader().text("kubernetes_version"),
        item.get("api_versions") or [],
        charts.read_values(loader, paths, item.get("values") or {}, item.get("base_values") or {}),
    )
    return source, target


def _carried(one: Placed, inputs: Inputs) -> Iterator[Fault]:
    """What is wrong with a file that was rendered elsewhere."""
    item, place = one.item, f"{one.place} ({one.name})"
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


def _rendered(one: Placed, program: _Program, inputs: Inputs) -> Iterator[Fault]:
    """What Helm says of a chart with its values; where more than they decide it, that is a warning."""
    item, place, severity = one.item, f"{one.place} ({one.name})", ERROR
    try:
        source, target = sourced(item, inputs, DataLoader())
        if source.chart(one.name).asks:
            severity = WARNING
        charts.render(program, source, target)
    except HelmError as error:
        if program.lacks:
            return
        yield Fault("chart-refused", f"{place}: {error}", severity=ERROR if error.certain else severity)
    except ManifestError as error:
        yield Fault("chart-refused", f"{place}: {error}")
    except AnsibleError:
        return  # a file that the vault has encrypted: the role reads it
