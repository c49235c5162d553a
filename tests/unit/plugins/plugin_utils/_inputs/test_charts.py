"""Mistakes in the charts of a cluster, word by word; Helm is played by a script."""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import charts
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

HELM = """#!{python}
import json, sys
if sys.argv[1] == "version":
    print("v3.17.3")
    sys.exit()
values = json.load(sys.stdin)
if "error" in values:
    schema = "values don't meet the specifications of the schema(s) " if values["error"] == "schema" else ""
    print("Error: " + schema + "it", file=sys.stderr)
    sys.exit(1)
print("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: x}}}}" if "hook" not in values else
      "{{apiVersion: v1, kind: Pod, metadata: {{name: x, annotations: {{helm.sh/hook: pre-delete}}}}}}")
"""
SUM = "sha256:" + "a" * 64
URL = "https://charts.example.org/shop-1.0.0.tgz"


def packed(template: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, text in (("Chart.yaml", "name: shop\nversion: 1.0.0\n"), ("templates/a.yaml", template)):
            member = tarfile.TarInfo(f"shop/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return target.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "helm"
    program.write_text(HELM.format(python=sys.executable))
    program.chmod(0o755)
    (tmp_path / "shop.tgz").write_bytes(packed("a: b"))
    (tmp_path / "asks.tgz").write_bytes(packed("{{ .Capabilities.APIVersions }}"))
    (tmp_path / "sealed.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3030\n")
    return tmp_path


def said(folder: Path, releases: list[dict[str, Any]], **given: Any) -> list[str]:
    values = {
        "charts_releases": releases, "charts_helm": str(folder / "helm"), "kubernetes_version": "1.36.5", **given,
    }  # fmt: skip
    there = Inputs([HostInput("cp1", values)], {}, {}, [str(folder)])
    return [f"{fault.severity} {fault.id} {fault.text}" for fault in charts.releases(there)]


GOOD: dict[str, Any] = {"name": "shop", "namespace": "n", "chart": "shop.tgz"}
CASES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "good ones": ([GOOD, {**GOOD, "name": "other"}, {"name": "gone", "state": "absent"}], []),
    "a name": (
        [{**GOOD, "name": "Shop"}],
        [
            "error name-invalid charts_releases[0].name 'Shop' is no release's name; use at most 53 lower-case "
            "letters, digits and -"
        ],
    ),
    "the same twice": (
        [GOOD, GOOD],
        ["error name-clash charts_releases[1] is the release n/shop again; give it another name or namespace"],
    ),
    "no chart": (
        [{"name": "shop"}],
        ["error value-invalid charts_releases[0] has neither chart nor url nor rendered nor objects; give one"],
    ),
    "a file that is not there": (
        [{**GOOD, "chart": "no.tgz", "values_files": ["no.yml"]}],
        [
            "error file-missing charts_releases[0].chart 'no.tgz' is no file on the controller; correct the path, "
            "relative ones start at the playbook",
            "error file-missing charts_releases[0].values_files[0] 'no.yml' is no file on the controller; correct the "
            "path, relative ones start at the playbook",
        ],
    ),
    "a url without a checksum": (
        [{"name": "shop", "url": URL}],
        [f"error checksum-missing charts_releases[0] needs a checksum, the SHA-256 of {URL}; give it as sha256:..."],
    ),
    "no checksum": (
        [{**GOOD, "checksum": "1.0.0"}],
        [
            "error checksum-invalid charts_releases[0].checksum '1.0.0' is no checksum; write sha256: and 64 "
            "hexadecimal digits"
        ],
    ),
    "http": (
        [{"name": "shop", "url": "http://x/y.tgz", "checksum": SUM}],
        [
            "error source-unprotected charts_releases[0].url http://x/y.tgz is not https; who sits on the way decides "
            "what comes: use https, or set kubernetes_allow_http"
        ],
    ),
    "values that the schema refuses": (
        [{**GOOD, "chart": "asks.tgz", "values": {"error": "schema"}}],
        [
            "error chart-refused charts_releases[0] (shop): values don't meet the specifications of the (hidden)(s) it",
        ],
    ),
    "templates that refuse": (
        [{**GOOD, "values": {"error": 1}}],
        ["error chart-refused charts_releases[0] (shop): it"],
    ),
    "templates that ask the cluster": (
        [{**GOOD, "chart": "asks.tgz", "values": {"error": 1}}],
        ["warning chart-refused charts_releases[0] (shop): it"],
    ),
    "a hook": (
        [{**GOOD, "values": {"hook": 1}}],
        [
            "error chart-refused charts_releases[0] (shop): Pod x is a hook of pre-delete: only hooks before and after "
            "an installation or upgrade are run; leave others out with skip_hooks"
        ],
    ),
    "a file of the vault": ([{**GOOD, "values": {"error": 1}, "values_files": ["sealed.yml"]}], []),
}


@pytest.mark.parametrize("name", list(CASES))
def test_mistakes(folder: Path, name: str) -> None:
    releases, expected = CASES[name]
    assert said(folder, releases) == expected


def test_helm_is_named_where_it_is_missing(folder: Path) -> None:
    [text] = said(folder, [GOOD], charts_helm="/nonexistent/helm")
    assert text == (
        "error controller-lacks the controller has no program /nonexistent/helm, which renders charts; install Helm 3 "
        "or 4 there, from https://helm.sh, or correct charts_helm: charts_releases has charts"
    )
    assert said(folder, [{"name": "gone", "state": "absent"}], charts_helm="/nonexistent/helm") == []
    assert said(folder, [], charts_helm="/nonexistent/helm") == []
