"""The filters around kubeadm's configuration: text, order and errors."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.kubeadm_config import FilterModule

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
