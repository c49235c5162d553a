# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the program of a schedule does on the host: runs its module, tells the journal, keeps the last result.

There is no Ansible around it: the module's AnsibleModule is that of timer_module.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import signal
import sys
import time
import traceback
from datetime import datetime, timezone
from typing import Any, Dict, Iterator, Optional

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import open_parent
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.paths import read_file, resolve

TIME = "%Y-%m-%dT%H:%M:%SZ"
# Levels of syslog that systemd takes off the line's head, see sd-daemon(3).
ERROR, WARNING = "<3>", "<4>"
STOPPED = "it was stopped before it was done, by hand or because it took longer than the timeout"
SIGNALLED = 128  # and the signal's number: the exit code by which a program tells that a signal has ended it


class StoppedError(BaseException):
    """The program is to end; no module takes this for an error of its own."""


def main(module: str, path: str) -> None:
    """Run a module with the parameters in a file, and exit with 1 if it failed.

    Args:
        module: its full name.
        path: a JSON file with the module's ``parameters``, the schedule's ``name``, ``state_file`` or null, and
            ``stamp``, which gets the time of the last good run.
    """
    started, clock = datetime.now(timezone.utc), time.monotonic()
    with open(path, encoding="utf-8") as stream:
        settings = json.load(stream)
    result = run(module, path)
    ok = not result.get("failed", False)
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    for warning in result.get("warnings", []):
        log(WARNING, str(warning))
    if not ok:
        log(ERROR, f"failed: {result.get('msg', 'no reason given')}")
    # A schedule that was removed meanwhile leaves nothing behind.
    if ok and os.path.exists(path):
        write(settings["stamp"], f"{int(started.timestamp())}\n")
    if settings["state_file"] and os.path.exists(path):
        now = started.strftime(TIME)
        state = {
            "name": settings["name"],
            "module": module.rpartition(".")[2],
            "time": now,
            "seconds": round(time.monotonic() - clock, 3),
            "ok": ok,
            "changed": bool(result.get("changed", False)),
            "msg": str(result.get("msg", "")),
            "last_ok": now if ok else last_ok(settings["state_file"]),
        }
        write(settings["state_file"], json.dumps(state, indent=2) + "\n")
    raise SystemExit(0 if ok else 1)


def run(module: str, path: str) -> Dict[str, Any]:
    """What the module returns, without its diff; a crash is a failure, too."""
    sys.argv = [module, path]
    output = io.StringIO()
    code: Any = None
    try:
        with stoppable(), contextlib.redirect_stdout(output):
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code
    except StoppedError as error:
        return {"failed": True, "msg": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"failed": True, "msg": f"the module crashed: {type(error).__name__}: {error}"}
    result = parse(output.getvalue())
    # A module with a handler of its own ends so after it has tidied up.
    if result is None and isinstance(code, int) and code > SIGNALLED:
        return {"failed": True, "msg": f"{STOPPED} ({signal_name(code - SIGNALLED)})"}
    if result is None:
        return {"failed": True, "msg": f"the module gave no result: {output.getvalue().strip()[:500]!r}"}
    return {name: value for name, value in result.items() if name != "diff"}


def signal_name(number: int) -> str:
    """The name of a signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def parse(text: str) -> Optional[Dict[str, Any]]:
    """The last line that is a module's result."""
    for line in reversed(text.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return None


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Lets a module tidy up when systemd ends the program, and the program say so."""

    def stop(_number: int, _frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise StoppedError(STOPPED)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        # What is left to do takes a moment only.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def log(level: str, message: str) -> None:
    """Write a message to the journal."""
    for line in message.splitlines():
        sys.stderr.write(f"{level}{line}\n")


def last_ok(path: str) -> Optional[str]:
    """When the last good run began, from the state that an earlier run left."""
    try:
        found = json.loads(read_file(path) or b"").get("last_ok")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def write(path: str, text: str) -> None:
    """Replace a file in one step; its owner alone may read it."""
    folder_path, name = os.path.split(resolve(path))
    with open_parent(folder_path) as folder:
        folder.write(name, lambda stream: stream.write(text.encode()))
