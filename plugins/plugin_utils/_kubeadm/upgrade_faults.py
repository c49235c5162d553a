# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against an upgrade. All of it is found before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import (
    WARNING,
    Fault,
    apply_ignore,
    did_you_mean,
    listed,
    parse_ignore,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minor_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removals import (
    KUBELET_CONFIGURATION,
    data,
    losses,
    removed,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_request import (
    CONFIGURATION,
    Host,
    Request,
    number,
)

FAULTS: dict[str, str] = {
    "api-removed": "somebody asks for an API version that the target no longer serves",
    "backend-missing": "a webhook or an aggregated API has no backend that is ready",
    "cgroup-v1": "cgroup version 1, which the target's kubelet refuses",
    "control-plane-left-out": "a control plane is left out of the run",
    "control-plane-not-ready": "a control plane is not ready, or could not be read",
    "disk-full": "too little free space for the target's images",
    "drain-impossible": "a node can never be drained: budgets, bare pods, volumes, or no room elsewhere",
    "etcd-image-set": "etcd's image is the user's, so that kubeadm leaves it as it is",
    "etcd-too-old": "etcd is too old for the one that the target brings",
    "manifest-edited": "a static pod's manifest was edited by hand, which kubeadm would undo",
    "node-missing": "a host is no node of the cluster",
    "node-not-ready": "a node is not ready",
    "runtime-unsupported": "the target's kubelet does not work with the container runtime",
    "setting-removed": "a component is given a flag, feature gate or admission plugin that the target no longer has",
    "setting-unknown": "a component is given a flag, feature gate or admission plugin that it does not have",
    "skew-unsupported": "a kubelet is too old for the target, or newer than an API server",
    "stored-version": "a custom resource has objects of a version that is no longer served",
    "target-broken": "the target has a fault that damages clusters",
    "unknown-ignore": "upgrade_ignore names no fault",
    "version-older": "the target is older than what runs",
    "version-skipped": "the target skips a minor release",
    "version-unknown": "what runs is not known",
    "workload-not-ready": "a workload is not ready before the upgrade begins",
}
KUBELET_BEHIND_THREE_SINCE = (1, 28)
DOCKERSHIM_GONE, CRI_V1_ONLY, CGROUP_V1_REFUSED, CONTAINERD_1_GONE = (1, 24), (1, 26), (1, 35), (1, 38)
ETCD_36_SINCE, ETCD_37_SINCE = (1, 34), (1, 37)
FREE_MB = {"/var/lib/containerd": 1500, "/var/lib/etcd": 500, "/etc/kubernetes": 100}
# 1.30.0 lost the kubelet's configuration (https://github.com/kubernetes/kubeadm/issues/3049).
BROKEN = {"1.30.0": "it loses the kubelet's configuration (kubeadm issue 3049); take 1.30.1 or newer"}
DIFF_LINES = 40


def _versions(request: Request) -> Iterator[tuple[Host, str, str]]:
    """Each host's API server and kubelet, with its version."""
    for host in request.hosts:
        if host.control_plane:
            yield host, "API server", host.api_server
        yield host, "kubelet", request.kubelet(host)


def versions(request: Request) -> Iterator[Fault]:
    """A downgrade, a skipped minor release, and what is not known."""
    if request.version in BROKEN:
        yield Fault("target-broken", f"kubernetes_version {request.version}: {BROKEN[request.version]}")
    for host, what, version in _versions(request):
        if not version:
            yield host.fault("version-unknown", f"the version of its {what} is not known; see why, and repair it")
        elif number(version) > number(request.version):
            text = (
                f"its {what} runs {version}, which is newer than kubernetes_version "
                f"{request.version}; Kubernetes has no way back"
            )
            yield host.fault("version-older", text)
        elif what == "API server" and request.minor[1] - minor_of(version)[1] > 1:
            step = f"{request.minor[0]}.{minor_of(version)[1] + 1}"
            text = (
                f"its API server runs {version}, and kubernetes_version {request.version} skips a minor release; "
                f"upgrade to a version of {step} first"
            )
            yield host.fault("version-skipped", text)


def skew(request: Request) -> Iterator[Fault]:
    """Kubelets, also of nodes that the run leaves out, against the API servers that the upgrade brings and that run."""
    behind = 3 if request.minor >= KUBELET_BEHIND_THREE_SINCE else 2
    names = {host.node: host.name for host in request.hosts}
    servers = [host.api_server for host in request.control_planes if host.api_server]
    for name, node in request.nodes.items():
        version = node["kubelet_version"].removeprefix("v")
        if not version:
            continue
        if request.minor[1] - minor_of(version)[1] > behind:
            text = (
                f"the kubelet of node {name} runs {version}; with {request.version} it may be "
                f"{behind} minor releases older at most"
            )
            yield Fault("skew-unsupported", f"{text}; upgrade it first", names.get(name, ""))
        # One that an upgrade which was cut off has replaced is no newer than the target.
        newer = [server for server in servers if number(server) < number(version)]
        if newer and version != request.version:
            text = (
                f"the kubelet of node {name} runs {version} and is newer than an API server ({min(newer, key=number)})"
            )
            yield Fault(
                "skew-unsupported", f"{text}; upgrade the control planes to {version} first", names.get(name, "")
            )


def readiness(request: Request) -> Iterator[Fault]:
    """Control planes, nodes and workloads that are not ready."""
    for name in request.left_out:
        text = (
            "it is a control plane and the run leaves it out; API servers are upgraded together: "
            "run without --limit, or with all of them"
        )
        yield Fault("control-plane-left-out", text, name)
    for host in request.control_planes:
        if host.facts["api_error"]:
            yield host.fault(
                "control-plane-not-ready", f"its control plane: {host.facts['api_error']}; repair it first"
            )
    names = {host.node: host.name for host in request.hosts}
    for host in request.hosts:
        if host.node not in request.nodes:
            text = f"there is no node {host.node}; join it first, or take the host out of the inventory"
            yield host.fault("node-missing", text)
    for name, node in request.nodes.items():
        if not node["ready"]:
            severity = {} if name in names else {"severity": WARNING}
            text = f"node {name} is not ready: {node['ready_message']}; repair it first, or remove it"
            yield Fault("node-not-ready", text, names.get(name, ""), **severity)
    for workload, why in request.cluster["unready"].items():
        text = f"{workload} {why}; nothing waits for it during the upgrade"
        yield Fault("workload-not-ready", text, severity=WARNING)


def settings(request: Request) -> Iterator[Fault]:
    """What components are given and the target no longer has, in files and in variables."""
    for host in request.hosts:
        for setting, what, since in losses(host.settings, request.version, host.kept_flags):
            yield host.fault(
                "setting-removed", f"{setting.place}: {what} is gone from Kubernetes {since} on; take it out"
            )
        yield from _unknown(host, request)
    for setting, what, since in losses(request.variables, request.version):
        text = f"{setting.place}: {what} of {setting.component} is gone from Kubernetes {since} on; take it out"
        yield Fault("setting-removed", text)
    gates = removed(data()["kubeadm_gates"], request.version)
    for gate in sorted(set(request.configuration.get("featureGates") or {}) & gates.keys()):
        text = f"{CONFIGURATION}: kubeadm's feature gate {gate} is gone from Kubernetes {gates[gate]} on; take it out"
        yield Fault("setting-removed", text)


def _unknown(host: Host, request: Request) -> Iterator[Fault]:
    """Flags of the kubelet that the one on the host does not have, and so would not start with again."""
    known = set(host.facts["kubelet_flags"])
    if not known:
        return
    for setting in host.settings:
        if setting.component == "kubelet" and setting.name not in known and setting.place != KUBELET_CONFIGURATION:
            text = (
                f"{setting.place}: the kubelet has no flag --{setting.name}; "
                f"{did_you_mean(setting.name, known) or 'take it out'}"
            )
            yield host.fault("setting-unknown", text)


def manifests(request: Request) -> Iterator[Fault]:
    """Edits of manifests that kubeadm would undo."""
    for host in request.control_planes:
        lines = host.facts["drift"].strip().splitlines()
        if lines:
            shown = "\n".join(f"      {line}" for line in lines[:DIFF_LINES])
            rest = f"\n      ... {len(lines) - DIFF_LINES} more lines" if len(lines) > DIFF_LINES else ""
            text = (
                "manifests in /etc/kubernetes/manifests differ from what kubeadm writes, and an "
                "upgrade writes them anew; put "
                f"it into control_plane_cluster_configuration or control_plane_patches, or take it out:\n{shown}{rest}"
            )
            yield host.fault("manifest-edited", text)


def objects(request: Request) -> Iterator[Fault]:
    """Clients and objects of API versions that go, and hooks without anybody behind them."""
    for host in request.control_planes:
        for asked in host.facts["deprecated"]:
            release = asked.get("removed_release", "")
            if release and minor_of(release) <= request.minor:
                name = "/".join(filter(None, [asked.get("group"), asked.get("version")]))
                text = (
                    f"somebody has asked its API server for {asked.get('resource')} of {name}, which "
                    f"is gone from Kubernetes {release} on"
                )
                yield host.fault("api-removed", f"{text}; the audit log tells who it is")
    for crd in request.cluster["crds"]:
        if crd["not_served"]:
            text = (
                f"CustomResourceDefinition {crd['name']}: objects are stored as "
                f"{listed(crd['not_served'])}, which is not served"
            )
            yield Fault("stored-version", f"{text}; rewrite them, and take the version out of status.storedVersions")
    backends = set(request.cluster["backends"])
    for hook in request.cluster["webhooks"]:
        if f"{hook['namespace']}/{hook['service']}" not in backends and hook["policy"] == "Fail":
            text = (
                f"webhook {hook['name']} of {hook['configuration']}: Service "
                f"{hook['namespace']}/{hook['service']} has no endpoint that is ready"
            )
            yield Fault("backend-missing", f"{text}, so that what it judges is refused; repair or remove it")
    for api in request.cluster["api_services"]:
        if f"{api['namespace']}/{api['service']}" not in backends:
            text = (
                f"APIService {api['name']}: Service {api['namespace']}/{api['service']} has no "
                "endpoint that is ready; repair or remove it"
            )
            yield Fault("backend-missing", text)


def drains(request: Request) -> Iterator[Fault]:
    """What forbids a drain, and no waiting cures."""
    names = {host.node: host.name for host in request.hosts}
    for node, reasons in request.forbidden.items():
        for reason in reasons:
            text = f"node {node} cannot be drained: {reason}"
            yield Fault("drain-impossible", text, names.get(node, ""))


def etcd(request: Request) -> Iterator[Fault]:
    """Stacked etcd: an image of the user's, and versions from which etcd cannot go on."""
    local = (request.configuration.get("etcd") or {}).get("local") or {}
    if local.get("imageTag") and request.is_minor_hop:
        text = (
            f"{CONFIGURATION}: etcd.local.imageTag is {local['imageTag']}, with which kubeadm leaves "
            "etcd as it is; take it out"
        )
        yield Fault("etcd-image-set", text)
    for host in request.control_planes:
        tag = host.facts["etcd"]
        version = number(tag.partition("-")[0]) if tag else ()
        if version[:2] == (3, 5) and request.minor >= ETCD_36_SINCE and version < (3, 5, 32):
            old = version < (3, 5, 24)
            text = (
                f"etcd runs {tag}, and {request.version} brings 3.6, to which a member goes from "
                f"3.5.{24 if old else 32} or newer"
            )
            severity = {} if old else {"severity": WARNING}
            yield Fault(
                "etcd-too-old",
                f"{text}; upgrade to the newest patch release of the minor that runs first",
                host.name,
                **severity,
            )
        if version[:2] == (3, 6) and request.minor >= ETCD_37_SINCE and version < (3, 6, 11):
            text = f"etcd runs {tag}, and {request.version} brings 3.7, to which a member goes from 3.6.11 or newer"
            yield host.fault(
                "etcd-too-old", f"{text}; upgrade to the newest patch release of the minor that runs first"
            )


def machines(request: Request) -> Iterator[Fault]:
    """Container runtime, cgroups and free space."""
    for host in request.hosts:
        runtime = str((request.nodes.get(host.node) or {}).get("runtime", ""))
        name, _scheme, version = runtime.partition("://")
        remote = any(setting.name == "container-runtime-endpoint" for setting in host.settings)
        if name == "docker" and request.minor >= DOCKERSHIM_GONE and not remote:
            text = (
                "its kubelet uses Docker without cri-dockerd (dockershim), which is gone from "
                "Kubernetes 1.24 on; move it to containerd"
            )
            yield host.fault("runtime-unsupported", text)
        elif name == "containerd" and request.minor >= CRI_V1_ONLY and number(version) < (1, 6):
            text = f"containerd {version} lacks CRI v1, the only one from Kubernetes 1.26 on; take 1.7 or 2.x"
            yield host.fault("runtime-unsupported", text)
        elif name == "containerd" and request.minor >= CONTAINERD_1_GONE and number(version) < (2, 0):
            yield host.fault(
                "runtime-unsupported", f"containerd {version} is too old from Kubernetes 1.38 on; take 2.x"
            )
        configuration = host.facts["files"].get(KUBELET_CONFIGURATION, "")
        if (
            host.facts["cgroup"] == 1
            and request.minor >= CGROUP_V1_REFUSED
            and "failCgroupV1: false" not in configuration
        ):
            text = (
                "the kubelet of Kubernetes 1.35 or newer refuses cgroup version 1; boot with "
                "version 2, or set failCgroupV1: false in "
                "kubernetes_kubelet_configuration and run site before the upgrade"
            )
            yield host.fault("cgroup-v1", text)
        for folder, free in host.facts["free_mb"].items():
            if free < FREE_MB.get(folder, 0):
                yield host.fault(
                    "disk-full", f"{folder} has {free} MB free, and {FREE_MB[folder]} are needed; make room"
                )


CHECKS: Sequence[Callable[[Request], Iterator[Fault]]] = (
    versions,
    skew,
    readiness,
    settings,
    manifests,
    objects,
    drains,
    etcd,
    machines,
)


def find_faults(request: Request, ignore: object) -> list[Fault]:
    """All of them, after what is ignored."""
    found = [fault for check in CHECKS for fault in check(request)]
    named = set().union(*parse_ignore(ignore).values())
    found += [
        Fault("unknown-ignore", f"upgrade_ignore: {name} is no fault; {did_you_mean(name, FAULTS) or 'remove it'}")
        for name in sorted(named - FAULTS.keys())
    ]
    return apply_ignore(found, ignore)
