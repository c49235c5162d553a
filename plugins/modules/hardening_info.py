# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what a host fulfils of the CIS Kubernetes Benchmark."""

from __future__ import annotations

DOCUMENTATION = r"""
module: hardening_info
short_description: Tell what a host fulfils of the CIS Kubernetes Benchmark
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Reads, in one round trip, the arguments of the processes that run, the configuration files that they name, and whose
    files are and who may read them. It judges that by the items of the CIS Kubernetes Benchmark, version 1.11.
  - Items that no host can tell of, such as who has which rights in the cluster, are left out. C(docs/hardening.md)
    lists all.
  - Configuration files in YAML are read with C(kubectl), which asks no API server for it. Of keys for encryption
    nothing is returned but the providers.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  parts:
    description: What the host is. A control plane is a node, too, and with stacked etcd a member of etcd.
    type: list
    elements: str
    choices: [control_plane, etcd, node]
    required: true
  wanted:
    description:
      - What the variables say, to tell what was promised. What it does not mention is Kubernetes' or kubeadm's choice.
    type: dict
    suboptions:
      arguments:
        description: Lists of C(name) and C(value) by program, such as C(kube-apiserver).
        type: dict
      kubelet:
        description: Fields of the KubeletConfiguration.
        type: dict
      kube_proxy:
        description: Fields of the KubeProxyConfiguration.
        type: dict
      admission:
        description: The API server's AdmissionConfiguration.
        type: dict
      authentication:
        description: The API server's AuthenticationConfiguration.
        type: dict
      encryption_provider:
        description: What encrypts Secrets in etcd, or V(none).
        type: str
        default: none
      private_files:
        description: Whether certificates, the kubelet's configuration and its unit are to be root's alone.
        type: bool
        default: false
      private_etcd:
        description: Whether the data folder of etcd is to be its user's alone.
        type: bool
        default: false
      private_cni:
        description: Whether the CNI configuration is.
        type: bool
        default: false
seealso:
  - module: groundwork.kubernetes.cluster_verify
  - module: groundwork.kubernetes.private_files
  - plugin: groundwork.kubernetes.hardening_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See what a worker fulfils
  groundwork.kubernetes.hardening_info:
    parts: [node]
  register: hardening

- name: Show what it does not
  ansible.builtin.debug:
    msg: "{{ hardening.found | selectattr('result', 'equalto', 'failed') | map(attribute='title') }}"
"""

RETURN = r"""
found:
  description: The items about the parts of the host, in the benchmark's order.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: The item's number in the benchmark, version 1.11.
      type: str
    title:
      description: What it asks for, in short.
      type: str
    by:
      description: >-
        Why it holds, V(default) (in every cluster), V(profile), V(choice) (a variable that the profile leaves alone),
        or V(no).
      type: str
    result:
      description: >-
        V(passed), V(failed), V(none) (the host has nothing of the kind), or V(unknown), for example since the program
        does not run.
      type: str
    promised:
      description: Whether what the variables say fulfils it, or it holds by default and they do not say otherwise.
      type: bool
    detail:
      description: What was found.
      type: str
  sample:
    - number: 4.2.13
      title: 'kubelet: a limit of processes of a pod'
      by: profile
      result: passed
      promised: true
      detail: podPidsLimit=4096
"""

import os
from typing import Any, Dict, Mapping, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import (
    BINARY_FOLDERS,
    Kubectl,
    KubectlError,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening import (
    PARTS,
    Found,
    judge,
    text_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening_host import (
    HostReader,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening_items import ITEMS

ROOT = ""
SPEC: Dict[str, Any] = {
    "parts": {"type": "list", "elements": "str", "choices": list(PARTS), "required": True},
    "wanted": {
        "type": "dict",
        "options": {
            "arguments": {"type": "dict"},
            "kubelet": {"type": "dict"},
            "kube_proxy": {"type": "dict"},
            "admission": {"type": "dict"},
            "authentication": {"type": "dict"},
            "encryption_provider": {"type": "str", "default": "none"},
            "private_files": {"type": "bool", "default": False},
            "private_etcd": {"type": "bool", "default": False},
            "private_cni": {"type": "bool", "default": False},
        },
    },
}
# Files whose modes are the profile's.
PRIVATE = ("certificates", "kubelet-unit", "kubelet-ca", "kubelet-config")


def wanted_of(options: Mapping[str, Any]) -> Found:
    """What the variables say, in the form of what is found."""
    arguments = {
        program: {str(item["name"]): text_of(item["value"]) for item in given}
        for program, given in (options.get("arguments") or {}).items()
    }
    provider = options.get("encryption_provider") or "none"
    server = arguments.setdefault("kube-apiserver", {})
    found = Found(
        arguments={program: [given] for program, given in arguments.items()},
        closed={
            **dict.fromkeys(PRIVATE, bool(options.get("private_files"))),
            "etcd-data": bool(options.get("private_etcd")),
            "cni": bool(options.get("private_cni")),
        },
        settings={"kubelet": options.get("kubelet") or {}, "kube-proxy": options.get("kube_proxy") or {}},
    )
    if provider != "none":
        # Its name tells its content, which only the hosts know.
        server.setdefault("encryption-provider-config", "set")
        found.settings["encryption"] = {"secrets": provider}
    for name in ("admission", "authentication"):
        if options.get(name):
            found.settings[name] = options[name]
    return found


class YamlReader:
    """Reads YAML with kubectl, without an API server."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.is_there = module.get_bin_path("kubectl", opt_dirs=BINARY_FOLDERS) is not None

    def __call__(self, path: str) -> Optional[Dict[str, Any]]:
        """A file's content; None where it cannot be read."""
        if not self.is_there or not os.path.exists(path):
            return None
        try:
            found = Kubectl(self.module, os.devnull, timeout=10).read_yaml(path)
        except (KubectlError, ValueError):
            return None
        return found if isinstance(found, dict) else None


def main() -> None:
    """Read the host, and judge."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    try:
        running = HostReader(YamlReader(module), ROOT).read()
        wanted = wanted_of(module.params["wanted"] or {})
    except (OSError, KeyError, TypeError, AttributeError) as error:
        module.fail_json(msg=f"cannot tell what the host fulfils: {error!r}")
    found = [judge(item, running, wanted) for item in ITEMS if item.part in module.params["parts"]]
    module.exit_json(changed=False, found=found)


if __name__ == "__main__":
    main()
