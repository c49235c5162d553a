# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of hosts: what is found, why it matters, what to do, and where that is written.

docs/preflight.md is made of it. Longer than 400 lines, since it is one table.
"""

from __future__ import annotations

from typing import NamedTuple

ERROR, WARNING, EITHER = "error", "warning", "either"


class Check(NamedTuple):
    """A check.

    Attributes:
        severity: error, warning, or either by what is found.
        what: what is wrong, and when it is only a warning.
        why: why that matters.
        advice: what to do.
        source: a page of upstream's, or of this collection's documentation.
    """

    severity: str
    what: str
    why: str
    advice: str
    source: str


HOST_CHECKS: dict[str, Check] = {
    "artifact-missing": Check(
        severity=ERROR,
        what=(
            "an archive or program of this run, or the checksum of one whose digest is not known, is not at its "
            "source; only looked at on hosts that are in no cluster"
        ),
        why="It would be missed half way, when other hosts have changed already.",
        advice=(
            "Correct the version or the URL, or put the file onto the mirror. Where programs are installed, let it "
            "pass."
        ),
        source="install.md",
    ),
    "cgroup-controllers": Check(
        severity=ERROR,
        what="a cgroup controller that the kubelet needs is off",
        why=(
            "The kubelet limits pods by cgroups, and does not start without the controllers cpu, cpuset, "
            "memory and pids."
        ),
        advice=(
            "Turn the controller on at the kernel's command line, `cgroup_enable=memory` for example, and "
            "restart the host."
        ),
        source="https://kubernetes.io/docs/concepts/architecture/cgroups/",
    ),
    "cgroup-v1": Check(
        severity=ERROR,
        what="cgroup version 1, which the kubelet refuses from 1.35 on",
        why="From 1.35 on the kubelet does not start on cgroup version 1 unless it is told to.",
        advice=(
            "Start the host with `systemd.unified_cgroup_hierarchy=1`, or set what the message says to go on "
            "with version 1."
        ),
        source="https://kubernetes.io/docs/concepts/architecture/cgroups/",
    ),
    "clock-skew": Check(
        severity=ERROR,
        what="the clock certainly differs from the other hosts' by more than is allowed",
        why=(
            "Certificates, tokens and leases are valid by time: a host whose clock is wrong cannot join, or "
            "loses its lease."
        ),
        advice="Synchronise the clocks by NTP.",
        source="https://kubernetes.io/docs/setup/best-practices/certificates/",
    ),
    "clock-unsynchronised": Check(
        severity=WARNING,
        what="nothing keeps the clock right",
        why="A clock that nothing corrects is right today and wrong in some weeks.",
        advice="Enable chrony or systemd-timesyncd.",
        source="https://kubernetes.io/docs/setup/best-practices/certificates/",
    ),
    "cluster-leftover": Check(
        severity=ERROR,
        what=(
            "a host that is in no cluster has parts of one: kubeadm's manifests, interfaces of a network "
            "plugin, services or folders of k3s, RKE2, k0s or MicroK8s"
        ),
        why="Two clusters on one host take ports, interfaces and firewall rules from each other.",
        advice=(
            "Remove the other cluster by its own means, or run the playbook `reset`: [reset.md](reset.md). "
            "Interfaces go with a restart of the host."
        ),
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/create-cluster-kubeadm/",
    ),
    "cni-leftover": Check(
        severity=EITHER,
        what=(
            "`/etc/cni/net.d` has a network of something else; an error where it would be taken before the cluster's"
        ),
        why="Runtimes take the first file by name. Until the cluster's is there, pods would get the other network.",
        advice="Move the file away.",
        source="https://github.com/containerd/containerd/blob/main/docs/cri/config.md",
    ),
    "containerd-drop-in": Check(
        severity=ERROR,
        what=(
            "a file of somebody else's in `/etc/containerd/conf.d`, or where `imports` of "
            "`container_runtime_containerd_config` leads, has a newer version of the configuration than the containerd "
            "of this run reads; of a package that is not installed yet, and whose version "
            "`container_runtime_packages` does not name, that is not known"
        ),
        why="containerd would not start with it, and pods on the host would not either.",
        advice=(
            "Write the file in the version that the message names, move it away, or choose a newer containerd. 2.0 "
            "and newer read version 3, 2.3 and newer version 4."
        ),
        source="https://github.com/containerd/containerd/blob/main/docs/man/containerd-config.toml.5.md",
    ),
    "control-plane-incomplete": Check(
        severity=ERROR,
        what="a host has something of a control plane, and lacks what no run can write again",
        why="A second cluster would be made beside the first, or a member of etcd started with the wrong data.",
        advice=(
            "The message names the files. Put them back, or run the playbook `restore` again where it was "
            "interrupted: [repair-a-control-plane.md](repair-a-control-plane.md#when-files-are-lost)."
        ),
        source="repair-a-control-plane.md",
    ),
    "cpu-too-few": Check(
        severity=ERROR,
        what="too few CPUs",
        why="kubeadm refuses a control plane with less than two CPUs.",
        advice="Use a larger host. `preflight_control_plane_cpus` and `preflight_node_cpus` set the limit.",
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "disk-full": Check(
        severity=EITHER,
        what="too little free space; a warning on hosts that are in a cluster",
        why="A full disk stops etcd, evicts pods and corrupts images. Folders of one filesystem are added up.",
        advice="Make room. `preflight_free_mb` sets the limit for each path.",
        source="https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
    ),
    "disk-read-only": Check(
        severity=ERROR,
        what="a folder in which a run and the kubelet write is on a file system that is mounted read-only",
        why=(
            "The run would stop half way, when other hosts have changed already. The kernel makes a file system "
            "read-only when its disk fails."
        ),
        advice="Find out why (`dmesg`), repair the file system, and mount it for writing.",
        source="troubleshooting.md",
    ),
    "disk-slow": Check(
        severity=EITHER,
        what="synchronous writes are too slow for a new member of etcd; an error above etcd's heartbeat of 100 ms",
        why=(
            "etcd waits for the disk with every write. Where 1 % of the writes take more than 10 ms it is "
            "slow; more than 100 ms is its heartbeat, and it loses its leader."
        ),
        advice="Use a faster disk for etcd. `preflight_etcd_fsync_ms` sets the limit; 0 leaves the measurement out.",
        source="https://etcd.io/docs/v3.6/faq/",
    ),
    "dns-loop": Check(
        severity=WARNING,
        what="the host's `/etc/resolv.conf` names a server on the host itself, or none",
        why="CoreDNS asks the host's servers: a loopback address is CoreDNS itself in its pod, which then ends.",
        advice="Set `resolvConf` in `kubernetes_kubelet_configuration` to a file with the true servers.",
        source="https://coredns.io/plugins/loop/",
    ),
    "duplicate-hostname": Check(
        severity=ERROR,
        what="hosts share a host name",
        why="Nodes are known by their names; programs that ask the host for its name take one for the other.",
        advice="Give each host its own name.",
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "duplicate-mac": Check(
        severity=ERROR,
        what="hosts share a MAC address",
        why="Switches send the packets of one host to the other.",
        advice="Give each interface its own address.",
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "duplicate-machine-id": Check(
        severity=ERROR,
        what="hosts share a machine id",
        why="Leases of DHCP, logs and network plugins tell hosts apart by it; clones of an image share it.",
        advice="On the clones, empty `/etc/machine-id`, run `systemd-machine-id-setup`, restart them.",
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "duplicate-product-uuid": Check(
        severity=ERROR,
        what="hosts share the firmware's identifier",
        why="Cloud providers and storage drivers tell machines apart by it.",
        advice="Give each virtual machine its own. Ignore it where hosts are containers of one machine.",
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "endpoint-taken": Check(
        severity=WARNING,
        what="something answers at the API endpoint though no host is in a cluster",
        why="Nodes would join whatever answers there.",
        advice="Nothing, if a load balancer answers there. Otherwise the address belongs to something else.",
        source="high-availability.md",
    ),
    "endpoint-unreachable": Check(
        severity=EITHER,
        what="the host cannot reach something it needs; a warning on hosts that are in a cluster",
        why="The host could not get its programs and images, or could not join.",
        advice=(
            "Open the way, set a mirror, or correct `preflight_endpoints`; for the API endpoint, correct the "
            "name or DNS."
        ),
        source="install.md",
    ),
    "etcd-leftover": Check(
        severity=ERROR,
        what="etcd data on a host that is in no cluster",
        why="A new member of etcd does not start on old data, and old data may be all that is left of a cluster.",
        advice="If it is a cluster you want back, restore that first. Else move `/var/lib/etcd` away.",
        source="restore.md",
    ),
    "firewall-active": Check(
        severity=WARNING,
        what="firewalld or ufw is active",
        why="Both let only those ports pass that they are told, and neither knows of pods and services.",
        advice=(
            "Open the ports that the message names, from the addresses that it names, and those of the network plugin. "
            "Whether they are open already is not read; new hosts try them."
        ),
        source="https://kubernetes.io/docs/reference/networking/ports-and-protocols/",
    ),
    "foreign-cluster": Check(
        severity=ERROR,
        what="hosts carry different clusters",
        why="Hosts of two clusters in one inventory would be made nodes of one.",
        advice=(
            "Take the hosts of the other cluster out of the inventory. Where that cluster is given up, set "
            "them up anew."
        ),
        source="reset.md",
    ),
    "image-missing": Check(
        severity=ERROR,
        what=(
            "an image of this run is at none of the servers that containerd would ask for it; only looked at on hosts "
            "that are in no cluster and do not have it"
        ),
        why="It would be missed half way, when other hosts have changed already.",
        advice=(
            "Put the image onto the mirror, or correct the version, the repository, the mirrors or the account. "
            "Mirrors, accounts and proxies are those that containerd is to have. Not looked at: etcd's and CoreDNS's "
            "images, whose tags kubeadm chooses, unless the configuration names place and tag; images in manifests; "
            "registries of which a host has its own file in `/etc/containerd/certs.d`; images of CRI-O and Docker."
        ),
        source="install.md",
    ),
    "image-space": Check(
        severity=WARNING,
        what="the filesystem of images is fuller than the line at which the kubelet removes images",
        why="The kubelet would remove images as soon as they are there, and evict pods.",
        advice=(
            "Make room, or set `imageGCHighThresholdPercent` and `evictionHard` in `kubernetes_kubelet_configuration`."
        ),
        source="https://kubernetes.io/docs/concepts/architecture/garbage-collection/",
    ),
    "inodes-few": Check(
        severity=EITHER,
        what="less than 5 % of a filesystem's inodes are free; a warning on hosts that are in a cluster",
        why="Images have very many small files; the kubelet evicts pods below 5 %.",
        advice="Remove small files, or make the filesystem anew with more inodes.",
        source="https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
    ),
    "interface-missing": Check(
        severity=ERROR,
        what="`endpoint_interface` is no interface of the host",
        why="keepalived or kube-vip could not hold the address.",
        advice="Give the name of an interface that the host has: `ip link`.",
        source="high-availability.md",
    ),
    "iptables-mixed": Check(
        severity=WARNING,
        what="`iptables` of a new host uses nftables, and there are rules of the legacy kind too",
        why=(
            "Both kinds decide on each packet: what one lets pass the other drops, and each program shows its own only."
        ),
        advice=(
            "Remove the legacy rules (`iptables-legacy-save` shows them), or have all programs use one kind: "
            "`update-alternatives --config iptables`."
        ),
        source="https://github.com/kubernetes-sigs/iptables-wrappers",
    ),
    "kernel-option": Check(
        severity=ERROR,
        what="the kernel was built without something that kubeadm asks for",
        why="kubeadm refuses such a kernel, and pods would not start.",
        advice="Install the distribution's own kernel.",
        source="https://github.com/kubernetes/system-validators",
    ),
    "kernel-too-old": Check(
        severity=ERROR,
        what=(
            "the kernel is older than `preflight_kernel`, or than nftables needs; a warning where the network plugin "
            "needs a newer one"
        ),
        why="Kubernetes' features and containers need what older kernels lack.",
        advice="Install a newer kernel. `preflight_kernel` sets the limit.",
        source="https://kubernetes.io/docs/reference/node/kernel-version-requirements/",
    ),
    "machine-id-missing": Check(
        severity=ERROR,
        what="no machine id",
        why="systemd and the kubelet tell hosts apart by it.",
        advice="Run `systemd-machine-id-setup` and restart the host.",
        source="https://www.freedesktop.org/software/systemd/man/latest/machine-id.html",
    ),
    "memory-too-small": Check(
        severity=ERROR,
        what="too little memory",
        why="kubeadm refuses a control plane with less than 1700 MB, and pods need some too.",
        advice="Use a larger host. `preflight_control_plane_memory_mb` and `preflight_node_memory_mb` set the limit.",
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "mtu-differs": Check(
        severity=WARNING,
        what="the MTU of the hosts' default interfaces differs",
        why="Packets of the host with the larger MTU are too large for the other.",
        advice="Set the same MTU on all hosts, or the smallest in the network plugin (`cni_mtu`).",
        source="https://www.rfc-editor.org/rfc/rfc2923",
    ),
    "networkd-routes": Check(
        severity=WARNING,
        what="systemd-networkd runs and removes routes that it did not make",
        why="When it restarts, routes to the pods of other nodes are gone.",
        advice=(
            "Set `ManageForeignRoutes=no` below `[Network]` in "
            "`/etc/systemd/networkd.conf.d/kubernetes.conf`, and restart systemd-networkd."
        ),
        source="https://www.freedesktop.org/software/systemd/man/latest/networkd.conf.html",
    ),
    "no-proxy-incomplete": Check(
        severity=EITHER,
        what=(
            "a proxy is set where Ansible's modules run, and `no_proxy` lacks the API endpoint, a node's address, the "
            "service or pod network, or on control planes `.svc`; a warning on hosts that are in a cluster"
        ),
        why=(
            "kubeadm and kubectl would ask the proxy for the API, and kubeadm hands the proxy on to the API server and "
            "the controllers, which would ask it for webhooks and pods."
        ),
        advice=(
            "Add what the message names to `no_proxy`, where the proxy is set: `/etc/environment` of the host, or "
            "`environment` of a play."
        ),
        source="configuration.md",
    ),
    "node-address-missing": Check(
        severity=ERROR,
        what="`kubernetes_node_ip` is no address of the host",
        why="The kubelet does not start with an address that the host does not have.",
        advice="Set `kubernetes_node_ip` to an address of the host.",
        source="https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/",
    ),
    "path-mtu": Check(
        severity=EITHER,
        what=(
            "packets that the interfaces allow are too large for the way between hosts; a warning where a "
            "router on the way says so"
        ),
        why="Small packets pass and large ones vanish: connections open and then hang, first of all those with TLS.",
        advice=(
            "Set the MTU of the hosts' interfaces to the size that the message names, or let routers and "
            'firewalls pass ICMP ("fragmentation needed", "packet too big").'
        ),
        source="https://www.rfc-editor.org/rfc/rfc2923",
    ),
    "pod-mtu": Check(
        severity=ERROR,
        what="`cni_mtu` is larger than the interface of the node's address allows, with what tunnel and encryption add",
        why="Full packets of pods would not leave the host, or be cut in two.",
        advice="Set `cni_mtu` to 0, which computes it, or to what the message says.",
        source="https://www.rfc-editor.org/rfc/rfc7348",
    ),
    "pod-network-other": Check(
        severity=ERROR,
        what="pods of the host are on another network than new ones would be",
        why="The plugin host-local knows by the network's name which addresses pods hold, and would give them again.",
        advice="Let `cni_bridge_network` be the name that the message has: [adopt.md](adopt.md#the-pod-network).",
        source="https://www.cni.dev/plugins/current/ipam/host-local/",
    ),
    "port-blocked": Check(
        severity=EITHER,
        what=(
            "a port that the cluster needs ([docs/ports.md](ports.md)) does not pass between hosts; a warning "
            "where the run leaves the other host out"
        ),
        why="The cluster would stop half-built, with a message that does not say why.",
        advice=(
            "Let the port pass from the hosts that the message names, in the host's firewall and between the "
            "hosts: [ports.md](ports.md)."
        ),
        source="https://kubernetes.io/docs/reference/networking/ports-and-protocols/",
    ),
    "port-taken": Check(
        severity=ERROR,
        what="another program listens on a port of Kubernetes",
        why="A program of Kubernetes could not listen there and would end.",
        advice="Stop the program that the message names.",
        source="https://kubernetes.io/docs/reference/networking/ports-and-protocols/",
    ),
    "port-unknown": Check(
        severity=WARNING,
        what="whether a port passes between hosts could not be found out",
        why="What could not be found out is said, and is no fault.",
        advice="See that the port passes. Stop what holds it, or run again.",
        source="ports.md",
    ),
    "program-missing": Check(
        severity=ERROR,
        what="a program is missing that no package of `preflight_packages` brings",
        why="kubeadm, the kubelet and backups call it.",
        advice="Install the program, or add its package to `preflight_packages`.",
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "rotation-under-way": Check(
        severity=ERROR,
        what="a control plane is to join while the cluster's authority is rotated",
        why="Its controller manager would sign with a file that holds two authorities, and would not start.",
        advice="Finish the [rotation](rotate-the-ca.md), or let the control plane join later.",
        source="rotate-the-ca.md",
    ),
    "route-clash": Check(
        severity=EITHER,
        what=(
            "a route of the host overlaps the pod or service network; a warning where it is a wider one by a gateway"
        ),
        why="Packets for pods or services would go where the route leads.",
        advice="Choose another pod or service network, or remove the route.",
        source="configuration.md",
    ),
    "rp-filter": Check(
        severity=EITHER,
        what=(
            "packets are dropped for the interface by which they come: Calico does not start with "
            "`net.ipv4.conf.all.rp_filter` 2; a warning where the strict form is in force and the node's "
            "address is at another interface than the default route"
        ),
        why=(
            "Calico's policies rest on the strict form. With it, answers that take another way are dropped "
            "without a word."
        ),
        advice="Set the value that the message names, in a file of `/etc/sysctl.d`.",
        source="https://docs.tigera.io/calico/latest/reference/felix/configuration",
    ),
    "runtime-clash": Check(
        severity=WARNING,
        what="another container runtime's service is active on a host that is in no cluster",
        why="Two runtimes share sockets, CNI files and cgroups; the kubelet finds the wrong one.",
        advice="Stop and disable it, or choose it by `kubernetes_container_runtime`.",
        source="https://kubernetes.io/docs/setup/production-environment/container-runtimes/",
    ),
    "setting-fixed": Check(
        severity=ERROR,
        what=(
            "a setting would change that a cluster or a node keeps for life: networks, the cluster's name and domain, "
            "the endpoint, addresses and ports of API servers, whose etcd it is, a node's name and runtime; the "
            "cluster's are in the files of control planes only, so a run that is limited to workers knows those of a "
            "node alone"
        ),
        why=(
            "Certificates, kubeconfigs, addresses of pods and services are made of it. Where kubeadm's configuration "
            "is applied it is refused as well, but other hosts would have changed by then."
        ),
        advice=(
            "Set the variable that the message names back to what runs. A cluster with other settings is a new "
            "cluster; a node joins again under another name, and the playbook `migrate_runtime` moves it to another "
            "runtime."
        ),
        source="configuration.md",
    ),
    "swap-active": Check(
        severity=ERROR,
        what="swap stays on and the kubelet would not start",
        why="The kubelet does not start with swap on, unless it is told to.",
        advice=(
            "Set `preflight_swap: disabled`, or `failSwapOn: false` in `kubernetes_kubelet_configuration`. In "
            "a container with lxcfs, give the container no swap on its host."
        ),
        source="https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/",
    ),
    "systemd-missing": Check(
        severity=ERROR,
        what="systemd is not the init system",
        why="All services here are systemd's.",
        advice="Use a host with systemd.",
        source="development.md",
    ),
    "version-differs": Check(
        severity=ERROR,
        what=(
            "the API server that runs has another version than `kubernetes_version`; installing newer "
            "programs would not upgrade the cluster, only put kubelets ahead of it"
        ),
        why="A kubelet must never be newer than an API server.",
        advice=(
            "Set `kubernetes_version` to the version that runs. To go to a newer one, run the playbook "
            "`upgrade`: [upgrade.md](upgrade.md)."
        ),
        source="https://kubernetes.io/releases/version-skew-policy/",
    ),
    "version-unknown": Check(
        severity=EITHER,
        what=(
            "the kubelet of a node would become newer, and an API server did not tell its version; a warning "
            "where the host joins"
        ),
        why="A kubelet must never be newer than an API server.",
        advice=(
            "Start the API servers that the message names, or let the hosts be reached. A kubelet is not "
            "replaced by a newer one while it is not known what runs."
        ),
        source="https://kubernetes.io/releases/version-skew-policy/",
    ),
    "virtual-ip-remote": Check(
        severity=WARNING,
        what="the API's virtual address lies in no network of a host that is to hold it",
        why="Other hosts look for the address by ARP, which passes no router.",
        advice="Choose an address of the network that the hosts are in.",
        source="https://www.rfc-editor.org/rfc/rfc9568",
    ),
    "virtual-ip-taken": Check(
        severity=ERROR,
        what="something answers at the API's virtual address, and the cluster does not exist yet",
        why="Two machines would have one address.",
        advice="Choose a free address, or remove it from the machine that the message names.",
        source="high-availability.md",
    ),
}
