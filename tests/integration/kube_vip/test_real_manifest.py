"""kube-vip's manifest on a real API server: as a dry run, because its image is not run here."""

# ruff: noqa: D103

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "manifest"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "unit"))

from api_server import ETCD, KUBERNETES, ApiServer
from rendering import render

VARIABLES = {"kubernetes_api_load_balancer": "kube_vip", "kubernetes_version": "1.36.5"}
ENDPOINTS = {"four": "192.0.2.10", "six": "[2001:db8::10]:6443"}
FACTS = {"eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.11"}, "ipv6": [{"address": "2001:db8::11"}]}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    for folder, name in ((KUBERNETES, "kube-apiserver"), (KUBERNETES, "kubectl"), (ETCD, "etcd")):
        if not (folder / name).is_file():
            pytest.skip(f"no {name}: see api_server.py")
    api = ApiServer(tmp_path_factory.mktemp("api"))
    try:
        api.start()
        yield api
    finally:
        api.stop()


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """For each host kube-vip's manifest."""
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
    shown = {"text": "{{ __endpoint_kube_vip_files[0].content }}"}
    rendered = render(tmp_path_factory.mktemp("kube_vip"), "endpoint", inventory, FACTS, shown)
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
