"""The units that this collection writes: systemd understands each, and judges how much a broken one could do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import timer_units
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_routes import unit_text

sys.path.insert(0, str(Path(__file__).parent))

from rendering import render

# systemd's exposure from 0 to 10, times ten; what a unit needs of the host is what keeps it from less.
LIMITS = {
    "etcd": 20,
    "groundwork-backup": 25,
    "groundwork-backup-age": 18,
    "haproxy": 45,
    "keepalived": 47,
    "kubernetes-pod-routes": 27,
    "kubernetes-pod-traffic": 35,
}
STARTED = "ExecStart=/bin/true\n"
FACTS = {
    "interfaces": ["lo", "eth0"],
    "lo": {"device": "lo", "ipv4": {"address": "127.0.0.1"}},
    "eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.11"}},
}


def of_role(folder: Path, role: str, expression: str, **variables: Any) -> str:
    """What a role's expression gives on a control plane."""
    folder = folder / role
    folder.mkdir()
    inventory = {
        "vars": variables,
        "children": {"kube_control_plane": {"hosts": {"cp": {"kubernetes_node_ip": "192.0.2.11"}}}},
    }
    found = render(folder, role, {"children": {"all_hosts": inventory}}, FACTS, {"unit": f"{{{{ {expression} }}}}"})
    return str(found["cp"]["unit"])


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The units in a folder, by name."""
    folder = tmp_path_factory.mktemp("units")
    places = timer_units.Places("groundwork-backup")
    options = {
        "module": "backup", "description": "Backup", "timeout": "4h", "nice": 10, "io_class": "idle",
        "writable_paths": ["/var/backups/kubernetes"], "state_file": None, "max_age": 60,
    }  # fmt: skip
    keepalived = "lookup('ansible.builtin.template', 'service.conf.j2', template_vars={'service': '%s'})"
    texts = {
        "etcd": of_role(folder, "etcd", "lookup('ansible.builtin.template', 'etcd.service.j2')"),
        "groundwork-backup": timer_units.service_text(places, options, ""),
        "groundwork-backup-age": timer_units.age_service_text(places, options),
        "kubernetes-pod-routes": unit_text("/sbin/ip"),
        "kubernetes-pod-traffic": of_role(
            folder,
            "cni",
            "lookup('ansible.builtin.template', 'kubernetes-pod-traffic.service.j2')",
            kubernetes_pod_cidr="10.244.0.0/16,fd00::/56",
        ),
    }
    # These add to what the distribution's package brings.
    drop_ins = of_role(folder, "endpoint", keepalived % "haproxy" + " ~ '+++' ~ " + keepalived % "keepalived")
    for name, text in zip(("haproxy", "keepalived"), drop_ins.split("+++")):
        texts[name] = f"{text}{STARTED}"
    found = {}
    for name, text in texts.items():
        found[name] = folder / f"{name}.service"
        # The programs are not on this machine.
        found[name].write_text(re.sub(r"^(Exec\w+=-?)\S+", r"\1/bin/true", text, flags=re.MULTILINE))
    return found


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What systemd says."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze on this machine")
    return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", LIMITS)
def test_systemd_understands_it(units: dict[str, Path], name: str) -> None:
    done = analyze("verify", "--man=false", str(units[name]))
    complaints = [line for line in done.stderr.splitlines() if f"{name}.service" in line]
    assert complaints == []


@pytest.mark.parametrize("name", LIMITS)
def test_what_it_may_do_is_little(units: dict[str, Path], name: str) -> None:
    if "--offline" not in analyze("--help").stdout:
        pytest.skip("this systemd-analyze judges no file (systemd 250 does)")
    done = analyze("security", "--offline=true", f"--threshold={LIMITS[name]}", "--no-pager", str(units[name]))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_every_unit_is_judged() -> None:
    root = Path(__file__).resolve().parents[2]
    written = [path for path in root.glob("roles/*/templates/*") if "[Service]" in path.read_text()]
    judged = {"etcd.service.j2", "kubernetes-pod-traffic.service.j2", "service.conf.j2"}
    # Programs that make containers need nearly all of the host; the others only add what a reload or kubeadm needs.
    spared = {
        "10-kubeadm.conf.j2", "containerd.service.j2", "cri-dockerd.service.j2", "environment.conf.j2",
        "kubelet.service.j2",
    }  # fmt: skip
    assert {path.name for path in written} == judged | spared
