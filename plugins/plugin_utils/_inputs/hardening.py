# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges the variables that harden the API server, and those of network policies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import (
    HostInput,
    Inputs,
    version_tuple,
)

POD_SECURITY_SINCE, PATCHES_SINCE = 23, 22
AUDIT_LEVELS = ("None", "Metadata", "Request", "RequestResponse")
DURATION = re.compile(r"(\d+(\.\d+)?(h|m|s|ms))+")
# The first minor that has a plugin, where it is not the oldest one that is covered.
PLUGINS_SINCE = {"DenyServiceExternalIPs": 21}
# Network plugins of the role cni whose nodes know no policies.
WITHOUT_POLICIES = ("bridge", "flannel")
DIRECTIONS = ("Ingress", "Egress")


def api_server(host: HostInput) -> Iterator[Fault]:
    """Time limit, events, plugins."""
    timeout = host.text("control_plane_request_timeout")
    if timeout and not DURATION.fullmatch(timeout):
        text = f"control_plane_request_timeout {timeout!r} is no time; write it like 1m0s"
        yield host.fault("value-invalid", text)
    limits = host.values.get("control_plane_event_rate_limits")
    for at, limit in enumerate(limits if isinstance(limits, list) else []):
        for key in ("qps", "burst", "cacheSize"):
            value = limit.get(key, 1) if isinstance(limit, Mapping) else 1
            if str(value).lstrip("-").isdigit() and int(value) < 1:
                text = f"control_plane_event_rate_limits[{at}].{key} is {value}; give it 1 or more"
                yield host.fault("value-invalid", text)
    minor = version_tuple(host.text("kubernetes_version"))[1]
    plugins = host.values.get("control_plane_admission_plugins")
    for plugin in plugins if isinstance(plugins, list) else []:
        since = PLUGINS_SINCE.get(str(plugin), 0)
        if minor < since:
            text = f"control_plane_admission_plugins: {plugin} needs Kubernetes 1.{since} or newer; leave it out"
            yield host.fault("value-invalid", text)


def control_plane(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """What hardens the control plane: whether this version has it, and the form of the audit policy."""
    version_text = host.text("kubernetes_version")
    for variable, since in (
        ("control_plane_pod_security", POD_SECURITY_SINCE),
        ("control_plane_patches", PATCHES_SINCE),
    ):
        if host.values.get(variable) and version_tuple(version_text)[1] < since:
            text = f"{variable} needs Kubernetes 1.{since} or newer, not {version_text}; leave it empty"
            yield host.fault("value-invalid", text)
    yield from api_server(host)
    policy = host.values.get("control_plane_audit_policy")
    rules = policy.get("rules") if isinstance(policy, Mapping) else None
    if policy is not None and not (isinstance(rules, Sequence) and rules):
        text = "control_plane_audit_policy has no rules, so nothing would be written; give it some"
        yield host.fault("value-invalid", text)
        return
    for at, rule in enumerate(rules or []):
        if not isinstance(rule, Mapping) or rule.get("level") not in AUDIT_LEVELS:
            text = f"control_plane_audit_policy.rules[{at}] has no level; give it one of {', '.join(AUDIT_LEVELS)}"
            yield host.fault("value-invalid", text)


def default_deny(host: HostInput, _inputs: Inputs) -> Iterator[Fault]:
    """cni_default_deny: whether the network plugin has policies, and the form."""
    wanted = host.values.get("cni_default_deny")
    if not wanted or not isinstance(wanted, Mapping):
        return
    plugin = host.text("cni_plugin") or WITHOUT_POLICIES[0]
    if plugin in WITHOUT_POLICIES:
        text = f"cni_default_deny has no effect, as the network plugin {plugin} has no network policies; use calico"
        yield host.fault("value-invalid", text)
    elif plugin == "none":
        text = "cni_default_deny is not applied with cni_plugin none; apply such policies together with your plugin"
        yield host.fault("value-invalid", text)
    for namespace, directions in wanted.items():
        if not isinstance(directions, list) or not directions or not set(directions) <= set(DIRECTIONS):
            text = f"cni_default_deny.{namespace} must be a list of {' and '.join(DIRECTIONS)}"
            yield host.fault("value-invalid", text)
        if namespace == "kube-system":
            text = (
                "cni_default_deny.kube-system would cut the cluster off from its DNS; write policies of your own there"
            )
            yield host.fault("value-invalid", text)
