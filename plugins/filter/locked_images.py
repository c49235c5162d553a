# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter locked_images."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.lock import LockError, read

DOCUMENTATION = r"""
name: locked_images
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: The digests of images in a lock
description:
  - Gives the digests by the images' names, as the option C(digests) of M(groundwork.kubernetes.image_pull) takes them.
options:
  _input:
    description: Path of the lock on the controller. Empty for none, which gives no digests.
    type: str
    required: true
  role:
    description: The part of a cluster that needs the images, V(control_plane) or V(worker). Empty for all images.
    type: str
    default: ''
positional: role
"""

EXAMPLES = r"""
- name: Have the images of a worker
  groundwork.kubernetes.image_pull:
    images: "{{ (kubernetes_lock | groundwork.kubernetes.locked_images('worker')).keys() | list }}"
    digests: '{{ kubernetes_lock | groundwork.kubernetes.locked_images }}'
"""

RETURN = r"""
_value:
  description: The digests by the images' names.
  type: dict
  sample:
    registry.k8s.io/pause:3.10.2: sha256:83855e114566a8a8c44c548d515670f51de3a5e1da8b2effb59870e2f10c25a3
"""


def locked_images(path: Any, role: str = "") -> Dict[str, str]:
    """The digests by the images' names."""
    if not path:
        return {}
    try:
        return read(str(path)).images(role)
    except LockError as error:
        raise AnsibleFilterError(f"kubernetes_lock: {error}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """Name and function of each."""
        return {"locked_images": locked_images}
