# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which version a cluster has and which kinds it serves, as its API server tells."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_calls import Api, ApiError

THREADS = 8


@dataclass(frozen=True)
class Served:
    """What an API server serves.

    Attributes:
        version: of the server, such as v1.36.5.
        kinds: each kind as group/version/kind, and whether its objects are in namespaces.
        api_versions: all groups with their versions, also those that do not answer.
        silent: those that do not answer.
    """

    version: str
    kinds: Dict[str, bool]
    api_versions: List[str]
    silent: List[str]


def versions_of(groups: Dict[str, Any]) -> List[str]:
    """The groups with their versions, of the server's list of groups."""
    return ["v1"] + [
        version["groupVersion"] for group in groups.get("groups") or [] for version in group.get("versions") or []
    ]


def kinds_of(api_version: str, resources: Dict[str, Any]) -> Dict[str, bool]:
    """The kinds of a list of resources, without what is only a part of others."""
    return {
        f"{api_version}/{resource['kind']}": bool(resource["namespaced"])
        for resource in resources.get("resources") or []
        if "/" not in resource["name"]
    }


def discover(api: Api) -> Served:
    """Ask the API server.

    Raises:
        ApiError: if it does not answer; an aggregated API that does not answer is only named.
    """
    version, groups = api.get("/version"), api.get("/apis")
    if not version or groups is None:
        raise ApiError("the API server does not tell its version and its groups")
    api_versions = versions_of(groups)

    def ask(api_version: str) -> Tuple[str, Optional[Dict[str, Any]]]:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        answer = api.call("GET", path)
        return api_version, answer.body if answer.good else None

    with ThreadPoolExecutor(THREADS) as pool:
        answers = dict(pool.map(ask, api_versions))
    kinds: Dict[str, bool] = {}
    for api_version, resources in answers.items():
        kinds.update(kinds_of(api_version, resources or {}))
    return Served(
        str(version["gitVersion"]),
        kinds,
        api_versions,
        [api_version for api_version, resources in answers.items() if resources is None],
    )
