"""What the tests of modules share."""

from __future__ import annotations

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import api


@pytest.fixture(autouse=True)
def answering_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """In check mode, modules ask first whether there is a cluster: it answers, where a test does not say otherwise."""
    monkeypatch.setattr(api, "unreachable", lambda _module, _kubeconfig: "")
