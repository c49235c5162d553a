"""The actions in a play of real Ansible: which values they see, what they say, that one run serves all hosts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
INVENTORY = {
    "all": {
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "children": {
            "kube_control_plane": {"hosts": {"cp1": {"kubernetes_node_ip": "192.0.2.1"}}},
            "kube_node": {
                "hosts": {"w1": {"kubernetes_node_ip": "192.0.2.2"}, "w2": {"kubernetes_node_ip": "192.0.2.3"}}
            },
        },
    }
}
RESULTS = "{{ dict(ansible_play_batch | zip(ansible_play_batch | map('extract', hostvars, 'facts'))) }}"
FACTS = {"ansible_facts": {"os_family": "Debian", "architecture": "x86_64", "default_ipv4": {"address": "192.0.2.9"}}}


Play = Callable[..., Any]


def validation(**options: Any) -> dict[str, Any]:
    """The first task of the role, in the role's own scope."""
    return {"name": "validate", "groundwork.kubernetes.validate_inputs": options, "run_once": True}


def test_each_host_is_judged_by_its_own_values(play: Play, tmp_path: Path) -> None:
    content = {
        "vars": {
            "ansible_facts": FACTS["ansible_facts"],
            "preflight_swap": "{{ 'of' if inventory_hostname == 'w2' else 'disabled' }}",
            "preflight_kernell": "5.0",
        },
        "tasks": [validation(ignore=["digest-missing"])],
    }
    done = play(tmp_path, content, inventory=INVENTORY)
    assert done.rc == 2
    (result,) = (host for host in done.tasks["validate"].values() if "msg" in host)
    # Not in Ansible's output for people, so the result has all of it.
    blocks = result["msg"].split("\n\n")
    assert blocks[0] == "Inputs: 2 errors, 0 warnings"
    assert blocks[1].startswith("all hosts\n  error [unknown-variable] preflight_kernell is no variable")
    assert blocks[1].endswith("did you mean preflight_kernel?")
    assert blocks[2].startswith("w2\n  error [value-invalid] preflight_swap: value of preflight_swap must be one of")
    assert blocks[3].startswith("Nothing was touched.")


def test_ignored_faults_are_warnings(play: Play, tmp_path: Path) -> None:
    content = {
        "vars": {"preflight_kernell": "5.0"},
        "tasks": [validation(ignore={"*": ["unknown-variable"]})],
    }
    done = play(tmp_path, content, inventory=INVENTORY)
    assert done.rc == 0, done.output
    result = next(iter(done.tasks["validate"].values()))
    assert {fault["severity"] for fault in result["faults"]} == {"warning"}
    assert sorted(result["settings"]) == ["cp1", "w1", "w2"]


def test_versions_follow_where_their_roles_have_no_part(play: Play, tmp_path: Path) -> None:
    content = {
        "vars": {"kubernetes_version": "1.37.2", "container_runtime_containerd_version": "1.7.34"},
        "tasks": [validation()],
    }
    done = play(tmp_path, content, inventory=INVENTORY)
    assert done.rc == 0, done.output
    faults = {fault["id"]: fault for fault in next(iter(done.tasks["validate"].values()))["faults"]}
    assert set(faults) == {"digest-missing", "runtime-unsupported"}
    assert "etcd 3.7.2" in faults["digest-missing"]["text"]
    assert "runc" not in faults["digest-missing"]["text"]
    assert "containerd_version 1.7.34" in faults["runtime-unsupported"]["text"]


@pytest.mark.parametrize(("ignore", "rc"), [([], 2), (["duplicate-hostname", "duplicate-machine-id"], 2), (None, 0)])
def test_one_report_on_all_hosts(play: Play, tmp_path: Path, ignore: list[str] | None, rc: int) -> None:
    """All hosts here are one machine, so they are clones of each other."""
    everything = [
        "address-clash",
        "duplicate-hostname",
        "duplicate-machine-id",
        "duplicate-mac",
        "duplicate-product-uuid",
    ]
    content = {
        "tasks": [
            {"name": "facts", "groundwork.kubernetes.host_facts": {}, "register": "facts"},
            {
                "name": "report",
                "groundwork.kubernetes.preflight_report": {
                    "results": RESULTS,
                    "settings": {"w1": {"roles": ["worker"], "preflight_packages": {"no-such-program": "package"}}},
                    "ignore": [*(everything if ignore is None else ignore), "systemd-missing", "machine-id-missing"],
                },
                "run_once": True,
            },
        ]
    }
    done = play(tmp_path, content, inventory=INVENTORY)
    assert done.rc == rc, done.output
    assert all(abs(host["host"]["clock"]["offset"]) < 60 for host in done.tasks["facts"].values())
    report = next(iter(done.tasks["report"].values()))
    if rc:
        assert "  error [duplicate-mac] cp1, w1, w2 share the MAC address" in done.output
    else:
        assert set(report["packages"]) == {"cp1", "w1", "w2"}


UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
WITH_ETCD = {
    "all": {
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "children": {
            "kube_control_plane": {
                "hosts": {"cp1": {"kubernetes_node_ip": "192.0.2.1"}, "cp2": {}, "cp3": UNREACHABLE}
            },
            "kube_node": {"hosts": {"w1": {}, "w2": {}}},
            "etcd": {"hosts": {"e1": {}}},
        },
    }
}
ROLE = ROOT / "roles" / "preflight"


def left_out() -> dict[str, Any]:
    """A play that begins as the role does."""
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    inventory, first = tasks[:2]
    included = first.pop("ansible.builtin.include_tasks")
    return {
        "any_errors_fatal": True,
        "vars_files": [str(ROLE / "defaults" / "main" / "kubernetes.yml"), str(ROLE / "vars" / "main.yml")],
        "tasks": [
            inventory,
            {**first, "ansible.builtin.include_tasks": str(ROLE / "tasks" / included)},
            {
                "name": "addresses",
                "ansible.builtin.debug": {
                    "msg": "{{ ['cp1', 'cp2', 'e1'] | groundwork.kubernetes.addresses(hostvars) }}",
                },
            },
        ],
    }


def test_a_run_with_limit_knows_the_addresses_of_those_it_leaves_out(play: Play, tmp_path: Path) -> None:
    done = play(tmp_path, left_out(), "--limit", "w1,w2", inventory=WITH_ETCD)
    assert done.rc == 0, done.output
    read = [name for name in done.tasks if name.startswith("Read the address of")]
    assert read == [f"Read the address of {name}" for name in ("cp2", "cp3", "e1")]
    assert set(done.tasks["addresses"]) == {"w1", "w2"}
    for host in done.tasks["addresses"].values():
        assert host["msg"][0] == "192.0.2.1"
        assert len(host["msg"]) == 3


def test_a_run_without_limit_reads_no_address_again(play: Play, tmp_path: Path) -> None:
    content = left_out()
    done = play(tmp_path, {**content, "tasks": content["tasks"][:2]}, inventory=WITH_ETCD)
    assert done.rc == 0, done.output
    (_inventory, skipped) = done.tasks.values()
    assert [host.get("skipped") for host in skipped.values()] == [True]


@pytest.mark.parametrize(("group", "expected"), [({}, 6), ({"kube_load_balancer": {"hosts": {"lb1": {}}}}, 7)])
def test_site_judges_load_balancers_and_misses_no_group(
    play: Play, tmp_path: Path, group: dict[str, Any], expected: int
) -> None:
    inventory = {"all": {**WITH_ETCD["all"], "children": {**WITH_ETCD["all"]["children"], **group}}}
    done = play(tmp_path, ROOT / "playbooks" / "site.yml", "--list-hosts", inventory=inventory)
    assert done.rc == 0, done.output
    # The first play, which judges the inventory, is of all hosts.
    assert f"hosts ({expected}):" in done.stdout.partition("play #2")[2].partition("play #3")[0]
    assert "Could not match" not in done.output


OF_ONE = {"cluster": {"kubelet_conf": True, "api_server_version": "", "kubelet_version": "1.35.0"}, "api_servers": []}


def asking(version: str) -> dict[str, Any]:
    """The role's tasks from what was read of the hosts on, with what a worker would tell."""
    tasks = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text())
    at = next(
        number
        for number, task in enumerate(tasks)
        if "left_out" in task.get("groundwork.kubernetes.preflight_report", {})
    )
    settings = {
        "kubernetes_version": version,
        "roles": ["worker"],
        "api_servers": {"cp1": "192.0.2.1:6443", "cp3": "192.0.2.3:6443"},
    }
    return {
        "hosts": "kube_node",
        "any_errors_fatal": True,
        "vars_files": [str(ROLE / "defaults" / "main" / "kubernetes.yml"), str(ROLE / "vars" / "main.yml")],
        "vars": {"__preflight_host": {"host": OF_ONE}},
        "tasks": [
            {
                "name": "register",
                "ansible.builtin.set_fact": {"__preflight_inputs": {"settings": {"w1": settings, "w2": settings}}},
            },
            {**tasks[at - 1], "name": "ask"},
            {
                "name": "seen",
                "ansible.builtin.debug": {
                    "msg": tasks[at]["groundwork.kubernetes.preflight_report"]["left_out"],
                },
                "run_once": True,
            },
        ],
    }


@pytest.mark.parametrize(("version", "expected"), [("1.35.0", []), ("1.36.0", ["cp1", "cp3"])])
def test_control_planes_are_asked_where_a_kubelet_would_change(
    play: Play, tmp_path: Path, version: str, expected: list[str]
) -> None:
    """One that cannot be reached stays unknown, and ends nothing."""
    inventory = {"all": {**WITH_ETCD["all"], "vars": {**WITH_ETCD["all"]["vars"], "preflight_ignore": []}}}
    for host in ("w1", "w2"):
        inventory = yaml.safe_load(yaml.safe_dump(inventory))
        inventory["all"]["children"]["kube_node"]["hosts"][host] = {"__preflight_host": {"host": OF_ONE}}
    done = play(tmp_path, asking(version), inventory=inventory)
    assert done.rc == 0, done.output
    seen = next(iter(done.tasks["seen"].values()))["msg"]
    assert [result["item"] for result in seen] == expected
    assert ["host" in result for result in seen] == [name == "cp1" for name in expected]


# In the shape of the inventory that Kubespray ships as a sample, with what its users change.
KUBESPRAY = {
    "all": {
        "vars": {
            **INVENTORY["all"]["vars"],
            "bin_dir": "/usr/local/bin",
            "etcd_deployment_type": "host",
            "etcd_data_dir": "/var/lib/etcd",
            "loadbalancer_apiserver": {"address": "192.0.2.10", "port": 6443},
            "no_proxy_exclude_workers": False,
            "ntp_enabled": False,
            "ansible_facts": FACTS["ansible_facts"],
        },
        "children": {
            "kube_control_plane": {"hosts": {"node1": {"ip": "192.0.2.1", "access_ip": "192.0.2.1"}}},
            "kube_node": {"hosts": {"node2": {"ip": "192.0.2.2", "node_labels": {"tier": "gold"}}}},
            "etcd": {"children": {"kube_control_plane": {}}},
            "k8s_cluster": {
                "children": {"kube_control_plane": {}, "kube_node": {}},
                "vars": {
                    "kube_version": "{{ wanted }}",
                    "wanted": "1.34.2",
                    "kube_network_plugin": "calico",
                    "kube_service_addresses": "10.233.0.0/18",
                    "kube_pods_subnet": "10.233.64.0/18",
                    "kube_network_node_prefix": 24,
                    "kube_proxy_mode": "ipvs",
                    "kube_apiserver_port": 6443,
                    "kube_encrypt_secret_data": False,
                    "cluster_name": "cluster.local",
                    "dns_domain": "{{ cluster_name }}",
                    "container_manager": "containerd",
                    "kubernetes_audit": False,
                    "helm_enabled": False,
                    "metrics_server_enabled": True,
                    "kube_owner": "kube",
                    "retry_stagger": 5,
                },
            },
        },
    }
}


def test_kubesprays_inventory_gives_one_message_with_everything(play: Play, tmp_path: Path) -> None:
    """Through the role, whose defaults do not count as set."""
    content = {"roles": ["groundwork.kubernetes.preflight"], "any_errors_fatal": True}
    done = play(tmp_path, content, inventory=KUBESPRAY)
    assert done.rc == 2, done.output
    (result,) = (
        host
        for name, hosts in done.tasks.items()
        if "Validate the variables" in name
        for host in hosts.values()
        if "msg" in host
    )
    found = [line.strip() for line in result["msg"].splitlines() if "foreign" in line or "value-undefined" in line]
    ours = {
        "cluster_name cluster.local": "kubernetes_cluster_name, which is kubernetes",
        "kube_network_plugin calico": "cni_plugin, which is bridge",
        "kube_pods_subnet 10.233.64.0/18": "kubernetes_pod_cidr, which is 10.244.0.0/16",
        "kube_proxy_mode ipvs": "kubernetes_proxy_mode, which is iptables",
        "kube_service_addresses 10.233.0.0/18": "kubernetes_service_cidr, which is 10.96.0.0/12",
        "kube_version 1.34.2": "kubernetes_version, which is 1.36.5",
        "loadbalancer_apiserver": "kubernetes_api_endpoint, which is not set",
    }
    of_hosts = {
        "access_ip 192.0.2.1": "kubernetes_node_ip, which is not set",
        "ip 192.0.2.1": "kubernetes_node_ip, which is not set",
        "ip 192.0.2.2": "kubernetes_node_ip, which is not set",
        "node_labels": "worker_labels, which is not set",
    }
    start, middle = "error [foreign-variable]", "has no effect: here the variable is"
    assert found == [
        *(f"{start} {theirs} {middle} {our}; set that instead" for theirs, our in ours.items()),
        f"{start} metrics_server_enabled True has no effect: add metrics-server to addons_wanted, and remove "
        "metrics_server_enabled",
        "warning [foreign-unused] bin_dir, kube_owner, no_proxy_exclude_workers, ntp_enabled, retry_stagger: nothing "
        "here knows these variables of Kubespray; remove them",
        *(f"{start} {theirs} {middle} {our}; set that instead" for theirs, our in of_hosts.items()),
    ]


def test_an_undefined_reference_of_any_role_is_told(play: Play, tmp_path: Path) -> None:
    content = {
        "vars": {
            "ansible_facts": FACTS["ansible_facts"],
            "backup_directory": "{{ there_is_no_such_thing }}/backups",
            # What refers to variables of roles that have no part in the play passes, templates or not.
            "backup_etcd_cacert": "{{ etcd_pki_dir }}/ca.crt",
            "restore_etcd_cacert": "{{ reset_etcd_pki_dir }}/ca.crt",
        },
        "tasks": [validation(ignore=["digest-missing"])],
    }
    done = play(tmp_path, content, inventory=INVENTORY)
    assert done.rc == 2, done.output
    (result,) = (host for host in done.tasks["validate"].values() if "msg" in host)
    assert result["msg"].startswith(
        "Inputs: 1 error, 0 warnings\n\nall hosts\n  error [value-undefined] backup_directory cannot be evaluated: "
    )
    assert "there_is_no_such_thing" in result["msg"]


def test_a_role_that_is_used_alone_knows_misspelt_names(play: Play, tmp_path: Path) -> None:
    content = {
        "roles": [{"role": "groundwork.kubernetes.drain", "vars": {"drian_nodes": ["w1"], "drain_nodes": ["w1"]}}],
        "vars": {"other_peoples_variable": 1},
    }
    done = play(tmp_path, content, inventory=INVENTORY)
    assert done.rc == 2, done.output
    said = "error [unknown-variable] drian_nodes is no variable of the role drain; did you mean drain_nodes?"
    assert said in done.output
    assert "other_peoples" not in done.output
