# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of the configuration of Kubernetes' components, read from component_fields.yml."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.field_list import FieldList


@lru_cache(maxsize=1)
def component_fields() -> FieldList:
    """The fields of all of them, by the minor release of Kubernetes."""
    return FieldList(Path(__file__).with_name("component_fields.yml"), "Kubernetes")
