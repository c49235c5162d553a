# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges what the controller has: libraries and collections that a run needs there, and files that variables name."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    CONTROL_PLANE,
    ETCD,
    HostInput,
    Inputs,
    runs_kubelet,
)


def needs(inputs: Inputs) -> Iterator[Fault]:
    """What a run would miss on the controller half way."""
    runtimes = {host.text("kubernetes_container_runtime") for host in inputs.played if _is_node(host, inputs)}
    written = sorted(runtimes & {"containerd", "crio"})
    if written and not has_library("tomli_w"):
        text = (
            f"the controller needs the Python library tomli_w to write the configuration of {written[0]}; run "
            "pip install tomli-w in the environment that ansible-playbook runs in"
        )
        yield Fault("controller-lacks", text)
    if inputs.members(ETCD):
        group = inputs.group(ETCD)[0]
        if not has_library("ansible_collections.community.crypto"):
            text = (
                f"the controller needs the collection community.crypto for the certificates of etcd (group {group}); "
                "run ansible-galaxy collection install community.crypto"
            )
            yield Fault("controller-lacks", text)
        if not has_library("cryptography"):
            text = (
                f"the controller needs the Python library cryptography for the certificates of etcd (group {group}); "
                "run pip install cryptography in the environment that ansible-playbook runs in"
            )
            yield Fault("controller-lacks", text)
    if any(host.text("restore_identity") for host in inputs.played) and not has_program("age"):
        text = (
            "the controller has no program age, by which a restore decrypts archives with restore_identity; install "
            "the package age there"
        )
        yield Fault("controller-lacks", text, severity=WARNING)


def files(inputs: Inputs) -> Iterator[Fault]:
    """Files and folders on the controller that are not there."""
    leader = inputs.leader()
    if leader.text("cni_plugin") not in ("none", "bridge"):
        yield from _missing(inputs, "cni_manifest_path", leader.text("cni_manifest_path"))
        crds = leader.values.get("cni_calico_crds")
        if isinstance(crds, Mapping) and crds.get("path"):
            yield from _missing(inputs, "cni_calico_crds.path", str(crds["path"]))
        manifests = leader.values.get("cni_manifests")
        for at, manifest in enumerate(manifests if isinstance(manifests, list) else []):
            if isinstance(manifest, Mapping) and manifest.get("path"):
                yield from _missing(inputs, f"cni_manifests[{at}].path", str(manifest["path"]))
    for folder in dict.fromkeys(
        host.text("control_plane_patches") for host in inputs.played if _is_control_plane(host, inputs)
    ):
        found = look_for(inputs.folders, folder) if folder else None
        if folder and (found is None or not found.is_dir()):
            text = f"control_plane_patches {folder!r} is no folder on the controller; correct the path, or empty it"
            yield Fault("file-missing", text)
        elif found is not None and not any(file.is_file() for file in found.iterdir()):
            text = f"control_plane_patches {folder!r} has no file; put patches there, or empty the variable"
            yield Fault("file-missing", text)


def _missing(inputs: Inputs, place: str, path: str) -> Iterator[Fault]:
    found = look_for(inputs.folders, path) if path else None
    if path and (found is None or not found.is_file()):
        text = f"{place} {path!r} is no file on the controller; correct the path, relative ones start at the playbook"
        yield Fault("file-missing", text)


def _is_node(host: HostInput, inputs: Inputs) -> bool:
    return runs_kubelet(inputs.roles_of(host.name))


def _is_control_plane(host: HostInput, inputs: Inputs) -> bool:
    roles = inputs.roles_of(host.name)
    return not roles or CONTROL_PLANE in roles


def has_library(name: str) -> bool:
    """Whether Python finds a library here."""
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def has_program(name: str) -> bool:
    """Whether there is a program here."""
    return shutil.which(name) is not None


def look_for(folders: Sequence[str], path: str) -> Path | None:
    """Where Ansible would find a file: in the first of these folders, or their files; None where it is nowhere."""
    wanted = Path(path).expanduser()
    if wanted.is_absolute():
        return wanted if wanted.exists() else None
    places = [Path(folder) / inner / wanted for folder in folders for inner in ("files", "")]
    return next((place for place in places if place.exists()), None)
