# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter encryption_plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Dict, List

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.encryption_at_rest import (
    FLAG,
    FOLDER,
    IDENTITY,
    NONE,
    DesiredEncryption,
    Provider,
    plan,
)

DOCUMENTATION = r"""
name: encryption_plan
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The steps that lead all API servers to another encryption at rest
description:
  - Compares what each API server reads with what is asked for, and gives the configurations between the two.
  - After each step, every API server can read all that any of them may have written.
    Turning encryption on, another provider, other keys, other resources and turning it off are all done this way.
  - How far an interrupted change got is seen from the configurations alone, so the next plan goes on from there.
  - Nothing is removed before everything has been written anew.
  - The result holds keys. Tasks that use it need C(no_log).
positional: hosts
options:
  _input:
    description: What M(groundwork.kubernetes.encryption_info) returned, by host, of those that took part.
    type: dict
    required: true
  hosts:
    description: All hosts that may run an API server. One that did not take part stops a change.
    type: list
    elements: str
    required: true
  provider:
    description: What encrypts, V(secretbox), V(aescbc), V(aesgcm), or V(none).
    type: str
    required: true
  resources:
    description: What is encrypted, such as V(secrets) or V(widgets.example.com).
    type: list
    elements: str
    required: true
  key:
    description: Name and secret of a fresh key, used where one is needed. Not needed with V(none).
    type: dict
    default: {}
  rotate:
    description: Whether to begin a rotation of the key. One that was interrupted is finished in any case.
    type: bool
    default: false
  max_age:
    description: Days after which a rotation is begun; V(0) for never.
    type: int
    default: 0
  arguments:
    description: The API server's arguments in kubeadm's configuration as the user gives them, each with name and value.
    type: list
    elements: dict
    default: []
  folder:
    description: Where the configurations are kept on the hosts.
    type: str
    default: /etc/kubernetes/encryption
seealso:
  - module: groundwork.kubernetes.encryption_info
  - module: groundwork.kubernetes.encryption_rewrite
  - name: Encrypting Confidential Data at Rest
    description: The procedure that the steps follow.
    link: https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/
"""

EXAMPLES = r"""
- name: Look at what is to be done on a single control plane
  ansible.builtin.debug:
    msg: "{{ plan.transitions | map(attribute='title') }}"
  vars:
    plan: >-
      {{ {inventory_hostname: encryption} | groundwork.kubernetes.encryption_plan(
           [inventory_hostname], provider='secretbox', resources=['secrets'], key=encryption.key) }}
"""

RETURN = r"""
_value:
  description: What is to be done.
  type: dict
  contains:
    path:
      description: The file that all API servers read in the end; empty without encryption.
      type: str
    content:
      description: Its content.
      type: str
    transitions:
      description:
        - The steps before that, each with C(title), C(path), C(content) and C(rewrite).
          C(rewrite) lists the resources that are written anew once all API servers read this file.
      type: list
      elements: dict
    faults:
      description: Why nothing must be done, one sentence or more for each reason.
      type: list
      elements: str
"""


def _plain(value: Any) -> Any:
    """A value without what Ansible notes at its texts, which no writer of YAML knows."""
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.encode().decode() if isinstance(value, str) else value


def encryption_plan(
    found: Any,
    hosts: Any,
    *,
    provider: str,
    resources: Any,
    key: Any = None,
    rotate: Any = False,
    max_age: Any = 0,
    arguments: Any = (),
    folder: str = FOLDER,
) -> Dict[str, Any]:
    """The steps that lead all API servers to what is asked for."""
    if provider != NONE and not key:
        raise AnsibleFilterError("encryption_plan needs a fresh key; call encryption_info with generate_key")
    given: List[str] = [str(item.get("value") or "") for item in arguments if item.get("name") == FLAG]
    desired = DesiredEncryption(_plain(provider), _plain(resources), bool(rotate), int(max_age))
    new = Provider(desired.provider, _plain(key["name"]), _plain(key["secret"])) if key else IDENTITY
    return plan(_plain(hosts), _plain(found), desired, new, given="".join(given), folder=_plain(folder))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"encryption_plan": encryption_plan}
