# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates of a host: from the files, and from the ports that serve them. Nothing is changed.

What cannot be read, or does not answer, is said to be so; it never counts as good, and never as gone.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import read_address
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    Certificate,
    certificates,
    fingerprint,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags, probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.served import served_certificate
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import kubeconfig, manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import (
    AUTHORITIES,
    CLIENTS,
    KubeconfigError,
    data_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import processes

DAY = 86400.0
# What kubeadm renews: by its names for it the file below its folder, and the authority that signs.
FILES = {
    "apiserver": ("apiserver", "ca"),
    "apiserver-kubelet-client": ("apiserver-kubelet-client", "ca"),
    "front-proxy-client": ("front-proxy-client", "front-proxy-ca"),
    "apiserver-etcd-client": ("apiserver-etcd-client", "etcd/ca"),
    "etcd-server": ("etcd/server", "etcd/ca"),
    "etcd-peer": ("etcd/peer", "etcd/ca"),
    "etcd-healthcheck-client": ("etcd/healthcheck-client", "etcd/ca"),
}
KUBECONFIGS = ("admin", "super-admin", "controller-manager", "scheduler")
# Programs that read their kubeconfig when they start, and never again.
READERS = {"controller-manager": "kube-controller-manager", "scheduler": "kube-scheduler"}
AUTHORITY_NAMES = ("ca", "front-proxy-ca", "etcd/ca")
ETCD_NAMES = ("member", "peer", "ca", "peer-ca")
# A kubelet renews its certificates by itself when 10 to 30 percent of their time are left.
KUBELET_PART = 0.1
LOOPBACK, ETCD_PORT = "127.0.0.1", 2379


@dataclass(frozen=True)
class Places:
    """Where things are on the host."""

    kubernetes: str = "/etc/kubernetes"
    kubelet: str = "/var/lib/kubelet"
    etcd: str = "/etc/etcd/pki"
    proc: str = "/proc"


@dataclass(frozen=True)
class Found:
    """One certificate of a host.

    Attributes:
        name: kubeadm's name for it, or another.
        kind: leaf and kubeconfig are renewed by kubeadm, kubelet by the kubelet, etcd by the role etcd, memory by a
            restart, copy from the original. An authority is renewed by nobody here, and given is the user's.
        path: the file; empty for one that is in memory only.
        signer: the authority of kubeadm's that signs it.
        serial: its serial number, in hexadecimal digits.
        user: its common name.
        groups: its organizations.
        begins: since when it holds, in seconds since 1970.
        ends: until when.
        authority: in a kubeconfig, the SHA-256 of the authority's certificate.
        issuer_key: what its authority calls the key that it was signed with; empty if it does not say.
        address: where it is served.
        served: the serial number that is shown there; empty if nothing answers.
        pod: the static pod that runs with an older one.
        error: what could not be read.
    """

    name: str
    kind: str
    path: str
    signer: str = ""
    serial: str = ""
    user: str = ""
    groups: Tuple[str, ...] = ()
    begins: float = 0.0
    ends: float = 0.0
    authority: str = ""
    issuer_key: str = ""
    address: str = ""
    served: str = ""
    pod: str = ""
    error: str = ""

    @classmethod
    def of(cls, value: Dict[str, Any]) -> Found:
        """From what describe gave."""
        return cls(**{**value, "groups": tuple(value["groups"])})

    def describe(self) -> Dict[str, Any]:
        """As a module returns it."""
        return {**vars(self), "groups": list(self.groups)}

    def due(self, days: float, now: float) -> bool:
        """Whether it has to be renewed: less than so many days are left."""
        if not self.ends:  # it is not known
            return False
        limit = days * DAY
        if self.kind in ("kubelet", "memory"):
            limit = min(limit, (self.ends - self.begins) * KUBELET_PART)
        return self.ends - now < limit

    def ended(self, now: float) -> bool:
        """Whether it is known to hold no longer."""
        return bool(self.ends) and self.ends <= now


def _with(found: Found, certificate: Certificate) -> Found:
    return replace(
        found,
        serial=certificate.serial,
        user=certificate.user,
        groups=certificate.groups,
        begins=certificate.begins,
        ends=certificate.ends,
        issuer_key=certificate.issuer_key,
    )


def from_file(found: Found) -> Found:
    """With what the first certificate in the file says."""
    try:
        there = certificates(read_bytes(found.path) or b"")
        if not there:
            return replace(found, error="it holds no certificate")
        return _with(found, parse_certificate(there[0]))
    except (OSError, DerError) as error:
        return replace(found, error=str(error))


def from_kubeconfig(found: Found) -> Found:
    """With what the client's certificate in a kubeconfig says, or the one that it names."""
    try:
        text = (read_bytes(found.path) or b"").decode("utf-8", "replace")
        authorities = certificates(data_of(text, AUTHORITIES))
        found = replace(found, authority=fingerprint(authorities[0]) if authorities else "")
        named = re.findall(r"^\s*client-certificate:\s*['\"]?([^\s'\"]+)['\"]?\s*$", text, re.MULTILINE)
        if named:
            return from_file(replace(found, path=named[0]))
        there = certificates(data_of(text, CLIENTS))
        if not there:
            return replace(found, error="it holds no certificate")
        return _with(found, parse_certificate(there[0]))
    except (OSError, DerError, KubeconfigError) as error:
        return replace(found, error=str(error))


def asked(found: Found, address: Tuple[str, int], pair: Tuple[str, str] = ("", "")) -> Found:
    """With the serial number of what the port shows; for one that is in memory, with all that it says."""
    host, port = address
    found = replace(found, address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    try:
        shown = served_certificate(host, port, pair)
    except (OSError, DerError) as error:
        return replace(found, error=found.error or f"{found.address} does not show its certificate: {error}")
    if not found.path:
        found = _with(found, shown)
    return replace(found, served=shown.serial)


def started_at(process: int, proc: str) -> Optional[float]:
    """When a process was started, in seconds since 1970; None if it has ended."""
    try:
        with open(os.path.join(proc, str(process), "stat"), encoding="utf-8") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        with open(os.path.join(proc, "stat"), encoding="utf-8") as stream:
            booted = next(int(line.split()[1]) for line in stream if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def reads_older(program: str, path: str, proc: str) -> bool:
    """Whether a program in a pod was started before a file became what it is."""
    started = [found for found in (started_at(one, proc) for one in processes(program, proc)) if found is not None]
    return any(os.stat(path).st_mtime > one + 1 for one in started)


class HostCertificates:
    """Reads them."""

    def __init__(self, places: Places, ask: Callable[..., Found] = asked) -> None:
        """Nothing is read yet."""
        self.places, self.ask = places, ask

    def all(self) -> List[Found]:
        """Those of a control plane, of a kubelet and of a member of etcd that systemd runs, where they are there."""
        return [*self.control_plane(), *self.kubelet(), *self.etcd()]

    def _pki(self, name: str) -> str:
        return os.path.join(self.places.kubernetes, "pki", name)

    def has_key(self, authority: str) -> bool:
        """Whether the key of an authority is on this host."""
        return os.path.exists(self._pki(f"{authority}.key"))

    def keys(self) -> List[str]:
        """The authorities whose keys are on this host."""
        return [name for name in AUTHORITY_NAMES if self.has_key(name)]

    def control_plane(self) -> List[Found]:
        """What kubeadm has made, and what the control plane's programs show."""
        if not os.path.exists(manifest(self.places.kubernetes, "kube-apiserver")):
            return []
        found = []
        stacked = os.path.exists(manifest(self.places.kubernetes, "etcd"))
        for name, (file, signer) in FILES.items():
            path = self._pki(f"{file}.crt")
            if os.path.exists(path):
                # With external etcd its authority is elsewhere.
                kind = "leaf" if stacked or signer != "etcd/ca" else "etcd"
                found.append(self._served(from_file(Found(name, kind, path, signer))))
        for name in KUBECONFIGS:
            path = kubeconfig(self.places.kubernetes, name)
            if os.path.exists(path):
                one = from_kubeconfig(Found(f"{name}.conf", "kubeconfig", path, "ca"))
                pod = READERS.get(name, "")
                old = pod and self._manifest(pod) and reads_older(pod, path, self.places.proc)
                found.append(replace(one, pod=pod if old else ""))
        found += [self._in_memory(pod) for pod in READERS.values() if self._manifest(pod)]
        for name in AUTHORITY_NAMES:
            if os.path.exists(self._pki(f"{name}.crt")):
                found.append(from_file(Found(name, "authority", self._pki(f"{name}.crt"))))
        return found

    def _manifest(self, name: str) -> str:
        return (read_bytes(manifest(self.places.kubernetes, name)) or b"").decode("utf-8", "replace")

    def _served(self, found: Found) -> Found:
        """What the API server or etcd shows, for the certificate that it serves."""
        if found.name == "apiserver":
            text = self._manifest("kube-apiserver")
            where = probe(text)
            address = (
                where.host.strip("[]") if where else flags(text).get("advertise-address", LOOPBACK),
                int(flags(text).get("secure-port", "6443")),
            )
            shown, pod = self.ask(found, address), "kube-apiserver"
        elif found.name == "etcd-server" and found.kind == "leaf":
            client = os.path.join(self.places.kubernetes, "pki", "etcd", "healthcheck-client")
            first = urlsplit(flags(self._manifest("etcd")).get("listen-client-urls", "").split(",")[0])
            address = (first.hostname or LOOPBACK, first.port or ETCD_PORT)
            shown, pod = self.ask(found, address, (f"{client}.crt", f"{client}.key")), "etcd"
        else:
            return found
        old = shown.serial and shown.served and shown.serial != shown.served
        return replace(shown, pod=pod if old else "")

    def _in_memory(self, pod: str) -> Found:
        """What a controller manager or scheduler shows: a certificate made at its start, unless it was given one."""
        text = self._manifest(pod)
        path = flags(text).get("tls-cert-file", "")
        found = Found(pod, "given" if path else "memory", path)
        where = probe(text)
        if path:
            found = from_file(found)
        return self.ask(found, (where.host.strip("[]"), where.port)) if where and where.secure else found

    def kubelet(self) -> List[Found]:
        """The kubelet's, as client and as server."""
        path = kubeconfig(self.places.kubernetes, "kubelet")
        if not os.path.exists(path):
            return []
        config = (read_bytes(os.path.join(self.places.kubelet, "config.yaml")) or b"").decode("utf-8", "replace")
        own = os.path.join(self.places.kubelet, "pki", "kubelet.crt")
        signed = os.path.join(self.places.kubelet, "pki", "kubelet-server-current.pem")
        given = _setting(config, "tlsCertFile")
        serving = Found("kubelet-serving", "given" if given else "kubelet", given)
        if not given:
            by_cluster = _setting(config, "serverTLSBootstrap") == "true"
            serving = replace(serving, path=signed if by_cluster else own, signer="ca" if by_cluster else "")
        bound = read_address(_setting(config, "address"))
        host = str(bound) if bound and not bound.is_unspecified else LOOPBACK
        address = (host, int(_setting(config, "port") or 10250))
        found = [from_kubeconfig(Found("kubelet-client", "kubelet", path, "ca"))]
        return [*found, self.ask(from_file(serving), address)]

    def etcd(self) -> List[Found]:
        """Those of a member of etcd that systemd runs."""
        pair = (os.path.join(self.places.etcd, "member.crt"), os.path.join(self.places.etcd, "member.key"))
        found = []
        for name in ETCD_NAMES:
            path = os.path.join(self.places.etcd, f"{name}.crt")
            if os.path.exists(path):
                kind = "authority" if name.endswith("ca") else "etcd"
                one = from_file(Found(f"etcd-{name}", kind, path))
                found.append(self.ask(one, (LOOPBACK, ETCD_PORT), pair) if name == "member" else one)
        return found


def _setting(config: str, name: str) -> str:
    """A setting of the kubelet's configuration, as kubeadm and this collection write it."""
    found = re.search(rf"^{name}:[ \t]*['\"]?([^\s'\"]*)['\"]?\s*$", config, re.MULTILINE)
    return found[1] if found else ""


def copies(paths: Sequence[str]) -> List[Found]:
    """Kubeconfigs that people use, where they are there."""
    return [from_kubeconfig(Found(path, "copy", path)) for path in paths if os.path.exists(path)]
