"""How modules run programs: each argument arrives as it is."""

from __future__ import annotations

import ast
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def test_nothing_in_an_argument_is_expanded() -> None:
    """Ansible's run_command replaces ~ and $NAME in arguments unless it is told not to."""
    calls = [
        (path.name, call)
        for path in PLUGINS.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "run_command"
    ]
    expanding = [
        f"{name}:{call.lineno}"
        for name, call in calls
        if not any(
            word.arg == "expand_user_and_vars" and isinstance(word.value, ast.Constant) and word.value.value is False
            for word in call.keywords
        )
    ]
    assert len(calls) > 20
    assert expanding == []


def test_no_shell_runs_text() -> None:
    """A shell reads what it is given; where one must, on hosts without Python for it, each word is quoted."""
    shells = [
        f"{path.name}:{word.value.lineno}"
        for path in PLUGINS.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        for word in call.keywords
        if word.arg in ("shell", "use_unsafe_shell")
    ]
    assert shells == []
