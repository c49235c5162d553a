# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""etcd's settings as the environment of one of its versions: old names made new, new names made old."""

from __future__ import annotations

import difflib
import functools
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ansible.module_utils.common.yaml import yaml_load

DATA = Path(__file__).with_name("flags.yml")
PREFIX = "experimental-"
GATES = "feature-gates"

Minor = Tuple[int, int]
Version = Tuple[int, int, int]


class FlagError(ValueError):
    """What is wrong with the settings, one fault a line."""


@functools.lru_cache(maxsize=1)
def data() -> Dict[str, Any]:
    """The data file."""
    with DATA.open(encoding="utf-8") as stream:
        found: Dict[str, Any] = yaml_load(stream)
    return found


def minor(text: str) -> Minor:
    """'3.5' as numbers."""
    first, second = text.split(".")[:2]
    return int(first), int(second)


def parse(version: str) -> Version:
    """A version of etcd as numbers.

    Raises:
        FlagError: if it is none, or one of a minor that the data file does not cover.
    """
    parts = str(version).split("-", maxsplit=1)[0].split(".")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise FlagError(f"'{version}' is no version of etcd; write it like 3.6.15")
    known = [minor(one) for one in data()["minors"]]
    found = (int(parts[0]), int(parts[1]), int(parts[2]))
    if found[:2] not in known:
        names = data()["minors"]
        raise FlagError(f"etcd {version} is not covered by this collection, which knows {names[0]} to {names[-1]}")
    return found


def environment(settings: Mapping[str, Any], base: Mapping[str, Any], version: str) -> str:
    """The variables that etcd reads its settings from, as systemd takes them.

    Args:
        settings: the user's, by the names of flags of any version, without the dashes in front.
        base: what they are merged over. What the version does not know, and what is empty, is left out.
        version: of etcd.

    Raises:
        FlagError: with all faults of the settings.
    """
    known_by = parse(version)[:2]
    faults: List[str] = []
    written = {_canonical_name(name): name for name in settings}
    reserved = [name for name in base if name in data()["reserved"]]
    wanted, gates = _canonical({name: base[name] for name in base if name not in reserved}, [])
    wanted.update({name: base[name] for name in reserved})
    own, own_gates = _canonical(settings, faults)
    found: Dict[str, Any] = {}
    for name, value in {**wanted, **own}.items():
        flag = _flag(name, known_by)
        if flag and (name in own or value not in ("", [], None)):
            found[flag] = value
        elif name in own:
            faults.append(f"{written[name]}: etcd {version} has no such flag{_where(name)}")
    for gate, value in {**gates, **own_gates}.items():
        if value is None:
            continue
        flag = _gate(gate, known_by)
        if flag == GATES:
            found.setdefault(GATES, {})[gate] = value
        elif flag:
            found[flag] = value
        elif gate in own_gates:
            faults.append(f"{GATES}.{gate}: etcd {version} has neither this feature gate nor a flag for it")
    valueless = [*_valueless(own), *(f"{GATES}.{gate}" for gate in _valueless(own_gates))]
    faults += [f"{written.get(name, name)}: it has no value; give it one, or remove it" for name in valueless]
    for name, value in found.items():
        if "\n" in _text(value):
            faults.append(f"{name}: the value may have no line break")
    faults += _elections(found)
    if faults:
        raise FlagError("\n".join(sorted(faults)))
    return "".join(f"ETCD_{name.upper().replace('-', '_')}={_quote(_text(found[name]))}\n" for name in sorted(found))


def _elections(found: Mapping[str, Any]) -> List[str]:
    """etcd itself refuses an election timeout below five heartbeats."""
    heartbeat, election = (str(found.get(name, "")) for name in ("heartbeat-interval", "election-timeout"))
    if heartbeat.isdigit() and election.isdigit() and int(election) < 5 * int(heartbeat):
        return [f"election-timeout: {election} is less than five times heartbeat-interval, {heartbeat}"]
    return []


def _valueless(settings: Mapping[str, Any]) -> List[str]:
    """The names that have no value, or one that is missing in a list."""
    return [name for name, value in settings.items() if value is None or (isinstance(value, list) and None in value)]


def _canonical_name(given: str) -> str:
    """A flag's name as 3.6 has it."""
    name = given.lstrip("-").replace("_", "-")
    plain = name[len(PREFIX) :] if name.startswith(PREFIX) else name
    return plain if plain in data()["renamed"] else name


def _canonical(settings: Mapping[str, Any], faults: List[str]) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Settings under the names that 3.6 has for them, and feature gates apart."""
    flags: Dict[str, Any] = {}
    gates: Dict[str, Any] = {}
    by_flag = {flag: gate for gate, (flag, _since) in data()["gates"].items()}
    for given, value in settings.items():
        name = _canonical_name(given)
        if name == GATES and value is None:
            flags[name] = value
        elif name == GATES:
            gates.update(_pairs(value, faults))
        elif name in by_flag:
            gates[by_flag[name]] = value
        elif name in data()["renamed"]:
            flags[name] = value
        elif name in data()["reserved"]:
            faults.append(f"{given}: set {data()['reserved'][name]} instead")
        elif name in data()["refused"]:
            faults.append(f"{given}: this flag cannot be used with the role, which manages members and certificates")
        elif name in data()["flags"] or name in data()["some"]:
            flags[name] = value
        else:
            faults.append(f"{given}: etcd has no such flag{_like(name)}")
    return flags, gates


def _pairs(value: Any, faults: List[str]) -> Dict[str, Any]:
    """Feature gates as a dictionary, also from etcd's own form."""
    if isinstance(value, Mapping):
        return dict(value)
    found = {}
    for pair in str(value).split(","):
        gate, equals, state = pair.strip().partition("=")
        if not equals:
            faults.append(f"{GATES}: '{pair}' is not written like InitialCorruptCheck=true")
        found[gate] = state
    return found


def _flag(name: str, known_by: Minor) -> Optional[str]:
    """What a version calls a flag, or None."""
    since = data()["renamed"].get(name)
    if since is not None:
        if known_by >= (3, 6):
            return name
        return PREFIX + name if known_by >= minor(since) else None
    first, last = data()["some"].get(name, (data()["minors"][0], data()["minors"][-1]))
    return name if minor(first) <= known_by <= minor(last) else None


def _gate(gate: str, known_by: Minor) -> Optional[str]:
    """The flag that holds a feature gate in a version; gates that are not in the data file need feature gates."""
    if known_by >= (3, 6):
        return GATES
    flag, since = data()["gates"].get(gate, ("", "3.6"))
    return flag if known_by >= minor(since) else None


def _where(name: str) -> str:
    since = data()["renamed"].get(name)
    first, last = data()["some"].get(name, (since, data()["minors"][-1]))
    return f", only {first} has it" if first == last else f", only {first} to {last} have it"


def _like(name: str) -> str:
    names = [*data()["flags"], *data()["some"], *data()["renamed"]]
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ",".join(f"{key}={_text(value[key])}" for key in sorted(value))
    if isinstance(value, (list, tuple)):
        return ",".join(map(_text, value))
    return str(value)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
