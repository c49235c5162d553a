"""The judgement of the variables of backups, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.backups import backups
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.inputs import HOST_CHECKS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPLIJ/GXykftYmN1hmrIZ4M1wNe+Sl+ZX/r8N9Hla7yh cp-1"
COPIES = {"backup_copies": [{"name": "x"}]}
FOLDER = {"backup_controller_directory": "/srv"}
AGE = {"backup_encrypt_to": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"backup_copies": [], "backup_controller_directory": ""}, []),
        (COPIES, ["backup_copies would take archives off the host without encryption"]),
        (FOLDER, ["backup_controller_directory would take archives off the host without encryption"]),
        ({**COPIES, **FOLDER, "backup_encrypt_to": []}, ["backup_copies and backup_controller_directory would take"]),
        ({**COPIES, **FOLDER, **AGE}, []),
        ({**COPIES, "backup_plain_copies": "true"}, []),
        ({**COPIES, "backup_plain_copies": "false"}, ["backup_copies would take"]),
        ({"backup_trusted_signers": [KEY, "cp-1"]}, ["backup_trusted_signers: 'cp-1' is no public key of ssh"]),
        # Other forms are told by their type.
        ({"backup_trusted_signers": KEY}, []),
    ],
)
def test_values(values: dict[str, Any], expected: list[str]) -> None:
    host = HostInput("h1", {"kubernetes_control_plane_group": "cp", "kubernetes_node_group": "nodes", **values})
    found = [fault.text for fault in backups(host, Inputs([host], {"cp": ["h1"]}, {}))]
    assert (
        [text.startswith(start) for text, start in zip(found, expected)]
        == [True] * len(expected)
        == [True] * len(found)
    )
    # Workers make no backups.
    assert not list(backups(host, Inputs([host], {"nodes": ["h1"]}, {})))


def test_it_is_among_the_checks() -> None:
    assert backups in HOST_CHECKS
