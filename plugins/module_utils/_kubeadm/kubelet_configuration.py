# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet's configuration on a host: what kubeadm wrote, what the host has beside the cluster's, what is missing.

kubeadm applies a host's patch by itself where it finds it in its folder of patches, from Kubernetes 1.25 on. Elsewhere
the patch is merged into the file that kubeadm wrote.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    BINARY_FOLDERS,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    PATCH_KIND,
    Document,
    find_document,
    kubelet_arguments,
)

TARGET = "kubeletconfiguration"
# The first in the order in which kubeadm applies patches, so that the user's own come after it.
PATCH_FILE = f"{TARGET}#host+merge.json"
# Where the module kubeadm_join writes a worker's.
PATCH_FOLDER = "/etc/kubernetes/patches/kubelet"
# What kubeadm sets where the user does not: without the user's value the file holds kubeadm's.
KUBEADM_SETS = (
    "authentication",
    "authorization",
    "cgroupDriver",
    "clusterDNS",
    "clusterDomain",
    "containerRuntimeEndpoint",
    "healthzBindAddress",
    "healthzPort",
    "resolvConf",
    "rotateCertificates",
    "staticPodPath",
)
# The names that lead to a field; a name can hold dots, as memory.available does.
Path = Tuple[str, ...]
# How a key that a patch takes out is remembered.
NULL = "(none)"
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown(inner) for key, inner in value.items()}
    return NULL if value is None else value


def _read(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _read(inner) for key, inner in value.items()}
    return None if value == NULL else value


def with_patch(documents: List[Document], patch: Mapping[str, Any]) -> List[Document]:
    """What is remembered as applied: the documents, and the host's patch if there is one."""
    # What is taken out is not the same as what is not mentioned.
    return [*documents, {"kind": PATCH_KIND, **_shown(patch)}] if patch else list(documents)


def applied_parts(applied: List[Document]) -> Tuple[List[Document], Dict[str, Any]]:
    """What is remembered as applied, taken apart: the documents, and the host's patch."""
    documents = [document for document in applied if document.get("kind") != PATCH_KIND]
    patches = [document for document in applied if document.get("kind") == PATCH_KIND]
    return documents, {key: _read(value) for patch in patches for key, value in patch.items() if key != "kind"}


def stamp_text(applied: List[Document]) -> bytes:
    """What was applied as it is remembered on the host."""
    return json.dumps(applied, indent=1, sort_keys=True).encode()


def read_stamp(content: Optional[bytes]) -> List[Document]:
    """What is remembered as applied, of the file's content; nothing where there is no file.

    Raises:
        KubeadmError: if the file is damaged, so that it is not known what was applied.
    """
    if content is None:
        return []
    try:
        found = json.loads(content)
    except ValueError as error:
        reason = str(error)
    else:
        if isinstance(found, list) and all(isinstance(document, dict) for document in found):
            return found
        reason = "it is no list of documents"
    raise KubeadmError(
        f"{kubeadm.STAMP} is damaged ({reason}), so it is not known which configuration was applied here. Nothing was "
        "changed. Move the file away: the next run then takes the node over as it is, and names where it differs."
    )


def merge(value: Any, patch: Any) -> Any:
    """A value with a JSON merge patch applied (RFC 7386)."""
    if not isinstance(patch, Mapping):
        return patch
    result: Dict[str, Any] = dict(value) if isinstance(value, Mapping) else {}
    for key, inner in patch.items():
        if inner is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), inner)
    return result


def _seconds(value: Any) -> Any:
    """A duration in seconds; other values as they are."""
    parts = DURATION.findall(value) if isinstance(value, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return value
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def same(wanted: Any, found: Any) -> bool:
    """Whether a field has the wanted value, however kubeadm writes it; it leaves out what is empty or zero."""
    if found is None:
        return not _seconds(wanted)
    return bool(wanted == found or _seconds(wanted) == _seconds(found))


def _leaves(value: Any, path: Path = ()) -> Iterator[Tuple[Path, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    elif path:
        yield path, value


def _at(configuration: Any, path: Path) -> Any:
    for key in path:
        configuration = configuration.get(key) if isinstance(configuration, Mapping) else None
    return configuration


def settings(document: Document) -> Dict[str, Any]:
    """A document's fields."""
    return {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}


def not_stored(found: Mapping[str, Any], wanted: Mapping[str, Any], before: Mapping[str, Any]) -> List[Path]:
    """The fields that a file does not have as they are wanted.

    Args:
        found: the file.
        wanted: the cluster's configuration that it should have been made of.
        before: the one that it was made of before; a field of that which is still there as it was counts, too.
    """
    missing = [path for path, value in _leaves(wanted) if not same(value, _at(found, path))]
    # A field that is empty or zero is written although nobody set it.
    kept = [
        path
        for path, value in _leaves(before)
        if _seconds(value)
        and _at(wanted, path) is None
        and path[0] not in KUBEADM_SETS
        and _at(found, path) is not None
        and same(value, _at(found, path))
    ]
    return sorted({*missing, *kept})


def known(paths: List[Path], *configurations: Mapping[str, Any]) -> List[Path]:
    """Those of the fields that a configuration has."""
    return [path for path in paths if any(_at(found, path) is not None for found in configurations)]


def without(document: Document, paths: List[Path]) -> Document:
    """A document without some of its fields."""
    patch: Dict[str, Any] = {}
    for path in paths:
        inner = patch
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = None
    result: Document = merge(document, patch)
    return result


def shown(paths: List[Path]) -> str:
    """Fields as a message names them."""
    return ", ".join(map(".".join, paths))


def folder_of(documents: List[Document]) -> str:
    """kubeadm's folder of patches for a host; empty where it has none."""
    for kind in ("JoinConfiguration", "InitConfiguration"):
        patches = find_document(documents, kind).get("patches")
        if isinstance(patches, Mapping) and patches.get("directory"):
            return str(patches["directory"])
    return ""


def kubelet_patches(folder: str) -> List[str]:
    """The files in a folder of patches by which kubeadm changes the kubelet's configuration."""
    try:
        return sorted(name for name in os.listdir(folder) if name.startswith(TARGET)) if folder else []
    except FileNotFoundError:
        return []


class KubeletConfig:
    """The file that holds the configuration of this host's kubelet."""

    def __init__(self, module: AnsibleModule, path: str, documents: List[Document], patch: Mapping[str, Any]) -> None:
        """Take what is wanted.

        Args:
            module: to run kubectl.
            path: the file.
            documents: the configuration for kubeadm, with the cluster's KubeletConfiguration.
            patch: what this host has beside that.
        """
        self.module, self.path, self.patch = module, path, dict(patch)
        self.shared = settings(find_document(documents, "KubeletConfiguration"))
        self.folder = folder_of(documents)
        self.arguments = kubelet_arguments(documents)

    def read(self) -> Dict[str, Any]:
        """The file's content; kubectl reads the YAML.

        Raises:
            KubeadmError: if it cannot.
        """
        kubectl = Kubectl(self.module, os.devnull, timeout=10)
        try:
            content: Dict[str, Any] = kubectl.read_yaml(self.path)
        except KubectlError as error:
            raise KubeadmError(f"The kubelet's configuration {self.path} cannot be read: {error}") from error
        return content

    @property
    def patched_by_kubeadm(self) -> bool:
        """Whether kubeadm itself applies the host's patch."""
        return PATCH_FILE in kubelet_patches(self.folder)

    def put_patch_file(self, folder: str) -> None:
        """Write the host's patch where kubeadm looks for it, or remove it where kubeadm shall not find it there."""
        path = os.path.join(folder, PATCH_FILE)
        if self.patch and self.folder == folder:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            kubeadm.write_private(self.module, path, (json.dumps(self.patch, indent=2, sort_keys=True) + "\n").encode())
        else:
            kubeadm.remove_files([path])

    def merge_patch(self) -> bool:
        """Merge the host's patch into the file; whether that changed it.

        Raises:
            KubeadmError: if the file cannot be read.
        """
        found = self.read()
        wanted = merge(found, self.patch)
        if wanted == found:
            return False
        kubeadm.write_private(self.module, self.path, (json.dumps(wanted, indent=2, sort_keys=True) + "\n").encode())
        return True

    def not_stored(self, patched: bool, before: Optional[Document] = None) -> List[Path]:
        """The fields that the file lacks; none where that is not known.

        Args:
            patched: whether the host's patch is in the file.
            before: the cluster's KubeletConfiguration that was applied before.

        Raises:
            KubeadmError: if the file cannot be read.
        """
        foreign = [name for name in kubelet_patches(self.folder) if name != PATCH_FILE]
        if foreign or not os.path.exists(self.path):
            return []
        if self.module.get_bin_path("kubectl", opt_dirs=BINARY_FOLDERS) is None:
            return []
        patch = self.patch if patched else {}
        return not_stored(self.read(), merge(self.shared, patch), merge(settings(before or {}), patch))
