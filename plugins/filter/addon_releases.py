# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter addon_releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import addon_entries

DOCUMENTATION = r"""
name: addon_releases
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: What a cluster's add-ons become
description:
  - Turns add-ons as an inventory names them into releases, as P(groundwork.kubernetes.helm_template#module) takes them.
  - Those that go come first, those that others need after these; then those that come, after what they need.
options:
  _input:
    description: The add-ons, as the role P(groundwork.kubernetes.addons#role) takes them.
    type: list
    elements: dict
    required: true
  own:
    description: Entries of the user's own.
    type: list
    elements: dict
    default: []
  service_cidr:
    description: The network of services, of which DNS has the tenth address.
    type: str
    required: true
  dns_domain:
    description: The cluster's domain.
    type: str
    required: true
  kubernetes_version:
    description: The version of Kubernetes.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show where an add-on comes from
  ansible.builtin.debug:
    msg: "{{ (wanted | groundwork.kubernetes.addon_releases(service_cidr='10.96.0.0/12', dns_domain='cluster.local',
      kubernetes_version='1.36.5')).releases[0].url }}"
  vars:
    wanted: [{name: metrics-server}]
"""

RETURN = r"""
_value:
  description:
    - C(releases) is the list of releases in their order.
    - C(outline) has for each of them what is no secret, such as whose it is and what proves it.
  type: dict
"""


def addon_releases(
    wanted: Any, own: Any = (), service_cidr: str = "", dns_domain: str = "", kubernetes_version: str = ""
) -> Dict[str, List[Dict[str, Any]]]:
    """The releases of a cluster's add-ons, and what of them is no secret."""
    if not all(
        isinstance(value, Sequence) and all(isinstance(one, Mapping) for one in value) for value in (wanted, own)
    ):
        raise AnsibleFilterError("addon_releases needs lists of maps")
    unknown = [str(item.get("name")) for item in wanted if item.get("name") not in addon_entries.entries(own)]
    if unknown:
        raise AnsibleFilterError(f"there is no add-on {', '.join(unknown)}")
    cluster = {
        "dns_address": addon_entries.dns_address(service_cidr),
        "dns_domain": dns_domain,
        "kubernetes_version": kubernetes_version,
    }
    try:
        found = addon_entries.releases(wanted, own, cluster)
    except addon_entries.AddonError as error:
        raise AnsibleFilterError(str(error)) from error
    return {"releases": found, "outline": addon_entries.outline(found)}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"addon_releases": addon_releases}
