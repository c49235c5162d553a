"""The role endpoint: what it refuses, who takes part, and the files as Ansible renders them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.endpoint_faults import endpoint_faults
from ansible_collections.groundwork.kubernetes.plugins.filter.interface_of import interface_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.endpoint import Settings, find_faults

sys.path.insert(0, str(Path(__file__).parent))

from rendering import render

PLANES = {"cp-1": "192.0.2.11", "cp-2": "192.0.2.12"}
BALANCERS = {"lb-1": "192.0.2.21", "lb-2": "192.0.2.22"}
SIX = {"cp-1": "2001:db8::11"}
GOOD = [
    {"load_balancer": "external"},
    {"load_balancer": "haproxy", "endpoint": "192.0.2.10:8443", "balancers": PLANES},
    {"load_balancer": "haproxy", "endpoint": "192.0.2.10", "balancers": BALANCERS},
    {"load_balancer": "haproxy", "endpoint": "192.0.2.10:6443", "balancers": BALANCERS},
    {"load_balancer": "haproxy", "endpoint": "api:8443", "virtual_ip": "192.0.2.10", "balancers": PLANES},
    {"load_balancer": "haproxy", "endpoint": "[2001:db8::10]:8443", "balancers": SIX, "control_planes": SIX},
    {"load_balancer": "kube_vip", "endpoint": "192.0.2.10:6443"},
    {"load_balancer": "kube_vip", "endpoint": "192.0.2.10", "address": "192.0.2.11", "interface": "eth0"},
    {"load_balancer": "local", "endpoint": "127.0.0.1:7443"},
    {"load_balancer": "local", "endpoint": "[::1]:7444", "local_port": 7444},
]
BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({"endpoint": ""}, ["is empty"]),
    ({"endpoint": "https://192.0.2.10"}, ["without a scheme"]),
    ({"endpoint": "api.example.com:8443"}, ["set endpoint_virtual_ip to the address that the name leads to"]),
    ({"endpoint": "api:8443", "virtual_ip": "api"}, ["endpoint_virtual_ip is 'api', which is no IP address"]),
    (
        {"endpoint": "192.0.2.10:8443", "virtual_ip": "192.0.2.9"},
        ["at 192.0.2.10 and endpoint_virtual_ip is 192.0.2.9"],
    ),
    ({"endpoint": "127.0.0.1:8443"}, ["the virtual address 127.0.0.1 cannot be one"]),
    ({"endpoint": "192.0.2.12:8443"}, ["the virtual address 192.0.2.12 is that of cp-2"]),
    ({"endpoint": "[2001:db8::10]:8443"}, ["is IPv6, and the addresses of cp-1, cp-2 are not"]),
    (
        {"endpoint": "192.0.2.10"},
        ["kube-apiserver uses port 6443 already: give kubernetes_api_endpoint another port, like"],
    ),
    ({"endpoint": "192.0.2.10:10250"}, ["where kubelet uses port 10250 already"]),
    ({"endpoint": "192.0.2.10:8443", "health_port": 8443}, ["endpoint_health_port is 8443, the port of"]),
    ({"endpoint": "192.0.2.10:8443", "health_port": 2379}, ["where etcd uses endpoint_health_port 2379"]),
    ({"endpoint": "192.0.2.10:8443", "virtual_router_id": 0}, ["endpoint_virtual_router_id is 0"]),
    ({"endpoint": "192.0.2.10:8443", "address": "192.0.2.11"}, ["no network interface of this host has its address"]),
    (
        {"endpoint": "192.0.2.11:6443", "virtual_router_id": 256},
        ["is that of cp-1", "endpoint_virtual_router_id is 256", "uses port 6443 already"],
    ),
    ({"load_balancer": "kube_vip", "endpoint": "192.0.2.10:8443"}, ["; write 192.0.2.10:6443"]),
    (
        {"load_balancer": "kube_vip", "endpoint": "192.0.2.11:6443", "strict_arp_missing": True},
        ["is that of cp-1", "ipvs.strictARP"],
    ),
    (
        {"load_balancer": "kube_vip", "endpoint": "192.0.2.10", "kube_vip_without_rules": ["lb_enable", "svc_enable"]},
        ["endpoint_kube_vip_environment sets lb_enable, svc_enable, for which kube-vip needs more than its lease"],
    ),
    ({"load_balancer": "local", "endpoint": ""}, ["set it to 127.0.0.1:7443, or leave it out"]),
    ({"load_balancer": "local", "endpoint": "192.0.2.10:7443"}, ["set it to 127.0.0.1:7443"]),
    ({"load_balancer": "local", "endpoint": "127.0.0.1:6443"}, ["set it to 127.0.0.1:7443"]),
    (
        {"load_balancer": "local", "endpoint": "127.0.0.1:6443", "local_port": 6443},
        ["kubernetes_api_local_port is 6443, which kube-apiserver uses"],
    ),
]


@pytest.mark.parametrize("given", GOOD, ids=str)
def test_nothing_is_found(given: dict[str, Any]) -> None:
    assert find_faults(Settings(**{"control_planes": PLANES, **given})) == []


@pytest.mark.parametrize(("given", "texts"), BAD, ids=str)
def test_all_faults_are_found(given: dict[str, Any], texts: list[str]) -> None:
    settings = {"load_balancer": "haproxy", "balancers": PLANES, "control_planes": PLANES, **given}
    faults = endpoint_faults(settings)
    assert len(faults) == len(texts), faults
    assert [text for text, fault in zip(texts, faults) if text not in fault] == [], faults


IGNORED: list[tuple[dict[str, Any], list[str], int]] = [
    ({"endpoint": "192.0.2.12:8443"}, ["address-clash"], 0),
    ({"endpoint": "192.0.2.12:8443"}, ["endpoint-invalid"], 1),
    ({"endpoint": "127.0.0.1:8443"}, ["endpoint-invalid"], 0),
    ({"endpoint": "192.0.2.10"}, ["port-clash"], 0),
    ({"load_balancer": "local", "endpoint": ""}, ["endpoint-invalid"], 0),
    # Nothing could be set up, or preflight does not judge it.
    ({"endpoint": ""}, ["endpoint-missing"], 1),
    ({"endpoint": "https://192.0.2.10"}, ["endpoint-invalid"], 1),
    ({"endpoint": "api:8443"}, ["endpoint-invalid"], 1),
    ({"endpoint": "192.0.2.10:8443", "virtual_router_id": 0}, ["", "endpoint-invalid"], 1),
    ({"endpoint": "192.0.2.10:8443", "address": "192.0.2.11"}, ["endpoint-invalid", "node-address-missing"], 1),
]


@pytest.mark.parametrize(("given", "ignored", "count"), IGNORED, ids=str)
def test_faults_that_the_user_lets_pass(given: dict[str, Any], ignored: list[str], count: int) -> None:
    settings = {"load_balancer": "haproxy", "balancers": PLANES, "control_planes": PLANES, "ignored": ignored, **given}
    assert len(endpoint_faults(settings)) == count


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="vip"):
        endpoint_faults({"vip": "192.0.2.10"})


@pytest.mark.parametrize(
    ("address", "name"),
    [("192.0.2.1", "eth0"), ("192.0.2.2", "eth0"), ("2001:db8::1", "bond-0"), ("192.0.2.3", "")],
)
def test_interface_of_an_address(address: str, name: str) -> None:
    facts = {
        "interfaces": ["eth0", "bond-0", "down"],
        "default_ipv4": {"address": "192.0.2.1", "interface": "eth0"},
        "down": {"device": "down"},
        "eth0": {"device": "eth0", "ipv4": {"address": "192.0.2.1"}, "ipv4_secondaries": [{"address": "192.0.2.2"}]},
        "bond_0": {"device": "bond-0", "ipv6": [{"address": "fe80::1"}, {"address": "2001:db8::1"}]},
    }
    assert interface_of(address, facts) == name


def cluster(load_balancer: str, planes: int = 2, balancers: int = 0, **variables: Any) -> dict[str, Any]:
    """Inventory groups of one cluster; group names and host names begin with the cluster's."""
    name = variables.pop("name", load_balancer)

    def hosts(prefix: str, count: int, first: int) -> dict[str, Any]:
        return {f"{name}-{prefix}-{n}": {"kubernetes_node_ip": f"192.0.2.{first + n}"} for n in range(1, count + 1)}

    reported = ("api_load_balancer", "control_plane_group", "load_balancer_group", "node_group")
    own = ", ".join(f"'kubernetes_{variable}': kubernetes_{variable}" for variable in reported)
    groups = {f"{name}_{group}" for group in ("planes", "nodes", "balancers")}
    return {
        "vars": {
            "kubernetes_api_load_balancer": load_balancer,
            "kubernetes_control_plane_group": f"{name}_planes",
            "kubernetes_node_group": f"{name}_nodes",
            "kubernetes_load_balancer_group": f"{name}_balancers",
            "__endpoint_inventory": {"hosts": f"{{{{ {{inventory_hostname: {{{own}}}}} }}}}"},
            **variables,
        },
        "children": {
            group: {
                "hosts": hosts("cp", planes, 10)
                if group.endswith("planes")
                else hosts("node", 1, 30)
                if group.endswith("nodes")
                else hosts("lb", balancers, 20)
            }
            for group in sorted(groups)
        },
    }


CLUSTERS: list[dict[str, Any]] = [
    cluster("external"),
    cluster("haproxy", planes=3, kubernetes_api_endpoint="192.0.2.50:8443"),
    cluster(
        "haproxy",
        name="dedicated",
        balancers=1,
        kubernetes_api_endpoint="api.example.com",
        endpoint_virtual_ip="192.0.2.51",
        endpoint_interface="bond0",
        endpoint_haproxy_config="frontend more\n    bind 127.0.0.1:9\n\n",
    ),
    cluster("local"),
    cluster(
        "kube_vip",
        kubernetes_api_endpoint="192.0.2.52:6443",
        endpoint_kube_vip_environment={"vip_leaseduration": 15, "vip_loglevel": "5"},
        __endpoint_node={"role": "none", "interrupted": ""},
    ),
    cluster(
        "kube_vip",
        name="running",
        kubernetes_api_endpoint="192.0.2.53:6443",
        endpoint_kube_vip_image="mirror.example.com/kube-vip:v1",
        __endpoint_node={"role": "control_plane", "interrupted": ""},
    ),
    cluster(
        "kube_vip",
        name="own",
        kubernetes_api_endpoint="192.0.2.55:6443",
        endpoint_kube_vip_environment={"vip_leasename": "mine", "svc_enable": "true", "lb_enable": False},
        __endpoint_node={"role": "control_plane", "interrupted": ""},
        __endpoint_kube_vip_client={"found": "f00d", "fingerprint": "new"},
    ),
    cluster(
        "kube_vip",
        name="lost",
        kubernetes_api_endpoint="192.0.2.56:6443",
        __endpoint_node={"role": "control_plane", "interrupted": ""},
        __endpoint_kube_vip_client={"found": "", "fingerprint": "new"},
    ),
    cluster(
        "kube_vip",
        name="rules",
        kubernetes_api_endpoint="192.0.2.57:6443",
        endpoint_kube_vip_environment={"svc_enable": "true"},
        endpoint_kube_vip_rules=[{"apiGroups": [""], "resources": ["services"], "verbs": ["watch"]}],
        __endpoint_node={"role": "control_plane", "interrupted": ""},
        __endpoint_kube_vip_client={"found": "", "fingerprint": "beef"},
        __endpoint_kube_vip_certificate="{{ __endpoint_kube_vip_client.fingerprint }}",
    ),
    cluster(
        "kube_vip",
        name="old",
        kubernetes_version="1.28.0",
        kubernetes_api_endpoint="192.0.2.54:6443",
        __endpoint_node={"role": "none", "interrupted": ""},
    ),
]
FACTS = {
    "interfaces": ["lo", "eth0"],
    "lo": {"device": "lo", "ipv4": {"address": "127.0.0.1"}, "ipv6": [{"address": "::1"}]},
    "eth0": {
        "device": "eth0",
        "ipv4": {"address": "192.0.2.11"},
        "ipv4_secondaries": [{"address": f"192.0.2.{number}"} for number in range(12, 40)],
    },
}
TAKES_PART = "{{ (%s if __endpoint_takes_part and kubernetes_api_load_balancer in %s else []) }}"
SHOWN = {
    "preparations": "{{ __endpoint_preparations }}",
    "takes_part": "{{ __endpoint_takes_part }}",
    "faults": "{{ __endpoint_faults }}",
    "unknown": "{{ __endpoint_without_facts }}",
    "begins": "{{ __endpoint_begins if kubernetes_api_load_balancer == 'kube_vip' else false }}",
    "haproxy": TAKES_PART % ("__endpoint_haproxy_files", "['haproxy', 'local']"),
    "keepalived": TAKES_PART % ("__endpoint_keepalived_files", "['haproxy']"),
    "kube_vip": TAKES_PART % ("__endpoint_kube_vip_files", "['kube_vip']"),
    "rights": TAKES_PART % ("__endpoint_kube_vip_rights", "['kube_vip']"),
    "rights_host": "{{ __endpoint_kube_vip_rights_host if kubernetes_api_load_balancer == 'kube_vip' else '' }}",
}


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("endpoint")
    names = [next(iter(item["children"])).rpartition("_")[0] for item in CLUSTERS]
    return render(folder, "endpoint", {"children": dict(zip(names, CLUSTERS))}, FACTS, SHOWN)


def content(host: dict[str, Any], path: str) -> str:
    return next(
        item["content"] for kind in ("haproxy", "keepalived", "kube_vip") for item in host[kind] if item["path"] == path
    )


def pod(host: dict[str, Any]) -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load(content(host, "/etc/kubernetes/manifests/kube-vip.yaml"))
    return manifest


PARTS = [
    # host, what is done before, whether it has a part
    ("external-cp-1", ["leave"], False),
    ("external-node-1", [], False),
    ("haproxy-cp-3", ["check"], True),
    ("haproxy-node-1", [], False),
    ("dedicated-cp-1", ["check", "leave"], False),
    ("dedicated-lb-1", ["check"], True),
    ("dedicated-node-1", [], False),
    ("local-cp-1", ["check", "leave"], True),
    ("local-node-1", ["check"], True),
    ("kube_vip-cp-2", ["check", "leave"], True),
    ("kube_vip-node-1", [], False),
]


@pytest.mark.parametrize(("host", "preparations", "takes_part"), PARTS)
def test_who_takes_part(hosts: dict[str, dict[str, Any]], host: str, preparations: list[str], takes_part: bool) -> None:
    shown = hosts[host]
    assert (shown["preparations"], shown["takes_part"]) == (preparations, takes_part)
    assert shown["unknown"] == []


def test_these_settings_have_no_faults(hosts: dict[str, dict[str, Any]]) -> None:
    faults = {name: host["faults"] for name, host in hosts.items() if host["faults"]}
    # The cluster own turns services on without the rules for them.
    assert {host for host in faults if hosts[host]["takes_part"]} == {"own-cp-1", "own-cp-2"}
    assert all(len(texts) == 1 and "sets svc_enable, for which" in texts[0] for texts in faults.values())


def test_haproxy_leads_to_all_control_planes(hosts: dict[str, dict[str, Any]]) -> None:
    text = content(hosts["haproxy-cp-2"], "/etc/haproxy/haproxy.cfg")
    assert re.findall(r"^    server (.*)$", text, re.MULTILINE) == [
        f"haproxy-cp-{number} 192.0.2.1{number}:6443" for number in (1, 2, 3)
    ]
    assert re.findall(r"^    bind (.*)$", text, re.MULTILINE) == ["0.0.0.0:8443 tcp-ut 60s", "127.0.0.1:8404"]
    assert "balance leastconn" in text
    assert " inter 1s " in text
    assert hosts["haproxy-cp-2"]["haproxy"][0]["validate"] == "haproxy -c -f %s"


def test_haproxy_of_each_node(hosts: dict[str, dict[str, Any]]) -> None:
    text = content(hosts["local-node-1"], "/etc/haproxy/haproxy.cfg")
    assert re.findall(r"^    bind (.*)$", text, re.MULTILINE) == ["127.0.0.1:7443 tcp-ut 60s", "[::1]:7443 tcp-ut 60s"]
    assert "balance random" in text
    assert " inter 10s " in text
    assert hosts["local-node-1"]["keepalived"] == []


def test_further_sections_stand_at_the_end(hosts: dict[str, dict[str, Any]]) -> None:
    text = content(hosts["dedicated-lb-1"], "/etc/haproxy/haproxy.cfg")
    assert text.endswith("    monitor-uri /\n\nfrontend more\n    bind 127.0.0.1:9\n")
    # Without a port, the endpoint has the API server's.
    assert "bind 0.0.0.0:6443 " in text


def test_keepalived_knows_its_peers(hosts: dict[str, dict[str, Any]]) -> None:
    texts = [content(hosts[f"haproxy-cp-{number}"], "/etc/keepalived/keepalived.conf") for number in (1, 2, 3)]
    assert [re.findall(r"priority (\d+)", text) for text in texts] == [["254"], ["169"], ["84"]]
    assert re.findall(r"192\.0\.2\.\S+", texts[1]) == ["192.0.2.12", "192.0.2.11", "192.0.2.13", "192.0.2.50/32"]
    assert "    interface eth0\n" in texts[1]
    assert 'script "/usr/libexec/keepalived/kubernetes-api 8404"' in texts[1]
    # The initial state of each must be BACKUP, or nopreempt has no effect.
    assert all("state BACKUP" in text and "nopreempt" in text for text in texts)


def test_a_load_balancer_alone_has_no_peers(hosts: dict[str, dict[str, Any]]) -> None:
    text = content(hosts["dedicated-lb-1"], "/etc/keepalived/keepalived.conf")
    assert "unicast" not in text
    assert "        192.0.2.51/32\n" in text
    assert "    interface bond0\n" in text


def test_kube_vip_of_the_control_plane_that_initializes(hosts: dict[str, dict[str, Any]]) -> None:
    assert [hosts[f"kube_vip-cp-{number}"]["begins"] for number in (1, 2)] == [True, False]
    manifest = pod(hosts["kube_vip-cp-1"])
    spec = manifest["spec"]
    container = spec["containers"][0]
    assert spec["volumes"][0]["hostPath"]["path"] == "/etc/kubernetes/super-admin.conf"
    assert container["volumeMounts"][0]["mountPath"] == "/etc/kubernetes/admin.conf"
    assert container["image"] == "ghcr.io/kube-vip/kube-vip:v1.2.3"
    assert container["securityContext"]["capabilities"] == {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]}
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert all(isinstance(value, str) for value in environment.values())
    wanted = {
        "address": "192.0.2.52",
        "port": "6443",
        "vip_interface": "eth0",
        "vip_subnet": "32",
        "vip_nodename": "kube_vip-cp-1",
        "vip_leaseduration": "15",
        "vip_loglevel": "5",
    }
    assert {name: environment[name] for name in wanted} == wanted


@pytest.mark.parametrize(("host", "certificate"), [("own-cp-1", "f00d"), ("own-cp-2", "f00d"), ("rules-cp-1", "beef")])
def test_kube_vip_with_its_own_kubeconfig(hosts: dict[str, dict[str, Any]], host: str, certificate: str) -> None:
    path = "/etc/kubernetes/kube-vip.conf"
    manifest = pod(hosts[host])
    assert manifest["metadata"]["annotations"] == {"groundwork.kubernetes/certificate": certificate}
    assert manifest["spec"]["volumes"][0]["hostPath"]["path"] == path
    assert manifest["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] == "/etc/kubernetes/admin.conf"
    assert hosts[host]["kube_vip"][0] == {"path": path, "source": path, "mode": "0600"}


def test_kube_vip_whose_own_kubeconfig_is_of_no_use(hosts: dict[str, dict[str, Any]]) -> None:
    manifest = pod(hosts["lost-cp-1"])
    assert manifest["spec"]["volumes"][0]["hostPath"]["path"] == "/etc/kubernetes/admin.conf"
    assert "annotations" not in manifest["metadata"]
    assert [item["path"] for item in hosts["lost-cp-1"]["kube_vip"]] == ["/etc/kubernetes/manifests/kube-vip.yaml"]


def test_rights_of_kube_vip(hosts: dict[str, dict[str, Any]]) -> None:
    role, _binding, more, _more_binding = hosts["own-cp-1"]["rights"]
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]] == [
        (["create"], None),
        (["get", "update"], ["mine"]),
    ]
    assert more["rules"] == []
    assert hosts["rules-cp-1"]["rights"][2]["rules"] == [
        {"apiGroups": [""], "resources": ["services"], "verbs": ["watch"]}
    ]
    for host in ("own-cp-1", "rules-cp-2"):
        for item in hosts[host]["rights"][1::2]:
            assert item["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "kube-vip"}]


def test_one_host_gives_kube_vip_its_rights(hosts: dict[str, dict[str, Any]]) -> None:
    named = {host: hosts[host]["rights_host"] for host in ("own-cp-1", "own-cp-2", "kube_vip-cp-1", "kube_vip-cp-2")}
    assert set(named.values()) == {"own-cp-1", "kube_vip-cp-1"}


@pytest.mark.parametrize("host", ["running-cp-1", "running-cp-2", "old-cp-1"])
def test_kube_vip_with_the_administrators_kubeconfig(hosts: dict[str, dict[str, Any]], host: str) -> None:
    assert pod(hosts[host])["spec"]["volumes"][0]["hostPath"]["path"] == "/etc/kubernetes/admin.conf"


def test_kube_vip_from_a_mirror(hosts: dict[str, dict[str, Any]]) -> None:
    assert pod(hosts["running-cp-1"])["spec"]["containers"][0]["image"] == "mirror.example.com/kube-vip:v1"


def test_manifest_is_for_root_alone(hosts: dict[str, dict[str, Any]]) -> None:
    assert hosts["kube_vip-cp-1"]["kube_vip"][0]["mode"] == "0600"


@pytest.mark.parametrize("code", [0, 5])
def test_keepalived_is_told_of_what_its_own_test_found(
    hosts: dict[str, dict[str, Any]], tmp_path: Path, code: int
) -> None:
    """The test of keepalived 2.2 ends with a signal to its own process group where the configuration has a script."""
    unit = content(hosts["haproxy-cp-1"], "/etc/systemd/system/keepalived.service.d/groundwork.conf")
    first = next(line for line in unit.splitlines() if line.startswith("ExecReload=/")).partition("=")[2]
    keepalived = tmp_path / "keepalived"
    keepalived.write_text(f"#!/bin/sh\nkill -TERM 0\nexit {code}\n")
    keepalived.chmod(0o755)
    command = shlex.split(first.replace("/usr/sbin/keepalived", str(keepalived)))
    assert subprocess.run(command, start_new_session=True, check=False).returncode == code
