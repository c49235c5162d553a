"""The AnsibleModule of a timer's program: it does what ansible-core's does, as far as this collection uses that."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import timer_module
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.timer_program import COLLECTION, collect

Run = Callable[..., tuple[dict[str, Any], dict[str, Any]]]
SPEC: dict[str, Any] = {
    "name": {"type": "str"},
    "path": {"type": "path"},
    "paths": {"type": "list", "elements": "path", "default": ["~/x"]},
    "number": {"type": "int", "default": 3},
    "secret": {"type": "str", "no_log": True},
    "secrets": {"type": "dict", "no_log": True, "default": {}},
    "one": {"type": "dict", "options": {"file": {"type": "path", "required": True}, "key": {"no_log": True}}},
    "many": {
        "type": "list",
        "elements": "dict",
        "options": {"file": {"type": "path"}, "count": {"type": "int", "default": 1}},
    },
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """What a module gives with ansible-core's AnsibleModule, and with the program's."""

    def call(kind: Any, act: Callable[[Any], None], rules: dict[str, Any]) -> dict[str, Any]:
        with pytest.raises(SystemExit):
            act(kind(argument_spec=SPEC, supports_check_mode=True, **rules))
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return {name: value for name, value in found.items() if name not in ("invocation", "exception")}

    def both(act: Callable[[Any], None], params: dict[str, Any], **rules: Any) -> Any:
        with patch_module_args(params):
            real = call(AnsibleModule, act, rules)
        path = tmp_path / "settings.json"
        path.write_text(json.dumps({"parameters": params}))
        monkeypatch.setattr(sys, "argv", ["module", str(path)])
        return real, call(timer_module.AnsibleModule, act, rules)

    monkeypatch.setenv("HOME", "/home/operator")
    return both


def show(module: Any) -> None:
    module.exit_json(changed=False, params=module.params)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": None},
        {"name": "n", "number": 4, "path": "~/a", "paths": ["$HOME/b", "/c"]},
        {"one": {"file": "~/a"}, "many": [{"file": "~/b"}, {"count": 2}, {}]},
        {"many": []},
    ],
)
def test_parameters(run: Run, params: dict[str, Any]) -> None:
    real, ours = run(show, params)
    assert ours == real


@pytest.mark.parametrize(
    ("params", "rules", "message"),
    [
        ({"name": "n", "path": "/p"}, {"mutually_exclusive": [("name", "path")]}, "mutually exclusive: name|path"),
        ({"name": "n"}, {"required_together": [("name", "path")]}, "required together: name, path"),
        ({}, {"required_one_of": [("name", "path")]}, "one of the following is required: name, path"),
        (
            {"number": 3},
            {"required_if": [("number", 3, ("name", "path"))]},
            "number is 3 but all of the following are missing: name, path",
        ),
        ({"one": {}}, {}, "missing required arguments: file found in one"),
    ],
)
def test_faults(run: Run, params: dict[str, Any], rules: dict[str, Any], message: str) -> None:
    for result in run(show, params, **rules):
        assert result["failed"]
        assert message in result["msg"]


@pytest.mark.parametrize("params", [{"nam": "n"}, {"one": {"file": "/f", "fil": "/f"}}])
def test_unknown_parameters(run: Run, params: dict[str, Any]) -> None:
    for result in run(show, params):
        assert result["failed"]
        assert result["msg"].startswith("Unsupported parameters")


def test_nothing_of_a_secret_is_in_the_result(run: Run) -> None:
    def tell(module: Any) -> None:
        module.warn("warned of s3cr3t")
        module.warn("warned of s3cr3t")
        words = ["s3cr3t-longer", "with s3cr3t", b"s3cr3t bytes", 3, 1.5, None, True]
        module.fail_json(msg="s3cr3t and k3y", words=words, deep={"a": ["inner"]}, number=4711, changed=True)

    params = {
        "secret": "s3cr3t",
        "secrets": {"a": ["inner", 4711]},
        "one": {"file": "/f", "key": "k3y"},
    }
    real, ours = run(tell, params)
    assert ours["warnings"] == ["warned of ********"]
    for result in (real, ours):
        text = json.dumps(result)
        assert [secret for secret in ("s3cr3t", "inner", "4711", "k3y") if secret in text] == []
        assert (result["failed"], result["changed"]) == (True, True)
        assert result["words"][3:] == [3, 1.5, None, True]


@pytest.mark.parametrize(
    ("args", "options"),
    [
        (["printf", "a\nb"], {}),
        (["sh", "-c", "echo out; echo err >&2; exit 3"], {}),
        (["cat"], {"data": "text"}),
        (["cat"], {"data": "text", "binary_data": True}),
        (["cat"], {"data": b"\xff\x00", "binary_data": True}),
        (["cat"], {"data": b""}),
        (["pwd"], {"cwd": "/usr"}),
        (["sh", "-c", "echo $GREETING $HOME"], {"environ_update": {"GREETING": "hello"}}),
        (["echo", "$HOME ~"], {}),
    ],
)
def test_commands(run: Run, args: list[str], options: dict[str, Any]) -> None:
    def act(module: Any) -> None:
        module.exit_json(done=list(module.run_command(args, expand_user_and_vars=False, **options)))

    real, ours = run(act, {})
    assert ours == real


def test_bytes_of_a_command(run: Run) -> None:
    def act(module: Any) -> None:
        command = ["printf", r"\377"]
        _rc, out, err = module.run_command(command, encoding=None, expand_user_and_vars=False)
        module.exit_json(done=[out == b"\xff", err == b""])

    for result in run(act, {}):
        assert result["done"] == [True, True]


def test_a_program_that_is_not_there(run: Run, tmp_path: Path) -> None:
    def start(module: Any) -> None:
        module.run_command([str(tmp_path / "none")], expand_user_and_vars=False)

    def look(module: Any) -> None:
        module.get_bin_path("no-such-program", required=True)

    for result in run(start, {}):
        assert result["failed"]
        assert result["msg"].startswith("Error executing command")
    for result in run(look, {}):
        assert 'Failed to find required executable "no-such-program"' in result["msg"]


def test_where_programs_are(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "ls"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    def act(module: Any) -> None:
        module.exit_json(
            found=[
                module.get_bin_path("ls", opt_dirs=[str(tmp_path), None]),
                module.get_bin_path(str(program)),
                module.get_bin_path("no-such-program"),
            ]
        )

    real, ours = run(act, {})
    assert ours == real == {"found": [str(program), str(program), None]}


class Library:
    """libselinux on a host whose policy says one context of every file."""

    def __init__(self, present: bytes, rc: int = 0) -> None:
        self.present, self.rc, self.calls = present, rc, list[tuple[bytes, bytes]]()

    def matchpathcon(self, _path: bytes, _mode: int, place: Any) -> int:
        place._obj.value = b"system_u:object_r:etc_t:s0:c1,c2"
        return 0

    def lgetfilecon_raw(self, _path: bytes, place: Any) -> int:
        place._obj.value = self.present
        return len(self.present)

    def lsetfilecon(self, path: bytes, context: bytes) -> int:
        self.calls.append((path, context))
        return self.rc


@pytest.mark.parametrize(
    ("library", "calls"),
    [
        (Library(b"system_u:object_r:tmp_t:s0"), [(b"/draft", b"system_u:object_r:etc_t:s0:c1,c2")]),
        (Library(b"system_u:object_r:etc_t:s0:c1,c2"), []),
        (None, []),
    ],
)
def test_selinux(run: Run, monkeypatch: pytest.MonkeyPatch, library: Library | None, calls: list[Any]) -> None:
    monkeypatch.setattr(timer_module, "selinux", lambda: library)

    def act(module: Any) -> None:
        module.set_context_if_different("/draft", module.selinux_default_context("/final"), False)
        module.exit_json()

    assert run(act, {})[1] == {}
    assert (library.calls if library else []) == calls


@pytest.mark.parametrize("module", ["backup", "etcd_defrag"])
def test_it_has_all_that_the_roles_modules_use(module: str) -> None:
    sources = b"".join(collect([f"{COLLECTION}.plugins.modules.{module}"]).values()).decode()
    used = set(re.findall(r"\bmodule\.([a-z_]+)\b(?!\.)", sources)) - {"rpartition"}
    assert used <= {"params", *dir(timer_module.AnsibleModule)}
    known = inspect.signature(timer_module.AnsibleModule.run_command).parameters
    for call in re.findall(r"\brun_command\(((?:[^()]|\([^()]*\))*)\)", sources):
        assert set(re.findall(r"\b(\w+)=", call)) <= set(known), call
