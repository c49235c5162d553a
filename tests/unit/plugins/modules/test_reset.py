"""The module reset: what it runs, and in which order; what a host has is played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset as reset_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_paths, reset_rules
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import Pod
from ansible_collections.groundwork.kubernetes.plugins.modules import reset

Result = dict[str, Any]
MOUNT = f"{reset_paths.KUBELET}/pods/1/volumes/token"
WEB = Pod("web-id", "shop/web", running=True, host_network=False)
API = Pod("api-id", "kube-system/kube-apiserver", running=True, host_network=True)
RULES = "*filter\n:KUBE-FIREWALL - [0:0]\n-A INPUT -j KUBE-FIREWALL\nCOMMIT\n"
CRICTL = ["/bin/crictl", "--runtime-endpoint", "unix:///run/containerd/containerd.sock", "--timeout", "60s"]
CTR = ["/bin/ctr", "--address", "/run/containerd/containerd.sock"]
K8S = [*CTR, "--namespace", "k8s.io"]


@dataclass
class Host:
    """What a host has, and the programs that were run."""

    found: reset_utils.Found
    mounts: list[str]
    run_module: Callable[..., Result]
    failing: list[str] = field(default_factory=list)
    ran: list[list[str]] = field(default_factory=list)
    stdin: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def run_command(self, arguments: list[str], data: str | None = None, **_options: Any) -> tuple[int, str, str]:
        command = [str(word) for word in arguments]
        if Path(command[0]).name == "systemctl" and command[1] == "show":
            return 0, "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n", ""
        self.ran.append(command)
        self.stdin += [data] if data else []
        if any(word in self.failing for word in command):
            return 1, "", "target is busy"
        if command[0] == "umount":
            self.mounts.remove(command[1])
        answers = {"iptables-save": RULES, "list --quiet": "one\n", "list -name": "KUBE-SET\nmine\n"}
        return 0, next((text for end, text in answers.items() if " ".join(command).endswith(end)), ""), ""

    def __call__(self, **options: Any) -> Result:
        return self.run_module(reset, host="w-1", **options)


@pytest.fixture
def host(run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Host:
    """A worker with one of each."""
    file = tmp_path / "kubernetes/kubelet.conf"
    file.parent.mkdir()
    file.write_text("x")
    (rules,) = (reset_rules.removal(table, [], False) for table in reset_rules.parse(RULES))
    found = reset_utils.Found(
        early_units=["kubelet.service"],
        units=["kubernetes-pod-traffic.service"],
        pods=[WEB, API],
        mounts=[MOUNT],
        namespace=True,
        rules=[("/sbin/iptables-save", rules)],
        tables=["ip kube-proxy"],
        sets=["KUBE-SET"],
        interfaces=["lo"],
        routes=["route delete 10.244.1.0/24 proto 77"],
        paths=[str(file)],
        emptied=[str(file.parent)],
        holds=["kubelet"],
    )
    host = Host(found, [MOUNT], run_module)
    monkeypatch.setattr(reset_utils.Host, "find", lambda _self: host.found)
    monkeypatch.setattr(reset_paths, "current_mounts", lambda: list(host.mounts))
    monkeypatch.setattr(reset_paths, "read_networks", reset_paths.Networks)
    monkeypatch.setattr(reset_utils.RouteHost, "routes", lambda _self: [])
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _self, *args, **kwargs: host.run_command(*args, **kwargs))
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: host.warnings.append(text))
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_kwargs: f"/bin/{name}")
    return host


STOP = [
    ["/bin/systemctl", "disable", "--now", "kubelet.service"],
    [*CRICTL, "stopp", "web-id"],
    ["umount", MOUNT],
]


def test_stopping_leaves_what_control_planes_run(host: Host) -> None:
    """Units, pods with a network of their own, mounts; no file goes."""
    result = host(state="stopped")
    assert host.ran == STOP
    assert (result["changed"], result["row"]["before"]) == (True, "3")
    assert Path(host.found.paths[0]).exists()


def test_a_summary_comes_first(host: Host, tmp_path: Path) -> None:
    (tmp_path / "etcd" / "member").mkdir(parents=True)
    result = host(_ansible_check_mode=True, etcd_data_dir=str(tmp_path / "etcd"))
    assert result["summary"] == (
        "2 units (kubelet.service, kubernetes-pod-traffic.service), 2 pods, 1 mount, "
        "1 namespace of containerd with its images, 3 tables or sets of rules, 1 interface, 1 route, 2 paths, 1 hold"
        f"; etcd's data in {tmp_path}/etcd"
    )
    assert reset_utils.Found().summary() == "nothing of a cluster"


def test_a_table_of_many_chains_is_told_in_a_few_words(host: Host) -> None:
    text = "".join(f":KUBE-{number} - [0:0]\n" for number in range(9))
    (removal,) = (reset_rules.removal(table, [], False) for table in reset_rules.parse(f"*nat\n{text}COMMIT\n"))
    host.found = replace(host.found, rules=[("iptables-save", removal)])
    [row] = [line for line in host(_ansible_check_mode=True)["plan"] if line["subject"] == "rules"]
    assert row["before"] == (
        "iptables-save nat: chains KUBE-0, KUBE-1, KUBE-2, KUBE-3 and 5 others; 0 rules in other chains"
    )


def test_everything_goes_in_its_order(host: Host) -> None:
    """Each kind before what it is recognised by."""
    result = host()
    assert host.ran == [
        *STOP,
        [*CRICTL, "rmp", "--force", "web-id"],
        [*CRICTL, "rmp", "--force", "api-id"],
        ["/bin/systemctl", "disable", "--now", "kubernetes-pod-traffic.service"],
        [*K8S, "tasks", "list", "--quiet"],
        [*K8S, "tasks", "delete", "--force", "one"],
        [*K8S, "containers", "list", "--quiet"],
        [*K8S, "containers", "delete", "one"],
        [*K8S, "leases", "list", "--quiet"],
        [*K8S, "leases", "delete", "one"],
        [*K8S, "images", "list", "--quiet"],
        [*K8S, "images", "remove", "--sync", "one"],
        [*CTR, "namespaces", "remove", "k8s.io"],
        ["/sbin/iptables-save"],
        ["/sbin/iptables-restore", "--noflush", "--wait", "10"],
        ["/bin/nft", "delete", "table", "ip", "kube-proxy"],
        ["/bin/ipset", "list", "-name"],
        ["/bin/ipset", "destroy", "KUBE-SET"],
        ["/bin/ip", "link", "delete", "lo"],
        ["/bin/systemctl", "daemon-reload"],
        ["/bin/apt-mark", "unhold", "kubelet"],
    ]
    assert host.stdin == ["*filter\n-F KUBE-FIREWALL\n-D INPUT -j KUBE-FIREWALL\n-X KUBE-FIREWALL\nCOMMIT\n"]
    assert not Path(host.found.emptied[0]).exists()
    assert (result["changed"], result["row"]["before"], result["row"]["result"]) == (True, "14", "changed")


def test_check_mode_and_diff_show_it_and_run_nothing(host: Host) -> None:
    """Faults are told, and are no failure yet."""
    host.found = replace(host.found, faults=["/x is a mount"])
    result = host(_ansible_check_mode=True, _ansible_diff=True)
    assert host.ran == []
    assert result["faults"] == ["/x is a mount"]
    assert result["plan"][:2] == [
        {"host": "w-1", "subject": "unit", "before": "kubelet.service", "after": "stopped, disabled"},
        {"host": "w-1", "subject": "unit", "before": "kubernetes-pod-traffic.service", "after": "stopped, disabled"},
    ]
    assert f"mount {MOUNT}\n" in result["diff"]["before"]
    assert result["changed"]


@pytest.mark.parametrize("state", ["stopped", "absent"])
def test_a_clean_host_is_left_alone(host: Host, state: str) -> None:
    """The second run."""
    host.found = reset_utils.Found()
    result = host(state=state)
    assert (result["changed"], host.ran, result["row"]["result"]) == (False, [], "unchanged")


def test_faults_keep_everything(host: Host) -> None:
    """All of them are told."""
    host.found = replace(host.found, faults=["/x is a mount", "y"])
    result = host()
    assert result["msg"] == "Nothing was changed:\n/x is a mount\ny"
    assert host.ran == []


def test_a_mount_in_use_keeps_every_file(host: Host) -> None:
    """What is stopped until then can be started again."""
    host.failing = [MOUNT]
    result = host()
    assert result["failed"]
    assert f"{MOUNT} cannot be unmounted: target is busy" in result["msg"]
    assert host.ran == STOP
    assert Path(host.found.paths[0]).exists()


def test_pods_that_the_runtime_cannot_end_go_with_its_namespace(host: Host) -> None:
    """As when the network plugin asks an API that is gone; then the runtime has to look anew at what there is."""
    host.failing = ["web-id"]
    result = host()
    assert not result.get("failed")
    assert [text.partition(",")[0] for text in host.warnings] == ["The runtime could not end a pod as it should"] * 2
    assert ["/bin/systemctl", "restart", "containerd.service"] in host.ran
    host.ran.clear()
    host.mounts.append(MOUNT)
    result = host(runtime_endpoint="unix:///run/crio/crio.sock")
    assert result["failed"]
    assert not any("namespaces" in command for command in host.ran)
