# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges every variable by the roles' argument specs: types and choices, what is undefined, and unknown names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault, did_you_mean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import kubespray
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs, Specs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text is a template

    def trust_as_template(value: Any) -> Any:
        """The value itself."""
        return value


EXPECTED = {"bool": "true or false", "int": "a number", "float": "a number", "list": "a list", "dict": "a map"}
# A default that belongs to Kubernetes' version.
FOLLOWS = re.compile(r"{{ \(kubernetes_version \| groundwork\.kubernetes\.kubernetes_release\)\.(\w+) }}")


def load_specs(roles: Path) -> dict[str, dict[str, Any]]:
    """The options of the main entry point of every role that has an argument spec."""
    specs = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        document = yaml_load(path.read_text(encoding="utf-8")) or {}
        options = document.get("argument_specs", {}).get("main", {}).get("options") or {}
        specs[path.parents[1].name] = options
    return specs


def defaults(specs: Specs) -> dict[str, Any]:
    """The defaults of all variables; None where there is none, or where only the role itself can evaluate it."""
    plain = {}
    for options in specs.values():
        for variable, spec in options.items():
            default = spec.get("default")
            plain[variable] = None if "{{" in str(default) else default
    return plain


def written_defaults(specs: Specs) -> dict[str, Any]:
    """The defaults of all variables as they are written, templates too."""
    written = {name: spec.get("default") for options in specs.values() for name, spec in options.items()}
    return {name: trust_as_template(value) if isinstance(value, str) else value for name, value in written.items()}


def following(specs: Specs, version: Any) -> dict[str, Any]:
    """The defaults that belong to a version of Kubernetes; none where that is no version."""
    try:
        belonging = release(str(version))
    except ReleaseError:
        return {}
    defaults = {name: str(spec.get("default")) for options in specs.values() for name, spec in options.items()}
    found = {name: FOLLOWS.fullmatch(default) for name, default in defaults.items()}
    return {name: belonging[match[1]] for name, match in found.items() if match}


def types(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Types, keys and choices, by the roles' argument specs."""
    for role, options in inputs.specs.items():
        for variable in sorted(options.keys() & host.values.keys()):
            spec, value = options[variable], host.values[variable]
            usual = spec.get("default")
            if value is not None and value == usual and isinstance(value, bool) == isinstance(usual, bool):
                continue
            if value is None:
                if spec.get("default") is not None:
                    yield host.fault("value-invalid", f"{variable} is set but empty; give it a value or remove it")
                continue
            advice = f"ansible-doc -t role groundwork.kubernetes.{role} describes it"
            for text in _wrong(variable, value, spec):
                yield host.fault("value-invalid", text if text.endswith("?") else f"{text}; {advice}")


def _wrong(variable: str, value: Any, spec: Mapping[str, Any]) -> list[str]:
    """What is wrong with a value by its specification: its form, or else what Ansible says of it."""
    found = list(_form(variable, value, spec))
    if found:
        return found
    plain = {name: inner for name, inner in spec.items() if name not in ("required", "default")}
    result = ArgumentSpecValidator({variable: plain}).validate({variable: value})
    if result.error_messages and spec.get("no_log"):
        return [f"{variable}: the value is not of the right form (not shown, it is secret)"]
    return [f"{variable}: {message.rstrip('.')}" for message in result.error_messages]


def _form(place: str, value: Any, spec: Mapping[str, Any]) -> Iterator[str]:
    """Maps, lists and texts in the place of each other, which Ansible would convert, and keys that there are not."""
    kind, options = spec.get("type", "str"), spec.get("options") or {}
    form = _form_of(value)
    if form in ("a map", "a list") and kind not in ("raw", {"a map": "dict", "a list": "list"}[form]):
        yield f"{place} is {form}; give it {EXPECTED.get(kind, 'one value')}"
    elif kind == "dict" and form != "a map":
        yield f"{place} is {form}; give it a map"
    elif form == "a switch" and kind in ("int", "float"):
        yield f"{place} is {form}; give it a number"
    elif kind == "list" and form != "a list" and (form != "text" or spec.get("elements") == "dict"):
        yield f"{place} is {form}; give it a list{' of maps' if spec.get('elements') == 'dict' else ''}"
    elif form == "a list" and kind == "list":
        element = {"type": spec.get("elements", "raw"), "options": options}
        for at, item in enumerate(value):
            yield from _form(f"{place}[{at}]", item, element)
    elif form == "a map" and options:
        for name in value:
            if name in options:
                yield from _form(f"{place}.{name}", value[name], options[name]) if value[name] is not None else ()
            else:
                question = did_you_mean(str(name), options, closeness=0.6) or f"there are {', '.join(sorted(options))}"
                yield f"{place}.{name} is not supported; {question}"


def _form_of(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, bool):
        return "a switch"
    if isinstance(value, (int, float)):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, (list, tuple, set)) else "empty"


def undefined(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Values whose template failed."""
    for variable, problem in sorted(host.problems.items()):
        # Versions that follow kubernetes_version, and what is made of them: that variable itself is judged elsewhere.
        if "kubernetes_release" in problem:
            continue
        text = f"{variable} cannot be evaluated: {problem}; correct its value or define what it refers to"
        yield host.fault("value-undefined", text)


def names(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Variables that look like a role's but are no role's."""
    theirs = kubespray.names_of(host, inputs)
    for name in sorted(host.names - inputs.known.keys() - theirs):
        found = inputs.spelling.judge(name)
        if found:
            yield host.fault("unknown-variable", *found)
