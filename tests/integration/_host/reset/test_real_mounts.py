"""Real mounts below a folder that is to be removed, in a mount namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_paths

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")

COLLECTIONS = str(Path(reset_paths.__file__).parents[6])
# Removes the folder of its first argument as the module does.
REMOVE = """
import sys
sys.path.insert(0, sys.argv[2])
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_paths
try:
    reset_paths.remove(sys.argv[1])
except reset_paths.ResetError as error:
    print(error)
"""


def test_a_bind_mount_of_the_same_file_system_is_not_entered(tmp_path: Path) -> None:
    """What it shows stays, and so does the folder, until it is unmounted."""
    data, folder = tmp_path / "data", tmp_path / "kubelet"
    (folder / "pods/1/volumes").mkdir(parents=True)
    data.mkdir()
    (data / "file").write_text("x")
    remove = f'"{sys.executable}" -c "$1" "{folder}" "{COLLECTIONS}"'
    script = f'mount --bind "{data}" "{folder}/pods/1/volumes"; {remove}; umount "{folder}/pods/1/volumes"; {remove}'
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", REMOVE]
    message = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert message.splitlines() == [
        f"{folder}/pods/1/volumes is mounted, so that {folder} was not removed: unmount it, and run this again"
    ]
    assert (data / "file").read_text() == "x"
    assert not folder.exists()
