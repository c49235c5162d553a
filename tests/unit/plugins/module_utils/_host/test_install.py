"""A file is never seen at its place with another SELinux context than that place has."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import apply_file, plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.tests.unit.plugins.labels import Labels


@pytest.mark.parametrize("before", [None, "old"])
def test_a_file_is_labelled_before_it_is_in_place(tmp_path: Path, before: str | None) -> None:
    path, module = tmp_path / "a", Labels()
    if before:
        path.write_text(before)
    install_stream(module, io.BytesIO(b"new"), str(path), Attributes(0o600))  # type: ignore[arg-type]
    [(draft, final, there)] = module.noted
    assert (draft.rpartition("/")[2], final, there) == (".a.groundwork", str(path), before)
    assert path.read_text() == "new"


def test_new_folders_are_labelled_before_what_is_in_them(tmp_path: Path) -> None:
    path, module = tmp_path / "a" / "b" / "c", Labels()
    install_stream(module, io.BytesIO(b"new"), str(path), Attributes(0o600))  # type: ignore[arg-type]
    assert [final for _path, final, _there in module.noted] == [str(tmp_path / "a"), str(tmp_path / "a/b"), str(path)]


def test_a_file_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    module = Labels()
    apply_file(module, plan_file(str(tmp_path / "link"), b"new"))  # type: ignore[arg-type]
    assert [final for _path, final, _there in module.noted] == [str(tmp_path / "real")]
