"""The collection's entries of add-ons, and the releases that those of a cluster become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.addon_proof import Question
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import addon_entries

ROOT = Path(__file__).resolve().parents[5]
SPEC = yaml.safe_load((ROOT / "roles/addons/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
CLUSTER = {"dns_address": "10.96.0.10", "dns_domain": "cluster.local", "kubernetes_version": "1.36.5"}
OWN: list[dict[str, Any]] = [
    {"name": "a", "namespace": "x", "objects": [], "needs": {"addons": ["b"]}},
    {"name": "b", "namespace": "x", "objects": []},
    {"name": "c", "namespace": "y", "url": "https://e.org/${version}/c-${dns_domain}.tgz", "version": "1.2"},
]


@pytest.mark.parametrize("name", sorted(addon_entries.shipped()))
def test_entries_have_the_form_of_own_ones(name: str) -> None:
    entry = addon_entries.shipped()[name]
    validator = ArgumentSpecValidator(SPEC["addons_own"]["options"])
    assert validator.validate({**entry}).error_messages == []
    assert "about" in entry
    assert "version" in entry
    assert "checksum" not in entry, "nobody here knows it"
    assert str(entry["url"]).startswith("https://")
    assert "${version}" in entry["url"]
    assert [one for one in entry.get("proof") or [] if not one["path"].startswith("/")] == []
    assert entry.get("proof"), "what proves it?"


@pytest.mark.parametrize("name", sorted(addon_entries.shipped()))
def test_files_are_called_like_their_add_on(name: str) -> None:
    assert (addon_entries.FOLDER / f"{name.replace('-', '_')}.yml").is_file()


@pytest.mark.parametrize("name", sorted(addon_entries.shipped()))
def test_nothing_is_left_to_fill_in(name: str) -> None:
    [release] = addon_entries.releases([{"name": name}], [], CLUSTER)
    assert addon_entries.PLACEHOLDER.search(str(release)) is None
    assert [Question.of(one).addon for one in release["proof"]] == [name] * len(release["proof"])


def names(wanted: list[dict[str, Any]]) -> list[str]:
    return [f"{one['state']} {one['name']}" for one in addon_entries.releases(wanted, OWN, CLUSTER)]


def test_order() -> None:
    assert names([{"name": "a"}, {"name": "b"}]) == ["present b", "present a"]
    assert names([{"name": "a"}, {"name": "c"}]) == ["present a", "present c"]
    gone = {"state": "absent"}
    assert names([{"name": "c"}, {"name": "b", **gone}, {"name": "a", **gone}]) == [
        "absent a",
        "absent b",
        "present c",
    ]


def test_what_needs_each_other() -> None:
    own = [*OWN, {"name": "b", "namespace": "x", "objects": [], "needs": {"addons": ["a"]}}]
    with pytest.raises(addon_entries.AddonError, match="a, b need each other"):
        addon_entries.releases([{"name": "a"}, {"name": "b"}], own, CLUSTER)


def test_objects_come_after_and_go_before() -> None:
    objects = [{"kind": "ConfigMap"}]
    found = addon_entries.releases([{"name": "b", "objects": objects}], OWN, CLUSTER)
    assert [(one["title"], one["objects"]) for one in found] == [("x/b", []), ("x/b-objects", objects)]
    assert names([{"name": "b", "objects": [], "state": "absent"}]) == ["absent b-objects", "absent b"]


def test_where_it_comes_from() -> None:
    def place(**item: Any) -> dict[str, Any]:
        [release] = addon_entries.releases([{"name": "c", **item}], OWN, CLUSTER)
        return {name: release[name] for name in ("chart", "url", "version", "checksum") if name in release}

    plain = {"url": "https://e.org/1.2/c-${dns_domain}.tgz", "version": "1.2"}
    assert place() == plain
    assert place(version="v3") == {"url": "https://e.org/3/c-${dns_domain}.tgz", "version": "3"}
    assert place(chart="c.tgz", checksum="sha256:1") == {"chart": "c.tgz", "version": "1.2", "checksum": "sha256:1"}
    assert place(url="https://m/${version}") == {"url": "https://m/1.2", "version": "1.2"}


def test_what_the_inventory_gives() -> None:
    item = {"name": "local-path", "replace": {"a": "b"}, "values_files": ["f"], "take_over": True, "remove_crds": False}
    [release] = addon_entries.releases([item], [], CLUSTER)
    assert release["replace"] == {"docker.io/library/busybox": "docker.io/library/busybox:1.37", "a": "b"}
    assert (release["values_files"], release["take_over"], release["remove_crds"]) == (["f"], True, False)
    [namespace] = release["objects"]
    assert namespace["metadata"] == {
        "name": "local-path-storage",
        "labels": {"pod-security.kubernetes.io/enforce": "privileged"},
    }


def test_own_entries_take_the_place_of_the_collections() -> None:
    own = [{"name": "traefik", "namespace": "edge", "objects": [{"kind": "Pod"}]}]
    [release] = addon_entries.releases([{"name": "traefik"}], own, CLUSTER)
    assert (release["title"], release["objects"], "url" in release) == ("edge/traefik", [{"kind": "Pod"}], False)


@pytest.mark.parametrize(
    ("cidr", "address"),
    [
        ("10.96.0.0/12", "10.96.0.10"),
        ("fd00::/108,10.0.0.0/16", "fd00::a"),
        ("10.0.0.0/30", ""),
        ("none", ""),
    ],
)
def test_address_of_dns(cidr: str, address: str) -> None:
    assert addon_entries.dns_address(cidr) == address
