# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options shared by the modules that run kubeadm init and kubeadm join."""

from __future__ import annotations


class ModuleDocFragment:
    """How kubeadm is called."""

    DOCUMENTATION = r"""
options:
  skip_phases:
    description:
      - Phases of kubeadm to leave out, such as V(addon/coredns). C(kubeadm init --help) and C(kubeadm join --help) list
        them.
      - This replaces the C(skipPhases) of the configuration.
    type: list
    elements: str
    default: []
  ignore_preflight_errors:
    description: Names of preflight checks whose failure does not matter, such as V(NumCPU), or V(all).
    type: list
    elements: str
    default: []
  login_token:
    description:
      - A token of an identity provider that must log in at the API server when its static pod has been made or changed.
        Where it does not within a minute, the module fails, and the former settings are put back if there are any.
      - It reaches the API server in a C(TokenReview) of the administrator's, on no command line.
    type: str
    default: ''
  login_user:
    description: As whom O(login_token) must log in; as anybody without it.
    type: str
    default: ''
  timeout:
    description: Seconds after which kubeadm is stopped.
    type: int
    default: 900
"""
