# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service of this collection that runs as root may not do (systemd.exec(5), "Sandboxing").

The units that roles' templates hold say it themselves: each of them differs in more than it shares, and a line that
changes there restarts etcd or the endpoint's load balancer.
"""

from __future__ import annotations

from typing import Mapping

COMMON = {
    "LockPersonality": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
}


def confinement(own: Mapping[str, str]) -> str:
    """Lines for the section Service.

    Args:
        own: what a unit has besides COMMON, or instead of it: capabilities and address families at least.
    """
    return "".join(f"{name}={value}\n" for name, value in sorted({**COMMON, **own}.items()))
