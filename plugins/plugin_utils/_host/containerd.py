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
        "imports": ["/etc/containerd/conf.d/*.toml"],
        "plugins": plugins,
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
