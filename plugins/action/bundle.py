# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches on the controller everything that locks name, into a folder that can be carried away."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bundle_files import (
    NAMESPACE,
    SIGNATURE,
    SUMS,
    NoBundleError,
    read_sums,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import charts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.helm import Helm, HelmError, Target
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import apt_index, bundle, registry
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.apt_index import PackageError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.bundle import BundleError, Wanted
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_variables import (
    raw_variables,
    template_variables,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import IMAGE, Lock, LockError, read

OPTIONS: dict[str, Any] = {
    "locks": {"type": "list", "elements": "path", "required": True},
    "folder": {"type": "path", "required": True},
    "older": {"type": "list", "elements": "path", "default": []},
    "signing_key": {"type": "path"},
    "whole_images": {"type": "bool", "default": True},
    "registry_mirrors": {"type": "list", "elements": "dict", "default": []},
    "registry_auth_file": {"type": "path"},
    "render_charts": {"type": "bool", "default": False},
    "allow_http": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 60},
}


FAULTS = (
    BundleError,
    NoBundleError,
    LockError,
    PackageError,
    registry.RegistryError,
    OSError,
    UnicodeDecodeError,
)


class ActionModule(ActionBase):
    """Compares the folder with the locks, and fetches what it lacks."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, fetch, write, sign."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        try:
            rendered = self._rendered(task_vars or {}, options) if options["render_charts"] else {}
            result.update(Run(options, bool(self._task.check_mode), rendered).result())
        except FAULTS as error:
            return {**result, "failed": True, "msg": f"The bundle is not whole.\n{error}"}
        if self._task.diff and result["changed"]:
            after = "".join(f"{path}\n" for path in [*result["missing"], *result["altered"], *result["written"]])
            result["diff"] = {
                "before_header": options["folder"],
                "after_header": options["folder"],
                "before": "",
                "after": after,
            }
        return result

    def _rendered(self, variables: dict[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
        """What the inventory's charts render, by the paths in the bundle. Their values are in no option of the task."""
        names = ("charts_releases", "charts_helm", "kubernetes_version")
        raw = raw_variables(self._task, variables, variables["inventory_hostname"])
        given, problems = template_variables(self._loader, raw, names)
        if problems:
            raise BundleError("\n".join(f"{name}: {why}" for name, why in problems.items()))
        releases = given.get("charts_releases") or []
        wanted = [one for one in releases if one.get("state") != "absent" and not one.get("rendered")]
        if not wanted:
            return {}
        try:
            helm = Helm(str(given.get("charts_helm") or "helm"))
        except HelmError as error:
            raise BundleError(str(error)) from None
        version = str(given["kubernetes_version"])
        allow_http = bool(boolean(options["allow_http"], strict=False))
        return dict(self._render(one, helm, version, allow_http) for one in wanted)

    def _render(
        self, release: Mapping[str, Any], helm: Helm, kubernetes_version: str, allow_http: bool
    ) -> tuple[str, str]:
        """The path and text of what a release's chart renders."""
        name, namespace = str(release.get("name")), str(release.get("namespace") or "default")
        if not all(map(bundle.NAME.fullmatch, (name, namespace))):
            raise BundleError(f"charts: {namespace}/{name} is no release's name")
        path = self._find_needle("files", release["chart"]) if release.get("chart") else None
        url, checksum = release.get("url"), release.get("checksum")
        try:
            archive = charts.read_archive(path, url, checksum, allow_http)
            source = charts.Source(str(url or path), archive, str(release.get("version") or ""))
            files = [self._find_needle("files", file) for file in release.get("values_files") or []]
            values = charts.read_values(
                self._loader, files, release.get("values") or {}, release.get("base_values") or {}
            )
            apis = release.get("api_versions") or []
            target = Target(name, namespace, kubernetes_version, apis, values)
            chart, text = charts.render_text(lambda: helm, source, target)
        except (HelmError, ManifestError, AnsibleError) as error:
            raise BundleError(f"the chart of {namespace}/{name}: {error}") from None
        return f"{bundle.CHARTS}/{namespace}-{name}.yaml", charts.headed(chart, target, text)


class Run:
    """One run.

    Args:
        options: of the task.
        check: whether nothing is fetched or written.
        rendered: what charts render, by its path in the bundle.
    """

    def __init__(self, options: dict[str, Any], check: bool, rendered: Mapping[str, str] | None = None) -> None:
        self.options, self.check, self.rendered = options, check, rendered or {}
        self.folder = Path(options["folder"])
        downloader = Downloader(options["timeout"], allow_http=bool(boolean(options["allow_http"], strict=False)))
        accounts = registry.accounts(options["registry_auth_file"] or "")
        self.registries = registry.Registries(downloader, registry.mirrors(options["registry_mirrors"]), accounts)

    def result(self) -> dict[str, Any]:
        """What was done."""
        names = [Path(path).name for path in self.options["locks"]]
        if not names or len(set(names)) != len(names):
            raise BundleError("locks: name at least one, and files of different names")
        locks = [read(path) for path in self.options["locks"]]
        artifacts = sorted({artifact for lock in locks for artifact in lock.artifacts})
        wanted = bundle.files(artifacts)
        images, unknown = self._images(locks)
        for image in images:
            wanted += bundle.of_image(image, list(self.registries.servers(registry.split(image.name)[0])))
        wanted = list({one.path: one for one in wanted}.values())
        elsewhere = self._elsewhere()
        due = [one for one in wanted if elsewhere.get(one.path) != one.sha256]
        missing, altered = bundle.examine(self.folder, due)
        if not self.check:
            self._fetch([*missing, *altered], images)
        untold = [one.path for one in (*missing, *altered) if self.check and one.path.startswith(apt_index.FOLDER)]
        texts = self._texts(locks, images, wanted, not untold)
        written = [] if unknown else [path for path, text in texts.items() if _text(self.folder / path) != text]
        if not self.check:
            self._write(texts, written)
        return {
            "changed": bool(missing or altered or written or unknown),
            "missing": sorted({*(one.path for one in missing), *unknown}),
            "altered": sorted(one.path for one in altered),
            "written": written,
            "files": len(due),
            "size": sum(one.size for one in due),
            "left_out": len(wanted) - len(due),
        }

    def _images(self, locks: Sequence[Lock]) -> tuple[list[registry.Image], list[str]]:
        """All images, by the digests of locks; in check mode the names of those whose manifests are not here yet."""
        places = [Path(place) / "images" for place in (self.folder, *self.options["older"])]
        named: dict[str, tuple[str, set[str]]] = {}
        for lock in locks:
            for artifact in lock.artifacts:
                if artifact.kind == IMAGE:
                    digest, architectures = named.setdefault(artifact.name, (f"sha256:{artifact.sha256}", set()))
                    architectures.update([] if self.options["whole_images"] else lock.architectures)
                    if digest != f"sha256:{artifact.sha256}":
                        raise BundleError(f"{artifact}: two locks have different digests of it")
        found, unknown, faults = [], [], []
        for name, (digest, architectures) in named.items():
            try:
                found.append(registry.from_folders(name, digest, sorted(architectures), places))
            except ValueError:  # noqa: PERF203 (each image is another attempt)
                if self.check:
                    unknown.append(f"image {name}")
                    continue
                try:
                    found.append(self.registries.image(name, sorted(architectures), digest))
                except registry.RegistryError as error:
                    faults.append(str(error))
        if faults:
            raise BundleError("\n".join(faults))
        return found, unknown

    def _elsewhere(self) -> dict[str, str]:
        """The checksums of what older bundles have."""
        found: dict[str, str] = {}
        for older in self.options["older"]:
            path = Path(older) / SUMS
            if not path.is_file():
                raise BundleError(f"older: {older} has no {SUMS}, so it is no whole bundle")
            found.update(read_sums(path.read_text(encoding="utf-8")))
        return found

    def _texts(
        self, locks: Sequence[Lock], images: Sequence[registry.Image], wanted: Sequence[Wanted], indexed: bool
    ) -> dict[str, str]:
        """The files that are written here, by their paths; the last has the checksums of all.

        Where packages are not here, what they say of themselves cannot be told, and the index is empty.
        """
        texts = {"images/oci-layout": bundle.LAYOUT, "images/index.json": bundle.index(images), **self.rendered}
        for path in self.options["locks"]:
            texts[f"locks/{Path(path).name}"] = Path(path).read_text(encoding="utf-8")
        created = self._created(locks) or datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        texts[bundle.SBOM] = bundle.sbom(locks, self.folder.name, created)
        date = format_datetime(datetime.fromisoformat(created), usegmt=True)
        for path, lock in zip(self.options["locks"], locks, strict=True):
            suite = Path(path).stem
            if indexed:
                texts.update(apt_index.texts(suite, lock, self._find, date) if apt_index.paths(suite, lock) else {})
            else:
                texts.update(dict.fromkeys(apt_index.paths(suite, lock), ""))
        digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
        texts[SUMS] = bundle.sums({**{one.path: one.sha256 for one in wanted}, **digests})
        return texts

    def _created(self, locks: Sequence[Lock]) -> str:
        """When the list of contents was made that is there, if it would be the same now."""
        before = _text(self.folder / bundle.SBOM)
        try:
            created = str(json.loads(before)["creationInfo"]["created"])
        except (ValueError, KeyError, TypeError):
            return ""
        return created if bundle.sbom(locks, self.folder.name, created) == before else ""

    def _find(self, path: str) -> Path:
        """Where a file of the bundle is: here, or in an older one that the other side has."""
        places = [Path(place) / path for place in (self.folder, *self.options["older"])]
        return next((place for place in places if place.is_file()), places[0])

    def _fetch(self, due: Sequence[Wanted], images: Sequence[registry.Image]) -> None:
        manifests = {bundle.blob(digest): data for image in images for digest, data in image.manifests.items()}
        bundle.Fetcher(self.folder, self.registries, Display().display).fetch([one for one in due if one.urls])
        for one in due:
            if not one.urls:
                _write(self.folder / one.path, manifests[one.path])

    def _write(self, texts: dict[str, str], written: Sequence[str]) -> None:
        for path in written:
            _write(self.folder / path, texts[path].encode())
        key, signature = self.options["signing_key"], self.folder / SIGNATURE
        if key and (SUMS in written or not signature.exists()):
            _sign(key, self.folder / SUMS)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}{bundle.PART}")
    # What charts render may hold secrets of their values.
    draft.touch(0o600 if path.parent.name == bundle.CHARTS else 0o666)
    draft.write_bytes(data)
    draft.replace(path)


def _sign(key: str, path: Path) -> None:
    """Sign as OpenSSH does, in a file beside it."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise BundleError("signing_key: ssh-keygen, which signs, is not installed on this machine")
    path.with_name(SIGNATURE).unlink(missing_ok=True)
    command = [program, "-Y", "sign", "-f", key, "-n", NAMESPACE, str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(f"signing_key: {key} does not sign: {(done.stderr.strip().splitlines() or ['nothing'])[-1]}")
