# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that must be known of a host before it becomes a Kubernetes node, in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_facts
short_description: Reads what decides whether a host is fit for Kubernetes
version_added: 0.1.0
description:
  - Reads identity, clock, network, resources, listening ports, security settings, programs, certificates and leftovers
    of a cluster in one round trip.
  - Judges nothing and changes nothing; M(groundwork.kubernetes.preflight_report) judges.
  - An action plugin of the same name times the round trip, so that the clocks of hosts can be compared.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
attributes:
  check_mode:
    details: Only the measurement that O(fsync_folder) asks for is left out, because it writes.
options:
  paths:
    description: Paths whose free space matters; of one that does not exist, the folder in which it would be made.
    type: list
    elements: path
    default: []
  ports:
    description: TCP ports of interest; listeners on others are not returned.
    type: list
    elements: int
    default: []
  programs:
    description: Programs to look for in the usual folders, C(/usr/sbin) included.
    type: list
    elements: str
    default: []
  connect:
    description:
      - What the host must reach, each a URL, C(host:port), or a host (port 443). One TCP connection each, all at once.
      - For a URL, the proxy that the task's environment names (C(https_proxy), C(no_proxy)) is reached instead.
    type: list
    elements: str
    default: []
  connect_timeout:
    description: Seconds to wait for a connection.
    type: float
    default: 3
  api_servers:
    description:
      - API servers of the cluster, each as C(host:port), to be asked for their versions where this host is a node.
      - They are trusted by C(/etc/kubernetes/pki/ca.crt), and are shown the kubelet's own certificate.
    type: list
    elements: str
    default: []
  bin_dir:
    description: A folder in which the kubelet is looked for first.
    type: path
    default: /usr/local/bin
  etcd_data_dir:
    description: Where etcd keeps its data, to see whether there is any.
    type: path
    default: /var/lib/etcd
  stacked_etcd:
    description: Whether that data is of a member that kubeadm runs, so that it belongs to a control plane.
    type: bool
    default: false
  pki_folders:
    description:
      - Folders with certificates (C(.crt)), private keys (C(.key)) and public keys (C(.pub)) in PEM form.
      - Private keys stay on the host. Only the hash of a key's public half is returned, which C(openssl) tells. Without
        C(openssl) it is left out.
    type: list
    elements: path
    default: []
  fsync_folder:
    description:
      - A folder in which to time synchronous writes of 2 KiB, at most 500 of them and at most 3 seconds; they go to a
        file without a name. It is left out where etcd has data already.
      - etcd's documentation asks for a 99th percentile under 10 milliseconds.
    type: path
  artifacts:
    description:
      - URLs of files that the run would download. Where this host is in no cluster, they are asked for, many at a time;
        nothing of them is read.
    type: list
    elements: str
    default: []
  images:
    description:
      - Images that the run would pull. Where this host is in no cluster, their manifests are asked for, many at a time,
        of the servers that O(registries) names. What the runtime has already is not asked for.
    type: list
    elements: str
    default: []
  images_for:
    description:
      - The socket of a runtime that is to have O(images). They are asked for on a host that is in a cluster, too,
        without those that this runtime has.
    type: str
    default: ''
  registries:
    description:
      - Where images are asked for. Images of other registries are not.
      - By default the action plugin of the same name takes it from the host's C(container_runtime_registry_mirrors) and
        C(container_runtime_containerd_config).
    type: list
    elements: dict
    default: []
    suboptions:
      registry:
        description: The registry, as image names spell it.
        type: str
        required: true
      unless:
        description: Files of the host that would name other servers; where one is there, the registry is not asked.
        type: list
        elements: path
        default: []
      servers:
        description: The servers, in the order in which they are asked.
        type: list
        elements: dict
        required: true
        suboptions:
          url:
            description: Where the API of the registry begins, C(/v2) included.
            type: str
            required: true
          namespace:
            description: The registry that a mirror stands for.
            type: str
            default: ''
          ca:
            description:
              - A file of the host with the authority that signed the server's certificate, or its certificate as text.
            type: str
          client_certificate:
            description: A file of the host with the certificate that the server wants to see, or it as text.
            type: str
            default: ''
          client_key:
            description: Its key, likewise.
            type: str
            default: ''
          skip_verify:
            description: Whether the server's certificate goes unverified.
            type: bool
            default: false
          username:
            description: The name of an account there.
            type: str
            default: ''
          password:
            description: Its password.
            type: str
            default: ''
  registry_proxies:
    description:
      - Proxies by which registries are asked, by the scheme V(http) or V(https).
      - By default the action plugin takes them from the host's C(container_runtime_environment).
    type: dict
    default: {}
  registry_no_proxy:
    description: Who is asked without a proxy, as C(NO_PROXY) has it. By default of the same environment.
    type: str
    default: ''
  containerd_imports:
    description:
      - Patterns of files that containerd reads beside its own, to see which versions of its configuration they have.
      - They may be relative to C(/etc/containerd).
    type: list
    elements: str
    default: []
  nodes:
    description: Whether to ask the cluster for its nodes' machines, where this host is a control plane.
    type: bool
    default: false
  virtual_ip:
    description: The API's virtual address. Where this host is in no cluster, it is asked for who has it, for a second.
    type: str
"""

EXAMPLES = r"""
- name: Read the host
  groundwork.kubernetes.host_facts:
    paths: [/var/lib/etcd]
    ports: [6443, 2379, 2380, 10250]
    programs: [ip, iptables, conntrack]
    connect: [https://registry.example.com]
  register: host
"""

RETURN = r"""
host:
  description: What was read.
  returned: success
  type: dict
  contains:
    hostname:
      description: The kernel's host name.
      type: str
    machine_id:
      description: Content of C(/etc/machine-id); empty where there is none.
      type: str
    product_uuid:
      description: The firmware's identifier, in lower case; empty where there is none.
      type: str
    kernel:
      description: The kernel's release.
      type: str
    systemd:
      description: Whether systemd is the init system.
      type: bool
    clock:
      description: >-
        C(epoch) when the module began, C(duration) of the module in seconds, and C(synchronised) (null: unknown).
        The action plugin adds C(offset), the seconds by which this clock is ahead of the controller's, and
        C(tolerance), by which the true value may differ from it.
      type: dict
    interfaces:
      description: C(name), C(mac), C(mtu), C(physical) and C(addresses) of each interface except lo.
      type: list
      elements: dict
    default_interface:
      description: The interface of the default route; empty where there is none.
      type: str
    routes:
      description: C(destination), C(interface) and C(on_link) of each route of the main table except default routes.
      type: list
      elements: dict
    cpus:
      description: CPUs that this host may use.
      type: int
    memory_mb:
      description: Memory in MiB.
      type: int
    swap:
      description: Devices and files in use as swap.
      type: list
      elements: str
    swap_due:
      description: Whether the module M(groundwork.kubernetes.swap) would turn swap off, now or at boot, warn or fail.
      type: bool
    bridge_nf_due:
      description: Whether M(groundwork.kubernetes.bridge_nf) with its defaults would change something or fail.
      type: bool
    cgroup:
      description: C(version) (1 also for the hybrid layout) and the enabled C(controllers).
      type: dict
    space:
      description: >-
        C(path), C(free_mb), C(total_mb), C(free_inodes), C(total_inodes), C(device) (the filesystem's number) and
        C(read_only) for each of O(paths).
      type: list
      elements: dict
    listeners:
      description: C(port), C(address) and C(process) (empty where unknown) of each listener on O(ports).
      type: list
      elements: dict
    security:
      description: C(selinux) (enforcing, permissive, disabled), C(apparmor), C(firewalld) and C(ufw).
      type: dict
    traffic:
      description: >-
        C(iptables) (nf_tables, legacy, or empty where that is not told), C(legacy_tables) (tables of iptables' legacy
        kind that are in use), C(rp_filter) by interface, C(foreign_routes) (whether systemd-networkd runs and removes
        routes of others), C(name_servers), and C(virtual_ip_at) (the MAC address that answered for O(virtual_ip), or
        empty).
      type: dict
    kernel_options:
      description: C(known), and C(missing) (options that the kernel was built without).
      type: dict
    leftovers:
      description: >-
        C(cni) (files in C(/etc/cni/net.d)), C(places) (files and folders of clusters that are there), C(distributions)
        and C(runtimes) (services of other distributions and of container runtimes that are active). C(containerd) has
        C(files), C(path) and C(version) of those of O(containerd_imports) that name one, and the C(version) of the
        package that is installed, where there are such files.
      type: dict
    missing_artifacts:
      description: C(url) and C(error) for each of O(artifacts) that cannot be had.
      type: list
      elements: dict
    missing_images:
      description: >-
        C(image) and C(errors) for each of O(images) that no server has; an error has C(url), C(error), and C(answered)
        (whether it is the server's answer).
      type: list
      elements: dict
    proxies:
      description: >-
        C(schemes) (V(http), V(https)) for which the environment of modules names a proxy, and its C(no_proxy).
      type: dict
    pod_network:
      description: >-
        C(file) (the CNI configuration that the runtime takes), C(name) of its network, and C(addresses) (how many pods
        hold there, by the plugin host-local); empty and 0 where there is none.
      type: dict
    cluster:
      description: >-
        Whether C(kubelet_conf), C(admin_conf) and C(etcd_data) exist, C(ca_sha256) of the CA's file,
        C(api_server_version) (empty where none runs here, or where its image is named by digest alone), and
        C(kubelet_version) (empty where the host is no node, or has no kubelet that tells). C(node) is what
        M(groundwork.kubernetes.kubeadm_info) tells. C(settings) has those that a cluster and its nodes keep for life,
        as far as files tell, C(pod_cidr) or C(node_name) for example.
      type: dict
    api_servers:
      description: >-
        C(server), C(version) and C(error) (why there is no version) for each of O(api_servers); nothing where the host
        is no node.
      type: list
      elements: dict
    nodes:
      description: C(name), C(machine_id) and C(product_uuid) of each node of the cluster, where O(nodes) asks for them.
      type: list
      elements: dict
    programs:
      description: Path by name for each of O(programs); empty for a missing one.
      type: dict
    connections:
      description: >-
        C(target), C(via) (a proxy), C(state) (connected, refused, timeout, unresolved, unreachable), C(error) and
        C(milliseconds) for each of O(connect).
      type: list
      elements: dict
    pki:
      description: >-
        C(path), C(mode), C(certificates) (PEM), C(public_keys) (SHA-256 of the DER form, of a private key that of its
        public half) and C(error) (empty, or why it cannot be read) of each file in O(pki_folders).
      type: list
      elements: dict
    fsync:
      description: C(folder), C(writes), C(median_ms), C(p99_ms) and C(worst_ms); null where it was not measured.
      type: dict
"""

import os
import socket
import time
from typing import Any, Dict, List, Optional, Set

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.api_server_versions import ask_all
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.registered_machines import (
    registered_machines,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import bridge_nf, registries, swap
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.connections import (
    connect_all,
    connection_facts,
    environment_proxies,
    parse_endpoint,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.fsync import measure_fsync
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.host import (
    HostReader,
    clock_synchronised,
    parse_kubelet_version,
    parse_memory_mb,
    parse_swaps,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import (
    ImageError,
    missing_images,
    present_images,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.leftovers import (
    DISTRIBUTIONS,
    PACKAGED_CONTAINERD,
    RUNTIMES,
    containerd_files,
    containerd_version,
    kernel_options,
    leftovers,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.proc_net import (
    default_route,
    ipv4_addresses,
    route_facts,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.public_keys import (
    PkiError,
    PublicHalf,
    read_folders,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.sources import all_missing
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traffic import (
    iptables_backend,
    legacy_tables,
    manages_foreign_routes,
    name_servers,
    neighbour,
    rp_filter,
)

OPTIONS: Dict[str, Any] = {
    "paths": {"type": "list", "elements": "path", "default": []},
    "ports": {"type": "list", "elements": "int", "default": []},
    "programs": {"type": "list", "elements": "str", "default": []},
    "connect": {"type": "list", "elements": "str", "default": []},
    "connect_timeout": {"type": "float", "default": 3},
    "api_servers": {"type": "list", "elements": "str", "default": []},
    "bin_dir": {"type": "path", "default": "/usr/local/bin"},
    "etcd_data_dir": {"type": "path", "default": "/var/lib/etcd"},
    "stacked_etcd": {"type": "bool", "default": False},
    "pki_folders": {"type": "list", "elements": "path", "default": []},
    "fsync_folder": {"type": "path"},
    "artifacts": {"type": "list", "elements": "str", "default": []},
    "images": {"type": "list", "elements": "str", "default": []},
    "images_for": {"type": "str", "default": ""},
    "registries": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "registry": {"type": "str", "required": True},
            "unless": {"type": "list", "elements": "path", "default": []},
            "servers": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "url": {"type": "str", "required": True},
                    "namespace": {"type": "str", "default": ""},
                    "ca": {"type": "str"},
                    "client_certificate": {"type": "str", "default": ""},
                    "client_key": {"type": "str", "default": "", "no_log": True},
                    "skip_verify": {"type": "bool", "default": False},
                    "username": {"type": "str", "default": ""},
                    "password": {"type": "str", "default": "", "no_log": True},
                },
            },
        },
    },
    "registry_proxies": {"type": "dict", "default": {}, "no_log": True},
    "registry_no_proxy": {"type": "str", "default": ""},
    "containerd_imports": {"type": "list", "elements": "str", "default": []},
    "nodes": {"type": "bool", "default": False},
    "virtual_ip": {"type": "str"},
}
NETWORKS = ("firewalld", "NetworkManager", "systemd-networkd")


def active_units(module: AnsibleModule, *units: str) -> Set[str]:
    """Those of the services that systemd says are active."""
    systemctl = module.get_bin_path("systemctl")
    if not systemctl:
        return set()
    _rc, out, _err = module.run_command([systemctl, "is-active", *units], expand_user_and_vars=False)
    return {unit for unit, state in zip(units, out.split()) if state == "active"}


def public_half(module: AnsibleModule) -> Optional[PublicHalf]:
    """What reads the public half of a private key's file, if the host has openssl."""
    openssl = module.get_bin_path("openssl")

    def read(path: str) -> str:
        # With a passphrase, though an empty one, it asks for none.
        rc, out, _err = module.run_command(
            [openssl, "pkey", "-in", path, "-pubout", "-passin", "pass:"], expand_user_and_vars=False
        )
        if rc != 0:
            raise PkiError("openssl cannot read it; it may be damaged or encrypted")
        return str(out)

    return read if openssl else None


def kubelet_version(module: AnsibleModule) -> str:
    """The version of the kubelet's program; empty where there is none that tells."""
    kubelet = module.get_bin_path("kubelet", opt_dirs=[module.params["bin_dir"]])
    if not kubelet:
        return ""
    _rc, out, _err = module.run_command([kubelet, "--version"], expand_user_and_vars=False)
    return parse_kubelet_version(out)


def output(module: AnsibleModule, program: str, arguments: List[str]) -> str:
    """What a program prints; empty where there is no such program."""
    path = module.get_bin_path(program)
    return str(module.run_command([path, *arguments], expand_user_and_vars=False)[1]) if path else ""


def images_missing(module: AnsibleModule) -> List[Dict[str, Any]]:
    """The images that neither the runtime nor a server has."""
    options = module.params
    proxies = {**options["registry_proxies"], "no": options["registry_no_proxy"]}
    found = registries.all_missing(options["images"], options["registries"], proxies, options["connect_timeout"])
    if not found:
        return []
    try:
        endpoint = ["-r", options["images_for"]] if options["images_for"] else []
        present = present_images(output(module, "crictl", [*endpoint, "images", "-o", "json"]))
    except ImageError:
        return found
    lacking = missing_images([one["image"] for one in found], present)
    return [one for one in found if one["image"] in lacking]


def read_traffic(module: AnsibleModule, reader: HostReader, active: Set[str], new: bool) -> Dict[str, Any]:
    """What decides on packets."""
    address = module.params["virtual_ip"] if new else ""
    return {
        "iptables": iptables_backend(output(module, "iptables", ["--version"])),
        "legacy_tables": legacy_tables(reader),
        "rp_filter": rp_filter(reader),
        "foreign_routes": "systemd-networkd" in active and manages_foreign_routes(reader),
        "name_servers": name_servers(reader),
        "virtual_ip_at": neighbour(address, lambda words: output(module, "ip", words)) if address else "",
    }


def read_containerd(module: AnsibleModule, reader: HostReader) -> Dict[str, Any]:
    """The files beside containerd's own; where they name a version, that of a package's containerd, too."""
    files = containerd_files(reader, module.params["containerd_imports"])
    said = output(module, PACKAGED_CONTAINERD, ["--version"]) if files else ""
    return {"files": files, "version": containerd_version(said)}


def read_host(module: AnsibleModule, reader: HostReader) -> Dict[str, Any]:
    """Everything except the time this takes."""
    options = module.params
    routes, active = reader.routes(), active_units(module, *NETWORKS, *DISTRIBUTIONS, *RUNTIMES)
    default, fsync = default_route(routes), None
    cluster = reader.cluster(options["etcd_data_dir"], options["stacked_etcd"])
    new = not cluster["kubelet_conf"]
    if options["fsync_folder"] and not module.check_mode and not cluster["etcd_data"]:
        folder = options["fsync_folder"]
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        fsync = measure_fsync(folder)
    return {
        "hostname": socket.gethostname(),
        "machine_id": reader.read("/etc/machine-id"),
        "product_uuid": reader.read("/sys/class/dmi/id/product_uuid").lower(),
        "kernel": os.uname().release,
        "systemd": reader.exists("/run/systemd/system"),
        "interfaces": reader.interfaces(ipv4_addresses()),
        "default_interface": default.interface if default else "",
        "routes": route_facts(routes),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mb": parse_memory_mb(reader.read("/proc/meminfo")),
        "swap": parse_swaps(reader.read("/proc/swaps")),
        "swap_due": swap.is_due(module),
        "bridge_nf_due": bridge_nf.is_due(module),
        "cgroup": reader.cgroup(),
        "space": [reader.space(path) for path in options["paths"]],
        "listeners": reader.listeners(options["ports"]),
        "security": {**reader.security(), "firewalld": "firewalld" in active},
        "traffic": read_traffic(module, reader, active, new),
        "kernel_options": kernel_options(reader, os.uname().release),
        "leftovers": {
            **leftovers(reader),
            "distributions": sorted(active.intersection(DISTRIBUTIONS)),
            "runtimes": sorted(active.intersection(RUNTIMES)),
            "containerd": read_containerd(module, reader),
        },
        "missing_artifacts": all_missing(options["artifacts"], options["connect_timeout"]) if new else [],
        "missing_images": images_missing(module) if new or options["images_for"] else [],
        "proxies": environment_proxies(),
        "pod_network": reader.pod_network(),
        "cluster": {**cluster, "kubelet_version": kubelet_version(module) if cluster["kubelet_conf"] else ""},
        "api_servers": ask_all(options["api_servers"], options["connect_timeout"]) if cluster["kubelet_conf"] else [],
        "nodes": registered_machines(module) if options["nodes"] else [],
        "programs": reader.programs(options["programs"]),
        "connections": connection_facts(connect_all(options["connect"], options["connect_timeout"])),
        "pki": read_folders(options["pki_folders"], public_half(module)),
        "fsync": fsync,
    }


def main() -> None:
    """Read the host."""
    epoch, started = time.time(), time.monotonic()
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    try:
        for target in module.params["connect"]:
            parse_endpoint(target)
        host = read_host(module, HostReader())
    except (OSError, ValueError) as error:
        module.fail_json(msg=f"cannot read the host: {error}")
    host["clock"] = {
        "epoch": epoch,
        "duration": round(time.monotonic() - started, 6),
        "synchronised": clock_synchronised(),
    }
    module.exit_json(changed=False, host=host)


if __name__ == "__main__":
    main()
