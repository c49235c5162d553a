"""What the role kubernetes downloads, and from where packages come, as Ansible renders it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

OWN = "a" * 64
FACTS = {"architecture": "x86_64", "pkg_mgr": "apt"}
SHOWN = {"artifacts": "{{ __kubernetes_artifacts }}", "repository": "{{ __kubernetes_package_repository }}"}
HOSTS: dict[str, dict[str, Any]] = {
    "unknown": {"kubernetes_version": "1.36.99"},
    "another minor": {"kubernetes_version": "1.35.9"},
    "own": {
        "kubernetes_version": "1.36.99",
        "kubernetes_digests": {"kubelet": {"1.36.99": {"amd64": OWN}}},
        "kubernetes_checksums": {"kubeadm": "b" * 64},
    },
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return render(tmp_path_factory.mktemp("kubernetes"), "kubernetes", {"hosts": HOSTS}, FACTS, SHOWN)


def test_checksums(rendered: dict[str, dict[str, Any]]) -> None:
    found = {host: {item["name"]: item["checksum"] for item in one["artifacts"]} for host, one in rendered.items()}
    beside = "https://dl.k8s.io/release/v1.36.99/bin/linux/amd64"
    assert {name: found["unknown"][name] for name in ("kubeadm", "kubelet", "kubectl")} == {
        name: f"{beside}/{name}.sha256" for name in ("kubeadm", "kubelet", "kubectl")
    }
    assert found["own"] == {
        "kubeadm": "b" * 64,
        "kubelet": f"sha256:{OWN}",
        "kubectl": f"{beside}/kubectl.sha256",
        "crictl": found["unknown"]["crictl"],
    }
    # That of the release.
    assert found["own"]["crictl"].startswith("sha256:")


def test_what_follows_the_minor(rendered: dict[str, dict[str, Any]]) -> None:
    other = rendered["another minor"]
    crictl = next(item for item in other["artifacts"] if item["name"] == "crictl")
    assert crictl["url"].endswith("/v1.35.0/crictl-v1.35.0-linux-amd64.tar.gz")
    assert crictl["checksum"].startswith("sha256:")
    assert other["repository"]["url"] == "https://pkgs.k8s.io/core:/stable:/v1.35/deb/"


def test_the_repository_has_upstreams_key(rendered: dict[str, dict[str, Any]]) -> None:
    assert rendered["own"]["repository"] == {
        "name": "kubernetes",
        "url": "https://pkgs.k8s.io/core:/stable:/v1.36/deb/",
        "key": "https://pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key",
        "fingerprints": ["DE15B14486CD377B9E876E1A234654DA9A296436"],
    }
