# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd's configuration by its version (docs/cri/config.md, docs/cri/registry.md of containerd), and handlers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# Version 2 of the configuration is read by 1.3 and newer, version 3 by 2.0 and newer. A package's version may have an
# epoch.
FIRST_MAJOR = re.compile(r"(\d+:)?1\.")
NUMBERS = re.compile(r"(?:\d+:)?(\d+)\.(\d+)\.(\d+)")
FOLDER = "/etc/containerd"
IMPORTS = (f"{FOLDER}/conf.d/*.toml",)
# From which release on a version of the configuration is read.
SINCE = {3: "2.0", 4: "2.3"}
PACKAGES = re.compile(r"containerd(?:\.io)?=(.+)")
REGISTRY = {"config_path": "/etc/containerd/certs.d"}
RUNC = "io.containerd.runc.v2"
BINARIES, NETWORKS = "/opt/cni/bin", "/etc/cni/net.d"


def configuration(
    version: str, sandbox_image: str, cgroup_driver: str, handlers: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """What containerd needs for Kubernetes.

    Args:
        version: containerd's, as upstream or a package writes it.
        sandbox_image: the image that holds a pod's namespaces.
        cgroup_driver: systemd or cgroupfs, the kubelet's.
        handlers: container_runtime_handlers, OCI runtimes beside runc.
    """
    options = {"SystemdCgroup": cgroup_driver == "systemd"}
    others = {
        str(handler["name"]): {
            "runtime_type": RUNC,
            "options": {"BinaryName": str(handler["path"]), **options, **(handler.get("options") or {})},
        }
        for handler in handlers
    }
    runtimes = {"runtimes": {"runc": {"runtime_type": RUNC, "options": options}, **others}}
    if FIRST_MAJOR.match(version):
        plugins: dict[str, Any] = {
            "io.containerd.grpc.v1.cri": {
                "sandbox_image": sandbox_image,
                "registry": dict(REGISTRY),
                "cni": {"bin_dir": BINARIES, "conf_dir": NETWORKS},
                "containerd": runtimes,
            }
        }
    else:
        plugins = {
            "io.containerd.cri.v1.images": {"pinned_images": {"sandbox": sandbox_image}, "registry": dict(REGISTRY)},
            "io.containerd.cri.v1.runtime": {
                "cni": {"bin_dirs": [BINARIES], "conf_dir": NETWORKS},
                "containerd": runtimes,
            },
        }
    return {
        "version": 2 if FIRST_MAJOR.match(version) else 3,
        "imports": list(IMPORTS),
        "plugins": plugins,
    }


def newest_configuration(version: str) -> int | None:
    """The highest version of the configuration with which a containerd starts; None where that is not known.

    What 1.6.32 and 1.7.17 refuse, releases before them read as if it were version 2
    (https://github.com/containerd/containerd/issues/9198).
    """
    numbers = NUMBERS.match(version)
    major, minor, patch = map(int, numbers.groups()) if numbers else (0, 0, 0)
    if major == 1:
        return 2 if (minor, patch) >= (7, 17) or (minor == 6 and patch >= 32) else None
    if major == 2 and minor <= 4:
        return 4 if minor >= 3 else 3
    return None


def foreign_files(values: Mapping[str, Any]) -> dict[str, Any]:
    """Which files of others a host's containerd reads, and its version, as far as the variables tell.

    Args:
        values: the host's variables.
    """
    own = values.get("container_runtime_containerd_config")
    imports = own.get("imports") if isinstance(own, Mapping) else None
    archive = values.get("container_runtime_install_method") == "archive"
    packages = values.get("container_runtime_packages")
    pinned = [PACKAGES.fullmatch(str(name)) for name in packages] if isinstance(packages, list) else []
    version = next((found[1] for found in pinned if found), "")
    variable = "container_runtime_containerd_version" if archive else "container_runtime_packages"
    return {
        "imports": [str(path) for path in imports] if isinstance(imports, list) else list(IMPORTS),
        "variable": variable,
        "version": str(values.get(variable) or "") if archive else version,
    }


def crio_handlers(handlers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What stands below crio.runtime.runtimes of CRI-O's configuration (docs/crio.conf.5.md of CRI-O).

    Args:
        handlers: container_runtime_handlers.
    """
    return {
        str(handler["name"]): {
            "runtime_path": str(handler["path"]),
            "runtime_type": "oci",
            **(handler.get("options") or {}),
        }
        for handler in handlers
    }
