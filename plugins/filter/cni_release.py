# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter cni_release."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifests import network_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network_release import (
    Around,
    api_of,
    release_of,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_tunnel import tunnel_version

DOCUMENTATION = r"""
name: cni_release
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The release of a network plugin's chart
description:
  - Makes a release, as M(groundwork.kubernetes.helm_template) takes it, of what a pod network shall be.
  - Of Flannel and Calico the values say little, since M(groundwork.kubernetes.manifest) changes what their charts
    render; Cilium is told all.
options:
  _input:
    description: The network, as P(groundwork.kubernetes.cni_network#filter) gives it.
    type: dict
    required: true
  chart:
    description:
      - Where the chart is, if it is not where its project has it, as C(chart) or C(url), with its C(checksum).
    type: dict
    default: {}
  values:
    description: The user's values.
    type: dict
    default: {}
  nodes:
    description: Nodes as M(groundwork.kubernetes.node_info) returns them.
    type: list
    elements: dict
    default: []
  proxy_mode:
    description: The mode of kube-proxy. With V(none) Cilium takes its place.
    type: str
    default: iptables
  endpoint:
    description: The API's endpoint, by which Cilium then finds it.
    type: str
    default: ''
  port:
    description: The API's port where the endpoint has none.
    type: int
    default: 6443
  control_plane:
    description: The name of the node by which Cilium finds the API where there is no endpoint.
    type: str
    default: ''
seealso:
  - module: groundwork.kubernetes.helm_template
"""

EXAMPLES = r"""
- name: Show what Cilium would be told
  ansible.builtin.debug:
    msg: '{{ (wanted | groundwork.kubernetes.cni_release).base_values }}'
  vars:
    wanted: {plugin: cilium, version: 1.20.1, pod_cidr: 10.244.0.0/16}
"""

RETURN = r"""
_value:
  description: The release.
  type: dict
  sample: {name: cilium, namespace: kube-system, version: 1.20.1, one_minor: true}
"""


def cni_release(
    given: Mapping[str, Any],
    *,
    chart: Optional[Mapping[str, Any]] = None,
    values: Optional[Mapping[str, Any]] = None,
    nodes: Sequence[Mapping[str, Any]] = (),
    proxy_mode: str = "iptables",
    endpoint: str = "",
    port: int = 6443,
    control_plane: str = "",
) -> Dict[str, Any]:
    """The release."""
    try:
        own = [address for node in nodes if node["name"] == control_plane for address in node["internal_ips"]]
        api = api_of(proxy_mode, endpoint, int(port), own)
        around = Around(len(nodes), tunnel_version(nodes), api)
        return release_of(network_of(given), chart or {}, values or {}, around)
    except ManifestError as error:
        raise AnsibleFilterError(str(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise AnsibleFilterError(f"cni_release needs the inputs of a pod network and nodes: {error!r}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"cni_release": cni_release}
