"""Mistakes in the add-ons of a cluster, word by word; Helm is played by a script."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import addons
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

HELM = """#!{python}
import json, sys
if sys.argv[1] == "version":
    print("v3.17.3")
    sys.exit()
values = json.load(sys.stdin)
if "bad" in values:
    print("Error: values don't meet the specifications of the schema(s): bad", file=sys.stderr)
    sys.exit(1)
print("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: x}}}}")
"""
SUM = "sha256:" + "a" * 64
MANIFEST = "{apiVersion: v1, kind: ConfigMap, metadata: {name: PLACE}}\n"
POD = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
OWN: list[dict[str, Any]] = [
    {"name": "plain", "namespace": "n", "objects": [POD]},
    {"name": "file", "namespace": "n", "chart": "m.yml", "replace": {"PLACE": "x"}},
    {"name": "picky", "namespace": "n", "objects": [POD], "needs": {"addons": ["plain"]}, "conflicts": ["file"]},
    {"name": "old", "namespace": "n", "objects": [POD], "newest_kubernetes": "1.30"},
    {"name": "new", "namespace": "n", "objects": [POD], "oldest_kubernetes": "1.40"},
    {
        "name": "strict",
        "namespace": "n",
        "objects": [POD],
        "needs": {"variables": {"kubernetes_proxy_mode": ["iptables"]}, "values": [["a.b", "c"]]},
    },
    {"name": "empty", "namespace": "n"},
]


def said(
    folder: Path, wanted: list[dict[str, Any]], own: list[dict[str, Any]] | None = None, **given: Any
) -> list[str]:
    values = {
        "addons_wanted": wanted,
        "addons_own": OWN if own is None else own,
        "charts_helm": str(folder / "helm"),
        "kubernetes_version": "1.36.5",
        "kubernetes_service_cidr": "10.96.0.0/12",
        "kubernetes_dns_domain": "cluster.local",
        **given,
    }
    there = Inputs([HostInput("cp1", values)], {}, {}, [str(folder)])
    return [f"{fault.severity} {fault.id} {fault.text}" for fault in addons.addons(there)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    program = tmp_path / "helm"
    program.write_text(HELM.format(python=sys.executable))
    program.chmod(0o755)
    (tmp_path / "m.yml").write_text(MANIFEST)
    return tmp_path


TRAEFIK = "https://traefik.github.io/charts/traefik/traefik-41.3.0.tgz"
CASES: dict[str, tuple[list[dict[str, Any]], list[str]]] = {
    "good ones": ([{"name": "plain"}, {"name": "file"}, {"name": "traefik", "state": "absent"}], []),
    "a name": (
        [{"name": "treafik"}],
        ["error value-invalid addons_wanted[0].name 'treafik' is no add-on; did you mean traefik?"],
    ),
    "the same twice": (
        [{"name": "plain"}, {"name": "plain"}],
        ["error name-clash addons_wanted[1] is plain again; leave one out"],
    ),
    "no checksum": (
        [{"name": "traefik"}],
        [
            f"error checksum-missing addons_wanted[0] needs a checksum, the SHA-256 of {TRAEFIK}; give it as sha256:..."
        ],
    ),
    "no SHA-256": (
        [{"name": "file", "checksum": "1"}],
        [
            "error checksum-invalid addons_wanted[0].checksum '1' is no checksum; write sha256: and 64 hexadecimal "
            "digits"
        ],
    ),
    "all at once": (
        [{"name": "nobody"}, {"name": "headlamp", "url": "http://x/y.tgz", "checksum": SUM}, {"name": "new"}],
        [
            "error value-invalid addons_wanted[0].name 'nobody' is no add-on; there are cert-manager, empty, file, "
            "fluent-bit, gateway-api, headlamp, kube-prometheus-stack, local-path, metallb, metrics-server, new, "
            "node-local-dns, old, picky, plain, strict, traefik, and those of addons_own",
            "error source-unprotected addons_wanted[1].url http://x/y.tgz is not https; who sits on the way decides "
            "what comes: use https, or set kubernetes_allow_http",
            "error addon-unfit addons_wanted[2] (new) needs Kubernetes 1.40 or newer; take an older version of it with "
            "an entry in addons_own, or leave it out",
        ],
    ),
    "newer than it is said to work with": (
        [{"name": "old"}],
        [
            "warning addon-unfit addons_wanted[0] (old) is said to work up to Kubernetes 1.30; look whether it has a "
            "newer version"
        ],
    ),
    "another one is needed, and one is in the way": (
        [{"name": "picky"}, {"name": "file"}],
        [
            "error addon-unfit addons_wanted[0] (picky) needs the add-on plain; add it to addons_wanted",
            "error addon-unfit addons_wanted[0] (picky) cannot be there with the add-on file; leave one out",
        ],
    ),
    "one that is needed goes": (
        [{"name": "picky"}, {"name": "plain", "state": "absent"}],
        ["error addon-unfit addons_wanted[0] (picky) needs the add-on plain; add it to addons_wanted"],
    ),
    "a variable and a value": (
        [{"name": "strict", "values": {"a": {"b": None}}}],
        [
            "error addon-unfit addons_wanted[0] (strict) needs kubernetes_proxy_mode to be iptables, and it is ipvs; "
            "set it, or leave the add-on out",
            "error addon-unfit addons_wanted[0] (strict) needs a value for a.b or c; give it in its values",
        ],
    ),
    "nothing to apply": (
        [{"name": "empty"}],
        [
            "error value-invalid addons_wanted[0] has nothing to apply: give it chart or url, or its entry in "
            "addons_own chart, url or objects"
        ],
    ),
    "both sources": (
        [{"name": "plain", "chart": "m.yml", "url": "https://x", "checksum": SUM}],
        ["error value-invalid addons_wanted[0] has both chart and url; give one"],
    ),
    "a file that is not there": (
        [{"name": "plain", "chart": "no.yml"}],
        [
            "error file-missing addons_wanted[0].chart 'no.yml' is no file on the controller; correct the path, "
            "relative ones start at the playbook"
        ],
    ),
    "values of a manifest": (
        [{"name": "file", "values": {"a": 1}}],
        ["error chart-refused addons_wanted[0] (file): PATH/m.yml is no chart, and takes no values; use replace, or "
         "objects"],
    ),
    "a text that is not there": (
        [{"name": "file", "replace": {"NOWHERE": "x"}}],
        ["error chart-refused addons_wanted[0] (file): PATH/m.yml has no text 'NOWHERE' that could be replaced"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(CASES))
def test_mistakes(folder: Path, name: str) -> None:
    wanted, expected = CASES[name]
    given = {"kubernetes_proxy_mode": "ipvs"} if "variable" in name else {}
    assert [text.replace(str(folder), "PATH") for text in said(folder, wanted, **given)] == expected


def test_a_release_of_charts_is_in_the_way(folder: Path) -> None:
    other = [{"name": "plain", "namespace": "n", "chart": "m.yml"}]
    assert said(folder, [{"name": "plain"}], charts_releases=other) == [
        "error name-clash addons_wanted[0] is the release n/plain, and so is charts_releases[0]; leave one out"
    ]


OWN_CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a name": (
        {"name": "No Name"},
        "error name-invalid addons_own[0].name 'No Name' is no name; use at most 53 lower-case letters, digits and -",
    ),
    "both sources": (
        {"chart": "a", "url": "https://b"},
        "error value-invalid addons_own[0] (mine) has both chart and url; give one",
    ),
    "a number": (
        {"proof": [{"what": "w", "path": "/p", "items": "some"}]},
        "error value-invalid addons_own[0] (mine): proof[0].items 'some' is no number; give one, or nodes",
    ),
}


@pytest.mark.parametrize("name", list(OWN_CASES))
def test_mistakes_in_own_entries(folder: Path, name: str) -> None:
    entry, expected = OWN_CASES[name]
    assert said(folder, [], [{"name": "mine", "namespace": "n", **entry}]) == [expected]


def test_own_entries_in_a_circle(folder: Path) -> None:
    own = [
        {"name": one, "namespace": "n", "objects": [POD], "needs": {"addons": [other]}}
        for one, other in (("a", "b"), ("b", "a"))
    ]
    assert said(folder, [{"name": "a"}, {"name": "b"}], own) == [
        "error value-invalid addons_own: a, b need each other; one of them must come first"
    ]


def test_a_missing_helm(folder: Path) -> None:
    (folder / "c.tgz").write_bytes(b"\x1f\x8b")
    [text] = said(folder, [{"name": "plain", "chart": "c.tgz"}])
    assert "is no archive of a chart" in text
