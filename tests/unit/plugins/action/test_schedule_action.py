"""The action schedule in a play of real Ansible, in check mode: what it refuses, and what it does not tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.action.schedule import argument_spec, convert, plain

SYSTEMCTL = "#!/bin/sh\nprintf 'LoadState=not-found\\nActiveState=inactive\\n'\n"
GOOD: dict[str, Any] = {
    "name": "groundwork-try",
    "module": "groundwork.kubernetes.etcd_info",
    "calendar": "daily",
    "parameters": {"endpoints": ["http://10.20.30.40:2379"], "timeout": 3},
}
REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no module": ({"module": "etcd_inf"}, ["module: groundwork.kubernetes has no module 'etcd_inf'"]),
    "a path": ({"module": "../modules/files"}, ["has no module '../modules/files'"]),
    "half on the controller": ({"module": "manifest"}, ["module: a part of manifest runs on the controller"]),
    "downloads": ({"module": "packages", "parameters": {"packages": []}}, ["needs ansible.module_utils.urls"]),
    "itself": ({"module": "schedule"}, ["module: a part of schedule runs on the controller"]),
    "several faults": (
        {"name": "a b", "parameters": {"endpoint": [], "timeout": "soon"}},
        [
            "name: 'a b' may hold",
            "parameters of etcd_info: ",
            "endpoint. Supported parameters include: api_server",
            "argument 'timeout' is of type",
        ],
    ),
    "missing parameters": (
        {"module": "service", "parameters": {}},
        ["parameters of service: missing required arguments: name"],
    ),
    "wrong in a list": (
        {"module": "node", "parameters": {"name": "n", "taints": [{"key": "k", "effect": "Never"}]}},
        [", got: Never found in taints"],
    ),
    "internal": ({"program": "x"}, ["program"]),
    "no calendar": (
        {"calendar": None, "module": ""},
        ["module is required", "calendar is required with state=present"],
    ),
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "accepted": {},
    "text for a number": {"module": "etcd_defrag", "parameters": {"member": "m1", "threshold": "30", "force": "yes"}},
    "dictionaries": {
        "module": "backup",
        "parameters": {"directory": "/b", "cluster": "x", "keep": {"last": 3}, "cert": "/c", "key": "/k"},
    },
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, play: Callable[..., Any]) -> dict[str, Any]:
    """Each task's result by its name; all tasks are in one run, in check and diff mode."""
    folder = tmp_path_factory.mktemp("play")
    script = folder / "bin" / "systemctl"
    script.parent.mkdir()
    script.write_text(SYSTEMCTL)
    script.chmod(0o755)
    cases = {**{name: options for name, (options, _said) in REFUSED.items()}, **ACCEPTED}
    tasks = [
        {"name": name, "groundwork.kubernetes.schedule": {**GOOD, **options}, "ignore_errors": True}
        for name, options in cases.items()
    ]
    found = play(folder, {"tasks": tasks}, "--check", "--diff").tasks
    return {name: hosts["localhost"] for name, hosts in found.items()}


@pytest.mark.parametrize("name", list(REFUSED))
def test_refused(results: dict[str, Any], name: str) -> None:
    assert results[name]["failed"]
    for message in REFUSED[name][1]:
        assert message in results[name]["msg"]


@pytest.mark.parametrize("name", list(ACCEPTED))
def test_accepted(results: dict[str, Any], name: str) -> None:
    assert results[name]["changed"], results[name]


def test_the_module_gets_the_program_and_tells_no_parameters(results: dict[str, Any]) -> None:
    result = results["accepted"]
    assert result["changed"], result
    assert result["actions"] == ["daemon-reload", "enable", "start"]
    assert result["invocation"]["module_args"]["parameters"] == "(not shown)"
    assert {"program", "settings"}.isdisjoint(result["invocation"]["module_args"])
    assert "10.20.30.40" not in json.dumps(result)
    assert "ExecStart=/bin/sh /usr/local/lib/groundwork/groundwork-try.pyz" in json.dumps(result["diff"])
    assert "etcd_info" in json.dumps(result["diff"])


class Vaulted:
    """A variable of the vault as ansible-core before 2.19 gives it."""

    __ENCRYPTED__ = True

    def __str__(self) -> str:
        return "open"


def test_plain_values() -> None:
    value = {"a": [1, 2.5, None, True, "x"], "b": {"c": Vaulted()}, "d": (1,)}
    assert plain(value, "parameters") == {"a": [1, 2.5, None, True, "x"], "b": {"c": "open"}, "d": [1]}
    with pytest.raises(ValueError, match=r"parameters\.b\[1\]: a set cannot be written as JSON"):
        plain({"b": [1, {2}]}, "parameters")


def test_options_of_the_documentation() -> None:
    described = {
        "a": {"type": "str", "required": True, "description": "x"},
        "b": {"type": "list", "elements": "dict", "suboptions": {"c": {"type": "int", "default": 1}}},
        "d": {"type": "list", "elements": "path"},
    }
    assert argument_spec(described) == {
        "a": {"type": "str", "required": True},
        "b": {"type": "list", "elements": "dict", "options": {"c": {"type": "int", "default": 1}}},
        "d": {"type": "list", "elements": "str"},
    }


def test_parameters_have_their_types_and_paths_of_the_host() -> None:
    described = {
        "directory": {"type": "path"},
        "include": {"type": "list", "elements": "path", "default": []},
        "keep": {"type": "dict", "suboptions": {"last": {"type": "int"}, "daily": {"type": "int", "default": 7}}},
        "level": {"type": "str", "default": "restore"},
    }
    given = {"directory": "~/b", "include": "/a,$X/b", "keep": {"last": "3"}}
    assert convert(described, given) == (
        {"directory": "~/b", "include": ["/a", "$X/b"], "keep": {"last": 3, "daily": 7}},
        [],
    )
    assert convert(described, {"keep": {"last": "three"}})[1] != []
