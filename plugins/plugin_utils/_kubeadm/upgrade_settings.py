# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags, feature gates and admission plugins that the target of an upgrade does not have, wherever they are given."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault, did_you_mean
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import minor_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.removals import (
    KUBELET_CONFIGURATION,
    Setting,
    data,
    losses,
    removed,
    unknown,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.upgrade_request import (
    CONFIGURATION,
    Host,
    Request,
)


def _judged(settings_: list[Setting], version: str, host: Host | None = None) -> Iterator[Fault]:
    """What of these settings is gone with a version, or was never there."""
    where = host.name if host else ""
    for setting, what, since in losses(settings_, version, host.kept_flags if host else ()):
        of = "" if host else f" of {setting.component}"
        text = f"{setting.place}: {what}{of} is gone from Kubernetes {since} on; take it out"
        yield Fault("setting-removed", text, where)
    for setting, what, meant in unknown(settings_, version):
        text = f"{setting.place}: {what} is none that Kubernetes {version} knows; {meant or 'take it out'}"
        yield Fault("setting-unknown", text, where)


def settings(request: Request) -> Iterator[Fault]:
    """In files of hosts, in variables, and in kubeadm's stored configuration, from which it writes manifests."""
    for host in request.hosts:
        yield from _judged(host.settings, request.version, host)
        yield from _unknown_flags(host)
    yield from _judged([*request.variables, *request.stored_settings], request.version)
    gates = removed(data()["kubeadm_gates"], request.version)
    for gate in sorted(set(request.configuration.get("featureGates") or {}) & gates.keys()):
        text = f"{CONFIGURATION}: kubeadm's feature gate {gate} is gone from Kubernetes {gates[gate]} on; take it out"
        yield Fault("setting-removed", text)


def _unknown_flags(host: Host) -> Iterator[Fault]:
    """Flags of the kubelet that the one on the host does not have, and so would not start with again."""
    known = set(host.facts["kubelet_flags"])
    if not known:
        return
    for setting in host.settings:
        if setting.component == "kubelet" and setting.name not in known and setting.place != KUBELET_CONFIGURATION:
            text = (
                f"{setting.place}: the kubelet has no flag --{setting.name}; "
                f"{did_you_mean(setting.name, known) or 'take it out'}"
            )
            yield host.fault("setting-unknown", text)


def coverage(request: Request) -> Iterator[Fault]:
    """A target that the list of removals does not cover."""
    if request.minor > minor_of(data()["known_until"]):
        text = (
            f"kubernetes_version {request.version}: this collection knows what Kubernetes no longer has until "
            f"{data()['known_until']}; read the target's changelog for flags, feature gates and admission plugins"
        )
        yield Fault("removals-unknown", text, severity=WARNING)
