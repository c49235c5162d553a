"""The module user on a real API server and real controllers; what it issues is tried with a real kubectl.

GROUNDWORK_KUBERNETES_DIR names the folder with Kubernetes' programs, GROUNDWORK_ETCD_DIR the one with etcd.
"""

# ruff: noqa: D103

from __future__ import annotations

import base64
import contextlib
import datetime
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import user as module
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_kubeadm" / "encryption"))

from cluster import KUBERNETES, ApiServer, Cluster, missing, play
from real_etcd import Run

MANAGER = KUBERNETES / "kube-controller-manager"
LACKING = missing() or ("" if MANAGER.is_file() else f"there is no {MANAGER}")
LACKING = LACKING or ("" if shutil.which("age") else "age is not installed")
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING or "all is there")
PEM = serialization.Encoding.PEM
KEY = ec.generate_private_key(ec.SECP256R1())
BINDING = {"group": "developers", "cluster_role": "view", "namespaces": ["shop"]}


def private_key() -> bytes:
    return KEY.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def write_authority(folder: Path) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=3650))
    builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
    (folder / "ca.crt").write_bytes(builder.sign(KEY, hashes.SHA256()).public_bytes(PEM))
    (folder / "ca.key").write_bytes(private_key())


@contextlib.contextmanager
def controllers(server: ApiServer, names: str, duration: str) -> Iterator[None]:
    """A controller manager with these controllers, whose certificates hold so long; this version takes no wish."""
    shared = server.folder.parent
    command = [
        str(MANAGER), f"--kubeconfig={server.kubeconfig}", f"--controllers={names}", "--leader-elect=false",
        f"--cluster-signing-cert-file={shared}/ca.crt", f"--cluster-signing-key-file={shared}/ca.key",
        f"--cluster-signing-duration={duration}", "--secure-port=0", "--port=0",
    ]  # fmt: skip
    with (shared / "manager.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server that knows certificates of an authority, two namespaces, and what is in them."""
    folder = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(folder, ["cp-1"])
    made = cluster.servers["cp-1"]
    write_authority(folder)
    try:
        made.restart({"client-ca-file": f"{folder}/ca.crt"})
        config = json.loads(made.kubeconfig.read_text())
        authority = base64.b64encode((made.folder / "certs" / "apiserver.crt").read_bytes()).decode()
        config["clusters"][0]["cluster"] = {"server": made.url, "certificate-authority-data": authority}
        made.kubeconfig.write_text(json.dumps(config))
        for namespace in ("shop", "bank"):
            made.kubectl("create", "namespace", namespace)
            made.kubectl("create", "configmap", "wares", f"--namespace={namespace}")
        # ClusterRoles such as view are put together by a controller.
        with controllers(made, "clusterrole-aggregation", "1h"):
            while "pods" not in made.kubectl("get", "clusterrole", "view", "--output=json").stdout:
                time.sleep(0.5)
        yield made
    finally:
        cluster.stop()


@pytest.fixture
def signed(server: ApiServer) -> Iterator[None]:
    """Somebody signs, for an hour."""
    with controllers(server, "csrsigning", "1h"):
        yield


@pytest.fixture(scope="module")
def recipient(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A public key of age, and the file with the private one."""
    path = tmp_path_factory.mktemp("age") / "key"
    said = subprocess.run(["age-keygen", "--output", path], check=True, capture_output=True, text=True).stderr
    return said.split()[-1], path


User = Callable[..., dict[str, Any]]


@pytest.fixture
def user(server: ApiServer, run: Run, monkeypatch: pytest.MonkeyPatch) -> User:
    """user(check=False, option=value, ...): the module, and its result."""
    monkeypatch.setenv("PATH", str(KUBERNETES), prepend=":")
    monkeypatch.setenv("HOME", str(server.folder))
    given = {"kubeconfig": str(server.kubeconfig), "hours": 1, "cluster": "test", "_ansible_diff": True}
    return lambda check=False, **options: run(module, **{**given, **options, "_ansible_check_mode": check})


def opened(folder: Path, file: dict[str, str], identity: Path) -> Path:
    """A kubeconfig as its owner has it."""
    target = folder / file["path"].removesuffix(".age")
    command = ["age", "--decrypt", "--identity", str(identity)]
    done = subprocess.run(command, input=file["content"], check=True, capture_output=True, text=True)
    target.write_text(done.stdout)
    return target


def may(kubeconfig: Path, *arguments: str) -> str:
    """What kubectl says to somebody: yes where it did what was asked, else its message."""
    command = [KUBERNETES / "kubectl", f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig}.cache", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=kubeconfig.parent)
    return "yes" if done.returncode == 0 else done.stderr


def requests(server: ApiServer) -> list[str]:
    return server.kubectl("get", "certificatesigningrequests", "--output=name").stdout.split()


def alice(recipient: tuple[str, Path], **more: Any) -> dict[str, Any]:
    return {"name": "alice", "groups": ["developers"], "encrypt_to": [recipient[0]], **more}


def row(result: dict[str, Any], account: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in result["accounts"] if item["account"] == account)
    return found


@pytest.mark.usefixtures("signed")
def test_a_user_sees_its_namespace_and_nothing_else_and_nothing_at_all_once_revoked(
    user: User, server: ApiServer, recipient: tuple[str, Path], tmp_path: Path
) -> None:
    data = {"accounts": [alice(recipient)], "bindings": [BINDING]}
    foreseen = user(check=True, **data)
    assert foreseen["changed"], foreseen
    assert [(item["host"], item["subject"]) for item in foreseen["plan"]] == [
        ("group developers", "view in shop"),
        ("alice", "certificate"),
    ]
    assert user()["accounts"] == []
    assert server.kubectl("get", "rolebindings", "--namespace=shop", "--output=name").stdout == ""

    made = user(**data)
    assert [item["result"] for item in made["rows"]] == ["changed", "changed"], made
    (file,) = made["files"]
    assert file["path"] == "alice.kubeconfig.age"
    assert row(made, "alice")["may"] == ["view in shop"]
    assert row(made, "alice")["state"].endswith(", not handed over")
    # Whoever sees what the module says has no key.
    assert "client-key-data" not in json.dumps(made)
    assert requests(server) == []
    kubeconfig = opened(tmp_path, file, recipient[1])
    assert json.loads(kubeconfig.read_text())["contexts"][0]["context"]["namespace"] == "shop"
    assert may(kubeconfig, "get", "configmaps") == "yes"
    for forbidden in (
        ["get", "configmaps", "--namespace=bank"],
        ["get", "configmaps", "--namespace=kube-system"],
        ["get", "secrets"],
        ["get", "nodes"],
        ["delete", "configmap", "wares"],
    ):
        assert "Forbidden" in may(kubeconfig, *forbidden)

    assert user(delivered=made["issued"])["changed"]
    assert not user(delivered=made["issued"])["changed"]
    again = user(**data)
    assert (again["changed"], again["plan"], again["files"]) == (False, [], [])
    assert row(again, "alice")["state"].startswith("certificate until ")

    gone = {"accounts": [{"name": "alice", "state": "absent"}], "bindings": [BINDING]}
    assert user(check=True, **gone)["changed"]
    assert may(kubeconfig, "get", "configmaps") == "yes"
    revoked = user(**gone)
    assert [(item["host"], item["result"]) for item in revoked["rows"]] == [
        ("group developers", "changed"),
        ("alice", "changed"),
    ]
    assert row(revoked, "alice")["state"].startswith("revoked; its certificate logs in until ")
    assert "Forbidden" in may(kubeconfig, "get", "configmaps")
    assert may(kubeconfig, "get", "--raw=/version") == "yes"
    assert not user(**gone)["changed"]

    back = user(**data)
    assert "alice was revoked on" in back["msg"]
    assert back["reasons"]
    assert "Forbidden" in may(kubeconfig, "get", "configmaps")


@pytest.mark.usefixtures("signed")
def test_a_key_that_its_owner_made_stays_with_its_owner(user: User, tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
         "bob.key", "-out", "bob.csr", "-subj", "/CN=bob"],
        check=True, capture_output=True, cwd=tmp_path,
    )  # fmt: skip
    account = {"name": "bob", "groups": ["developers"], "request": (tmp_path / "bob.csr").read_text()}
    made = user(accounts=[account], bindings=[BINDING])
    (file,) = made["files"]
    assert file["path"] == "bob.kubeconfig"
    (tmp_path / file["path"]).write_text(file["content"])
    assert may(tmp_path / file["path"], "get", "configmaps") == "yes"
    assert "Forbidden" in may(tmp_path / file["path"], "get", "configmaps", "--namespace=bank")
    # Whose file has not arrived gets another one.
    assert [item["host"] for item in user(check=True, accounts=[account], bindings=[BINDING])["plan"]] == ["bob"]


def test_a_certificate_that_ends_is_not_issued_again_by_itself(
    user: User, server: ApiServer, recipient: tuple[str, Path], tmp_path: Path
) -> None:
    account = {"name": "carol", "groups": ["developers"], "encrypt_to": [recipient[0]]}
    with controllers(server, "csrsigning", "25s"):
        made = user(accounts=[account], bindings=[BINDING])
    (file,) = made["files"]
    kubeconfig = opened(tmp_path, file, recipient[1])
    user(delivered=made["issued"])
    end = time.monotonic() + 60
    while (said := may(kubeconfig, "get", "configmaps")) == "yes":
        assert time.monotonic() < end
        time.sleep(1)
    assert "You must be logged in" in said or "Unauthorized" in said
    later = user(accounts=[account], bindings=[BINDING])
    assert not later["changed"]
    assert row(later, "carol")["state"].startswith("certificate ended ")
    renewed = user(check=True, accounts=[account], bindings=[BINDING], renew=["carol"])
    assert [item["host"] for item in renewed["plan"]] == ["carol"]


def test_a_service_account_is_limited_to_its_namespace(
    user: User, server: ApiServer, recipient: tuple[str, Path], tmp_path: Path
) -> None:
    account = {"name": "deploy", "kind": "token", "namespace": "shop", "groups": ["ci"], "encrypt_to": [recipient[0]]}
    binding = {"group": "ci", "cluster_role": "edit", "namespaces": ["shop"]}
    wide = user(accounts=[account], bindings=[{**binding, "namespaces": ["shop", "bank"]}])
    assert "limited to its namespace, not bank" in wide["msg"]
    made = user(accounts=[account], bindings=[binding])
    (file,) = made["files"]
    kubeconfig = opened(tmp_path, file, recipient[1])
    token = json.loads(kubeconfig.read_text())["users"][0]["user"]["token"]
    assert token not in json.dumps(made)
    assert may(kubeconfig, "create", "configmap", "release") == "yes"
    assert "Forbidden" in may(kubeconfig, "get", "configmaps", "--namespace=bank")
    user(delivered=made["issued"])
    assert not user(accounts=[account], bindings=[binding])["changed"]
    gone = user(accounts=[{**account, "state": "absent"}], bindings=[binding])
    assert [item["result"] for item in gone["rows"]] == ["changed", "changed"]
    assert may(kubeconfig, "get", "configmaps") != "yes"
    assert not user(accounts=[{**account, "state": "absent"}], bindings=[binding])["changed"]
    assert row(gone, "shop/deploy")["state"] == "revoked"


def test_somebody_elses_service_account_is_left_alone(
    user: User, server: ApiServer, recipient: tuple[str, Path]
) -> None:
    server.kubectl("create", "serviceaccount", "theirs", "--namespace=shop")
    account = {"name": "theirs", "kind": "token", "namespace": "shop", "encrypt_to": [recipient[0]]}
    refused = user(accounts=[account])
    assert "is there and not this collection's" in refused["msg"]
    user(accounts=[{**account, "state": "absent"}])
    assert server.kubectl("get", "serviceaccount", "theirs", "--namespace=shop").returncode == 0


def test_a_certificate_that_outlives_the_wish_is_thrown_away(
    user: User, server: ApiServer, recipient: tuple[str, Path]
) -> None:
    """This API server passes no wish on."""
    account = {"name": "dave", "encrypt_to": [recipient[0]]}
    with controllers(server, "csrsigning", "8760h"):
        result = user(accounts=[account])
        assert "longer than the 1 h that were asked for. It was thrown away." in result["msg"]
        assert (result["rows"][-1]["host"], result["rows"][-1]["result"]) == ("dave", "failed")
        assert result["files"] == []
        assert requests(server) == []
        assert "dave" not in server.kubectl("get", "configmaps", "--namespace=kube-system", "--output=name").stdout
        taken = user(accounts=[account], accept_longer=True)
    assert [item["result"] for item in taken["rows"]] == ["changed"]
    assert row(taken, "dave")["expires"] > time.time() + 300 * 86400


def test_faults_come_at_once_and_nothing_changes(user: User, server: ApiServer, recipient: tuple[str, Path]) -> None:
    before = server.kubectl("get", "rolebindings,configmaps", "--all-namespaces", "--output=name").stdout
    refused = user(
        accounts=[alice(recipient, name="erin")],
        bindings=[
            {"group": "developers", "cluster_role": "vew", "namespaces": ["shop"]},
            {"group": "developers", "cluster_role": "edit", "namespaces": ["shpo"]},
            {"group": "developers", "role": "deployer", "namespaces": ["shop"]},
        ],
    )
    assert refused["reasons"] == [
        "the group developers: there is no ClusterRole vew; make it first, or correct the name",
        "the group developers is to be bound in the namespace shpo, which does not exist; make it first",
        "the group developers: the namespace shop has no Role deployer; make it first",
    ]
    assert server.kubectl("get", "rolebindings,configmaps", "--all-namespaces", "--output=name").stdout == before


def test_what_others_add_to_a_binding_of_ours_goes_and_theirs_stay(user: User, server: ApiServer) -> None:
    bindings = [BINDING]
    user(bindings=bindings)
    server.kubectl("create", "rolebinding", "theirs", "--clusterrole=view", "--user=frank", "--namespace=shop")
    name = server.kubectl(
        "get", "rolebindings", "--namespace=shop", "--selector=groundwork.kubernetes/user", "--output=name"
    ).stdout.strip()
    patch = [{"op": "add", "path": "/subjects/-", "value": {"kind": "User", "name": "mallory"}}]
    server.kubectl("patch", name, "--namespace=shop", "--type=json", f"--patch={json.dumps(patch)}")
    mended = user(bindings=bindings)
    assert mended["changed"]
    assert "mallory" in mended["diff"][0]["before"]
    assert "mallory" not in mended["diff"][0]["after"]
    assert not user(bindings=bindings)["changed"]
    removed = user(bindings=[{**BINDING, "cluster_role": "edit"}])
    assert len(removed["rows"]) == 2
    left = server.kubectl("get", "rolebindings", "--namespace=shop", "--output=name").stdout.split()
    assert "rolebinding.rbac.authorization.k8s.io/theirs" in left
    assert len(left) == 2


@pytest.mark.usefixtures("signed")
def test_the_role_hands_over_once(server: ApiServer, recipient: tuple[str, Path], tmp_path: Path) -> None:
    """Its steps but for the choice of a control plane, by real Ansible."""
    shared = server.folder.parent
    accounts = [
        {"name": "grace", "groups": ["developers"], "encrypt_to": [recipient[0]]},
        {"name": "heidi", "kind": "oidc", "groups": ["developers"]},
    ]
    given = {
        "user_accounts": accounts, "user_bindings": [BINDING], "user_hours": 1, "user_packages": [],
        "user_directory": str(tmp_path / "users"), "user_oidc": {"issuer_url": "https://id", "client_id": "k"},
    }  # fmt: skip

    def converge(check: bool = False, **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        task = {
            "name": "Do it",
            "ansible.builtin.include_role": {"name": "groundwork.kubernetes.user", "tasks_from": "accounts"},
        }
        wanted = {
            "tasks": [task],
            "check_mode": check,
            "module_defaults": {"groundwork.kubernetes.user": {"kubeconfig": str(server.kubeconfig)}},
        }
        done = play(shared, wanted, ["cp-1"], {**given, **more})
        results = {
            item["task"]["name"].rpartition(" : ")[2]: item["hosts"].get("cp-1", {})
            for item in done["plays"][0]["tasks"]
        }
        return results, done["stats"]["cp-1"]

    tasks, stats = converge(check=True)
    assert (stats["failures"], stats["changed"]) == (0, 2), tasks
    assert not (tmp_path / "users").exists()
    tasks, stats = converge()
    assert (stats["failures"], stats["changed"]) == (0, 3), tasks
    assert "grace" in str(tasks["Print the plan"]["msg"])
    files = {path.name: path for path in (tmp_path / "users").iterdir()}
    assert sorted(files) == ["grace.kubeconfig.age", "heidi.kubeconfig"]
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    assert (tmp_path / "users").stat().st_mode & 0o777 == 0o700
    sealed = {"path": "grace.kubeconfig.age", "content": files["grace.kubeconfig.age"].read_text()}
    assert may(opened(tmp_path, sealed, recipient[1]), "get", "configmaps") == "yes"
    tasks, stats = converge()
    assert (stats["failures"], stats["changed"]) == (0, 0), tasks
    assert "certificate until" in str(tasks["Print who has what until when"]["msg"])
    tasks, stats = converge(user_bindings=[{**BINDING, "cluster_role": "vew"}])
    assert (stats["failures"], stats["changed"]) == (1, 0)
    assert "there is no ClusterRole vew" in str(tasks)
