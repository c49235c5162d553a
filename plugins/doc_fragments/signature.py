# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared documentation of modules that use archives of others."""

from __future__ import annotations


class ModuleDocFragment:
    """What the options of module_utils/_backup/signature.py mean."""

    DOCUMENTATION = r"""
options:
  trusted_signers:
    description:
      - Public keys, such as C(ssh-ed25519 AAAA...), by one of which the archive must be signed. An archive names its
        cluster, but anybody could have written it; its signature, in the file C(.sig) beside it, tells who did.
      - A signature that does not belong to the archive is always refused.
    type: list
    elements: str
    default: []
  allow_unverified:
    description:
      - Whether an archive is taken that is not signed, or by a key that is not trusted, or whose signature cannot be
        verified since the host has no C(ssh-keygen).
      - Whoever made it then has the cluster, with all its Secrets, certificates and workloads, in hand.
    type: bool
    default: false
"""
