# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads on a node what it has lost of what kubeadm made on it. Nothing is changed.

What a manifest should be is what kubeadm writes by the configuration that was applied. It writes that into an empty
folder, which only it sees in place of the one of the kubelet.
"""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import tempfile
import time
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api import may_everything
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import Kubectl, KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.certificate import certificates
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import image_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import manifest_image, probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    AUTHORITY,
    COMPONENTS,
    ETCD,
    MANIFESTS,
    NodeState,
    kubeconfig,
    manifest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import (
    kubeadm,
    losses,
    pending_change,
    rollback,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.ca_rotation import Files
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    FILES,
    Found,
    from_file,
    from_kubeconfig,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import Kubeadm, KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    KubeletConfig,
    applied_parts,
    known,
    read_stamp,
    settings,
    shown,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.losses import Loss
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.reconcile import (
    find_document,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import answer
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.upgrade import (
    manifest_versions,
    minor_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.upgrade_facts import drift, program_version

# What is never made anew, below kubeadm's folder.
AUTHORITIES = (
    "ca.crt",
    "ca.key",
    "front-proxy-ca.crt",
    "front-proxy-ca.key",
    "sa.key",
    "sa.pub",
    "etcd/ca.crt",
    "etcd/ca.key",
)
ADMINISTRATORS = "administrators' rights"
SECONDS = 60
# In a mount namespace of its own, where an empty folder stands for the kubelet's.
APART = ["unshare", "--mount", "--", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"']


def text_of(path: str) -> str:
    """A file's text; none where it is not there."""
    return (read_bytes(path) or b"").decode("utf-8", "replace")


def written_manifests(module: AnsibleModule, config: str, with_etcd: bool) -> Dict[str, str]:
    """What kubeadm writes for the static pods by a configuration; nothing on the host is changed.

    Raises:
        KubeadmError: if it fails.
    """
    program = Kubeadm(module, SECONDS)
    with tempfile.TemporaryDirectory(dir=module.tmpdir) as folder:
        program.base = [*APART, folder, os.path.join(kubeadm.FOLDER, MANIFESTS), *program.base]
        for phase in (["control-plane", "all"], *([["etcd", "local"]] if with_etcd else [])):
            program.run("init", "phase", *phase, f"--config={config}")
        names = (*COMPONENTS, *([ETCD] if with_etcd else []))
        return {name: text_of(os.path.join(folder, f"{name}.yaml")) for name in names}


def pair_fault(certificate: str, key: str) -> str:
    """Why a certificate and its key are of no use together; nothing if they are."""
    try:
        # With a password nobody is asked for one.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        return f"{certificate} and {key} do not belong together, or cannot be read: {error.reason or error}"
    return ""


class NodeLosses:
    """What this node has lost."""

    def __init__(self, module: AnsibleModule, state: NodeState, etcd_data: str = "") -> None:
        """Nothing is read yet.

        Args:
            module: to run programs.
            state: what kubeadm has made of the host.
            etcd_data: the data directory of the member of etcd that kubeadm runs here; empty if it runs none.
        """
        self.module, self.state, self.stacked = module, state, bool(etcd_data)
        self.is_control_plane = state.role == "control_plane"
        self.folder = kubeadm.FOLDER
        self.pki = os.path.join(self.folder, "pki")
        self.config = os.path.join(self.folder, os.path.basename(kubeadm.CONFIG))
        self.applied = read_stamp(read_bytes(kubeadm.STAMP))
        self.api = OwnApi(module, self.folder)

    def all(self) -> List[Loss]:
        """Everything, in the order in which it is made good."""
        found = losses.unfinished(self.state)
        if found or self.state.role == "none":
            return found
        if self.is_control_plane:
            lost = [
                self._issued(loss.path, loss.kind, loss.what) if loss.by and loss.path.endswith(".conf") else loss
                for loss in losses.missing(self.state)
            ]
            found += self._certificates() + lost + self._kubeconfigs() + self._manifests()
        else:
            found += losses.missing(self.state)
        return found + self._kubelet() + (self.rights() if self.is_control_plane else [])

    @property
    def rotating(self) -> bool:
        """Whether a rotation of the cluster's authority has begun here and has not ended."""
        return os.path.isdir(Files(self.folder).folder)

    def authorities(self) -> Dict[str, str]:
        """What there is of authorities and of the service accounts' key: the SHA-256 of what is no secret."""
        found = {}
        for name in AUTHORITIES:
            content = read_bytes(os.path.join(self.pki, name))
            if content:
                found[name] = "" if name.endswith(".key") else hashlib.sha256(content).hexdigest()
        return found

    def named(self) -> List[str]:
        """What of authorities the static pods are started with."""
        texts = [text_of(manifest(self.folder, name)) for name in (*COMPONENTS, ETCD)]
        named = [os.path.relpath(path, self.pki) for path in losses.named_files(texts, self.pki)]
        return [name for name in named if name in AUTHORITIES]

    def _issued(self, path: str, kind: str, what: str, authority: str = "ca") -> Loss:
        """What kubeadm issues again with an authority's key. Where that is kept elsewhere, people do."""
        key = os.path.join(self.pki, f"{authority}.key")
        if os.path.exists(key):
            return Loss(path, kind, what)
        manager = manifest(self.folder, COMPONENTS[1])
        if os.path.exists(manager) and "ca.key" not in self.named():
            reason = "its authority's key is not on this host, see docs/certificates.md"
            return Loss(path, kind, f"{what}: {reason}", losses.PEOPLE)
        return Loss(path, kind, what, needs=key)

    def _certificates(self) -> List[Loss]:
        """Of what kubeadm issues."""
        found = []
        for file, authority in FILES.values():
            if authority == "etcd/ca" and not self.stacked:
                continue
            certificate, key = (os.path.join(self.pki, f"{file}.{suffix}") for suffix in ("crt", "key"))
            gone = [path for path in (certificate, key) if not read_bytes(path)]
            if gone:
                found.append(self._issued(gone[0], losses.MISSING, "it is missing or empty", authority))
                continue
            fault = pair_fault(certificate, key)
            if fault:
                found.append(self._issued(certificate, losses.UNUSABLE, fault, authority))
            elif from_file(Found(file, "leaf", certificate)).ended(time.time()):
                found.append(Loss(certificate, losses.ENDED, "it has ended", losses.CERTIFICATES))
        return found

    def _authority(self) -> List[bytes]:
        try:
            return certificates(read_bytes(os.path.join(self.folder, AUTHORITY)) or b"")
        except DerError:
            return []

    def _kubeconfigs(self) -> List[Loss]:
        found = []
        for name in losses.USERS:
            path = kubeconfig(self.folder, name)
            if path in self.state.missing:
                continue
            fault = losses.kubeconfig_fault(name, text_of(path), self._authority())
            if fault:
                found.append(self._issued(path, losses.UNUSABLE, fault))
            elif from_kubeconfig(Found(name, "kubeconfig", path)).ended(time.time()):
                found.append(Loss(path, losses.ENDED, "its certificate has ended", losses.CERTIFICATES))
        return found

    def _manifests(self) -> List[Loss]:
        """What was changed in manifests; not of a control plane that was made by other means and never changed here."""
        folder = os.path.join(self.folder, MANIFESTS)
        begun = pending_change.read()  # kubeadm_init makes good what a run was cut off in
        if begun or not (self.applied and os.path.exists(self.config) and os.path.isdir(folder)):
            return []
        versions = manifest_versions(self.folder)
        found: List[Loss] = []
        all_written = self._written()
        if not all_written:
            return []
        wanted = image_version(manifest_image(all_written[COMPONENTS[0]]))
        if any(version not in ("", wanted) for version in versions.values()):
            # It was upgraded, or is being: what was applied before says nothing of the manifests.
            return losses.unfinished_upgrade(versions)
        for name, written in all_written.items():
            path = manifest(self.folder, name)
            text = text_of(path)
            # Without a file that it is started with, such as a key, kubeadm writes another one.
            whole = all(os.path.exists(file) for file in losses.named_files([text], self.pki))
            if path not in self.state.missing and whole:
                asked = probe(text) or probe(written)
                healthy = not asked or not answer(asked)
                found += losses.altered(name, path, text, written, healthy)
        if not found:
            return []
        version = program_version(self.module, "kubeadm", "version", "--output=short").lstrip("v")
        if minor_of(version) != minor_of(wanted):
            # An upgrade has brought it, and it may write them in another way.
            return []
        edited = [loss for loss in found if loss.path != manifest(self.folder, ETCD)]
        return found if not edited or self._is_edited(version) else [loss for loss in found if loss not in edited]

    def _written(self) -> Dict[str, str]:
        """What kubeadm writes for the static pods; nothing where it does not tell."""
        if self.rotating:
            # Between the stages of a rotation of the authority the controller manager has another one to sign with.
            return {}
        try:
            return written_manifests(self.module, self.config, self.stacked)
        except KubeadmError:
            if all(os.path.exists(os.path.join(self.pki, f"{name}.key")) for name in ("ca", "front-proxy-ca")):
                raise
            # Without the keys kubeadm writes none unless all that they signed is there. What is not, is named.
            return {}

    def _is_edited(self, version: str) -> bool:
        """Whether manifests differ from what the cluster stores of the configuration, too.

        The manifests of a cluster that was made by other means may have been written by another configuration than
        the one that is given here.

        Without the administrator's rights the cluster does not tell; they are given again first.

        Args:
            version: of kubeadm.
        """
        if self.rights():
            return False
        return not self.api.ready() or bool(drift(self.module, self.folder, manifest_versions(self.folder), version))

    def _kubelet(self) -> List[Loss]:
        path = kubeconfig(self.folder, "kubelet")
        found: List[Loss] = []
        if path not in self.state.missing:
            text = text_of(path)
            if "clusters:" not in text or "users:" not in text:
                lost = Loss(path, losses.UNUSABLE, "it is no kubeconfig")
                found.append(self._issued(lost.path, lost.kind, lost.what) if self.is_control_plane else lost)
            elif from_kubeconfig(Found("kubelet", "kubelet", path)).ended(time.time()):
                found.append(Loss(path, losses.ENDED, "the kubelet's certificate has ended"))
        config, flags = (os.path.join(rollback.KUBELET_FOLDER, name) for name in ("config.yaml", "kubeadm-flags.env"))
        fault = self._config_fault(config)
        found += [Loss(config, losses.ALTERED if read_bytes(config) else losses.MISSING, fault)] if fault else []
        fault = "it is missing" if read_bytes(flags) is None else losses.flags_fault(text_of(flags), self.arguments)
        kind = losses.MISSING if read_bytes(flags) is None else losses.ALTERED
        return found + ([Loss(flags, kind, fault)] if fault else [])

    @property
    def arguments(self) -> List[Dict[str, Any]]:
        """The kubelet's arguments that were applied, of the user and of the collection."""
        return list(self.registration.get("kubeletExtraArgs") or [])

    @property
    def registration(self) -> Dict[str, Any]:
        """How the node was registered."""
        kinds = [find_document(self.applied, kind) for kind in ("JoinConfiguration", "InitConfiguration")]
        return next((found["nodeRegistration"] for found in kinds if found.get("nodeRegistration")), {})

    @property
    def node(self) -> str:
        """The name of the host's node."""
        return str(self.registration.get("name") or socket.gethostname().lower())

    def kubelet_config(self, path: str) -> KubeletConfig:
        """The kubelet's configuration, with what was applied of it."""
        patch = applied_parts(self.applied)[1]
        return KubeletConfig(self.module, path, self.applied, patch)

    def _config_fault(self, path: str) -> str:
        if not read_bytes(path):
            return "it is missing or empty"
        config = self.kubelet_config(path)
        if not config.shared:
            return ""
        try:
            lacking = config.not_stored(patched=True)
        except KubeadmError as error:
            return str(error)
        stored = self._stored() if lacking else None
        if stored is not None:
            # A cluster that was made by other means has never been given what its ConfigMap lacks.
            lacking = known(lacking, stored, config.patch)
        return f"it does not have as they were applied: {shown(lacking)}" if lacking else ""

    def _stored(self) -> Optional[Dict[str, Any]]:
        """The KubeletConfiguration that the cluster stores; None where that cannot be read."""
        version = program_version(self.module, "kubeadm", "version", "--output=short").lstrip("v")
        minor = minor_of(version) if version else [1, 24]
        # Before Kubernetes 1.24 the version is a part of its name.
        name = "kubelet-config" if minor >= [1, 24] else "kubelet-config-{}.{}".format(*minor)
        user = "admin" if self.is_control_plane else "kubelet"
        try:
            kubectl = Kubectl(self.module, kubeconfig(self.folder, user), 10)
            found = kubectl.get("configmap", name, "--namespace=kube-system") or {}
            text = (found.get("data") or {}).get("kubelet")
            return settings(kubectl.read_yaml("-", text)) if text else None
        except KubectlError:
            return None

    def rights(self) -> List[Loss]:
        """Whether the administrator may do everything; nothing where that cannot be asked."""
        admin = kubeconfig(self.folder, "admin")
        try:
            if not (os.path.exists(admin) and self.api.ready()):
                return []
            if may_everything(Kubectl(self.module, admin, 10), self.api.options()):
                return []
        except KubectlError:
            return []
        return [Loss(ADMINISTRATORS, losses.RIGHTS, "the administrator of admin.conf may not do everything")]
