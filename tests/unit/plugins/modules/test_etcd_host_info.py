"""The module etcd_host_info, on real files and certificates; only systemctl is a stand-in."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd import on_host
from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_host_info
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Run = Callable[..., dict[str, Any]]

SYSTEMCTL = """#!/bin/sh
cat <<END
LoadState=loaded
ActiveState=${{STATE:-active}}
UnitFileState=enabled
FragmentPath=/etc/systemd/system/etcd.service
NeedDaemonReload=no
ExecMainStartTimestampMonotonic={started}
END
"""
ETCD = """#!/bin/sh
echo "etcd Version: 3.5.16"
echo "Git SHA: Not provided"
"""


@pytest.fixture(name="bin_dir")
def _bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    started = int((time.monotonic() - 1000) * 1e6)
    for name, text in (("systemctl", SYSTEMCTL.format(started=started)), ("etcd", ETCD)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def write_pair(folder: Path, name: str, mode: int = 0o600) -> tuple[str, str]:
    """A certificate and its key in files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = x509.CertificateBuilder(
        subject, subject, key.public_key(), 1, now, now + datetime.timedelta(days=9)
    ).sign(key, hashes.SHA256())
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[1].write_bytes(key.private_bytes(*form))
    paths[1].chmod(mode)
    return str(paths[0]), str(paths[1])


def test_an_empty_host(run_module: Run, bin_dir: Path, tmp_path: Path) -> None:
    result = run_module(
        etcd_host_info,
        data_dir=str(tmp_path / "data"),
        wal_dir=str(tmp_path / "wal"),
        bootstrap_file=str(tmp_path / "bootstrap.env"),
        bin_dir=str(tmp_path / "nowhere"),
        user="nobody-here",
        certificate=str(tmp_path / "pki" / "member.crt"),
        key=str(tmp_path / "pki" / "member.key"),
        ca_certificate=str(tmp_path / "pki" / "ca.crt"),
        ca_key=str(tmp_path / "pki" / "ca.key"),
        _ansible_check_mode=True,
    )
    assert {key: result[key] for key in result if key not in ("invocation", "service", "warnings")} == {
        "changed": False,
        "data": False,
        "user_exists": False,
        "folders": [str(tmp_path / "data"), str(tmp_path / "wal")],
        "bootstrap": {},
        "version": "",
        "certificate": "",
        "key": "absent",
        "ca_certificate": "",
        "ca_key": "absent",
        "peer_certificate": "",
        "peer_key": "",
        "peer_ca_certificate": "",
        "peer_ca_key": "",
    }


@pytest.mark.parametrize("wal_dir", [None, "wal"])
def test_a_member(run_module: Run, bin_dir: Path, tmp_path: Path, wal_dir: str | None) -> None:
    data, wal = tmp_path / "data", tmp_path / (wal_dir or "data/member/wal")
    wal.mkdir(parents=True)
    (wal / "0000000000000000-0000000000000000.wal").touch()
    for folder in (data, wal):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
    (tmp_path / "bootstrap.env").write_text('# first\nETCD_INITIAL_CLUSTER_STATE=new\nETCD_INITIAL_CLUSTER="a=b,c=d"\n')
    certificate, key = write_pair(tmp_path, "member")
    files = [tmp_path / "old", tmp_path / "new"]
    for path, age in zip(files, (2000, 500)):
        path.touch()
        os.utime(path, (time.time() - age, time.time() - age))
    result = run_module(
        etcd_host_info,
        data_dir=str(data),
        bootstrap_file=str(tmp_path / "bootstrap.env"),
        bin_dir=str(bin_dir),
        files=[*map(str, files), str(tmp_path / "missing")],
        certificate=certificate,
        key=key,
        **({"wal_dir": str(wal)} if wal_dir else {}),
    )
    assert (result["data"], result["folders"], result["version"], result["user_exists"]) == (True, [], "3.5.16", True)
    assert result["service"] == {"active": True, "enabled": True, "stale": [str(files[1])]}
    assert result["bootstrap"] == {"ETCD_INITIAL_CLUSTER_STATE": "new", "ETCD_INITIAL_CLUSTER": "a=b,c=d"}
    assert (result["certificate"], result["key"]) == (Path(certificate).read_text(), "ok")
    assert Path(key).read_text() not in str(result)


def test_a_folder_without_a_log_is_no_member(tmp_path: Path) -> None:
    (tmp_path / "member" / "snap").mkdir(parents=True)
    (tmp_path / "member" / "wal.tmp").mkdir()
    assert not on_host.has_data(str(tmp_path), "")


def test_nothing_is_asked_of_a_client(run_module: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # not even systemctl is there
    result = run_module(etcd_host_info, ca_certificate=str(tmp_path / "ca.crt"))
    assert (result["data"], result["key"], result["ca_certificate"]) == (False, "", "")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda folder: None, "ok"),
        (lambda folder: (folder / "one.key").chmod(0o640), "exposed"),
        (lambda folder: (folder / "one.key").unlink(), "absent"),
        (lambda folder: (folder / "one.key").write_text("nonsense"), "mismatch"),
        (lambda folder: (folder / "other.key").replace(folder / "one.key"), "mismatch"),
        (lambda folder: (folder / "one.crt").unlink(), "ok"),
        (lambda folder: (folder / "one.crt").write_text("nonsense"), "mismatch"),
    ],
)
def test_key(tmp_path: Path, change: Callable[[Path], Any], state: str) -> None:
    certificate, key = write_pair(tmp_path, "one")
    write_pair(tmp_path, "other")
    change(tmp_path)
    assert on_host.read_pair(certificate, key, os.getuid()).key == state


def test_key_of_another_user(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path, "one")
    assert on_host.read_pair(certificate, key, os.getuid() + 1).key == "exposed"
    assert on_host.read_pair(certificate, key, None).key == "exposed"


def test_key_with_a_passphrase_does_not_ask_for_it(tmp_path: Path) -> None:
    certificate, key = write_pair(tmp_path, "one")
    loaded = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x"))
    Path(key).write_bytes(loaded.private_bytes(*form))
    assert on_host.read_pair(certificate, key, os.getuid()).key == "mismatch"
