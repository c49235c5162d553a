"""Encryption at rest: every order of steps and interruptions leaves API servers that can read all that is stored."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.groundwork.kubernetes.plugins.filter.encryption_plan import encryption_plan
from ansible_collections.groundwork.kubernetes.plugins.modules.encryption_info import new_key
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import encryption_at_rest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.encryption_at_rest import (
    IDENTITY,
    DesiredEncryption,
    Provider,
    parse,
    path_of,
    plan,
    render,
    stages,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


def key(days_ago: int = 0, kind: str = "secretbox") -> Provider:
    made = new_key(NOW - timedelta(days=days_ago))
    return Provider(kind, made["name"], made["secret"])


OLD, NEW = key(100), key(0)
CBC = key(50, "aescbc")
ON, OFF = DesiredEncryption("secretbox", ["secrets"]), DesiredEncryption("none", ["secrets"])
ROTATE = DesiredEncryption("secretbox", ["secrets"], rotate=True)


def secrets(*providers: Provider) -> encryption_at_rest.Config:
    return {"secrets": providers}


def shown(found: list[encryption_at_rest.Stage]) -> list[tuple[Any, ...]]:
    return [(stage.config["secrets"], stage.rewrite) for stage in found]


@pytest.mark.parametrize(
    ("current", "desired", "expected"),
    [
        ([], ON, [((NEW,), [])]),
        ([], OFF, [((IDENTITY,), [])]),
        ([{}], OFF, [((IDENTITY,), [])]),
        ([secrets(OLD)] * 3, ON, [((OLD,), [])]),
        ([{}], ON, [((NEW, IDENTITY), ["secrets"]), ((NEW,), [])]),
        ([{}] * 2, ON, [((IDENTITY, NEW), []), ((NEW, IDENTITY), ["secrets"]), ((NEW,), [])]),
        ([secrets(OLD)], ROTATE, [((NEW, OLD), ["secrets"]), ((NEW,), [])]),
        ([secrets(OLD)] * 2, ROTATE, [((OLD, NEW), []), ((NEW, OLD), ["secrets"]), ((NEW,), [])]),
        ([secrets(OLD)] * 2, OFF, [((OLD, IDENTITY), []), ((IDENTITY, OLD), ["secrets"]), ((IDENTITY,), [])]),
        ([secrets(CBC)] * 2, ON, [((CBC, NEW), []), ((NEW, CBC), ["secrets"]), ((NEW,), [])]),
        # Interrupted, and asked to rotate again: what was begun is finished.
        ([secrets(OLD, NEW), secrets(OLD)], ROTATE, [((OLD, NEW), []), ((NEW, OLD), ["secrets"]), ((NEW,), [])]),
        ([secrets(OLD, NEW)] * 2, ROTATE, [((NEW, OLD), ["secrets"]), ((NEW,), [])]),
        ([secrets(NEW, OLD), secrets(OLD, NEW)], ON, [((NEW, OLD), ["secrets"]), ((NEW,), [])]),
        ([secrets(NEW, OLD)] * 2, ON, [((NEW, OLD), ["secrets"]), ((NEW,), [])]),
        ([secrets(NEW), secrets(NEW, OLD)], ON, [((NEW,), [])]),
        # One was made to forget by other means.
        ([secrets(NEW), secrets(OLD)], ON, [((OLD, NEW), []), ((NEW, OLD), ["secrets"]), ((NEW,), [])]),
    ],
)
def test_stages(current: list[encryption_at_rest.Config], desired: DesiredEncryption, expected: list[Any]) -> None:
    hosts = {f"cp-{number}": config for number, config in enumerate(current)}
    assert shown(stages(hosts, desired, NEW)) == expected


@pytest.mark.parametrize(("max_age", "rotates"), [(0, False), (101, False), (100, True), (1, True)])
def test_a_key_is_replaced_when_it_is_old(max_age: int, rotates: bool) -> None:
    found = stages({"a": secrets(OLD)}, DesiredEncryption("secretbox", ["secrets"], max_age=max_age), NEW)
    assert (found[-1].config == secrets(NEW)) == rotates


def test_a_key_of_unknown_age_is_older_than_any() -> None:
    foreign = Provider("secretbox", "key1", OLD.secret)
    found = stages({"a": secrets(foreign, OLD)}, ON, NEW)
    assert shown(found) == [((OLD, foreign), ["secrets"]), ((OLD,), [])]
    aged = stages({"a": secrets(foreign)}, DesiredEncryption("secretbox", ["secrets"], max_age=3650), NEW)
    assert aged[-1].config == secrets(NEW)


def test_resources_go_their_own_way() -> None:
    current = {"a": secrets(OLD), "b": secrets(OLD)}
    found = stages(current, DesiredEncryption("secretbox", ["secrets", "configmaps"]), NEW)
    assert [stage.config["secrets"] for stage in found] == [(OLD,)] * 3
    assert [stage.config["configmaps"] for stage in found] == [(IDENTITY, OLD), (OLD, IDENTITY), (OLD,)]
    assert [stage.rewrite for stage in found] == [[], ["configmaps"], []]
    back = stages(dict.fromkeys(current, found[-1].config), ON, NEW)
    assert [stage.config["configmaps"] for stage in back] == [(OLD, IDENTITY), (IDENTITY, OLD), (IDENTITY,)]
    assert [stage.rewrite for stage in back] == [[], ["configmaps"], []]


class Cluster:
    """API servers and what they have stored: for each object, the provider it was written with."""

    def __init__(self, configs: list[encryption_at_rest.Config], stored: set[Provider]) -> None:
        self.configs, self.stored = list(configs), set(stored)
        self.steps = 0

    def hosts(self) -> dict[str, encryption_at_rest.Config]:
        return {str(number): config for number, config in enumerate(self.configs)}

    def writers(self) -> set[Provider]:
        return {config.get("secrets", (IDENTITY,))[0] for config in self.configs}

    def check(self) -> None:
        """Everyone writes now; then everyone must be able to read it all."""
        self.stored |= self.writers()
        for config in self.configs:
            assert self.stored <= set(config.get("secrets", (IDENTITY,)))

    def run(self, desired: DesiredEncryption, new: Provider, order: tuple[int, ...], budget: int) -> bool:
        """One run of the role that ends after so many steps; whether it got to its end."""
        for stage in stages(self.hosts(), desired, new):
            for number in order:
                if self.configs[number] != stage.config:
                    if budget == 0:
                        return False
                    budget -= 1
                    self.configs[number] = stage.config
                    self.check()
            if stage.rewrite:
                if budget == 0:
                    # Cut off in the middle: something has been rewritten, something not.
                    self.stored |= self.writers()
                    return False
                budget -= 1
                self.stored = self.writers()
                assert len(self.stored) == 1
            self.check()
        return True


STATES = {
    "plain": ({}, {IDENTITY}),
    "old": (secrets(OLD), {OLD}),
    "other": (secrets(CBC), {CBC}),
    "half": (secrets(OLD, IDENTITY), {OLD, IDENTITY}),
}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("first", [ON, ROTATE, OFF], ids=["on", "rotate", "off"])
@pytest.mark.parametrize("second", [ON, ROTATE, OFF], ids=["on", "rotate", "off"])
def test_interrupted_anywhere_everything_can_be_read(
    count: int, state: str, first: DesiredEncryption, second: DesiredEncryption
) -> None:
    """A run is cut off after each number of steps, on hosts in any order; another follows, with another one desired."""
    config, stored = STATES[state]
    orders = list(itertools.permutations(range(count)))
    for order, budget, next_budget in itertools.product(orders, range(12), range(0, 12, 4)):
        cluster = Cluster([config] * count, stored)
        cluster.check()
        cluster.run(first, key(2), order, budget)
        cluster.run(second, key(1), orders[-1], next_budget)
        assert cluster.run(second, key(0), order, 99)
        assert all(config == cluster.configs[0] for config in cluster.configs)
        assert len(cluster.writers()) == 1
        assert cluster.writers() == cluster.stored
        settled = DesiredEncryption(second.provider, second.resources)
        assert len(stages(cluster.hosts(), settled, NEW)) == 1


def test_text_is_what_the_api_server_reads_and_back() -> None:
    config = {"secrets": (NEW, IDENTITY, OLD), "configmaps": (IDENTITY,)}
    document = yaml.safe_load(render(config))
    assert document == {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [
            {"resources": ["configmaps"], "providers": [{"identity": {}}]},
            {
                "resources": ["secrets"],
                # The keys of one kind stand together, as the API server tries only the first entry of a kind.
                "providers": [
                    {
                        "secretbox": {
                            "keys": [
                                {"name": NEW.name, "secret": NEW.secret},
                                {"name": OLD.name, "secret": OLD.secret},
                            ]
                        }
                    },
                    {"identity": {}},
                ],
            },
        ],
    }
    assert parse(render(config)) == {"secrets": (NEW, OLD, IDENTITY), "configmaps": (IDENTITY,)}


def test_no_encryption_is_no_file() -> None:
    assert render({"secrets": (IDENTITY,)}) == ""
    assert path_of("") == ""


def test_another_content_is_another_file() -> None:
    assert path_of(render(secrets(OLD)), "/f") != path_of(render(secrets(NEW)), "/f")


def test_a_key_is_never_shown() -> None:
    assert OLD.secret not in repr(OLD)
    broken = f"resources: [{{resources: [secrets], providers: [{{secretbox: {{keys: [{{secret: {OLD.secret}}}]}}}}]}}]"
    with pytest.raises(encryption_at_rest.EncryptionError) as caught:
        parse(broken)
    assert OLD.secret not in str(caught.value)


def state(
    config: encryption_at_rest.Config | None = None, exists: bool = True, path: str = "", text: str = ""
) -> dict[str, Any]:
    text = text or (render(config) if config else "")
    return {"exists": exists, "file": path or path_of(text), "config": text}


FOREIGN = "resources: [{resources: [secrets], providers: [{kms: {name: x}}]}]"


@pytest.mark.parametrize(
    ("found", "desired", "given", "message"),
    [
        ({"a": state()}, ON, "/etc/enc.yaml", "names the file /etc/enc.yaml"),
        (
            {"a": state(path="/etc/enc.yaml", text="x")},
            OFF,
            "",
            "a: the API server reads /etc/enc.yaml, but no variable",
        ),
        ({"a": state(text=FOREIGN)}, ON, "", "its provider kms is none that can be changed here"),
        ({"a": state(path="/gone")}, ON, "", "a: /gone, which the API server reads, cannot be changed"),
        (
            {"a": state(text="resources: [{resources: ['*.*'], providers: [{identity: {}}]}]")},
            ON,
            "",
            "its resource *.*",
        ),
        ({"a": state()}, DesiredEncryption("secretbox", ["*."]), "", "'*.' is no resource"),
        ({"b": state()}, ON, "", "a did not take part in this run"),
    ],
)
def test_faults(found: dict[str, Any], desired: DesiredEncryption, given: str, message: str) -> None:
    result = plan(["a", *found], found, desired, NEW, given=given)
    assert message in "\n".join(result["faults"])
    assert (result["path"], result["transitions"]) == ("", [])


def test_a_host_that_is_away_matters_only_for_a_change() -> None:
    result = plan(["a", "b"], {"a": state(secrets(OLD))}, ON, NEW)
    assert result["faults"] == []
    assert result["path"] == path_of(render(secrets(OLD)))


def test_what_the_user_manages_is_left_alone() -> None:
    result = plan(["a"], {"a": state(text=FOREIGN, path="/etc/enc.yaml")}, OFF, IDENTITY, given="/etc/enc.yaml")
    assert result == {"path": "", "content": "", "transitions": [], "faults": []}


def test_a_file_made_by_hand_is_taken_over() -> None:
    hand = Provider("secretbox", "key1", OLD.secret)
    found = {"a": state(secrets(hand, IDENTITY), path="/etc/enc.yaml")}
    result = plan(["a"], found, ON, NEW)
    assert [item["rewrite"] for item in result["transitions"]] == [["secrets"]]
    assert parse(result["content"]) == secrets(hand)


@pytest.mark.parametrize(
    ("stored", "desired", "expected"),
    [
        ([], ON, secrets(NEW)),
        ([], OFF, None),
        ([secrets(OLD)], ON, secrets(OLD)),
        ([secrets(OLD)], ROTATE, secrets(OLD)),
        ([secrets(OLD)], OFF, secrets(IDENTITY, OLD)),
        ([secrets(CBC, OLD), secrets(OLD)], ON, secrets(OLD, CBC)),
        ([secrets(CBC)], ON, secrets(NEW, CBC)),
        ([secrets(IDENTITY, OLD)], ON, secrets(OLD, IDENTITY)),
    ],
)
def test_a_cluster_begins_with_the_keys_of_a_backup(
    stored: list[Any], desired: DesiredEncryption, expected: Any
) -> None:
    found = {"a": {**state(exists=False), "stored": [render(config) for config in stored]}}
    result = plan(["a"], found, desired, NEW)
    assert (result["transitions"], result["faults"]) == ([], [])
    assert (parse(result["content"]) if result["content"] else None) == expected


def test_keys_of_a_backup_that_cannot_be_read_stop_it() -> None:
    result = plan(["a"], {"a": {**state(exists=False), "stored": ["x"]}}, ON, NEW)
    assert result["faults"] == ["a: a configuration cannot be changed: it has not the form of one"]


def test_hosts_that_join_get_what_the_others_have() -> None:
    result = plan(["a", "b"], {"a": state(secrets(OLD)), "b": state(exists=False)}, ON, NEW)
    assert (result["transitions"], result["content"]) == ([], render(secrets(OLD)))


def test_the_filter() -> None:
    options: dict[str, Any] = {"provider": "secretbox", "resources": ["secrets"]}
    fresh = {"name": NEW.name, "secret": NEW.secret}
    result = encryption_plan({"a": state(exists=False)}, ["a"], **options, key=fresh, folder="/f")
    assert result["content"] == render(secrets(NEW))
    assert result["path"] == path_of(result["content"], "/f")
    with pytest.raises(AnsibleFilterError, match="needs a fresh key"):
        encryption_plan({}, ["a"], **options)
    arguments = [{"name": "profiling", "value": "false"}, {"name": "encryption-provider-config", "value": "/x"}]
    assert "/x" in encryption_plan({"a": state()}, ["a"], **options, key=fresh, arguments=arguments)["faults"][0]
