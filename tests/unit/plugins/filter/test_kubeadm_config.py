"""The filters around kubeadm's configuration: text, order and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_config import FilterModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    stamp_text,
    with_patch,
)

FILTERS = FilterModule().filters()
TEXT = """\
---
apiVersion: kubeadm.k8s.io/v1beta2
kind: InitConfiguration
nodeRegistration:
  kubeletExtraArgs:
    node-ip: 192.0.2.1
---
apiVersion: kubeadm.k8s.io/v1beta2
clusterName: true-name
kind: ClusterConfiguration
kubernetesVersion: v1.20.2
networking:
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/12
"""


def test_text() -> None:
    documents = [
        {
            "nodeRegistration": {"kubeletExtraArgs": [{"value": "192.0.2.1", "name": "node-ip"}]},
            "kind": "InitConfiguration",
        },
        {
            "kind": "ClusterConfiguration",
            "networking": {"serviceSubnet": "10.96.0.0/12", "podSubnet": "10.244.0.0/16"},
            "clusterName": "true-name",
            "kubernetesVersion": "v1.20.2",
        },
    ]
    assert FILTERS["kubeadm_config"](documents, "1.20.2") == TEXT


@pytest.mark.parametrize("name", ["kubeadm_config", "kubeadm_skip_phases"])
@pytest.mark.parametrize(
    ("documents", "version", "message"),
    [
        ({"kind": "ClusterConfiguration"}, "1.36.5", "needs a list of documents and a version as text"),
        ([], 1.36, "needs a list of documents and a version as text"),
        ([{"kind": "Pod"}], "1.36.5", "document 1 has the kind 'Pod'"),
    ],
)
def test_refused(name: str, documents: Any, version: Any, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message) as error:
        FILTERS[name](documents, version)
    assert str(error.value).startswith(name)


def test_options_are_what_the_filters_give() -> None:
    documents = [{"kind": "InitConfiguration", "skipPhases": ["addon/kube-proxy"]}, {"kind": "KubeletConfiguration"}]
    assert FILTERS["kubeadm_options"](documents, "1.36.5") == {
        "documents": documents,
        "content": FILTERS["kubeadm_config"](documents, "1.36.5"),
        "skip_phases": ["addon/kube-proxy"],
    }


URLS = [f"https://192.0.2.2{number}:2379" for number in (1, 2, 3)]
APPLIED: list[dict[str, Any]] = [
    {"kind": "InitConfiguration", "nodeRegistration": {"name": "cp-1"}},
    {
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.36.4",
        "etcd": {"external": {"endpoints": URLS, "caFile": "/etc/kubernetes/pki/etcd/ca.crt"}},
    },
]
PATCH = {"maxPods": 40, "evictionHard": {"memory.available": None}}


def test_what_was_applied_without_a_member() -> None:
    stamp = stamp_text(with_patch(APPLIED, PATCH)).decode()
    options = FILTERS["kubeadm_applied_options"](stamp, "v1.36.5", [URLS[1], "https://192.0.2.99:2379"])
    own, cluster = options["documents"]
    assert own == APPLIED[0]
    assert cluster == {
        "kind": "ClusterConfiguration",
        "kubernetesVersion": "v1.36.5",
        "etcd": {"external": {"endpoints": [URLS[0], URLS[2]], "caFile": "/etc/kubernetes/pki/etcd/ca.crt"}},
    }
    assert options["kubelet_patch"] == PATCH
    assert options["content"] == FILTERS["kubeadm_config"](options["documents"], "1.36.5")
    assert set(options) == {"documents", "content", "skip_phases", "kubelet_patch"}


@pytest.mark.parametrize(
    ("stamp", "gone", "message"),
    [
        (json.dumps(APPLIED), URLS, "no member of an etcd outside kubeadm would be left"),
        (json.dumps(APPLIED[:1]), URLS[:1], "no member of an etcd outside kubeadm would be left"),
        ("{", [], "needs the JSON that kubeadm_init remembers"),
        (None, [], "needs the JSON that kubeadm_init remembers"),
    ],
)
def test_no_options_of_what_was_applied(stamp: Any, gone: list[str], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        FILTERS["kubeadm_applied_options"](stamp, "1.36.5", gone)
