"""The action manifest in a play of real Ansible, without a cluster: what it refuses and what the module gets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
import yaml

MANIFEST = b"{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: quay.io/x:1}]}}\n"
SUM = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()
# The port of loopback's discard service: nothing answers.
NOWHERE = "https://127.0.0.1:9/x.yml"
PLAIN = "http://127.0.0.1:9/x.yml"

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two sources": ({"path": "x.yml", "content": "a: b"}, "mutually exclusive"),
    "no source": ({}, "one of the following is required: content, path, url, objects"),
    "wrong checksum": ({"path": "x.yml", "checksum": "sha256:" + "0" * 64}, f"x.yml has the checksum {SUM}, not"),
    "no address": ({"url": "file.yml", "checksum": "x"}, "cannot download file.yml"),
    "unreachable": ({"url": NOWHERE, "checksum": SUM}, f"on the controller: cannot download {NOWHERE}"),
    "http": ({"url": PLAIN, "checksum": SUM}, "http can be read and changed on its way"),
    "http that is allowed": ({"url": PLAIN, "checksum": SUM, "allow_http": True}, "Connection refused"),
    "no file": ({"path": "y.yml"}, "y.yml"),
    "no yaml": ({"content": "a: ["}, "content is no YAML"),
    "unknown option": ({"content": "a: b", "contnet": ""}, "contnet"),
    "no place for the network": ({"path": "x.yml", "pod_cidr": "10.0.0.0/8"}, "holds neither Calico"),
    "an image without a tag": (
        {"content": MANIFEST.decode().replace("x:1", "x"), "fixed_images": True},
        "images without a fixed tag: quay.io/x of Pod x",
    ),
    "unused patch": ({"path": "x.yml", "patches": [{"kind": "Job", "patch": {}}]}, "fits the patch for Job"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, play: Callable[..., Any]) -> dict[str, Any]:
    """Each task's result by its name; all tasks are in one run, in check and diff mode."""
    folder = tmp_path_factory.mktemp("play")
    (folder / "files").mkdir()
    (folder / "files" / "x.yml").write_bytes(MANIFEST)
    accepted = {
        "accepted": {"path": "x.yml", "checksum": SUM, "image_mirrors": {"quay.io": "mirror"}, "fixed_images": True},
        "objects": {"objects": [yaml.safe_load(MANIFEST)]},
    }
    cases = {**{name: options for name, (options, _said) in REFUSED.items()}, **accepted}
    content = {
        "module_defaults": {"groundwork.kubernetes.manifest": {"kubeconfig": "/nonexistent/admin.conf"}},
        "tasks": [
            {"name": name, "groundwork.kubernetes.manifest": options, "ignore_errors": True}
            for name, options in cases.items()
        ],
    }
    found = play(folder, content, "--check", "--diff").tasks
    return {name: hosts["localhost"] for name, hosts in found.items()}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refused(results: dict[str, Any], name: str) -> None:
    assert results[name]["failed"]
    assert REFUSED[name][1] in results[name]["msg"]


def test_the_module_gets_the_adapted_objects(results: dict[str, Any]) -> None:
    result = results["accepted"]
    assert result["changed"]
    assert result["objects"] == [{"kind": "Pod", "namespace": "", "name": "x", "action": "created"}]
    assert '"image": "mirror/x:1"' in result["diff"][0]["after"]


def test_objects_are_taken_as_they_are_and_not_repeated_in_the_result(results: dict[str, Any]) -> None:
    result = results["objects"]
    assert result["changed"]
    assert '"image": "quay.io/x:1"' in result["diff"][0]["after"]
    assert result["invocation"]["module_args"]["objects"] == ["1 objects"]
