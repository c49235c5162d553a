"""People of an OIDC provider at a real API server: who logs in, and what the proof of a login says of tokens."""

# ruff: noqa: D103

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.login import Login
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from api_server import ETCD, KUBERNETES, ApiServer
from oidc_issuer import Issuer

LACKING = [name for folder, name in ((KUBERNETES, "kube-apiserver"), (ETCD, "etcd")) if not (folder / name).is_file()]
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"not there: {', '.join(LACKING)}")
CAROL = {"email": "carol@example.com", "groups": ["developers"]}


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
def people(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with arguments as docs/users.md has them."""
    options = {
        "issuer-url": issuer.url,
        "client-id": "kubernetes",
        "username-claim": "email",
        "username-prefix": "-",
        "groups-claim": "groups",
        "groups-prefix": "oidc:",
        "ca-file": issuer.authority,
    }
    server = ApiServer(tmp_path_factory.mktemp("server"), *(f"--oidc-{name}={text}" for name, text in options.items()))
    try:
        server.start()
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "oidc:developers"}
        server.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        server.create(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "developers", "namespace": "shop"},
                "roleRef": role,
                "subjects": [subject],
            }
        )
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def api(people: ApiServer, issuer: Issuer) -> OwnApi:
    """The way of a control plane to its own API server, when that has the provider's keys."""
    folder = people.folder / "kubernetes"
    (folder / "manifests").mkdir(parents=True)
    os.symlink(people.kubeconfig, folder / "admin.conf")
    port = people.url.rpartition(":")[2]
    flags = f"    - kube-apiserver\n    - --advertise-address=127.0.0.1\n    - --secure-port={port}\n"
    (folder / "manifests" / "kube-apiserver.yaml").write_text(flags)
    api = OwnApi(Module(), str(folder))  # type: ignore[arg-type]
    end = time.monotonic() + 60
    while lacks := Login(issuer.token(**CAROL)).lacking(api):
        assert time.monotonic() < end, lacks
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
def test_people_see_their_namespace_and_nothing_else(people: ApiServer, issuer: Issuer) -> None:
    def sees(namespace: str, **claims: Any) -> bool:
        config = people.folder / "nobody.conf"
        config.write_text(people.kubeconfig.read_text().replace(people.token, issuer.token(**{**CAROL, **claims})))
        command = [str(KUBERNETES / "kubectl"), f"--kubeconfig={config}", "get", "pods", f"--namespace={namespace}"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert sees("shop")
    assert not sees("default")
    assert not sees("shop", groups=["others"])
