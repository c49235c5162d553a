"""Roles alone, by real Ansible, in a mount namespace where this machine is in no cluster; the inventory has no group.

GROUNDWORK_ETCD_DIR names the folder with the binaries: etcd, etcdctl and, from 3.5 on, etcdutl.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_etcd import BINARIES, COLLECTIONS, Member, needs_etcd

ROOT = Path(__file__).resolve().parents[4]
NAMESPACE = """
mount -t tmpfs none "$0"
for folder in etc opt root usr var; do
  mkdir -p "$0/$folder/upper" "$0/$folder/work"
  mount -t overlay none -o "lowerdir=/$folder,upperdir=$0/$folder/upper,workdir=$0/$folder/work" "/$folder"
done
rm -rf /etc/kubernetes /etc/cni /etc/containerd /etc/etcd /var/lib/etcd /var/lib/kubelet /var/lib/groundwork
exec "$@"
"""
Said = dict[str, list[dict[str, Any]]]


def run(folder: Path, plays: list[dict[str, Any]], hosts: dict[str, Any], *options: str) -> Said:
    """Run plays in a namespace; what each host's tasks said, in their order."""
    (folder / "root").mkdir()
    (folder / "play.yml").write_text(yaml.safe_dump(plays))
    own = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": {name: {**own, **more} for name, more in hosts.items()}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))
    libraries = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "")
    environment = {
        **os.environ,
        "PATH": f"{BINARIES}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}:{libraries}",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    }
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts.yml", *options, "play.yml"]
    apart = ["unshare", "--mount", "--propagation=private", "sh", "-euc", NAMESPACE, str(folder / "root"), *command]
    done = subprocess.run(apart, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    start = done.stdout.find("{")
    assert start >= 0, done.stdout + done.stderr
    found: Said = {name: [] for name in hosts}
    for play in json.loads(done.stdout[start:])["plays"]:
        for task in play["tasks"]:
            for name, result in task["hosts"].items():
                found.setdefault(name, []).append({"task": task["task"]["name"], **result})
    return found


@needs_etcd
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes mount namespaces")
def test_a_backup_of_an_etcd_that_serves_no_kubernetes(tmp_path: Path) -> None:
    """The role as its README shows it; the second archive takes the place of the first by the rule."""
    member = Member(tmp_path)
    try:
        member.start()
        member.fill(100)
        folder = tmp_path / "archives"
        given = {
            "kubernetes_cluster_name": "orders", "backup_directory": str(folder), "backup_keep": {"last": 1},
            "backup_etcd_endpoints": [member.client], "backup_etcd_cacert": "", "backup_etcd_cert": "",
            "backup_etcd_key": "", "backup_include": [], "backup_adopt_unidentified": True,
        }  # fmt: skip
        play = {
            "hosts": "all",
            "gather_facts": False,
            "roles": [{"role": "groundwork.kubernetes.backup", "vars": given}],
        }
        for number in (1, 2):
            run_folder = tmp_path / str(number)
            run_folder.mkdir()
            results = run(run_folder, [play], {"member-1": {}, "member-2": {}})
            failed = [result for host in results.values() for result in host if result.get("failed")]
            assert failed == []
            [made] = [
                result
                for result in results["member-1"]
                if result["task"].endswith("Make a proven backup") and "path" in result
            ]
            assert (made["made"], made["proof"]["passed"], made["proof"]["keys"]) == (True, True, 100)
            assert [path.name for path in folder.glob("*.tar")] == [Path(made["path"]).name]
    finally:
        member.kill()
