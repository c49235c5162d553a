"""The module pod_network_info, and the network of a pod, by what the kernel and the host's files say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import pod_namespace
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.network_remains import current, present
from ansible_collections.groundwork.kubernetes.plugins.modules import pod_network_info

Run = Callable[..., dict[str, Any]]
LINKS = [
    {"ifname": "lo", "mtu": 65536, "addr_info": [{"local": "127.0.0.1"}]},
    {"ifname": "eth0", "mtu": 1500, "addr_info": [{"local": "192.0.2.1"}, {"local": "fd00::1"}]},
    {"ifname": "eth1", "mtu": 9000, "addr_info": [{"local": "198.51.100.1"}]},
    {},
]


@pytest.fixture
def look(run_module: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_args, **_options: "/sbin/ip")
    monkeypatch.setattr(pod_network_info, "CONFIGURATIONS", str(tmp_path / "net.d"))
    monkeypatch.setattr(pod_network_info, "MANAGERS", {"NetworkManager": str(tmp_path / "manager"), "x": "/none"})

    def run(*more: str, **options: Any) -> dict[str, Any]:
        output = json.dumps([*LINKS, *({"ifname": name, "mtu": 1450} for name in more)])
        monkeypatch.setattr(AnsibleModule, "run_command", lambda *_args, **_options: (0, output, ""))
        return run_module(pod_network_info, **options)

    return run


@pytest.mark.parametrize(
    ("addresses", "interface", "mtu"),
    [
        (["198.51.100.1", "fd00::1"], "eth1", 9000),
        (["fd00:0::1"], "eth0", 1500),
        (["203.0.113.9", "192.0.2.1"], "eth0", 1500),
        (["203.0.113.9"], "", 0),
        ([], "", 0),
    ],
)
def test_the_interface_of_the_node(look: Run, addresses: list[str], interface: str, mtu: int) -> None:
    found = look(addresses=addresses)
    assert (found["interface"], found["mtu"], found["changed"]) == (interface, mtu, False)


def test_what_is_there(look: Run, tmp_path: Path) -> None:
    assert look() == {**look(), "tunnel": False, "managers": [], "plugins": {}, "current": ""}
    (tmp_path / "net.d").mkdir()
    (tmp_path / "net.d/10-bridge.conflist").touch()
    (tmp_path / "manager").mkdir()
    found = look("pod-vxlan", "cni0", "veth1234")
    assert (found["tunnel"], found["managers"]) == (True, ["NetworkManager"])
    assert found["plugins"] == {"bridge": ["/etc/cni/net.d/10-bridge.conflist", "pod-vxlan"]}


@pytest.mark.parametrize(
    ("configurations", "links", "found"),
    [
        ([], ["cni0", "docker0", "veth1"], {}),
        (["10-flannel.conflist"], ["flannel.1"], {"flannel": ["/etc/cni/net.d/10-flannel.conflist", "flannel.1"]}),
        # An interface alone may be of a plugin that is gone.
        ([], ["flannel.1", "cali0123456789a", "pod-vxlan"], {}),
        (["10-calico.conflist", "calico-kubeconfig"], [], {"calico": ["/etc/cni/net.d/10-calico.conflist"]}),
        (
            ["10-canal.conflist", "calico-kubeconfig"],
            ["cali0123456789a", "flannel.1"],
            {"canal": ["/etc/cni/net.d/10-canal.conflist", "cali0123456789a", "flannel.1"]},
        ),
        (["05-cilium.conflist"], ["lxc_health"], {"cilium": ["/etc/cni/net.d/05-cilium.conflist", "lxc_health"]}),
        (["87-podman.conflist"], ["lxcbr0", "cni-podman0"], {}),
    ],
)
def test_plugins_by_what_they_leave(configurations: list[str], links: list[str], found: dict[str, Any]) -> None:
    assert present(configurations, links) == found


@pytest.mark.parametrize(
    ("configurations", "plugin"),
    [
        (["10-flannel.conflist", "calico-kubeconfig", "10-calico.conflist"], "calico"),
        (["10-flannel.conflist", "10-bridge.conflist"], "bridge"),
        (["10-flannel.conflist", "00-own.conf"], ""),
        (["calico-kubeconfig"], ""),
        ([], ""),
    ],
)
def test_the_first_configuration_is_what_pods_get(configurations: list[str], plugin: str) -> None:
    assert current(configurations) == plugin


UID = "0a1b2c3d-0000-1111-2222-333344445555"


def process(proc: Path, number: str, cgroup: str, network: Path) -> None:
    (proc / number / "ns").mkdir(parents=True)
    (proc / number / "cgroup").write_text(cgroup)
    (proc / number / "ns/net").symlink_to(network)


@pytest.mark.parametrize(
    "group",
    [
        f"4:pids:/kubepods/besteffort/pod{UID}/0123456789ab",
        f"0::/kubepods.slice/kubepods-besteffort-pod{UID.replace('-', '_')}.slice/cri-containerd-1.scope",
    ],
)
def test_the_process_of_a_pod(tmp_path: Path, group: str) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    own.touch()
    other.touch()
    process(tmp_path / "proc", "self", "", own)
    process(tmp_path / "proc", "7", group, own)  # the runtime's
    process(tmp_path / "proc", "12", group.replace("0a1b", "ffff"), other)
    (tmp_path / "proc/9").mkdir()  # it has ended
    with pytest.raises(pod_namespace.PodError, match=f"belongs to the pod {UID}"):
        pod_namespace.process_of(UID, str(tmp_path / "proc"))
    process(tmp_path / "proc", "105", group, other)
    assert pod_namespace.process_of(UID, str(tmp_path / "proc")) == 105


def test_the_mtu_of_an_interface() -> None:
    assert (pod_namespace.mtu("lo"), pod_namespace.mtu("no-such-link")) == (65536, 0)
