"""What the hosts of namespaces share: file systems of their own, a systemctl that is played, and a module's result.

They are programs that tests start as the first process of namespaces. What such a program writes to /etc, /var and /run
is seen by nobody else and gone with it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
from contextlib import redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.module_utils.testing import patch_module_args

SYSTEMCTL = """\
#!/bin/sh
units={work}/units
case $1 in
    show) if [ -e $units/$2 ]; then echo LoadState=loaded; echo ActiveState=active; echo UnitFileState=enabled
          else echo LoadState=not-found; echo ActiveState=inactive; fi ;;
    disable) rm -f $units/$3 ;;
esac
"""


def run(*command: Any, stdin: str = "") -> str:
    """Standard output of a command."""
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, input=stdin)
    return done.stdout


def own_file_systems(work: Path, *folders: str) -> None:
    """Lay folders of this process over the machine's."""
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    run("mount", "-t", "tmpfs", "tmpfs", work)
    for name in folders:
        for part in ("upper", "work"):
            (work / name / part).mkdir(parents=True)
        options = f"lowerdir=/{name},upperdir={work}/{name}/upper,workdir={work}/{name}/work"
        run("mount", "-t", "overlay", "-o", options, "overlay", f"/{name}")
    Path("/etc/cni").mkdir(exist_ok=True)
    for folder in ("/etc/cni", "/run"):
        run("mount", "-t", "tmpfs", "tmpfs", folder)


def play_systemd(work: Path, *units: str) -> None:
    """A systemctl to which these units run; each is a file in the folder units."""
    (work / "bin").mkdir(exist_ok=True)
    (work / "bin" / "systemctl").write_text(SYSTEMCTL.format(work=work))
    (work / "bin" / "systemctl").chmod(0o755)
    os.environ["PATH"] = f"{work}/bin:{os.environ['PATH']}"
    (work / "units").mkdir()
    for name in units:
        (work / "units" / name).touch()


def call(module: ModuleType, **options: Any) -> dict[str, Any]:
    """What a module returns."""
    out = io.StringIO()
    with patch_module_args(options), redirect_stdout(out), suppress(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return result
