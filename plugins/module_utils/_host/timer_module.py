# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a timer's program for ansible.module_utils.basic: as much of AnsibleModule as this collection uses.

ansible-core is not put into the program: that was 400 KB, partly of its private parts, which each minor version changes
and which have to run on whatever Python the host has years later. This needs the standard library only. The action
plugin has checked and converted the parameters (ArgumentSpecValidator); what only the host knows is left for here.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Dict, Iterator, List, Mapping, NoReturn, Optional, Sequence, Tuple

if sys.version_info < (3, 8):  # noqa: UP036 (the program tries each Python of the host, old ones too)
    raise SystemExit("Python 3.8 or newer is needed")

Spec = Mapping[str, Mapping[str, Any]]
Output = Any  # of a command: text, or bytes where no encoding is asked for
SYSTEM_FOLDERS = ("/sbin", "/usr/sbin", "/usr/local/sbin")
HIDDEN = "********"


class AnsibleModule:
    """A module that is run outside of check mode with the parameters in the file that sys.argv names."""

    check_mode = False
    _diff = False

    def __init__(
        self,
        argument_spec: Spec,
        *,
        mutually_exclusive: Sequence[Sequence[str]] = (),
        required_together: Sequence[Sequence[str]] = (),
        required_one_of: Sequence[Sequence[str]] = (),
        required_if: Sequence[Tuple[str, Any, Sequence[str]]] = (),
        supports_check_mode: bool = False,
    ) -> None:
        """Read the parameters, or fail with all that is wrong with them.

        Args:
            argument_spec: the options; types are taken as they are, the action plugin has converted them.
            mutually_exclusive: groups of options of which one may be given.
            required_together: groups of options that are given all or none.
            required_one_of: groups of options of which one must be given.
            required_if: an option, its value, and what must be given then.
            supports_check_mode: of no meaning here.
        """
        with open(sys.argv[1], encoding="utf-8") as stream:
            self.params: Dict[str, Any] = json.load(stream)["parameters"]
        self._warnings: List[str] = []
        self._tmpdir: Optional[str] = None
        given = {name for name, value in self.params.items() if value is not None}
        self.params, faults = complete(argument_spec, self.params)
        self._secrets = sorted(secrets(argument_spec, self.params), key=len, reverse=True)
        faults += [
            f"parameters are mutually exclusive: {'|'.join(group)}"
            for group in mutually_exclusive
            if len(given.intersection(group)) > 1
        ]
        there = {name for name, value in self.params.items() if value is not None}
        faults += [
            f"parameters are required together: {', '.join(group)}"
            for group in required_together
            if there.intersection(group) and not there.issuperset(group)
        ]
        faults += [
            f"one of the following is required: {', '.join(group)}"
            for group in required_one_of
            if not there.intersection(group)
        ]
        faults += [
            f"{name} is {value} but all of the following are missing: {', '.join(needed)}"
            for name, value, group in required_if
            if self.params[name] == value
            for needed in [[one for one in group if one not in there]]
            if needed
        ]
        if faults:
            self.fail_json(msg="\n".join(faults))

    def run_command(
        self,
        args: Sequence[str],
        *,
        expand_user_and_vars: bool,
        data: Any = None,
        binary_data: bool = False,
        cwd: Optional[str] = None,
        environ_update: Optional[Mapping[str, str]] = None,
        encoding: Optional[str] = "utf-8",
    ) -> Tuple[int, Output, Output]:
        """Run a command to its end.

        Args:
            args: the program and its arguments, which no shell sees.
            expand_user_and_vars: must be false, as everywhere in this collection.
            data: what it reads, text or bytes; nothing where it is empty.
            binary_data: whether data is given as it is; else a line end is added.
            cwd: where it runs; here where there is no such folder.
            environ_update: what its environment has besides this program's.
            encoding: None for bytes instead of text.

        Returns:
            Exit code, standard output, standard error.
        """
        if expand_user_and_vars:
            raise ValueError("arguments are never expanded here")
        stdin = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data or b""
        if stdin and not binary_data:
            stdin += b"\n"
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                list(args),
                input=stdin,
                capture_output=True,
                cwd=cwd if cwd and os.path.isdir(cwd) else None,
                env={**os.environ, **(environ_update or {})},
                check=False,
            )
        except OSError as error:
            self.fail_json(msg=f"Error executing command {args[0]}: {error}", rc=error.errno)
        if encoding is None:
            return done.returncode, done.stdout, done.stderr
        out, err = (part.decode(encoding, "surrogateescape") for part in (done.stdout, done.stderr))
        return done.returncode, out, err

    def get_bin_path(
        self, arg: str, required: bool = False, opt_dirs: Optional[Sequence[Optional[str]]] = None
    ) -> Optional[str]:
        """Where a program is.

        Args:
            arg: its name.
            required: whether to fail where it is not there.
            opt_dirs: folders that come before those of PATH.
        """
        folders = [*(folder for folder in opt_dirs or () if folder), *os.environ.get("PATH", "").split(os.pathsep)]
        search = os.pathsep.join(folder for folder in [*folders, *SYSTEM_FOLDERS] if folder)
        found = shutil.which(arg, path=search)
        if required and found is None:
            self.fail_json(msg=f'Failed to find required executable "{arg}" in paths: {search}')
        return found

    @property
    def tmpdir(self) -> str:
        """A folder that is this run's alone, and gone after it."""
        if self._tmpdir is None:
            self._tmpdir = tempfile.mkdtemp(prefix="groundwork-")
            atexit.register(shutil.rmtree, self._tmpdir, ignore_errors=True)
        return self._tmpdir

    def warn(self, warning: str) -> None:
        """Put a warning into the result."""
        if warning not in self._warnings:
            self._warnings.append(warning)

    def selinux_default_context(self, path: str, mode: int = 0) -> List[str]:
        """The SELinux context that the host's policy gives a path; empty where it gives none."""
        library, context = selinux(), ctypes.c_char_p()
        if library is None or library.matchpathcon(os.fsencode(path), mode, ctypes.byref(context)) != 0:
            return []
        return os.fsdecode(context.value or b"").split(":", 3)

    def set_context_if_different(self, path: str, context: List[str], changed: bool) -> bool:
        """Give a file an SELinux context, where it has one.

        Args:
            path: the file; a link is not followed.
            context: user, role, type and level; empty for leaving it.
            changed: what else has changed.

        Returns:
            Whether anything has changed, by what is known here.
        """
        library, present = selinux(), ctypes.c_char_p()
        if library is None or not context:
            return changed
        found = library.lgetfilecon_raw(os.fsencode(path), ctypes.byref(present)) >= 0
        if found and present.value == os.fsencode(":".join(context)):
            return changed
        if library.lsetfilecon(os.fsencode(path), os.fsencode(":".join(context))) != 0:
            self.fail_json(msg=f"{path}: {os.strerror(ctypes.get_errno())} when it was to get an SELinux context")
        return True

    def exit_json(self, **result: Any) -> NoReturn:
        """Give the result, and end."""
        self._return(result)
        raise SystemExit(0)

    def fail_json(self, msg: str, **result: Any) -> NoReturn:
        """Give the result of a failure, and end."""
        self._return({**result, "failed": True, "msg": str(msg)})
        raise SystemExit(1)

    def _return(self, result: Dict[str, Any]) -> None:
        if self._warnings:
            result["warnings"] = self._warnings
        plain = {name: value if isinstance(value, bool) else self._hide(value) for name, value in result.items()}
        sys.stdout.write(json.dumps(plain) + "\n")

    def _hide(self, value: Any) -> Any:
        """A value as JSON can hold it, without what options with no_log have."""
        if isinstance(value, Mapping):
            return {str(name): self._hide(one) for name, one in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._hide(one) for one in value]
        if value is None or isinstance(value, bool):
            return value
        text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
        hidden = text
        for secret in self._secrets:
            hidden = hidden.replace(secret, HIDDEN)
        return value if hidden == text and isinstance(value, (int, float)) else hidden


def complete(spec: Spec, given: Mapping[str, Any], place: str = "") -> Tuple[Dict[str, Any], List[str]]:
    """Parameters with defaults, and with ~ and variables in paths expanded as this host has them.

    Args:
        spec: the options.
        given: the parameters.
        place: the option that they are sub-options of, for the faults.

    Returns:
        The parameters, and what is wrong with them.
    """
    where = f" found in {place}" if place else ""
    faults = [f"Unsupported parameters: {name}{where}" for name in given if name not in spec]
    faults += [
        f"missing required arguments: {name}{where}"
        for name, option in spec.items()
        if option.get("required") and given.get(name) is None
    ]
    found: Dict[str, Any] = {}
    for name, option in spec.items():
        value = given.get(name)
        value = option.get("default") if value is None else value
        if option.get("type") == "path" and value is not None:
            value = _expand(value)
        elif option.get("elements") == "path" and value is not None:
            value = [_expand(path) for path in value]
        elif "options" in option and value is not None:
            single = not isinstance(value, list)
            inner = [complete(option["options"], one, name) for one in ([value] if single else value)]
            faults += [fault for _values, wrong in inner for fault in wrong]
            value = inner[0][0] if single else [values for values, _wrong in inner]
        found[name] = value
    return found, faults


def _expand(path: str) -> str:
    return os.path.expanduser(os.path.expandvars(path))


def secrets(spec: Spec, params: Mapping[str, Any]) -> Iterator[str]:
    """The texts that the options with no_log hold."""
    for name, option in spec.items():
        value = params.get(name)
        if option.get("no_log"):
            yield from _texts(value)
        elif "options" in option and value is not None:
            for one in value if isinstance(value, list) else [value]:
                yield from secrets(option["options"], one)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif value not in (None, "") and not isinstance(value, bool):
        yield str(value)


def selinux() -> Any:
    """The library that knows the host's SELinux policy; None where SELinux is off or there is no such library."""
    try:
        library = ctypes.CDLL("libselinux.so.1", use_errno=True)
    except OSError:
        return None
    return library if library.is_selinux_enabled() == 1 else None
