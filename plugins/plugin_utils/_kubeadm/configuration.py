# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's configuration documents: written in the form of v1beta4, given to each kubeadm in the form it reads.

The differences are those that the reference of kubeadm's configuration lists for each version of the API
(https://kubernetes.io/docs/reference/config-api/).
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.node import text_of
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.fields import (
    came_with,
    is_harmless,
    name_faults,
    paths_of,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm.releases import release

Document = Dict[str, Any]
FORM = "kubeadm.k8s.io/v1beta4"

# The API that each kind belongs to; kubeadm's own kinds have the version that the release reads.
KUBEADM_KINDS = (
    "InitConfiguration",
    "ClusterConfiguration",
    "JoinConfiguration",
    "ResetConfiguration",
    "UpgradeConfiguration",
)
COMPONENT_APIS = {
    "KubeletConfiguration": "kubelet.config.k8s.io/v1beta1",
    "KubeProxyConfiguration": "kubeproxy.config.k8s.io/v1alpha1",
}

# Lists of {name, value} that were maps before v1beta4.
ARGUMENTS = (
    "InitConfiguration.nodeRegistration.kubeletExtraArgs",
    "JoinConfiguration.nodeRegistration.kubeletExtraArgs",
    "ClusterConfiguration.apiServer.extraArgs",
    "ClusterConfiguration.controllerManager.extraArgs",
    "ClusterConfiguration.scheduler.extraArgs",
    "ClusterConfiguration.etcd.local.extraArgs",
)

# Values that Kubernetes reads as text, though YAML may read them as something else: in items of a list, and in a map.
TEXT_IN_ITEMS = (
    "InitConfiguration.nodeRegistration.taints",
    "JoinConfiguration.nodeRegistration.taints",
    "ClusterConfiguration.apiServer.extraEnvs",
    "ClusterConfiguration.controllerManager.extraEnvs",
    "ClusterConfiguration.scheduler.extraEnvs",
    "ClusterConfiguration.etcd.local.extraEnvs",
    "KubeletConfiguration.registerWithTaints",
)
TEXT_IN_MAPS = (
    "KubeletConfiguration.evictionHard",
    "KubeletConfiguration.evictionMinimumReclaim",
    "KubeletConfiguration.evictionSoft",
    "KubeletConfiguration.evictionSoftGracePeriod",
    "KubeletConfiguration.kubeReserved",
    "KubeletConfiguration.qosReserved",
    "KubeletConfiguration.systemReserved",
)

# An add-on that is not wanted: a field since v1beta4, a phase to skip before.
ADDONS = {"dns": "addon/coredns", "proxy": "addon/kube-proxy"}


class ConfigError(ValueError):
    """Everything that is wrong with the documents, one fault a line."""

    def __init__(self, faults: List[str]) -> None:
        """Join the faults, which stay apart in the attribute faults."""
        self.faults = faults
        super().__init__("\n".join(faults))


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    return value


def _find(document: Document, path: str) -> Tuple[Document, str]:
    """The mapping that holds a path's last field (an empty one where the path ends early), and that field."""
    *parents, last = path.split(".")[1:]
    for name in parents:
        inner = document.get(name)
        document = inner if isinstance(inner, dict) else {}
    return document, last


def _take(document: Document, path: str) -> Any:
    """Remove a field, and its parent if that is empty then; gives what it was."""
    parent, last = _find(document, path)
    value = parent.pop(last, None)
    if not parent and path.count(".") > 1:
        _take(document, path.rpartition(".")[0])
    return value


def _check(documents: List[Any]) -> None:
    faults = []
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, Mapping):
            faults.append(f"document {number} is no mapping")
            continue
        kind = document.get("kind")
        known = dict.fromkeys(KUBEADM_KINDS, FORM)
        known.update(COMPONENT_APIS)
        if kind not in known:
            faults.append(f"document {number} has the kind {kind!r}; known kinds: {', '.join(sorted(known))}")
        elif document.get("apiVersion", known[kind]) != known[kind]:
            faults.append(f"{kind} has the apiVersion {document['apiVersion']}; write it in the form of {known[kind]}")
        if sum(1 for other in documents if isinstance(other, Mapping) and other.get("kind") == kind) > 1:
            faults.append(f"document {number}: there is another document of kind {kind}")
    if faults:
        raise ConfigError(faults)


def _as_text(values: Any, only: str = "") -> Any:
    """Values of a map as text, all of them or one; what is no map, or has no value, stays."""
    if not isinstance(values, dict):
        return values
    return {
        key: text_of(value)
        if value is not None and not isinstance(value, (dict, list)) and only in ("", key)
        else value
        for key, value in values.items()
    }


def _write_text(by_kind: Dict[str, Document]) -> List[str]:
    """Turn into text what YAML reads as a number or a boolean and Kubernetes as text; the faults of what is neither."""
    faults = []
    for path in (*TEXT_IN_ITEMS, *TEXT_IN_MAPS):
        parent, last = _find(by_kind.get(path.partition(".")[0], {}), path)
        value = parent.get(last)
        if path in TEXT_IN_MAPS and isinstance(value, dict):
            parent[last] = _as_text(value)
            faults += [f"{path}.{key} has no value; give it one, or remove it" for key in value if value[key] is None]
        elif path in TEXT_IN_ITEMS and isinstance(value, list):
            parent[last] = [_as_text(item, "value") for item in value]
            if path.endswith(".extraEnvs"):
                faults += _valueless(path, value)
    return faults


def _valueless(path: str, items: List[Any]) -> List[str]:
    """The faults of named items whose value is none, or more than one."""
    odd = {
        str(item["name"]): item["value"]
        for item in items
        if isinstance(item, dict) and "name" in item and "value" in item
        if item["value"] is None or isinstance(item["value"], (dict, list))
    }
    return [
        f"{path}: {name} has no value; give it one, or remove it"
        if value is None
        else f"{path}: {name} is a list or a map; give it one value"
        for name, value in odd.items()
    ]


def kubelet_text(configuration: Mapping[str, Any]) -> Document:
    """A KubeletConfiguration with text where Kubernetes wants text."""
    document: Document = _copy(configuration)
    _write_text({"KubeletConfiguration": document})
    return document


def _convert_arguments(document: Document, path: str, as_list: bool) -> List[str]:
    """Give arguments the form that is read: a list of pairs whose values are text, or a map of them."""
    parent, last = _find(document, path)
    arguments = parent.get(last)
    if arguments is None:
        return []
    if not isinstance(arguments, list) or not all(
        isinstance(item, dict) and set(item) == {"name", "value"} for item in arguments
    ):
        return [f"{path} must be a list of items with name and value, such as {{name: v, value: '2'}}"]
    odd = _valueless(path, arguments)
    if odd:
        return odd
    pairs = [{"name": str(item["name"]), "value": text_of(item["value"])} for item in arguments]
    if as_list:
        parent[last] = pairs
        return []
    names = [pair["name"] for pair in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    parent[last] = {pair["name"]: pair["value"] for pair in pairs}
    return [f"{path} has {name} more than once, which kubeadm before 1.31 cannot express" for name in repeated]


def _express_before_v1beta4(by_kind: Dict[str, Document]) -> None:
    """Put where v1beta3 and v1beta2 have them the settings that v1beta4 only moved."""
    init, join = by_kind.get("InitConfiguration", {}), by_kind.get("JoinConfiguration", {})
    if "ClusterConfiguration" in by_kind:
        wait = _take(init, "InitConfiguration.timeouts.controlPlaneComponentHealthCheck")
        if wait is not None:
            by_kind["ClusterConfiguration"].setdefault("apiServer", {})["timeoutForControlPlane"] = wait
    wait = _take(join, "JoinConfiguration.timeouts.discovery")
    if wait is not None:
        join.setdefault("discovery", {})["timeout"] = wait
    cluster = by_kind.get("ClusterConfiguration", {})
    for addon in ADDONS:
        if addon in cluster:
            _take(cluster, f"ClusterConfiguration.{addon}.disabled")


def _own(documents: List[Any]) -> List[Any]:
    return [document for document in documents if document["kind"] in KUBEADM_KINDS]


def _leave_out(document: Document, version: str) -> List[str]:
    """Take out what this kubeadm lacks where nothing is lost by it; the faults of all else that it lacks."""
    faults = {}
    for path in paths_of(document, release(version)["kubeadm_api"]):
        since = came_with(path, version)
        if not since:
            continue
        parent, last = _find(document, path) if "." in path else ({path: document}, path)
        # Where it is a field of a list's items, the list is what came with it.
        named = path if last in parent else path.rpartition(".")[0]
        if "." in path and last in parent and is_harmless(path, parent[last]):
            _take(document, path)
        else:
            faults[named] = f"{named} is not known to kubeadm {version}; it came with {since}"
    return list(faults.values())


def warnings(documents: List[Any], version: str) -> List[str]:
    """Names that are not known, where the version is newer than what is listed.

    Raises:
        ConfigError: for documents that are wrong.
        ReleaseError: for a version that is not known.
    """
    _check(documents)
    return name_faults(_own(documents), version)[1]


def convert(documents: List[Any], version: str) -> List[Document]:
    """The documents as the kubeadm of a version reads them.

    Args:
        documents: in the form of v1beta4; apiVersion may be left out.
        version: of Kubernetes.

    Raises:
        ConfigError: for documents that are wrong, or that say what this kubeadm cannot express.
        ReleaseError: for a version that is not known.
    """
    api = release(version)["kubeadm_api"]
    _check(documents)
    faults, _warnings = name_faults(_own(documents), version)
    converted: List[Document] = [_copy(document) for document in documents]
    by_kind = {str(document["kind"]): document for document in converted}
    if api != "v1beta4":
        _express_before_v1beta4(by_kind)
    if api == "v1beta2":
        for document in converted:
            document.pop("skipPhases", None)

    faults += _write_text(by_kind)

    for kind in KUBEADM_KINDS:
        if kind in by_kind:
            faults += _leave_out(by_kind[kind], version)
    for path in ARGUMENTS:
        kind = path.split(".", maxsplit=1)[0]
        if kind in by_kind:
            faults += _convert_arguments(by_kind[kind], path, as_list=api == "v1beta4")
    if faults:
        raise ConfigError(faults)

    for kind, document in by_kind.items():
        document["apiVersion"] = COMPONENT_APIS.get(kind, f"kubeadm.k8s.io/{api}")
    return converted


def skip_phases(documents: List[Any], version: str) -> List[str]:
    """The phases that kubeadm's command line has to skip.

    These are all that are to be skipped, since the option replaces what the configuration says: the
    C(skipPhases) of the documents and, before v1beta4, the add-ons that are disabled.

    Raises:
        ConfigError: for documents that are wrong.
        ReleaseError: for a version that is not known.
    """
    _check(documents)
    phases = []
    for document in documents:
        if document["kind"] in ("InitConfiguration", "JoinConfiguration"):
            phases += [str(phase) for phase in document.get("skipPhases") or []]
        if document["kind"] == "ClusterConfiguration" and release(version)["kubeadm_api"] != "v1beta4":
            phases += [phase for addon, phase in ADDONS.items() if (document.get(addon) or {}).get("disabled") is True]
    return sorted(set(phases))
