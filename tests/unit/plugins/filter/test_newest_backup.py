"""The filter newest_backup: the youngest of those that are proven, and who signed it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.newest_backup import newest_backup

KEY = "ssh-ed25519 AAAAkey cp-1"
GOOD = {"state": "good", "fingerprint": "SHA256:abc", "key": KEY}
UNREACHED = {"item": "cp-3", "unreachable": True}


def backup(age: float, valid: bool = True, **signature: Any) -> dict[str, Any]:
    return {"age": age, "valid": valid, "signature": signature}


def test_the_newest_of_all_hosts() -> None:
    results = [
        {"backups": [backup(50), backup(9, valid=False)], "unidentified": ["/b/a.tar"]},
        {"backups": [backup(20.5, **GOOD), backup(70)], "unidentified": []},
        UNREACHED,
    ]
    assert newest_backup(results, [KEY]) == {
        "found": True, "age": 20.5, "signed": "signed by SHA256:abc", "unidentified": ["/b/a.tar"],
    }  # fmt: skip


@pytest.mark.parametrize("results", [[], [UNREACHED], [{"backups": [backup(1, valid=False)], "unidentified": []}]])
def test_there_is_none(results: list[dict[str, Any]]) -> None:
    found = newest_backup(results, [])
    assert (found["found"], found["age"], found["signed"], found["unidentified"]) == (False, None, "", [])


@pytest.mark.parametrize(
    ("signature", "trusted", "signed"),
    [
        ({}, [], "not signed"),
        ({"state": "none"}, [], "not signed"),
        ({"state": "unknown"}, [], "its signature could not be verified"),
        (GOOD, ["ssh-ed25519 AAAAother x", "ssh-ed25519 AAAAkey"], "signed by SHA256:abc"),
        ({**GOOD, "state": "unread"}, [KEY], "signed by SHA256:abc (its bytes were not read)"),
        (
            GOOD, ["ssh-ed25519 AAAAother x"],
            "signed by SHA256:abc, which is not in backup_trusted_signers: a rebuild would not know it. "
            f"The public key is {KEY}",
        ),
    ],
)  # fmt: skip
def test_who_signed_it(signature: dict[str, Any], trusted: list[str], signed: str) -> None:
    assert newest_backup([{"backups": [backup(1, **signature)]}], trusted)["signed"] == signed


def test_something_else() -> None:
    with pytest.raises(AnsibleFilterError, match="backup_info"):
        newest_backup([{"backups": [{}]}], [])
