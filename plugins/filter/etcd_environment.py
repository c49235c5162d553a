# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter etcd_environment."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.flags import FlagError, environment

DOCUMENTATION = r"""
name: etcd_environment
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: etcd's settings as an environment file for one of its versions
description:
  - Turns flags of etcd into the variables that it reads them from.
  - A flag that has another name in the version gets that name. C(experimental-initial-corrupt-check) becomes the
    feature gate C(InitialCorruptCheck) from etcd 3.6 on, and back.
  - A flag that the version does not know is refused, since etcd would only log a warning.
options:
  _input:
    description: Settings by the name of the flag, without dashes in front. C(feature-gates) may be a dictionary.
    type: dict
    required: true
  base:
    description: Settings that these are merged over. What the version does not know is left out.
    type: dict
    required: true
  version:
    description: Version of etcd.
    type: str
    required: true
seealso:
  - name: etcd's configuration options
    description: All flags.
    link: https://etcd.io/docs/v3.6/op-guide/configuration/
"""

EXAMPLES = r"""
- name: Write the settings
  ansible.builtin.copy:
    content: "{{ {'max-request-bytes': 3145728} | groundwork.kubernetes.etcd_environment({}, '3.6.15') }}"
    dest: /etc/etcd/etcd.env
    mode: '0644'
"""

RETURN = r"""
_value:
  description: The file's text.
  type: str
  sample: |
    ETCD_MAX_REQUEST_BYTES="3145728"
"""


def etcd_environment(settings: Any, base: Any, version: Any) -> str:
    """The text."""
    try:
        return environment(settings, base, str(version))
    except FlagError as error:
        raise AnsibleFilterError(f"etcd_settings: {error}") from error


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"etcd_environment": etcd_environment}
