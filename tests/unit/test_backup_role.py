"""What the role backup gives its modules, in a play and in the timer's program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.groundwork.kubernetes.plugins.modules import backup
from ansible_collections.groundwork.kubernetes.tests.unit.rendering import render

ROLE = Path(__file__).resolve().parents[2] / "roles" / "backup"
MODULE = "groundwork.kubernetes.backup"


def load(path: str) -> Any:
    return yaml.safe_load((ROLE / path).read_text())


def test_a_play_and_the_timer_give_options_of_the_module() -> None:
    [task] = [task for task in load("tasks/make.yml") if MODULE in task]
    shared = load("vars/main.yml")["__backup_options"]
    assert set(shared) | set(task[MODULE]) <= set(backup.ARGUMENTS)
    assert set(shared) & set(task[MODULE]) == set()


def test_what_the_timer_runs(tmp_path: Path) -> None:
    """Its options are those of a play, except how old a backup of any host may be."""
    [task] = [task for task in load("tasks/schedule.yml") if "groundwork.kubernetes.schedule" in task]
    options = {"backup_timer_min_age": 7, "backup_prove": "status", "backup_keep": {"last": 3}}
    shown = {"timer": task["groundwork.kubernetes.schedule"]["parameters"], "play": "{{ __backup_options }}"}
    found = render(tmp_path, "backup", {"hosts": {"h": options}}, {"unused": 1}, shown)["h"]
    assert found["timer"] == {**found["play"], "unless_newer": 7, "take_turns": True}
    assert (found["timer"]["host"], found["timer"]["prove"], found["timer"]["keep"]) == ("h", "status", {"last": 3})


def test_what_can_fail_ends_the_play_for_all_hosts() -> None:
    """A change must not go on elsewhere when the backup before it failed."""
    tasks = [*load("tasks/make.yml"), *load("tasks/before.yml"), *load("tasks/main.yml")]
    failing = [task for task in tasks if MODULE in task or "ansible.builtin.assert" in task]
    assert failing
    assert [task["name"] for task in failing if task.get("run_once") is not True] == []


COPY = {"name": "x", "path": "p", "settings": {"type": "s3"}}
KEY, OTHER = "ssh-ed25519 AAAAC3+/x", "ssh-ed25519 AAAAC3+/y"
SIGNED = {"state": "good", "key": KEY, "fingerprint": "SHA256:abc", "message": ""}


TOLD = {
    "backup": "{{ [__backup_untrusted] * (__backup_unknown + __backup_unknown_key) | length }}",
    "verify": "{{ __verify_backup.signed }}",
}


@pytest.mark.parametrize("role", TOLD)
def test_a_signer_that_a_rebuild_would_not_know_is_told(tmp_path: Path, role: str) -> None:
    archives = [{"valid": True, "age": age, "signature": signature} for age, signature in ((90, {}), (60, SIGNED))]
    registered = {
        "__backup_made": {"signer": f"{KEY} cp-1"},
        "__backup_key": {"public_key": f"{KEY} cp-1"},
        "__verify_backups": {"results": [{"backups": archives}]},
    }
    trusted = {"none": [], "another": [OTHER], "both": [f"{OTHER} b", f" {KEY}  the cluster's"], "one": [KEY]}
    hosts = {name: {**registered, "backup_trusted_signers": keys} for name, keys in trusted.items()}
    output = {
        name: found["output"]
        for name, found in render(tmp_path, role, {"hosts": hosts}, {"unused": 1}, {"output": TOLD[role]}).items()
    }
    if role == "backup":
        assert {name: len(texts) for name, texts in output.items()} == {
            "none": 2, "another": 2, "both": 0, "one": 0,
        }  # fmt: skip
    else:
        unknown = f", which is not in backup_trusted_signers: a rebuild would not know it. The public key is {KEY}"
        start = "signed by SHA256:abc"
        assert output == {"none": start + unknown, "another": start + unknown, "both": start, "one": start}


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ({}, []),
        ({"backup_signing_key": " key\n"}, ["", "/signing_key"]),
        ({"backup_copies": [COPY]}, ["", "/rclone.conf", "/known_hosts"]),
        ({"backup_copies": [COPY], "backup_signing_key": "key"}, ["", "/signing_key", "/rclone.conf", "/known_hosts"]),
    ],
)
def test_what_a_host_gets_for_signatures_and_copies(tmp_path: Path, options: dict[str, Any], paths: list[str]) -> None:
    [task] = [task for task in load("tasks/prepare.yml") if "groundwork.kubernetes.files" in task]
    inventory = {"hosts": {"h": options}}
    shown = {"files": task["groundwork.kubernetes.files"]["files"]}
    files = render(tmp_path, "backup", inventory, {"unused": 1}, shown)["h"]["files"]
    archives, *files = files
    assert archives == {
        "path": "/var/backups/kubernetes", "state": "directory", "keep": True, "mode": "0700", "owner": "root",
        "group": "root",
    }  # fmt: skip
    assert [item["path"] for item in files] == [f"/etc/groundwork/backup{path}" for path in paths]
    assert all(item["mode"] in ("0600", "0700") for item in files if not item["path"].endswith("known_hosts"))
    assert [item["content"] for item in files if "signing" in item["path"]] == ["key\n"] * (
        "backup_signing_key" in options
    )
