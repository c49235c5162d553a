# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of this collection, and all that it imports, as one program that Python runs without Ansible.

The program is a zip file (https://docs.python.org/3/library/zipapp.html) behind a shell script that finds a Python for
it. It holds sources of this collection only: what a module imports from ansible.module_utils.basic is timer_module
there. Its bytes depend on nothing else: files in order, without times, and not compressed, as versions of zlib compress
differently.
"""

from __future__ import annotations

import ast
import io
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.timer_launcher import SCRIPT

COLLECTION = "ansible_collections.groundwork.kubernetes"
FOLDER = Path(__file__).resolve().parents[3]
RUNNER = f"{COLLECTION}.plugins.module_utils._host.timer_runner"
BASIC = "ansible.module_utils.basic"
STAND_IN = FOLDER / "plugins" / "module_utils" / "_host" / "timer_module.py"
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file knows
MAIN = """\
import os
import sys

# The file may be replaced while the program runs. What it has yet to import comes from the file that was started.
sys.path[0] = f"/proc/self/fd/{{os.open(sys.path[0], os.O_RDONLY)}}"

if len(sys.argv) < 2:
    import {module}  # Can this Python run it?
else:
    from {runner} import main

    main("{module}", sys.argv[1])
"""


def build(module: str) -> bytes:
    """The program that runs a module.

    Args:
        module: its name without the collection's.

    Raises:
        ValueError: where the module needs more of ansible-core than the program has.
    """
    name = f"{COLLECTION}.plugins.modules.{module}"
    files = collect([RUNNER, name])
    files[f"{BASIC.replace('.', '/')}.py"] = STAND_IN.read_bytes()
    files["__main__.py"] = MAIN.format(runner=RUNNER, module=name).encode()
    for target in list(files):
        for folder in Path(target).parents[:-1]:
            files.setdefault(f"{folder}/__init__.py", b"")
    buffer = io.BytesIO(SCRIPT.encode())
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, TIME)
            entry.create_system = 3  # Unix
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def collect(names: List[str]) -> Dict[str, bytes]:
    """The sources of modules and of all that they import from this collection, by path.

    Raises:
        ValueError: where one of them imports of ansible-core what the program does not have.
    """
    files: Dict[str, bytes] = {}
    waiting = list(names)
    while waiting:
        wanted = waiting.pop()
        name, path = nearest(wanted)
        if path is None:
            if wanted.startswith("ansible.") and wanted != f"{BASIC}.AnsibleModule":
                module, needed = names[-1].rpartition(".")[2], wanted.rpartition(".")[0]
                raise ValueError(f"module: {module} needs {needed}, so it cannot run without Ansible")
            continue
        is_package = path.name == "__init__.py"
        target = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        if target in files:
            continue
        files[target] = path.read_bytes()
        around = name.rpartition(".")[0]
        waiting.extend([around, *imports(files[target], name if is_package else around)])
    return files


def nearest(name: str) -> Tuple[str, Optional[Path]]:
    """The longest part of a dotted name that is a module, as its end may be something in that module."""
    while name:
        path = locate(name)
        if path is not None:
            return name, path
        name = name.rpartition(".")[0]
    return "", None


def locate(name: str) -> Optional[Path]:
    """The file of a module or package of this collection."""
    if name.startswith(f"{COLLECTION}."):
        path = FOLDER.joinpath(*name[len(COLLECTION) :].split(".")[1:])
        for file in (path.parent / f"{path.name}.py", path / "__init__.py"):
            if file.is_file():
                return file
    return None


def imports(source: bytes, package: str) -> Iterator[str]:
    """The dotted names that a source imports, wherever in it."""
    waiting: List[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        # Expressions hold no imports.
        waiting.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr))
