# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests read and adapted on the controller: images from mirrors, the pod network, patches."""

from __future__ import annotations

import copy
import hashlib
import ipaddress
import json
import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import yaml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import (
    ManifestError,
    Object,
    Ref,
    check,
    flatten,
    is_crd,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import of_registry, with_registry
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.manifest_yaml import load_all
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network import PodNetwork, of_inputs
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.pod_network_objects import (
    mark,
    refuse_other_version,
    set_network,
)

CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")


def checksum_of(data: bytes) -> str:
    """The checksum of bytes in the form that tasks give it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def verify(data: bytes, checksum: str, source: str) -> None:
    """Prove that bytes have a checksum.

    Raises:
        ManifestError: if they have another, or the checksum is none.
    """
    wanted = checksum.lower()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", wanted):
        raise ManifestError(f"checksum '{checksum}' is none: write sha256: and 64 hexadecimal digits")
    found = checksum_of(data)
    if found != wanted:
        raise ManifestError(
            f"{source} has the checksum {found}, not {wanted}: it is damaged or was replaced; nothing was applied"
        )


def parse(data: bytes, source: str) -> List[Object]:
    """The objects of a manifest.

    Raises:
        ManifestError: if it is no YAML, one of its values is not clear, or one of its objects is incomplete.
    """
    try:
        documents, faults = load_all(data.decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError, ValueError) as error:
        raise ManifestError(f"{source} is no YAML: {error}") from error
    if faults:
        raise ManifestError("\n".join(f"{source} {fault}" for fault in faults))
    return check(flatten(documents))


def containers(node: Any) -> Iterator[Dict[str, Any]]:
    """Every container of every pod template in an object."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in CONTAINER_LISTS and isinstance(value, list):
                yield from (item for item in value if isinstance(item, dict) and isinstance(item.get("image"), str))
            else:
                yield from containers(value)
    elif isinstance(node, list):
        for item in node:
            yield from containers(item)


def mirrored(image: str, mirrors: Mapping[str, str]) -> str:
    """The name under which a mirror has an image; the image itself if none does."""
    name = with_registry(image)
    places = {of_registry(prefix.rstrip("/")): mirror.rstrip("/") for prefix, mirror in mirrors.items()}
    fitting = [prefix for prefix in places if name.startswith(prefix + "/")]
    if not fitting:
        return image
    longest = max(fitting, key=len)
    return places[longest] + name[len(longest) :]


def set_images(objects: Sequence[Object], mirrors: Mapping[str, str]) -> None:
    """Take the images of all containers from mirrors."""
    for item in objects:
        for container in containers(item):
            container["image"] = mirrored(container["image"], mirrors)


def is_fixed(image: str) -> bool:
    """Whether a name always means the same image, as far as names go: it has a digest, or a tag that is not latest."""
    name, _at, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return bool(digest) or tag not in ("", "latest")


def refuse_floating(objects: Sequence[Object]) -> None:
    """Refuse images of which it is not said which they are.

    Raises:
        ManifestError: naming all of them.
    """
    found = [
        f"{container['image']} of {Ref.of(item)}"
        for item in objects
        for container in containers(item)
        if not is_fixed(container["image"])
    ]
    if found:
        raise ManifestError(
            f"images without a fixed tag: {', '.join(dict.fromkeys(found))}; give each a version or a digest, by "
            "patches where the manifest is not yours"
        )


def networks(pod_cidr: str) -> Dict[int, str]:
    """The pod networks by IP version.

    Raises:
        ManifestError: if one is no network, or there are two of a kind.
    """
    found: Dict[int, str] = {}
    for text in pod_cidr.split(","):
        try:
            network = ipaddress.ip_network(text.strip())
        except ValueError as error:
            raise ManifestError(f"pod_cidr '{pod_cidr}' is wrong: {error}") from error
        if network.version in found:
            raise ManifestError(
                f"pod_cidr '{pod_cidr}' has two networks of IPv{network.version}; it may have one of each version"
            )
        found[network.version] = str(network)
    return found


def network_of(given: Mapping[str, Any]) -> PodNetwork:
    """What a pod network shall be, of the shared inputs with the pod network's addresses.

    Raises:
        ManifestError: if one of them is not known or wrong.
    """
    rest = {name: value for name, value in given.items() if name != "pod_cidr"}
    return of_inputs(rest, networks(str(given.get("pod_cidr") or "")) if given.get("pod_cidr") else {})


def set_pod_cidr(objects: Sequence[Object], pod_cidr: str) -> None:
    """Set the pod network wherever Calico, its operator or Flannel take it from.

    Raises:
        ManifestError: if no object has such a place.
    """
    cidrs = networks(pod_cidr)
    places = [_calico_env(item, cidrs) + _calico_operator(item, cidrs) + _flannel(item, cidrs) for item in objects]
    if not sum(places):
        raise ManifestError(
            "pod_cidr is given, but the manifest holds neither Calico, nor an Installation of Calico's operator, "
            "nor Flannel: leave pod_cidr out and use patches"
        )


def _calico_env(item: Object, cidrs: Mapping[int, str]) -> int:
    nodes = [
        container
        for container in containers(item)
        if container.get("name") == "calico-node" and item["kind"] == "DaemonSet"
    ]
    for container in nodes:
        environment = [
            one
            for one in container.get("env") or []
            if one["name"] not in ("CALICO_IPV4POOL_CIDR", "CALICO_IPV6POOL_CIDR")
        ]
        pools = [{"name": f"CALICO_IPV{version}POOL_CIDR", "value": cidr} for version, cidr in sorted(cidrs.items())]
        container["env"] = environment + pools
    return len(nodes)


def _calico_operator(item: Object, cidrs: Mapping[int, str]) -> int:
    if item["kind"] != "Installation" or not item["apiVersion"].startswith("operator.tigera.io/"):
        return 0
    spec = item.setdefault("spec", {})
    pools = spec.setdefault("calicoNetwork", {}).setdefault("ipPools", [])
    known = {ipaddress.ip_network(pool["cidr"]).version: pool for pool in pools}
    for version, cidr in cidrs.items():
        if version in known:
            known[version]["cidr"] = cidr
        else:
            pools.append({"name": f"default-ipv{version}-ippool", "cidr": cidr})
    return 1


def _flannel(item: Object, cidrs: Mapping[int, str]) -> int:
    data = item.get("data")
    if item["kind"] != "ConfigMap" or not isinstance(data, dict) or "net-conf.json" not in data:
        return 0
    try:
        configuration = json.loads(data["net-conf.json"])
    except ValueError as error:
        raise ManifestError(f"net-conf.json of {Ref.of(item)} is no JSON: {error}") from error
    for version, enabled, network in ((4, "EnableIPv4", "Network"), (6, "EnableIPv6", "IPv6Network")):
        wanted = version in cidrs
        if wanted:
            configuration[network] = cidrs[version]
        else:
            configuration.pop(network, None)
        # Without a word about it, Flannel uses IPv4 and not IPv6.
        if enabled in configuration or wanted != (version == 4):
            configuration[enabled] = wanted
    data["net-conf.json"] = json.dumps(configuration, indent=2) + "\n"
    return 1


def merge(base: Any, patch: Any) -> Any:
    """A value with a patch merged into it: null removes a key, lists of named items are merged by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        merged = {key: value for key, value in base.items() if key not in patch}
        changed = {key: merge(base.get(key), value) for key, value in patch.items() if value is not None}
        return {**merged, **changed}
    if _named(base) and _named(patch):
        changes = {item["name"]: item for item in patch}
        known = [merge(item, changes.pop(item["name"], {})) for item in base]
        return known + list(changes.values())
    if isinstance(patch, dict):
        return {key: merge(None, value) for key, value in patch.items() if value is not None}
    return copy.deepcopy(patch)


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "name" in item for item in value)


def apply_patches(objects: Sequence[Object], patches: Sequence[Mapping[str, Any]]) -> List[Object]:
    """The objects with the patches merged in.

    Raises:
        ManifestError: naming the patches that fit no object.
    """
    result = list(objects)
    unused: List[str] = []
    for patch in patches:
        fitting = [number for number, item in enumerate(result) if _fits(Ref.of(item), patch)]
        for number in fitting:
            result[number] = merge(result[number], patch["patch"])
        if not fitting:
            unused.append(" ".join(str(patch[key]) for key in ("kind", "namespace", "name") if patch.get(key)))
    if unused:
        raise ManifestError(
            f"no object of the manifest fits the patch for {', '.join(unused)}; the manifest has: {_names(objects)}"
        )
    return result


def _fits(ref: Ref, patch: Mapping[str, Any]) -> bool:
    return (
        ref.kind == patch["kind"]
        and patch.get("name") in (None, ref.name)
        and patch.get("namespace") in (None, ref.namespace)
    )


def _names(objects: Sequence[Object]) -> str:
    return ", ".join(str(Ref.of(item)) for item in objects)


def render(
    objects: Sequence[Object],
    image_mirrors: Mapping[str, str],
    pod_cidr: Optional[str],
    patches: Sequence[Mapping[str, Any]],
    network: Optional[Mapping[str, Any]] = None,
) -> List[Object]:
    """A manifest's objects, adapted: first the pod network, then the patches, last the images."""
    rendered = copy.deepcopy(list(objects))
    wanted = network_of(network) if network else None
    if pod_cidr:
        set_pod_cidr(rendered, pod_cidr)
    if wanted:
        rendered = set_network(rendered, wanted)
    rendered = apply_patches(rendered, patches)
    if wanted:
        refuse_other_version(rendered, wanted)
        mark(rendered, wanted)
    set_images(rendered, image_mirrors)
    for item in rendered:
        # Generators write an empty one, and old API servers take it for a change of what they write themselves.
        if is_crd(item):
            item.pop("status", None)
    return check(rendered)
