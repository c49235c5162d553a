# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a host and of a cluster before an upgrade: files, versions, and who asks for what is removed.

Files are given as they are. They are judged on the controller, which reads YAML.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import time
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    BINARY_FOLDERS,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import summary
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import items
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.workloads import name_of, unready_workload
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import parse_kubelet_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import manifest_image
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import COMPONENTS, ETCD, manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    HostCertificates,
    Places,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import Kubeadm, KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.upgrade import (
    OWN_LIMIT,
    manifest_versions,
    minor_of,
    settle,
)

# Where a kubelet takes its arguments and its configuration from, on any distribution.
KUBELET_FILES = (
    "/var/lib/kubelet/kubeadm-flags.env",
    "/var/lib/kubelet/config.yaml",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/kubelet.service.d/*.conf",
    "/run/systemd/system/kubelet.service.d/*.conf",
    "/lib/systemd/system/kubelet.service.d/*.conf",
    "/usr/lib/systemd/system/kubelet.service.d/*.conf",
)
SAMPLE = re.compile(r"^apiserver_requested_deprecated_apis\{(.*)\} ", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
FLAG = re.compile(r"^ +(?:-\w, )?--([\w-]+)", re.MULTILINE)
FOLDERS = ("/var/lib/containerd", "/var/lib/etcd", "/etc/kubernetes")
DIFF_SECONDS = 60


def deprecated(metrics: str) -> List[Dict[str, str]]:
    """The deprecated API versions that somebody has asked an API server for since it began."""
    return [dict(LABEL.findall(labels)) for labels in SAMPLE.findall(metrics)]


def read_texts(patterns: List[str]) -> Dict[str, str]:
    """The text of the files that are there; a folder of distributions that is a link to another counts once."""
    found: Dict[str, str] = {}
    seen = set()
    for path in [path for pattern in patterns for path in sorted(glob.glob(pattern))]:
        place = os.path.realpath(path)
        content = read_bytes(path) if place not in seen else None
        seen.add(place)
        if content is not None:
            found[path] = content.decode("utf-8", "replace")
    return found


def program_version(module: AnsibleModule, name: str, *arguments: str) -> str:
    """The version that a program on the host says it has; empty where there is none."""
    path = module.get_bin_path(name, opt_dirs=BINARY_FOLDERS)
    if not path:
        return ""
    _rc, out, _err = module.run_command([path, *arguments], expand_user_and_vars=False)
    return str(out).strip()


def drift(module: AnsibleModule, folder: str, versions: Dict[str, str], kubeadm: str) -> str:
    """What people changed in manifests: how they differ from what kubeadm would write for the version that runs.

    Only a kubeadm of the same minor release knows that; with another there is nothing to say.
    """
    running = set(versions.values())
    if len(running) != 1 or "" in running or not kubeadm or minor_of(kubeadm) != minor_of(next(iter(running))):
        return ""
    said = Kubeadm(module, DIFF_SECONDS).run("upgrade", "diff", f"v{next(iter(running))}")
    return "\n".join(line for line in said.splitlines() if not line.startswith("[upgrade/"))


def expiries(folder: str) -> List[Dict[str, Any]]:
    """The certificates of a control plane and its kubelet, each with its kind and the time that is left, in seconds.

    What cannot be read says why.
    """
    host = HostCertificates(Places(kubernetes=folder), ask=lambda found, *_address: found)
    return [
        {"name": one.name, "path": one.path, "kind": one.kind, "error": one.error, "left": one.ends - time.time()}
        for one in [*host.control_plane(), *host.kubelet()]
        if one.path and os.path.exists(one.path)
    ]


def host_facts(module: AnsibleModule, folder: str) -> Dict[str, Any]:
    """What is known of the host.

    A kubeadm that outlived the run which began it is waited for, as what is read meanwhile would not be true.

    Raises:
        KubeadmError: if that does not end.
    """
    settle(OWN_LIMIT)
    api, kubeadm = OwnApi(module, folder), program_version(module, "kubeadm", "version", "--output=short").lstrip("v")
    versions = manifest_versions(folder)
    is_control_plane = any(os.path.exists(manifest(folder, name)) for name in COMPONENTS)
    facts: Dict[str, Any] = {
        "joined": os.path.exists(os.path.join(folder, "kubelet.conf")),
        "control_plane": is_control_plane,
        "kubeadm": kubeadm,
        "kubelet": parse_kubelet_version(program_version(module, "kubelet", "--version")),
        "files": read_texts([*KUBELET_FILES, *(manifest(folder, name) for name in (*COMPONENTS, ETCD))]),
        "manifests": versions if is_control_plane else {},
        "kernel": os.uname().release,
        "cgroup": 2 if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else 1,
        "api_server": "",
        "api_error": "",
        "drift": "",
        "etcd": manifest_image((read_bytes(manifest(folder, ETCD)) or b"").decode("utf-8", "replace")).rpartition(":")[
            2
        ],
        "kubelet_flags": FLAG.findall(program_version(module, "kubelet", "--help")),
        "free_mb": {path: shutil.disk_usage(path).free >> 20 for path in FOLDERS if os.path.isdir(path)},
        "deprecated": [],
        "certificates": expiries(folder),
    }
    if is_control_plane:
        try:
            facts["api_server"] = api.version().lstrip("v")
            facts["api_error"] = "" if api.ready() else "it says that it is not ready"
            facts["deprecated"] = deprecated(api.get("/metrics"))
            facts["drift"] = drift(module, folder, versions, kubeadm)
        except (KubectlError, KubeadmError) as error:
            facts["api_error"] = str(error)
    return facts


def _webhooks(kubectl: Kubectl) -> List[Dict[str, Any]]:
    kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations"
    return [
        {
            "configuration": item["metadata"]["name"],
            "name": hook["name"],
            "policy": hook.get("failurePolicy", "Fail"),
            **service(hook["clientConfig"].get("service")),
        }
        for item in items(kubectl.get(kinds))
        for hook in item.get("webhooks") or []
        if hook["clientConfig"].get("service")
    ]


def service(reference: Any) -> Dict[str, str]:
    """The Service that an object names."""
    return {"namespace": reference.get("namespace", ""), "service": reference.get("name", "")} if reference else {}


def _backends(kubectl: Kubectl) -> List[str]:
    """The Services that have an endpoint which is ready."""
    return [
        f"{item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in items(kubectl.get("endpoints", "--all-namespaces"))
        if any(subset.get("addresses") for subset in item.get("subsets") or [])
    ]


def _stored_versions(item: Dict[str, Any]) -> Dict[str, Any]:
    spec = item["spec"]
    served = [one["name"] for one in spec.get("versions") or [] if one.get("served")]
    stored = (item.get("status") or {}).get("storedVersions") or []
    return {"name": item["metadata"]["name"], "not_served": [version for version in stored if version not in served]}


def cluster_facts(module: AnsibleModule, admin: str) -> Dict[str, Any]:
    """What is known of the cluster.

    Raises:
        KubectlError: if it cannot be asked.
    """
    kubectl = Kubectl(module, admin)
    configuration = kubectl.get("configmap", "kubeadm-config", "--namespace=kube-system") or {"data": {}}
    proxy = kubectl.get("daemonset", "kube-proxy", "--namespace=kube-system")
    nodes = items(kubectl.get("nodes"))
    runtimes = {
        node["metadata"]["name"]: (node.get("status") or {}).get("nodeInfo", {}).get("containerRuntimeVersion", "")
        for node in nodes
    }
    workloads = items(kubectl.get("deployments.apps,daemonsets.apps,statefulsets.apps", "--all-namespaces"))
    return {
        "configuration": configuration["data"].get("ClusterConfiguration", ""),
        "kube_proxy": proxy["spec"]["template"]["spec"]["containers"][0]["image"] if proxy else "",
        "nodes": [{**summary(node), "runtime": runtimes[node["metadata"]["name"]]} for node in nodes],
        "unready": {name_of(item): fault for item in workloads for fault in [unready_workload(item)] if fault},
        "crds": [_stored_versions(item) for item in items(kubectl.get("customresourcedefinitions"))],
        "webhooks": _webhooks(kubectl),
        "api_services": [
            {"name": item["metadata"]["name"], **service(item["spec"].get("service"))}
            for item in items(kubectl.get("apiservices"))
            if item["spec"].get("service")
        ],
        "backends": _backends(kubectl),
    }
