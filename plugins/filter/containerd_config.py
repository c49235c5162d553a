# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter containerd_config."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.containerd import configuration

DOCUMENTATION = r"""
name: containerd_config
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Configuration of containerd by its version
description:
  - Gives the parts of C(config.toml) that Kubernetes needs, in version 2 of the configuration for containerd 1 and in
    version 3 for later ones.
options:
  _input:
    description: The version of containerd, as upstream writes it or as a package has it.
    type: str
    required: true
  sandbox_image:
    description: The image that holds a pod's namespaces.
    type: str
    required: true
  cgroup_driver:
    description: The cgroup driver of the kubelet.
    type: str
    choices: [systemd, cgroupfs]
    required: true
  handlers:
    description: OCI runtimes beside runc, in the form of C(container_runtime_handlers).
    type: list
    elements: dict
    default: []
seealso:
  - plugin: groundwork.kubernetes.to_toml
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show the configuration
  ansible.builtin.debug:
    msg: "{{ '2.1.4' | groundwork.kubernetes.containerd_config('registry.k8s.io/pause:3.10.1', 'systemd') }}"
"""

RETURN = r"""
_value:
  description: The configuration.
  type: dict
  sample: {version: 3, imports: [/etc/containerd/conf.d/*.toml], plugins: {}}
"""


def containerd_config(
    version: Any, sandbox_image: Any, cgroup_driver: Any, handlers: Sequence[Any] = ()
) -> Dict[str, Any]:
    """The configuration."""
    return configuration(str(version).strip(), str(sandbox_image), str(cgroup_driver), handlers)


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"containerd_config": containerd_config}
