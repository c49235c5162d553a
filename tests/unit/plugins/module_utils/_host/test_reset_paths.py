"""The files of a cluster, and the mounts that stand in their way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_paths

KUBELET = "/var/lib/kubelet"
SECRET = f"{KUBELET}/pods/1/volumes/kubernetes.io~secret/token"


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_mount_points_are_read_with_their_blanks() -> None:
    """The kernel writes a blank as its octal number."""
    text = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /mnt/my\\040disk rw - tmpfs tmpfs rw\nshort line\n"
    assert reset_paths.parse_mounts(text) == ["/", "/mnt/my disk"]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (["/", KUBELET], []),
        ([KUBELET, SECRET, f"{SECRET}/sub"], [f"{SECRET}/sub", SECRET]),
        ([f"{KUBELET}/plugins/csi.example/mount"], [f"{KUBELET}/plugins/csi.example/mount"]),
        ([f"{KUBELET}/mine", f"{KUBELET}/pods", "/var/lib/kubelet2/pods/1"], []),
    ],
)
def test_only_what_kubernetes_mounts_is_unmounted(mounts: list[str], expected: list[str]) -> None:
    """The last one first."""
    assert reset_paths.kubelet_mounts(KUBELET, mounts) == expected


def test_any_other_mount_is_a_fault() -> None:
    """One that is unmounted before is none, nor is one outside."""
    faults = reset_paths.mount_faults([KUBELET, "/etc/x"], ["/", SECRET, f"{KUBELET}/mine", "/etc/x"], [SECRET])
    assert [fault.split()[0] for fault in faults] == [f"{KUBELET}/mine", "/etc/x"]


def test_a_folder_that_is_a_mount_or_a_link_is_emptied(tmp_path: Path) -> None:
    """The folder itself stays."""
    data = write(tmp_path / "disk/kubelet/config.yaml").parent
    (tmp_path / "kubelet").symlink_to(data)
    assert reset_paths.existing([], [str(tmp_path / "kubelet")], []) == [str(data / "config.yaml")]
    assert reset_paths.existing([], [str(data)], [str(data)]) == [str(data / "config.yaml")]
    assert reset_paths.existing([], [str(data)], []) == [str(data)]
    assert reset_paths.existing([str(tmp_path / "none*")], [str(tmp_path / "none")], []) == []


def test_configurations_of_others_are_told_from_the_clusters(tmp_path: Path) -> None:
    """podman's stays, and so does a file of our name that is not ours."""

    def configuration(file: str, name: str, bridge: str) -> str:
        plugins = [{"type": "bridge", "bridge": bridge}]
        return str(write(tmp_path / file, json.dumps({"name": name, "plugins": plugins})))

    own = [configuration("10-bridge.conflist", "kubernetes", "pods0"), configuration("10-flannel.conflist", "cbr0", "")]
    podman = configuration("87-podman.conflist", "podman", "cni-podman0")
    write(tmp_path / "README")
    networks = reset_paths.read_networks(str(tmp_path))
    assert (networks.files, networks.foreign) == (own, [podman])
    assert (networks.names, networks.bridges, networks.foreign_bridges) == (
        ["kubernetes", "cbr0"],
        ["pods0"],
        ["cni-podman0"],
    )
    configuration("10-bridge.conflist", "somebody", "cni0")
    assert reset_paths.read_networks(str(tmp_path)).files == own[1:]


def test_what_roles_recorded_goes_with_the_record(tmp_path: Path) -> None:
    """A file that is gone, a folder and other sets are left out."""
    unit = write(tmp_path / "kubelet.service")
    record = write(tmp_path / "records/kubernetes.json", json.dumps([str(unit), str(tmp_path), str(tmp_path / "gone")]))
    write(tmp_path / "records/backup.json", json.dumps([str(unit)]))
    assert reset_paths.recorded(str(record.parent)) == [str(unit), str(record)]


def test_folders_go_that_are_empty_then(tmp_path: Path) -> None:
    """From within; one in which a user has a file stays, with those around it."""
    gone = [str(write(tmp_path / "a/pki/ca.crt")), str(write(tmp_path / "b/pki/ca.crt"))]
    write(tmp_path / "b/mine")
    folders = [str(tmp_path / name) for name in ("a/pki", "a", "b/pki", "b")]
    assert reset_paths.emptied(gone, folders) == [str(tmp_path / name) for name in ("a/pki", "a", "b/pki")]


def test_a_mount_that_came_meanwhile_keeps_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is mounted is looked at right before."""
    file = write(tmp_path / "kubelet/data/file")
    monkeypatch.setattr(reset_paths, "current_mounts", lambda: ["/", str(file.parent)])
    for path in (tmp_path / "kubelet", file.parent):
        with pytest.raises(reset_paths.ResetError, match="is mounted"):
            reset_paths.remove(str(path))
    assert file.exists()
    monkeypatch.setattr(reset_paths, "current_mounts", lambda: ["/"])
    reset_paths.remove(str(tmp_path / "kubelet"))
    reset_paths.remove(str(tmp_path / "kubelet"))
    assert not file.parent.parent.exists()
