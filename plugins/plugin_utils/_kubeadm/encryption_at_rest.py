# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encryption at rest: from what each API server reads now to what all of them should read, in steps that are safe.

Upstream's procedure (https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/, "Rotate a decryption key"):
every API server can read with the new key before the first writes with it; when all write with it, everything is
written anew; only then is the old key dropped. Turning encryption on and off is the same with C(identity), the plain
form, as the old or the new key.

There is no record of how far an interrupted change got but the configurations themselves:

| every API server | so |
|---|---|
| reads with one and the same key only | there is nothing to do |
| writes with the new key, and some read with it only | all is written anew, as nobody drops a key before |
| writes with the new key | what is stored may still be of the old one |
| else | some write with an old key |
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, Tuple

import yaml

FOLDER = "/etc/kubernetes/encryption"
FLAG = "encryption-provider-config"
API_VERSION, KIND = "apiserver.config.k8s.io/v1", "EncryptionConfiguration"
NONE = "none"
# Providers whose keys can be made here; all take 32 bytes.
KEY_PROVIDERS = ("secretbox", "aescbc", "aesgcm")
# The form of a key's name; the encryption_info module makes them.
KEY_NAME = "key-%Y%m%dt%H%M%Sz"
RESOURCE = re.compile(r"[a-z][a-z0-9]*(\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?")


class EncryptionError(ValueError):
    """A configuration that cannot be understood."""


@dataclass(frozen=True)
class Provider:
    """One way to write a resource: a key of a kind, or identity, which is the plain form."""

    kind: str
    name: str = ""
    secret: str = field(default="", repr=False)

    @property
    def created(self) -> datetime:
        """When the key was made; long ago if its name does not tell."""
        try:
            return datetime.strptime(self.name, KEY_NAME).replace(tzinfo=timezone.utc)
        except ValueError:
            return datetime.min.replace(tzinfo=timezone.utc)


IDENTITY = Provider("identity")
# The first of a list writes; all of it reads.
Providers = Tuple[Provider, ...]
Config = Dict[str, Providers]


@dataclass(frozen=True)
class DesiredEncryption:
    """What is asked for.

    Attributes:
        provider: a kind of key, or none.
        resources: what is encrypted.
        rotate: whether to begin a rotation.
        max_age: days after which a key is replaced; 0 for never.
    """

    provider: str
    resources: Sequence[str]
    rotate: bool = False
    max_age: int = 0


@dataclass(frozen=True)
class Stage:
    """A configuration that all API servers read before the next stage, and what is written anew then."""

    title: str
    config: Config
    rewrite: list[str] = field(default_factory=list)


def parse(text: str) -> Config:
    """A configuration as the API server reads it.

    Raises:
        EncryptionError: if it is none, or holds what this module does not handle.
    """
    try:
        document = yaml.safe_load(text)
        config: Config = {}
        for block in document["resources"]:
            providers: list[Provider] = []
            for entry in block["providers"]:
                ((kind, settings),) = entry.items()
                if kind == IDENTITY.kind:
                    providers.append(IDENTITY)
                elif kind in KEY_PROVIDERS:
                    providers += [Provider(kind, key["name"], key["secret"]) for key in settings["keys"]]
                else:
                    raise EncryptionError(f"its provider {kind} is none that can be changed here")
            for resource in block["resources"]:
                if not RESOURCE.fullmatch(resource):
                    raise EncryptionError(f"its resource {resource} is none that can be changed here")
                # Where a resource is named twice, the API server takes the first.
                config.setdefault(resource, tuple(providers))
        if not all(config.values()):
            raise EncryptionError("it has a resource without providers")
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        # The message of the parser could quote a key.
        reason = str(error) if isinstance(error, EncryptionError) else "it has not the form of one"
        raise EncryptionError(reason) from None
    return config


def _entries(providers: Providers) -> list[dict[str, Any]]:
    """Providers in the API's form. Keys of a kind stand together: data is only tried with the first of its kind."""
    entries: dict[str, dict[str, Any]] = {}
    for provider in providers:
        settings = entries.setdefault(provider.kind, {})
        if provider != IDENTITY:
            settings.setdefault("keys", []).append({"name": provider.name, "secret": provider.secret})
    return [{kind: settings} for kind, settings in entries.items()]


def render(config: Config) -> str:
    """A configuration as text; none for one that encrypts nothing."""
    if all(providers == (IDENTITY,) for providers in config.values()):
        return ""
    by_providers: dict[Providers, list[str]] = {}
    for resource in sorted(config):
        by_providers.setdefault(config[resource], []).append(resource)
    document = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "resources": [{"resources": names, "providers": _entries(found)} for found, names in by_providers.items()],
    }
    return yaml.safe_dump(document, sort_keys=False)


def path_of(text: str, folder: str = FOLDER) -> str:
    """The file of a configuration. Its name tells its content, so that another one is a change of the static pod."""
    return f"{folder}/config-{hashlib.sha256(text.encode()).hexdigest()[:16]}.yaml" if text else ""


def _unique(providers: Iterable[Provider]) -> Providers:
    return tuple(dict.fromkeys(providers))


def target_key(current: Mapping[str, Config], desired: DesiredEncryption, new: Provider) -> Provider:
    """The provider that shall write in the end."""
    if desired.provider == NONE:
        return IDENTITY
    configs = list(current.values())
    known = _unique(one for config in configs for providers in config.values() for one in providers)
    candidates = [provider for provider in known if provider.kind == desired.provider]
    if not candidates:
        return new
    newest = max(candidates, key=lambda provider: provider.created)
    # A change that was interrupted is finished before the next is begun.
    settled = all(config == configs[0] and all(len(one) == 1 for one in config.values()) for config in configs)
    too_old = desired.max_age > 0 and new.created - newest.created >= timedelta(days=desired.max_age)
    return new if settled and (desired.rotate or too_old) else newest


def _steps(states: Sequence[Providers], target: Provider) -> list[Providers]:
    """What the API servers read of one resource: with the target known to all, with the target first, in the end.

    Steps that are not needed are the same as the one after them.
    """
    final = (target,)
    writers = [providers[0] for providers in states]
    others = [one for one in _unique(one for providers in states for one in providers) if one != target]
    if all(writer == target for writer in writers) and final in states:
        return [final, final, final]
    switch = (target, *others)
    # A single API server has no other that would have to read what it writes.
    if len(states) < 2 or all(target in providers for providers in states):
        return [switch, switch, final]
    first = next(writer for writer in writers if writer != target)
    return [_unique((first, *others, target)), switch, final]


def stages(current: Mapping[str, Config], desired: DesiredEncryption, new: Provider) -> list[Stage]:
    """The stages that lead to what is desired; the last is the one that is left to the ordinary run.

    Args:
        current: what each API server reads now, by host; those without encryption are empty.
        desired: what is asked for.
        new: a fresh key, used where one is needed.
    """
    target = target_key(current, desired, new)
    resources = {*desired.resources} | {resource for config in current.values() for resource in config}
    spread: Config = {}
    switch: Config = {}
    final: Config = {}
    for resource in sorted(resources):
        wanted = target if resource in desired.resources else IDENTITY
        states = [config.get(resource, (IDENTITY,)) for config in current.values()] or [(wanted,)]
        spread[resource], switch[resource], final[resource] = _steps(states, wanted)
    found = [Stage("drop what is not used any more", final)]
    rewrite = sorted(resource for resource in resources if switch[resource] != final[resource])
    if rewrite:
        found.insert(0, Stage("write with the new key, and write anew what is stored", switch, rewrite))
    if spread != switch:
        found.insert(0, Stage("let all read what is to be written", spread))
    return found


def beginning(stored: Sequence[Config], desired: DesiredEncryption, new: Provider) -> Stage:
    """What a cluster begins with that has no API server yet.

    What a backup put back, or a run that was interrupted left, is read on. The next run drops what is not needed.

    Args:
        stored: configurations that lie on the hosts.
        desired: what is asked for.
        new: a fresh key, used where one is needed.
    """
    known = _unique(one for config in stored for providers in config.values() for one in providers)
    target = target_key(dict(zip(map(str, range(len(stored))), stored)), replace(desired, rotate=False, max_age=0), new)
    config: Config = {}
    for resource in sorted({*desired.resources} | {name for one in stored for name in one}):
        wanted = target if resource in desired.resources else IDENTITY
        config[resource] = (wanted, *(provider for provider in known if provider != wanted))
    return Stage("begin", config)


def _read(host: str, state: Mapping[str, Any], current: dict[str, Config], stored: list[Config]) -> Iterator[str]:
    """Note what a host's API server reads, or what lies there for one; says what cannot be understood."""
    try:
        if state["exists"]:
            current[host] = parse(state["config"]) if state["file"] else {}
        else:
            stored += [parse(text) for text in state.get("stored") or []]
    except EncryptionError as error:
        what = f"{state['file'] or FLAG}, which the API server reads," if state["exists"] else "a configuration"
        yield f"{host}: {what} cannot be changed: {error}"


def plan(
    hosts: Sequence[str],
    found: Mapping[str, Mapping[str, Any]],
    desired: DesiredEncryption,
    new: Provider,
    *,
    given: str = "",
    folder: str = FOLDER,
) -> dict[str, Any]:
    """What the role does about encryption at rest.

    Args:
        hosts: all that may run an API server.
        found: of those that took part, what the module encryption_info returned.
        desired: what is asked for.
        new: a fresh key, used where one is needed.
        given: the file that the user gives the API server in kubeadm's configuration; empty for none.
        folder: where configurations are kept.

    Returns:
        path and content of the file in the end (empty for none), the transitions before that, each with title, path,
        content and the resources to rewrite, and faults, for which nothing must be done.
    """
    faults = [
        f"control_plane_encryption_resources: {name!r} is no resource such as secrets or widgets.example.com"
        for name in desired.resources
        if not RESOURCE.fullmatch(name)
    ]
    if given and desired.provider != NONE:
        faults.append(
            f"control_plane_cluster_configuration names the file {given} for {FLAG}, and "
            f"control_plane_encryption_provider is {desired.provider}. Leave one of them out: without the first, the "
            "keys of that file are taken over."
        )
    current: dict[str, Config] = {}
    stored: list[Config] = []
    for host, state in found.items():
        path = state["file"]
        if given:
            continue
        if desired.provider == NONE and path and not path.startswith(f"{folder}/"):
            faults.append(
                f"{host}: the API server reads {path}, but no variable says so, and it would be lost with the next "
                f"change. Set control_plane_encryption_provider to take its keys over, or name the file for {FLAG} in "
                "control_plane_cluster_configuration."
            )
            continue
        faults += _read(host, state, current, stored)
    nothing = {"path": "", "content": "", "transitions": [], "faults": faults}
    if faults or given or not found:
        return nothing
    *transitions, last = stages(current, desired, new) if current else [beginning(stored, desired, new)]
    missing = [host for host in hosts if host not in found]
    if current and missing and any(render(config) != render(last.config) for config in current.values()):
        faults.append(
            f"{', '.join(missing)} did not take part in this run, and could no longer read what others write with "
            "another key. Run again without --limit, or take hosts that are gone out of the inventory."
        )
        return nothing

    def shown(stage: Stage) -> dict[str, Any]:
        content = render(stage.config)
        return {"title": stage.title, "path": path_of(content, folder), "content": content, "rewrite": stage.rewrite}

    final = shown(last)
    return {
        "path": final["path"],
        "content": final["content"],
        "transitions": [shown(stage) for stage in transitions],
        "faults": [],
    }
