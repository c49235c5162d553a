"""The module hardening_info on a host of files: processes, their arguments and what they read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import kubectl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import hardening_host
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening_host import parse_arguments
from ansible_collections.groundwork.kubernetes.plugins.modules import hardening_info

Run = Callable[..., dict[str, Any]]
KEY = "c2VjcmV0LXNlY3JldA=="
# Prints the JSON that the named file holds, as kubectl would print the file's YAML.
KUBECTL = """#!/bin/sh
for word in "$@"; do case $word in --filename=*) exec cat "${word#--filename=}";; esac; done
exit 1
"""


class Host:
    """A host whose root is a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "proc").mkdir()
        (root / "proc" / "self").mkdir()

    def write(self, path: str, content: Any = "", mode: int = 0o600) -> None:
        """A file, its content as JSON if it is none as it is."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content if isinstance(content, str) else json.dumps(content))
        place.chmod(mode)

    def start(self, number: int, *words: str, environment: str = "", cgroup: str = "/kubepods/pod1") -> None:
        """A process."""
        folder = f"/proc/{number}"
        self.write(f"{folder}/cmdline", "\0".join(words) + "\0")
        self.write(f"{folder}/environ", environment)
        self.write(f"{folder}/cgroup", f"0::{cgroup}\n")
        (self.root / f"proc/{number}/root").symlink_to(self.root)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(hardening_info, "ROOT", str(tmp_path / "root"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubectl").write_text(KUBECTL)
    (tmp_path / "bin" / "kubectl").chmod(0o755)
    for module in (kubectl, hardening_info):
        monkeypatch.setattr(module, "BINARY_FOLDERS", [str(tmp_path / "bin")])
    # Whoever runs the test is root here.
    monkeypatch.setattr(hardening_host, "_owner", lambda _state: "root:root")
    (tmp_path / "root").mkdir()
    return Host(tmp_path / "root")


def by_number(result: dict[str, Any]) -> dict[str, tuple[str, bool, str]]:
    assert result["changed"] is False
    return {item["number"]: (item["result"], item["promised"], item["detail"]) for item in result["found"]}


def test_a_control_plane(run_module: Run, host: Host) -> None:
    providers = {"resources": [{"resources": ["secrets"], "providers": [{"secretbox": {"keys": [{"secret": KEY}]}}]}]}
    host.write("/etc/kubernetes/encryption/config-1.yaml", providers)
    pod_security = {"name": "PodSecurity", "configuration": {"defaults": {"enforce": "restricted"}}}
    host.write("/etc/kubernetes/admission/config-1.yaml", {"plugins": [pod_security]})
    host.write("/etc/kubernetes/manifests/kube-apiserver.yaml")
    host.write("/etc/kubernetes/pki/ca.crt", mode=0o644)
    host.write("/etc/kubernetes/pki/etcd/ca.key")
    host.start(
        12,
        "kube-apiserver",
        "--profiling=false",
        "--encryption-provider-config=/etc/kubernetes/encryption/config-1.yaml",
        "--admission-control-config-file=/etc/kubernetes/admission/config-1.yaml",
        "--audit_log_maxage=7",
    )
    host.start(13, "/usr/bin/not-kube-scheduler", "--profiling=true")
    wanted = {
        "arguments": {
            "kube-apiserver": [{"name": "profiling", "value": "false"}, {"name": "audit-log-maxage", "value": 30}]
        },
        "encryption_provider": "secretbox",
        "private_files": True,
    }
    result = run_module(hardening_info, parts=["control_plane"], wanted=wanted)
    assert KEY not in json.dumps(result)
    found = by_number(result)
    assert found["1.2.15"] == ("passed", True, "--profiling=false")
    assert found["1.2.17"] == ("failed", True, "--audit-log-maxage is less than 30: 7")
    assert found["1.2.28"] == ("passed", True, "provider=secretbox")
    assert found["5.2.7"] == ("passed", False, "enforce=restricted")
    assert found["1.2.16"] == ("failed", False, "--audit-log-path is not set")
    assert found["1.4.1"] == ("unknown", False, "no process kube-scheduler")
    assert found["1.4.2"] == ("unknown", True, "no process kube-scheduler")
    assert found["1.1.1"] == ("passed", True, "mode 0600")
    assert found["1.1.3"] == ("none", True, "there is none")
    assert found["1.1.20"] == ("failed", True, "/etc/kubernetes/pki/ca.crt: mode 0644")
    assert found["1.1.21"] == ("passed", True, "mode 0600")
    assert not any(number.startswith(("4.", "2.1")) for number in found)
    # It reads, so check mode tells the same.
    assert (
        by_number(run_module(hardening_info, parts=["control_plane"], wanted=wanted, _ansible_check_mode=True)) == found
    )


def test_a_worker(run_module: Run, host: Host) -> None:
    host.write("/var/lib/kubelet/config.yaml", {"podPidsLimit": 4096, "readOnlyPort": 10255}, mode=0o644)
    host.write("/var/lib/kube-proxy/config.conf", {"metricsBindAddress": "0.0.0.0:10249"})
    host.write("/etc/systemd/system/kubelet.service")
    host.write("/etc/systemd/system/kubelet.service.d/10-kubeadm.conf", mode=0o644)
    host.write("/etc/cni/net.d/10-bridge.conflist")
    kubelet = ("/usr/local/bin/kubelet", "--config=/var/lib/kubelet/config.yaml", "--read-only-port", "0", "--v=2")
    host.start(20, *kubelet, cgroup="/system.slice/kubelet.service")
    host.start(21, "/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf")
    wanted = {"kubelet": {"podPidsLimit": 4096}, "private_files": True, "private_cni": True}
    found = by_number(run_module(hardening_info, parts=["node"], wanted=wanted))
    assert found["4.2.13"] == ("passed", True, "podPidsLimit=4096")
    assert found["4.2.4"] == ("passed", False, "--read-only-port=0")
    assert found["4.1.1"] == ("failed", True, "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf: mode 0644")
    assert found["4.1.9"] == ("failed", True, "/var/lib/kubelet/config.yaml: mode 0644")
    assert found["4.3.1"] == ("failed", True, "metricsBindAddress is not 127.0.0.1: 0.0.0.0:10249")
    assert found["1.1.9"] == ("passed", True, "mode 0600")
    assert "1.2.1" not in found


def test_members_of_etcd(run_module: Run, host: Host) -> None:
    """Settings come from the environment and from arguments; a backup's trial is no member."""
    settings = "HOME=/\0ETCD_CLIENT_CERT_AUTH=true\0ETCD_AUTO_TLS=true\0ETCD_DATA_DIR=/data\0"
    host.start(30, "/usr/local/bin/etcd", environment=settings, cgroup="/system.slice/etcd.service")
    host.start(31, "etcd", "--name=trial", cgroup="/system.slice/groundwork-backup.service")
    (host.root / "data").mkdir(mode=0o700)
    found = by_number(run_module(hardening_info, parts=["etcd"]))
    assert found["2.2"] == ("passed", True, "--client-cert-auth=true")
    assert found["2.3"] == ("failed", True, "--auto-tls is not false: true")
    assert found["2.5"] == ("failed", True, "--peer-client-cert-auth is not set")
    assert found["1.1.11"] == ("passed", False, "mode 0700")


@pytest.mark.usefixtures("host")
def test_an_empty_host(run_module: Run) -> None:
    found = by_number(run_module(hardening_info, parts=["control_plane", "node", "etcd"], _ansible_check_mode=True))
    assert {result for result, _promised, _detail in found.values()} == {"none", "unknown"}


def test_settings_that_cannot_be_read_are_not_known(run_module: Run, host: Host) -> None:
    host.write("/var/lib/kubelet/config.yaml", "- no mapping")
    host.start(20, "kubelet", "--config=/var/lib/kubelet/config.yaml", cgroup="/system.slice/kubelet.service")
    found = by_number(run_module(hardening_info, parts=["node"]))
    assert found["4.2.1"] == ("unknown", True, "the configuration of kubelet cannot be read")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["--a=1", "--b-c=x=y", "-v=2"], {"a": "1", "b-c": "x=y", "v": "2"}),
        (["--a", "1", "--b", "--c_d", "2", "rest"], {"a": "1", "b": "true", "c-d": "2"}),
        (["--a=1", "--a=2", "--z"], {"a": "2", "z": "true"}),
    ],
)
def test_arguments(words: list[str], expected: dict[str, str]) -> None:
    assert parse_arguments(words) == expected
