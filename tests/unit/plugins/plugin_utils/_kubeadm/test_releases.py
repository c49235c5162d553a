"""The data file of what differs between minor releases."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.kubernetes_release import FilterModule
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import releases
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import (
    ReleaseError,
    minor_of,
    minors,
    release,
)

MASTER, CONTROL_PLANE = "node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.20.2", ("1.20", "v1beta2", "3.2", [MASTER], "kubelet-config-1.20")),
        ("1.21.14", ("1.21", "v1beta2", "3.4.1", [MASTER], "kubelet-config-1.21")),
        ("1.22.0", ("1.22", "v1beta3", "3.5", [MASTER], "kubelet-config-1.22")),
        ("v1.24.1", ("1.24", "v1beta3", "3.7", [CONTROL_PLANE, MASTER], "kubelet-config")),
        ("1.30.14", ("1.30", "v1beta3", "3.9", [CONTROL_PLANE], "kubelet-config")),
        ("1.31.0", ("1.31", "v1beta4", "3.10", [CONTROL_PLANE], "kubelet-config")),
        ("1.35.8", ("1.35", "v1beta4", "3.10.1", [CONTROL_PLANE], "kubelet-config")),
        ("1.36", ("1.36", "v1beta4", "3.10.2", [CONTROL_PLANE], "kubelet-config")),
        ("1.37.0-rc.0", ("1.37", "v1beta4", "3.10.2", [CONTROL_PLANE], "kubelet-config")),
    ],
)
def test_release(version: str, expected: tuple[Any, ...]) -> None:
    found = release(version)
    taints = [taint["key"] for taint in found["control_plane_taints"] if taint["effect"] == "NoSchedule"]
    assert (
        found["minor"],
        found["kubeadm_api"],
        found["pause_image_tag"],
        taints,
        found["kubelet_config_map"],
    ) == expected


# etcd, containerd, runc, crictl, CNI plugins, sandbox image
BELONGING = {
    "1.20": "3.4.45 1.7.34 1.3.6 1.20.0 1.9.1 3.2",
    "1.21": "3.4.45 1.7.34 1.3.6 1.21.0 1.9.1 3.4.1",
    "1.22": "3.5.34 1.7.34 1.3.6 1.22.0 1.9.1 3.5",
    "1.23": "3.5.34 1.7.34 1.3.6 1.23.0 1.9.1 3.6",
    "1.24": "3.5.34 1.7.34 1.3.6 1.24.0 1.9.1 3.7",
    "1.25": "3.5.34 1.7.34 1.3.6 1.25.0 1.9.1 3.8",
    "1.26": "3.5.34 1.7.34 1.3.6 1.26.0 1.9.1 3.9",
    "1.27": "3.5.34 1.7.34 1.3.6 1.27.0 1.9.1 3.9",
    "1.28": "3.5.34 1.7.34 1.3.6 1.28.0 1.9.1 3.9",
    "1.29": "3.5.34 1.7.34 1.3.6 1.29.0 1.9.1 3.9",
    "1.30": "3.5.34 2.3.4 1.4.3 1.30.0 1.9.1 3.9",
    "1.31": "3.5.34 2.3.4 1.4.3 1.31.0 1.9.1 3.10",
    "1.32": "3.5.34 2.3.4 1.4.3 1.32.0 1.9.1 3.10",
    "1.33": "3.5.34 2.3.4 1.4.3 1.33.0 1.9.1 3.10",
    "1.34": "3.6.15 2.3.4 1.4.3 1.34.0 1.9.1 3.10.1",
    "1.35": "3.6.15 2.3.4 1.4.3 1.35.0 1.9.1 3.10.1",
    "1.36": "3.6.15 2.3.4 1.4.3 1.36.0 1.9.1 3.10.2",
    "1.37": "3.7.2 2.3.4 1.4.3 1.37.0 1.9.1 3.10.2",
}
PARTS = (
    "etcd_version",
    "containerd_version",
    "runc_version",
    "crictl_version",
    "cni_plugins_version",
    "pause_image_tag",
)


@pytest.mark.parametrize(("minor", "expected"), BELONGING.items())
def test_what_belongs_to_a_minor(minor: str, expected: str) -> None:
    found = release(minor)
    assert " ".join(found[part] for part in PARTS) == expected


def test_every_minor_is_listed() -> None:
    assert minors() == list(BELONGING)


def test_every_setting_is_known_from_the_oldest_minor_on() -> None:
    data = releases._data()
    assert all(data["oldest"] in values for values in data["settings"].values())


@pytest.mark.parametrize("version", ["1.36.5", "v1.36.5", "1.36", "1.36.0-alpha.1", "1.36.5+fips"])
def test_minor_of(version: str) -> None:
    assert minor_of(version) == (1, 36)


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("", "'' is no Kubernetes version; write it like 1.36.5"),
        ("latest", "'latest' is no Kubernetes version"),
        ("1.36.x", "'1.36.x' is no Kubernetes version"),
        ("1.19.16", "Kubernetes 1.19.16 is not covered by this collection, which knows 1.20 to 1.37; choose another"),
        ("1.38.0", "choose another version or a newer release of the collection"),
    ],
)
def test_refused(version: str, message: str) -> None:
    with pytest.raises(ReleaseError, match="^.*" + message.replace(".", r"\.")):
        release(version)
    with pytest.raises(AnsibleFilterError):
        FilterModule().filters()["kubernetes_release"](version)


def test_filter_wants_text() -> None:
    with pytest.raises(AnsibleFilterError, match="put it in quotes"):
        FilterModule().filters()["kubernetes_release"](1.36)
