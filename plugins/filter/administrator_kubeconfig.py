# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter administrator_kubeconfig."""

from __future__ import annotations

import re
from typing import Any, Callable, Dict

DOCUMENTATION = r"""
name: administrator_kubeconfig
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The kubeconfig of the administrator that people get
description:
  - Each control plane has a kubeconfig of its own. The one that people have stays as long as it is one of these.
options:
  _input:
    description: The kubeconfigs of the control planes, the preferred one first. Empty texts do not count.
    type: list
    elements: str
    required: true
  kept:
    description: The one that people have; empty for none.
    type: str
    required: true
  server:
    description: The URL at which people reach the API. Empty, it stays as each control plane has it.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Write the kubeconfig
  ansible.builtin.copy:
    content: "{{ [one, another] | groundwork.kubernetes.administrator_kubeconfig(kept='', server=url) }}"
    dest: /srv/cluster.kubeconfig
    mode: '0600'
  no_log: true
"""

RETURN = r"""
_value:
  description: The kubeconfig. It is a secret.
  type: str
"""

SERVER = re.compile(r"(?m)(?<=^    server: ).*$")


def administrator_kubeconfig(contents: Any, kept: str, server: str = "") -> str:
    """The one that people have where it is a control plane's, else the first."""
    found = [SERVER.sub(lambda _found: server, text) if server else text for text in contents if text]
    return kept if kept in found else next(iter(found), "")


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"administrator_kubeconfig": administrator_kubeconfig}
