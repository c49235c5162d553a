"""Whose an archive is: the identity in etcd's record, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup import owner as owner_utils
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.owner import (
    Owner,
    cluster_uid,
    matches,
    parse_uid,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.client import EtcdError

UID, OTHER = "1f0c6a52-7f3e-4f0e-9a53-0d5f3f6a2b11", "2ab4c9d0-11aa-4bbb-8ccc-d0d1d2d3d4d5"
META = "\x0a\x0bkube-system\x12\x00\x1a\x00\x22\x00"
RECORD = f"k8s\0\n\x0f\n\x02v1\x12\tNamespace\x12\x99\x01\n\x92\x01{META}*${UID}2\x008\x00"
JSON = json.dumps({"kind": "Namespace", "metadata": {"name": "kube-system", "uid": UID}})


@pytest.mark.parametrize(
    ("record", "uid"),
    [
        (RECORD, UID),
        # Labels, annotations and owners come later, and may have UIDs as well.
        (f"{RECORD}Z\x30\n\x05owner\x12*${OTHER}", UID),
        (JSON, UID),
        ("", ""),
        ("k8s:enc:aescbc:v1:key-1:\ufffd\ufffd*$" + UID, ""),
        ("k8s\0\n\x0f\n\x02v1\x12\tNamespace", ""),
        ("{", ""),
        ('{"metadata": {"uid": 7}}', ""),
        ('{"metadata": {"uid": "../../x"}}', ""),
        ("[]", ""),
    ],
)
def test_the_identity_in_a_record(record: str, uid: str) -> None:
    assert parse_uid(record) == uid


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        (UID, UID, True),
        (UID, UID[:8], True),
        (UID[:8], UID, True),
        (UID, OTHER, False),
        (UID, UID[:-1] + "2", False),
        (UID, UID[:7], False),
        ("", "", False),
        (UID, "", False),
    ],
)
def test_beginnings_of_identities(one: str, two: str, same: bool) -> None:
    assert matches(one, two) is same


@pytest.mark.parametrize(
    ("owner", "own"),
    [
        (Owner("test", UID), [UID, UID[:8]]),
        (Owner("test", UID, adopt=True), [UID, UID[:8], ""]),
        # One whose identity is not known, or that has none, owns nothing but what it is told.
        (Owner("test"), []),
        (Owner("test", adopt=True), [""]),
    ],
)
def test_what_a_cluster_owns(owner: Owner, own: list[str]) -> None:
    assert [uid for uid in (UID, UID[:8], OTHER, OTHER[:8], "") if owner.owns(uid)] == own


class Module:
    """A module on a host with a kubectl that is played."""

    def __init__(self, answer: tuple[int, str, str]) -> None:
        self.answer = answer
        self.asked: list[list[str]] = []
        self.warnings: list[str] = []

    def get_bin_path(self, name: str, **_options: Any) -> str:
        return f"/usr/bin/{name}"

    def run_command(self, command: list[str], **_options: Any) -> tuple[int, str, str]:
        self.asked.append(command)
        return self.answer

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Store:
    """An etcd with one record."""

    def __init__(self, record: str | None) -> None:
        self.record = record
        self.asked: list[tuple[list[str], str, bool]] = []

    def read_key(self, endpoints: list[str], key: str, local: bool = False) -> str:
        self.asked.append((endpoints, key, local))
        if self.record is None:
            raise EtcdError("permission denied")
        return self.record


@pytest.mark.parametrize(
    ("record", "api", "uid", "warning"),
    [
        (RECORD, (1, "", "x"), UID, ""),
        ("", (1, "", "x"), "", ""),  # an etcd without Kubernetes
        ("k8s:enc:x", (0, JSON, ""), UID, ""),
        ("k8s:enc:x", (1, "", "refused"), "", "the API does not tell which cluster it is"),
        (None, (1, "", "x"), "", "permission denied"),
    ],
)
def test_who_tells_the_identity(
    tmp_path: Path, record: str | None, api: tuple[int, str, str], uid: str, warning: str
) -> None:
    (tmp_path / "admin.conf").touch()
    module, etcd = Module(api), Store(record)
    found = cluster_uid(module, etcd, "https://a", "/registry/", str(tmp_path / "admin.conf"))  # type: ignore[arg-type]
    assert (found, bool(module.asked)) == (uid, bool(record) and record != RECORD)
    # A member that is behind, or alone, knows it as well.
    assert etcd.asked == [(["https://a"], "/registry/namespaces/kube-system", True)]
    assert warning in "".join(module.warnings)
    assert bool(warning) == bool(module.warnings)


def test_without_a_kubeconfig_the_api_is_not_asked(tmp_path: Path) -> None:
    module = Module((0, JSON, ""))
    assert owner_utils.ask_api(module, str(tmp_path / "none")) == ("", f"{tmp_path}/none does not exist")  # type: ignore[arg-type]
    assert module.asked == []
