"""Which images a host pulls, and where containerd looks for them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import argument_specs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.images import images, proxies, registries
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

SPECS = argument_specs.load_specs(Path(__file__).resolve().parents[5] / "roles")
GROUPS = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], "etcd": []}
OWN = {"kubernetes_version": "1.36.5", "kubernetes_image_repository": "r.example.com/k8s"}
ON_NODES = ["r.example.com/k8s/kube-proxy:v1.36.5", "r.example.com/k8s/pause:3.10.2"]
ON_PLANES = [f"r.example.com/k8s/kube-{name}:v1.36.5" for name in ("apiserver", "controller-manager", "scheduler")]
IMAGE = "registry.k8s.io/pause:3.10.2"


def wanted(name: str, groups: dict[str, list[str]] | None = None, **values: Any) -> list[str]:
    """The images of a host of a cluster with the roles' defaults, except for what is given."""
    known = {variable: value for variable, value in argument_specs.defaults(SPECS).items() if value is not None}
    hosts = [HostInput(one, {**known, **OWN, **values}) for one in ("cp1", "w1", "etcd1")]
    inputs = Inputs(hosts, {**GROUPS, **(groups or {})}, SPECS)
    return images(next(host for host in hosts if host.name == name), inputs)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("cp1", {}, [*ON_PLANES, *ON_NODES]),
        ("w1", {}, ON_NODES),
        ("w1", {"kubernetes_proxy_mode": "none"}, ON_NODES[1:]),
        ("w1", {"kubernetes_container_runtime": "crio"}, []),
        ("w1", {"kubernetes_version": "2.0.0"}, ["r.example.com/k8s/kube-proxy:v2.0.0"]),
        (
            "w1",
            {"control_plane_cluster_configuration": {"imageRepository": "o.example.com"}},
            ["o.example.com/kube-proxy:v1.36.5", ON_NODES[1]],
        ),
        (
            "w1",
            {
                "container_runtime_containerd_config": {
                    "plugins": {"io.containerd.cri.v1.images": {"pinned_images": {"sandbox": "x/pause:1"}}}
                }
            },
            [ON_NODES[0], "x/pause:1"],
        ),
        (
            "cp1",
            {
                "control_plane_cluster_configuration": {
                    "etcd": {"local": {"imageRepository": "e.example.com", "imageTag": "3.6.5-0"}},
                    "dns": {"imageTag": "v1.13.1"},  # where it is kubeadm decides
                }
            },
            [*ON_PLANES, "e.example.com/etcd:3.6.5-0", *ON_NODES],
        ),
        (
            "cp1",
            {"kubernetes_api_load_balancer": "kube_vip", "endpoint_kube_vip_image": "v.example.com/kube-vip:1"},
            [*ON_PLANES, "v.example.com/kube-vip:1", *ON_NODES],
        ),
    ],
)
def test_images(name: str, values: dict[str, Any], expected: list[str]) -> None:
    assert wanted(name, **values) == expected


def test_a_member_of_etcd_alone_pulls_none() -> None:
    assert wanted("etcd1", {"etcd": ["etcd1"]}) == []


def server(url: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    """A server as host_facts gets it."""
    return {
        "url": url,
        "namespace": namespace,
        "ca": "",
        "client_certificate": "",
        "client_key": "",
        "skip_verify": False,
        "username": "",
        "password": "",
        **more,
    }


def mirrors(*urls: str, registry: str = "registry.k8s.io", **more: Any) -> dict[str, Any]:
    """The variable with mirrors of one registry."""
    return {
        "container_runtime_registry_mirrors": [
            {"registry": registry, "mirrors": [{"url": url, **more} for url in urls]},
        ]
    }


def config(section: str, **registry: Any) -> dict[str, Any]:
    """containerd's own settings of registries."""
    return {"container_runtime_containerd_config": {"plugins": {section: {"registry": registry}}}}


OF_1, OF_2 = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"
LAST = server("https://registry.k8s.io/v2")
BASIC = base64.b64encode(b"me:se:cret").decode()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [LAST]),
        (mirrors("https://m"), [server("https://m/v2", "registry.k8s.io"), LAST]),
        (mirrors("https://m/k8s/"), [server("https://m/k8s/v2", "registry.k8s.io"), LAST]),
        (mirrors("https://m/v2"), [server("https://m/v2", "registry.k8s.io"), LAST]),
        (mirrors("https://m/x", override_path=True), [server("https://m/x", "registry.k8s.io"), LAST]),
        (
            mirrors("https://m", ca="/ca.pem", skip_verify=True),
            [server("https://m/v2", "registry.k8s.io", ca="/ca.pem", skip_verify=True), LAST],
        ),
        (mirrors("https://m", capabilities=["pull"]), [LAST]),
        (mirrors("https://m", capabilities=["pull", "resolve"]), [server("https://m/v2", "registry.k8s.io"), LAST]),
        (mirrors("https://m", registry="docker.io"), [LAST]),
        (mirrors("https://m", registry="_default"), [server("https://m/v2", "registry.k8s.io"), LAST]),
        (
            {
                "container_runtime_registry_mirrors": [
                    {"registry": "registry.k8s.io", "server": "https://s", "mirrors": [{"url": "https://a"}]},
                    {"registry": "registry.k8s.io", "mirrors": [{"url": "https://b"}]},
                    {"registry": "_default", "mirrors": [{"url": "https://c"}]},
                ]
            },
            [server(f"https://{name}/v2", "registry.k8s.io") for name in ("a", "b", "s")],
        ),
        (
            {
                **mirrors("https://m:5000"),
                **config(OF_2, configs={"m:5000": {"auth": {"username": "me", "password": "p"}}}),
            },
            [{**server("https://m:5000/v2", "registry.k8s.io"), "username": "me", "password": "p"}, LAST],
        ),
        (
            config(OF_1, configs={"registry.k8s.io": {"auth": {"auth": BASIC}}}),
            [{**LAST, "username": "me", "password": "se:cret"}],
        ),
        (
            config(OF_1, mirrors={"registry.k8s.io": {"endpoint": ["https://m/x"]}}),
            [server("https://m/x", "registry.k8s.io"), LAST],
        ),
        (
            {
                "container_runtime_registry_mirrors": [
                    {"registry": "registry.k8s.io", "ca": "/ca", "username": "me", "password": "p"},
                ]
            },
            [{**LAST, "ca": "/ca", "username": "me", "password": "p"}],
        ),
    ],
)
def test_servers(values: dict[str, Any], expected: list[dict[str, Any]]) -> None:
    (found,) = registries([IMAGE, "registry.k8s.io/kube-proxy:v1.36.5"], values)
    assert (found["registry"], found["servers"]) == ("registry.k8s.io", expected)


def test_docker_has_a_server_of_its_own() -> None:
    (found,) = registries(["busybox"], mirrors("https://m", registry="index.docker.io"))
    assert found["servers"] == [server("https://m/v2", "docker.io"), server("https://registry-1.docker.io/v2")]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["registry.k8s.io", "_default"]),
        (mirrors("https://m"), []),
        (mirrors("https://m", registry="_default"), ["registry.k8s.io"]),
    ],
)
def test_files_of_the_host_that_would_count(values: dict[str, Any], expected: list[str]) -> None:
    (found,) = registries([IMAGE], values)
    assert found["unless"] == [f"/etc/containerd/certs.d/{name}/hosts.toml" for name in expected]


@pytest.mark.parametrize(
    "values",
    [
        config(OF_1, config_path="/etc/other"),
        config(OF_2, configs={"registry.k8s.io": {"auth": {"identitytoken": "t"}}}),
        config(OF_2, configs={"registry.k8s.io": {"auth": {"auth": "no base64"}}}),
    ],
)
def test_what_is_not_known_is_not_asked(values: dict[str, Any]) -> None:
    assert registries([IMAGE], values) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a,b", "OTHER": "x"}, {"https": "http://p:1", "no": "a,b"}),
        ({"http_proxy": "http://small", "HTTP_PROXY": "http://large"}, {"http": "http://large"}),
        ({"HTTP_PROXY": "http://large", "http_proxy": "http://small", "no_proxy": None}, {"http": "http://large"}),
    ],
)
def test_proxies(given: Any, expected: dict[str, str]) -> None:
    assert proxies({"container_runtime_environment": given}) == expected
