"""What the tests on real parts share: the collection and this folder on the import path, and a way to run a module."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

sys.path[:0] = [str(Path(__file__).resolve().parents[2] / ".build" / "collections"), str(Path(__file__).parent)]

from real_etcd import Run  # noqa: E402


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a module in this process: run(module, option=value, ...)."""

    def call(module: ModuleType, **options: Any) -> dict[str, Any]:
        capfd.readouterr()
        with patch_module_args(options), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capfd.readouterr().out.strip().splitlines()[-1])
        return result

    return call


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """small_disk("400m"): a file system of that size, which is root's."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def make(size: str) -> Path:
        options = f"size={size},mode=0700"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False).returncode:
            pytest.skip("mounting a tmpfs is not allowed here")
        return folder

    yield make
    subprocess.run(["umount", folder], check=False)
