"""The program helm, played by a script that tells how it was called."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.helm import (
    Helm,
    HelmError,
    Target,
    merged,
    without_values,
)

PLAYED = """#!{python}
import json, os, pathlib, sys
if sys.argv[1] == "version":
    print({version!r}, end="")
    sys.exit({rc})
told = {{"argv": sys.argv[1:], "stdin": sys.stdin.read(), "env": dict(os.environ)}}
told["archive"] = pathlib.Path(sys.argv[3]).read_bytes().decode()
pathlib.Path({told!r}).write_text(json.dumps(told))
print({stderr!r}, file=sys.stderr)
print("apiVersion: v1")
sys.exit({fails})
"""


def played(folder: Path, version: str = "v4.2.3", rc: int = 0, stderr: str = "", fails: int = 0) -> str:
    program = folder / "helm"
    told = str(folder / "told")
    text = PLAYED.format(python=sys.executable, version=version, rc=rc, stderr=stderr, fails=fails, told=told)
    program.write_text(text)
    program.chmod(0o755)
    return str(program)


def test_how_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_NAMESPACE", "of-the-user")
    monkeypatch.setenv("KUBECONFIG", "/home/user/.kube/config")
    helm = Helm(played(tmp_path))
    assert helm.version == "v4.2.3"
    target = Target("shop", "front", "1.36.5", ["v1", "apps/v1/Deployment"], {"password": "secret"})
    assert helm.template(b"archive", target) == "apiVersion: v1\n"
    told: dict[str, Any] = json.loads((tmp_path / "told").read_text())
    chart = told["argv"][2]
    assert told["argv"] == [
        "template", "shop", chart, "--namespace=front", "--kube-version=v1.36.5", "--api-versions=v1",
        "--api-versions=apps/v1/Deployment", "--include-crds", "--values=-",
    ]  # fmt: skip
    assert (told["archive"], json.loads(told["stdin"])) == ("archive", {"password": "secret"})
    folder = str(Path(chart).parent)
    of_helm = {name: value for name, value in told["env"].items() if name.startswith(("HELM", "KUBE"))}
    assert of_helm == {
        "HELM_CACHE_HOME": f"{folder}/cache", "HELM_CONFIG_HOME": f"{folder}/config",
        "HELM_DATA_HOME": f"{folder}/data", "HELM_PLUGINS": f"{folder}/plugins", "KUBECONFIG": f"{folder}/kubeconfig",
    }  # fmt: skip
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("version", "rc", "expected"),
    [
        ("v2.17.0", 0, "is Helm v2.17.0; install Helm 3 or 4"),
        ("v5.0.0", 0, "is Helm v5.0.0; install Helm 3 or 4"),
        ("An Emacs framework", 0, "is another program than Helm; install Helm 3 or 4"),
        ("", 1, "is another program than Helm; install Helm 3 or 4"),
    ],
)
def test_another_program(tmp_path: Path, version: str, rc: int, expected: str) -> None:
    with pytest.raises(HelmError, match=expected):
        Helm(played(tmp_path, version, rc))


def test_no_program(tmp_path: Path) -> None:
    with pytest.raises(HelmError, match="the controller has no program"):
        Helm(str(tmp_path / "helm"))


@pytest.mark.parametrize(
    ("stderr", "expected", "certain"),
    [
        (
            "Error: values don't meet the specifications of the schema(s)\nshop:\n- at '/p': 'hunter22' no\n",
            "values don't meet the specifications of the schema(s) shop: - at '/p': '(hidden)' no",
            True,
        ),
        ("Error: a: no line2x\n\nUse --debug flag to render out invalid YAML\n", "a: no (hidden)", False),
        ("", "Helm failed without a word", False),
    ],
)
def test_what_it_says(tmp_path: Path, stderr: str, expected: str, certain: bool) -> None:
    helm = Helm(played(tmp_path, stderr=stderr, fails=1))
    values = {"deep": [{"p": "hunter22"}], "lines": "line1x\nline2x\n"}
    with pytest.raises(HelmError) as caught:
        helm.template(b"x", Target("n", "ns", "v1.36.5", values=values))
    assert (str(caught.value), caught.value.certain) == (expected, certain)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("the abc is", {"a": "abc"}, "the abc is"),
        ("the abcd and abcdef", {"a": ["abcd", "abcdef"]}, "the (hidden) and (hidden)"),
        ("12345 and true", {"a": 12345, "b": True, "c": None}, "(hidden) and true"),
    ],
)
def test_values_are_hidden(text: str, values: dict[str, Any], expected: str) -> None:
    assert without_values(text, values) == expected


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], {}),
        ([{"a": {"b": 1, "c": [1]}}, {"a": {"c": [2], "d": None}}], {"a": {"b": 1, "c": [2], "d": None}}),
        ([{"a": {"b": 1}}, {"a": 2}], {"a": 2}),
        ([{"a": 2}, {"a": {"b": 1}}], {"a": {"b": 1}}),
    ],
)
def test_values_over_values(layers: list[dict[str, Any]], expected: dict[str, Any]) -> None:
    assert merged(layers) == expected
