"""The rooms of the Python code, and which of them may use which: docs/development.md has the picture."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
# What each room may use besides itself.
MAY_USE = {
    "_host": set(),
    "_cluster": {"_host"},
    "_etcd": {"_host"},
    "_kubeadm": {"_etcd", "_cluster", "_host"},
    "_backup": {"_etcd", "_cluster", "_host"},
    "_inputs": {"_backup", "_kubeadm", "_etcd", "_cluster", "_host"},
}
FOLDERS = ("module_utils", "plugin_utils")
IMPORT = re.compile(r"from ansible_collections\.groundwork\.kubernetes\.plugins\.(?:module|plugin)_utils(?:\.(\w+))?")
# What has no room: it is used by a module, an action, a filter or a callback, each of which serves one room.
DOORS = ("modules", "action", "filter", "callback")

# Longer files hold more than one subject.
LINES = 400
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
REASON = f"Longer than {LINES} lines"


def used(source: str) -> set[str]:
    """The rooms that a source imports from."""
    return {match[1] or "no room" for match in IMPORT.finditer(source)}


def wrong(room: str, source: str) -> list[str]:
    """The rules that a source in a room breaks."""
    return [
        f"{room} may not use {other}: it may use {', '.join(sorted(MAY_USE[room])) or 'nothing of the others'}"
        for other in sorted(used(source) - {room} - MAY_USE[room])
    ]


def code_lines(source: str) -> int:
    """The lines of a source without the documentation of a plugin."""
    texts = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and {target.id for target in node.targets if isinstance(target, ast.Name)} & DOCUMENTATION
    ]
    return len(source.splitlines()) - sum((node.end_lineno or 0) - node.lineno + 1 for node in texts)


def too_long(source: str) -> bool:
    """Whether a source is longer than allowed, and does not say why in its first docstring."""
    return code_lines(source) > LINES and REASON not in (ast.get_docstring(ast.parse(source)) or "")


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(PLUGINS)) for path in paths]


IN_ROOMS = sorted(path for folder in FOLDERS for path in (PLUGINS / folder).rglob("*.py"))
AT_DOORS = sorted(path for folder in DOORS for path in (PLUGINS / folder).glob("*.py"))


@pytest.mark.parametrize("path", IN_ROOMS, ids=names(IN_ROOMS))
def test_a_room_uses_what_it_may(path: Path) -> None:
    folder, room, *_rest = path.relative_to(PLUGINS).parts
    assert room in MAY_USE, f"{path} is in no room: {', '.join(MAY_USE)} are the folders of {folder}"
    assert wrong(room, path.read_text()) == []


@pytest.mark.parametrize("path", AT_DOORS, ids=names(AT_DOORS))
def test_a_plugin_serves_one_room(path: Path) -> None:
    """All that it imports is a room's own, or what that room may use."""
    rooms = used(path.read_text())
    assert [room for room in MAY_USE if rooms <= {room} | MAY_USE[room]], (
        f"{path.name} uses {', '.join(sorted(rooms))}, which no single room may: {MAY_USE}"
    )


def test_tests_have_the_same_rooms() -> None:
    tests = Path(__file__).parent / "plugins"
    places = [*(tests / folder for folder in FOLDERS), tests.parents[1] / "integration"]
    found = {path.name for place in places for path in place.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert found <= MAY_USE.keys()
    assert [path.name for folder in FOLDERS for path in (tests / folder).glob("*.py")] == []


def test_an_import_against_the_table_is_found() -> None:
    base = "from ansible_collections.groundwork.kubernetes.plugins."
    assert wrong("_host", f"{base}module_utils._cluster.kubectl import Kubectl") == [
        "_host may not use _cluster: it may use nothing of the others"
    ]
    assert wrong(
        "_etcd", f"{base}module_utils._backup import restore\n{base}plugin_utils._host.faults import Fault"
    ) == ["_etcd may not use _backup: it may use _host"]
    assert wrong("_kubeadm", f"{base}module_utils import _lock") == [
        "_kubeadm may not use no room: it may use _cluster, _etcd, _host"
    ]


def test_no_file_is_too_long() -> None:
    """A file of more lines says in its first docstring: Longer than 400 lines, and why."""
    sources = {str(path.relative_to(PLUGINS)): path.read_text() for path in sorted(PLUGINS.rglob("*.py"))}
    assert {name: code_lines(source) for name, source in sources.items() if too_long(source)} == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = 1\n" * 400, False),
        ("x = 1\n" * 401, True),
        ('"""A table.\n\nLonger than 400 lines, since it is one table.\n"""\n' + "x = 1\n" * 401, False),
        ("# Longer than 400 lines.\n" + "x = 1\n" * 400, True),
        ('DOCUMENTATION = r"""\n' + "\n" * 300 + '"""\n' + "x = 1\n" * 400, False),
        ('DOCUMENTATION = r"""\n' + "\n" * 300 + '"""\n' + "x = 1\n" * 401, True),
        ('OTHER = r"""\n' + "\n" * 300 + '"""\n' + "x = 1\n" * 100, True),
    ],
)
def test_which_file_is_too_long(source: str, expected: bool) -> None:
    assert too_long(source) is expected
