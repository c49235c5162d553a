# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubeadm upgrade leaves as it is on a control plane, and should not."""

from __future__ import annotations

import glob
import os
import re
from typing import Dict, List, Tuple
from urllib.parse import urlsplit

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import in_url
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import flags
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import ETCD, kubeconfig, manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    DAY,
    FILES,
    Found,
    from_file,
)

CONTROLLERS = ("controller-manager", "scheduler")
SERVER = re.compile(r"^(\s*server: *)['\"]?(\S+?)['\"]?[ \t]*$", re.MULTILINE)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Of etcd's own. The client's certificate of the API server kubeadm renews itself.
ETCD_CERTIFICATES = ("etcd-server", "etcd-peer", "etcd-healthcheck-client")


def etcd_copies(folder: str) -> List[str]:
    """The copies of etcd's data that upgrades have left which failed or were killed.

    kubeadm makes one each time before it looks whether etcd changes at all, and removes it where the upgrade ends well
    (cmd/kubeadm/app/phases/upgrade/staticpods.go of Kubernetes).
    """
    found = glob.glob(os.path.join(folder, "tmp", "kubeadm-backup-etcd-*"))
    return sorted(path for path in found if os.path.isdir(path) and not os.path.islink(path))


def old_etcd_certificates(folder: str) -> List[str]:
    """The certificates of etcd that are older than the API server's, by kubeadm's names.

    An upgrade renews all of a control plane, but those of etcd only where etcd itself changes
    (https://github.com/kubernetes/kubeadm/issues/2989). Without the authority's key nothing can be renewed here.
    """
    pki = os.path.join(folder, "pki")
    if not os.path.exists(manifest(folder, ETCD)) or not os.path.exists(os.path.join(pki, "etcd", "ca.key")):
        return []

    def read(name: str) -> Found:
        file, signer = FILES[name]
        return from_file(Found(name, "leaf", os.path.join(pki, f"{file}.crt"), signer))

    renewed = read("apiserver").begins
    found = [read(name) for name in ETCD_CERTIFICATES]
    return [one.name for one in found if one.begins and one.begins < renewed - DAY]


def to_own_server(text: str, own: str, names: Tuple[str, ...]) -> str:
    """A kubeconfig that leads to the host's own API server.

    Args:
        text: the kubeconfig.
        own: the own API server's URL.
        names: hosts in a URL that are the own one already.
    """
    found = SERVER.search(text)
    if not found or urlsplit(found[2]).hostname in names:
        return text
    return SERVER.sub(lambda line: line[1] + own, text, count=1)


def foreign_kubeconfigs(folder: str) -> Dict[str, str]:
    """The kubeconfigs of controllers that ask another host's API server, by path, as they should be.

    During an upgrade that one may be older than the controller
    (https://github.com/kubernetes/kubernetes/issues/94398). kubeadm writes them so since 1.20, and changes no old ones.
    """
    given = flags((read_bytes(manifest(folder, "kube-apiserver")) or b"").decode("utf-8", "replace"))
    address = given.get("advertise-address", "")
    if not address:
        return {}
    own = f"https://{in_url(address)}:{given.get('secure-port', '6443')}"
    found = {}
    for path in (kubeconfig(folder, name) for name in CONTROLLERS):
        text = (read_bytes(path) or b"").decode("utf-8", "replace")
        wanted = to_own_server(text, own, (address, *LOOPBACK))
        if wanted != text:
            found[path] = wanted
    return found
