"""Which versions a new lab gets: today's where upstream's files can be had, or else what Debian's packages give."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .download import archives
from .kubernetes import SOURCE_VERSION, missing

ROLES = Path(__file__).resolve().parents[2] / "roles"
RELEASES = ROLES.parent / "plugins" / "plugin_utils" / "_kubeadm" / "releases.py"
# The collection's variable of each version.
VERSIONS = {
    "kubernetes": "kubernetes_version",
    "crictl": "kubernetes_crictl_version",
    "containerd": "container_runtime_containerd_version",
    "runc": "container_runtime_runc_version",
    "cni_plugins": "container_runtime_cni_plugins_version",
    "etcd": "etcd_version",
}
# What Debian's packages and the stand-in of crictl give. Kubelets before 1.26 and containerd 2 have no CRI in common.
DEBIAN = {"containerd": "1.6.20", "etcd": "3.4.23", "runc": "1.1.5", "cni_plugins": "1.1.1", "crictl": "0.0.1"}
DEBIAN_SINCE_1_26 = {**DEBIAN, "containerd": "2.1.9", "etcd": "3.5.30"}


@dataclass(frozen=True)
class Choice:
    """The version of each part, and why it is this Kubernetes where nobody has said so."""

    versions: dict[str, str]
    why: str = ""


def default_kubernetes() -> str:
    """The collection's own version of Kubernetes."""
    text = (ROLES / "kubernetes" / "defaults" / "main.yml").read_text()
    match = re.search(r"^kubernetes_version: *([\d.]+)$", text, re.MULTILINE)
    if not match:
        raise RuntimeError("the role kubernetes has no default of kubernetes_version")
    return match[1]


def defaults(kubernetes: str = "") -> dict[str, str]:
    """The roles' own versions by part, as they belong to a version of Kubernetes."""
    kubernetes = kubernetes or default_kubernetes()
    release = _releases().release(kubernetes)
    return {part: kubernetes if part == "kubernetes" else release[f"{part}_version"] for part in VERSIONS}


def _releases() -> Any:
    """The collection's module; read when it is needed, because make clean runs without the YAML library."""
    spec = importlib.util.spec_from_file_location("releases", RELEASES)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{RELEASES} cannot be read")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def choose(given: Mapping[str, str], remembered: Mapping[str, str], cache: Path, fault: Callable[[], str]) -> Choice:
    """Choose the versions of a lab.

    Args:
        given: versions by part that the user names.
        remembered: those that the lab was made with; empty where there is none.
        cache: the folder of what was built and fetched.
        fault: asks whether upstream can be reached; says why it can't, empty where it can.
    """
    why = ""
    kubernetes = given.get("kubernetes") or remembered.get("kubernetes")
    if not kubernetes:
        kubernetes = default_kubernetes()
        if missing(cache, kubernetes) and (reason := fault()):
            kubernetes = SOURCE_VERSION
            why = f"upstream's files cannot be had ({reason}): Kubernetes {kubernetes}, built from Debian's source"
    if given.get("kubernetes", kubernetes) != remembered.get("kubernetes"):
        remembered = {}  # what is asked for is not that lab
    chosen = {"kubernetes": kubernetes}
    old = int(kubernetes.split(".")[1]) < 26
    ours = {} if old else defaults(kubernetes)
    for part, packaged in (DEBIAN if old else DEBIAN_SINCE_1_26).items():
        version = given.get(part) or remembered.get(part)
        if not version:
            can_be_had = not old and ((cache / archives(part, ours[part]).path).exists() or not fault())
            version = ours[part] if can_be_had else packaged
        chosen[part] = version
    return Choice(chosen, why)
