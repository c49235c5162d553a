# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a backup, or the verification of one, before its end."""

from __future__ import annotations

from typing import Any


class BackupError(Exception):
    """An archive is no backup that can be relied on; fault is a word for programs, the message for people."""

    def __init__(self, fault: str, message: str) -> None:
        self.fault = fault
        super().__init__(message)


class FailedError(Exception):
    """What a module fails with, and what it returns besides."""

    def __init__(self, message: str, **result: Any) -> None:
        self.result = result
        super().__init__(message)
