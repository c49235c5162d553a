"""kube-vip's manifest on a real API server: as a dry run, because its image is not run here."""

# ruff: noqa: D103

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "_cluster" / "manifest"))
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "unit"))

import yaml
from ansible_collections.groundwork.kubernetes.plugins.modules import client_kubeconfig, manifest
from api_server import KUBERNETES, ApiServer, running
from real_etcd import Run
from rendering import render

VARIABLES = {"kubernetes_api_load_balancer": "kube_vip", "kubernetes_version": "1.36.5"}
ENDPOINTS = {"four": "192.0.2.10", "six": "[2001:db8::10]:6443"}
FACTS = {"eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.11"}, "ipv6": [{"address": "2001:db8::11"}]}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("api")) as api:
        yield api


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """For each host kube-vip's manifest and rights."""
    address = {"four": "192.0.2.11", "six": "2001:db8::11"}
    hosts = {
        name: {
            "kubernetes_api_endpoint": endpoint,
            "kubernetes_node_ip": address[name],
            "__endpoint_node": {"role": "none", "interrupted": ""},
        }
        for name, endpoint in ENDPOINTS.items()
    }
    inventory = {"children": {"kube_control_plane": {"vars": VARIABLES, "hosts": hosts}}}
    shown = {"text": "{{ __endpoint_kube_vip_manifest[0].content }}", "rights": "{{ __endpoint_kube_vip_rights }}"}
    return render(tmp_path_factory.mktemp("kube_vip"), "endpoint", inventory, FACTS, shown)


@pytest.fixture(scope="module")
def manifests(rendered: dict[str, dict[str, Any]]) -> dict[str, str]:
    """For each host kube-vip's manifest."""
    return {name: host["text"] for name, host in rendered.items()}


def create(server: ApiServer, manifest: str) -> subprocess.CompletedProcess[str]:
    command = [*server.kubectl, "create", "--filename=-", "--dry-run=server", "--validate=true", "--output=json"]
    return subprocess.run(command, input=manifest, check=False, capture_output=True, text=True)


@pytest.mark.parametrize(("host", "address", "subnet"), [("four", "192.0.2.10", "32"), ("six", "2001:db8::10", "128")])
def test_manifest_is_accepted(
    server: ApiServer, manifests: dict[str, str], host: str, address: str, subnet: str
) -> None:
    done = create(server, manifests[host])
    assert done.returncode == 0, done.stderr
    pod: dict[str, Any] = json.loads(done.stdout)
    assert pod["spec"]["hostNetwork"] is True
    assert pod["spec"]["priority"] > 2_000_000_000
    environment = {item["name"]: item["value"] for item in pod["spec"]["containers"][0]["env"]}
    assert (environment["address"], environment["vip_subnet"], environment["port"]) == (address, subnet, "6443")


def test_a_field_that_is_none_is_refused(server: ApiServer, manifests: dict[str, str]) -> None:
    """The test above can fail."""
    done = create(server, manifests["four"].replace("hostAliases:", "hostAlias:"))
    assert done.returncode != 0
    assert "hostAlias" in done.stderr


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{KUBERNETES}{os.pathsep}{os.environ['PATH']}")


def may(server: ApiServer, verb: str, what: str, namespace: str = "kube-system") -> bool:
    """Whether kube-vip may do this."""
    command = [*server.kubectl, "auth", "can-i", verb, what, f"--namespace={namespace}", "--as=kube-vip"]
    answer = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    assert answer in ("yes", "no")
    return answer == "yes"


@pytest.mark.usefixtures("programs")
def test_it_may_hold_its_lease_and_nothing_else(
    server: ApiServer, rendered: dict[str, dict[str, Any]], run: Run, tmp_path: Path
) -> None:
    lease = "leases.coordination.k8s.io/plndr-cp-lock"
    assert not may(server, "update", lease)
    # Nothing answers where the kubeconfig leads to, as nobody holds the address of the API without these rights.
    away = json.loads(server.kubeconfig.read_text())
    away["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "admin.conf").write_text(json.dumps(away))
    (tmp_path / "manifests").mkdir()
    port = server.url.rpartition(":")[2]
    pod = {"spec": {"containers": [{"command": ["kube-apiserver", f"--secure-port={port}"]}]}}
    (tmp_path / "manifests" / "kube-apiserver.yaml").write_text(yaml.safe_dump(pod))
    options = {"objects": rendered["four"]["rights"], "kubeconfig": str(tmp_path / "admin.conf")}
    assert "127.0.0.1:1" in run(manifest, **options)["msg"]
    done = run(manifest, own_server=True, **options)
    assert [item["action"] for item in done["objects"]] == ["created"] * 4, done
    again = run(manifest, own_server=True, **options)
    assert not again["changed"], again

    assert [may(server, verb, lease) for verb in ("get", "update", "delete")] == [True, True, False]
    assert may(server, "create", "leases.coordination.k8s.io")
    assert not may(server, "update", "leases.coordination.k8s.io/kube-scheduler")
    assert not may(server, "create", "leases.coordination.k8s.io", "default")
    refused = [
        ("get", "secrets"),
        ("list", "secrets"),
        ("get", "nodes"),
        ("watch", "services"),
        ("create", "pods"),
        ("*", "*"),
    ]
    assert [may(server, *item) for item in refused] == [False] * len(refused)


@pytest.mark.usefixtures("programs")
def test_a_further_rule_comes_and_goes(server: ApiServer, rendered: dict[str, dict[str, Any]], run: Run) -> None:
    role, binding, more, more_binding = rendered["four"]["rights"]
    rule = {"apiGroups": [""], "resources": ["services"], "verbs": ["watch"]}
    for rules in ([rule], []):
        objects = [role, binding, {**more, "rules": rules}, more_binding]
        done = run(manifest, objects=objects, kubeconfig=str(server.kubeconfig))
        assert done.get("changed"), done
        assert may(server, "watch", "services", "default") is bool(rules)


@pytest.mark.usefixtures("programs")
def test_kubeadm_issues_its_kubeconfig(run: Run, tmp_path: Path) -> None:
    if not (KUBERNETES / "kubeadm").is_file():
        pytest.skip("no kubeadm: see api_server.py")
    pki = tmp_path / "pki"
    version = subprocess.run(
        [KUBERNETES / "kubeadm", "version", "-o", "short"], check=True, capture_output=True, text=True
    )
    api = "v1beta2" if version.stdout.startswith("v1.20.") else "v1beta3"
    documents = [
        {
            "kind": "ClusterConfiguration",
            "kubernetesVersion": version.stdout.strip(),
            "controlPlaneEndpoint": "192.0.2.10:6443",
            "certificatesDir": str(pki),
        },
        {
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": "192.0.2.11"},
            "nodeRegistration": {"name": "cp-1", "criSocket": "/run/none.sock"},
        },
    ]
    config = tmp_path / "kubeadm.yaml"
    config.write_text(yaml.safe_dump_all({"apiVersion": f"kubeadm.k8s.io/{api}", **item} for item in documents))

    def kubeadm(*command: str) -> None:
        subprocess.run([KUBERNETES / "kubeadm", *command, f"--config={config}"], check=True, capture_output=True)

    kubeadm("init", "phase", "certs", "ca")
    kubeadm("init", "phase", "kubeconfig", "admin", f"--kubeconfig-dir={tmp_path}")
    path = tmp_path / "kube-vip.conf"
    options = {
        "path": str(path),
        "user": "kube-vip",
        "config": str(config),
        "reference": str(tmp_path / "admin.conf"),
        "authority": str(pki / "ca.crt"),
    }
    assert run(client_kubeconfig, _ansible_check_mode=True, **options)["fingerprint"] == "new"
    issued = run(client_kubeconfig, **options)
    assert issued.get("changed"), issued
    assert path.stat().st_mode & 0o777 == 0o600
    again = run(client_kubeconfig, **options)
    assert (again["changed"], again["found"]) == (False, issued["fingerprint"])
    assert yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"] == "https://192.0.2.10:6443"

    # Another authority
    shutil.rmtree(pki)
    kubeadm("init", "phase", "certs", "ca")
    anew = run(client_kubeconfig, **options)
    assert (anew["reason"], anew["found"]) == ("the cluster's authority is another one", "")
    assert anew["fingerprint"] != issued["fingerprint"]
