"""The filter unit_confinement: what all services have, with what one has besides, instead, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.unit_confinement import unit_confinement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.confinement import COMMON


@pytest.mark.parametrize(
    ("own", "line", "there"),
    [
        ({}, "ProtectSystem=strict", True),
        ({"ProtectSystem": "full"}, "ProtectSystem=full", True),
        ({"ProtectSystem": "full"}, "ProtectSystem=strict", False),
        ({"CapabilityBoundingSet": ""}, "CapabilityBoundingSet=", True),
        ({"RemoveIPC": True}, "RemoveIPC=true", True),
        ({"NoNewPrivileges": None}, "NoNewPrivileges=true", False),
    ],
)
def test_lines(own: dict[str, Any], line: str, there: bool) -> None:
    lines = unit_confinement(own).splitlines()
    assert (line in lines) is there
    assert lines == sorted(lines)
    assert {name for name in COMMON if name not in own} <= {one.partition("=")[0] for one in lines}


def test_no_mapping() -> None:
    with pytest.raises(AnsibleFilterError, match="by name"):
        unit_confinement(["ProtectHome"])
