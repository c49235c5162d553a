"""What kubeadm upgrade leaves on a control plane, on folders in the place of kubeadm's."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import upgrade_leftovers
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import DAY, FILES, Found

OWN = "https://10.0.0.11:6443"
KUBECONFIG = """clusters:
- cluster:
    server: {server}
  name: kubernetes
users:
- name: x
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "kube-apiserver.yaml").write_text(
        "spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --advertise-address=10.0.0.11\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("server", "changes"),
    [
        ("https://10.0.0.250:8443", True),
        ("'https://api.example.org:6443'", True),
        (OWN, False),
        ("https://127.0.0.1:6443", False),
        ("https://localhost:6443", False),
    ],
)
def test_controllers_ask_their_own_api_server(folder: Path, server: str, changes: bool) -> None:
    for name in ("controller-manager", "scheduler", "admin"):
        (folder / f"{name}.conf").write_text(KUBECONFIG.format(server=server))
    expected = {
        str(folder / f"{name}.conf"): KUBECONFIG.format(server=OWN) for name in ("controller-manager", "scheduler")
    }
    assert upgrade_leftovers.foreign_kubeconfigs(str(folder)) == (expected if changes else {})


def test_where_the_own_address_is_not_known_nothing_changes(folder: Path) -> None:
    (folder / "manifests" / "kube-apiserver.yaml").write_text("spec: {}\n")
    (folder / "scheduler.conf").write_text(KUBECONFIG.format(server="https://10.0.0.250:8443"))
    assert upgrade_leftovers.foreign_kubeconfigs(str(folder)) == {}


@pytest.mark.parametrize(
    ("files", "ages", "expected"),
    [
        (
            ["manifests/etcd.yaml", "pki/etcd/ca.key"],
            {"etcd-server": 300, "etcd-peer": 300},
            ["etcd-server", "etcd-peer"],
        ),
        (["manifests/etcd.yaml", "pki/etcd/ca.key"], {"etcd-server": 0.5}, []),
        # External etcd; an authority whose key is elsewhere.
        (["pki/etcd/ca.key"], {"etcd-server": 300}, []),
        (["manifests/etcd.yaml"], {"etcd-server": 300}, []),
    ],
)
def test_certificates_of_etcd_that_are_older(
    folder: Path, monkeypatch: pytest.MonkeyPatch, files: list[str], ages: dict[str, float], expected: list[str]
) -> None:
    (folder / "pki" / "etcd").mkdir(parents=True)
    for file in files:
        (folder / file).touch()
    now = 1e9

    def read(found: Found) -> Found:
        assert found.path == str(folder / "pki" / f"{FILES[found.name][0]}.crt")
        return Found(found.name, found.kind, found.path, begins=now - ages.get(found.name, 0) * DAY)

    monkeypatch.setattr(upgrade_leftovers, "from_file", read)
    assert upgrade_leftovers.old_etcd_certificates(str(folder)) == expected


def test_what_cannot_be_read_is_left(folder: Path) -> None:
    (folder / "pki" / "etcd").mkdir(parents=True)
    (folder / "pki" / "etcd" / "ca.key").touch()
    (folder / "manifests" / "etcd.yaml").touch()
    assert upgrade_leftovers.old_etcd_certificates(str(folder)) == []
