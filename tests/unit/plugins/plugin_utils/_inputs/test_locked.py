"""What a run needs, as the inventory says it, and how that is judged by a lock."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.digests import PROGRAMS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import (
    CHART,
    FILE,
    IMAGE,
    MANIFEST,
    Artifact,
    Lock,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    argument_specs,
    inputs,
    locked,
    needed,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

SPECS = argument_specs.load_specs(Path(__file__).resolve().parents[5] / "roles")
GROUPS = {"kube_control_plane": ["cp1"], "kube_node": ["cp1", "w1"]}
ETCD_GROUPS = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], "etcd": ["e1"]}
OWN, OTHER = "a" * 64, "b" * 64
MANIFEST_URL = "https://example.com/calico.yaml"
KUBERNETES = ["kubeadm", "kubelet", "kubectl", "crictl", "cni-plugins"]
COMPONENTS = ["kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"]
ENDING = "; run the playbook lock with this inventory and look at the difference, or correct the inventory"


def host(name: str, **values: Any) -> HostInput:
    """A host with the defaults of all roles, as far as they are plain, and what is given."""
    known = {variable: value for variable, value in argument_specs.defaults(SPECS).items() if value is not None}
    known.update(argument_specs.following(SPECS, values.get("kubernetes_version", known["kubernetes_version"])))
    return HostInput(name, {**known, "kubernetes_architecture": "amd64", **values})


@pytest.mark.parametrize(
    ("name", "values", "groups", "expected"),
    [
        ("cp1", {}, GROUPS, ["etcd", *KUBERNETES, "containerd", "runc"]),
        ("w1", {}, GROUPS, [*KUBERNETES, "containerd", "runc"]),
        ("e1", {}, ETCD_GROUPS, ["etcd"]),
        ("w1", {"kubernetes_install_method": "package"}, GROUPS, ["containerd", "runc"]),
        ("w1", {"container_runtime_install_method": "package"}, GROUPS, KUBERNETES),
        ("w1", {"kubernetes_container_runtime": "crio"}, GROUPS, KUBERNETES),
        ("w1", {"container_runtime_cni_plugins_url": ""}, GROUPS, [*KUBERNETES[:-1], "containerd", "runc"]),
        (
            "w1",
            {"kubernetes_container_runtime": "docker", "container_runtime_cri_dockerd_checksum": OWN},
            GROUPS,
            [*KUBERNETES, "cri-dockerd"],
        ),
        ("stranger", {}, GROUPS, []),
    ],
)
def test_programs(name: str, values: dict[str, Any], groups: dict[str, list[str]], expected: list[str]) -> None:
    one = host(name, **values)
    assert [download.program for download in needed.downloads(one, Inputs([one], groups, SPECS))] == expected


@pytest.mark.parametrize(
    ("role", "artifacts", "programs"),
    [
        ("kubernetes", "__kubernetes_artifacts", ["kubeadm", "kubelet", "kubectl", "crictl"]),
        (
            "container_runtime",
            "__container_runtime_containerd_artifacts + __container_runtime_cni_artifacts",
            ["containerd", "runc", "cni-plugins"],
        ),
    ],
)
def test_the_roles_download_the_same(tmp_path: Path, role: str, artifacts: str, programs: list[str]) -> None:
    """What is told here from the inventory alone is what the role asks for."""
    inventory = {"hosts": {"w1": {"kubernetes_version": "1.36.5", "kubernetes_architecture": "amd64"}}}
    expressions = {name: "{{ " + name + " }}" for one in set(PROGRAMS.values()) for name in (one.version, one.url)}
    shown = {"found": "{{ (" + artifacts + ") | map(attribute='url') | list }}"}
    known = {name: text for name, text in expressions.items() if name.startswith(f"{role}_")}
    facts = {"system": "Linux", "architecture": "x86_64", "pkg_mgr": "apt"}
    (rendered,) = render(tmp_path, role, inventory, facts, {**shown, **known}).values()
    found = rendered.pop("found")
    one = host("w1", **{"kubernetes_version": "1.36.5", **rendered})
    urls = {download.program: download.url for download in needed.downloads(one, Inputs([one], GROUPS, SPECS))}
    assert sorted(found) == sorted(urls[program] for program in programs)


def test_what_is_known_of_a_program_of_kubernetes() -> None:
    one = host("w1", kubernetes_version="1.36.5", kubernetes_checksums={"kubelet": OWN})
    url = "https://dl.k8s.io/release/v1.36.5/bin/linux/amd64"
    found = {download.program: download for download in needed.downloads(one, Inputs([one], GROUPS, SPECS))}
    assert found["kubeadm"] == needed.Download("kubeadm", "1.36.5", "amd64", f"{url}/kubeadm", f"{url}/kubeadm.sha256")
    assert found["kubelet"].checksum == OWN


@pytest.mark.parametrize(
    ("values", "more", "fewer"),
    [
        ({}, [], []),
        ({"kubernetes_proxy_mode": "none"}, [], ["registry.k8s.io/kube-proxy:v1.36.5"]),
        (
            {"kubernetes_api_load_balancer": "kube_vip", "endpoint_kube_vip_image": "g.io/vip:1"},
            ["g.io/vip:1"],
            [],
        ),
        ({"verify_image": ""}, [], ["docker.io/library/busybox:1.37"]),
    ],
)
def test_images(values: dict[str, Any], more: list[str], fewer: list[str]) -> None:
    one = host("cp1", kubernetes_version="1.36.5", **values)
    usual = {f"registry.k8s.io/{name}:v1.36.5" for name in COMPONENTS}
    usual |= {"registry.k8s.io/pause:3.10.2", "docker.io/library/busybox:1.37"}
    assert set(needed.locked_images(one, Inputs([one], GROUPS, SPECS))) == (usual | set(more)) - set(fewer)


def test_what_kubeadm_is_asked_by() -> None:
    given = {"dns": {"imageTag": "v9"}, "etcd": {"external": {"endpoints": []}}, "apiServer": {}}
    one = host("cp1", kubernetes_version="1.36.5", control_plane_cluster_configuration=given)
    assert needed.cluster_configuration(one) == {
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.36.5",
        "imageRepository": "registry.k8s.io",
        "dns": {"imageTag": "v9"},
    }
    assert needed.unused_images(one, Inputs([one], GROUPS, SPECS)) == ["etcd"]
    bare = host("cp1", kubernetes_dns_enabled=False, kubernetes_proxy_mode="none")
    assert needed.unused_images(bare, Inputs([bare], GROUPS, SPECS)) == ["coredns", "kube-proxy"]


def lock_for(tmp_path: Path, hosts: list[HostInput], without: str = "", **changed: str) -> str:
    """A lock of all that hosts need, without one artifact, or with other digests."""
    given = Inputs(hosts, GROUPS, SPECS)
    artifacts = {
        Artifact(FILE, one.program, one.version, one.architecture, sha256=changed.get(one.program, OWN))
        for each in hosts
        for one in needed.downloads(each, given)
    }
    artifacts |= {Artifact(IMAGE, name, sha256=OWN) for each in hosts for name in needed.locked_images(each, given)}
    artifacts.add(Artifact(MANIFEST, MANIFEST_URL, url=MANIFEST_URL, sha256=OWN))
    artifacts.add(Artifact(CHART, "default/a", "1", sha256=OWN))
    path = tmp_path / "lock.txt"
    path.write_text(Lock(("amd64",), tuple(one for one in artifacts if one.name != without)).text())
    return str(path)


# A version of which no release has a digest.
NEW = {
    "kubernetes_version": "1.36.99",
    "kubernetes_crictl_version": "1.36.99",
    "etcd_version": "3.6.99",
    "container_runtime_containerd_version": "2.3.99",
    "container_runtime_runc_version": "1.4.99",
    "container_runtime_cni_plugins_version": "1.9.99",
}


def judged(tmp_path: Path, values: dict[str, Any], without: str = "", **changed: str) -> list[tuple[str, str]]:
    hosts = [host(name, **NEW) for name in ("cp1", "w1")]
    path = lock_for(tmp_path, hosts, without, **changed)
    run = [host(name, **{**NEW, "kubernetes_lock": path, **values}) for name in ("cp1", "w1")]
    found = locked.locked(Inputs(run, GROUPS, SPECS))
    return [(fault.id, fault.text.removeprefix(f"kubernetes_lock: {path} ").removesuffix(ENDING)) for fault in found]


CALICO = {"cni_plugin": "calico", "cni_manifest_url": MANIFEST_URL}


@pytest.mark.parametrize(
    ("values", "without", "changed", "expected"),
    [
        ({}, "", {}, []),
        ({}, "runc", {}, [("lock-missing", "does not have runc 1.4.99 (amd64)")]),
        ({"kubernetes_architecture": ""}, "runc", {}, [("lock-missing", "does not have runc 1.4.99")]),
        (
            {"kubernetes_architecture": "arm64", "kubernetes_install_method": "package"},
            "",
            {},
            [
                (
                    "lock-missing",
                    "does not have containerd 2.3.99 (arm64), etcd 3.6.99 (arm64), runc 1.4.99 (arm64)",
                )
            ],
        ),
        (
            {"kubernetes_image_repository": "other.io"},
            "",
            {},
            [
                (
                    "lock-missing",
                    "does not have image other.io/kube-apiserver:v1.36.99, "
                    "image other.io/kube-controller-manager:v1.36.99, image other.io/kube-proxy:v1.36.99, "
                    "image other.io/kube-scheduler:v1.36.99, image other.io/pause:3.10.2",
                )
            ],
        ),
        ({"verify_image": "v.io/v:1"}, "", {}, [("lock-missing", "does not have image v.io/v:1")]),
        ({**CALICO, "cni_manifest_checksum": f"sha256:{OWN}"}, "", {}, []),
        (
            {**CALICO, "cni_manifest_checksum": f"sha256:{OTHER}"},
            "",
            {},
            [("lock-missing", f"does not have manifest {MANIFEST_URL} (sha256:{OTHER})")],
        ),
        ({"cni_plugin": "manifests", "cni_manifests": [{"objects": []}]}, "", {}, []),
        (
            {"container_runtime_runc_checksum": OTHER},
            "",
            {},
            [("lock-differs", f"differs: runc 1.4.99 (amd64) is {OTHER} for the inventory or this release")],
        ),
        ({"container_runtime_runc_checksum": OWN}, "", {}, []),
        ({"container_runtime_runc_checksum": "https://example.com/sums"}, "", {}, []),
        (
            {"kubernetes_digests": {"runc": {"1.4.99": {"amd64": OWN}}}},
            "",
            {"runc": OTHER},
            [("lock-differs", f"differs: runc 1.4.99 (amd64) is {OWN} for the inventory or this release")],
        ),
    ],
)
def test_a_run_with_a_lock(
    tmp_path: Path, values: dict[str, Any], without: str, changed: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert judged(tmp_path, values, without, **changed) == expected


def test_a_chart(tmp_path: Path) -> None:
    """By its own bytes, or by its checksum where it is elsewhere; one that goes needs nothing."""
    path = tmp_path / "shop.tgz"
    path.write_bytes(b"a chart")
    releases: list[dict[str, str]] = [{"name": "a", "chart": str(path)}, {"name": "b", "state": "absent"}]
    [(name, text)] = judged(tmp_path, {"charts_releases": releases})
    sha256 = hashlib.sha256(b"a chart").hexdigest()
    assert (name, text) == ("lock-missing", f"does not have chart {path} (sha256:{sha256})")
    url = {"name": "a", "url": "https://example.com/shop.tgz"}
    assert judged(tmp_path, {"charts_releases": [{**url, "checksum": f"sha256:{OWN}"}]}) == []
    [(name, text)] = judged(tmp_path, {"charts_releases": [{**url, "checksum": f"sha256:{OTHER}"}]})
    assert text == f"does not have chart https://example.com/shop.tgz (sha256:{OTHER})"


def test_an_add_on(tmp_path: Path) -> None:
    """As a chart, or as a manifest in a chart's place; one that goes, and one that is not known, need nothing."""
    path = tmp_path / "metallb.tgz"
    path.write_bytes(b"a chart")
    gone: list[dict[str, str]] = [{"name": "traefik", "state": "absent"}, {"name": "no-such-add-on"}]
    values = {"addons_wanted": [{"name": "metallb", "chart": str(path)}, *gone]}
    texts = [text for name, text in judged(tmp_path, values) if name == "lock-missing"]
    assert texts == [f"does not have chart {path} (sha256:{hashlib.sha256(b'a chart').hexdigest()})"]
    for digest, count in ((OWN, 0), (OTHER, 1)):
        values = {"addons_wanted": [{"name": "gateway-api", "checksum": f"sha256:{digest}"}]}
        assert len([text for name, text in judged(tmp_path, values) if name == "lock-missing"]) == count


USUAL = {
    *("ca-certificates", "conntrack", "ebtables", "ethtool", "iproute2", "ipset", "iptables", "kmod", "mount"),
    *("socat", "util-linux"),
}
SIGNS = {"python3-cryptography"}
BY_PACKAGE = {"kubernetes_install_method": "package", "kubernetes_version": "1.36.5"}


@pytest.mark.parametrize(
    ("name", "values", "groups", "expected"),
    [
        ("w1", {}, GROUPS, USUAL),
        ("e1", {}, ETCD_GROUPS, USUAL | SIGNS),
        ("w1", {"kubernetes_proxy_mode": "nftables"}, GROUPS, USUAL | {"nftables"}),
        ("w1", {"kubernetes_container_runtime": "crio"}, GROUPS, USUAL | {"cri-o"}),
        ("w1", {"container_runtime_install_method": "package"}, GROUPS, USUAL | {"containerd", "runc"}),
        (
            "w1",
            {"container_runtime_install_method": "package", "container_runtime_packages": ["containerd.io=2.3.4"]},
            GROUPS,
            USUAL | {"containerd.io=2.3.4"},
        ),
        (
            "w1",
            BY_PACKAGE,
            GROUPS,
            USUAL | {"kubeadm=1.36.5", "kubectl=1.36.5", "kubelet=1.36.5", "cri-tools", "kubernetes-cni"},
        ),
        ("w1", {"kubernetes_api_load_balancer": "local"}, GROUPS, USUAL | {"haproxy"}),
        (
            "cp1",
            {
                "kubernetes_api_load_balancer": "haproxy",
                "backup_packages": ["age"],
                "user_packages": ["age", "openssl"],
            },
            GROUPS,
            USUAL | SIGNS | {"age", "haproxy", "keepalived", "openssl"},
        ),
    ],
)
def test_packages(name: str, values: dict[str, Any], groups: dict[str, list[str]], expected: set[str]) -> None:
    one = host(name, **{"backup_packages": [], "user_packages": [], **values})
    assert set(needed.debian_packages(one, Inputs([one], groups, SPECS))) == expected


def test_packages_that_somebody_has_chosen() -> None:
    one = host("w1", preflight_packages={})
    assert set(needed.debian_packages(one, Inputs([one], GROUPS, SPECS))) == USUAL
    given = replace(one, names=frozenset({"preflight_packages"}))
    assert list(needed.debian_packages(given, Inputs([given], GROUPS, SPECS))) == []


# What of the roles' tasks debian_packages tells: another expression or name there is to be added to it.
TOLD = {
    "'{{ __container_runtime_handler_packages }}'",
    "'{{ __container_runtime_package_names }}'",
    "'{{ __kubernetes_packages }}'",
    "'{{ __preflight_report.packages[inventory_hostname] }}'",
    "'{{ backup_packages }}'",
    "'{{ user_packages }}'",
    "[docker-registry, nginx, skopeo]",
    "[haproxy, keepalived]",
    "[haproxy]",
    "[python3-cryptography]",
}


def test_no_role_installs_another_package() -> None:
    tasks = Path(__file__).resolve().parents[5].glob("roles/*/tasks/*.yml")
    asked = re.findall(
        r"groundwork\.kubernetes\.packages:\n +packages: (.+)", "".join(one.read_text() for one in tasks)
    )
    assert set(asked) == TOLD


def test_a_manifest_on_the_controller_is_compared_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "calico.yaml"
    path.write_text("kind: List\n")
    [(name, text)] = judged(tmp_path, {"cni_plugin": "calico", "cni_manifest_path": str(path)})
    assert name == "lock-missing"
    assert f"manifest {path} (sha256:" in text


def test_a_lock_that_cannot_be_read(tmp_path: Path) -> None:
    one = host("cp1", kubernetes_lock=str(tmp_path / "none"))
    [fault] = locked.locked(Inputs([one], GROUPS, SPECS))
    assert (fault.id, "make it by the playbook lock" in fault.text) == ("lock-invalid", True)
    assert list(locked.locked(Inputs([host("cp1")], GROUPS, SPECS))) == []


def test_it_is_among_the_checks() -> None:
    assert locked.locked in inputs.CLUSTER_CHECKS
