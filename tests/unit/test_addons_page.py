"""The page of the collection's add-ons is what their entries say."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import addons_page  # noqa: E402  it is no part of the collection


def test_the_page_is_what_the_entries_say() -> None:
    assert addons_page.PAGE.read_text() == addons_page.page(), "run tests/addons_page.py"
