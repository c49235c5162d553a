"""The page of preflight's checks is what the code says."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.host_checks import HOST_CHECKS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import preflight_page  # noqa: E402  it is no part of the collection


def test_the_page_is_what_the_code_says() -> None:
    assert preflight_page.PAGE.read_text() == preflight_page.page(), "run tests/preflight_page.py"


def test_each_check_says_everything() -> None:
    for name, check in HOST_CHECKS.items():
        assert check.severity in ("error", "warning", "either"), name
        assert check.why.endswith("."), name
        assert check.advice.endswith("."), name
        assert not check.what.endswith("."), name
        assert check.source.startswith("https://") or (ROOT / "docs" / check.source).exists(), name


def test_checks_are_in_order() -> None:
    assert list(HOST_CHECKS) == sorted(HOST_CHECKS)
