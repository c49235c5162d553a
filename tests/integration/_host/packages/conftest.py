"""What the tests of package managers share."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from real_packages import Signer


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """The key of all repositories."""
    return Signer.make(tmp_path_factory.mktemp("keys") / "gnupg")
