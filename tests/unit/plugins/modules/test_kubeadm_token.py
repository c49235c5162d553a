"""The module kubeadm_token: what it asks kubectl, and that the token stays off command lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import leases
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_token

BASE = ["/bin/kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=60s"]
INFO = ["get", "configmap", "cluster-info", "--namespace=kube-public", "--output=json"]
VIEW = ["config", "view", "--raw", "--output=json", "--kubeconfig=FILE"]
CREATE = ["apply", "--server-side", "--field-manager=groundwork", "--filename=-"]
NAMESPACE = "--namespace=kube-system"
FIND = ["get", "secrets", "bootstrap-token-abcdef", NAMESPACE, "--output=name", "--ignore-not-found"]
DELETE = ["delete", "secrets", "bootstrap-token-abcdef", NAMESPACE, "--ignore-not-found"]
KUBEADM = ["/bin/timeout", "--kill-after=30", "120", "/bin/kubeadm"]
UPLOAD = [*KUBEADM, "init", "phase", "upload-certs", "--upload-certs", "--config=/etc/kubernetes/kubeadm.yaml"]
CERTIFICATE_KEY = "0123456789abcdef" * 4
CLUSTER = {"server": "https://192.0.2.10:6443", "certificate-authority-data": "UEVN"}
Result = dict[str, Any]


@dataclass
class Cluster:
    """kubectl in front of a cluster."""

    run_module: Callable[..., Result]
    ran: list[list[str]] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)
    found: str = "secret/bootstrap-token-abcdef\n"
    uploaded: str | None = f"[upload-certs] Using certificate key:\n{CERTIFICATE_KEY}\n"
    info: tuple[int, str, str] = (0, json.dumps({"data": {"kubeconfig": "YAML"}}), "")
    nodes: dict[str, list[str]] = field(default_factory=dict)  # by name, the times that a lease has; the last one stays
    ready: str = "True"
    refuses: tuple[str, ...] = ()  # verbs that fail
    view: dict[str, Any] = field(default_factory=lambda: {"clusters": [{"cluster": CLUSTER}]})

    def run_command(self, arguments: list[str], data: str | None = None, **_options: Any) -> tuple[int, str, str]:
        if arguments[: len(KUBEADM)] == KUBEADM:
            self.ran.append(arguments)
            return (0, self.uploaded, "") if self.uploaded is not None else (1, "", "etcd is full")
        assert arguments[: len(BASE)] == BASE
        arguments = arguments[len(BASE) :]
        if arguments[0] == "config":
            option, _equals, path = arguments[-1].partition("=")
            arguments, data = [*arguments[:-1], f"{option}=FILE"], Path(path).read_text()
        if arguments[:2] in (["get", "nodes"], ["get", "leases"]):
            return self.look(arguments)
        self.ran.append(arguments)
        self.given.append(data)
        if arguments == INFO:
            return self.info
        if arguments[:3] == ["get", "secret", "kubeadm-certs"]:
            return 0, "bootstrap-token-owner1", ""
        if arguments[0] in self.refuses:
            return 1, "", "Unauthorized"
        return 0, {"config": json.dumps(self.view), "get": self.found}.get(arguments[0], ""), ""

    def look(self, arguments: list[str]) -> tuple[int, str, str]:
        """What the cluster has of nodes and leases."""
        if arguments[1] == "nodes":
            conditions = [{"type": "Ready", "status": self.ready}]
            known = [name for name in arguments[2:-2] if name in self.nodes]
            assert arguments[-2:] == ["--ignore-not-found", "--output=json"]
            items = [{"metadata": {"name": name}, "status": {"conditions": conditions}} for name in known]
            return 0, json.dumps(items[0] if len(arguments) == 5 else {"items": items}) if items else "", ""
        times = self.nodes[arguments[2]]
        if not times:
            return 1, "", "Error from server (NotFound): leases not found"
        return 0, json.dumps({"spec": {"renewTime": times.pop(0) if len(times) > 1 else times[0]}}), ""

    def __call__(self, **options: Any) -> Result:
        self.ran.clear()
        self.given.clear()
        return self.run_module(kubeadm_token, **options)


@pytest.fixture
def cluster(run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster(run_module)
    for name, value in {"WATCH": 0.1, "PAUSE": 0.01, "GRACE": 0.2}.items():
        monkeypatch.setattr(leases, name, value)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *args, **options: cluster.run_command(*args, **options)
    )
    return cluster


def test_create(cluster: Cluster) -> None:
    result = cluster(ttl="15m", description="why")
    assert result["changed"]
    assert result["endpoint"] == "192.0.2.10:6443"
    joins = json.loads(result["kubeconfig"])
    assert joins["clusters"] == [{"name": "cluster", "cluster": CLUSTER}]
    assert joins["users"] == [{"name": "bootstrap", "user": {"token": result["token"]}}]
    assert cluster.ran == [INFO, VIEW, CREATE]
    secret = json.loads(cluster.given[2])["stringData"]
    assert cluster.given[1] == "YAML"
    assert result["token"] == f"{secret['token-id']}.{secret['token-secret']}"
    assert (secret["expiration"], secret["description"]) == (result["expires"], "why")


def test_every_run_creates_another(cluster: Cluster) -> None:
    assert cluster()["token"] != cluster()["token"]


def test_check_mode(cluster: Cluster) -> None:
    result = cluster(_ansible_check_mode=True)
    assert result["changed"]
    assert set(result) >= {"token", "endpoint", "kubeconfig", "expires"}
    assert cluster.ran == []
    assert cluster(state="absent", token=result["token"], _ansible_check_mode=True)["changed"]
    assert cluster.ran == []


@pytest.mark.parametrize(
    ("options", "info", "view", "message"),
    [
        ({"ttl": "soon"}, None, None, "ttl is 'soon'; write a time above zero"),
        ({}, (1, "", "Error from server (NotFound): no"), {}, "cluster-info names no server or CA"),
        ({}, (1, "", "connection refused"), None, "connection refused"),
    ],
)
def test_refused(
    cluster: Cluster,
    options: dict[str, Any],
    info: tuple[int, str, str] | None,
    view: dict[str, Any] | None,
    message: str,
) -> None:
    cluster.info = info or cluster.info
    cluster.view = cluster.view if view is None else view
    result = cluster(**options)
    assert result["failed"]
    assert message in result["msg"]
    assert CREATE not in cluster.ran


@pytest.mark.parametrize("token", ["abcdef.0123456789abcdef", "abcdef"])
def test_remove(cluster: Cluster, token: str) -> None:
    assert cluster(state="absent", token=token, _ansible_check_mode=True)["changed"]
    assert cluster.ran == [FIND]
    assert cluster(state="absent", token=token)["changed"]
    assert cluster.ran == [FIND, DELETE]
    cluster.found = ""
    assert cluster(state="absent", token=token)["changed"] is False
    assert cluster.ran == [FIND]


def test_remove_needs_a_token(cluster: Cluster) -> None:
    assert "token" in cluster(state="absent")["msg"]


def test_certificates(cluster: Cluster) -> None:
    result = cluster(certificates=True)
    assert cluster.ran == [INFO, VIEW, CREATE, UPLOAD]
    assert result["certificate_key"] == CERTIFICATE_KEY
    assert cluster(certificates=True, _ansible_check_mode=True)["certificate_key"]
    assert cluster.ran == []
    assert cluster(state="absent", token="abcdef", certificates=True)["changed"]  # noqa: S106
    names = ["bootstrap-token-abcdef", "kubeadm-certs", "bootstrap-token-owner1"]
    assert cluster.ran[0][:3] == ["get", "secret", "kubeadm-certs"]
    assert [command[:5] for command in cluster.ran[1:]] == [["get", "secrets", *names], ["delete", "secrets", *names]]


def test_certificate_key_that_is_not_printed(cluster: Cluster) -> None:
    cluster.uploaded = "[upload-certs] Skipping phase\n"
    result = cluster(certificates=True)
    assert result["failed"]
    assert "printed no certificate key" in result["msg"]


def test_token_goes_where_the_upload_of_certificates_fails(cluster: Cluster) -> None:
    cluster.uploaded = None
    result = cluster(certificates=True)
    assert "etcd is full" in result["msg"]
    made = f"bootstrap-token-{json.loads(cluster.given[2])['stringData']['token-id']}"
    assert cluster.ran[3] == UPLOAD
    assert cluster.ran[-1] == [
        "delete",
        "secrets",
        made,
        "kubeadm-certs",
        "bootstrap-token-owner1",
        NAMESPACE,
        DELETE[-1],
    ]


def test_token_goes_where_the_api_server_does_not_say_that_it_took_it(cluster: Cluster) -> None:
    cluster.refuses = ("apply",)
    assert "Unauthorized" in cluster()["msg"]
    assert [command[0] for command in cluster.ran[-2:]] == ["get", "delete"]
    cluster.refuses = ("apply", "delete")
    assert "apply" in cluster()["msg"]  # what failed first is told


BUSY = [f"10:00:{second}" for second in range(10, 60)]


@pytest.mark.parametrize(
    ("nodes", "names", "refused"),
    [
        pytest.param({}, ["w1", "w2"], [], id="unknown"),
        pytest.param({"w1": ["10:00:00"]}, ["w1"], [], id="set up anew, and still called ready"),
        pytest.param({"w1": ["10:00:00", "10:00:10"]}, ["w1"], [], id="renewed once more, then silent"),
        pytest.param({"w1": BUSY}, ["w1"], ["w1"], id="at work"),
        pytest.param({"w1": BUSY, "w2": ["10:00:00"]}, ["w1", "w2", "w3"], ["w1"], id="one of three"),
        pytest.param({"w1": []}, ["w1"], ["w1"], id="ready without a lease"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_a_node_at_work_gets_no_token(
    cluster: Cluster, nodes: dict[str, list[str]], names: list[str], refused: list[str], check: bool
) -> None:
    cluster.nodes = {name: list(times) for name, times in nodes.items()}
    kubeconfig = {"kubeconfig": "/dev/null"} if check else {}
    BASE[1] = f"--kubeconfig={kubeconfig.get('kubeconfig', '/etc/kubernetes/admin.conf')}"
    try:
        result = cluster(nodes=names, _ansible_check_mode=check, **kubeconfig)
    finally:
        BASE[1] = "--kubeconfig=/etc/kubernetes/admin.conf"
    assert sorted(result["refused"]) == refused
    assert ("token" in result) == (set(names) != set(refused)) == result["changed"]
    assert (CREATE in cluster.ran) == (result["changed"] and not check)
    assert all(f"the node {name} is at work" in result["refused"][name] for name in refused)


def test_no_token_where_nothing_is_known_of_the_nodes(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "look", lambda _arguments: (1, "", "connection refused"))
    assert "connection refused" in cluster(nodes=["w1"])["msg"]
    assert cluster.ran == []
