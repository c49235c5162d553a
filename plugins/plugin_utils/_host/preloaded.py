# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's filters, loaded once for a whole run.

ansible-core works on a task in a process of its own for each host. Where such a process meets the first filter of a
collection, it compiles every file in plugins/filter and what they import, and what it has compiled ends with it. The
process that starts all others loads a task's action plugin before it does so: what an action plugin imports is there
in each of them. ``Jinja2Loader.get_with_context`` in ansible/plugins/loader.py looks for one filter through all files.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ansible_collections.groundwork.kubernetes.plugins import filter as filters


def load_filters() -> None:
    """Load them."""
    for found in pkgutil.iter_modules(filters.__path__, f"{filters.__name__}."):
        import_module(found.name)
