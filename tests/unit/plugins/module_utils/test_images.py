"""Names of images, and which of them are missing."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._images import (
    ImageError,
    base_name,
    full_name,
    missing_images,
    present_images,
)

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
        (f"nginx{DIGEST}", f"docker.io/library/nginx{DIGEST}", "nginx"),
    ],
)
def test_names(image: str, full: str, base: str) -> None:
    assert full_name(image) == full
    assert base_name(image) == base


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
