"""An upgrade as it is judged and planned: hosts and cluster as data."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import ERROR
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import removals, upgrade_plan
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minor_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removals import Setting
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_faults import FAULTS, find_faults
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_request import Host, Request

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
FLAGS_ENV = "/var/lib/kubelet/kubeadm-flags.env"
DEFAULTS = "/etc/default/kubelet"
API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
CONFIG = "/var/lib/kubelet/config.yaml"


def manifest(*arguments: str) -> str:
    lines = "\n".join(f"    - {argument}" for argument in ("kube-apiserver", *arguments))
    return f"kind: Pod\nspec:\n  containers:\n  - command:\n{lines}\n"


def facts(version: str = "1.20.2", **more: Any) -> dict[str, Any]:
    plane = more.pop("plane", False)
    return {
        "joined": True,
        "control_plane": plane,
        "kubeadm": version,
        "kubelet": version,
        "files": {},
        "manifests": dict.fromkeys(COMPONENTS, version) if plane else {},
        "kernel": "6.1.0",
        "cgroup": 2,
        "certificates": [],
        "api_server": version if plane else "",
        "api_error": "",
        "drift": "",
        "deprecated": [],
        "etcd": "3.4.13-0" if plane else "",
        "kubelet_flags": ["v", "config", "node-ip"],
        "free_mb": {"/var/lib/containerd": 9000},
        **more,
    }


def node(name: str, version: str = "1.20.2", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kubelet_version": f"v{version}",
        "ready": True,
        "ready_message": "",
        "runtime": "containerd://1.6.20",
        **more,
    }


def request(version: str = "1.20.3", **more: Any) -> Request:
    hosts = {
        "cp1": facts(plane=True),
        "cp2": facts(plane=True),
        "w1": facts(),
        "w2": facts(),
        **more.pop("hosts", {}),
    }
    cluster = {
        "configuration": "kubernetesVersion: v1.20.2\n",
        "kube_proxy": "r/kube-proxy:v1.20.2",
        "nodes": [node(f"n-{name}") for name in hosts],
        "unready": {},
        "crds": [],
        "webhooks": [],
        "api_services": [],
        "backends": [],
        **more.pop("cluster", {}),
    }
    return Request(
        version,
        [Host(name, f"n-{name}", name.startswith("cp"), found) for name, found in hosts.items()],
        cluster,
        **more,
    )


def found(asked: Request, ignore: Any = ()) -> list[tuple[str, str, str]]:
    return [(fault.id, fault.host, fault.severity) for fault in find_faults(asked, list(ignore))]


# A container of another program, one that runs the API server, and one without a command: of the pod's own program.
SIDECAR = """
spec:
  containers:
  - command: [/bin/other, --logtostderr=true, --log-file=/l]
  - command: [/usr/local/bin/kube-apiserver]
    args: [--logtostderr=true]
  - args: [--log-file=/l]
  - command: [kube-scheduler, --log-dir=/l]
"""
HOOK = [{"configuration": "c", "name": "h", "policy": "Fail", "namespace": "shop", "service": "judge"}]
ASKED = [{"group": "extensions", "version": "v1beta1", "resource": "ingresses", "removed_release": "1.22"}]
OLD = {"configuration": "kubernetesVersion: v1.21.0\netcd: {local: {imageTag: 3.4.13-9}}\n"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(request(), [], id="patch"),
        pytest.param(request("1.21.0"), [], id="minor"),
        pytest.param(request("1.20.2"), [], id="nothing to do"),
        pytest.param(request("1.22.0"), [("version-skipped", "cp1"), ("version-skipped", "cp2")], id="skipped"),
        pytest.param(
            request("1.20.1"),
            [("version-older", host) for host in ("cp1", "cp1", "cp2", "cp2", "w1", "w2")],
            id="downgrade",
        ),
        pytest.param(
            request(hosts={"cp2": facts("", plane=True, api_error="it does not answer")}),
            [("version-unknown", "cp2"), ("control-plane-not-ready", "cp2")],
            id="unknown",
        ),
        pytest.param(request(left_out=["cp3"]), [("control-plane-left-out", "cp3")], id="left out"),
        pytest.param(
            request(cluster={"nodes": [node("n-cp1"), node("n-cp2"), node("n-w1", ready=False, ready_message="m")]}),
            [("node-missing", "w2"), ("node-not-ready", "w1")],
            id="nodes",
        ),
        pytest.param(
            request(cluster={"nodes": [*(node(f"n-{n}") for n in ("cp1", "cp2", "w1", "w2")), node("x", "1.18.0")]}),
            [],
            id="a kubelet two minors behind",
        ),
        pytest.param(
            request("1.21.0", cluster={"nodes": [*request().nodes.values(), node("x", "1.18.0")]}),
            [("skew-unsupported", "")],
            id="a kubelet three minors behind",
        ),
        pytest.param(
            request("1.21.0", cluster={"nodes": [*request().nodes.values(), node("x", "1.20.4")]}),
            [("skew-unsupported", "")],
            id="a kubelet newer than an API server",
        ),
        pytest.param(
            request(cluster={"nodes": [*request().nodes.values(), node("x", "1.20.3")]}), [], id="cut off before"
        ),
        pytest.param(
            request(
                "1.21.0",
                hosts={
                    "cp1": facts(
                        plane=True,
                        drift="--- a\n+++ b\n-    - --v=9\n",
                        files={API_SERVER: manifest("--feature-gates=TokenRequest=true,AllAlpha=false")},
                    ),
                    "w1": facts(files={DEFAULTS: "# --old\nKUBELET_EXTRA_ARGS='--v=1 --no-such-flag=1'\n"}),
                },
            ),
            [("setting-removed", "cp1"), ("setting-unknown", "w1"), ("manifest-edited", "cp1")],
            id="gate, flag and edit in one message",
        ),
        pytest.param(
            request(
                "1.21.0",
                variables=[Setting("kubelet", "feature-gates", "TokenRequest", "kubernetes_kubelet_configuration")],
            ),
            [("setting-removed", "")],
            id="a gate in a variable",
        ),
        pytest.param(
            request("1.22.0", hosts={"cp1": facts("1.21.0", plane=True, deprecated=ASKED)}, cluster={"nodes": []}),
            [
                ("version-skipped", "cp2"),
                *(("node-missing", host) for host in ("cp1", "cp2", "w1", "w2")),
                ("api-removed", "cp1"),
            ],
            id="an API that goes",
        ),
        pytest.param(request(cluster={"crds": [{"name": "c", "not_served": ["v1"]}]}), [("stored-version", "")]),
        pytest.param(request(cluster={"webhooks": HOOK}), [("backend-missing", "")], id="webhook"),
        pytest.param(request(cluster={"webhooks": HOOK, "backends": ["shop/judge"]}), [], id="webhook with backend"),
        pytest.param(request("1.21.0", forbidden={"n-w1": ["a bare pod"]}), [("drain-impossible", "w1")], id="drain"),
        pytest.param(request("1.21.0", cluster=OLD), [("etcd-image-set", "")], id="etcd's tag"),
        pytest.param(
            request(hosts={"w1": facts(free_mb={"/var/lib/containerd": 100})}), [("disk-full", "w1")], id="disk"
        ),
    ],
)
def test_faults(asked: Request, expected: list[tuple[str, str]]) -> None:
    assert [(name, host) for name, host, severity in found(asked) if severity == ERROR] == expected
    assert {name for name, _host, _severity in found(asked)} <= FAULTS.keys()


@pytest.mark.parametrize(
    ("running", "target", "etcd", "expected"),
    [
        ("1.33.5", "1.34.1", "3.5.21-0", [("etcd-too-old", "cp1", "error")]),
        ("1.33.9", "1.34.1", "3.5.24-0", [("etcd-too-old", "cp1", "warning")]),
        ("1.33.9", "1.34.1", "3.5.32-0", []),
        ("1.36.5", "1.37.1", "3.6.8-0", [("etcd-too-old", "cp1", "error")]),
        ("1.36.5", "1.37.1", "3.6.11-0", []),
    ],
)
def test_etcd(running: str, target: str, etcd: str, expected: list[tuple[str, str, str]]) -> None:
    cluster = {"configuration": "", "nodes": [node("n-cp1", running, runtime="containerd://2.1.0")]}
    asked = request(target, hosts={"cp1": facts(running, plane=True, etcd=etcd)}, cluster=cluster)
    alone = Request(target, asked.hosts[:1], asked.cluster)
    assert [fault for fault in found(alone) if fault[0] != "removals-unknown"] == expected


@pytest.mark.parametrize(
    ("etcd", "tag", "raised", "severity"),
    [
        ("3.6.8-0", "", False, "error"),
        ("3.6.8-0", "3.6.11-0", True, ""),
        ("3.6.8-0", "3.6.9-0", False, "error"),
        ("3.6.8-0", "3.7.0-0", False, "error"),
        ("3.6.11-0", "3.6.15-0", False, ""),
    ],
)
def test_stacked_etcd_is_raised_before(etcd: str, tag: str, raised: bool, severity: str) -> None:
    host = Host("cp1", "n-cp1", True, facts("1.36.5", plane=True, etcd=etcd))
    nodes = [node("n-cp1", "1.36.5", runtime="containerd://2.3.4")]
    asked = Request("1.37.1", [host], {**request().cluster, "configuration": "", "nodes": nodes}, etcd_tag=tag)
    assert ("etcd-too-old", "cp1", severity) in found(asked) or not severity
    steps = list(upgrade_plan.steps(asked, {}, backup=True))
    members = [(step.host, step.before, step.after) for step in steps if step.subject == "etcd"]
    assert members == ([("cp1", etcd, tag)] if raised else [])
    assert [step.subject for step in steps][:2] == ["backup", "etcd" if raised else "control plane"]


@pytest.mark.parametrize(
    ("runtime", "cgroup", "target", "files", "expected"),
    [
        ("docker://20.10.24", 2, "1.24.0", {}, ["runtime-unsupported"]),
        ("docker://20.10.24", 2, "1.23.0", {}, []),
        ("docker://20.10.24", 2, "1.24.0", {FLAGS_ENV: "--container-runtime-endpoint=unix:///run/d.sock"}, []),
        ("containerd://1.5.9", 2, "1.26.0", {}, ["runtime-unsupported"]),
        ("containerd://2.1.0", 1, "1.35.0", {}, ["cgroup-v1"]),
        ("containerd://2.1.0", 1, "1.35.0", {CONFIG: "failCgroupV1: false\n"}, []),
    ],
)
def test_machines(runtime: str, cgroup: int, target: str, files: dict[str, str], expected: list[str]) -> None:
    major, minor = target.split(".")[:2]
    before = f"{major}.{int(minor) - 1}.0"
    host = Host("cp1", "n1", True, facts(before, plane=True, cgroup=cgroup, files=files, kubelet_flags=[]))
    cluster = {**request().cluster, "nodes": [node("n1", before, runtime=runtime)]}
    assert [name for name, _host, _severity in found(Request(target, [host], cluster))] == expected


ETCD = {"version": "3.6.15", "error": "", "members": [{"name": "e1", "version": "3.6.15"}]}


@pytest.mark.parametrize(
    ("etcd", "expected"),
    [
        ({}, ""),
        (ETCD, ""),
        ({"members": [{"name": "e1", "version": "3.5.32"}]}, ""),
        ({"members": [{"name": "e1", "version": "3.4.23"}]}, "one minor version at a time: go to 3.5 first"),
        ({"members": [{"name": "e1", "version": "3.7.0"}]}, "members run 3.7.0, and etcd 3.6.15 may not be able to"),
        ({"members": [{"name": "e1", "version": ""}]}, "is not known: e1 does not tell its version"),
        ({"members": []}, "is not known: none of them does not tell its version"),
        ({"error": "connection refused"}, "is not known: connection refused; repair them first"),
    ],
)
def test_etcd_on_hosts_of_its_own(etcd: dict[str, Any], expected: str) -> None:
    found = find_faults(request(etcd={**ETCD, **etcd} if etcd else {}), [])
    assert [fault.id for fault in found] == (["etcd-unsupported"] if expected else [])
    assert all(expected in fault.text for fault in found)


def test_etcd_goes_first_and_alone() -> None:
    etcd = {**ETCD, "members": [{"name": "e1", "version": "3.5.32"}, {"name": "e2", "version": "3.6.15"}]}
    steps = list(upgrade_plan.steps(request(etcd=etcd), {}, backup=True))
    assert [(step.host, step.subject, step.before, step.after) for step in steps[:3]] == [
        ("cp1", "backup", "", "proven"),
        ("e1", "etcd", "3.5.32", "3.6.15"),
        ("cp1", "control plane", "1.20.2", "1.20.3"),
    ]


@pytest.mark.parametrize(
    ("version", "runtime", "restarts", "text"),
    [
        ("1.20.3", "1.6.20", ("kubelet",), ""),
        ("1.20.3", "1.7.34", ("containerd", "kubelet"), "containerd 1.6.20 becomes 1.7.34"),
        # Another sandbox image is in containerd's configuration.
        ("1.21.0", "1.6.20", ("containerd", "kubelet"), ""),
        ("1.21.0", "", ("kubelet",), ""),
    ],
)
def test_the_runtime_goes_with_the_kubelet(version: str, runtime: str, restarts: tuple[str, ...], text: str) -> None:
    steps = list(upgrade_plan.steps(request(version, runtime=runtime), {}, backup=False))
    assert [(step.restarts, step.disrupts) for step in steps if step.host == "w1"] == [(restarts, text)]


def test_what_is_ignored_is_a_warning_and_an_unknown_name_is_refused() -> None:
    asked = request(hosts={"w1": facts(free_mb={"/var/lib/containerd": 1})})
    assert found(asked, ["disk-full", "disc-full"]) == [("disk-full", "w1", "warning"), ("unknown-ignore", "", "error")]


@pytest.mark.parametrize(
    ("path", "text", "target", "keep", "expected"),
    [
        (DEFAULTS, "KUBELET_EXTRA_ARGS=--network-plugin=cni", "1.24.0", [], ["--network-plugin"]),
        (DEFAULTS, "KUBELET_EXTRA_ARGS=--network-plugin=cni", "1.23.9", [], []),
        (DEFAULTS, "#KUBELET_EXTRA_ARGS=--network-plugin=cni", "1.24.0", [], []),
        (
            DEFAULTS,
            'KUBELET_EXTRA_ARGS="--feature-gates IPv6DualStack=true"',
            "1.25.0",
            [],
            ["feature gate IPv6DualStack"],
        ),
        (FLAGS_ENV, 'KUBELET_KUBEADM_ARGS="--pod-infra-container-image=p"', "1.35.0", [], []),
        (
            *(FLAGS_ENV, 'KUBELET_KUBEADM_ARGS="--pod-infra-container-image=p"', "1.35.0"),
            *(["pod-infra-container-image"], ["--pod-infra-container-image"]),
        ),
        (CONFIG, "featureGates: {IPv6DualStack: true}\n", "1.25.0", [], ["feature gate IPv6DualStack"]),
        (
            *(
                API_SERVER,
                manifest("--enable-admission-plugins=NodeRestriction,PodSecurityPolicy", "--insecure-port=0"),
            ),
            *("1.25.0", [], ["admission plugin PodSecurityPolicy", "--insecure-port"]),
        ),
        # Kept by the API server until 1.32.
        (API_SERVER, manifest("--cloud-provider=external", "--cloud-config="), "1.32.9", [], []),
        (API_SERVER, manifest("--cloud-provider=external"), "1.33.0", [], ["--cloud-provider"]),
        (API_SERVER, manifest("--enable-admission-plugins=PersistentVolumeLabel"), "1.30.0", [], []),
        # A flag of all components, in both ways of writing; other programs' flags are not known.
        (API_SERVER, manifest("--logtostderr=true", "--log_dir=/l"), "1.26.0", [], ["--logtostderr", "--log_dir"]),
        (API_SERVER, manifest("--logtostderr=true"), "1.25.9", [], []),
        (API_SERVER.replace("kube-apiserver", "proxy"), SIDECAR, "1.26.0", [], ["--logtostderr", "--log-dir"]),
        (DEFAULTS, "KUBELET_EXTRA_ARGS=--v=2 --logtostderr", "1.26.0", [], ["--logtostderr"]),
        (CONFIG, "featureGates: {TokenRequest: true}\n", "1.21.0", [], ["feature gate TokenRequest"]),
        (CONFIG, "featureGates: {KMSv2: true}\n", "1.31.9", [], []),
        (CONFIG, "featureGates: {KMSv2: true}\n", "1.32.0", [], ["feature gate KMSv2"]),
    ],
)
def test_what_goes(path: str, text: str, target: str, keep: list[str], expected: list[str]) -> None:
    settings = list(removals.settings_of({path: text}))
    assert [what for _setting, what, _since in removals.losses(settings, target, keep)] == expected


@pytest.mark.parametrize(
    ("component", "name", "value", "target", "expected"),
    [
        ("kubelet", "feature-gates", "MemoryManager=true", "1.20.3", [("feature gate MemoryManager", "")]),
        ("kubelet", "feature-gates", "MemoryManager=true,AllAlpha=false", "1.21.0", []),
        # Gone and so told elsewhere.
        ("kubelet", "feature-gates", "MemoryManager=true", "1.36.0", []),
        (
            *("kube-apiserver", "feature-gates", "EphemeralContainer=true", "1.20.3"),
            [("feature gate EphemeralContainer", "did you mean EphemeralContainers?")],
        ),
        (
            *("kube-apiserver", "enable-admission-plugins", "NodeRestriction,NoSuchPlugin,", "1.36.0"),
            [("admission plugin NoSuchPlugin", "")],
        ),
        ("kube-apiserver", "disable-admission-plugins", "PodSecurity", "1.22.0", []),
        # What lies beyond the data is not judged, nor are other programs' gates.
        ("kube-apiserver", "feature-gates", "NoSuchGate=true", "1.37.0", []),
        ("etcd", "feature-gates", "InitialCorruptCheck=true", "1.36.0", []),
        ("kube-apiserver", "v", "2", "1.20.3", []),
    ],
)
def test_what_was_never_there(
    component: str, name: str, value: str, target: str, expected: list[tuple[str, str]]
) -> None:
    setting = Setting(component, name, value, "x")
    assert [(what, meant) for _setting, what, meant in removals.unknown([setting], target)] == expected


@pytest.mark.parametrize("table", ["gates", "admission_plugins"])
def test_what_is_gone_was_known_before(table: str) -> None:
    first = {name: since for since, names in removals.data()[f"known_{table}"].items() for name in names}
    assert sum(map(len, removals.data()[f"known_{table}"].values())) == len(first)
    gone = removals.removed(removals.data()[table], "1.36.0")
    assert [name for name, since in gone.items() if minor_of(first[name]) > minor_of(since)] == []


@pytest.mark.parametrize(
    "arguments",
    ["{no-such: a, enable-admission-plugins: NoSuchPlugin}", "[{name: enable-admission-plugins, value: NoSuchPlugin}]"],
    ids=["v1beta3", "v1beta4"],
)
def test_what_kubeadm_is_going_to_write(arguments: str) -> None:
    configuration = f"kubernetesVersion: v1.20.2\napiServer: {{extraArgs: {arguments}}}\n"
    (fault,) = find_faults(request(cluster={"configuration": configuration}), [])
    assert (fault.id, fault.host) == ("setting-unknown", "")
    assert fault.text.startswith("the ConfigMap kubeadm-config in kube-system: admission plugin NoSuchPlugin is none")


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        ({"left": 25 * 3600}, ""),
        ({"left": 3600}, "ends in 1.0 hours; renew it first, with the playbook certificates"),
        ({"left": -1}, "has ended; renew it first, with the playbook certificates"),
        ({"left": -1, "kind": "authority"}, "has ended; replace the authority first"),
        # What cannot be read is not gone.
        ({"left": -1, "error": "no permission"}, ""),
    ],
)
def test_certificates(certificate: dict[str, Any], expected: str) -> None:
    one = {"name": "apiserver", "path": "/p", "kind": "leaf", "error": "", **certificate}
    found = find_faults(request(hosts={"w1": facts(certificates=[one])}), [])
    texts = [f"the certificate apiserver (/p) {expected}"] if expected else []
    assert [(fault.id, fault.host, fault.text) for fault in found] == [
        ("certificate-ends", "w1", text) for text in texts
    ]


@pytest.mark.parametrize(
    ("kernel", "target", "expected"),
    [
        ("5.15.0-91-generic", "1.36.0", []),
        ("6.18.0", "1.36.0", []),
        ("5.14.0-503.el9.x86_64", "1.36.0", ["kernel-unsupported"]),
        ("5.14.0-503.el9.x86_64", "1.35.0", []),
    ],
)
def test_kernels(kernel: str, target: str, expected: list[str]) -> None:
    host = Host("cp1", "n1", True, facts(target, plane=True, kernel=kernel, kubelet_flags=[]))
    nodes = [node("n1", target, runtime="containerd://2.3.4")]
    cluster = {**request().cluster, "configuration": "", "nodes": nodes}
    asked = Request(target, [host], cluster)
    assert found(asked) == [(name, "cp1", "warning") for name in expected]


def test_a_target_beyond_the_list_of_removals_is_told() -> None:
    host = Host("cp1", "n1", True, facts("1.36.5", plane=True, kubelet_flags=[]))
    cluster = {**request().cluster, "configuration": "", "nodes": [node("n1", "1.36.5", runtime="containerd://2.3.4")]}
    assert found(Request("1.37.2", [host], cluster)) == [("removals-unknown", "", "warning")]


@pytest.mark.parametrize(
    "tables",
    [
        ["gates"],
        ["kubeadm_gates"],
        ["admission_plugins"],
        *(
            ["common_flags", name]
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
        ),
    ],
    ids=lambda tables: tables[-1],
)
def test_each_is_listed_once(tables: list[str]) -> None:
    found = {**removals.data(), **removals.data()["flags"]}
    names = [name for table in tables for listed in found[table].values() for name in listed]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (
            request(),
            [
                ("cp1", "backup", ""),
                ("cp1", "control plane", "1.20.2"),
                ("cp2", "control plane", "1.20.2"),
                ("all nodes", "kube-proxy", "1.20.2"),
                *((host, "kubelet", "1.20.2") for host in ("cp1", "cp2", "w1", "w2")),
            ],
        ),
        (
            # Cut off after the second control plane's API server: it leads, and the rest is still to be done.
            request(
                hosts={
                    "cp2": facts(
                        plane=True, manifests={**dict.fromkeys(COMPONENTS, "1.20.2"), "kube-apiserver": "1.20.3"}
                    )
                }
            ),
            [
                ("cp2", "backup", ""),
                ("cp2", "control plane", "1.20.2, 1.20.3"),
                ("cp1", "control plane", "1.20.2"),
                ("all nodes", "kube-proxy", "1.20.2"),
                *((host, "kubelet", "1.20.2") for host in ("cp1", "cp2", "w1", "w2")),
            ],
        ),
        (
            # Only a worker is left.
            request(
                hosts={name: facts("1.20.3", plane=name != "w1") for name in ("cp1", "cp2", "w1")},
                cluster={
                    "configuration": "kubernetesVersion: v1.20.3\n",
                    "kube_proxy": "r/kube-proxy:v1.20.3",
                    "nodes": [*(node(f"n-{name}", "1.20.3") for name in ("cp1", "cp2", "w1")), node("n-w2")],
                },
            ),
            [("w2", "kubelet", "1.20.2")],
        ),
    ],
)
def test_plan(asked: Request, expected: list[tuple[str, str, str]]) -> None:
    steps = list(upgrade_plan.steps(asked, {}, backup=True))
    assert [(step.host, step.subject, step.before) for step in steps] == expected


@pytest.mark.parametrize(
    ("batch", "expected"),
    [("1", [["w1"], ["w2"]]), ("50%", [["w1"], ["w2"]]), ("100%", [["w1", "w2"]]), ("7", [["w1", "w2"]])],
)
def test_batches(batch: str, expected: list[list[str]]) -> None:
    size = upgrade_plan.batch_size(batch, 2)
    assert upgrade_plan.batches(request(), size) == [["cp1"], ["cp2"], *expected]
    assert upgrade_plan.batches(request("1.20.2", purposes={"n-w2": "upgrade"}), size) == [["w2"]]


def test_nodes_that_are_cordoned_already_come_first() -> None:
    asked = request(purposes={"n-w2": "upgrade", "n-cp2": "upgrade"})
    assert upgrade_plan.batches(asked, 1) == [["cp2"], ["cp1"], ["w2"], ["w1"]]
    kubelets = [step.host for step in upgrade_plan.steps(asked, {}, backup=False) if step.subject == "kubelet"]
    assert kubelets == ["cp2", "cp1", "w2", "w1"]


@pytest.mark.parametrize("batch", ["0", "", "%", "101%", "two", "-1"])
def test_a_batch_that_is_none(batch: str) -> None:
    with pytest.raises(ValueError, match="upgrade_batch"):
        upgrade_plan.batch_size(batch, 3)


def test_a_cordon_of_an_upgrade_is_lifted_and_what_a_drain_evicts_is_told() -> None:
    asked = request("1.20.2", purposes={"n-w1": "upgrade", "n-w2": "drain"}, drains=True)
    (step,) = [
        step for step in upgrade_plan.steps(asked, {"n-w1": ["shop/cart"]}, backup=False) if step.subject == "kubelet"
    ]
    assert (step.host, step.before, step.restarts, step.evicts) == ("w1", "1.20.2, cordoned", (), ("shop/cart",))
