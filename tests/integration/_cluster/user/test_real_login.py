"""People of an OIDC provider at a real API server, with the arguments that the collection makes of its configuration.

GROUNDWORK_KUBERNETES_DIR names the folder with Kubernetes' programs, GROUNDWORK_ETCD_DIR the one with etcd.
"""

# ruff: noqa: D103

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_arguments import kubeadm_arguments
from ansible_collections.groundwork.kubernetes.plugins.filter.oidc_arguments import oidc_arguments
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.login import Login
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.authentication import authentication
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_kubeadm" / "encryption"))

from cluster import KUBERNETES, ApiServer, Cluster, missing
from oidc_issuer import Issuer

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")
CAROL = {"email": "carol@example.com", "groups": ["developers"], "hd": "example.com"}


class Module:
    """As much of a module as runs kubectl."""

    @staticmethod
    def get_bin_path(name: str, **_options: Any) -> str:
        """Where a program of Kubernetes is."""
        return str(KUBERNETES / name)

    @staticmethod
    def run_command(arguments: list[str], data: str | None = None, **_options: Any) -> tuple[int, str, str]:
        """What a program did."""
        done = subprocess.run(arguments, input=data, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    issuer = Issuer(tmp_path_factory.mktemp("issuer"))
    issuer.start()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def server(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with the provider, a namespace, and what the provider's developers may do there."""
    wanted = issuer.configuration()
    wanted["jwt"][0]["claimValidationRules"] = [{"claim": "hd", "requiredValue": "example.com"}]
    host = HostInput("cp-1", {"control_plane_authentication_configuration": wanted, "kubernetes_version": "1.20.2"})
    assert [fault.text for fault in authentication(host, Inputs([host], {}, {}))] == []
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), ["cp-1"])
    made = cluster.servers["cp-1"]
    try:
        given = kubeadm_arguments(oidc_arguments(wanted, str(issuer.authority)))
        port = made.url.rpartition(":")[2]
        made.restart({**{item["name"]: item["value"] for item in given}, "secure-port": port})
        made.kubectl("create", "namespace", "shop")
        made.kubectl("create", "role", "notes", "--namespace=shop", "--verb=get,list", "--resource=configmaps")
        made.kubectl("create", "rolebinding", "notes", "--namespace=shop", "--role=notes", "--group=oidc:developers")
        yield made
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def api(server: ApiServer, issuer: Issuer) -> OwnApi:
    """The way of a control plane to its own API server, when that has the provider's keys."""
    api = OwnApi(Module(), str(server.folder), 60)  # type: ignore[arg-type]
    end = time.monotonic() + 120
    while lacks := Login(issuer.token(**CAROL)).lacking(api):
        assert time.monotonic() < end, f"{lacks}\n{server.log[-2000:]}"
        time.sleep(1)
    return api


def test_who_logs_in(api: OwnApi, issuer: Issuer) -> None:
    assert Login(issuer.token(**CAROL), "carol@example.com").lacking(api) == ""
    assert Login(issuer.token(**CAROL), "oidc:carol").lacking(api) == (
        "the token logs in as carol@example.com, not as oidc:carol"
    )


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"aud": "shop"}, "expected audience"),
        ({"exp": 1}, "token is expired"),
        ({"email": None}, "claim not present"),
        ({"email_verified": False}, "email not verified"),
        ({"hd": "example.org"}, "required claim"),
        ({"hd": None}, "required claim"),
    ],
)
def test_what_is_said_of_others(api: OwnApi, issuer: Issuer, claims: dict[str, Any], said: str) -> None:
    token = issuer.token(**{**CAROL, **claims})
    lacks = Login(token).lacking(api)
    assert lacks.startswith("the token does not log in")
    assert said in lacks
    assert token not in lacks


def test_a_token_of_another_provider(api: OwnApi, tmp_path: Path) -> None:
    other = Issuer(tmp_path)
    assert Login(other.token(**CAROL)).lacking(api).startswith("the token does not log in")


@pytest.mark.usefixtures("api")
def test_people_see_their_namespace_and_nothing_else(server: ApiServer, issuer: Issuer) -> None:
    def sees(namespace: str, what: str = "configmaps", **claims: Any) -> bool:
        config = json.loads(server.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": issuer.token(**{**CAROL, **claims})}
        path = server.folder / "person.conf"
        path.write_text(json.dumps(config))
        command = [str(KUBERNETES / "kubectl"), f"--kubeconfig={path}", "get", what, f"--namespace={namespace}"]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        assert done.returncode == 0 or "forbidden" in done.stderr.lower(), done.stderr
        return done.returncode == 0

    assert sees("shop")
    assert not sees("default")
    assert not sees("kube-system", "secrets")
    assert not sees("shop", "nodes")
    assert not sees("shop", groups=["others"])
    # A group of the provider's gets its prefix, so that it is no group of Kubernetes' own.
    assert not sees("shop", groups=["system:masters"])
