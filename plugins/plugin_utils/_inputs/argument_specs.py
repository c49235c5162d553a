# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges every variable by the roles' argument specs: types and choices, what is undefined, and unknown names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs, Specs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import ReleaseError, release

# How similar the rest of a name (after the role's prefix) is to a variable's.
SURELY_MEANT, PERHAPS_MEANT = 0.85, 0.6
# Prefixes that other people's variables are likely to have: those are only reported when they resemble one of ours.
COMMON_PREFIXES = ("backup_", "endpoint_", "verify_", "worker_")
# A default that belongs to Kubernetes' version.
FOLLOWS = re.compile(r"{{ \(kubernetes_version \| groundwork\.kubernetes\.kubernetes_release\)\.(\w+) }}")
# Kubespray's names: its inventories work, its variables do not.
FOREIGN_VARIABLES = {
    "kube_version": "kubernetes_version",
    "kube_pods_subnet": "kubernetes_pod_cidr",
    "kube_service_addresses": "kubernetes_service_cidr",
    "kube_proxy_mode": "kubernetes_proxy_mode",
    "kube_image_repo": "kubernetes_image_repository",
    "container_manager": "kubernetes_container_runtime",
    "kube_apiserver_port": "kubernetes_api_port",
}


def load_specs(roles: Path) -> dict[str, dict[str, Any]]:
    """The options of the main entry point of every role that has an argument spec."""
    specs = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
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
    """Types and choices, by the roles' argument specs."""
    for role, options in inputs.specs.items():
        for variable in sorted(options.keys() & host.values.keys()):
            spec = {name: value for name, value in options[variable].items() if name not in ("required", "default")}
            value = host.values[variable]
            if value is None:
                if options[variable].get("default") is not None:
                    yield host.fault("value-invalid", f"{variable} is set but empty; give it a value or remove it")
                continue
            result = ArgumentSpecValidator({variable: spec}).validate({variable: value})
            for message in result.error_messages:
                shown = (
                    "the value is not of the right form (not shown, it is secret)" if spec.get("no_log") else message
                )
                text = f"{variable}: {shown.rstrip('.')}; roles/{role}/README.md describes it"
                yield host.fault("value-invalid", text)


def undefined(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Values whose template failed."""
    for variable, problem in sorted(host.problems.items()):
        # Versions that follow kubernetes_version, and what is made of them: that variable itself is judged elsewhere.
        if "kubernetes_release" in problem:
            continue
        text = f"{variable} cannot be evaluated: {problem}; correct its value or define what it refers to"
        yield host.fault("value-undefined", text)


def names(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Variables that look like a role's but are no role's, and those of Kubespray."""
    known = inputs.known
    for name in sorted(host.names - known.keys()):
        if name in FOREIGN_VARIABLES:
            text = f"{name} has no effect; here the variable is {FOREIGN_VARIABLES[name]}"
            if FOREIGN_VARIABLES[name] not in host.names:
                yield host.fault("foreign-variable", text, WARNING)
            continue
        prefix = next((f"{role}_" for role in inputs.specs if name.startswith(f"{role}_")), "")
        if not prefix:
            continue
        rest = name[len(prefix) :]
        rests = {variable[len(prefix) :]: variable for variable in known if variable.startswith(prefix)}
        match = difflib.get_close_matches(rest, rests, n=1, cutoff=PERHAPS_MEANT)
        if match:
            closeness = difflib.SequenceMatcher(None, match[0], rest).ratio()
            text = f"{name} is no variable of the role {prefix[:-1]}; did you mean {rests[match[0]]}?"
            yield host.fault("unknown-variable", text, "error" if closeness >= SURELY_MEANT else WARNING)
        elif prefix not in COMMON_PREFIXES:
            text = f"{name} is no variable of the role {prefix[:-1]} and has no effect; remove or rename it"
            yield host.fault("unknown-variable", text, WARNING)
