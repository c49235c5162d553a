# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rotation of the cluster's authority on a host: which authority each file and program trusts, and is signed by.

While two authorities are trusted, the file of the authority holds both, the one that signs first, as kubeadm takes the
first. The controller manager signs with a file that holds one certificate and no more, so it gets one of its own in the
folder of the rotation. That folder also holds the new authority until it has taken the old one's place. So all that a
run has to know is on the hosts. What cannot be read is said to be so, and never counts as done.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Dict, List, Sequence, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import (
    certificates,
    fingerprint,
    parse_certificate,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.served import is_shown_by
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import kubeconfig, manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    FILES,
    KUBECONFIGS,
    Found,
    HostCertificates,
    Places,
    started_at,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import (
    AUTHORITIES,
    KubeconfigError,
    data_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import processes

FOLDER = "rotation"
MANAGER = "kube-controller-manager"
SIGNING = re.compile(r"(?<=--cluster-signing-cert-file=)[^\s'\"]+")
LEAVES = tuple(name for name, (_file, signer) in FILES.items() if signer == "ca")
PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Authority:
    """The certificate of an authority.

    Attributes:
        fingerprint: its SHA-256, in hexadecimal digits.
        key_id: what it calls its key; what it has signed names it so.
        ends: until when it holds, in seconds since 1970.
        pem: the certificate in PEM.
    """

    fingerprint: str
    key_id: str
    ends: float
    pem: str


@dataclass
class State:
    """What a host has of the rotation.

    Attributes:
        role: control_plane, worker or none.
        authorities: what is trusted as the cluster's authority, the one that signs first.
        has_key: whether the key of the authority is there.
        next: the new authority, until it is the only one; as a list of one or none.
        next_has_key: whether its key is there.
        signs_with_next: whether the key of the authority is the new one's already.
        signing: the certificate with which the controller manager is to sign: its fingerprint.
        signing_file: what the manifest of the controller manager names for it.
        signing_running: what the controller manager that runs was given.
        trusts: by kubeconfig, the fingerprints of the authorities that it trusts.
        issued: by certificate, what the authority calls the key that it was signed with.
        shown: the fingerprints of the authorities by which alone what the API server shows is good.
        old: programs that run since before what they read at their start was changed.
        errors: what could not be read.
    """

    role: str = "none"
    authorities: List[Authority] = field(default_factory=list)
    has_key: bool = False
    next: List[Authority] = field(default_factory=list)
    next_has_key: bool = False
    signs_with_next: bool = False
    signing: str = ""
    signing_file: str = ""
    signing_running: List[str] = field(default_factory=list)
    trusts: Dict[str, List[str]] = field(default_factory=dict)
    issued: Dict[str, str] = field(default_factory=dict)
    shown: List[str] = field(default_factory=list)
    old: List[str] = field(default_factory=list)
    errors: List[str] = field(default_factory=list)

    @classmethod
    def of(cls, value: Dict[str, Any]) -> State:
        """From what describe gave."""
        lists = {name: [Authority(**one) for one in value[name]] for name in ("authorities", "next")}
        return cls(**{**value, **lists})

    def describe(self) -> Dict[str, Any]:
        """As a module returns it."""
        return asdict(self)


def read_authorities(pem: bytes) -> List[Authority]:
    """The certificates in PEM.

    Raises:
        DerError: if one cannot be read.
    """
    found = []
    for der, text in zip(certificates(pem), PEM.findall(pem)):
        said = parse_certificate(der)
        found.append(Authority(fingerprint(der), said.key_id, said.ends, text.decode("ascii", "replace") + "\n"))
    return found


def joined(authorities: Sequence[Authority]) -> bytes:
    """A file with these certificates."""
    return "".join(one.pem for one in authorities).encode()


@dataclass(frozen=True)
class Files:
    """Where the files of a rotation are."""

    kubernetes: str = "/etc/kubernetes"

    @property
    def folder(self) -> str:
        """The folder of the rotation."""
        return os.path.join(self.kubernetes, "pki", FOLDER)

    @property
    def authority(self) -> Tuple[str, str]:
        """Certificate and key of the cluster's authority."""
        return self._pair(os.path.join(self.kubernetes, "pki"))

    @property
    def next(self) -> Tuple[str, str]:
        """Certificate and key of the new one."""
        return self._pair(self.folder)

    @property
    def signing(self) -> str:
        """The certificate with which the controller manager signs meanwhile."""
        return os.path.join(self.folder, "signing.crt")

    @property
    def manager(self) -> str:
        """The manifest of the controller manager."""
        return manifest(self.kubernetes, MANAGER)

    @staticmethod
    def _pair(folder: str) -> Tuple[str, str]:
        return os.path.join(folder, "ca.crt"), os.path.join(folder, "ca.key")

    def kubeconfigs(self) -> List[str]:
        """The kubeconfigs of kubeadm's that the host has."""
        names = [kubeconfig(self.kubernetes, name) for name in (*KUBECONFIGS, "kubelet")]
        return [path for path in names if os.path.exists(path)]

    def readers(self) -> Dict[str, List[str]]:
        """What each program reads at its start, so that it has to be started again after a change."""
        authority = self.authority[0]
        leaves = [os.path.join(self.kubernetes, "pki", f"{FILES[name][0]}.crt") for name in LEAVES]
        return {
            "kube-apiserver": [authority, *leaves],
            MANAGER: [authority, self.signing, self.manager, kubeconfig(self.kubernetes, "controller-manager")],
            "kube-scheduler": [kubeconfig(self.kubernetes, "scheduler")],
            # Its kubeconfig it writes itself when it joins. A change of that is followed by one of the authority.
            "kubelet": [authority],
        }


def kubelets(proc: str) -> List[int]:
    """The kubelet's processes, which run in no pod."""
    found = []
    for entry in filter(str.isdigit, os.listdir(proc)):
        try:
            with open(os.path.join(proc, entry, "cmdline"), "rb") as stream:
                program = stream.read(4096).split(b"\0", 1)[0].decode("utf-8", "replace")
        except OSError:  # it has ended meanwhile
            continue
        if os.path.basename(program) == "kubelet":
            found.append(int(entry))
    return found


def runs_older(program: str, paths: Sequence[str], proc: str) -> bool:
    """Whether a program was started before one of these files became what it is."""
    running = kubelets(proc) if program == "kubelet" else processes(program, proc)
    started = [at for at in (started_at(one, proc) for one in running) if at is not None]
    written = [os.stat(path).st_mtime for path in paths if os.path.exists(path)]
    return any(changed > at + 1 for changed in written for at in started)


def old_programs(files: Files, proc: str) -> List[str]:
    """The programs of the host that read what was there before."""
    static = [name for name in files.readers() if os.path.exists(manifest(files.kubernetes, name))]
    return [name for name in (*static, "kubelet") if runs_older(name, files.readers()[name], proc)]


def signing_of(process: int, proc: str) -> str:
    """The certificate with which a controller manager that runs signs; empty if it has ended."""
    try:
        with open(os.path.join(proc, str(process), "cmdline"), "rb") as stream:
            given = stream.read(65536).decode("utf-8", "replace").split("\0")
    except OSError:
        return ""
    return next((word.partition("=")[2] for word in given if word.startswith("--cluster-signing-cert-file=")), "")


def signing_running(proc: str) -> List[str]:
    """The certificates with which the controller managers that run sign."""
    return [found for found in (signing_of(one, proc) for one in processes(MANAGER, proc)) if found]


def trusted_by(path: str) -> List[str]:
    """The fingerprints of the authorities that a kubeconfig trusts.

    Raises:
        OSError, DerError, KubeconfigError: if it cannot be read.
    """
    text = (read_bytes(path) or b"").decode("utf-8", "replace")
    return [fingerprint(one) for one in certificates(data_of(text, AUTHORITIES))]


def proves(found: Found, authority: Authority) -> bool:
    """Whether what is shown at a certificate's address is good by an authority alone."""
    host, _colon, port = found.address.rpartition(":")
    return is_shown_by(host.strip("[]"), int(port), authority.pem)


def read_state(
    places: Places, certificates_of: HostCertificates, prove: Callable[[Found, Authority], bool] = proves
) -> State:
    """What a host has of the rotation.

    Args:
        places: where things are.
        certificates_of: reads the host's certificates.
        prove: whether what is shown at a certificate's address is good by an authority alone.
    """
    files, state = Files(places.kubernetes), State()
    if not os.path.exists(kubeconfig(places.kubernetes, "kubelet")):
        return state
    plane = os.path.exists(manifest(places.kubernetes, "kube-apiserver"))
    state.role = "control_plane" if plane else "worker"
    for name, (certificate, key) in (("authorities", files.authority), ("next", files.next)):
        try:
            setattr(state, name, read_authorities(read_bytes(certificate) or b""))
        except (OSError, DerError) as error:
            state.errors.append(f"{certificate}: {error}")
        setattr(state, "has_key" if name == "authorities" else "next_has_key", os.path.exists(key))
    if not state.authorities:
        state.errors.append(f"{files.authority[0]} holds no certificate")
    for path in files.kubeconfigs():
        _read_trust(state, path)
    found = [one for one in certificates_of.kubelet() if one.name == "kubelet-client" or one.signer]
    if plane:
        own = [one for one in certificates_of.control_plane() if one.signer == "ca" and one.kind != "authority"]
        found += own
        candidates = {one.fingerprint: one for one in (*state.authorities, *state.next)}
        served = [one for one in own if one.name == "apiserver" and one.served]
        state.shown = [name for name, by in candidates.items() if any(prove(one, by) for one in served)]
        _read_signing(state, files, places.proc)
    state.issued = {one.name: one.issuer_key for one in found}
    # A kubelet that is to ask for a certificate has none meanwhile. Whether a port answers is told by what it shows.
    state.errors += [
        f"{one.path}: {one.error}" for one in found if one.error and not one.serial and one.kind != "kubelet"
    ]
    state.old = old_programs(files, places.proc)
    return state


def _read_trust(state: State, path: str) -> None:
    try:
        state.trusts[path] = trusted_by(path)
    except (OSError, DerError, KubeconfigError) as error:
        state.errors.append(f"{path}: {error}")


def _read_signing(state: State, files: Files, proc: str) -> None:
    keys = [read_bytes(path) for path in (files.authority[1], files.next[1]) if os.path.exists(path)]
    state.signs_with_next = len(keys) == 2 and keys[0] == keys[1]
    try:
        signing = read_authorities(read_bytes(files.signing) or b"")
    except (OSError, DerError) as error:
        state.errors.append(f"{files.signing}: {error}")
        signing = []
    state.signing = signing[0].fingerprint if signing else ""
    text = (read_bytes(files.manager) or b"").decode("utf-8", "replace")
    state.signing_file = flags(text).get("cluster-signing-cert-file", "")
    state.signing_running = signing_running(proc)
