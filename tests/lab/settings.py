"""What the lab is made of: versions, addresses, folders. Every value can be set by an environment variable."""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# The last number of the hosts' addresses by group.
ADDRESSES = {"control_plane": range(11, 60), "worker": range(61, 200), "etcd": range(201, 250)}


# The collection's variable of each version.
VERSIONS = {
    "kubernetes": "kubernetes_version",
    "crictl": "kubernetes_crictl_version",
    "containerd": "container_runtime_containerd_version",
    "runc": "container_runtime_runc_version",
    "cni_plugins": "container_runtime_cni_plugins_version",
    "etcd": "etcd_version",
}


def _env(name: str, default: str) -> str:
    return os.environ.get(name) or default


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LAB_CACHE") or Path(base) / "groundwork-kubernetes")


def _name() -> str:
    return _env("LAB_NAME", "groundwork")


def _facts(cache: Path, name: str) -> Path:
    """What the lab that exists was made with."""
    return cache / "labs" / name / "lab.json"


def _remembered() -> dict[str, Any]:
    facts = _facts(_cache(), _name())
    found: dict[str, Any] = json.loads(facts.read_text()) if facts.exists() else {}
    return found


def _version(part: str, default: str) -> str:
    """A part's version: as the environment says, or else the one that the lab was made with."""
    remembered = _remembered()
    kubernetes = remembered.get(VERSIONS["kubernetes"])
    if os.environ.get("KUBERNETES_VERSION", "").removeprefix("v") not in ("", kubernetes):
        remembered = {}  # what is asked for is not that lab
    return _env(f"{part.upper()}_VERSION", remembered.get(VERSIONS[part]) or default).removeprefix("v")


def _kubernetes() -> str:
    return _version("kubernetes", "1.20.2")


def _by_minor(part: str, old: str, new: str) -> str:
    """A default that suits the version: kubelets before 1.26 and containerd 2 have no CRI version in common."""
    return _version(part, old if int(_kubernetes().split(".")[1]) < 26 else new)


@dataclass(frozen=True)
class Settings:
    """The lab's parameters."""

    cache: Path = field(default_factory=_cache)
    kubernetes: str = field(default_factory=_kubernetes)
    containerd: str = field(default_factory=lambda: _by_minor("containerd", "1.6.20", "2.1.9"))
    etcd: str = field(default_factory=lambda: _by_minor("etcd", "3.4.23", "3.5.30"))
    runc: str = field(default_factory=lambda: _version("runc", "1.1.5"))
    cni_plugins: str = field(default_factory=lambda: _version("cni_plugins", "1.1.1"))
    crictl: str = field(default_factory=lambda: _version("crictl", "0.0.1"))
    subnet: ipaddress.IPv4Network = field(
        default_factory=lambda: ipaddress.IPv4Network(_env("LAB_SUBNET", "10.213.77.0/24"))
    )
    # Several labs can run beside each other, each with its own LAB_NAME and LAB_SUBNET.
    name: str = field(default_factory=_name)
    # The variables of the hosts that exist.
    remembered: dict[str, Any] = field(default_factory=_remembered)

    @property
    def state(self) -> Path:
        """Keys and configuration of the hosts that run now."""
        return self.facts.parent

    @property
    def facts(self) -> Path:
        """The file with the variables that the inventory has of this lab."""
        return _facts(self.cache, self.name)

    def variables(self) -> dict[str, str]:
        """The versions as the collection's variables."""
        return {variable: getattr(self, part) for part, variable in VERSIONS.items()}

    @property
    def mirror(self) -> str:
        """The address of the archives' and images' server."""
        return str(self.subnet[2])

    @property
    def virtual_ip(self) -> str:
        """An address that no host has, for endpoints that move between hosts."""
        return str(self.subnet[250])

    def address(self, group: str, number: int) -> str:
        """The fixed address of a group's host, counted from 1: no other host ever has it.

        Raises:
            RuntimeError: The group has no room for so many hosts.
        """
        numbers = ADDRESSES[group]
        if number > len(numbers):
            raise RuntimeError(f"a lab has at most {len(numbers)} hosts of the group {group}")
        return str(self.subnet[numbers[number - 1]])
