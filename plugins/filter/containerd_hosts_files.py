# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of what containerd is told of registries."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.to_toml import plain, to_toml
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.registry_hosts import (
    configuration_without,
    files,
    proofs,
    unprotected,
)

DOCUMENTATION = r"""
name: containerd_hosts_files
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The files by which containerd finds registries
description:
  - Gives C(hosts.toml) of each registry, and certificates that are given as text, for the option O(files) of
    M(groundwork.kubernetes.files).
  - An account becomes a header for basic authentication, in a file of mode 0600. Registries that want a token, such as
    Docker's own, do not take it.
options:
  _input:
    description: Registries in the form of C(container_runtime_registry_mirrors).
    type: list
    elements: dict
    required: true
  configuration:
    description:
      - containerd's configuration. What C(registry.mirrors) and C(registry.configs) of its CRI plugin say becomes files
        too, unless C(registry.config_path) is set there.
    type: dict
    default: {}
  allow_http:
    description: Whether servers may be http, or have a certificate that goes unverified.
    type: bool
    default: false
seealso:
  - plugin: groundwork.kubernetes.containerd_without_registries
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Tell containerd of a registry
  groundwork.kubernetes.files:
    files: "{{ registries | groundwork.kubernetes.containerd_hosts_files }}"
  vars:
    registries:
      - registry: registry.example.com:5000
        ca: /etc/ssl/certs/example-ca.pem
        username: puller
        password: '{{ vault_puller_password }}'
"""

RETURN = r"""
_value:
  description: The files, each with C(path), C(mode) and C(content).
  type: list
  elements: dict
"""
BANNER = "# Ansible managed\n"


def containerd_hosts_files(given: Any, configuration: Any = None, allow_http: bool = False) -> List[Dict[str, Any]]:
    """The files."""
    registries, settings = plain(given or []), plain(configuration or {})
    found = [] if allow_http else list(unprotected(registries, settings))
    if found:
        raise AnsibleFilterError(
            f"container_runtime_registry_mirrors: {', '.join(found)} is http or skips the verification of its "
            "certificate; use https with its ca, or set kubernetes_allow_http=true"
        )
    return [
        {**file, "content": file["content"] if isinstance(file["content"], str) else BANNER + to_toml(file["content"])}
        for file in files(registries, settings)
    ]


def containerd_registry_proofs(given: Any, configuration: Any = None, images: Any = ()) -> List[Dict[str, Any]]:
    """The proofs of them."""
    return proofs(plain(given or []), plain(configuration or {}), plain(images))


def registries_without_logins(given: Any) -> List[Dict[str, Any]]:
    """The URLs of the registries' servers alone."""
    return [
        {
            **{name: value for name, value in entry.items() if name in ("registry", "server")},
            "mirrors": [{"url": mirror.get("url")} for mirror in entry.get("mirrors") or []],
        }
        for entry in plain(given or [])
    ]


def containerd_without_registries(configuration: Any) -> Dict[str, Any]:
    """The configuration without what is in the files."""
    return configuration_without(plain(configuration or {}))


class FilterModule:
    """The collection's filters."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filters by their names."""
        return {
            "containerd_hosts_files": containerd_hosts_files,
            "containerd_registry_proofs": containerd_registry_proofs,
            "containerd_without_registries": containerd_without_registries,
            "registries_without_logins": registries_without_logins,
        }
