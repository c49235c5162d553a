"""The judgement of variables whose keys become flags, arguments or environment, as a table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.empty_values import empty_values
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.inputs import HOST_CHECKS
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

COPY = {"name": "x", "path": "p", "settings": {"type": "s3"}}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        (
            {
                "etcd_settings": {"pre-vote": False, "cipher-suites": ["A"], "feature-gates": {"New": True}, "x": ""},
                "container_runtime_environment": {"HTTPS_PROXY": "", "A": 5},
                "endpoint_kube_vip_environment": {},
                "kubernetes_kubelet_extra_args": [{"name": "v", "value": 2}, {"name": "w"}],
                "backup_copies": [COPY],
            },
            [],
        ),
        ({"etcd_settings": {"a": None}}, ["etcd_settings.a has no value"]),
        ({"etcd_settings": {"a": ["A", None]}}, ["etcd_settings.a[1] has no value"]),
        ({"etcd_settings": {"feature-gates": {"A": None}}}, ["etcd_settings.feature-gates.A has no value"]),
        (
            {"container_runtime_environment": {"A": None, "B": ["b"]}},
            ["container_runtime_environment.A has no value", "container_runtime_environment.B is a list or a map"],
        ),
        ({"endpoint_kube_vip_environment": {"a": None}}, ["endpoint_kube_vip_environment.a has no value"]),
        (
            {"kubernetes_kubelet_extra_args": [{"name": "v", "value": None}, {"name": "w", "value": ["a"]}]},
            ["kubernetes_kubelet_extra_args: v has no value", "kubernetes_kubelet_extra_args: w is a list or a map"],
        ),
        (
            {"backup_copies": [COPY, {**COPY, "settings": {"type": None, "k": ["a"]}, "ssh_key": None}]},
            [
                "backup_copies: x.settings.type has no value",
                "backup_copies: x.settings.k is a list or a map",
                "backup_copies: x.ssh_key has no value",
            ],
        ),
        # Other forms are told by their type.
        ({"etcd_settings": "x", "backup_copies": {"a": None}, "container_runtime_environment": None}, []),
    ],
)
def test_values(values: dict[str, Any], expected: list[str]) -> None:
    host = HostInput("h1", values)
    texts = [fault.text for fault in empty_values(host, Inputs([host], {}, {}))]
    assert [text.partition(";")[0] for text in texts] == expected
    assert all("; give it one" in text for text in texts)


def test_it_is_among_the_checks() -> None:
    assert empty_values in HOST_CHECKS
