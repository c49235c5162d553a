# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a host from one version of Kubernetes to another with kubeadm upgrade; what it is at is read, never kept.

https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import threading
import time
from typing import Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    BINARY_FOLDERS,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.own_api_server import OwnApi
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import parse_kubelet_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import image_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import manifest_image
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import (
    COMPONENTS,
    ETCD,
    kubeconfig,
    manifest,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm, rollback
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.container_exits import StaticPod
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    list_option,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubelet_configuration import (
    KubeletConfig,
    applied_parts,
    folder_of,
    read_stamp,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.upgrade_leftovers import (
    etcd_copies,
    foreign_kubeconfigs,
    old_etcd_certificates,
)

# kubeadm waits five minutes for each of four static pods, and as long again for one that it puts back.
OWN_LIMIT = 2400
RENEWAL_LIMIT = 180
BACKUPS = "tmp/kubeadm-backup-manifests-*"  # folders
WATCH_PAUSE = 2.0
READY_PAUSE = 2.0
READY_WAIT = 300
# From here on its phases can be left out; before, it looks by itself which add-ons there are.
PHASES_SINCE = (1, 32)
# From here on it upgrades them when all control planes are upgraded (app/phases/upgrade/postupgrade.go).
ADDONS_LAST = (1, 28)
ADDONS = {"addon/coredns": "coredns", "addon/kube-proxy": "kube-proxy"}
CONFIG_VERSION = re.compile(r"^kubernetesVersion: *v?(\S+)", re.MULTILINE)
ANY_NODE = "*"


def minor_of(version: str) -> List[int]:
    """Major and minor number of a version."""
    return [int(part) for part in version.split(".")[:2]]


def manifest_versions(folder: str) -> Dict[str, str]:
    """The versions that a control plane's manifests name, by component; empty for one that is missing or names none."""
    texts = {name: read_bytes(manifest(folder, name)) or b"" for name in COMPONENTS}
    return {name: image_version(manifest_image(text.decode("utf-8", "replace"))) for name, text in texts.items()}


def moved_away(folder: str, names: List[str]) -> Dict[str, str]:
    """What kubeadm keeps of manifests that are missing: the newest copy of each, by the manifest's path."""
    found: Dict[str, str] = {}
    for name in names:
        path = manifest(folder, name)
        copies = sorted(glob.glob(os.path.join(folder, BACKUPS, f"{name}.yaml")), key=os.path.getmtime)
        if copies and not os.path.exists(path):
            found[path] = copies[-1]
    return found


def at_work(processes: str) -> bool:
    """Whether a kubeadm runs on the host, which an earlier run has begun."""
    for path in glob.glob(os.path.join(processes, "[0-9]*", "comm")):
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as stream:
            if stream.read().strip() == "kubeadm":
                return True
    return False


def settle(timeout: float) -> None:
    """Wait for a kubeadm that outlived the run which began it.

    Args:
        timeout: seconds.

    Raises:
        KubeadmError: if that does not end.
    """
    deadline = time.monotonic() + timeout
    while at_work(kubeadm.PROCESSES):
        if time.monotonic() >= deadline:
            raise KubeadmError(
                f"A kubeadm that an earlier run began is still at work after {timeout:.0f} "
                "seconds. See 'journalctl -u kubelet' on the host; end it there and run again to resume."
            )
        time.sleep(READY_PAUSE)


class ExitWatch(threading.Thread):
    """Notes, while kubeadm waits for static pods, what the containers say that end again and again.

    kubeadm puts the former manifest back in the end, and the kubelet removes the logs of what it ended.
    """

    def __init__(self) -> None:
        """Take note of what runs before kubeadm begins."""
        super().__init__(daemon=True)
        self.pods = {name: StaticPod(name, ANY_NODE) for name in (*COMPONENTS, ETCD)}
        self.said: Dict[str, List[str]] = {}
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until it is ended."""
        while not self.ended.wait(WATCH_PAUSE):
            self.look()

    def look(self) -> None:
        """Note what the containers say that have no chance by now."""
        for name, pod in self.pods.items():
            reason = pod.hopeless()
            lines = pod.log() if reason else []
            if lines:
                self.said[name] = [f"{name}: {reason}. Its last lines:", *lines]

    def lines(self) -> List[str]:
        """All that was noted."""
        return [line for name in sorted(self.said) for line in self.said[name]]


class Upgrade:
    """kubeadm upgrade on the host where the module runs."""

    def __init__(self, module: AnsibleModule) -> None:
        """Nothing is asked or run yet.

        Args:
            module: has the options of the module kubeadm_upgrade.
        """
        self.module, self.folder = module, kubeadm.FOLDER
        self.version: str = module.params["version"]
        self.command: str = module.params["command"]
        self.removed: List[str] = []
        self.applied = read_stamp(read_bytes(kubeadm.STAMP))
        self.is_control_plane = any(os.path.exists(manifest(self.folder, name)) for name in COMPONENTS) or bool(
            moved_away(self.folder, list(COMPONENTS))
        )

    def due(self) -> List[str]:
        """What of this host, or with C(apply) of the cluster, is not at the version yet.

        Raises:
            KubeadmError: if the cluster cannot be asked.
        """
        found = []
        if self.is_control_plane:
            found = [name for name, version in manifest_versions(self.folder).items() if version != self.version]
        found += self._cluster_due()
        if self.command == "node" and self._kubelet_version() != self.version:
            # kubeadm writes the kubelet's configuration before the kubelet is replaced.
            found.append("kubelet configuration")
        return found

    def _cluster_due(self) -> List[str]:
        """What of the cluster this host's turn brings to the version."""
        # Before 1.28 kubeadm upgrades add-ons with the first control plane, since then with the last one.
        late = tuple(minor_of(self.version)) >= ADDONS_LAST
        if not self.is_control_plane or not (late or self.command == "apply"):
            return []
        kubectl = Kubectl(self.module, kubeconfig(self.folder, "admin"))
        try:
            found = self._stored_due(kubectl) if self.command == "apply" else []
            if not (late and self._others_older(kubectl)):
                found += self._proxy_due(kubectl)
        except KubectlError as error:
            raise KubeadmError(f"What the cluster is at cannot be read: {error}") from error
        return found

    def _others_older(self, kubectl: Kubectl) -> bool:
        """Whether other control planes are not at the version, as kubeadm sees it: by the images of API servers."""
        pods = kubectl.get("pods", "--namespace=kube-system", "--selector=component=kube-apiserver") or {}
        versions = [
            image_version(container["image"])
            for pod in pods.get("items") or []
            for container in pod["spec"]["containers"]
            if container["name"] == "kube-apiserver"
        ]
        own = manifest_versions(self.folder)["kube-apiserver"]
        older = [version for version in versions if version != self.version]
        return len(older) > (1 if own != self.version else 0)

    def _stored_due(self, kubectl: Kubectl) -> List[str]:
        configuration = kubectl.get("configmap", "kubeadm-config", "--namespace=kube-system")
        if configuration is None:
            raise KubeadmError(
                "There is no ConfigMap kubeadm-config in kube-system, without which kubeadm upgrades none."
            )
        stored = CONFIG_VERSION.search(configuration["data"].get("ClusterConfiguration", ""))
        return [] if stored and stored[1] == self.version else ["kubeadm-config"]

    def _proxy_due(self, kubectl: Kubectl) -> List[str]:
        proxy = kubectl.get("daemonset", "kube-proxy", "--namespace=kube-system")
        if proxy is None:
            return []
        image = proxy["spec"]["template"]["spec"]["containers"][0]["image"]
        return [] if image_version(image) in ("", self.version) else ["kube-proxy"]

    def _kubelet_version(self) -> str:
        program = self.module.get_bin_path("kubelet", opt_dirs=BINARY_FOLDERS)
        if not program:
            return ""
        _rc, out, _err = self.module.run_command([program, "--version"], expand_user_and_vars=False)
        return parse_kubelet_version(out)

    def run(self) -> List[str]:
        """Upgrade; gives what C(kubeadm upgrade plan) said.

        Raises:
            KubeadmError: if it fails, or has not done what it says.
        """
        self._put_back()
        self._lead_controllers_home()
        ignored = list_option("ignore-preflight-errors", self.module.params["ignore_preflight_errors"])
        program = Kubeadm(self.module, max(self.module.params["timeout"], OWN_LIMIT))
        plan: List[str] = []
        if self.command == "apply":
            plan = program.run("upgrade", "plan", f"v{self.version}", *ignored).splitlines()
            arguments = ["upgrade", "apply", f"v{self.version}", "--yes"]
        else:
            arguments = ["upgrade", "node"]
        arguments += self._skipped() if self.is_control_plane else []
        folder = folder_of(self.applied)
        if folder and os.path.isdir(folder):
            arguments.append(f"--patches={folder}")
        watch, began = ExitWatch(), time.time()
        watch.start()
        try:
            program.run(*arguments, *ignored)
            self._patch_kubelet()
            self._renew_etcd()
            self._prove()
            self._remove_copies()
        except KubeadmError as error:
            watch.look()
            lines = [*watch.lines(), *self._take_back(began)]
            raise KubeadmError("\n".join([str(error), *lines])) from error
        finally:
            watch.ended.set()
            watch.join()
        return plan

    def _take_back(self, began: float) -> List[str]:
        """Put the manifests back that kubeadm has replaced, where the API server does not come up with the new ones.

        kubeadm looks at the phase of pods, which is Running also for one whose container ends again and again. Where it
        has put them back itself, it has not waited until they run.

        Args:
            began: when kubeadm was called, in seconds since 1970.
        """
        if not self.is_control_plane or not self._api_fault():
            return []
        folders = [path for path in glob.glob(os.path.join(self.folder, BACKUPS)) if os.path.getmtime(path) >= began]
        copies = [os.path.join(path, f"{name}.yaml") for path in sorted(folders)[-1:] for name in COMPONENTS]
        there = [path for path in copies if os.path.exists(path)]
        for path in there:
            name = os.path.basename(path)[: -len(".yaml")]
            kubeadm.write_private(self.module, manifest(self.folder, name), read_bytes(path) or b"")
        done = f"The former manifests were put back from {os.path.dirname(there[0])}. " if there else ""
        deadline = time.monotonic() + READY_WAIT
        while not OwnApi(self.module, self.folder).ready():
            if time.monotonic() >= deadline:
                return [f"{done}The API server of this host is not ready {READY_WAIT} s after it."]
            time.sleep(READY_PAUSE)
        return [f"{done}The API server of this host is ready, as before."]

    def _put_back(self) -> None:
        """Put manifests back that a kubeadm which was killed has moved away."""
        for path, copy in moved_away(self.folder, [*COMPONENTS, ETCD]).items():
            content = read_bytes(copy)
            if content:
                kubeadm.write_private(self.module, path, content)
                self.module.warn(f"{path} was missing and has been put back from {copy}.")

    def _lead_controllers_home(self) -> None:
        """Let the controllers ask this host's API server, so that none asks one that is older than itself.

        They read it when kubeadm restarts them.
        """
        for path, text in foreign_kubeconfigs(self.folder).items():
            kubeadm.write_private(self.module, path, text.encode())
            self.module.warn(f"{path} led to another host's API server, and leads to this host's now.")

    def _renew_etcd(self) -> None:
        """Renew the certificates of etcd that kubeadm has left; etcd reads them by itself."""
        for name in old_etcd_certificates(self.folder) if self.is_control_plane else []:
            Kubeadm(self.module, RENEWAL_LIMIT).run("certs", "renew", name)

    def _remove_copies(self) -> None:
        """Remove what earlier runs that failed have left of etcd's data: the API server is ready without."""
        for path in etcd_copies(self.folder) if self.is_control_plane else []:
            shutil.rmtree(path, ignore_errors=True)
            if os.path.exists(path):
                self.module.warn(f"{path} is of no use any more, and could not be removed.")
            else:
                self.removed.append(path)

    def _skipped(self) -> List[str]:
        """The add-ons that the cluster does not have, where kubeadm would install them."""
        if tuple(minor_of(self.version)) < PHASES_SINCE:
            return []
        kubectl = Kubectl(self.module, kubeconfig(self.folder, "admin"))
        missing = [
            phase for phase, name in ADDONS.items() if kubectl.get("configmap", name, "--namespace=kube-system") is None
        ]
        return list_option("skip-phases", missing)

    def _patch_kubelet(self) -> None:
        """Merge what this host's kubelet has beside the cluster's configuration, where kubeadm does not do so."""
        _documents, patch = applied_parts(self.applied)
        path = os.path.join(rollback.KUBELET_FOLDER, "config.yaml")
        kubelet = KubeletConfig(self.module, path, self.applied, patch)
        if patch and not kubelet.patched_by_kubeadm:
            kubelet.merge_patch()

    def _prove(self) -> None:
        """Expect that what kubeadm calls done is done.

        Raises:
            KubeadmError: otherwise.
        """
        if not self.is_control_plane:
            return
        left = [
            f"{name} {version or '(none)'}"
            for name, version in manifest_versions(self.folder).items()
            if version != self.version
        ]
        left += self._cluster_due()
        if left:
            raise KubeadmError(
                f"kubeadm upgrade {self.command} ended well, and this is not at {self.version}: {', '.join(left)}. "
                "See 'crictl ps -a' on the host, and run again."
            )
        deadline = time.monotonic() + READY_WAIT
        fault: Optional[str] = "it does not answer"
        while fault:
            fault = self._api_fault()
            if fault and time.monotonic() >= deadline:
                raise KubeadmError(
                    f"The API server of this host is not at {self.version} after {READY_WAIT} s: {fault}."
                )
            if fault:
                time.sleep(READY_PAUSE)

    def _api_fault(self) -> str:
        api = OwnApi(self.module, self.folder)
        try:
            version = api.version()
        except KubectlError as error:
            return str(error)
        if version != f"v{self.version}":
            return f"it runs {version}"
        return "" if api.ready() else "it is not ready"
