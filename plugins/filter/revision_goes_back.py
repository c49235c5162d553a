# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter revision_goes_back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Callable, Dict

DOCUMENTATION = r"""
name: revision_goes_back
author: groundwork.kubernetes contributors (@groundwork)
version_added: 0.1.0
short_description: Whether etcd's revision goes back in a restore
description:
  - It does where it is not to be raised, or where the tools of a host cannot raise it. What watches the API must then
    be restarted, as it would wait for revisions that are to come.
options:
  _input:
    description: What M(groundwork.kubernetes.restore) returned for C(state=staged), one for each member.
    type: list
    elements: dict
    required: true
  bump_revision:
    description: How much it is to be raised; below 0 for the default.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show whether it goes back
  ansible.builtin.debug:
    msg: '{{ [staged] | groundwork.kubernetes.revision_goes_back(-1) }}'
"""

RETURN = r"""
_value:
  description: Whether it goes back.
  type: bool
"""


def revision_goes_back(staged: Iterable[Mapping[str, Any]], bump_revision: Any) -> bool:
    """Whether it is not to be raised, or cannot be."""
    return int(bump_revision) == 0 or not all(one["bumps_revision"] for one in staged)


class FilterModule:
    """The collection's filter."""

    def filters(self) -> Dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"revision_goes_back": revision_goes_back}
