"""What the lab is made of: versions, addresses, folders. Every value can be set by an environment variable."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field
from pathlib import Path


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("LAB_CACHE") or Path(base) / "groundwork-kubernetes")


def _env(name: str, default: str) -> str:
    return os.environ.get(name) or default


def _kubernetes() -> str:
    return _env("KUBERNETES_VERSION", "1.20.2").removeprefix("v")


def _by_minor(name: str, old: str, new: str) -> str:
    """A default that suits the version: kubelets before 1.26 and containerd 2 have no CRI version in common."""
    return _env(name, old if int(_kubernetes().split(".")[1]) < 26 else new)


@dataclass(frozen=True)
class Settings:
    """The lab's parameters."""

    cache: Path = field(default_factory=_cache)
    kubernetes: str = field(default_factory=_kubernetes)
    containerd: str = field(default_factory=lambda: _by_minor("CONTAINERD_VERSION", "1.6.20", "2.1.9"))
    etcd: str = field(default_factory=lambda: _by_minor("ETCD_VERSION", "3.4.23", "3.5.30"))
    runc: str = field(default_factory=lambda: _env("RUNC_VERSION", "1.1.5"))
    cni_plugins: str = field(default_factory=lambda: _env("CNI_PLUGINS_VERSION", "1.1.1"))
    crictl: str = field(default_factory=lambda: _env("CRICTL_VERSION", "0.0.1"))
    subnet: ipaddress.IPv4Network = field(
        default_factory=lambda: ipaddress.IPv4Network(_env("LAB_SUBNET", "10.213.77.0/24"))
    )
    # Several labs can run beside each other, each with its own LAB_NAME and LAB_SUBNET.
    name: str = field(default_factory=lambda: _env("LAB_NAME", "groundwork"))

    @property
    def state(self) -> Path:
        """Keys and configuration of the hosts that run now."""
        return self.cache / "labs" / self.name

    @property
    def mirror(self) -> str:
        """The address of the archives' and images' server."""
        return str(self.subnet[2])

    @property
    def virtual_ip(self) -> str:
        """An address that no host has, for endpoints that move between hosts."""
        return str(self.subnet[250])

    def address(self, number: int) -> str:
        """The fixed address of a host, counted from 1."""
        return str(self.subnet[10 + number])
