"""etcd's settings as the environment of each minor version."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.etcd_environment import etcd_environment
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._etcd.flags import (
    FlagError,
    data,
    environment,
    parse,
)

V34, V35, V36, V37 = "3.4.23", "3.5.30", "3.6.15", "3.7.1"


def variables(settings: dict[str, Any], version: str, base: dict[str, Any] | None = None) -> dict[str, str]:
    lines = environment(settings, base or {}, version).splitlines()
    pairs = [line.partition("=") for line in lines]
    return {name: "".join(shlex.split(value)) for name, _equals, value in pairs}


@pytest.mark.parametrize(
    ("settings", "version", "expected"),
    [
        ({"max-request-bytes": 3145728}, V34, {"ETCD_MAX_REQUEST_BYTES": "3145728"}),
        ({"--max_request_bytes": 1}, V37, {"ETCD_MAX_REQUEST_BYTES": "1"}),
        ({"pre-vote": True}, V34, {"ETCD_PRE_VOTE": "true"}),
        ({"cipher-suites": ["A", "B"]}, V36, {"ETCD_CIPHER_SUITES": "A,B"}),
        # Flags without the prefix since 3.6, and the old name in any version.
        ({"corrupt-check-time": "4h"}, V34, {"ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME": "4h"}),
        ({"experimental-corrupt-check-time": "4h"}, V35, {"ETCD_EXPERIMENTAL_CORRUPT_CHECK_TIME": "4h"}),
        ({"experimental-corrupt-check-time": "4h"}, V36, {"ETCD_CORRUPT_CHECK_TIME": "4h"}),
        ({"experimental-corrupt-check-time": "4h"}, V37, {"ETCD_CORRUPT_CHECK_TIME": "4h"}),
        # Feature gates since 3.6.
        ({"experimental-initial-corrupt-check": True}, V37, {"ETCD_FEATURE_GATES": "InitialCorruptCheck=true"}),
        ({"feature-gates": {"InitialCorruptCheck": True}}, V34, {"ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK": "true"}),
        (
            {"feature-gates": "InitialCorruptCheck=true,CompactHashCheck=false"},
            V36,
            {"ETCD_FEATURE_GATES": "CompactHashCheck=false,InitialCorruptCheck=true"},
        ),
        (
            {"feature-gates": {"CompactHashCheck": True}, "experimental-stop-grpc-service-on-defrag": True},
            V37,
            {"ETCD_FEATURE_GATES": "CompactHashCheck=true,StopGRPCServiceOnDefrag=true"},
        ),
        ({"feature-gates": {"SomethingNew": True}}, V37, {"ETCD_FEATURE_GATES": "SomethingNew=true"}),
        ({"log-level": 'a"b\\c$d'}, V35, {"ETCD_LOG_LEVEL": 'a"b\\c$d'}),
    ],
)
def test_names_by_version(settings: dict[str, Any], version: str, expected: dict[str, str]) -> None:
    assert variables(settings, version) == expected


def test_what_is_empty_in_the_base_is_left_out() -> None:
    base = {"wal-dir": "", "listen-metrics-urls": [], "heartbeat-interval": None, "feature-gates": {"New": None}}
    assert variables({"pre-vote": ""}, V37, base) == {"ETCD_PRE_VOTE": ""}


def test_nothing_experimental_is_left_in_37() -> None:
    everything = {f"experimental-{name}": "1" for name in data()["renamed"]}
    everything.update({flag: True for flag, _since in data()["gates"].values()})
    found = variables(everything, V37)
    assert [name for name in found if "EXPERIMENTAL" in name] == []
    assert len(found) == len(data()["renamed"]) + 1
    assert len(found["ETCD_FEATURE_GATES"].split(",")) == len(data()["gates"])


@pytest.mark.parametrize(
    ("settings", "version", "message"),
    [
        ({"max-learners": 2}, V35, "max-learners: etcd 3.5.30 has no such flag, only 3.6 to 3.7 have it"),
        ({"experimental-max-learners": 2}, V35, "experimental-max-learners: etcd 3.5.30 has no such flag"),
        ({"enable-v2": True}, V36, "enable-v2: etcd 3.6.15 has no such flag, only 3.4 to 3.5 have it"),
        ({"debug": True}, V35, "debug: etcd 3.5.30 has no such flag, only 3.4 has it"),
        ({"max-request-bytes": None}, V34, "max-request-bytes: it has no value; give it one, or remove it"),
        ({"--max_request_bytes": None}, V34, "--max_request_bytes: it has no value"),
        ({"cipher-suites": ["A", None]}, V36, "cipher-suites: it has no value"),
        ({"feature-gates": None}, V36, "feature-gates: it has no value"),
        ({"feature-gates": {"SomethingNew": None}}, V37, "feature-gates.SomethingNew: it has no value"),
        ({"experimental-initial-corrupt-check": None}, V35, "feature-gates.InitialCorruptCheck: it has no value"),
        ({"log-format": "json"}, V34, "log-format: etcd 3.4.23 has no such flag"),
        ({"feature-gates": {"CompactHashCheck": True}}, V34, "feature-gates.CompactHashCheck: etcd 3.4.23 has neither"),
        (
            {"feature-gates": {"New": True}},
            V35,
            "feature-gates.New: etcd 3.5.30 has neither this feature gate nor a flag",
        ),
        ({"feature-gates": "New"}, V36, "feature-gates: 'New' is not written like InitialCorruptCheck=true"),
        (
            {"heartbeat-intervall": 5},
            V36,
            "heartbeat-intervall: etcd has no such flag; did you mean heartbeat-interval?",
        ),
        ({"name": "x"}, V36, "name: set kubernetes_node_name instead"),
        ({"data-dir": "x"}, V36, "data-dir: set etcd_data_dir instead"),
        ({"force-new-cluster": True}, V36, "force-new-cluster: this flag cannot be used with the role"),
        ({"initial-cluster-state": "new"}, V36, "initial-cluster-state: this flag cannot be used with the role"),
        ({"log-level": "a\nb"}, V36, "log-level: the value may have no line break"),
        ({"heartbeat-interval": 300}, V36, "election-timeout: 1000 is less than five times heartbeat-interval, 300"),
    ],
)
def test_refused(settings: dict[str, Any], version: str, message: str) -> None:
    base = {"election-timeout": 1000, "heartbeat-interval": 100}
    with pytest.raises(FlagError) as error:
        environment(settings, base, version)
    assert message in str(error.value)


def test_all_faults_at_once() -> None:
    with pytest.raises(AnsibleFilterError) as error:
        etcd_environment({"nonsense": 1, "name": "x", "log-format": "json"}, {}, V34)
    assert len(str(error.value).splitlines()) == 3


def test_base_gives_way_and_is_never_a_fault() -> None:
    base = {
        "name": "m1", "wal-dir": "", "quota-backend-bytes": 1, "log-format": "json", "listen-metrics-urls": [],
        "feature-gates": {"InitialCorruptCheck": True},
    }  # fmt: skip
    settings = {"quota-backend-bytes": 2, "experimental-initial-corrupt-check": False}
    assert variables(settings, V34, base) == {
        "ETCD_NAME": "m1",
        "ETCD_QUOTA_BACKEND_BYTES": "2",
        "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK": "false",
    }


@pytest.mark.parametrize("version", ["3.3.27", "3.8.0", "4.0.0", "3.6", "v3.6.1", "latest"])
def test_versions_that_are_not_covered(version: str) -> None:
    with pytest.raises(FlagError, match=r"is not covered|is no version"):
        parse(version)
