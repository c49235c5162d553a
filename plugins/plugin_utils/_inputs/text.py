# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges text that becomes a part of files, units and commands: what cannot be right there in any spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.addresses import is_address
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registries import PEM
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import endpoint
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.faults import WARNING, Fault
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs.model import HostInput, Inputs

# Where text may have several lines, since it is written whole: as a section or file of its own, or by a writer of YAML,
# JSON or TOML.
REGISTRIES = "container_runtime_registry_mirrors."
LINES = (
    "backup_copies.ssh_key",
    "backup_copies.ssh_known_hosts",
    "cni_bridge_plugins",
    "cni_bridge_settings",
    "cni_manifests",
    "cni_patches",
    "cni_values",
    "container_runtime_containerd_config",
    "container_runtime_crio_config",
    "container_runtime_docker_config",
    "container_runtime_package_repository.key",
    *(
        f"{REGISTRIES}{inner}{name}"
        for inner in ("", "mirrors.")
        for name in ("ca", "client_certificate", "client_key")
    ),
    "control_plane_audit_policy",
    "control_plane_cluster_configuration",
    "control_plane_init_configuration",
    "endpoint_haproxy_config",
    "endpoint_kube_vip_environment",
    "etcd_ca_certificate",
    "etcd_ca_key",
    "kubernetes_kubelet_configuration",
    "kubernetes_kubelet_security",
    "kubernetes_proxy_configuration",
    "user_accounts.request",
    "verify_api_client",
    "verify_command",
    "verify_dns_client",
    "verify_exec_command",
    "verify_http_client",
    "verify_read_command",
    "worker_join_configuration",
)
# Control characters, line and paragraph separators, and halves of characters, which no file can hold.
BROKEN = ("Cc", "Cs", "Zl", "Zp")
# Names of options of strings that are paths, as far as their type does not say so. An empty one means none.
PATHS = re.compile(r".*_(dir|directory|file|cacert|cert|key|kubeconfig|audit_log|patches|api_server)")
PATH_LISTS = ("certificates_copies",)
NO_PATHS = ("etcd_ca_key", "backup_controller_directory", "cni_patches", "user_directory")
# What no path in a unit or a shell can have without being read as something else.
NOT_IN_PATHS = "\"'\\`$%*?["
OF_THE_KERNEL = ("dev", "proc", "sys")
CONTAINER = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*")
WORD, WORDS = re.compile(r"\S+"), "it may have no spaces"
NAME, NAMES = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"), "it may have letters, digits and . _ - only"
ABSOLUTE, PLACES = re.compile(r"/.+"), "it is no absolute path, nor a pattern that begins with /"
INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
INTERFACES = "it is the name of a network interface: at most 15 letters, digits and . _ -"
IMAGES = "it is an image or a registry: letters, digits and . _ - : / @"
BATCH, BATCHES = re.compile(r"[1-9][0-9]*|([1-9][0-9]?|100)%"), "it is a number, or a percentage such as 25%"
TTL, TTLS = re.compile(r"(?=.*[1-9])(\d+[hms])+"), "it is a time above zero, such as 30m or 1h30m"
# What a variable's text, or that of a key in it, must look like; the advice goes with it.
FORMS: dict[str, tuple[re.Pattern[str], str]] = {
    "backup_copies.name": (NAME, NAMES),
    "backup_etcd_endpoints": (WORD, WORDS),
    "backup_etcd_pki": (ABSOLUTE, PLACES),
    "backup_include": (ABSOLUTE, PLACES),
    "cni_bridge_network": (re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*"), "it may have letters, digits and _ . - only"),
    "cni_bridge_settings.bridge": (INTERFACE, INTERFACES),
    "cni_proof_image": (CONTAINER, IMAGES),
    "container_runtime_package_repository.url": (WORD, WORDS),
    "container_runtime_registry_mirrors.mirrors.url": (WORD, WORDS),
    "container_runtime_registry_mirrors.registry": (
        re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9._:\[\]-]*"),
        "it is a registry's host[:port], or _default",
    ),
    "control_plane_token_ttl": (TTL, TTLS),
    "endpoint_interface": (INTERFACE, INTERFACES),
    "endpoint_kube_vip_image": (CONTAINER, IMAGES),
    "etcd_auto_compaction_retention": (
        re.compile(r"\d+|(\d+(\.\d+)?(ns|us|ms|[smh]))+"),
        "it is a time such as 8h or 30m, or a number",
    ),
    "etcd_client_endpoints": (WORD, WORDS),
    "etcd_metrics_urls": (WORD, WORDS),
    "kubernetes_cluster_name": (NAME, NAMES),
    "kubernetes_image_repository": (
        re.compile(rf"(?![a-z]+://)(?!.*/$){CONTAINER.pattern}"),
        "it is a registry with a path, without https:// and without / at the end: letters, digits and . _ - : /",
    ),
    "kubernetes_kubelet_extra_args.name": (re.compile(r"[a-z0-9][a-z0-9-]*"), "it is a flag's name without dashes"),
    # kubeadm writes them into one line for systemd, which splits it at spaces and takes quotes away.
    "kubernetes_kubelet_extra_args.value": (
        re.compile(r"[^\s\"'\\$`]*"),
        "it may have no spaces, quotes, backslashes, $ or `; kubernetes_kubelet_configuration takes any text",
    ),
    "restore_etcd_service": (NAME, NAMES),
    "restore_etcd_user": (NAME, NAMES),
    "preflight_kernel": (re.compile(r"\d+(\.\d+)*"), "it is a version such as 4.19"),
    "upgrade_batch": (BATCH, BATCHES),
    "upgrade_etcd_image_tag": (re.compile(r"\w[\w.-]{0,127}", re.ASCII), "it is the tag of an image, such as 3.6.11-0"),
    "verify_http_path": (re.compile(r"/\S*"), "it begins with / and has no spaces"),
    "verify_image": (CONTAINER, IMAGES),
    "worker_batch": (BATCH, BATCHES),
    "worker_token_ttl": (TTL, TTLS),
}
URL = re.compile(r".*_url")
SERVER_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
NUMBERS = re.compile(r"[\d.]+")
SERVER_NAMES = ("control_plane_certificate_names", "etcd_certificate_names")
# An environment variable's name, and a key of rclone's configuration.
VARIABLE, KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*"), re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def text(host: HostInput, inputs: Inputs) -> Iterator[Fault]:
    """Texts that would become something else where they are written."""
    named = broken(host.name) or ("begins with -" if host.name.startswith("-") else "")
    if named:
        yield host.fault("text-invalid", f"the inventory's name of the host, {host.name!r}, {named}; rename it there")
    specs = {variable: spec for options in inputs.specs.values() for variable, spec in options.items()}
    for variable in sorted(host.values.keys() & specs.keys()):
        secret = bool(specs[variable].get("no_log"))
        given = host.values[variable]
        # YAML reads a batch of 0 as a number.
        written = str(given) if variable in FORMS and type(given) in (int, float) else given
        for path, value in texts(variable, written):
            fault = fault_of(path, value, specs[variable])
            if fault:
                shown = "the value (not shown, it is secret)" if secret or _hidden(path) else repr(value)
                yield host.fault("text-invalid", f"{path}: {shown} cannot be used: {fault}")
    for copy in host.values.get("backup_copies") or []:
        yield from (host.fault("text-invalid", found) for found in _copy(copy) if isinstance(copy, Mapping))
    for name in host.values.get("container_runtime_environment") or {}:
        if not VARIABLE.fullmatch(str(name)):
            advice = "it is a variable's name: letters, digits and _"
            yield host.fault("text-invalid", f"container_runtime_environment: {name!r} cannot be used: {advice}")


def pinned_images(inputs: Inputs) -> Iterator[Fault]:
    """kube-vip's image, whose pod has the administrator's kubeconfig and the host's network."""
    image = inputs.leader().text("endpoint_kube_vip_image")
    if inputs.balanced_by == endpoint.KUBE_VIP and "@sha256:" not in image:
        named = f"endpoint_kube_vip_image is {image}" if image else "endpoint_kube_vip_image is upstream's tag"
        text = (
            f"{named}, and who holds the registry decides what that is, though its pod has the administrator's "
            "kubeconfig and the hosts' network; add the digest, as name@sha256:... or name:tag@sha256:..."
        )
        yield Fault("image-unpinned", text, severity=WARNING)


def texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """All texts in a value, the keys of its maps too, with the keys that lead there."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str) and broken(key):
                yield path, key
            yield from texts(f"{path}.{key}", item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from texts(path, item)


def fault_of(path: str, value: str, spec: Mapping[str, Any]) -> str:
    """Why a text cannot be used where it is; empty where it can."""
    variable = path.partition(".")[0]
    whole = any(path == name or path.startswith(f"{name}.") for name in LINES)
    # A certificate is several lines, the name of its file is one.
    whole = whole and (not path.startswith(REGISTRIES) or value.startswith(PEM))
    if broken(value, lines=whole):
        return f"it {broken(value, lines=whole)}"
    if path in FORMS:
        pattern, advice = FORMS[path]
        return "" if not value or pattern.fullmatch(value) else advice
    if (
        variable in SERVER_NAMES
        and not is_address(value)
        and (not SERVER_NAME.fullmatch(value) or NUMBERS.fullmatch(value))
    ):
        return "it is neither a DNS name nor an address"
    if URL.fullmatch(path) and value and not WORD.fullmatch(value):
        return WORDS
    is_path = spec.get("type") == "path" or (PATHS.fullmatch(path) and spec.get("type") == "str") or path in PATH_LISTS
    return path_fault(value) if is_path and value and path not in NO_PATHS else ""


def path_fault(value: str) -> str:
    """Why a text is no path that can be used; empty where it is one."""
    if broken(value):
        return f"it {broken(value)}"
    if not value.startswith("/"):
        return "it is no absolute path"
    if ".." in value.split("/"):
        return "write it without .."
    if not value.strip("/"):
        return "it is the root of the file system"
    if value.split("/")[1] in OF_THE_KERNEL:
        return f"nothing can be stored in /{value.split('/')[1]}"
    found = [character for character in NOT_IN_PATHS if character in value]
    return f"a path may have none of {' '.join(NOT_IN_PATHS)}" if found else ""


def broken(value: str, *, lines: bool = False) -> str:
    """What a text has that is in no name, path or setting; empty where there is nothing of the kind."""
    allowed = "\n\r\t" if lines else ""
    found = next((one for one in value if unicodedata.category(one) in BROKEN and one not in allowed), "")
    if found in ("\n", "\r"):
        return "has a line break"
    return f"has the character U+{ord(found):04X}" if found else ""


def ini_fault(value: str) -> str:
    """Why a text cannot be the value of a line of rclone's configuration; empty where it can."""
    if broken(value):
        return f"it {broken(value)}"
    if value != value.strip():
        return "it begins or ends with a space, which rclone does not read"
    if value.startswith(("`", '"""')) or re.search(r"%\([^)]*\)s", value):
        return 'rclone reads ` and """ at the beginning, and %(name)s, as something else'
    return ""


def _copy(copy: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a place for copies of backups."""
    settings, name = copy.get("settings"), copy.get("name")
    for key, value in settings.items() if isinstance(settings, Mapping) else []:
        fault = "" if KEY.fullmatch(str(key)) else "a setting's name has letters, digits, _ and - only"
        fault = fault or (ini_fault(value) if isinstance(value, str) else "")
        if fault and not broken(str(value)) and not broken(str(key)):  # that was reported already
            yield f"backup_copies.settings: {key} of {name} (its value is not shown) cannot be used: {fault}"


def _hidden(path: str) -> bool:
    """Whether a text may be secret though its variable is not as a whole."""
    of_registries = path.startswith(REGISTRIES) and path.endswith((".password", ".client_key"))
    return of_registries or path.startswith(
        ("backup_copies.settings", "backup_copies.ssh_key", "container_runtime_environment")
    )
