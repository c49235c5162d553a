"""The playbook remove_node with stand-ins for the modules: what is done, in which order, and what is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.modules import backup
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import ROOT

PROGRAMS = [
    Path(sys.executable).with_name("ansible-playbook"),
    ROOT / ".build" / "venv-newer" / "bin" / "ansible-playbook",
]
MODULE = """
import json, os
from ansible.module_utils.basic import AnsibleModule

NAMES = '''BACKUP
    name names absent api_server check_api state host purpose timeout wait_for_volumes nodes routes runtime_endpoint
    encapsulation tunnel
    allow_bare_pods allow_emptydir allow_past_budgets etcd_data_dir etcd_wal_dir etcd_pki_dir root_kubeconfig
'''
module = AnsibleModule({name: {"type": "raw"} for name in NAMES.split()}, supports_check_mode=True)
folder = os.environ["STANDINS"]
shown = [module.params[key] for key in ("name", "names", "absent", "nodes", "state", "host")]
shown = " ".join(json.dumps(value) for value in shown if value)
with open(os.path.join(folder, "log"), "a") as log:
    log.write(f"{'looks' if module.check_mode else 'does'} KIND {shown}\\n")
answers = json.load(open(os.path.join(folder, "answers.json")))
answer = answers.get(f"KIND {module.params['host']}") or answers.get("KIND") or {}
if answer.get("failed") and not module.check_mode:
    module.fail_json(**answer)
module.exit_json(**{"changed": False, **{key: value for key, value in answer.items() if key != "failed"}})
"""
KUBEADM_INIT = """
import json, os
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({name: {"type": "raw"} for name in ("documents", "content", "skip_phases", "kubelet_patch")})
(cluster,) = module.params["documents"]
shown = [cluster["kubernetesVersion"], *cluster["etcd"]["external"]["endpoints"], module.params["kubelet_patch"]]
with open(os.path.join(os.environ["STANDINS"], "log"), "a") as log:
    log.write(f"does kubeadm_init {json.dumps(shown)}\\n")
module.exit_json(changed=True)
"""
HOSTS = {"cp-1": {}, "cp-2": {}, "cp-3": {}, "w-1": {}, "w-2": {}}
NODE = {"labels": {}, "pod_cidrs": ["10.244.1.0/24"], "ready": True, "reports": True}
ADDRESSES = {name: f"192.0.2.{number}" for number, name in enumerate(HOSTS, 1)}


def answers() -> dict[str, Any]:
    found = {"plan": [{}, {}], "faults": [], "node": True, "member": False, "addresses": []}
    return {
        "kubeadm_info": {
            "api_ready": True,
            "api_version": "v1.36.5",
            "etcd_endpoints": [],
            "traces": ["/etc/kubernetes/admin.conf"],
        },
        "backup": {"made": True, "reason": ""},
        "node_info": {"nodes": [{"name": name, "internal_ips": [ADDRESSES[name]], **NODE} for name in HOSTS]},
        "etcd_info": {
            "error": "",
            "members": [
                {
                    "id": f"{number}",
                    "name": f"cp-{number}",
                    "peer_urls": [f"https://192.0.2.{number}:2380"],
                    "client_urls": ["u"],
                    "learner": False,
                    "healthy": True,
                    "leader": number == 1,
                    "error": "",
                }
                for number in (1, 2, 3)
            ],
        },
        "drain": {"plan": [], "rows": []},
        "out_of_service": {"plan": [], "rows": []},
        "cluster_status": {"removed": []},
        **{
            f"reset {host}": {
                **found,
                "row": {"host": host, "subject": "parts of the cluster", "before": "2", "after": "0", "seconds": 1.0,
                        "result": "changed"},
            }
            for host in HOSTS
        },
    }  # fmt: skip


class Stage:
    """A collection in which modules and other roles are stand-ins."""

    def __init__(self, folder: Path, program: Path) -> None:
        self.folder, self.program, self.answers = folder, program, answers()
        collection = folder / "ansible_collections" / "groundwork" / "kubernetes"
        (collection / "plugins" / "modules").mkdir(parents=True)
        for part in ("action", "filter", "module_utils", "plugin_utils", "doc_fragments"):
            (collection / "plugins" / part).symlink_to(ROOT / "plugins" / part)
        kinds = {key.split()[0] for key in self.answers} | {
            "etcd_member",
            "node",
            "pod_routes",
            "service",
            "static_pods",
        }
        for kind in kinds:
            (collection / "plugins" / "modules" / f"{kind}.py").write_text(
                MODULE.replace("KIND", kind).replace("BACKUP", " ".join(backup.ARGUMENTS) if kind == "backup" else "")
            )
        # A configuration is told by its options' names and etcd's list.
        (collection / "plugins" / "modules" / "kubeadm_init.py").write_text(KUBEADM_INIT)
        for kind in ("inventory_variables", "show", "validate_inventory"):
            (collection / "plugins" / "modules" / f"{kind}.py").symlink_to(ROOT / "plugins" / "modules" / f"{kind}.py")
        (collection / "roles").mkdir()
        for role in ("remove_node", "reset", "kubernetes"):
            (collection / "roles" / role).symlink_to(ROOT / "roles" / role)
        for role, file in (("backup", "before"), ("endpoint", "main")):
            tasks = collection / "roles" / role / "tasks"
            tasks.mkdir(parents=True)
            line = "groups[kubernetes_control_plane_group]" if role == "endpoint" else "backup_before_exclude"
            text = f"echo {role} {{{{ inventory_hostname }}}} {{{{ {line} | join(',') }}}} >> {folder}/log"
            (tasks / f"{file}.yml").write_text(yaml.safe_dump([{"ansible.builtin.shell": text}]))
        for part in ("defaults", "vars", "tasks/due.yml", "tasks/find.yml"):
            (collection / "roles" / "backup" / part).symlink_to(ROOT / "roles" / "backup" / part)
        here = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": sys.executable,
            "kubernetes_version": "1.20.2",
            "kubernetes_node_ip": "192.0.2.1",
            "cni_plugin": "bridge",
            "kubernetes_api_load_balancer": "local",
        }
        groups = {
            "kube_control_plane": {"hosts": {name: {} for name in HOSTS if name.startswith("cp")}},
            "kube_node": {"hosts": {name: {} for name in HOSTS if name.startswith("w")}},
        }
        self.inventory = {"all": {"children": groups, "vars": here}}

    def away(self, host: str) -> None:
        """Let a host be one that cannot be reached."""
        group = self.inventory["all"]["children"]["kube_control_plane" if host.startswith("cp") else "kube_node"]
        group["hosts"][host] = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}

    def run(self, *options: str) -> tuple[int, str, list[str]]:
        """What the run ended with, what it told, and what was done."""
        (self.folder / "answers.json").write_text(json.dumps(self.answers))
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(self.inventory))
        log = self.folder / "log"
        log.write_text("")
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": f"{self.folder}:{ROOT / '.build' / 'collections'}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_INJECT_FACT_VARS": "false",
            "STANDINS": str(self.folder),
        }
        done = subprocess.run(
            [self.program, "--inventory=inventory.yml", ROOT / "playbooks" / "remove_node.yml", *options],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, **settings},
            cwd=self.folder,
        )
        return done.returncode, done.stdout + done.stderr, log.read_text().splitlines()


@pytest.fixture(params=PROGRAMS, ids=["older", "newer"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    if not request.param.exists():
        pytest.skip("there is no newer ansible-core")
    return Stage(tmp_path, request.param)


def done(log: list[str]) -> list[str]:
    return [line for line in log if line.split()[0] in ("does", "backup", "endpoint")
            and line.split()[1] not in ("kubeadm_info", "node_info", "etcd_info")]  # fmt: skip


def test_all_of_it_in_its_order(stage: Stage) -> None:
    code, told, log = stage.run("-e", "remove_node_names=cp-1,w-2")
    assert code == 0, told
    steps = done(log)
    order = ["backup", "drain", "endpoint", "service", "static_pods", "etcd_member", "reset", "pod_routes"]
    order += ["cluster_status", "node"]
    kinds = [next(kind for kind in order if kind in line.split()[:2]) for line in steps]
    assert list(dict.fromkeys(kinds)) == order
    assert steps[0] == "backup cp-2 cp-1,w-2"
    assert 'does drain ["cp-1", "w-2"]' in steps
    assert 'does etcd_member "1" "absent"' in steps
    pods = '["kube-vip", "kube-controller-manager", "kube-scheduler", "kube-apiserver"]'
    assert [line for line in steps if "service" in line or "static_pods" in line] == [
        'does service "kubelet" "stopped"',
        f'does static_pods {pods} "ended"',
    ]
    assert sorted(line for line in steps if line.startswith("endpoint")) == [
        f"endpoint {host} cp-2,cp-3" for host in ("cp-2", "cp-3", "w-1")
    ]
    assert sorted(line for line in steps if " reset " in line) == [
        f'does reset "{state}" "{host}"' for state in ("absent", "stopped") for host in ("cp-1", "w-2")
    ]
    assert steps[-1] == 'does node [{"name": "cp-1"}, {"name": "w-2"}] "absent"'
    assert told.count("not reached") == 0
    assert "Take cp-1, w-2 out of the inventory" in told


NEW = "/var/backups/kubernetes/a.tar was proven 12 minutes ago"


@pytest.mark.parametrize(
    ("answer", "variables", "asked", "told_of"),
    [
        ({"made": True, "reason": ""}, {}, ["cp-2"], r"the cluster +backup +- +proven"),
        ({"made": False, "reason": NEW}, {}, ["cp-2"], rf"the cluster +backup +{NEW} +stays"),
        ({"made": True, "reason": ""}, {"backup_before_changes": False}, [], ""),
    ],
)
def test_the_plan_asks_where_the_run_makes_its_backup(
    tmp_path: Path, answer: dict[str, Any], variables: dict[str, Any], asked: list[str], told_of: str
) -> None:
    """On the first control plane that stays and holds the cluster, and by the module that then makes it."""
    stage = Stage(tmp_path, PROGRAMS[0])
    stage.answers["backup"] = answer
    stage.inventory["all"]["vars"].update(variables)
    code, told, log = stage.run("-e", "remove_node_names=cp-1", "--check")
    assert code == 0, told
    assert [line.split()[2].strip('"') for line in log if line.startswith("looks backup")] == asked
    assert re.search(told_of, told), told
    assert ("backup" in told.split("STEP", 1)[1].split("TASK", 1)[0]) == bool(told_of)
    assert done(log) == []


def test_a_load_balancer_gives_the_address_away_before_the_others_forget_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PROGRAMS[0])
    stage.inventory["all"]["vars"].update(
        kubernetes_api_load_balancer="haproxy", kubernetes_api_endpoint="192.0.2.9:8443"
    )
    code, told, log = stage.run("-e", "remove_node_names=cp-3,w-2")
    assert code == 0, told
    steps = [line for line in log if line.startswith(("endpoint", "does service", "does etcd_member"))]
    assert steps[0] == 'does service "keepalived" "stopped"'
    assert sorted(steps[1:-2]) == ["endpoint cp-1 cp-1,cp-2", "endpoint cp-2 cp-1,cp-2", "endpoint w-1 cp-1,cp-2"]
    assert steps[-2:] == ['does service "kubelet" "stopped"', 'does etcd_member "3" "absent"']


def test_a_host_that_is_powered_off_is_not_connected_to(tmp_path: Path) -> None:
    stage = Stage(tmp_path, PROGRAMS[0])
    stage.away("cp-1")
    stage.answers["etcd_info"]["members"][0].update(healthy=False, leader=False)
    stage.answers["etcd_info"]["members"][1].update(leader=True)
    code, told, log = stage.run("-e", "remove_node_names=cp-1", "-e", "remove_node_powered_off=cp-1")
    assert code == 0, told
    assert 'does out_of_service ["cp-1"]' in log
    assert not [line for line in log if " reset " in line or " drain " in line]
    assert done(log)[-1] == 'does node [{"name": "cp-1"}] "absent"'


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
def test_only_a_load_balancer(tmp_path: Path, dead: bool) -> None:
    stage = Stage(tmp_path, PROGRAMS[0])
    groups = stage.inventory["all"]["children"]
    off = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    groups["kube_load_balancer"] = {"hosts": {"lb-1": off if dead else {}, "lb-2": {}}}
    stage.inventory["all"]["vars"].update(
        kubernetes_api_load_balancer="haproxy", kubernetes_api_endpoint="192.0.2.9:6443"
    )
    stage.answers["reset lb-1"] = {**stage.answers["reset w-1"], "node": False}
    powered_off = ["-e", "remove_node_powered_off=lb-1"] if dead else []
    code, told, log = stage.run("-e", "remove_node_names=lb-1", *powered_off)
    assert code == 0, told
    steps = done(log)
    followed = sorted(line for line in steps if line.startswith("endpoint"))
    assert followed == [f"endpoint {host} cp-1,cp-2,cp-3" for host in ("cp-1", "cp-2", "cp-3", "lb-2", "w-1", "w-2")]
    own = [line for line in steps if line.startswith(("does service", "does reset"))]
    alive = ['does service "keepalived" "stopped"', 'does reset "stopped" "lb-1"', 'does reset "absent" "lb-1"']
    assert own == ([] if dead else alive)
    assert not [line for line in steps if "etcd_member" in line or "does node" in line or "does drain" in line]


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "dead"])
def test_only_a_member_of_etcd(tmp_path: Path, dead: bool) -> None:
    stage = Stage(tmp_path, PROGRAMS[0])
    off = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    stage.inventory["all"]["children"]["etcd"] = {"hosts": {"e-1": {}, "e-2": {}, "e-3": off if dead else {}}}
    for number, one in enumerate(stage.answers["etcd_info"]["members"], 1):
        one.update(name=f"e-{number}", peer_urls=[f"https://192.0.2.{20 + number}:2380"])
    stage.answers["etcd_info"]["members"][2].update(healthy=not dead)
    stage.answers["reset e-3"] = {**stage.answers["reset w-1"], "node": False, "member": True}
    powered_off = ["-e", "remove_node_powered_off=e-3"] if dead else []
    code, told, log = stage.run("-e", "remove_node_names=e-3", *powered_off)
    assert code == 0, told
    steps = done(log)
    own = [line for line in steps if not line.startswith(("backup", "does cluster_status"))]
    reset = ['does reset "stopped" "e-3"', 'does reset "absent" "e-3"']
    assert own == ['does etcd_member "3" "absent"', *([] if dead else reset)]
    # Nobody remembers there what was applied.
    assert "The API servers of cp-1, cp-2, cp-3 have its member in their list until site runs without it" in told


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_api_servers_take_a_member_of_etcd_off_their_lists_one_after_the_other(tmp_path: Path, broken: bool) -> None:
    stage = Stage(tmp_path, PROGRAMS[0])
    stage.inventory["all"]["children"]["etcd"] = {"hosts": {"e-1": {}, "e-2": {}, "e-3": {}}}
    urls = [f"https://192.0.2.{20 + number}:2379" for number in (1, 2, 3)]
    for number, one in enumerate(stage.answers["etcd_info"]["members"], 1):
        one.update(name=f"e-{number}", client_urls=[urls[number - 1]])
    stage.answers["reset e-3"] = {**stage.answers["reset w-1"], "node": False, "member": True}
    stage.answers["kubeadm_info"].update(etcd_endpoints=urls)
    applied = tmp_path / "kubeadm.json"
    cluster = {"kind": "ClusterConfiguration", "etcd": {"external": {"endpoints": urls}}}
    applied.write_text(json.dumps([cluster, {"kind": "KubeletPatch", "maxPods": 40}]) if not broken else "")
    code, told, log = stage.run("-e", "remove_node_names=e-3", "-e", f"__remove_node_applied_path={applied}")
    steps = [line for line in done(log) if not line.startswith(("backup", "does cluster_status"))]
    if broken:
        assert code != 0
        assert "No member of etcd was removed. Run it again to go on." in told
        assert steps == []
    else:
        assert code == 0, told
        without = f'does kubeadm_init ["v1.36.5", "{urls[0]}", "{urls[1]}", {{"maxPods": 40}}]'
        end = ['does etcd_member "3" "absent"', 'does reset "stopped" "e-3"', 'does reset "absent" "e-3"']
        assert steps == [without, without, without, *end]
        assert "have its member in their list" not in told
