# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches on the controller everything that locks name, into a folder that can be carried away."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host import bundle, registry
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.bundle import BundleError, Wanted
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import IMAGE, Lock, LockError, read

OPTIONS: dict[str, Any] = {
    "locks": {"type": "list", "elements": "path", "required": True},
    "folder": {"type": "path", "required": True},
    "older": {"type": "list", "elements": "path", "default": []},
    "signing_key": {"type": "path"},
    "whole_images": {"type": "bool", "default": True},
    "registry_mirrors": {"type": "list", "elements": "dict", "default": []},
    "allow_http": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 60},
}
NAMESPACE = "groundwork-bundle"


class ActionModule(ActionBase):
    """Compares the folder with the locks, and fetches what it lacks."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Compare, fetch, write, sign."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(OPTIONS)
        try:
            result.update(Run(options, bool(self._task.check_mode)).result())
        except (BundleError, LockError, registry.RegistryError, OSError, UnicodeDecodeError) as error:
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


class Run:
    """One run.

    Args:
        options: of the task.
        check: whether nothing is fetched or written.
    """

    def __init__(self, options: dict[str, Any], check: bool) -> None:
        self.options, self.check = options, check
        self.folder = Path(options["folder"])
        downloader = Downloader(options["timeout"], allow_http=bool(boolean(options["allow_http"], strict=False)))
        self.registries = registry.Registries(downloader, registry.mirrors(options["registry_mirrors"]))

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
        texts = self._texts(locks, images, wanted)
        written = [] if unknown else [path for path, text in texts.items() if _text(self.folder / path) != text]
        if not self.check:
            self._fill([*missing, *altered], images, texts, written)
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
            path = Path(older) / bundle.SUMS
            if not path.is_file():
                raise BundleError(f"older: {older} has no {bundle.SUMS}, so it is no whole bundle")
            found.update(bundle.read_sums(path.read_text(encoding="utf-8")))
        return found

    def _texts(
        self, locks: Sequence[Lock], images: Sequence[registry.Image], wanted: Sequence[Wanted]
    ) -> dict[str, str]:
        """The files that are written here, by their paths; the last has the checksums of all."""
        texts = {"images/oci-layout": bundle.LAYOUT, "images/index.json": bundle.index(images)}
        for path in self.options["locks"]:
            texts[f"locks/{Path(path).name}"] = Path(path).read_text(encoding="utf-8")
        created = self._created(locks) or datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        texts[bundle.SBOM] = bundle.sbom(locks, self.folder.name, created)
        digests = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}
        texts[bundle.SUMS] = bundle.sums({**{one.path: one.sha256 for one in wanted}, **digests})
        return texts

    def _created(self, locks: Sequence[Lock]) -> str:
        """When the list of contents was made that is there, if it would be the same now."""
        before = _text(self.folder / bundle.SBOM)
        try:
            created = str(json.loads(before)["creationInfo"]["created"])
        except (ValueError, KeyError, TypeError):
            return ""
        return created if bundle.sbom(locks, self.folder.name, created) == before else ""

    def _fill(
        self, due: Sequence[Wanted], images: Sequence[registry.Image], texts: dict[str, str], written: Sequence[str]
    ) -> None:
        manifests = {bundle.blob(digest): data for image in images for digest, data in image.manifests.items()}
        bundle.Fetcher(self.folder, self.registries, Display().display).fetch([one for one in due if one.urls])
        for one in due:
            if not one.urls:
                _write(self.folder / one.path, manifests[one.path])
        for path in written:
            _write(self.folder / path, texts[path].encode())
        key, signature = self.options["signing_key"], self.folder / bundle.SIGNATURE
        if key and (bundle.SUMS in written or not signature.exists()):
            _sign(key, self.folder / bundle.SUMS)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}{bundle.PART}")
    draft.write_bytes(data)
    draft.replace(path)


def _sign(key: str, path: Path) -> None:
    """Sign as OpenSSH does, in a file beside it."""
    program = shutil.which("ssh-keygen")
    if program is None:
        raise BundleError("signing_key: ssh-keygen, which signs, is not installed on this machine")
    path.with_name(bundle.SIGNATURE).unlink(missing_ok=True)
    command = [program, "-Y", "sign", "-f", key, "-n", NAMESPACE, str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BundleError(f"signing_key: {key} does not sign: {(done.stderr.strip().splitlines() or ['nothing'])[-1]}")
