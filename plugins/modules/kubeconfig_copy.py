# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module kubeconfig_copy: let a copy of a kubeconfig follow the original when its certificate is near its end."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig_copy
short_description: Let a copy of a kubeconfig follow the original
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Gives a copy of the administrator's kubeconfig, when its certificate is near its end, that of the original with its
    key. All else in the copy stays, such as the address of the API.
  - With O(rotated), it also follows the rotation of the cluster's authority.
  - It does so only for the same user and groups and the same authority of the cluster. A kubeconfig of anybody else, or
    one that is not there, is left alone.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
options:
  path:
    description: The copy.
    type: path
    required: true
  content:
    description: The original's content. It is a secret.
    type: str
    required: true
  renew_days:
    description: How many days the copy's certificate must still be good, so that it stays.
    type: int
    default: 30
  rotated:
    description:
      - Whether the copy also follows where it trusts other authorities than the original, or its certificate was signed
        by another one, as long as both have one in common. Then it trusts what the original does.
    type: bool
    default: false
seealso:
  - module: groundwork.kubernetes.root_kubeconfig
"""

EXAMPLES = r"""
- name: Read the administrator's kubeconfig
  groundwork.kubernetes.root_kubeconfig:
    dest: ''
    return_content: true
  register: admin
  no_log: true

- name: Let root's copy follow
  groundwork.kubernetes.kubeconfig_copy:
    path: /root/.kube/config
    content: '{{ admin.content }}'
  no_log: true
"""

RETURN = r"""
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.der import DerError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    apply_file,
    read_bytes,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import DAY
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.client_kubeconfig import (
    AUTHORITIES,
    KubeconfigError,
    data_of,
    parse_kubeconfig,
    with_authorities,
    with_client,
)


def followed(
    copy: str, original: str, days: float, now: float, *, will_renew: bool = False, rotated: bool = False
) -> str:
    """The copy as it is to be; in check mode something else than it is, if it is to change.

    Args:
        copy: what is there.
        original: the administrator's kubeconfig.
        days: how many days the copy's certificate must still be good.
        now: the time, in seconds since 1970.
        will_renew: whether the original is taken for renewed, though it may not be yet.
        rotated: whether it follows other authorities.

    Raises:
        KubeconfigError: if one of them cannot be read.
    """
    old, new = parse_kubeconfig(copy), parse_kubeconfig(original)
    same = (old.client.user, old.client.groups) == (new.client.user, new.client.groups)
    differs = (old.authorities, old.client.issuer_key) != (new.authorities, new.client.issuer_key)
    if rotated and same and differs and set(old.authorities) & set(new.authorities):
        return with_authorities(with_client(copy, original), data_of(original, AUTHORITIES))
    if not same or old.authorities[:1] != new.authorities[:1] or old.client.ends - now >= days * DAY:
        return copy
    if will_renew:
        return ""
    return copy if new.client.ends <= old.client.ends else with_client(copy, original)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "content": {"type": "str", "required": True, "no_log": True},
            "renew_days": {"type": "int", "default": 30},
            "rotated": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    try:
        before = read_bytes(path)
        after = before
        if before is not None:
            days = module.params["renew_days"]
            texts = before.decode(), module.params["content"]
            how = {"will_renew": module.check_mode, "rotated": module.params["rotated"]}
            after = followed(*texts, days, time.time(), **how).encode()
        change = FileChange(path, before, after)
        if not module.check_mode:
            apply_file(module, change)
    except (OSError, UnicodeDecodeError, DerError, KubeconfigError) as error:
        module.fail_json(msg=f"{path}: {error}. It was left as it is")
    module.exit_json(changed=change.changed)


if __name__ == "__main__":
    main()
