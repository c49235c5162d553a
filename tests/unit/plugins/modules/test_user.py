"""The module user: exact calls of kubectl, openssl and age, answered by the test."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api, credentials
from ansible_collections.groundwork.kubernetes.plugins.modules import user
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import issue

Run = Callable[..., dict[str, Any]]
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
KEY = "-----BEGIN PRIVATE KEY-----\nplain\n-----END PRIVATE KEY-----\n"
REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\nAA==\n-----END CERTIFICATE REQUEST-----\n"
SEALED = "-----BEGIN AGE ENCRYPTED FILE-----\nxyz\n-----END AGE ENCRYPTED FILE-----\n"
ALICE = {"name": "alice", "groups": ["developers"], "encrypt_to": ["age1alice"]}
DEPLOY = {"name": "deploy", "kind": "token", "namespace": "shop", "encrypt_to": ["age1alice"]}
BINDING = {"group": "developers", "cluster_role": "view", "namespaces": ["shop"]}
APPLY = ["apply", "--server-side", "--force-conflicts", "--field-manager=groundwork", "--output=json"]


def token(seconds: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time() + seconds)}).encode()).decode().rstrip("=")
    return f"head.{claims}.signature"


class Host:
    """A cluster that keeps what it is given, and the host's programs."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.calls: list[list[str]] = []
        self.inputs: list[str] = []
        self.signed_days, self.minor, self.token = 1 / 24, "22", token(3600)
        self.refused = ""

    def run_command(self, command: list[str], data: str | bytes | None) -> tuple[int, Any, str]:
        program = command[0].rpartition("/")[2]
        if program == "age":
            self.calls.append(["age", *command[1:]])
            self.inputs.append(data if isinstance(data, str) else "")
            return 0, SEALED if isinstance(data, str) else b"", ""
        if program == "openssl":
            self.calls.append(["openssl", *command[1:]])
            return 0, KEY if command[1] == "genpkey" else REQUEST, ""
        call = command[3:]
        self.calls.append(call)
        if self.refused and self.refused in " ".join(call):
            return 1, "", "refused"
        return 0, self.kubectl(call, str(data or "")), ""

    def kubectl(self, call: list[str], data: str) -> str:
        if call[0] in ("apply", "delete") and data:
            return self.keep(call, json.loads(data)["items"])
        if call[:2] == ["create", f"--raw={REQUESTS}"]:
            metadata = {**json.loads(data)["metadata"], "uid": "u", "resourceVersion": "1"}
            return json.dumps({**json.loads(data), "metadata": metadata})
        signed = base64.b64encode(issue("alice", days=self.signed_days).crt.encode()).decode()
        answers: dict[tuple[str, str], Any] = {
            ("get", "--raw=/version"): {"major": "1", "minor": f"{self.minor}+"},
            ("get", "configmaps,"): {"items": list(self.objects.values())},
            ("get", "certificatesigningrequests"): {"status": {"certificate": signed}},
            ("create", "--raw=/api/v1/namespaces/shop/"): {"status": {"token": self.token}},
            ("config", "view"): {"server": "https://api:6443", "certificate-authority-data": "Y2E="},
        }
        found = [answer for (verb, start), answer in answers.items() if verb == call[0] and call[1].startswith(start)]
        names = "Namespace <none> shop\nClusterRole <none> view\n" if call[1].startswith("namespaces,") else ""
        return json.dumps(found[0]) if found else names

    def keep(self, call: list[str], items: list[dict[str, Any]]) -> str:
        for item in items if "--dry-run=server" not in call else []:
            place = item["kind"], item["metadata"]["name"]
            self.objects.pop(place, None)
            if call[0] == "apply":
                self.objects[place] = item
        return json.dumps({"kind": "List", "items": items})


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host()

    def run_command(_module: AnsibleModule, command: list[str], data: Any = None, **_more: Any) -> Any:
        return made.run_command(command, data)

    monkeypatch.setattr(AnsibleModule, "run_command", run_command)
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_more, **_named: f"/usr/bin/{name}")
    monkeypatch.setattr(user, "require_cluster", lambda *_arguments: None)
    monkeypatch.setattr(api, "INTERVAL", 0)
    monkeypatch.setattr(credentials.secrets, "token_hex", lambda _count: "0a0b")
    return made


def kinds(host: Host) -> list[str]:
    return sorted(kind for kind, _name in host.objects)


def test_an_account_gets_rights_and_a_certificate(run_module: Run, host: Host) -> None:
    result = run_module(user, accounts=[ALICE], bindings=[BINDING], hours=1, directory="/srv", cluster="c")
    assert result["changed"], result
    assert [(row["host"], row["subject"], row["result"]) for row in result["rows"]] == [
        ("group developers", "view in shop", "changed"),
        ("alice", "certificate", "changed"),
    ]
    assert result["files"] == [{"path": "/srv/alice.kubeconfig.age", "content": SEALED, "mode": "0600"}]
    assert len(result["issued"]) == 1
    names = "--output=custom-columns=:.kind,:.metadata.namespace,:.metadata.name"
    selected = ["--all-namespaces", "--selector=groundwork.kubernetes/user", "--output=json"]
    request = "groundwork-alice-0a0b"
    assert host.calls == [
        ["get", "configmaps,serviceaccounts,rolebindings,clusterrolebindings", *selected],
        ["get", "namespaces,serviceaccounts,roles,clusterroles", "--all-namespaces", "--no-headers", names],
        ["age", "--encrypt", "--recipient", "age1alice"],
        [*APPLY, "--dry-run=server", "--filename=-"],
        ["config", "view", "--raw", "--minify", "--flatten", "--output=jsonpath={.clusters[0].cluster}"],
        ["get", "--raw=/version"],
        [*APPLY, "--filename=-"],
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        ["openssl", "req", "-new", "-key", "/dev/stdin", "-subj", "/CN=alice"],
        ["create", f"--raw={REQUESTS}", "--filename=-"],
        ["replace", f"--raw={REQUESTS}/{request}/approval", "--filename=-"],
        ["get", "certificatesigningrequests", request, "--output=json"],
        ["delete", "certificatesigningrequests", request, "--ignore-not-found", "--wait=false"],
        ["age", "--encrypt", "--armor", "--recipient", "age1alice"],
        [*APPLY, "--filename=-"],
    ]
    config = json.loads(host.inputs[-1])
    assert config["clusters"] == [
        {"name": "c", "cluster": {"server": "https://api:6443", "certificate-authority-data": "Y2E="}}
    ]
    assert config["contexts"][0]["context"] == {"cluster": "c", "user": "alice", "namespace": "shop"}
    assert base64.b64decode(config["users"][0]["user"]["client-key-data"]).decode() == KEY
    assert "plain" not in json.dumps(result)
    # It was noted before it was handed over, and again when it had arrived.
    assert kinds(host) == ["ConfigMap", "RoleBinding"]
    assert result["accounts"][0]["state"].endswith("not handed over")
    noted = run_module(user, delivered=result["issued"])
    assert noted["changed"]
    assert not noted["accounts"][0]["state"].endswith("not handed over")
    assert not run_module(user, delivered=result["issued"])["changed"]
    again = run_module(user, accounts=[ALICE], bindings=[BINDING], hours=1)
    assert (again["changed"], again["plan"], again["files"]) == (False, [], [])


def test_check_mode_only_asks(run_module: Run, host: Host) -> None:
    options: dict[str, Any] = {"accounts": [ALICE], "bindings": [BINDING], "directory": "/srv"}
    result = run_module(user, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    assert [item["after"] for item in result["plan"]] == ["alice", "for 24 h"]
    assert result["files"] == [{"path": "/srv/alice.kubeconfig.age", "content": "", "mode": "0600"}]
    assert [change["before_header"] for change in result["diff"]][1] == "accounts"
    assert host.objects == {}
    assert {call[0] for call in host.calls} == {"get", "apply", "age", "config"}


@pytest.mark.parametrize(("accept", "result"), [(False, "failed"), (True, "changed")])
def test_a_certificate_that_outlives_the_wish(run_module: Run, host: Host, accept: bool, result: str) -> None:
    host.signed_days, host.minor = 365, "20"
    made = run_module(user, accounts=[ALICE, DEPLOY], accept_longer=accept)
    assert "this API server (1.20) ignores for how long" in made["plan"][1]["disrupts"]
    assert [(row["host"], row["result"]) for row in made["rows"]] == [
        ("shop/deploy", "changed"),
        ("alice", result),
        ("shop/deploy", "changed" if accept else "not reached"),
    ]
    assert made.get("failed", False) is not accept
    assert ("It was thrown away" in made.get("msg", "")) is not accept
    assert len(made["files"]) == (2 if accept else 0)
    assert ["delete", "certificatesigningrequests"] in [call[:2] for call in host.calls]


@pytest.mark.parametrize(("seconds", "failed"), [(3600, False), (3600 + 600, True)])
def test_a_token(run_module: Run, host: Host, seconds: float, failed: bool) -> None:
    host.token = token(seconds)
    result = run_module(user, accounts=[DEPLOY], hours=1)
    assert result.get("failed", False) is failed
    assert ["create", "--raw=/api/v1/namespaces/shop/serviceaccounts/deploy/token", "--filename=-"] in host.calls
    assert host.token not in json.dumps(result)
    assert kinds(host) == (["ServiceAccount"] if failed else ["ConfigMap", "ServiceAccount"])
    if failed:
        return
    assert json.loads(host.inputs[-1])["users"][0]["user"] == {"token": host.token}
    gone = run_module(user, accounts=[{**DEPLOY, "state": "absent"}])
    assert (gone["changed"], host.objects) == (True, {})
    assert not run_module(user, accounts=[{**DEPLOY, "state": "absent"}])["changed"]


def test_revoked(run_module: Run, host: Host) -> None:
    run_module(user, accounts=[ALICE], bindings=[BINDING], hours=1)
    gone = {"accounts": [{"name": "alice", "state": "absent"}], "bindings": [BINDING]}
    result = run_module(user, **gone)
    assert "its certificate cannot be taken back" in result["plan"][1]["disrupts"]
    binding = next(item for (kind, _name), item in host.objects.items() if kind == "RoleBinding")
    assert [subject["name"] for subject in binding["subjects"]] == ["developers"]
    assert not run_module(user, **gone)["changed"]
    back = run_module(user, accounts=[ALICE], bindings=[BINDING])
    assert (back["failed"], len(back["reasons"])) == (True, 1)
    assert run_module(user, accounts=[{**ALICE, "name": "bob"}])["plan"][0]["after"] == ""


def test_without_data_it_lists(run_module: Run, host: Host) -> None:
    run_module(user, accounts=[ALICE], bindings=[BINDING], hours=1)
    host.calls.clear()
    result = run_module(user)
    assert (result["changed"], len(result["table"])) == (False, 2)
    assert "view in shop" in result["table"][1]
    assert [call[0] for call in host.calls] == ["get", "get"]


def test_an_account_by_oidc_has_a_kubeconfig_without_a_secret(run_module: Run, host: Host) -> None:
    carol = {"name": "carol@example.com", "kind": "oidc", "groups": ["developers"]}
    oidc = {"issuer_url": "https://id", "client_id": "k", "scopes": ["email"]}
    result = run_module(user, accounts=[carol], bindings=[BINDING], oidc=oidc, server="https://lb:443")
    (file,) = result["files"]
    config = json.loads(file["content"])
    assert (file["path"], result["issued"]) == ("carol@example.com.kubeconfig", [])
    assert config["clusters"][0]["cluster"]["server"] == "https://lb:443"
    assert config["users"][0]["user"]["exec"]["args"] == [
        "oidc-login", "get-token", "--oidc-issuer-url=https://id", "--oidc-client-id=k", "--oidc-extra-scope=email",
    ]  # fmt: skip
    assert "oidc: accounts of the kind oidc need it" in run_module(user, accounts=[carol])["reasons"]


def test_faults_come_at_once(run_module: Run, host: Host) -> None:
    result = run_module(
        user, accounts=[{"name": "system:x"}], bindings=[{**BINDING, "group": "system:masters"}], renew=["bob"]
    )
    assert result["msg"].startswith("Nothing was changed.\n")
    assert len(result["reasons"]) == 4
    assert host.calls == []
    result = run_module(user, accounts=[ALICE], bindings=[{**BINDING, "namespaces": ["bank"]}])
    assert result["reasons"] == [
        "the group developers is to be bound in the namespace bank, which does not exist; make it first"
    ]


def test_a_failure_names_what_was_not_reached(run_module: Run, host: Host) -> None:
    host.refused = "create --raw"
    result = run_module(user, accounts=[ALICE, DEPLOY], bindings=[BINDING], hours=1)
    assert [row["result"] for row in result["rows"]] == ["changed", "changed", "failed", "not reached"]
    assert (result["changed"], result["files"]) == (True, [])
