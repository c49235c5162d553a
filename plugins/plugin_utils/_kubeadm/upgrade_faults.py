# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against an upgrade. All of it is found before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.membership_plan import version_change
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import (
    ERROR,
    WARNING,
    Fault,
    advise_by_variable,
    apply_ignore,
    did_you_mean,
    listed,
    parse_ignore,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minor_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removals import KUBELET_CONFIGURATION
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_request import (
    CONFIGURATION,
    Host,
    Request,
    number,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_settings import coverage, settings

FAULTS: dict[str, str] = {
    "api-removed": "somebody asks for an API version that the target no longer serves",
    "backend-missing": "a webhook or an aggregated API has no backend that is ready",
    "cgroup-v1": "cgroup version 1, which the target's kubelet refuses",
    "certificate-ends": "a certificate has ended, or ends while the upgrade may still be at work",
    "control-plane-left-out": "a control plane is left out of the run",
    "control-plane-not-ready": "a control plane is not ready, or could not be read",
    "disk-full": "too little free space for the target's images",
    "drain-impossible": "a node can never be drained: budgets, bare pods, volumes, or no room elsewhere",
    "etcd-image-set": "etcd's image is the user's, so that kubeadm leaves it as it is",
    "etcd-unsupported": "etcd on hosts of its own cannot go to etcd_version, or its members' versions are not known",
    "etcd-too-old": "etcd is too old for the one that the target brings",
    "kernel-unsupported": "kubeadm does not list the kernel among those that it supports",
    "manifest-edited": "a static pod's manifest was edited by hand, which kubeadm would undo",
    "node-missing": "a host is no node of the cluster",
    "node-not-ready": "a node is not ready",
    "removals-unknown": "what the target no longer knows is not known to this collection",
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
CERTIFICATE_HOURS = 24
# system-validators 1.12, which kubeadm has since then.
KERNELS, KERNELS_SINCE = ((5, 4), (5, 10), (5, 15)), (1, 36)
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


def certificates(request: Request) -> Iterator[Fault]:
    """Certificates that have ended, or end before an upgrade is through."""
    for host in request.hosts:
        for one in host.facts["certificates"]:
            if not one["error"] and one["left"] < CERTIFICATE_HOURS * 3600:
                when = f"ends in {one['left'] / 3600:.1f} hours" if one["left"] > 0 else "has ended"
                cure = (
                    "replace the authority first"
                    if one["kind"] == "authority"
                    else "renew it first, with the playbook certificates"
                )
                yield host.fault("certificate-ends", f"the certificate {one['name']} ({one['path']}) {when}; {cure}")


def kernels(request: Request) -> Iterator[Fault]:
    """Kernels that kubeadm's check does not list. It warns of them as well, and installs all the same."""
    if request.minor < KERNELS_SINCE:
        return
    for host in request.hosts:
        version = number(host.facts["kernel"])
        if version and version[:2] not in KERNELS and version < (6,):
            text = (
                f"kernel {host.facts['kernel']} is not among those that kubeadm {request.version} lists: "
                "5.4, 5.10, 5.15, and 6.0 or newer"
            )
            yield host.fault("kernel-unsupported", text, WARNING)


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
            text = f"node {node} cannot be drained: {advise_by_variable(reason, 'upgrade')}"
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
        least, better = request.etcd_needs(host)
        if not better or request.raises_etcd(host):
            continue
        old = number(tag.partition("-")[0]) < least
        text = (
            f"etcd runs {tag}, and {request.version} brings the next minor version, to which a member goes from "
            f"{'.'.join(map(str, least if old else better))} or newer; set upgrade_etcd_image_tag to such a tag of "
            f"{better[0]}.{better[1]} that the registry has, and it is raised to that before"
        )
        yield host.fault("etcd-too-old", text, ERROR if old else WARNING)


def external_etcd(request: Request) -> Iterator[Fault]:
    """etcd on hosts of its own: one minor version at a time, never back. The range is judged with the variables."""
    if not request.etcd:
        return
    unknown = sorted(name or "a member" for name, version in request.etcd_members.items() if not version)
    if request.etcd.get("error") or unknown or not request.etcd_members:
        why = request.etcd.get("error") or f"{listed(unknown) or 'none of them'} does not tell its version"
        yield Fault("etcd-unsupported", f"what etcd's members run is not known: {why}; repair them first")
        return
    _before, fault = version_change(request.etcd["version"], list(request.etcd_members.values()))
    if fault:
        yield Fault("etcd-unsupported", fault)


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
    coverage,
    certificates,
    kernels,
    manifests,
    objects,
    drains,
    etcd,
    external_etcd,
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
