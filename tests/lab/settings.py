"""What the lab is made of: versions, addresses, folders. Every value can be set by an environment variable."""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .choice import VERSIONS, Choice, choose, default_kubernetes
from .download import Upstream, fault
from .rootfs import SUITES

# From this minor version of Kubernetes on hosts have Debian 13.
CURRENT_MINOR = 26
# The last number of the hosts' addresses by group.
ADDRESSES = {
    "control_plane": range(11, 50),
    "load_balancer": range(50, 60),
    "worker": range(61, 200),
    "etcd": range(201, 250),
    "mirror": range(251, 254),
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


def _given() -> dict[str, str]:
    """The versions that the user names."""
    named = {part: os.environ.get(f"{part.upper()}_VERSION", "").removeprefix("v") for part in VERSIONS}
    return {part: version for part, version in named.items() if version}


@dataclass(frozen=True)
class Settings:
    """The lab's parameters."""

    cache: Path = field(default_factory=_cache)
    subnet: ipaddress.IPv4Network = field(
        default_factory=lambda: ipaddress.IPv4Network(_env("LAB_SUBNET", "10.213.77.0/24"))
    )
    # Several labs can run beside each other, each with its own LAB_NAME and LAB_SUBNET.
    name: str = field(default_factory=_name)
    # The variables of the hosts that exist.
    remembered: dict[str, Any] = field(default_factory=_remembered)
    # The versions by part that the user names.
    given: dict[str, str] = field(default_factory=_given)

    @property
    def state(self) -> Path:
        """Keys and configuration of the hosts that run now."""
        return self.facts.parent

    @property
    def facts(self) -> Path:
        """The file with the variables that the inventory has of this lab."""
        return _facts(self.cache, self.name)

    @cached_property
    def choice(self) -> Choice:
        """The versions, chosen when they are needed for the first time: that may ask upstream."""
        remembered = {part: self.remembered.get(variable, "") for part, variable in VERSIONS.items()}
        return choose(self.given, remembered, self.cache, lambda: fault(Upstream(), default_kubernetes()))

    @property
    def upgrades(self) -> list[Settings]:
        """The lab with each other version of Kubernetes that its mirror serves: those named, or else as it was made."""
        named = os.environ.get("KUBERNETES_UPGRADE_VERSIONS", "").split() or self.remembered.get("lab_upgrades", [])
        return [replace(self, given={**self.given, "kubernetes": version.removeprefix("v")}) for version in named]

    @property
    def kubernetes(self) -> str:
        """Kubernetes' version."""
        return self.choice.versions["kubernetes"]

    @property
    def containerd(self) -> str:
        """containerd's version."""
        return self.choice.versions["containerd"]

    @property
    def etcd(self) -> str:
        """etcd's version."""
        return self.choice.versions["etcd"]

    @property
    def runc(self) -> str:
        """runc's version."""
        return self.choice.versions["runc"]

    @property
    def cni_plugins(self) -> str:
        """The version of the reference CNI plugins."""
        return self.choice.versions["cni_plugins"]

    @property
    def crictl(self) -> str:
        """crictl's version."""
        return self.choice.versions["crictl"]

    @property
    def debian(self) -> str:
        """The Debian of hosts that are made: as the environment says, or that of the lab, or what suits the versions.

        Raises:
            RuntimeError: hosts cannot have it.
        """
        suits = "12" if int(self.kubernetes.split(".")[1]) < CURRENT_MINOR else "13"
        debian = os.environ.get("DEBIAN") or self.remembered.get("lab_debian") or suits
        if debian not in SUITES:
            raise RuntimeError(f"DEBIAN={debian}: hosts can have Debian {' or '.join(SUITES)}")
        return str(debian)

    def variables(self) -> dict[str, str]:
        """The versions as the collection's variables."""
        return {variable: self.choice.versions[part] for part, variable in VERSIONS.items()}

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
