"""The action helm_template in a play of real Ansible, with a program that prints a file in the place of Helm."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
import yaml

HELM = """#!{python}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
if sys.argv[1] == "version":
    print("v4.2.3")
    sys.exit()
values = json.load(sys.stdin)
if "refused" in values:
    print("Error: the value " + values["refused"] + " is bad", file=sys.stderr)
    sys.exit(1)
count = here / "count"
count.write_text(str(int(count.read_text()) + 1 if count.exists() else 1))
print((here.parent / "rendered.yml").read_text().replace("COUNT", count.read_text() if "changing" in values else "1"))
data = {{"values": json.dumps(values), "argv": " ".join(sys.argv[4:])}}
print("---")
print(json.dumps({{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "told"}}, "data": data}}))
"""
RENDERED = """
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {a: "COUNT"}
---
apiVersion: v1
kind: Namespace
metadata: {name: extra}
"""
SECRET = "a-secret-of-the-values"  # noqa: S105  it is for this test
MANIFEST = "{apiVersion: v1, kind: ConfigMap, metadata: {name: PLACE}, data: {a: '1', b: '2'}}\n"
MORE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "here"}, "data": {"b": "3"}}
# Objects have it, and results without no_log show them.
PASSWORD = "in-the-objects"  # noqa: S105
GIVEN = {"name": "shop", "namespace": "n", "chart": "shop.tgz", "ask": False, "kubernetes_version": "1.36.5"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no chart": (
        {"chart": None},
        "state is present but any of the following are missing: chart, url, rendered, objects",
    ),
    "two charts": ({"url": "https://x/y.tgz"}, "mutually exclusive: chart|url|rendered"),
    "no version of Kubernetes": ({"kubernetes_version": None}, "ask is False but all of the following are missing"),
    "no file": ({"chart": "other.tgz"}, "other.tgz"),
    "a folder": ({"chart": "folder"}, "is a folder; pack it with helm package"),
    "no archive": (
        {"chart": "values.yml"},
        "values.yml is neither a chart's archive nor a manifest: the manifest can't",
    ),
    "another checksum": ({"checksum": "sha256:" + "0" * 64}, "shop.tgz has the checksum sha256:"),
    "another version": ({"version": "2.0.0"}, "shop.tgz is version 1.0.0 of shop, not 2.0.0"),
    "no program": ({"helm": "/nonexistent/helm"}, "the controller has no program /nonexistent/helm"),
    "values that are refused": ({"values": {"refused": SECRET}}, "n/shop: the value (hidden) is bad"),
    "values that are no map": ({"values_files": ["list.yml"]}, "list.yml has no values: it must be one map"),
    "values that are no YAML": ({"values_files": ["broken.yml"]}, "broken.yml is no YAML"),
    "what changes": ({"values": {"changing": True}}, "shop-1.0.0 renders Secret s differently each time"),
    "a text that the manifest lacks": (
        {"chart": "manifest.yml", "replace": {"NOWHERE": "x"}},
        "manifest.yml has no text 'NOWHERE' that could be replaced",
    ),
    "values for a manifest": ({"chart": "manifest.yml", "values": {"a": 1}}, "is no chart, and takes no values"),
    "texts to replace in a chart": ({"replace": {"a": "b"}}, "is a chart: give values, not texts to replace"),
    "objects that are none": ({"chart": None, "objects": [{"kind": "Pod"}]}, "lacks apiVersion, metadata.name"),
    "a url without checksum": (
        {"chart": None, "url": "https://127.0.0.1:9/x.tgz"},
        "on the controller: cannot download https://127.0.0.1:9/x.tgz",
    ),
}


def chart() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        text = b"apiVersion: v2\nname: shop\nversion: 1.0.0\n"
        member = tarfile.TarInfo("shop/Chart.yaml")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return target.getvalue()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, play: Callable[..., Any]) -> dict[str, Any]:
    """Each task's result by its name; all tasks are in one run, and no value shows in it."""
    folder = tmp_path_factory.mktemp("play")
    program = folder / "bin" / "helm"
    program.parent.mkdir()
    program.write_text(HELM.format(python=sys.executable))
    program.chmod(0o755)
    (folder / "folder").mkdir()
    (folder / "rendered.yml").write_text(RENDERED)
    (folder / "shop.tgz").write_bytes(chart())
    (folder / "manifest.yml").write_text(MANIFEST)
    for name, content in (("values", "a: {b: 1, c: no}\n"), ("list", "[1]"), ("broken", f"{SECRET}: [")):
        (folder / f"{name}.yml").write_text(content)
    checksum = "sha256:" + hashlib.sha256(chart()).hexdigest()
    accepted = {
        "plain": {"checksum": checksum, "version": "1.0.0"},
        "values": {"values_files": ["values.yml"], "values": {"a": {"b": 2}}, "api_versions": ["z/v1", "x/v1"]},
        "base": {"base_values": {"a": {"b": 0, "z": 1}}, "values_files": ["values.yml"], "values": {"d": 1}},
        "manifest": {"chart": "manifest.yml", "version": "v2.1", "replace": {"PLACE": "here"}, "objects": [MORE]},
        "no version": {"chart": "manifest.yml"},
        "objects": {"chart": None, "objects": [MORE]},
        "no objects": {"chart": None, "objects": []},
        "absent": {"state": "absent", "chart": None},
    }
    cases = {**{name: options for name, (options, _said) in REFUSED.items()}, **accepted}
    # The same chart, rendered into a bundle and taken from there.
    values = {"a": {"b": 2}, "password": PASSWORD}
    releases = [{"name": "shop", "namespace": "n", "chart": "shop.tgz", "checksum": checksum, "values": values}]
    releases += [{"name": "away", "state": "absent"}, {"name": "carried", "rendered": "x.yaml"}]
    (folder / "lock.txt").write_text("format: 1\narchitectures: [amd64]\nartifacts: []\n")
    bundle = {"locks": [str(folder / "lock.txt")], "folder": str(folder / "bundle"), "render_charts": True}
    carried = {"chart": None, "rendered": str(folder / "bundle/charts/n-shop.yaml")}
    cases |= {
        "given": {"values": values},
        "carried": carried,
        "carried for another version": {**carried, "kubernetes_version": "1.35.1"},
        "carried for another release": {**carried, "name": "other"},
        "carried and altered": {**carried, "checksum": "sha256:" + "0" * 64},
        "carried from elsewhere": {**carried, "rendered": "rendered.yml"},
    }
    tasks: list[dict[str, Any]] = [
        {"name": name, "groundwork.kubernetes.bundle": bundle} for name in ("bundle", "bundle again")
    ]
    for name, options in cases.items():
        full = {key: value for key, value in {**GIVEN, **options}.items() if value is not None}
        tasks.append({"name": name, "groundwork.kubernetes.helm_template": full, "ignore_errors": True})
    variables = {"charts_releases": releases, "kubernetes_version": "1.36.5"}
    played = play(folder, {"vars": variables, "tasks": tasks}, "-vvv")
    text = (folder / "bundle/charts/n-shop.yaml").read_text()
    assert text.startswith("# shop-1.0.0 rendered for Kubernetes v1.36.5 as n/shop\n")
    assert PASSWORD in text
    assert (folder / "bundle/charts/n-shop.yaml").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (folder / "bundle/charts").iterdir()] == ["n-shop.yaml"]
    assert "  charts/n-shop.yaml\n" in (folder / "bundle/SHA256SUMS").read_text()
    assert SECRET not in played.output
    return {name: hosts["localhost"] for name, hosts in played.tasks.items()}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refused(results: dict[str, Any], name: str) -> None:
    assert results[name]["failed"]
    assert REFUSED[name][1] in results[name]["msg"]


def test_rendered(results: dict[str, Any]) -> None:
    result = results["plain"]
    assert (result["changed"], result["chart"]) == (False, "shop-1.0.0")
    assert [(one["kind"], one["metadata"].get("namespace")) for one in result["objects"]] == [
        ("Secret", "n"),
        ("Namespace", None),
        ("ConfigMap", "n"),
    ]
    assert [one["name"] for one in result["outline"]] == ["n/shop: apply shop-1.0.0", "n/shop: the record"]
    assert [len(one["objects"]) for one in result["steps"]] == [4, 1]


def test_values_and_apis(results: dict[str, Any]) -> None:
    told = results["values"]["objects"][2]["data"]
    assert yaml.safe_load(told["values"]) == {"a": {"b": 2, "c": False}}
    assert told["argv"] == (
        "--namespace=n --kube-version=v1.36.5 --api-versions=x/v1 --api-versions=z/v1 --include-crds --values=-"
    )


def test_nothing_to_remove(results: dict[str, Any]) -> None:
    assert (results["absent"]["outline"], results["absent"]["stays"]) == ([], [])


def test_what_was_rendered_into_a_bundle_is_the_same(results: dict[str, Any]) -> None:
    assert (results["bundle"]["changed"], results["bundle again"]["changed"]) == (True, False)
    assert not any(PASSWORD in str(results[name]) for name in ("bundle", "bundle again"))
    given, carried = results["given"], results["carried"]
    assert carried["chart"] == "shop-1.0.0"
    assert [one["name"] for one in carried["outline"]] == ["n/shop: apply shop-1.0.0", "n/shop: the record"]
    assert [(one["kind"], one["metadata"]["name"]) for one in carried["objects"]] == [
        (one["kind"], one["metadata"]["name"]) for one in given["objects"]
    ]
    assert carried["steps"][-1]["objects"] == given["steps"][-1]["objects"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("carried for another version", "is rendered for Kubernetes v1.36.5, not v1.35.1; make the bundle again"),
        ("carried for another release", "is rendered for the release n/shop, not n/other"),
        ("carried and altered", "n-shop.yaml has the checksum sha256:"),
        ("carried from elsewhere", "its first line does not say of what it is"),
    ],
)
def test_what_was_rendered_for_something_else(results: dict[str, Any], name: str, message: str) -> None:
    assert results[name]["failed"]
    assert message in results[name]["msg"]


def test_values_below_those_of_files(results: dict[str, Any]) -> None:
    told = results["base"]["objects"][2]["data"]
    assert yaml.safe_load(told["values"]) == {"a": {"b": 1, "c": False, "z": 1}, "d": 1}


def test_a_manifest_is_a_release(results: dict[str, Any]) -> None:
    result = results["manifest"]
    assert result["chart"] == "shop-2.1"
    metadata = {"name": "here", "namespace": "n"}
    # What is given is merged over the manifest's.
    assert result["objects"] == [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1", "b": "3"}}
    ]
    assert [one["name"] for one in result["outline"]] == ["n/shop: apply shop-2.1", "n/shop: the record"]
    assert results["no version"]["chart"] == "shop-" + hashlib.sha256(MANIFEST.encode()).hexdigest()[:12]


def test_objects_are_a_release(results: dict[str, Any]) -> None:
    assert results["objects"]["chart"] == "shop-objects"
    assert [one["data"] for one in results["objects"]["objects"]] == [{"b": "3"}]
    assert (results["no objects"]["outline"], results["no objects"]["objects"]) == ([], [])
