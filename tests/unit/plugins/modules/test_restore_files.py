"""restore_files: a real archive, real files."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import restored_files
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive import write_archive
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.errors import BackupError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import (
    EtcdState,
    Manifest,
    Part,
    Proof,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.restored_files import (
    KNOWN,
    SMALL,
    chosen,
    mode_of,
    path_faults,
)
from ansible_collections.groundwork.kubernetes.plugins.modules import restore_files

Run = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's folder takes the place of /etc/kubernetes, and who runs it that of root."""
    monkeypatch.setattr(restored_files, "PLACES", (f"{tmp_path}/",))
    monkeypatch.setattr(restore_files, "ROOT", os.geteuid())


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    pki = tmp_path / "pki"
    (pki / "etcd").mkdir(parents=True)
    found = {name: pki / name for name in ("ca.crt", "ca.key", "apiserver.crt", "etcd/ca.key")}
    for name, path in found.items():
        path.write_text(f"content of {name}")
        path.chmod(0o600 if name.endswith(".key") else 0o644)
    return found


@pytest.fixture
def archive(tmp_path: Path, files: dict[str, Path], make_snapshot: Callable[..., bytes]) -> Path:
    database = tmp_path / "db"
    database.write_bytes(make_snapshot())
    manifest = Manifest(
        "example", "cp-1", "2026-11-22T02:00:00Z", "1.36.5", EtcdState("3.6.8", "https://192.0.2.1:2379", 7, 3),
        Proof("status", passed=True),
    )  # fmt: skip
    path = tmp_path / "example-20261122T020000Z.tar"
    write_archive(str(path), manifest, str(database), sorted(map(str, files.values())))
    return path


def options(archive: Path, **more: Any) -> dict[str, Any]:
    include = [f"{archive.parent}/pki/ca.*", f"{archive.parent}/pki/etcd/ca.*"]
    return {"path": str(archive), "include": include, "allow_unverified": True, **more}


def test_files_come_back(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    for path in files.values():
        path.unlink()
    (archive.parent / "pki" / "etcd").rmdir()
    planned = run_module(restore_files, **options(archive), _ansible_check_mode=True, _ansible_diff=True)
    wanted = sorted(str(files[name]) for name in ("ca.crt", "ca.key", "etcd/ca.key"))
    assert (planned["changed"], planned["changed_paths"]) == (True, wanted)
    assert set(planned["diff"]["before"].values()) == {"absent"}
    assert not files["ca.crt"].exists()

    assert run_module(restore_files, **options(archive, cluster="example"))["changed_paths"] == wanted
    assert files["etcd/ca.key"].read_text() == "content of etcd/ca.key"
    assert stat.S_IMODE(files["ca.key"].stat().st_mode) == 0o600
    assert stat.S_IMODE(files["ca.crt"].stat().st_mode) == 0o644
    assert not files["apiserver.crt"].exists()
    assert planned["left_out"] == [str(files["apiserver.crt"])]
    assert not run_module(restore_files, **options(archive))["changed"]


def test_other_content_is_not_overwritten(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    files["ca.crt"].write_text("mine")
    files["ca.key"].unlink()
    result = run_module(restore_files, **options(archive))
    assert (result["failed"], result["fault"]) == (True, "conflict")
    assert f"{files['ca.crt']}: there already" in result["msg"]
    assert not files["ca.key"].exists()
    assert run_module(restore_files, **options(archive, force=True))["changed"]
    assert files["ca.crt"].read_text() == "content of ca.crt"


def test_a_bad_archive_writes_nothing(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    files["ca.key"].unlink()
    os.truncate(archive, 9000)
    assert run_module(restore_files, **options(archive))["fault"] == "truncated"
    assert run_module(restore_files, **options(archive.with_name("none")))["fault"] == "missing"
    assert not files["ca.key"].exists()


def test_another_clusters_archive_is_refused(run_module: Run, archive: Path) -> None:
    assert run_module(restore_files, **options(archive, cluster="other"))["fault"] == "wrong_cluster"


def test_an_archive_of_unknown_origin_writes_nothing(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    files["ca.key"].unlink()
    result = run_module(restore_files, **options(archive, allow_unverified=False))
    assert (result["failed"], result["fault"]) == (True, "unverified")
    assert f"{archive} is not signed, so that it is not known who made it. Nothing was changed" in result["msg"]
    archive.with_name(f"{archive.name}.sig").write_text("forged")
    assert run_module(restore_files, **options(archive))["fault"] == "signature"
    assert not files["ca.key"].exists()


def test_modes_and_owners_are_ours(run_module: Run, archive: Path, files: dict[str, Path]) -> None:
    """The archive says that a key is setuid, writable for all, and another user's."""
    evil = archive.with_name("evil.tar")
    with tarfile.open(archive) as old, tarfile.open(evil, "w", format=tarfile.PAX_FORMAT) as new:
        for info in old:
            info.mode, info.uid, info.gid, info.uname, info.gname = 0o4777, 65534, 65534, "nobody", "nogroup"
            new.addfile(info, old.extractfile(info))
    evil.replace(archive)
    for path in files.values():
        path.unlink()
    assert run_module(restore_files, **options(archive))["changed"]
    found = {name: path.stat() for name, path in files.items() if path.exists()}
    assert {name: oct(stat.S_IMODE(item.st_mode)) for name, item in found.items()} == {
        "ca.crt": "0o644", "ca.key": "0o600", "etcd/ca.key": "0o600",
    }  # fmt: skip
    assert {item.st_uid for item in found.values()} == {os.geteuid()}


def test_a_static_pod_is_never_placed(
    run_module: Run, tmp_path: Path, files: dict[str, Path], make_snapshot: Callable[..., bytes]
) -> None:
    (tmp_path / "db").write_bytes(make_snapshot())
    manifest = Manifest(
        "example", "cp-1", "2026-11-22T02:00:00Z", "1.36.5", EtcdState("3.6.8", "", 7, 3), Proof("status", passed=True)
    )
    pod, unknown = tmp_path / "manifests" / "evil.yaml", tmp_path / "pki" / "evil.conf"
    archive = tmp_path / "example-20261122T020000Z.tar"
    extra = [(str(pod), b"kind: Pod"), (str(unknown), b"x"), (str(tmp_path / "pki" / "ca.pem"), b"y")]
    write_archive(str(archive), manifest, str(tmp_path / "db"), [], extra)

    result = run_module(restore_files, **options(archive))
    assert (result["files"], result["left_out"]) == ([extra[2][0]], [str(pod), str(unknown)])
    for include in (str(pod), f"{tmp_path}/manifests/*", f"{tmp_path}/manifests.stopped/x.yaml"):
        refused = run_module(restore_files, **options(archive, include=[include]))
        assert f"include: {include} is a static pod, which the kubelet would run" in refused["msg"]
    refused = run_module(restore_files, **options(archive, include=[f"{tmp_path}/*/*.yaml"]))
    assert (refused["fault"], "which is never put back" in refused["msg"]) == ("unsafe_member", True)
    refused = run_module(restore_files, **options(archive, include=["/usr/bin/kubelet", f"{tmp_path}/a/../b"]))
    assert refused["msg"].count("is not a path below") == 2
    assert not pod.parent.exists()


def test_an_archive_that_changes_between_two_looks_writes_nothing(
    run_module: Run, archive: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in files.values():
        path.unlink()
    real = restore_files.chosen

    def exchange(*arguments: Any) -> Any:
        archive.write_bytes(archive.read_bytes().replace(b"content of ca.key", b"content of evil!!"))
        return real(*arguments)

    monkeypatch.setattr(restore_files, "chosen", exchange)
    result = run_module(restore_files, **options(archive))
    assert (result["fault"], "was changed while it was read" in result["msg"]) == ("damaged", True)
    assert not any(path.exists() for path in files.values())


@pytest.mark.parametrize(
    ("path", "placed"),
    [
        ("/etc/kubernetes/pki/ca.key", True),
        ("/etc/kubernetes/pki/sa.pub", True),
        ("/etc/kubernetes/pki/etcd/ca.crt", True),
        ("/etc/kubernetes/encryption/config-0123456789abcdef.yaml", True),
        ("/etc/kubernetes/encryption-config.yaml", True),
        # What kubeadm and the roles write anew, and what nobody knows.
        ("/etc/kubernetes/pki/apiserver.crt", False),
        ("/etc/kubernetes/pki/etcd/server.key", False),
        ("/etc/kubernetes/admin.conf", False),
        ("/etc/kubernetes/kubeadm.yaml", False),
        ("/etc/kubernetes/manifests/kube-apiserver.yaml", False),
        ("/etc/kubernetes/encryption/deeper/evil.yaml", False),
        ("/etc/cron.d/evil", False),
        ("/etc/kubernetes/pki/../../cron.d/evil", False),
    ],
)
def test_what_is_placed_by_default(monkeypatch: pytest.MonkeyPatch, path: str, placed: bool) -> None:
    monkeypatch.undo()
    assert path_faults(KNOWN) == []
    part = Part(f"files{path}", 3, "x")
    assert chosen("a.tar", [part, Part("etcd.db", 1, "y")], KNOWN) == ({path: part} if placed else {})


def test_a_key_is_no_gigabyte(tmp_path: Path) -> None:
    path = f"{tmp_path}/pki/ca.key"
    with pytest.raises(BackupError, match=f"with {SMALL + 1} bytes, more than"):
        chosen("a.tar", [Part(f"files{path}", SMALL + 1, "x")], [path])


def test_only_certificates_are_public() -> None:
    found = [mode_of(f"/etc/kubernetes/{name}") for name in ("pki/ca.crt", "pki/ca.key", "pki/sa.pub", "x.yaml")]
    assert found == [0o644, 0o600, 0o600, 0o600]
