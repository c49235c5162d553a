# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module says about check mode, diff mode and idempotence."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes shared by the modules.

    A module sets each one's support, or takes C(attributes.full) or C(attributes.no_diff) beside this.
    """

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the status it would return, without changing the host.
  diff_mode:
    description: Returns what it changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description: When run again with the same arguments on an unchanged host, it reports no change.
"""

    FULL = r"""
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
  idempotent: {support: full}
"""

    NO_DIFF = r"""
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
  idempotent: {support: full}
"""
