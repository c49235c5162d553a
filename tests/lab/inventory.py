"""The lab's hosts and facts in the form of a dynamic inventory."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from .hosts import REGISTRY_PORT, running, swap_file, user
from .settings import Settings
from .sizes import GROUPS

# Where the cache has each program; the asterisk stands for its version.
PLACES = {
    **{name: f"release/v*/bin/linux/amd64/{name}" for name in ("kubeadm", "kubelet", "kubectl")},
    "crictl": "crictl-v*-linux-amd64.tar.gz",
    "etcd": "etcd-v*-linux-amd64.tar.gz",
    "containerd": "containerd-*-linux-amd64.tar.gz",
    "runc": "runc/v*/runc.amd64",
    "cni-plugins": "cni-plugins-linux-amd64-v*.tgz",
}


def digests(cache: Path) -> dict[str, Any]:
    """What the cache's files are, which have upstream's names but are mostly not upstream's files."""
    found: dict[str, Any] = {program: {} for program in PLACES}
    for program, place in PLACES.items():
        form = re.compile(re.escape(place).replace(r"\*", "([^/]+)"))
        for path in cache.glob(f"{place}.sha256"):
            match = form.match(str(path.relative_to(cache)))
            if match:
                found[program][match[1]] = {"amd64": path.read_text().strip()}
    return found


def key_fingerprints(cache: Path) -> list[str]:
    """The key that signs the lab's packages, as gpg tells it."""
    keys = sorted(cache.glob("core:/stable:/v*/deb/Release.key"))
    if not keys:
        return []
    command = ["gpg", "--homedir", str(cache / "gnupg"), "--batch", "--with-colons", "--show-keys", str(keys[0])]
    reported = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line.split(":")[9] for line in reported if line.startswith("fpr:")]


def inventory() -> dict[str, Any]:
    """Groups as Kubespray names them, and what group_vars need to know of the lab."""
    settings = Settings()
    hosts = running(settings)
    ssh = f"-o UserKnownHostsFile={settings.state}/known_hosts"
    password = settings.state / "sudo_password"
    sudo = {"ansible_become_password": password.read_text()} if password.exists() else {}
    groups: dict[str, Any] = {
        group: {"hosts": [host.name for host in hosts if host.group == group]} for group in GROUPS.values()
    }
    return {
        **groups,
        "k8s_cluster": {"children": ["kube_control_plane", "kube_node"]},
        "all": {
            "children": ["k8s_cluster", "etcd", "kube_load_balancer"],
            "vars": {
                **settings.remembered,
                "lab_etcd_version": settings.remembered.get("etcd_version", ""),
                "lab_swap_file": swap_file(settings),
                "lab_state": str(settings.state),
                "lab_virtual_ip": settings.virtual_ip,
                "lab_mirror": f"http://{settings.mirror}",
                "lab_digests": digests(settings.cache),
                "lab_package_key_fingerprints": key_fingerprints(settings.cache),
                "lab_registry": f"http://{settings.mirror}:{REGISTRY_PORT}",
                "ansible_user": user(settings),
                **sudo,
                "ansible_ssh_private_key_file": str(settings.state / "id_ed25519"),
                "ansible_ssh_common_args": ssh,
                "ansible_python_interpreter": "/usr/bin/python3",
            },
        },
        "_meta": {"hostvars": {host.name: {"ansible_host": host.address} for host in hosts}},
    }
