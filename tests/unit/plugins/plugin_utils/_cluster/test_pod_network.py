"""The shared inputs of pod networks in the objects of each plugin. The manifests are shaped like the projects' own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifests import network_of, render
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import overhead
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network_objects import ANNOTATION

Object = dict[str, Any]
V4, DUAL = "10.244.0.0/16", "10.244.0.0/16,fd00:10::/56"
HOST_IP = {"valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}


def of(kind: str, name: str, version: str = "v1", **rest: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}


def daemon_set(name: str, *containers: Object) -> Object:
    return of("DaemonSet", name, "apps/v1", spec={"template": {"spec": {"containers": list(containers)}}})


def crd(name: str) -> Object:
    plural, _dot, group = name.partition(".")
    versions = [{"name": "v1", "served": True, "storage": True}]
    names = {"plural": plural, "kind": "IPPool"}
    spec = {"group": group, "names": names, "scope": "Cluster", "versions": versions}
    return of("CustomResourceDefinition", name, "apiextensions.k8s.io/v1", spec=spec)


def flannel(**backend: Any) -> list[Object]:
    delegate = {"hairpinMode": True, "isDefaultGateway": True}
    plugins = [{"type": "flannel", "delegate": delegate}, {"type": "portmap"}]
    data = {
        "cni-conf.json": json.dumps({"name": "cbr0", "plugins": plugins}),
        "net-conf.json": json.dumps({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", **backend}}),
    }
    container = {
        "name": "kube-flannel",
        "image": "ghcr.io/flannel-io/flannel:v0.28.9",
        "args": ["--ip-masq", "--kube-subnet-mgr"],
        "env": [{"name": "EVENT_QUEUE_DEPTH", "value": "5000"}],
    }
    return [of("ConfigMap", "kube-flannel-cfg", data=data), daemon_set("kube-flannel-ds", container)]


def calico(image: str = "quay.io/calico/node:v3.32.1", pools: str = "ippools.crd.projectcalico.org") -> list[Object]:
    text = '{"plugins": [{"type": "calico", "mtu": __CNI_MTU__, "ipam": {"type": "calico-ipam"}}]}'
    data = {"calico_backend": "bird", "veth_mtu": "0", "cni_network_config": text}
    env = [
        {"name": "IP", "value": "autodetect"},
        {"name": "CALICO_IPV4POOL_IPIP", "value": "Always"},
        {"name": "CALICO_IPV4POOL_VXLAN", "value": "Never"},
        {"name": "FELIX_IPV6SUPPORT", "value": "false"},
    ]
    node = daemon_set("calico-node", {"name": "calico-node", "image": image, "env": env})
    return [of("ConfigMap", "calico-config", data=data), crd(pools), node]


def canal() -> list[Object]:
    net = json.dumps({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan"}})
    data = {"canal_iface": "", "masquerade": "true", "veth_mtu": "0", "net-conf.json": net}
    node = {"name": "calico-node", "image": "quay.io/calico/node:v3.32.1", "env": [{"name": "IP", "value": ""}]}
    own = {"name": "FLANNELD_IFACE", "valueFrom": {"configMapKeyRef": {"name": "canal-config", "key": "canal_iface"}}}
    command = ["/opt/bin/flanneld", "--ip-masq", "--kube-subnet-mgr"]
    image = "docker.io/flannel/flannel:v0.24.4"
    other = {"name": "kube-flannel", "image": image, "command": command, "env": [own]}
    return [
        of("ConfigMap", "canal-config", data=data),
        crd("ippools.crd.projectcalico.org"),
        daemon_set("canal", node, other),
    ]


def installation(**network: Any) -> list[Object]:
    return [of("Installation", "default", "operator.tigera.io/v1", spec={"calicoNetwork": network} if network else {})]


def made(objects: list[Object], plugin: str, pod_cidr: str = V4, patches: Any = (), **network: Any) -> list[Object]:
    return render(objects, {}, None, patches, {"plugin": plugin, "pod_cidr": pod_cidr, **network})


def the(objects: list[Object], kind: str) -> Object:
    return next(item for item in objects if item["kind"] == kind)


def containers(objects: list[Object]) -> dict[str, Object]:
    return {one["name"]: one for one in the(objects, "DaemonSet")["spec"]["template"]["spec"]["containers"]}


def env(container: Object) -> dict[str, Any]:
    return {one["name"]: one.get("value", one.get("valueFrom")) for one in container["env"]}


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, {"Type": "vxlan"}),
        ({"mtu": 1400}, {"Type": "vxlan", "MTU": 1450}),
        ({"encapsulation": "cross-subnet"}, {"Type": "vxlan", "DirectRouting": True}),
        ({"encapsulation": "never", "mtu": 1500}, {"Type": "host-gw"}),
        ({"wireguard": True, "mtu": 1420}, {"Type": "wireguard", "MTU": 1500}),
        ({"wireguard": "yes"}, {"Type": "wireguard"}),
    ],
)
def test_backends_of_flannel(network: dict[str, Any], expected: dict[str, Any]) -> None:
    for objects, plugin in ((flannel(), "flannel"), (canal(), "canal")):
        data = the(made(objects, plugin, **network), "ConfigMap")["data"]
        assert json.loads(data["net-conf.json"])["Backend"] == expected


def test_what_flannel_had_stays_where_its_kind_does() -> None:
    objects = flannel(VNI=7, DirectRouting=True)
    for network, expected in (({}, {"Type": "vxlan", "VNI": 7}), ({"encapsulation": "never"}, {"Type": "host-gw"})):
        data = the(made(objects, "flannel", **network), "ConfigMap")["data"]
        assert json.loads(data["net-conf.json"])["Backend"] == expected


def test_routes_of_flannel_have_the_mtu_in_the_cni_configuration() -> None:
    data = the(made(flannel(), "flannel", encapsulation="never", mtu=1400), "ConfigMap")["data"]
    delegate = {"hairpinMode": True, "isDefaultGateway": True, "mtu": 1400}
    assert json.loads(data["cni-conf.json"])["plugins"][0]["delegate"] == delegate


def test_flannel_uses_the_interface_of_the_nodes_address_and_masquerades() -> None:
    for objects, plugin in ((flannel(), "flannel"), (canal(), "canal")):
        container = containers(made(objects, plugin))["kube-flannel"]
        assert env(container)["FLANNELD_IFACE"] == HOST_IP["valueFrom"]
        assert "--ip-masq" in [*container.get("args", []), *container.get("command", [])]
        other = containers(made(objects, plugin, interface="eth1", masquerade=False))["kube-flannel"]
        assert env(other)["FLANNELD_IFACE"] == "eth1"
        assert "--ip-masq" not in [*other.get("args", []), *other.get("command", [])]
        assert "--kube-subnet-mgr" in [*other.get("args", []), *other.get("command", [])]


def test_canal_has_the_mtu_and_no_masquerading_in_its_configuration() -> None:
    objects = made(canal(), "canal", mtu=1400, masquerade=False)
    data = the(objects, "ConfigMap")["data"]
    assert (data["veth_mtu"], data["masquerade"]) == ("1400", "false")
    assert env(containers(objects)["calico-node"]) == {"IP": ""}
    assert "IPPool" not in [item["kind"] for item in objects]


POOL = {
    "cidr": V4,
    "blockSize": 26,
    "ipipMode": "Never",
    "vxlanMode": "Always",
    "natOutgoing": True,
    "nodeSelector": "all()",
    "allowedUses": ["Workload", "Tunnel"],
}


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, {}),
        ({"tunnel": "ipip"}, {"ipipMode": "Always", "vxlanMode": "Never"}),
        ({"tunnel": "ipip", "encapsulation": "cross-subnet"}, {"ipipMode": "CrossSubnet", "vxlanMode": "Never"}),
        ({"encapsulation": "cross-subnet"}, {"vxlanMode": "CrossSubnet"}),
        ({"encapsulation": "never"}, {"vxlanMode": "Never"}),
        ({"block_size": "24", "masquerade": False}, {"blockSize": 24, "natOutgoing": False}),
    ],
)
def test_pools_of_calico(network: dict[str, Any], expected: dict[str, Any]) -> None:
    """The same in the pool and in what calico-node would make it of, and the pool comes first."""
    objects = made(calico(), "calico", **network)
    pool = {**POOL, **expected}
    assert the(objects, "IPPool")["spec"] == pool
    assert [item["kind"] for item in objects] == ["CustomResourceDefinition", "IPPool", "ConfigMap", "DaemonSet"]
    given = env(containers(objects)["calico-node"])
    assert {name: given[f"CALICO_IPV4POOL_{name}"] for name in ("CIDR", "IPIP", "VXLAN", "BLOCK_SIZE")} == {
        "CIDR": V4,
        "IPIP": pool["ipipMode"],
        "VXLAN": pool["vxlanMode"],
        "BLOCK_SIZE": str(pool["blockSize"]),
    }
    assert given["CALICO_IPV4POOL_NAT_OUTGOING"] == str(pool["natOutgoing"]).lower()


def test_no_pool_where_calico_has_other_definitions() -> None:
    objects = made(calico(pools="ippools.projectcalico.org"), "calico")
    assert "IPPool" not in [item["kind"] for item in objects]


def test_calico_with_both_ip_versions() -> None:
    objects = made(calico(), "calico", DUAL, tunnel="ipip", mtu=1400)
    pools = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "IPPool"}
    assert (pools["default-ipv6-ippool"]["cidr"], pools["default-ipv6-ippool"]["blockSize"]) == ("fd00:10::/56", 122)
    # There is no IP in IP for IPv6.
    assert pools["default-ipv6-ippool"]["ipipMode"] == pools["default-ipv6-ippool"]["vxlanMode"] == "Never"
    data = the(objects, "ConfigMap")["data"]
    assert data["veth_mtu"] == "1400"
    assert '"mtu": __CNI_MTU__' in data["cni_network_config"]
    plugin = json.loads(data["cni_network_config"].replace("__CNI_MTU__", "1"))["plugins"][0]
    assert plugin["ipam"] == {"type": "calico-ipam", "assign_ipv4": "true", "assign_ipv6": "true"}
    given = env(containers(objects)["calico-node"])
    assert (given["IP"], given["IP6"], given["FELIX_IPV6SUPPORT"]) == ("autodetect", "autodetect", "true")
    assert given["IP_AUTODETECTION_METHOD"] == given["IP6_AUTODETECTION_METHOD"] == "kubernetes-internal-ip"


@pytest.mark.parametrize(
    ("pod_cidr", "network", "expected"),
    [
        (V4, {}, {"IP": "autodetect", "IP_AUTODETECTION_METHOD": "kubernetes-internal-ip"}),
        (V4, {"interface": "eth1"}, {"IP": "autodetect", "IP_AUTODETECTION_METHOD": "interface=eth1"}),
        (V4, {"wireguard": True}, {"FELIX_WIREGUARDENABLED": "true"}),
        (DUAL, {"wireguard": True}, {"FELIX_WIREGUARDENABLED": "true", "FELIX_WIREGUARDENABLEDV6": "true"}),
        ("fd00:10::/56", {}, {"IP": "none", "IP6": "autodetect", "CALICO_ROUTER_ID": "hash"}),
    ],
)
def test_the_environment_of_calico(pod_cidr: str, network: dict[str, Any], expected: dict[str, Any]) -> None:
    given = env(containers(made(calico(), "calico", pod_cidr, **network))["calico-node"])
    assert {name: given.get(name) for name in expected} == expected
    for name in ("FELIX_WIREGUARDENABLED", "FELIX_WIREGUARDENABLEDV6", "CALICO_ROUTER_ID"):
        assert (name in given) == (name in expected)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, {"bgp": "Disabled", "pools": ["VXLAN"]}),
        ({"encapsulation": "cross-subnet"}, {"bgp": "Disabled", "pools": ["VXLANCrossSubnet"]}),
        ({"encapsulation": "never"}, {"bgp": "Enabled", "pools": ["None"]}),
        ({"tunnel": "ipip"}, {"bgp": "Enabled", "pools": ["IPIP"]}),
        ({"tunnel": "ipip", "encapsulation": "cross-subnet"}, {"bgp": "Enabled", "pools": ["IPIPCrossSubnet"]}),
        ({"bgp_peers": [{"address": "192.0.2.1", "as_number": 64513}]}, {"bgp": "Enabled", "pools": ["VXLAN"]}),
        ({"pod_cidr": DUAL, "tunnel": "ipip"}, {"bgp": "Enabled", "pools": ["IPIP", "None"]}),
    ],
)
def test_calicos_operator(network: dict[str, Any], expected: dict[str, Any]) -> None:
    calico_network = the(made(installation(), "calico", **network), "Installation")["spec"]["calicoNetwork"]
    assert calico_network["bgp"] == expected["bgp"]
    assert [pool["encapsulation"] for pool in calico_network["ipPools"]] == expected["pools"]
    assert calico_network["nodeAddressAutodetectionV4"] == {"kubernetes": "NodeInternalIP"}


def test_calicos_operator_keeps_what_is_not_asked_for() -> None:
    before = {
        "linuxDataplane": "BPF",
        "ipPools": [{"cidr": "192.168.0.0/16", "name": "mine", "nodeSelector": "x == 'y'"}],
    }
    network = {"mtu": 1400, "interface": "eth1", "block_size": 24, "masquerade": False}
    assert the(made(installation(**before), "calico", **network), "Installation")["spec"]["calicoNetwork"] == {
        "linuxDataplane": "BPF",
        "bgp": "Disabled",
        "mtu": 1400,
        "nodeAddressAutodetectionV4": {"interface": "eth1"},
        "ipPools": [
            {
                "name": "mine",
                "nodeSelector": "x == 'y'",
                "cidr": V4,
                "blockSize": 24,
                "encapsulation": "VXLAN",
                "natOutgoing": "Disabled",
            }
        ],
    }


def test_pods_are_made_anew_when_a_configuration_changes() -> None:
    def mark(objects: list[Object]) -> str:
        return str(the(objects, "DaemonSet")["spec"]["template"]["metadata"]["annotations"][ANNOTATION])

    patch = {"kind": "ConfigMap", "name": "kube-flannel-cfg", "patch": {"data": {"more": "x"}}}
    marks = [mark(made(flannel(), "flannel", mtu=mtu)) for mtu in (1400, 1400, 1300)]
    assert marks[0] == marks[1] != marks[2]
    assert mark(made(flannel(), "flannel", patches=[patch], mtu=1400)) != marks[0]
    assert ANNOTATION not in str(made(installation(), "calico"))


def test_a_change_of_the_image_alone_is_refused() -> None:
    containers_of = {"name": "calico-node", "image": "quay.io/calico/node:v3.33.0"}
    inner = {"spec": {"template": {"spec": {"containers": [containers_of]}}}}
    patch = {"kind": "DaemonSet", "name": "calico-node", "patch": inner}
    with pytest.raises(ManifestError, match=r"image quay.io/calico/node:v3.33.0, and cni_calico_version is 3.32.1"):
        made(calico(), "calico", patches=[patch], version="3.32.1")
    with pytest.raises(ManifestError, match=r"cni_calico_version is 3.31.7: it takes the manifest of its version"):
        made(canal(), "canal", version="3.31.7")
    # Flannel's own container in Canal has Flannel's version, and a digest alone tells none.
    made(canal(), "canal", version="3.32.1")
    made(calico("quay.io/calico/node@sha256:" + "0" * 64), "calico", version="3.33.0")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"plugin": "calico", "colour": 1}, "network has colour, which is not known here; it takes bgp_as_number, "),
        ({"plugin": "weave"}, "network has the plugin 'weave'"),
        ({"plugin": "flannel", "tunnel": "ipip"}, "flannel has no encapsulation always by ipip"),
        ({"plugin": "calico", "pod_cidr": "10.0.0.1/8"}, "has host bits set"),
    ],
)
def test_mistakes(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        network_of(given)


def test_the_status_of_a_definition_is_the_servers() -> None:
    definition = {**crd("ippools.crd.projectcalico.org"), "status": {"acceptedNames": {"kind": "", "plural": ""}}}
    (found,) = render([definition], {}, None, [])
    assert "status" not in found
    assert "status" in definition


def test_configurations_that_cannot_be_read() -> None:
    objects = flannel()
    objects[0]["data"]["net-conf.json"] = "{"
    with pytest.raises(ManifestError, match=r"net-conf.json of ConfigMap kube-flannel-cfg is no JSON"):
        made(objects, "flannel")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"plugin": "flannel"}, (50, 70)),
        ({"plugin": "flannel", "encapsulation": "never"}, (0, 0)),
        ({"plugin": "flannel", "wireguard": True}, (80, 80)),
        ({"plugin": "calico", "tunnel": "ipip"}, (20, 40)),
        ({"plugin": "calico", "tunnel": "ipip", "wireguard": True}, (60, 80)),
        ({"plugin": "calico", "encapsulation": "never", "wireguard": True}, (60, 80)),
        ({"plugin": "cilium", "tunnel": "geneve"}, (50, 70)),
        ({"plugin": "cilium", "wireguard": True}, (130, 150)),
        ({"plugin": "bridge", "encapsulation": "cross-subnet"}, (50, 70)),
    ],
)
def test_overheads(network: dict[str, Any], expected: tuple[int, int]) -> None:
    made_of = network_of(network)
    assert (overhead(made_of, 4), overhead(made_of, 6)) == expected
