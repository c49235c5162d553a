"""The module bridge_nf on hosts made of files below a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import sysctl
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bridge_nf import MODULES_FILE, is_due
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.bridge_nf import (
    SYSCTL_FILE as OWN_SYSCTL_FILE,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import bridge_nf

Run = Callable[..., dict[str, Any]]
KEYS = ["net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"]
HEADER = "# Written by groundwork.kubernetes.bridge_nf; changes made here are lost.\n"
SYSCTL_FILE = HEADER + "".join(f"{key} = 1\n" for key in KEYS)


class Host:
    """A host below a folder, whose modprobe brings what it is told to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[list[str]] = []
        self.loadable: dict[str, dict[str, str]] = {
            "br_netfilter": {
                "/proc/sys/net/bridge/bridge-nf-call-iptables": "1\n",
                "/proc/sys/net/bridge/bridge-nf-call-ip6tables": "0\n",
            },
            "overlay": {"/sys/module/overlay/refcnt": "0\n"},
        }
        self.write("/proc/sys/net/ipv4/ip_forward", "0\n")
        self.write("/proc/sys/vm/overcommit_memory", "0\n")
        self.write("/proc/sys/kernel/osrelease", "6.1.0-13-amd64\n")
        self.write("/proc/filesystems", "nodev\tsysfs\n")

    def write(self, path: str, content: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def read(self, path: str) -> str:
        return (self.root / path.lstrip("/")).read_text()

    def load(self, name: str) -> None:
        for path, content in self.loadable[name].items():
            self.write(path, content)

    def snapshot(self) -> dict[str, str]:
        return {str(path): path.read_text() for path in self.root.rglob("*") if path.is_file()}

    def run_command(self, argv: list[str]) -> tuple[int, str, str]:
        self.calls.append(argv)
        name = argv[-1]
        if name not in self.loadable:
            return 1, "", f"modprobe: FATAL: Module {name} not found in directory /lib/modules/6.1.0-13-amd64\n"
        if "--dry-run" not in argv:
            self.load(name)
        return 0, "", ""


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    monkeypatch.setattr(bridge_nf, "ROOT", str(tmp_path))
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_a, **_k: "/sbin/modprobe")
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, argv, **_k: host.run_command(argv))
    return host


def test_loads_and_sets(host: Host, run_module: Run) -> None:
    result = run_module(bridge_nf)
    assert result["changed"], result
    assert result["modules"] == {"br_netfilter": "absent", "overlay": "absent"}
    assert result["sysctl"] == {KEYS[0]: "0", KEYS[1]: None, KEYS[2]: None}
    assert host.calls == [
        ["/sbin/modprobe", "--dry-run", "br_netfilter"],
        ["/sbin/modprobe", "--dry-run", "overlay"],
        ["/sbin/modprobe", "br_netfilter"],
        ["/sbin/modprobe", "overlay"],
    ]
    assert host.read(MODULES_FILE) == HEADER + "br_netfilter\noverlay\n"
    assert host.read(OWN_SYSCTL_FILE) == SYSCTL_FILE
    assert [host.read(f"/proc/sys/{key.replace('.', '/')}").strip() for key in KEYS] == ["1", "1", "1"]
    host.calls.clear()
    for check in (False, True):
        again = run_module(bridge_nf, _ansible_check_mode=check, _ansible_diff=True)
        assert (again["changed"], again["diff"], again["changed_paths"]) == (False, [], [])
    assert host.calls == []


def test_check_mode_on_a_host_without_the_modules(host: Host, run_module: Run) -> None:
    before = host.snapshot()
    result = run_module(bridge_nf, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"], result
    assert host.snapshot() == before
    assert all("--dry-run" in call for call in host.calls)
    assert [entry["before_header"] for entry in result["diff"]] == [
        "kernel modules",
        "running values",
        str(host.root / "etc/modules-load.d/kubernetes.conf"),
        str(host.root / "etc/sysctl.d/99-kubernetes.conf"),
    ]
    assert result["diff"][0]["after"] == "br_netfilter\noverlay\n"
    assert result["diff"][1] == {
        "before_header": "running values",
        "after_header": "running values",
        "before": "net.ipv4.ip_forward = 0\n",
        "after": "".join(f"{key} = 1\n" for key in KEYS),
    }


def test_built_in_is_as_good_as_loaded(host: Host, run_module: Run) -> None:
    host.load("br_netfilter")
    host.write("/proc/filesystems", "nodev\toverlay\n")
    host.loadable.clear()  # modprobe fails for everything
    result = run_module(bridge_nf)
    assert result["modules"] == {"br_netfilter": "built-in", "overlay": "built-in"}
    assert host.calls == []
    assert host.read(MODULES_FILE) == HEADER + "br_netfilter\noverlay\n"


def test_options(host: Host, run_module: Run) -> None:
    host.load("overlay")
    host.write("/proc/sys/net/ipv6/conf/all/forwarding", "0\n")
    result = run_module(bridge_nf, modules=["overlay"], ipv6=True, sysctl={"vm/overcommit_memory": 1})
    assert result["sysctl"] == {KEYS[0]: "0", "net.ipv6.conf.all.forwarding": "0", "vm.overcommit_memory": "0"}
    assert host.read(OWN_SYSCTL_FILE) == (
        HEADER + "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\nvm.overcommit_memory = 1\n"
    )
    assert host.read("/proc/sys/vm/overcommit_memory") == "1\n"


def test_override_comments_the_line(host: Host, run_module: Run) -> None:
    host.write("/etc/sysctl.conf", "# mine\nnet.ipv4.ip_forward=0\nvm.swappiness=1\n")
    (host.root / "etc/sysctl.d").mkdir()
    (host.root / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    result = run_module(bridge_nf)
    assert result["conflicts"] == [{"path": "/etc/sysctl.conf", "line": 2, "key": KEYS[0], "value": "0"}]
    assert host.read("/etc/sysctl.conf") == (
        "# mine\n# turned off by groundwork.kubernetes.bridge_nf, see /etc/sysctl.d/99-kubernetes.conf: "
        "net.ipv4.ip_forward=0\nvm.swappiness=1\n"
    )
    assert (host.root / "etc/sysctl.d/99-sysctl.conf").is_symlink()
    assert run_module(bridge_nf)["changed"] is False


@dataclass
class Fault:
    """What is wrong with a host or its options, and what the message has to say."""

    messages: list[str]
    files: dict[str, str] = field(default_factory=dict)
    unloadable: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


FAULTS = {
    "conflict, not to be touched": Fault(
        files={"/etc/sysctl.conf": "\nnet.ipv4.ip_forward=0\n"},
        options={"conflicts": "fail"},
        messages=["/etc/sysctl.conf:2 (net.ipv4.ip_forward = 0) is read after", "or set conflicts to override"],
    ),
    "conflict of a package": Fault(
        files={"/usr/lib/sysctl.d/99-zz.conf": "-net.ipv4.ip_forward\n"},
        messages=["/usr/lib/sysctl.d/99-zz.conf:1 (-net.ipv4.ip_forward)", "a file /etc/sysctl.d/99-zz.conf without"],
    ),
    "no such functions": Fault(
        files={"/lib/modules/6.1.0-13-amd64/modules.builtin": ""},
        unloadable=["br_netfilter", "overlay"],
        messages=["kernel 6.1.0-13-amd64 has no br_netfilter, overlay: not built in, and not in /lib/modules/6.1"],
    ),
    "kernel upgraded since boot": Fault(
        unloadable=["overlay"],
        messages=["and there is no /lib/modules/6.1.0-13-amd64", "Reboot if the kernel was upgraded"],
    ),
    "hardened host": Fault(
        files={"/etc/modprobe.d/cis.conf": "install overlay /bin/false\n"},
        messages=["overlay is kept from being loaded by /etc/modprobe.d/cis.conf (install overlay /bin/false)"],
    ),
    "no such key": Fault(
        options={"sysctl": {"kernel.panik": 1}}, messages=["the running kernel has no setting kernel.panik"]
    ),
    "a key that is a folder": Fault(
        options={"sysctl": {"kernel": 1, "kernel.panik": 1}},
        messages=["sysctl: kernel is a folder of settings", "the running kernel has no setting kernel.panik"],
    ),
    "two bad options": Fault(
        options={"sysctl": {"net.ipv4.ip_forward": 0}, "modules": ["overlay", "x y"]},
        messages=["modules: 'x y' is no name", "sysctl: net.ipv4.ip_forward is what this module sets by itself"],
    ),
    "all at once": Fault(
        files={"/etc/sysctl.conf": "net.ipv4.ip_forward=0\n"},
        unloadable=["br_netfilter"],
        options={"conflicts": "fail", "sysctl": {"kernel.panik": 1}},
        messages=["/etc/sysctl.conf:1", "has no br_netfilter", "kernel.panik"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("check", [False, True])
def test_faults_change_nothing(host: Host, run_module: Run, fault: Fault, check: bool) -> None:
    for path, content in fault.files.items():
        host.write(path, content)
    for name in fault.unloadable:
        del host.loadable[name]
    before = host.snapshot()
    result = run_module(bridge_nf, _ansible_check_mode=check, **fault.options)
    assert result["failed"], result
    for message in fault.messages:
        assert message in result["msg"]
    assert host.snapshot() == before


@pytest.mark.parametrize("check", [False, True])
def test_keys_that_cannot_be_read(host: Host, run_module: Run, monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    host.write("/proc/sys/net/ipv4/route/flush", "")

    def opened(path: str, *arguments: Any, **named: Any) -> Any:
        if path.endswith("route/flush"):
            raise PermissionError(13, "Permission denied", path)
        return open(path, *arguments, **named)

    monkeypatch.setattr(sysctl, "open", opened, raising=False)
    before = host.snapshot()
    options = {"sysctl": {"net.ipv4.route.flush": 1, "kernel.panik": 1}}
    result = run_module(bridge_nf, _ansible_check_mode=check, **options)
    assert "sysctl: net.ipv4.route.flush cannot be read (Permission denied)" in result["msg"]
    assert "no setting kernel.panik" in result["msg"]
    assert host.snapshot() == before


def test_modprobe_that_brings_nothing(host: Host, run_module: Run) -> None:
    host.loadable["overlay"] = {}
    result = run_module(bridge_nf)
    assert "has no overlay" in result["msg"]
    assert "modprobe brought nothing" in result["msg"]
    assert not (host.root / "etc").exists()


@pytest.mark.parametrize(
    ("path", "content", "due"),
    [
        ("/proc/sys/vm/overcommit_memory", "1\n", False),
        ("/proc/sys/net/ipv4/ip_forward", "0\n", True),
        ("/etc/sysctl.conf", "net.ipv4.ip_forward=0\n", True),
        ("/usr/lib/sysctl.d/99-zz.conf", "net.ipv4.ip_forward=0\n", True),
        (OWN_SYSCTL_FILE, "", True),
    ],
    ids=["nothing", "a value", "a later file", "a fault", "its own file"],
)
def test_it_is_known_whether_there_is_something_to_do(
    host: Host, run_module: Run, path: str, content: str, due: bool
) -> None:
    """As the module itself says."""
    assert is_due(object.__new__(AnsibleModule), str(host.root))
    assert run_module(bridge_nf)["changed"]
    host.write(path, content)
    assert is_due(object.__new__(AnsibleModule), str(host.root)) is due
    result = run_module(bridge_nf, _ansible_check_mode=True)
    assert (result.get("failed", False) or result["changed"]) is due
