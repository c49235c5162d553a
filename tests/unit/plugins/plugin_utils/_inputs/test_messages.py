"""Mistakes in variables, as a table: what a user sets, and all that is said of it, word by word.

The specifications and defaults are the roles' own, so that a name or default that changes shows here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import (
    argument_specs,
    controller,
    inputs,
    kubespray,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.calendars import is_calendar
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

ROOT = Path(__file__).resolve().parents[5]
SPECS = argument_specs.load_specs(ROOT / "roles")
GROUPS = {"kube_control_plane": ["cp1"], "kube_node": ["w1"], "etcd": [], "all": ["cp1", "w1"]}
ADDRESSES = {"cp1": "192.0.2.11", "w1": "192.0.2.21", "e1": "192.0.2.31"}
# What is said of the defaults themselves is no matter here.
USUAL = ("digest-missing",)
Given = dict[str, Any]


def host(name: str, given: Mapping[str, Any]) -> HostInput:
    """A host as the action hands it over: plain defaults, what follows the version, and what is set."""
    values = {variable: value for variable, value in argument_specs.defaults(SPECS).items() if value is not None}
    version = given.get("kubernetes_version", values["kubernetes_version"])
    values.update(argument_specs.following(SPECS, version))
    values.update(kubernetes_node_name=name, kubernetes_node_ip=ADDRESSES[name], kubernetes_architecture="amd64")
    return HostInput(name, {**values, **given}, names=frozenset(given))


def said(
    given: Given, hosts: tuple[str, ...] = ("cp1", "w1"), groups: Mapping[str, list[str]] | None = None
) -> list[str]:
    """The faults where the variables are set for all hosts, each once."""
    found = inputs.find_faults(Inputs([host(name, given) for name in hosts], groups or GROUPS, SPECS))
    shown = [f"{fault.severity} {fault.id} {fault.text}" for fault in found if fault.id not in USUAL]
    return list(dict.fromkeys(shown))


CASES: dict[str, tuple[Given, list[str]]] = {
    "timeouts of nothing": (
        {"cni_timeout": 0, "preflight_connect_timeout": 0},
        [
            "error value-invalid cni_timeout 0 cannot be; give 1 or more",
            "error value-invalid preflight_connect_timeout 0 cannot be; give 0.1 or more",
        ],
    ),
    "numbers of another unit": (
        {"etcd_quota_backend_bytes": 8192, "cni_mtu": 100000},
        [
            "error value-invalid etcd_quota_backend_bytes 8192 cannot be; give 16777216 or more",
            "error value-invalid cni_mtu 100000 is too large for IP; give at most 65535, or 0 for that of "
            "the default route",
        ],
    ),
    "nobody to ask": (
        {"verify_peers": 0, "verify_ingress_port": 70000},
        [
            "error value-invalid verify_ingress_port 70000 cannot be; give a number from 0 to 65535",
            "error value-invalid verify_peers 0 cannot be; give 1 or more",
        ],
    ),
    "room for what is no path": (
        {"preflight_free_mb": {"var": "lots"}},
        [
            "error value-invalid preflight_free_mb.var 'lots' is no number; give it one",
            "error value-invalid preflight_free_mb.var: 'var' is no absolute path; write it from / on",
        ],
    ),
    "batches of nothing": (
        {"worker_batch": 0, "upgrade_batch": "150%"},
        [
            "error text-invalid upgrade_batch: '150%' cannot be used: it is a number, or a percentage such as 25%",
            "error text-invalid worker_batch: '0' cannot be used: it is a number, or a percentage such as 25%",
        ],
    ),
    "tokens that never end": (
        {"control_plane_token_ttl": "0", "worker_token_ttl": "-5m"},
        [
            "error text-invalid control_plane_token_ttl: '0' cannot be used: it is a time above zero, such "
            "as 30m or 1h30m",
            "error text-invalid worker_token_ttl: '-5m' cannot be used: it is a time above zero, such as 30m or 1h30m",
        ],
    ),
    "texts of another form": (
        {
            "etcd_auto_compaction_retention": "8 hours",
            "verify_http_path": "x",
            "preflight_kernel": "new",
            "upgrade_etcd_image_tag": "3.6.11 0",
            "cni_proof_image": "pause 3",
        },
        [
            "error text-invalid cni_proof_image: 'pause 3' cannot be used: it is an image or a registry: "
            "letters, digits and . _ - : / @",
            "error text-invalid etcd_auto_compaction_retention: '8 hours' cannot be used: it is a time such "
            "as 8h or 30m, or a number",
            "error text-invalid preflight_kernel: 'new' cannot be used: it is a version such as 4.19",
            "error text-invalid upgrade_etcd_image_tag: '3.6.11 0' cannot be used: it is the tag of an "
            "image, such as 3.6.11-0",
            "error text-invalid verify_http_path: 'x' cannot be used: it begins with / and has no spaces",
        ],
    ),
    "a registry as a URL": (
        {"kubernetes_image_repository": "https://registry.k8s.io"},
        [
            "error text-invalid kubernetes_image_repository: 'https://registry.k8s.io' cannot be used: it is "
            "a registry with a path, without https:// and without / at the end: letters, digits and . _ - : "
            "/",
        ],
    ),
    "an address that is none": (
        {"control_plane_certificate_names": ["10.0.0.300", "api.example.com"]},
        [
            "error text-invalid control_plane_certificate_names: '10.0.0.300' cannot be used: it is neither "
            "a DNS name nor an address",
        ],
    ),
    "copies at no place": (
        {"certificates_copies": ["kube/config"]},
        [
            "error text-invalid certificates_copies: 'kube/config' cannot be used: it is no absolute path",
        ],
    ),
    "a kubelet's quantities": (
        {
            "kubernetes_kubelet_configuration": {
                "evictionHard": {"memory.available": "lots", "nodefs.available": "10%"},
                "systemReserved": {"cpu": "10%", "memory": "-1Gi", "disk": "1Gi"},
                "kubeReserved": {"memory": "1Gi", "cpu": "0.5"},
            }
        },
        [
            "error value-invalid kubernetes_kubelet_configuration.evictionHard.memory.available 'lots' is no "
            "quantity; write it like 500Mi or 10%",
            "error value-invalid kubernetes_kubelet_configuration.systemReserved.cpu '10%' is no quantity; "
            "write it like 500Mi",
            "error value-invalid kubernetes_kubelet_configuration.systemReserved.memory '-1Gi' is no "
            "quantity; write it like 500Mi",
            "error value-invalid kubernetes_kubelet_configuration.systemReserved.disk cannot be reserved; "
            "there are cpu, memory, ephemeral-storage, pid",
        ],
    ),
    "a kubelet that would not evict": (
        {
            "kubernetes_kubelet_configuration": {
                "evictionSoft": {"memory.available": "500Mi", "nodefs.available": "5%"},
                "evictionSoftGracePeriod": {"memory.available": "30"},
            }
        },
        [
            "error value-invalid kubernetes_kubelet_configuration.evictionSoft.nodefs.available needs a time "
            "in evictionSoftGracePeriod, without which the kubelet does not start; give it one",
            "error value-invalid kubernetes_kubelet_configuration.evictionSoftGracePeriod.memory.available "
            "'30' is no time; write it like 30s or 1m30s",
        ],
    ),
    "a kubelet's numbers": (
        {
            "kubernetes_kubelet_configuration": {
                "maxPods": -5,
                "containerLogMaxFiles": 1,
                "podsPerCore": 0,
                "imageMaximumGCAge": 0,
            }
        },
        [
            "error value-invalid kubernetes_kubelet_configuration.imageMaximumGCAge 0 is no time; write it "
            "like 30s, 1h30m or 8760h",
            "error value-invalid kubernetes_kubelet_configuration.containerLogMaxFiles 1 cannot be; give 2 or more",
            "error value-invalid kubernetes_kubelet_configuration.maxPods -5 cannot be; give 0 or more",
        ],
    ),
    "more pods than a node has addresses": (
        {"cni_plugin": "bridge", "kubernetes_kubelet_configuration": {"maxPods": 254}},
        [
            "error value-invalid kubernetes_kubelet_configuration.maxPods is 254, but a node's /24 of "
            "kubernetes_pod_cidr 10.244.0.0/16 has 253 addresses for pods, and those beyond it would not start; give "
            "253 or less, or nodes a shorter prefix (node-cidr-mask-size-ipv4 in "
            "control_plane_cluster_configuration.controllerManager.extraArgs)",
        ],
    ),
    "as many pods as a node has addresses": (
        {"cni_plugin": "bridge", "kubernetes_kubelet_configuration": {"maxPods": 253}},
        [],
    ),
    "as many pods as a network of one's own has addresses": (
        {"cni_plugin": "none", "kubernetes_kubelet_configuration": {"maxPods": 500}},
        [],
    ),
    "a kubelet with another cgroup driver than the runtime": (
        {"kubernetes_kubelet_configuration": {"cgroupDriver": "cgroupfs"}},
        [
            "error value-invalid kubernetes_kubelet_configuration.cgroupDriver is cgroupfs, and the "
            "container runtime's is systemd (kubernetes_cgroup_driver), but both must be the same; set "
            "kubernetes_cgroup_driver, and leave the field out",
        ],
    ),
    "certificates that kubeadm could not issue": (
        {
            "control_plane_cluster_configuration": {
                "certificateValidityPeriod": "365d",
                "caCertificateValidityPeriod": "0h",
                "encryptionAlgorithm": "RSA-1024",
            },
            "control_plane_init_configuration": {"timeouts": {"kubeletHealthCheck": 240}},
        },
        [
            "error value-invalid control_plane_init_configuration.timeouts.kubeletHealthCheck 240 is no "
            "time; write it like 30s, 1h30m or 8760h",
            "error value-invalid control_plane_cluster_configuration.certificateValidityPeriod '365d' is no "
            "time; write it like 30s, 1h30m or 8760h",
            "error value-invalid control_plane_cluster_configuration.caCertificateValidityPeriod is 0h, so "
            "certificates would have ended at once; give it more",
            "error value-invalid control_plane_cluster_configuration.encryptionAlgorithm 'RSA-1024' is none "
            "of RSA-2048, RSA-3072, RSA-4096, ECDSA-P256, ECDSA-P384; choose one",
        ],
    ),
    "fields against the variables by which others go": (
        {
            "control_plane_cluster_configuration": {
                "kubernetesVersion": "v1.30.0",
                "networking": {"podSubnet": "10.1.0.0/16", "dnsDomain": "cluster.local"},
            },
            "kubernetes_kubelet_configuration": {"clusterDomain": "other.local"},
            "kubernetes_proxy_configuration": {"mode": "ipvs"},
        },
        [
            "error value-invalid control_plane_cluster_configuration.kubernetesVersion is 1.30.0, and "
            "kubernetes_version, by which others go, is 1.36.5; set kubernetes_version, and leave the field "
            "out",
            "error value-invalid control_plane_cluster_configuration.networking.podSubnet is 10.1.0.0/16, "
            "and kubernetes_pod_cidr, by which others go, is 10.244.0.0/16; set kubernetes_pod_cidr, and "
            "leave the field out",
            "error value-invalid kubernetes_kubelet_configuration.clusterDomain is other.local, and the "
            "cluster's domain is cluster.local (kubernetes_dns_domain), but both must be the same; set "
            "kubernetes_dns_domain, and leave the field out",
            "error value-invalid kubernetes_proxy_configuration.mode is ipvs, and what the hosts are made "
            "fit for is iptables (kubernetes_proxy_mode), but both must be the same; set "
            "kubernetes_proxy_mode, and leave the field out",
        ],
    ),
    "flags with dashes": (
        {
            "control_plane_cluster_configuration": {
                "apiServer": {"extraArgs": [{"name": "--v", "value": "2"}]},
                "scheduler": {"extraArgs": [{"name": "v", "value": "2"}]},
            }
        },
        [
            "error value-invalid control_plane_cluster_configuration.apiServer.extraArgs: write --v without "
            "dashes, which kubeadm adds",
        ],
    ),
    "a kubelet's times and choices": (
        {
            "kubernetes_kubelet_configuration": {
                "syncFrequency": 60,
                "nodeStatusUpdateFrequency": "10",
                "runtimeRequestTimeout": "2m",
                "cpuManagerPolicy": "statik",
                "topologyManagerPolicy": "restricted",
                "clusterDNS": "10.96.0.10",
            }
        },
        [
            "error value-invalid kubernetes_kubelet_configuration.syncFrequency 60 is no time; "
            "write it like 30s, 1h30m or 8760h",
            "error value-invalid kubernetes_kubelet_configuration.nodeStatusUpdateFrequency '10' is no time; "
            "write it like 30s, 1h30m or 8760h",
            "error value-invalid kubernetes_kubelet_configuration.clusterDNS '10.96.0.10' is no list; "
            "give it a list of texts",
            "error value-invalid kubernetes_kubelet_configuration.cpuManagerPolicy 'statik' is none of none, "
            "static; choose one",
        ],
    ),
    "a port of -1": (
        {"kubernetes_api_port": -1},
        [
            "error value-invalid kubernetes_api_port -1 cannot be; give a number from 1 to 65535",
        ],
    ),
    "a port too high": (
        {"kubernetes_api_local_port": 70000},
        [
            "error value-invalid kubernetes_api_local_port 70000 cannot be; give a number from 1 to 65535",
        ],
    ),
    "no port": (
        {"verify_port": 0},
        [
            "error value-invalid verify_port 0 cannot be; give a number from 1 to 65535",
        ],
    ),
    "checks that kubeadm does not have": (
        {
            "kubernetes_ignore_preflight_errors": [
                *("NumCPU", "numcpu", "all", "Port-6443", "FileExisting-ethtool"),
                *("SystemVerfication", "Weather"),
            ]
        },
        [
            "error value-invalid kubernetes_ignore_preflight_errors: SystemVerfication is no check of kubeadm's that "
            "is known here; did you mean SystemVerification?",
            "warning value-invalid kubernetes_ignore_preflight_errors: Weather is no check of kubeadm's that is known "
            "here; see what kubeadm calls it",
        ],
    ),
    "a pod network of hosts themselves": (
        {"kubernetes_pod_cidr": "127.0.0.0/8", "kubernetes_service_cidr": "169.254.0.0/20"},
        [
            "error cidr-invalid kubernetes_pod_cidr 127.0.0.0/8 has addresses that are not routed between hosts; "
            "choose a private network",
            "error cidr-invalid kubernetes_service_cidr 169.254.0.0/20 has addresses that are not routed between "
            "hosts; choose a private network",
        ],
    ),
    "files of no place in a backup": (
        {"backup_include": ["kubernetes/pki", "/etc/kubernetes/*.conf", "~/x"], "backup_etcd_pki": ["ca.crt"]},
        [
            "error text-invalid backup_etcd_pki: 'ca.crt' cannot be used: it is no absolute path, nor a pattern that "
            "begins with /",
            "error text-invalid backup_include: 'kubernetes/pki' cannot be used: it is no absolute path, nor a pattern "
            "that begins with /",
            "error text-invalid backup_include: '~/x' cannot be used: it is no absolute path, nor a pattern that "
            "begins with /",
        ],
    ),
    "Docker's cgroups": (
        {
            "kubernetes_container_runtime": "docker",
            "container_runtime_cri_dockerd_checksum": "sha256:" + "1" * 64,
            "container_runtime_docker_config": {"exec-opts": ["native.cgroupdriver=cgroupfs"]},
        },
        [
            "error value-invalid container_runtime_docker_config.exec-opts must have native.cgroupdriver=systemd, as "
            "the kubelet (kubernetes_cgroup_driver); add it",
        ],
    ),
    "negative numbers": (
        {"backup_keep_bad": -1, "cni_timeout": -5, "preflight_free_mb": {"/var/lib/kubelet": -1}},
        [
            "error value-invalid backup_keep_bad -1 cannot be; give 0 or more",
            "error value-invalid cni_timeout -5 cannot be; give 1 or more",
            "error value-invalid preflight_free_mb./var/lib/kubelet -1 cannot be; give 0 or more",
        ],
    ),
    "a negative number inside": (
        {"backup_keep": {"last": -1}},
        [
            "error value-invalid backup_keep.last -1 cannot be; give 0 or more",
        ],
    ),
    "a router id too high": (
        {"endpoint_virtual_router_id": 999},
        [
            "error value-invalid endpoint_virtual_router_id 999 cannot be; give a number from 1 to 255",
        ],
    ),
    "a niceness too low": (
        {"etcd_nice": -21},
        [
            "error value-invalid etcd_nice -21 cannot be; give a number from -20 to 19",
        ],
    ),
    "an MTU too small": (
        {"cni_mtu": 576},
        [
            "error value-invalid cni_mtu 576 is too small for IP; give at least 1280, or 0 for that "
            "of the default route",
        ],
    ),
    "containerd with v": (
        {"container_runtime_containerd_version": "v2.1.0"},
        [
            "error version-invalid container_runtime_containerd_version 'v2.1.0' is no full version; "
            "write it like 2.3.4, without v",
        ],
    ),
    "no version of runc": (
        {"container_runtime_runc_version": "latest"},
        [
            "error version-invalid container_runtime_runc_version 'latest' is no full version; write "
            "it like 1.4.3, without v",
        ],
    ),
    "containerd's version for runc": (
        {"container_runtime_runc_version": "2.3.4"},
        [
            "warning version-invalid container_runtime_runc_version 2.3.4 is no version of runc that "
            "is known here, of which there are 1.x; use one like 1.4.3",
        ],
    ),
    "etcd with v": (
        {"etcd_version": "v3.6.15"},
        [
            "error version-invalid etcd_version 'v3.6.15' is no full version; write it like 3.6.15, without v",
        ],
    ),
    "a minor version read as a number": (
        {"cni_calico_version": 3.32},
        [
            "error version-invalid cni_calico_version '3.32' is no full version; write it like 3.32.1, without v",
        ],
    ),
    "no pod network": (
        {"kubernetes_pod_cidr": ""},
        [
            "error value-invalid kubernetes_pod_cidr is empty; 10.244.0.0/16 is usual",
        ],
    ),
    "no pod network where another plugin gives one": (
        {"kubernetes_pod_cidr": "", "cni_plugin": "none"},
        [],
    ),
    "no service network": (
        {"kubernetes_service_cidr": ""},
        [
            "error value-invalid kubernetes_service_cidr is empty; 10.96.0.0/12 is usual",
        ],
    ),
    "no name of the cluster": (
        {"kubernetes_cluster_name": ""},
        [
            "error value-invalid kubernetes_cluster_name is empty; kubernetes is usual",
        ],
    ),
    "a cluster's name that is no file's": (
        {"kubernetes_cluster_name": "My Cluster/../1"},
        [
            "error text-invalid kubernetes_cluster_name: 'My Cluster/../1' cannot be used: it may "
            "have letters, digits and . _ - only",
        ],
    ),
    "labels": (
        {"worker_labels": {"a b": "x", "ok/y": "_bad", "good": True, "example.com/tier": "gold"}},
        [
            "error value-invalid worker_labels.a b: 'a b' is no key; it has at most 63 letters, "
            "digits and - _ . and begins and ends with a letter or digit, after a DNS name and / "
            "where it has a prefix",
            "error value-invalid worker_labels.ok/y: '_bad' is no value; it is empty, or has at most "
            "63 letters, digits and - _ . and begins and ends with a letter or digit",
            "warning variable-unused worker_labels does nothing on a control plane; set it for workers only",
        ],
    ),
    "a taint with a misspelt effect": (
        {"worker_taints": [{"key": "-x", "effect": "NoShedule"}]},
        [
            "error value-invalid worker_taints: value of effect must be one of: NoSchedule, "
            "PreferNoSchedule, NoExecute, got: NoShedule found in worker_taints; ansible-doc -t role "
            "groundwork.kubernetes.worker describes it",
        ],
    ),
    "a taint's value": (
        {"worker_taints": [{"key": "dedicated", "value": "a b", "effect": "NoSchedule"}]},
        [
            "error value-invalid worker_taints: the taint dedicated: 'a b' is no value; it is empty, "
            "or has at most 63 letters, digits and - _ . and begins and ends with a letter or digit",
            "warning variable-unused worker_taints does nothing on a control plane; set it for "
            "workers only; control_plane_schedulable has the control plane's own taint",
        ],
    ),
    "a taint in kubeadm's configuration": (
        {"control_plane_init_configuration": {"nodeRegistration": {"taints": [{"key": "a", "effect": "No"}]}}},
        [
            "error value-invalid control_plane_init_configuration.nodeRegistration.taints: the taint "
            "a has the effect No, which is none; use one of NoSchedule, PreferNoSchedule, NoExecute",
        ],
    ),
    "a calendar in words": (
        {"backup_timer_calendar": "every day at 2"},
        [
            "error value-invalid backup_timer_calendar 'every day at 2' is no calendar that systemd "
            "reads; write it like Sun *-*-* 03:00:00 or daily (systemd-analyze calendar tells what "
            "one means)",
        ],
    ),
    "an hour too many": (
        {"etcd_defrag_calendar": "Sun *-*-* 25:00:00"},
        [
            "error value-invalid etcd_defrag_calendar 'Sun *-*-* 25:00:00' is no calendar that "
            "systemd reads; write it like Sun *-*-* 03:00:00 or daily (systemd-analyze calendar "
            "tells what one means)",
        ],
    ),
    "no calendar": (
        {"backup_timer_calendar": ""},
        [
            "error value-invalid backup_timer_calendar is empty; write it like *-*-* 02:00:00",
        ],
    ),
    "half a recipient": (
        {"backup_encrypt_to": ["age1xyz"]},
        [
            "error value-invalid backup_encrypt_to[0] 'age1xyz' is no public key of age; copy it whole",
        ],
    ),
    "a private key": (
        {"backup_encrypt_to": ["AGE-SECRET-KEY-1QQQ"]},
        [
            "error value-invalid backup_encrypt_to[0] is a private key (not shown), which belongs on "
            "no host; give the public key, which begins with age1",
        ],
    ),
    "an address of mail": (
        {"backup_encrypt_to": ["alice@example.com"]},
        [
            "error value-invalid backup_encrypt_to[0] 'alice@example.com' is no public key of age; "
            "age-keygen prints one, which begins with age1",
        ],
    ),
    "a recipient": (
        {"backup_encrypt_to": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]},
        [],
    ),
    "a recipient with a wrong letter": (
        {"backup_encrypt_to": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q"]},
        [
            "error value-invalid backup_encrypt_to[0] "
            "'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q' is no public key of "
            "age; copy it whole",
        ],
    ),
    "patches that are not there": (
        {"control_plane_patches": "/nonexistent/patches"},
        [
            "error file-missing control_plane_patches '/nonexistent/patches' is no folder on the "
            "controller; correct the path, or empty it",
        ],
    ),
    "a manifest that is not there": (
        {"cni_plugin": "calico", "cni_manifest_path": "calico.yaml"},
        [
            "error file-missing cni_manifest_path 'calico.yaml' is no file on the controller; "
            "correct the path, relative ones start at the playbook",
        ],
    ),
    "own manifests that are not there": (
        {"cni_plugin": "manifests", "cni_manifests": [{"path": "/no/x.yml"}]},
        [
            "error file-missing cni_manifests[0].path '/no/x.yml' is no file on the controller; "
            "correct the path, relative ones start at the playbook",
        ],
    ),
    "no interface": (
        {"endpoint_interface": "eth0/1"},
        [
            "error text-invalid endpoint_interface: 'eth0/1' cannot be used: it is the name of a "
            "network interface: at most 15 letters, digits and . _ -",
        ],
    ),
    "a folder of the kernel": (
        {"etcd_data_dir": "/proc/etcd"},
        [
            "error text-invalid etcd_data_dir: '/proc/etcd' cannot be used: nothing can be stored in /proc",
        ],
    ),
    "the root as a folder": (
        {"kubernetes_bin_dir": "/"},
        [
            "error text-invalid kubernetes_bin_dir: '/' cannot be used: it is the root of the file system",
        ],
    ),
    "calico without its checksum": (
        {"cni_plugin": "calico"},
        [
            "error checksum-missing cni_plugin calico needs cni_manifest_checksum, the SHA-256 of "
            "its manifest; download it, read it, and give what sha256sum says, as sha256:..., or "
            "give the file as cni_manifest_path",
        ],
    ),
    "manifests with none": (
        {"cni_plugin": "manifests"},
        [
            "error value-invalid cni_plugin is manifests, but cni_manifests has none; name them there, or use none",
        ],
    ),
    "own manifests without a checksum": (
        {"cni_plugin": "manifests", "cni_manifests": [{"url": "https://example.com/x.yml"}]},
        [
            "error checksum-missing cni_manifests[0] needs a checksum, the SHA-256 of "
            "https://example.com/x.yml; give it as sha256:...",
        ],
    ),
    "docker without a checksum": (
        {"kubernetes_container_runtime": "docker"},
        [
            "error checksum-missing kubernetes_container_runtime docker needs "
            "container_runtime_cri_dockerd_checksum, as cri-dockerd's project publishes none; give "
            "the SHA-256 of the archive of 0.4.3",
        ],
    ),
    "docker whose kubelet needs no cri-dockerd": (
        {"kubernetes_container_runtime": "docker", "kubernetes_version": "1.20.2"},
        [],
    ),
    "handlers": (
        {
            "container_runtime_handlers": [
                {"name": "crun", "path": "/usr/bin/crun"},
                {"name": "crun", "path": "bin/crun"},
                {"name": "NVIDIA_1", "path": "/usr/bin/nvidia", "options": {"SystemdCGroup": True}},
                {"name": "runc", "path": "/usr/bin/runc", "options": {"zzz": 1}},
            ],
        },
        [
            "error value-invalid container_runtime_handlers has crun more than once; give each its own name",
            "error value-invalid container_runtime_handlers[1].path 'bin/crun' cannot be used: it is no absolute path",
            "error value-invalid container_runtime_handlers[2].name 'NVIDIA_1' cannot be a RuntimeClass's handler; use "
            "at most 63 small letters, digits and -",
            "error unknown-field container_runtime_handlers[2].options.SystemdCGroup is no option of containerd; did "
            "you mean SystemdCgroup?",
            "error value-invalid container_runtime_handlers[3].name runc is what containerd has by itself; change it "
            "by container_runtime_containerd_config",
            "error unknown-field container_runtime_handlers[3].options.zzz is no option of containerd; containerd "
            "would ignore it; take it away",
        ],
    ),
    "a key that a handler does not have": (
        {"container_runtime_handlers": [{"name": "crun", "path": "/usr/bin/crun", "binary": "/x"}]},
        [
            "error value-invalid container_runtime_handlers[0].binary is not supported; there are name, options, "
            "package, path; ansible-doc -t role groundwork.kubernetes.container_runtime describes it",
        ],
    ),
    "handlers of CRI-O": (
        {
            "kubernetes_container_runtime": "crio",
            "container_runtime_handlers": [{"name": "a", "path": "/a", "options": {"BinaryName": "/b"}}],
        },
        [
            "warning unknown-field container_runtime_handlers[0].options.BinaryName is no option of crio; crio would "
            "ignore it; take it away",
        ],
    ),
    "containerd's mirrors for CRI-O": (
        {
            "kubernetes_container_runtime": "crio",
            "container_runtime_registry_mirrors": [{"registry": "docker.io", "mirrors": [{"url": "https://m"}]}],
        },
        [
            "error variable-unused container_runtime_registry_mirrors are containerd's, and crio "
            "would pull images past them; CRI-O reads /etc/containers/registries.conf.d, which is "
            "yours to write, and take the variable away from this host",
        ],
    ),
    "no proxy with bridge": (
        {"kubernetes_proxy_mode": "none"},
        [
            "error proxy-missing kubernetes_proxy_mode is none, but cni_plugin bridge has nothing "
            "that brings services to pods; use iptables or nftables, or cni_plugin cilium, or none where "
            "something else connects the pods",
        ],
    ),
    "WireGuard of a bridge, and an MTU of nobody knows what": (
        {"cni_wireguard": True, "cni_mtu": 0, "cni_block_size": 24, "cni_masquerade": "yes"},
        [
            "error plugin-cannot cni_wireguard is True, and cni_plugin bridge cannot honour it, but flannel and calico "
            "and canal and cilium can; take the variable away, or use one of these",
            "error plugin-cannot cni_block_size is 24, and cni_plugin bridge cannot honour it, but calico can; take "
            "the variable away, or use one of these",
        ],
    ),
    "a tunnel that Flannel has not, and WireGuard for some packets": (
        {
            "cni_plugin": "flannel",
            "cni_manifest_checksum": "sha256:" + "0" * 64,
            "cni_tunnel": "ipip",
            "cni_encapsulation": "cross-subnet",
            "cni_wireguard": True,
        },
        [
            "error plugin-cannot cni_tunnel is ipip, and cni_plugin flannel has vxlan; use that",
            "error plugin-cannot cni_wireguard is true, and cni_encapsulation cross-subnet: with cni_plugin flannel "
            "WireGuard is the tunnel for all packets; set cni_encapsulation: always",
        ],
    ),
    "Cilium's manifest": (
        {"cni_plugin": "cilium", "cni_install": "manifest"},
        [
            "error plugin-cannot cni_install is manifest, and cni_plugin cilium has a chart alone; use chart",
        ],
    ),
    "Cilium without a checksum, some of its packets in a tunnel, and a peer without an address": (
        {
            "cni_plugin": "cilium",
            "cni_install": "chart",
            "cni_encapsulation": "cross-subnet",
            "cni_bgp_peers": [{"address": "router", "as_number": 64513}],
        },
        [
            "error plugin-cannot cni_encapsulation is cross-subnet, and cni_plugin cilium cannot honour it: it has a "
            "tunnel for all packets or for none; use always or never",
            "error value-invalid cni_bgp_peers[0].address 'router' is no address; write it like 192.0.2.1",
            "error checksum-missing cni_chart needs a checksum, the SHA-256 of "
            "https://helm.cilium.io/cilium-1.20.1.tgz; give it as sha256:...",
        ],
    ),
    "a chart of Canal, with two networks": (
        {
            "cni_plugin": "canal",
            "cni_install": "chart",
            "kubernetes_pod_cidr": "10.244.0.0/16,fd00:10::/56",
            "kubernetes_service_cidr": "10.96.0.0/16,fd00:11::/112",
        },
        [
            "error plugin-cannot kubernetes_pod_cidr is 10.244.0.0/16,fd00:10::/56, and cni_plugin canal gives pods "
            "addresses of IPv4 alone; use an IPv4 network, or calico",
            "error plugin-cannot cni_install is chart, and cni_plugin canal has none; cilium and calico and flannel "
            "have one",
        ],
    ),
    "definitions of Calico's operator without a checksum": (
        {
            "cni_plugin": "calico",
            "cni_install": "chart",
            "cni_chart": {"url": "https://example.com/t.tgz", "checksum": "sha256:1"},
            "cni_calico_crds": {"url": "https://example.com/crds.yaml"},
        },
        [
            "error checksum-missing cni_calico_crds needs a checksum, the SHA-256 of https://example.com/crds.yaml; "
            "give it as sha256:...",
            "error checksum-invalid cni_chart.checksum 'sha256:1' is no checksum; write sha256: and 64 hexadecimal "
            "digits",
        ],
    ),
    "an MTU for a plugin of one's own": (
        {"cni_plugin": "none", "cni_mtu": 1400, "cni_masquerade": False},
        [
            "error plugin-cannot cni_mtu is 1400, and cni_plugin none cannot honour it, but plugins that the role "
            "knows can; take the variable away, or use one of these",
            "error plugin-cannot cni_masquerade is False, and cni_plugin none cannot honour it, but plugins that the "
            "role knows can; take the variable away, or use one of these",
        ],
    ),
    "labels of a control plane": (
        {"worker_labels": {"a": "b"}},
        [
            "warning variable-unused worker_labels does nothing on a control plane; set it for workers only",
        ],
    ),
    "the kubelet's fields": (
        {"kubernetes_kubelet_configuration": {"maxPod": 200, "memorySwap": {"swapBehaviour": "x"}}},
        [
            "error unknown-field kubernetes_kubelet_configuration.maxPod is not supported; did you mean maxPods?",
            "error unknown-field kubernetes_kubelet_configuration.memorySwap.swapBehaviour is not "
            "supported; did you mean swapBehavior?",
        ],
    ),
    "a later kubelet's field": (
        {"kubernetes_version": "1.30.0", "kubernetes_kubelet_configuration": {"failCgroupV1": False}},
        [
            "error unknown-field kubernetes_kubelet_configuration.failCgroupV1 is not supported "
            "before Kubernetes 1.31; remove it",
        ],
    ),
    "a newer version than is listed": (
        {"kubernetes_version": "1.37.2", "kubernetes_kubelet_configuration": {"brandNew": False}},
        [
            "warning unknown-field kubernetes_kubelet_configuration.brandNew is not supported; remove it",
        ],
    ),
    "kube-proxy's fields": (
        {"kubernetes_proxy_configuration": {"ipvs": {"strictArp": True}}},
        [
            "error unknown-field kubernetes_proxy_configuration.ipvs.strictArp is not supported; did "
            "you mean strictARP?",
        ],
    ),
    "a field that kube-proxy lost": (
        {"kubernetes_proxy_configuration": {"udpIdleTimeout": "1s"}},
        [
            "error unknown-field kubernetes_proxy_configuration.udpIdleTimeout is not supported from "
            "Kubernetes 1.26 on; remove it",
        ],
    ),
    "kubeadm's fields": (
        {"control_plane_cluster_configuration": {"apiServer": {"extraArg": []}}},
        [
            "error kubeadm-field control_plane_cluster_configuration: "
            "ClusterConfiguration.apiServer.extraArg is no field of kubeadm's configuration; did you "
            "mean extraArgs?",
        ],
    ),
    "the audit policy": (
        {"control_plane_audit_policy": {"rules": [{"level": "Metadata", "user": ["x"]}]}},
        [
            "error unknown-field control_plane_audit_policy.rules.user is not supported; did you mean users?",
        ],
    ),
    "containerd's fields": (
        {
            "container_runtime_containerd_config": {
                "plugin": {},
                "plugins": {
                    "io.containerd.cri.v1.images": {"snapshoter": "x"},
                    "io.containerd.grpc.v1.cri": {"sandbox_image": "x"},
                },
            }
        },
        [
            "error unknown-field container_runtime_containerd_config.plugin is not supported; did you mean plugins?",
            "error unknown-field "
            "container_runtime_containerd_config.plugins.io.containerd.cri.v1.images.snapshoter is "
            "not supported; did you mean snapshotter?",
            "error unknown-field "
            "container_runtime_containerd_config.plugins.io.containerd.grpc.v1.cri.sandbox_image is "
            "not supported from containerd 2.0 on; it is below io.containerd.cri.v1.images or "
            ".runtime there",
        ],
    ),
    "an unknown key": (
        {"container_runtime_registry_mirrors": [{"registry": "docker.io", "mirors": []}]},
        [
            "error value-invalid container_runtime_registry_mirrors[0].mirors is not supported; did you mean mirrors?",
        ],
    ),
    "a text for a map": (
        {"container_runtime_registry_mirrors": ["docker.io"]},
        [
            "error value-invalid container_runtime_registry_mirrors[0] is text; give it a map; "
            "ansible-doc -t role groundwork.kubernetes.container_runtime describes it",
        ],
    ),
    "a map for a list": (
        {"container_runtime_registry_mirrors": {"docker.io": "x"}},
        [
            "error value-invalid container_runtime_registry_mirrors is a map; give it a list; "
            "ansible-doc -t role groundwork.kubernetes.container_runtime describes it",
        ],
    ),
    "a list for a text": (
        {"kubernetes_version": [1]},
        [
            "error value-invalid kubernetes_version is a list; give it one value; ansible-doc -t "
            "role groundwork.kubernetes.kubernetes describes it",
        ],
    ),
    "a list for a map": (
        {"worker_labels": ["a"]},
        [
            "error value-invalid worker_labels is a list; give it a map; ansible-doc -t role "
            "groundwork.kubernetes.worker describes it",
        ],
    ),
    "a text for a configuration": (
        {"kubernetes_kubelet_configuration": "maxPods=3"},
        [
            "error value-invalid kubernetes_kubelet_configuration is text; give it a map; "
            "ansible-doc -t role groundwork.kubernetes.kubernetes describes it",
        ],
    ),
    "a switch for a number": (
        {"kubernetes_api_port": True},
        [
            "error value-invalid kubernetes_api_port is a switch; give it a number; ansible-doc -t "
            "role groundwork.kubernetes.kubernetes describes it",
        ],
    ),
    "a choice that is none": (
        {"kubernetes_proxy_mode": "iptable"},
        [
            "error value-invalid kubernetes_proxy_mode: value of kubernetes_proxy_mode must be one "
            "of: iptables, ipvs, nftables, none, got: iptable; ansible-doc -t role "
            "groundwork.kubernetes.kubernetes describes it",
        ],
    ),
    "misspelt names": (
        {"kubernets_version": "1.35.0", "worker_lables": {}, "kubernetes_pod_cdir": "x", "mine": 1},
        [
            "error unknown-variable kubernetes_pod_cdir is no variable of the role kubernetes; did "
            "you mean kubernetes_pod_cidr?",
            "error unknown-variable kubernets_version is no variable of the role kubernetes; did you "
            "mean kubernetes_version?",
            "error unknown-variable worker_lables is no variable of the role worker; did you mean worker_labels?",
        ],
    ),
    "Kubespray's variables": (
        {
            "kube_version": "1.34.2",
            "ip": "192.0.2.1",
            "cluster_name": "cluster.local",
            "kube_proxy_mode": "ipvs",
            "helm_enabled": False,
            "metallb_enabled": True,
            "kube_owner": "kube",
            "etcd_deployment_type": "host",
            "kube_network_plugin": "calico",
            "kubernetes_audit": False,
        },
        [
            "error foreign-variable cluster_name cluster.local has no effect: here the variable is "
            "kubernetes_cluster_name, which is kubernetes; set that instead",
            "error foreign-variable ip 192.0.2.1 has no effect: here the variable is "
            "kubernetes_node_ip, which is 192.0.2.11; set that instead",
            "error foreign-variable kube_network_plugin calico has no effect: here the variable is "
            "cni_plugin, which is bridge; set that instead",
            "error foreign-variable kube_proxy_mode ipvs has no effect: here the variable is "
            "kubernetes_proxy_mode, which is iptables; set that instead",
            "error foreign-variable kube_version 1.34.2 has no effect: here the variable is "
            "kubernetes_version, which is 1.36.5; set that instead",
            "error foreign-variable metallb_enabled True has no effect: add metallb to addons_wanted, and remove "
            "metallb_enabled",
            "warning foreign-unused kube_owner: nothing here knows these variables of Kubespray; remove them",
            "error foreign-variable ip 192.0.2.1 has no effect: here the variable is "
            "kubernetes_node_ip, which is 192.0.2.21; set that instead",
        ],
    ),
    "names that Kubespray has, too": (
        {"ip": "192.0.2.1", "cluster_name": "x", "http_proxy": "http://x"},
        [],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_a_mistake(name: str) -> None:
    given, expected = CASES[name]
    assert said(given) == expected


VARIABLES = {name: spec for options in SPECS.values() for name, spec in options.items()}
# One value of each form.
FORMS: dict[str, Any] = {"map": {"a": {"b": 1}}, "list": [{"a": 1}], "text": "a text", "number": 3, "switch": True}
TEXTS, NUMBERS = {"text", "number", "switch"}, {"number"}
FITTING = {
    **{"str": TEXTS, "path": TEXTS, "int": NUMBERS, "float": NUMBERS},
    **{"dict": {"map"}, "list": {"list", "text"}, "bool": {"switch"}},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_form_is_told_of_any_variable(form: str) -> None:
    """No check stumbles over it, and what is not of the type is said once, and nothing that only follows from it."""
    for name, spec in VARIABLES.items():
        found = said({name: FORMS[form]}, hosts=("cp1",))
        if spec["type"] in FITTING and form not in FITTING[spec["type"]]:
            assert [fault.startswith(f"error value-invalid {name}") for fault in found] == [True], name


def test_a_secret_of_the_wrong_form_is_not_shown() -> None:
    for name in [name for name, spec in VARIABLES.items() if spec.get("no_log")]:
        assert "hunter2" not in "".join(said({name: [{"hunter2": "hunter2"}]}, hosts=("cp1",)))


def mistakes(name: str) -> set[str]:
    """The name with one letter of its first word missing, twice, wrong, or before its neighbour."""
    prefix = name.partition("_")[0]
    found = set()
    for at in range(len(prefix)):
        start, letter, rest = name[:at], name[at], name[at + 1 :]
        found |= {start + rest, start + letter * 2 + rest, f"{start}x{rest}", start + rest[:1] + letter + rest[1:]}
    return found - VARIABLES.keys()


def test_one_letter_of_a_prefix_is_enough() -> None:
    spelling = Inputs([], {}, SPECS).spelling
    tried = [(name, wrong) for name in VARIABLES for wrong in mistakes(name)]
    passed = [wrong for _name, wrong in tried if (spelling.judge(wrong) or ("", ""))[1] != "error"]
    assert len(tried) > 4406
    assert passed == []


def test_variables_of_other_roles_pass() -> None:
    others = [
        *(
            "ansible_user",
            "docker_users",
            "nginx_worker_processes",
            "postgresql_version",
            "backup_server",
            "worker_threads",
        ),
        *("haproxy_frontend_port", "ntp_servers", "kube_context", "firewall_allowed_tcp_ports", "certbot_admin_email"),
        *("etcd_exporter_version", "http_proxy", "dns_domain", "cluster_name", "node_exporter_version", "ip"),
    ]
    assert said(dict.fromkeys(others, "x")) == [
        "warning unknown-variable etcd_exporter_version is no variable of the role etcd; did you mean etcd_version?"
    ]


def test_kubesprays_variables_are_not_ours_and_ours_are() -> None:
    lost = kubespray.load().lost
    assert lost.keys() & VARIABLES.keys() == set()
    assert {one["here"] for one in lost.values() if "here" in one} <= VARIABLES.keys()


def test_the_page_has_a_row_for_each_of_kubesprays_variables() -> None:
    page = (ROOT / "docs" / "from-kubespray.md").read_text()
    for name, known in kubespray.load().lost.items():
        star = "*" if known.get("common") else ""
        assert f"| `{name}`{star} | " + (f"`{known['here']}` |" if "here" in known else "") in page


@pytest.mark.parametrize(
    ("missing", "given", "groups", "expected"),
    [
        (
            ["tomli_w"],
            {},
            {},
            ["the controller needs the Python library tomli_w to write the configuration of containerd"],
        ),
        (["tomli_w"], {"kubernetes_container_runtime": "docker"}, {}, []),
        (["ansible_collections.community.crypto", "cryptography"], {}, {}, []),
        (
            ["ansible_collections.community.crypto", "cryptography"],
            {},
            {"etcd": ["e1"]},
            [
                "the controller needs the collection community.crypto for the certificates of etcd (group etcd)",
                "the controller needs the Python library cryptography for the certificates of etcd (group etcd)",
            ],
        ),
        (["age"], {"restore_identity": "/home/me/key.txt"}, {}, ["the controller has no program age"]),
        (["age"], {}, {}, []),
    ],
)
def test_needs_of_the_controller(
    monkeypatch: pytest.MonkeyPatch, missing: list[str], given: Given, groups: dict[str, list[str]], expected: list[str]
) -> None:
    monkeypatch.setattr(controller, "has_library", lambda name: name not in missing)
    monkeypatch.setattr(controller, "has_program", lambda name: name not in missing)
    there = Inputs([host(name, given) for name in ("cp1", "e1")], {**GROUPS, **groups}, SPECS)
    texts = [fault.text for fault in controller.needs(there)]
    assert [text.startswith(start) for text, start in zip(texts, expected)] == [True] * len(expected)
    assert len(texts) == len(expected)


@pytest.mark.parametrize("minor", range(20, 38))
def test_the_roles_own_settings_are_fields_of_every_version(minor: int) -> None:
    own = [line for line in said({"kubernetes_version": f"1.{minor}.0"}) if "unknown-field" in line]
    assert own == []


CALENDARS = {
    **dict.fromkeys(
        [
            *("daily", "weekly UTC", "*-*-* 02:00:00", "*-*-* 02:00", "Sun *-*-* 03:00:00", "Mon..Fri 22:30", "02:00"),
            *("Sat,Sun", "*-*-01 04:00:00", "*:0/15", "Mon *-05~07/1", "2026-11-27", "*-1,7-* 00:00:00.5"),
            *("*-*-* 02:00:00 Europe/Berlin", "12,14,13,12:20,10,30", "00..07:23/5", "08:05:40"),
        ],
        True,
    ),
    **dict.fromkeys(
        [
            *(
                "every day",
                "24:00",
                "02:60",
                "*-13-* 02:00",
                "*-*-32",
                "Son *-*-* 02:00",
                "2",
                "* * * * *",
                "0 2 * * *",
            ),
            *("02:00 *-*-*", "daily 02:00", "*-*-* 02:00 x y", ":", "-"),
        ],
        False,
    ),
}


@pytest.mark.parametrize(("text", "expected"), CALENDARS.items())
def test_calendars(text: str, expected: bool) -> None:
    assert is_calendar(text) is expected
