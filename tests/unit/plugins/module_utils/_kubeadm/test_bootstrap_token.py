"""Bootstrap tokens, and the kubeconfig with which a host joins."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.bootstrap_token import (
    Cluster,
    Token,
    TokenError,
    discovery_kubeconfig,
    new_token,
    parse_ttl,
    read_cluster,
    token_manifest,
)


def test_new_token() -> None:
    tokens = {str(new_token()) for _number in range(50)}
    assert len(tokens) == 50
    assert all(re.fullmatch("[a-z0-9]{6}[.][a-z0-9]{16}", token) for token in tokens)


@pytest.mark.parametrize(("ttl", "seconds"), [("30m", 1800), ("1h30m", 5400), ("90s", 90), ("24h0m0s", 86400)])
def test_parse_ttl(ttl: str, seconds: int) -> None:
    assert parse_ttl(ttl) == timedelta(seconds=seconds)


@pytest.mark.parametrize("ttl", ["", "0s", "30", "half an hour", "1d", "-5m", "5m "])
def test_no_ttl(ttl: str) -> None:
    with pytest.raises(TokenError, match="write a time above zero"):
        parse_ttl(ttl)


def test_token_manifest() -> None:
    manifest = token_manifest(Token("abcdef", "0123456789abcdef"), datetime(2026, 11, 22, 5, 20, 1), "why")
    assert manifest["metadata"] == {"name": "bootstrap-token-abcdef", "namespace": "kube-system"}
    assert manifest["type"] == "bootstrap.kubernetes.io/token"
    assert manifest["stringData"] == {
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        "description": "why",
        "expiration": "2026-11-22T05:20:01Z",
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
    }


def test_read_cluster() -> None:
    kubeconfig = {"clusters": [{"cluster": {"server": "https://[::1]:6443/", "certificate-authority-data": "UEVN"}}]}
    cluster = read_cluster(kubeconfig)
    assert cluster == Cluster("https://[::1]:6443/", "UEVN")
    assert cluster.endpoint == "[::1]:6443"


def test_discovery_kubeconfig() -> None:
    cluster = Cluster("https://192.0.2.10:6443", "UEVN")
    made = json.loads(discovery_kubeconfig(cluster, Token("abcdef", "0123456789abcdef")))
    assert read_cluster(made) == cluster
    (context,) = made["contexts"]
    assert context["name"] == made["current-context"]
    assert made["users"] == [{"name": context["context"]["user"], "user": {"token": "abcdef.0123456789abcdef"}}]
    assert made["clusters"][0]["name"] == context["context"]["cluster"]


@pytest.mark.parametrize("kubeconfig", [{}, {"clusters": None}, {"clusters": []}, {"clusters": [{"cluster": {}}]}])
def test_cluster_info_is_missing(kubeconfig: dict[str, Any]) -> None:
    with pytest.raises(TokenError, match="kubeadm init phase bootstrap-token"):
        read_cluster(kubeconfig)
