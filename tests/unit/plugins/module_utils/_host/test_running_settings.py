"""What a node's files say of the cluster, in the forms in which kubeadm of old and new versions writes them."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import running_settings
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.pki import issue

API_SERVER = """spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=192.0.2.11
    - --client-ca-file=/etc/kubernetes/pki/ca.crt
    - --etcd-servers=https://127.0.0.1:2379
    - --secure-port=6444
    - --service-cluster-ip-range=10.96.0.0/12
"""
CONTROLLERS = """spec:
  containers:
  - command:
    - kube-controller-manager
    - --cluster-cidr=10.244.0.0/16
    - --cluster-name=mine
"""
ADMIN = """apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: bm9uZQ==
    server: https://api.example.com:8443
  name: mine
"""
OLD_FLAGS = (
    'KUBELET_KUBEADM_ARGS="--container-runtime=remote --container-runtime-endpoint=/run/containerd/containerd.sock"\n'
)
DOCKER_FLAGS = 'KUBELET_KUBEADM_ARGS="--network-plugin=cni --pod-infra-container-image=k8s.gcr.io/pause:3.2"\n'
NEW_FLAGS = 'KUBELET_KUBEADM_ARGS="--node-ip=192.0.2.11"\n'
INSTANCE = "apiVersion: kubelet.config.k8s.io/v1beta1\ncontainerRuntimeEndpoint: unix:///run/crio/crio.sock\n"
CONTROL_PLANE = {
    "/etc/kubernetes/manifests/kube-apiserver.yaml": API_SERVER,
    "/etc/kubernetes/manifests/kube-controller-manager.yaml": CONTROLLERS,
    "/etc/kubernetes/manifests/etcd.yaml": "spec: {}",
    "/etc/kubernetes/admin.conf": ADMIN,
}
OF_CLUSTER = {
    "cluster_name": "mine",
    "pod_cidr": "10.244.0.0/16",
    "service_cidr": "10.96.0.0/12",
    "advertise_address": "192.0.2.11",
    "api_port": "6444",
    "certificates_dir": "/etc/kubernetes/pki",
    "etcd": "stacked",
    "endpoint": "api.example.com:8443",
}
EXTERNAL = API_SERVER.replace("https://127.0.0.1:2379", "https://192.0.2.21:2379,https://192.0.2.22:2379")
TWO_CLUSTERS = ADMIN + ADMIN.replace("api.example.com", "api.example.org")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param(CONTROL_PLANE, OF_CLUSTER, id="a control plane"),
        pytest.param(
            {"/etc/kubernetes/manifests/kube-apiserver.yaml": EXTERNAL},
            {**{name: OF_CLUSTER[name] for name in ("service_cidr", "advertise_address", "api_port")}}
            | {"certificates_dir": "/etc/kubernetes/pki", "etcd": "external"},
            id="another etcd",
        ),
        pytest.param(
            {"/etc/kubernetes/manifests/kube-apiserver.yaml": "    - --etcd-servers=https://127.0.0.1:2379\n"},
            {},
            id="an etcd that nobody can tell whose it is",
        ),
        pytest.param({"/etc/kubernetes/admin.conf": TWO_CLUSTERS}, {}, id="a kubeconfig of several clusters"),
        pytest.param(
            {"/var/lib/kubelet/kubeadm-flags.env": OLD_FLAGS, "/var/lib/kubelet/config.yaml": "clusterDomain: a.b\n"},
            {"cri_socket": "/run/containerd/containerd.sock", "dns_domain": "a.b"},
            id="a node with its socket as an argument",
        ),
        pytest.param(
            {"/var/lib/kubelet/kubeadm-flags.env": DOCKER_FLAGS},
            {"cri_socket": "/var/run/dockershim.sock"},
            id="a node whose kubelet speaks to Docker itself",
        ),
        pytest.param(
            {"/var/lib/kubelet/kubeadm-flags.env": NEW_FLAGS, "/var/lib/kubelet/instance-config.yaml": INSTANCE},
            {"cri_socket": "unix:///run/crio/crio.sock"},
            id="a node with a file for its socket",
        ),
        pytest.param(
            {"/var/lib/kubelet/pki/kubelet-client-current.pem": issue("system:node:worker-1").crt},
            {"node_name": "worker-1"},
            id="a node's certificate",
        ),
        pytest.param(
            {"/var/lib/kubelet/pki/kubelet-client-current.pem": issue("somebody").crt}, {}, id="no node's certificate"
        ),
        pytest.param(
            {
                "/var/lib/kubelet/pki/kubelet-client-current.pem": (
                    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
                )
            },
            {},
            id="no certificate at all",
        ),
    ],
)
def test_what_files_say(files: dict[str, str], found: dict[str, str]) -> None:
    assert running_settings(lambda path: files.get(path, "")) == found
