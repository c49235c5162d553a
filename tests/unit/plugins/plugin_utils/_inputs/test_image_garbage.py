"""When the kubelet removes images that nothing uses."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.components import (
    component_settings,
    image_garbage,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

HIGH, LOW = "imageGCHighThresholdPercent", "imageGCLowThresholdPercent"
MINIMUM, MAXIMUM = "imageMinimumGCAge", "imageMaximumGCAge"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, []),
        ({HIGH: 75, LOW: 60, MINIMUM: "10m", MAXIMUM: "336h"}, []),
        ({MAXIMUM: "0s"}, []),
        ({MINIMUM: "1h30m", MAXIMUM: "2h"}, []),
        # Each against the kubelet's own other one.
        ({HIGH: 80}, [f"{LOW} is 80, and must be less than {HIGH}, which is 80"]),
        ({LOW: 90}, [f"{LOW} is 90, and must be less than {HIGH}, which is 85"]),
        (
            {HIGH: 101, LOW: -1},
            [
                f"{HIGH} 101 is no percentage; give a number from 0 to 100",
                f"{LOW} -1 is no percentage; give a number from 0 to 100",
            ],
        ),
        # What is of another type is told as such, and once.
        ({HIGH: True}, [f"{HIGH} True is no whole number; give it one, unquoted"]),
        ({LOW: "80%"}, [f"{LOW} '80%' is no whole number; give it one, unquoted"]),
        ({MAXIMUM: "14d"}, [f"{MAXIMUM} '14d' is no time; write it like 30s, 1h30m or 8760h"]),
        ({MAXIMUM: 0}, [f"{MAXIMUM} 0 is no time; write it like 30s, 1h30m or 8760h"]),
        ({MAXIMUM: "60s"}, [f"{MAXIMUM} is 60s, and must be more than {MINIMUM}, which is 2m"]),
    ],
)
def test_image_garbage(given: Any, expected: list[str]) -> None:
    host = HostInput("n1", {"kubernetes_kubelet_configuration": given, "kubernetes_version": "1.36.5"})
    inputs = Inputs([host], {}, {})
    found = [fault.text for check in (component_settings, image_garbage) for fault in check(host, inputs)]
    assert found == [f"kubernetes_kubelet_configuration.{text}" for text in expected]
