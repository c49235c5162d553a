# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service of this collection may not do (systemd.exec(5), "Sandboxing").

A line that changes here is another unit everywhere, and restarts etcd and the endpoint's load balancer.
"""

from __future__ import annotations

from typing import Mapping, Optional

COMMON = {
    "LockPersonality": "true",
    "NoNewPrivileges": "true",
    "PrivateDevices": "true",
    "PrivateTmp": "true",
    "ProtectClock": "true",
    "ProtectControlGroups": "true",
    "ProtectHome": "true",
    "ProtectHostname": "true",
    "ProtectKernelLogs": "true",
    "ProtectKernelModules": "true",
    "ProtectKernelTunables": "true",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "true",
    "RestrictRealtime": "true",
    "RestrictSUIDSGID": "true",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
}


def confinement(own: Mapping[str, Optional[str]]) -> str:
    """Lines for the section Service.

    Args:
        own: what a unit has besides COMMON, or instead of it: capabilities and address families at least. What is None
            is left as systemd, or the unit that a drop-in is laid over, has it.
    """
    settings = sorted({**COMMON, **own}.items())
    return "".join(f"{name}={value}\n" for name, value in settings if value is not None)
