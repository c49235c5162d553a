# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What changes interrupt for a while: who notices, and how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.effects import OURS


@dataclass(frozen=True)
class Interruption:
    """What stops on a host, and what that means meanwhile."""

    host: str
    what: str
    meanwhile: str


API_SERVER = "does not answer until its new process is ready, which takes up to a minute; other control planes do"
LEADER = "works until another one or the new one leads: 15 s, for the lease"
# By what is restarted; units without their ending.
RESTARTED: Mapping[str, str] = {
    "the host": "everything on it stops until it is back; pods are evicted first",
    "etcd": "the member is away for seconds; without the quorum of others nothing is written meanwhile",
    "kube-apiserver": API_SERVER,
    "kube-controller-manager": f"none {LEADER}",
    "kube-scheduler": f"none {LEADER}",
    "kubelet": "no pod is started or ended there for seconds; pods go on",
    "containerd": "no container is started there for seconds; containers go on",
    "crio": "no container is started there for seconds; containers go on",
    "docker": "containers there end and start again, unless live-restore is on",
    "haproxy": "connections to the API through it are cut, and can be made again within seconds",
    "keepalived": "the virtual address moves to another host, within seconds",
    "kube-proxy": "services work; changes of their endpoints arrive seconds late",
    "coredns": "its pods are replaced one after the other; names are answered",
}
# By what kubeadm applies of its configuration.
APPLIED: Mapping[str, Sequence[str]] = {
    "control-plane": ("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    "kubelet": ("kubelet",),
    "kubelet-arguments": ("kubelet",),
    "kube-proxy": ("kube-proxy",),
    "restart-kube-proxy": ("kube-proxy",),
    "coredns": ("coredns",),
}


def interruptions(host: str, module: str, effects: Mapping[str, Sequence[str]]) -> Iterator[Interruption]:
    """What the effects of a task interrupt on a host."""
    names = [name.removesuffix(".service") for name in effects.get("restarted", ())]
    names += [name for step in effects.get("applied", ()) for name in APPLIED.get(step, ())]
    if module == f"{OURS}kubeadm_join" and effects.get("settings"):
        names.append("kubelet")
    for name in dict.fromkeys(names):
        if name in RESTARTED:
            yield Interruption(host, name, RESTARTED[name])


def grouped(found: Iterable[Interruption]) -> list[tuple[list[str], str, str]]:
    """The same for people: the hosts with one, in their order."""
    alike: dict[tuple[str, str], list[str]] = {}
    for one in found:
        hosts = alike.setdefault((one.what, one.meanwhile), [])
        if one.host not in hosts:
            hosts.append(one.host)
    return [(hosts, what, meanwhile) for (what, meanwhile), hosts in alike.items()]
