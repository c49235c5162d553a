"""Which versions a new lab gets: today's where upstream's files can be had, or else what Debian's packages give."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .download import archives
from .kubernetes import SOURCE_VERSION, missing

ROLES = Path(__file__).resolve().parents[2] / "roles"
# The collection's variable of each version, and the defaults of the roles that have it.
VERSIONS = {
    "kubernetes": "kubernetes_version",
    "crictl": "kubernetes_crictl_version",
    "containerd": "container_runtime_containerd_version",
    "runc": "container_runtime_runc_version",
    "cni_plugins": "container_runtime_cni_plugins_version",
    "etcd": "etcd_version",
}
DEFAULTS = ("kubernetes/defaults/main.yml", "container_runtime/defaults/main/main.yml", "etcd/defaults/main/main.yml")
# What Debian's packages and the stand-in of crictl give. Kubelets before 1.26 and containerd 2 have no CRI in common.
DEBIAN = {"containerd": "1.6.20", "etcd": "3.4.23", "runc": "1.1.5", "cni_plugins": "1.1.1", "crictl": "0.0.1"}
DEBIAN_SINCE_1_26 = {**DEBIAN, "containerd": "2.1.9", "etcd": "3.5.30"}


@dataclass(frozen=True)
class Choice:
    """The version of each part, and why it is this Kubernetes where nobody has said so."""

    versions: dict[str, str]
    why: str = ""


def defaults() -> dict[str, str]:
    """The roles' own versions, by part."""
    text = "\n".join((ROLES / path).read_text() for path in DEFAULTS)
    found = {}
    for part, variable in VERSIONS.items():
        match = re.search(rf"^{variable}: *v?'?([\d.]+)", text, re.MULTILINE)
        if not match:
            raise RuntimeError(f"no role has a default of {variable}")
        found[part] = match[1]
    return found


def choose(given: Mapping[str, str], remembered: Mapping[str, str], cache: Path, fault: Callable[[], str]) -> Choice:
    """Choose the versions of a lab.

    Args:
        given: versions by part that the user names.
        remembered: those that the lab was made with; empty where there is none.
        cache: the folder of what was built and fetched.
        fault: asks whether upstream can be reached; says why it can't, empty where it can.
    """
    ours, why = defaults(), ""
    kubernetes = given.get("kubernetes") or remembered.get("kubernetes")
    if not kubernetes:
        kubernetes = ours["kubernetes"]
        if missing(cache, kubernetes) and (reason := fault()):
            kubernetes = SOURCE_VERSION
            why = f"upstream's files cannot be had ({reason}): Kubernetes {kubernetes}, built from Debian's source"
    if given.get("kubernetes", kubernetes) != remembered.get("kubernetes"):
        remembered = {}  # what is asked for is not that lab
    chosen = {"kubernetes": kubernetes}
    old = int(kubernetes.split(".")[1]) < 26
    for part, packaged in (DEBIAN if old else DEBIAN_SINCE_1_26).items():
        version = given.get(part) or remembered.get(part)
        if not version:
            can_be_had = not old and ((cache / archives(part, ours[part]).path).exists() or not fault())
            version = ours[part] if can_be_had else packaged
        chosen[part] = version
    return Choice(chosen, why)
