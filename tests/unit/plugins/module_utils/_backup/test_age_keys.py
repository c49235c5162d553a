"""The keys of encryption at rest in the forms in which people write the configuration."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.archive_description import (
    encryption_keys,
    stored_keys,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._backup.manifest import (
    EtcdState,
    Manifest,
    Part,
    Proof,
)

BLOCK = "providers:\n- aescbc:\n    keys:\n    - name: {}\n      secret: {}\n- identity: {{}}\n"


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", {}),
        ("providers: [{identity: {}}]", {}),
        (BLOCK.format("key-1", "c2VjcmV0"), {"c2VjcmV0": "key-1"}),
        (BLOCK.format('"key-1"', "'c2Vj+/0='"), {"c2Vj+/0=": "key-1"}),
        ('{"keys": [{"name": "a", "secret": "eA=="}, {"name": "b", "secret": "eQ=="}]}', {"eA==": "a", "eQ==": "b"}),
        ("keys: [{name: a, secret: eA==}]", {"eA==": "a"}),
        ("- secret: eA==\n  name: a\n", {"eA==": "without a name"}),
        ("# name: a\n# secret: eA==\n", {}),
        ("- kms:\n    name: vault\n    endpoint: unix:///x\n", {}),
    ],
)
def test_the_keys_of_a_configuration(text: str, keys: dict[str, str]) -> None:
    assert encryption_keys(text) == {digest(secret): name for secret, name in keys.items()}


def test_the_keys_in_an_archive(tmp_path: Path) -> None:
    names = ["etcd.db", "files/etc/kubernetes/encryption/a.yaml", "files/etc/kubernetes/encryption.yaml"]
    contents = [b"- name: no\n  secret: bm8=\n", *(BLOCK.format(n, n * 4).encode() for n in "ab")]
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for name, content in zip(names, contents, strict=True):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    parts = [Part(n, len(c), hashlib.sha256(c).hexdigest()) for n, c in zip(names, contents, strict=True)]
    manifest = Manifest("c", "h", "", "", EtcdState("", "", 1, 1), Proof("", True), parts)
    assert stored_keys(str(tmp_path / "x.tar"), manifest) == {digest("aaaa"): "a", digest("bbbb"): "b"}
