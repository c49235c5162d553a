"""Names of images, and which of them are missing."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import (
    ImageError,
    base_name,
    full_name,
    image_version,
    missing_images,
    present_images,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import manifest_image

DIGEST = "@sha256:" + 64 * "a"


@pytest.mark.parametrize(
    ("image", "full", "base"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx"),
        ("nginx:1.27", "docker.io/library/nginx:1.27", "nginx"),
        ("calico/node:v3.33.0", "docker.io/calico/node:v3.33.0", "node"),
        ("registry.k8s.io/pause:3.10.2", "registry.k8s.io/pause:3.10.2", "pause"),
        ("registry.k8s.io/coredns/coredns:v1.14.2", "registry.k8s.io/coredns/coredns:v1.14.2", "coredns"),
        ("mirror:5000/etcd", "mirror:5000/etcd:latest", "etcd"),
        ("localhost/etcd:1", "localhost/etcd:1", "etcd"),
        (f"quay.io/a/b{DIGEST}", f"quay.io/a/b{DIGEST}", "b"),
        (f"quay.io/a/b:v1{DIGEST}", f"quay.io/a/b{DIGEST}", "b"),
        (f"mirror:5000/b:v1{DIGEST}", f"mirror:5000/b{DIGEST}", "b"),
        (f"nginx:1.27{DIGEST}", f"docker.io/library/nginx{DIGEST}", "nginx"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1", "nginx"),
        ("docker.io/nginx", "docker.io/library/nginx:latest", "nginx"),
        ("docker.io/calico/node:v1", "docker.io/calico/node:v1", "node"),
        ("index.docker.io/nginx:1", "docker.io/library/nginx:1", "nginx"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx"),
        (f"index.docker.io/calico/node:v1{DIGEST}", f"docker.io/calico/node{DIGEST}", "node"),
        ("index.docker.io.example/x:1", "index.docker.io.example/x:1", "x"),
        ("localhost:5000/nginx:1", "localhost:5000/nginx:1", "nginx"),
        ("Mirror/nginx:1", "Mirror/nginx:1", "nginx"),
        (f"nginx{DIGEST}", f"docker.io/library/nginx{DIGEST}", "nginx"),
    ],
)
def test_names(image: str, full: str, base: str) -> None:
    assert full_name(image) == full
    assert base_name(image) == base


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("registry.k8s.io/kube-apiserver:v1.36.2", "1.36.2"),
        (f"registry.k8s.io/kube-apiserver:v1.36.2{DIGEST}", "1.36.2"),
        (f"registry.example.com:5000/kube-apiserver{DIGEST}", ""),
        (f"registry.example.com:5000/kube-apiserver:v1.36.2{DIGEST}", "1.36.2"),
        (f"kube-apiserver{DIGEST}", ""),
        ("registry.example.com:5000/kube-apiserver", ""),
        ("192.0.2.1:5000/kube-apiserver", ""),
        ("registry.example.com/1.2.3/kube-apiserver", ""),
        ("kube-apiserver:v1.37.0-rc.0", "1.37.0-rc.0"),
        ("kube-apiserver:v1.36.2-hardened.1", "1.36.2"),
        ("kube-apiserver:v1.36.2_vendor.3", "1.36.2"),
        ("kube-apiserver:latest", ""),
        ("kube-apiserver:v1.36", ""),
        ("kube-apiserver:2026.11.27.1", ""),
        ("registry.k8s.io/etcd:3.5.21-0", "3.5.21"),
        ("registry.example.com:5000/k8s/etcd:v3.6.8", "3.6.8"),
        ("etcd:3.4.13-0@sha256:abc", "3.4.13"),
        ("etcd:latest", ""),
    ],
)
def test_versions(image: str, version: str) -> None:
    assert image_version(image) == version


@pytest.mark.parametrize(
    ("manifest", "image"),
    [
        ("spec:\n  containers:\n  - name: a\n    image: r:5000/a:v1.2.3\n  - image: b\n", "r:5000/a:v1.2.3"),
        (f"  - image: 'r:5000/a{DIGEST}'\n    imagePullPolicy: Always\n", f"r:5000/a{DIGEST}"),
        ('    image:  "a:1"  # comment\n', "a:1"),
        ("spec: {}\n", ""),
    ],
)
def test_image_of_a_manifest(manifest: str, image: str) -> None:
    assert manifest_image(manifest) == image


@pytest.mark.parametrize(
    ("listing", "expected"),
    [
        ('{"images": []}', set()),
        ('{"images": null}', set()),
        ('{"images": [{"repoTags": ["a:1", "b:1"], "repoDigests": ["a@x"]}, {"id": "i"}]}', {"a:1", "b:1", "a@x"}),
        ('{"images": [{"repoTags": null, "repoDigests": ["a@x"]}]}', {"a@x"}),
    ],
)
def test_present_images(listing: str, expected: set[str]) -> None:
    assert present_images(listing) == expected


@pytest.mark.parametrize("listing", ["", "[]", "{}", '{"images": [3]}'])
def test_unreadable(listing: str) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        present_images(listing)


def test_missing_images() -> None:
    present = {"docker.io/library/nginx:latest", "registry.k8s.io/etcd:1"}
    wanted = ["registry.k8s.io/pause:3", "nginx", "registry.k8s.io/etcd:1", "registry.k8s.io/pause:3"]
    assert missing_images(wanted, present) == ["registry.k8s.io/pause:3"]


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        (f"nginx:1.27{DIGEST}", f"docker.io/library/nginx{DIGEST}"),
        (f"registry.k8s.io/pause:3.10{DIGEST}", f"registry.k8s.io/pause{DIGEST}"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("nginx:1", "nginx:1"),  # as Docker lists it
        ("docker.io/calico/node:v1", "calico/node:v1"),
        (f"nginx:1{DIGEST}", f"nginx{DIGEST}"),
    ],
)
def test_what_is_present_under_another_spelling_is_not_pulled(wanted: str, listed: str) -> None:
    assert missing_images([wanted], {listed, "<none>:<none>"}) == []


@pytest.mark.parametrize(
    ("wanted", "listed"),
    [
        (f"nginx:1.27{DIGEST}", "docker.io/library/nginx:1.27"),  # the tag may have moved
        ("nginx:1.27", f"docker.io/library/nginx{DIGEST}"),
        ("quay.io/nginx:1", "docker.io/library/nginx:1"),
    ],
)
def test_what_is_another_image_is_pulled(wanted: str, listed: str) -> None:
    assert missing_images([wanted], {listed}) == [wanted]
