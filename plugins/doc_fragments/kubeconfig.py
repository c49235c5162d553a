# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of the modules that call kubectl."""

from __future__ import annotations


class ModuleDocFragment:
    """Where the kubeconfig is."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description: An administrator's kubeconfig, on the managed host.
    type: path
    default: /etc/kubernetes/admin.conf
"""
