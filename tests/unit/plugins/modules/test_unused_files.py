"""The module unused_files on real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.modules import unused_files

Run = Callable[..., dict[str, Any]]
USED, KEPT, GONE = (f"config-{digit * 16}.yaml" for digit in "abc")


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    folder = tmp_path / "encryption"
    folder.mkdir()
    for name in (USED, KEPT, GONE, "config.yaml", "mine-abc.yaml", "notes"):
        (folder / name).touch()
    for digit in "de":
        (tmp_path / "patches" / (digit * 16)).mkdir(parents=True)
        (tmp_path / "patches" / (digit * 16) / "etcd.json").touch()
    (tmp_path / "manifest").write_text(f"--config={folder / USED}\n{tmp_path}/patches/{'d' * 16}\n")
    return {
        "folders": [str(folder), str(tmp_path / "patches"), str(tmp_path / "none")],
        "mentions": [str(tmp_path / "manifest")],
        "keep": [str(folder / KEPT)],
    }


def test_what_nothing_names_is_removed(run_module: Run, options: dict[str, Any], tmp_path: Path) -> None:
    gone = [str(tmp_path / "encryption" / GONE), str(tmp_path / "patches" / ("e" * 16))]
    foreseen = run_module(unused_files, **options, _ansible_check_mode=True)
    assert (foreseen["changed"], foreseen["removed"]) == (True, gone)
    assert all(Path(path).exists() for path in gone)
    assert run_module(unused_files, **options)["removed"] == gone
    left = sorted(path.name for path in (tmp_path / "encryption").iterdir())
    assert left == sorted([USED, KEPT, "config.yaml", "mine-abc.yaml", "notes"])
    assert [path.name for path in (tmp_path / "patches").iterdir()] == ["d" * 16]
    for check in (True, False):
        assert not run_module(unused_files, **options, _ansible_check_mode=check)["changed"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\0" * 512])
def test_nothing_is_removed_where_it_is_not_known_what_is_used(
    run_module: Run, options: dict[str, Any], tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "other").write_bytes(content)
    options["mentions"].append(str(tmp_path / "other"))
    assert run_module(unused_files, **options)["removed"] == []
