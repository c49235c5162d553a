"""The filters are loaded before workers are started: by the class of an action plugin that the strategy asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[4]
# A process of its own: here the other tests have loaded filters already.
CODE = """
import sys
from ansible.plugins.loader import action_loader, init_plugin_loader
init_plugin_loader()
assert not [name for name in sys.modules if ".kubernetes.plugins.filter." in name]
action_loader.get("groundwork.kubernetes.{action}", class_only=True)
print(*(name.rpartition(".")[2] for name in sys.modules if ".kubernetes.plugins.filter." in name))
"""
FILTERS = {path.stem for path in (ROOT / "plugins" / "filter").glob("*.py")}


@pytest.mark.parametrize("action", ["files", "inventory_variables", "validate_inputs"])
def test_action_loads_all_filters(action: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(action=action)],
        env={**os.environ},
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(done.stdout.split()) >= FILTERS


def test_site_begins_with_one_of_them() -> None:
    tasks = yaml.safe_load((ROOT / "roles" / "preflight" / "tasks" / "main.yml").read_text())
    first = next(task for task in tasks if any(key.startswith("groundwork.") for key in task))
    assert "groundwork.kubernetes.inventory_variables" in first
