# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of this collection, and all that it imports, as one program that Python runs without Ansible.

The program is a zip file (https://docs.python.org/3/library/zipapp.html) behind a shell script that finds a Python for
it. Its bytes depend on nothing but the sources: files in order, without times, and not compressed, as versions of zlib
compress differently. Its head says what it was made from.
"""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import ansible
from ansible.release import __version__ as ansible_version
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.launcher import SCRIPT, Origin, head

COLLECTION = "ansible_collections.groundwork.kubernetes"
PACKAGES = {
    "ansible.module_utils": Path(ansible.__file__).parent / "module_utils",
    COLLECTION: Path(__file__).resolve().parents[3],
}
RUNNER = f"{COLLECTION}.plugins.module_utils._host.timer_program"
# What ansible-core from 2.19 on imports by a name that it computes: how parameters and results are written as JSON.
COMPUTED = "ansible.module_utils._internal._json._profiles"
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
    """
    name = f"{COLLECTION}.plugins.modules.{module}"
    files = collect([RUNNER, name, *computed()])
    files["__main__.py"] = MAIN.format(runner=RUNNER, module=name).encode()
    files["ansible/__init__.py"] = f"__version__ = {ansible_version!r}\n".encode()
    buffer = io.BytesIO(SCRIPT.encode())
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, TIME)
            entry.create_system = 3  # Unix
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    rest = buffer.getvalue()
    return head(origin(files), rest) + rest


def origin(files: Dict[str, bytes]) -> Origin:
    """What a program is made from, without what differs between patch releases of ansible-core."""
    own = hashlib.sha256(SCRIPT.encode())
    for path, content in sorted(files.items()):
        if not path.startswith("ansible/"):
            own.update(f"{path} {len(content)}\n".encode() + content)
    major, minor = ansible_version.split(".")[:2]
    return Origin(own.hexdigest(), (int(major), int(minor)))


def computed() -> List[str]:
    """The modules behind COMPUTED; none before ansible-core 2.19."""
    package = locate(COMPUTED)
    return [f"{COMPUTED}.{path.stem}" for path in package.parent.glob("_[!_]*.py")] if package else []


def collect(names: List[str]) -> Dict[str, bytes]:
    """The sources of modules and of all that they import from PACKAGES, with the packages around them, by path."""
    files: Dict[str, bytes] = {}
    waiting = list(names)
    while waiting:
        name, path = nearest(waiting.pop())
        if path is None:
            continue
        is_package = path.name == "__init__.py"
        target = name.replace(".", "/") + ("/__init__.py" if is_package else ".py")
        if target in files:
            continue
        files[target] = path.read_bytes()
        around = name.rpartition(".")[0]
        waiting.extend([around, *imports(files[target], name if is_package else around)])
    for target in list(files):
        for folder in Path(target).parents[:-1]:
            files.setdefault(f"{folder}/__init__.py", b"")
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
    """The file of a module or package of PACKAGES."""
    for package, folder in PACKAGES.items():
        if name == package or name.startswith(f"{package}."):
            path = folder.joinpath(*name[len(package) :].split(".")[1:])
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
