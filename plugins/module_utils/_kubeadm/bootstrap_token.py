# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstrap tokens: what a joining host needs to find the cluster and to trust it."""

from __future__ import annotations

import json
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Dict

ALPHABET = string.ascii_lowercase + string.digits
GROUP = "system:bootstrappers:kubeadm:default-node-token"
UNITS = {"h": 3600, "m": 60, "s": 1}


class TokenError(Exception):
    """The cluster does not say what a joining host needs; the message says what is missing."""


@dataclass(frozen=True)
class Token:
    """A bootstrap token (https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/)."""

    token_id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.token_id}.{self.secret}"

    @property
    def secret_name(self) -> str:
        """The name of the Secret that holds it."""
        return f"bootstrap-token-{self.token_id}"


def new_token() -> Token:
    """A token that nobody can guess."""
    return Token(*("".join(secrets.choice(ALPHABET) for _letter in range(length)) for length in (6, 16)))


def parse_ttl(ttl: str) -> timedelta:
    """How long a token holds, from text such as 30m, 1h30m or 90s.

    Raises:
        TokenError: if it is no duration, or none above zero.
    """
    parts = re.findall(r"(\d+)([hms])", ttl)
    seconds = sum(int(number) * UNITS[unit] for number, unit in parts)
    if seconds == 0 or "".join(number + unit for number, unit in parts) != ttl:
        raise TokenError(f"ttl is '{ttl}'; write a time above zero, such as 30m or 1h30m")
    return timedelta(seconds=seconds)


def token_manifest(token: Token, expires: datetime, description: str) -> Dict[str, Any]:
    """The Secret that makes a token valid.

    Args:
        token: the token.
        expires: when the cluster removes it, in UTC.
        description: for people.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "bootstrap.kubernetes.io/token",
        "metadata": {"name": token.secret_name, "namespace": "kube-system"},
        "stringData": {
            "auth-extra-groups": GROUP,
            "description": description,
            "expiration": expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "token-id": token.token_id,
            "token-secret": token.secret,
            "usage-bootstrap-authentication": "true",
        },
    }


@dataclass(frozen=True)
class Cluster:
    """What a joining host must know of a cluster.

    Attributes:
        server: the URL of its API.
        authorities: the certificates of its authorities in PEM, in base64.
    """

    server: str
    authorities: str

    @property
    def endpoint(self) -> str:
        """Host and port of the API."""
        return self.server.split("://", maxsplit=1)[-1].rstrip("/")


def read_cluster(kubeconfig: Dict[str, Any]) -> Cluster:
    """The cluster of a kubeconfig.

    Raises:
        TokenError: if it names none.
    """
    try:
        cluster = kubeconfig["clusters"][0]["cluster"]
        return Cluster(str(cluster["server"]), str(cluster["certificate-authority-data"]))
    except (KeyError, IndexError, TypeError):
        raise TokenError(
            "The ConfigMap kube-public/cluster-info names no server or CA. Create it with "
            "'kubeadm init phase bootstrap-token' on a control plane."
        ) from None


def discovery_kubeconfig(cluster: Cluster, token: Token) -> str:
    """The kubeconfig with which a host joins, in JSON, which is YAML too.

    kubeadm trusts its authorities and takes its user for the join
    (https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-join/#file-or-https-based-discovery).
    """
    name, user = "cluster", "bootstrap"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": cluster.server, "certificate-authority-data": cluster.authorities}}
        ],
        "users": [{"name": user, "user": {"token": str(token)}}],
        "contexts": [{"name": user, "context": {"cluster": name, "user": user}}],
        "current-context": user,
    }
    return json.dumps(document)
