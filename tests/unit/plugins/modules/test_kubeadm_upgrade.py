"""The module kubeadm_upgrade on a host that is a folder: real manifests; kubeadm, kubelet and kubectl are played."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm, rollback, upgrade
from ansible_collections.groundwork.kubernetes.plugins.modules import kubeadm_upgrade

Result = dict[str, Any]
OLD, NEW = "1.20.2", "1.20.3"
TIMEOUT = ["/bin/timeout", "--kill-after=30"]
PLAN, APPLY, NODE = (
    ["upgrade", "plan", "v1.20.3"],
    ["upgrade", "apply", "v1.20.3", "--yes"],
    ["upgrade", "node"],
)
FILES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


@dataclass
class Host:
    """A folder in the place of /etc/kubernetes, and a cluster."""

    folder: Path
    run_module: Callable[..., Result]
    stored: str = OLD
    proxy: str = OLD
    kubelet: str = OLD
    api: str = NEW
    fails: str = ""
    does: bool = True
    without: str = ""
    others: list[str] = field(default_factory=list)
    ran: list[list[str]] = field(default_factory=list)
    limits: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def manifest(self, name: str) -> Path:
        return self.folder / "manifests" / f"{name}.yaml"

    def plane(self, version: str = OLD) -> None:
        self.manifest("x").parent.mkdir(exist_ok=True)
        for name in FILES:
            self.manifest(name).write_text(f"spec:\n  containers:\n  - image: r/{name}:v{version}\n")

    def kubectl(self, arguments: list[str]) -> tuple[int, str, str]:
        text = " ".join(arguments)
        if "--raw=/version" in text:
            return 0, json.dumps({"gitVersion": f"v{self.api}"}), ""
        if "--raw=/readyz" in text:
            return 0, "ok", ""
        if "configmap kubeadm-config" in text:
            return 0, json.dumps({"data": {"ClusterConfiguration": f"a: 1\nkubernetesVersion: v{self.stored}\n"}}), ""
        if "daemonset kube-proxy" in text:
            pod = {"spec": {"containers": [{"image": f"r/kube-proxy:v{self.proxy}"}]}}
            return 0, json.dumps({"spec": {"template": pod}}), ""
        if self.without and f"configmap {self.without}" in text:
            return 1, "", "Error from server (NotFound): none"
        return 0, json.dumps(self.api_servers() if "selector=component=kube-apiserver" in text else {}), ""

    def api_servers(self) -> dict[str, Any]:
        own = upgrade.manifest_versions(str(self.folder))["kube-apiserver"]
        images = [f"r/kube-apiserver:v{version}" for version in (own, *self.others)]
        return {"items": [{"spec": {"containers": [{"name": "kube-apiserver", "image": image}]}} for image in images]}

    def run_command(self, arguments: list[str], **_options: Any) -> tuple[int, str, str]:
        if arguments[0] == "/bin/kubectl":
            return self.kubectl(arguments)
        if arguments[0] == "/bin/kubelet":
            return 0, f"Kubernetes v{self.kubelet}\n", ""
        assert arguments[:2] == TIMEOUT
        assert arguments[3] == "/bin/kubeadm"
        self.limits.append(arguments[2])
        self.ran.append(arguments[4:])
        if arguments[5] == "plan":
            return 0, "You can now apply\n", ""
        if self.fails:
            return 1, "", self.fails
        if self.does:
            self.stored = NEW
            if upgrade.ADDONS_LAST > (1, 20) or all(version == NEW for version in self.others):
                self.proxy = NEW
            if self.manifest(FILES[0]).exists():
                self.plane(NEW)
        return 0, "", ""

    def __call__(self, command: str, version: str = NEW, **options: Any) -> Result:
        self.ran.clear()
        return self.run_module(kubeadm_upgrade, version=version, command=command, **options)


@pytest.fixture
def host(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path / "kubernetes", run_module)
    host.folder.mkdir()
    monkeypatch.setattr(kubeadm, "FOLDER", str(host.folder))
    monkeypatch.setattr(kubeadm, "PROCESSES", str(tmp_path / "proc"))
    monkeypatch.setattr(kubeadm, "STAMP", str(tmp_path / "kubeadm.json"))
    monkeypatch.setattr(rollback, "KUBELET_FOLDER", str(tmp_path))
    monkeypatch.setattr(upgrade, "READY_WAIT", 0)
    monkeypatch.setattr(upgrade, "READY_PAUSE", 0)
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text, **_options: host.warnings.append(text))
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda _self, name, *_args, **_options: f"/bin/{name}")
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *args, **options: host.run_command(*args, **options)
    )
    return host


def test_apply_and_again(host: Host) -> None:
    host.plane()
    result = host("apply", ignore_preflight_errors=["NumCPU", "ImagePull"])
    ignored = "--ignore-preflight-errors=NumCPU,ImagePull"
    assert (result["changed"], result["due"]) == (True, [*FILES, "kubeadm-config", "kube-proxy"])
    assert (result["plan"], host.ran) == (["You can now apply"], [[*PLAN, ignored], [*APPLY, ignored]])
    again = host("apply")
    assert (again["changed"], again["due"], host.ran) == (False, [], [])


def test_check_mode(host: Host) -> None:
    host.plane()
    result = host("apply", _ansible_check_mode=True)
    assert (result["changed"], host.ran) == (True, [])


@pytest.mark.parametrize(
    ("manifests", "kubelet", "due"),
    [
        (OLD, OLD, [*FILES, "kubelet configuration"]),
        (NEW, OLD, ["kubelet configuration"]),
        (NEW, NEW, []),
        ("", OLD, ["kubelet configuration"]),
        ("", NEW, []),
    ],
    ids=["control plane", "cut off", "done", "worker", "worker done"],
)
def test_node(host: Host, manifests: str, kubelet: str, due: list[str]) -> None:
    host.kubelet = kubelet
    if manifests:
        host.plane(manifests)
    result = host("node")
    assert (result["changed"], result["due"], host.ran) == (bool(due), due, [NODE] if due else [])


@pytest.fixture
def late(host: Host, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Whose kubeadm upgrades add-ons with the last control plane."""
    monkeypatch.setattr(upgrade, "ADDONS_LAST", (1, 20))
    return host


@pytest.mark.parametrize(
    ("command", "manifests", "others", "due"),
    [
        # As kubeadm does from 1.28 on: it waits for the last control plane.
        ("apply", OLD, [OLD, OLD], [*FILES, "kubeadm-config"]),
        ("apply", OLD, [], [*FILES, "kubeadm-config", "kube-proxy"]),
        ("node", OLD, [NEW, OLD], [*FILES]),
        ("node", OLD, [NEW, NEW], [*FILES, "kube-proxy"]),
        # It was cut off before.
        ("node", NEW, [NEW, NEW], ["kube-proxy"]),
        ("apply", NEW, [NEW, NEW], ["kubeadm-config", "kube-proxy"]),
        ("node", NEW, [OLD, NEW], []),
    ],
)
def test_add_ons_come_with_the_last_control_plane(
    late: Host, command: str, manifests: str, others: list[str], due: list[str]
) -> None:
    late.plane(manifests)
    late.others, late.kubelet = others, NEW
    result = late(command)
    assert (result.get("msg"), result["due"]) == (None, due)
    assert late.proxy == (NEW if "kube-proxy" in due else OLD)
    assert late(command)["due"] == []


def test_an_add_on_that_does_not_come_with_the_last_control_plane(late: Host) -> None:
    late.plane(NEW)
    late.others, late.kubelet, late.does = [NEW], NEW, False
    assert "ended well, and this is not at 1.20.3: kube-proxy" in late("node")["msg"]


@pytest.mark.parametrize(("asked", "limit"), [(60, "2400"), (3600, "3600")])
def test_it_is_never_stopped_before_it_gives_up_itself(host: Host, asked: int, limit: str) -> None:
    host("node", timeout=asked)
    assert host.limits == [limit]


def test_a_failure_has_the_last_lines_of_containers(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.plane()
    host.fails = "[upgrade/apply] FATAL: couldn't upgrade control plane: timed out waiting for the condition\n"
    monkeypatch.setattr(upgrade.StaticPod, "hopeless", lambda pod: "it has ended 4 times" * (pod.program == "etcd"))
    monkeypatch.setattr(upgrade.StaticPod, "log", lambda _pod: ["unknown flag: --no"])
    result = host("apply")
    assert result["failed"]
    assert "timed out waiting" in result["msg"]
    assert result["msg"].endswith("etcd: it has ended 4 times. Its last lines:\nunknown flag: --no")


def test_success_that_is_none(host: Host) -> None:
    host.plane()
    host.does = False
    result = host("apply")
    assert result["failed"]
    assert "ended well, and this is not at 1.20.3: kube-apiserver 1.20.2" in result["msg"]


def test_an_api_server_that_stays_old(host: Host) -> None:
    host.plane()
    host.api = OLD
    assert "is not at 1.20.3 after 0 s: it runs v1.20.2" in host("apply")["msg"]


def test_what_kubeadm_takes_for_running_is_taken_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.plane()
    host.api = OLD

    def look(watch: upgrade.ExitWatch) -> None:
        # kubeadm has moved the former manifests there.
        for name in FILES:
            copy = host.folder / "tmp" / "kubeadm-backup-manifests-2026" / f"{name}.yaml"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(f"former {name}")
        watch.said["kube-apiserver"] = ["kube-apiserver: it has ended 4 times. Its last lines:", "unknown plugin"]

    monkeypatch.setattr(upgrade.ExitWatch, "look", look)
    message = host("apply")["msg"]
    assert message.endswith(
        f"unknown plugin\nThe former manifests were put back from {host.folder}/tmp/kubeadm-backup-manifests-2026. "
        "The API server of this host is ready, as before."
    )
    assert [host.manifest(name).read_text() for name in FILES] == [f"former {name}" for name in FILES]


@pytest.mark.parametrize("api", [NEW, OLD], ids=["proven", "not proven"])
def test_copies_of_etcd_go_once_an_upgrade_is_proven(host: Host, api: str) -> None:
    host.plane()
    host.api = api
    copies = [host.folder / "tmp" / f"kubeadm-backup-etcd-2026-11-2{number}" for number in (7, 8)]
    manifests = host.folder / "tmp" / "kubeadm-backup-manifests-2026-11-27"
    elsewhere = host.folder / "tmp" / "kubeadm-backup-etcd-elsewhere"
    for folder in (*copies, manifests):
        folder.mkdir(parents=True)
        (folder / "db").write_text("data")
    elsewhere.symlink_to(manifests)
    result = host("apply")
    assert result.get("removed") == ([str(folder) for folder in copies] if api == NEW else None)
    left = [elsewhere.name, manifests.name, *(folder.name for folder in copies if api == OLD)]
    assert sorted(path.name for path in (host.folder / "tmp").iterdir()) == sorted(left)
    assert (manifests / "db").exists()


def test_copies_of_an_earlier_upgrade_are_left(host: Host) -> None:
    host.plane()
    host.api = OLD
    copy = host.folder / "tmp" / "kubeadm-backup-manifests-2025" / f"{FILES[0]}.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text("older")
    os.utime(copy.parent, (1, 1))
    message = host("apply")["msg"]
    assert "put back" not in message
    assert message.endswith("\nThe API server of this host is ready, as before.")


@pytest.mark.parametrize(("tries", "said"), [(3, "is ready, as before."), (99, "is not ready 5 s after it.")])
def test_what_kubeadm_has_taken_back_itself_is_waited_for(
    host: Host, monkeypatch: pytest.MonkeyPatch, tries: int, said: str
) -> None:
    """kubeadm ends when the former manifests are there again, and the kubelet needs a while to start them."""
    host.plane()
    host.api = OLD
    asked = itertools.count()
    clock = itertools.count(step=0.1)
    monkeypatch.setattr(upgrade, "READY_WAIT", 5)
    monkeypatch.setattr(upgrade.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(upgrade.OwnApi, "ready", lambda _self: next(asked) >= tries)
    assert host("apply")["msg"].endswith(f"\nThe API server of this host {said}")


def test_a_manifest_that_was_moved_away_is_put_back(host: Host) -> None:
    host.plane(NEW)
    path = host.manifest("kube-scheduler")
    for number, text in enumerate(("image: r/kube-scheduler:v1.19.0\n", path.read_text())):
        copy = host.folder / "tmp" / f"kubeadm-backup-manifests-{number}" / path.name
        copy.parent.mkdir(parents=True)
        copy.write_text(text)
        os.utime(copy, (number, number))
    path.unlink()
    result = host("node")
    assert result["changed"]
    assert path.read_text().endswith(f"v{NEW}\n")
    assert len(host.warnings) == 1


def test_addons_that_are_not_there_are_left_out(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "PHASES_SINCE", (1, 20))
    host.plane()
    host.without = "kube-proxy"
    host("apply")
    assert host.ran[1] == [*APPLY, "--skip-phases=addon/kube-proxy"]
    host.plane()
    host("node")
    assert host.ran == [[*NODE, "--skip-phases=addon/kube-proxy"]]


def test_patches_are_kept(host: Host) -> None:
    folder = host.folder / "patches"
    folder.mkdir()
    Path(kubeadm.STAMP).write_text(json.dumps([{"kind": "InitConfiguration", "patches": {"directory": str(folder)}}]))
    host("node")
    assert host.ran == [[*NODE, f"--patches={folder}"]]


def test_what_was_applied_is_damaged(host: Host) -> None:
    Path(kubeadm.STAMP).write_text("")
    result = host("node")
    assert (result["failed"], "is damaged" in result["msg"], host.ran) == (True, True, [])


def test_what_kubeadm_leaves_is_brought_up_to_date(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.plane()
    path = host.folder / "scheduler.conf"
    monkeypatch.setattr(upgrade, "foreign_kubeconfigs", lambda _folder: {str(path): "own"})
    monkeypatch.setattr(upgrade, "old_etcd_certificates", lambda _folder: ["etcd-server", "etcd-peer"])
    host("node")
    assert host.ran == [NODE, ["certs", "renew", "etcd-server"], ["certs", "renew", "etcd-peer"]]
    assert (path.read_text(), path.stat().st_mode & 0o777, len(host.warnings)) == ("own", 0o600, 1)


def test_a_kubeadm_of_an_earlier_run_is_waited_for(host: Host, tmp_path: Path) -> None:
    process = tmp_path / "proc" / "7"
    process.mkdir(parents=True)
    (process / "comm").write_text("kubeadm\n")
    assert "is still at work after 0 seconds" in host("node", timeout=0)["msg"]
