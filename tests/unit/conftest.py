"""What all unit tests share: the collection on the import path, and a way to run a module's main()."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / ".build" / "collections"))
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import controller  # noqa: E402  found by it


@pytest.fixture(autouse=True)
def controller_has_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment of the tests has decides nothing; tests of that check say what is there."""
    monkeypatch.setattr(controller, "has_library", lambda name: True)


@pytest.fixture
def run_module(capfd: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Call run_module(module, option=value, ..., _ansible_check_mode=True) and get the result as a dict."""

    def run(module: ModuleType, /, **arguments: Any) -> dict[str, Any]:
        capfd.readouterr()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        out, _err = capfd.readouterr()
        result: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
        return result

    return run
