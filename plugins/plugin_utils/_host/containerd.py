# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""containerd's configuration by its version (docs/cri/config.md, docs/cri/registry.md of containerd)."""

from __future__ import annotations

import re
from typing import Any

# Version 2 of the configuration is read by 1.3 and newer, version 3 by 2.0 and newer. A package's version may have an
# epoch.
FIRST_MAJOR = re.compile(r"(\d+:)?1\.")
REGISTRY = {"config_path": "/etc/containerd/certs.d"}
BINARIES, NETWORKS = "/opt/cni/bin", "/etc/cni/net.d"


def configuration(version: str, sandbox_image: str, cgroup_driver: str) -> dict[str, Any]:
    """What containerd needs for Kubernetes.

    Args:
        version: containerd's, as upstream or a package writes it.
        sandbox_image: the image that holds a pod's namespaces.
        cgroup_driver: systemd or cgroupfs, the kubelet's.
    """
    options = {"SystemdCgroup": cgroup_driver == "systemd"}
    runtimes = {"runtimes": {"runc": {"runtime_type": "io.containerd.runc.v2", "options": options}}}
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
