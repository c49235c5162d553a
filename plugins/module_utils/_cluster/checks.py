# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the checks of a cluster: what is asked of whom, how long each may take, and what is cleaned up."""

from __future__ import annotations

import json
import random
import signal
import string
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import Any, Dict, List, Optional, Set, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import check_workload, judgement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_run import (
    CLEANUP,
    ON_PODS,
    PARALLEL,
    READ_SECONDS,
    READING,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_workload import Workload
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.first_use import FirstUse
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.judgement import Verdict
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import (
    Node,
    Pod,
    listed,
    one_line,
    parse_nodes,
    parse_pods,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.probe import (
    ConcurrentKubectl,
    ProbeError,
    fetch,
    patiently,
    spread_sample,
)

# Requests to one node's port at most: of two pods, both are then certain to be chosen.
NODE_PORT_REQUESTS = 30
CLEANUP_SECONDS = 90
# After so many seconds, pods that do not go (their node is away) are removed from the API alone.
FORCE_AFTER = 30

# How the module may be ended.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class ClusterChecks(FirstUse):
    """All checks of a cluster, in their order, and what is cleaned up after them."""

    def __init__(self, module: AnsibleModule, kubectl: ConcurrentKubectl) -> None:
        """Nothing is asked yet; see CheckRun."""
        super().__init__(module, kubectl)
        self.nodes: List[Node] = []

    # The course of it

    def run(self) -> None:
        """Make all checks and clean up, whatever happens in between."""
        try:
            with self.pool:
                self._run_checks()
        finally:
            self.kubectl.stop()
            if self.namespace:
                self._clean_up()

    def _run_checks(self) -> None:
        started = time.monotonic()
        for name in self.options["skip"]:
            self._skip(name, "left out by the option skip")
        try:
            self.nodes = patiently(self.kubectl, self._get_nodes, self._settled())
        except KubectlError as error:
            detail = "; ".join(part for part in (one_line(str(error)), self._not_ready([], "/readyz?verbose")) if part)
            self._record("api-server", time.monotonic() - started, Verdict(False, detail))
            self._skip_rest("the API server does not answer")
            return
        reading = {name: self._start(name) for name in READING if name not in self.checks}
        if self.module.check_mode:
            self._remove_leftovers()
            for name in ["deployment", *ON_PODS]:
                self._skip(name, "not made in check mode: it creates objects")
        if "nodes" in reading:
            self._finish(reading.pop("nodes"))
        if "deployment" not in self.checks:
            self._run_workload()
        for future in reading.values():
            self._finish(future)
        self._skip_rest("needs the pods of the check deployment")

    def _run_workload(self) -> None:
        self._remove_leftovers()
        self._finish(self._start("deployment"))
        if self.pods:
            for future in [self._start(name) for name in ON_PODS if name not in self.checks]:
                self._finish(future)
        else:
            self._skip_rest("no pod of the check deployment is ready", ON_PODS)

    # The control plane

    def _not_ready(self, server: List[str], path: str, otherwise: str = "") -> str:
        """Why an API server is not ready, empty where it is; a path that it does not know is asked for otherwise."""
        try:
            self.kubectl.run("get", "--raw", path, *server)
        except KubectlError as error:
            if not error.not_found:
                return "; ".join(judgement.failed_parts(error.stderr)) or one_line(error.stderr)
            return self._not_ready(server, otherwise) if otherwise else f"it knows no {path}"
        return ""

    def _ask_api_servers(self, path: str, good: str, otherwise: str = "") -> Verdict:
        def look() -> Verdict:
            pods = self.kubectl.get("pods", "--namespace=kube-system", "--selector=component=kube-apiserver")
            servers = {name: [f"--server=https://{address}"] for name, address in judgement.api_servers(pods).items()}
            lacking = judgement.without_api_server(self.nodes, pods)
            # Where kubeadm does not run them, the one behind the kubeconfig's address has to do.
            servers = servers or {"the API server": []}
            with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
                replies = pool.map(lambda server: self._not_ready(server, path, otherwise), servers.values())
                return judgement.judge_replies({**dict(zip(servers, replies)), **lacking}, good)

        return self._until_passed(look)

    def check_api_server(self) -> Verdict:
        """Every API server is ready."""
        return self._ask_api_servers("/readyz?verbose", "ready")

    def check_etcd(self) -> Verdict:
        """Every API server says that its etcd is healthy."""
        # Which of the two a server has differs: some leave etcd out of readyz, so that they stay ready without it.
        return self._ask_api_servers("/readyz/etcd", "healthy for", otherwise="/livez/etcd")

    def check_scheduler(self) -> Verdict:
        """The scheduler leads."""
        return self._watch_lease("kube-scheduler")

    def check_controller_manager(self) -> Verdict:
        """The controller manager leads."""
        return self._watch_lease("kube-controller-manager")

    def _watch_lease(self, name: str) -> Verdict:
        # Two of the lease's own times are compared, so that the clocks of hosts do not matter.
        started = time.monotonic()
        seen: List[judgement.Lease] = []

        def look() -> Verdict:
            lease = judgement.parse_lease(self.kubectl.get("lease", name, "--namespace=kube-system"))
            if lease:
                seen.append(lease)
            return judgement.judge_lease(seen[0] if seen else None, lease, time.monotonic() - started)

        return self._until_passed(look)

    def check_kube_proxy(self) -> Verdict:
        """Run kube-proxy in its configured mode on every node."""
        system = "--namespace=kube-system"
        every = parse_pods(self._get("pods", system, "--selector=k8s-app=kube-proxy"))
        pods = spread_sample([pod for pod in every if pod.ready], self.options["sample"])
        if not pods:
            if self._get("daemonset", "kube-proxy", system) is None:
                return judgement.skipped("kube-proxy is not installed")
            return Verdict(False, "no pod of kube-proxy is ready")
        wanted, port = judgement.parse_proxy_configuration(self._get("configmap", "kube-proxy", system))
        modes: Dict[str, str] = {}

        def ask(pod: Pod) -> None:
            # kube-proxy listens on the node's loopback address, which is also its pod's.
            with self.kubectl.forward("kube-system", pod.name, port) as local_port:
                modes[pod.node] = fetch("127.0.0.1", local_port, "/proxyMode").strip()

        faults = {pod.node: fault for pod, fault in self._faults(pods, ask, self._settled()).items()}
        return judgement.judge_proxy_modes(wanted, modes, faults)

    # Nodes and the system's pods

    def _get_nodes(self) -> List[Node]:
        return parse_nodes(self.kubectl.get("nodes"))

    def check_nodes(self) -> Verdict:
        """Every node is ready."""

        def look() -> Verdict:
            self.nodes = self._get_nodes()
            return judgement.judge_nodes(self.nodes, self.options["nodes"])

        return self._until_passed(look)

    def check_system_pods(self) -> Verdict:
        """The system's pods are healthy."""
        window = timedelta(minutes=self.options["restart_minutes"])

        def look() -> Verdict:
            every: List[Dict[str, Any]] = []
            for namespace in self.options["system_namespaces"]:
                found = self.kubectl.get("pods,daemonsets.apps,deployments.apps", f"--namespace={namespace}")
                every += (found or {}).get("items") or []
            return judgement.judge_system({"items": every}, datetime.now(timezone.utc), window)

        return self._until_passed(look)

    # The workload

    def _remove_leftovers(self) -> None:
        age = timedelta(minutes=self.options["stale_minutes"])
        selector = f"--selector={check_workload.LABEL}={check_workload.LABEL_VALUE}"
        try:
            found = check_workload.leftovers(self._get("namespaces", selector), datetime.now(timezone.utc), age)
            if found and not self.module.check_mode:
                self.kubectl.run("delete", "namespaces", *found, "--ignore-not-found", "--wait=false")
            self.removed = found
        except KubectlError as error:
            self.module.warn(f"Namespaces of earlier runs were not removed: {error}")

    def check_deployment(self) -> Verdict:
        """Create the workload and wait for it; the ready pods are kept for the other checks."""
        started = time.monotonic()
        workload = Workload(
            namespace=check_workload.NAMESPACE_PREFIX + "".join(random.choices(string.ascii_lowercase, k=8)),  # noqa: S311
            image=self.options["image"],
            command=tuple(self.options["command"]),
            port=self.options["port"],
            path=self.options["http_path"],
            replicas=len([node for node in self.nodes if node.takes_pods]),
        )
        if not workload.replicas:
            repelling = [f"{node.name} ({node.repels_pods})" for node in self.nodes]
            return Verdict(False, f"no node takes pods: {listed(repelling)}")
        self.namespace = workload.namespace
        self.kubectl.run("create", "--filename=-", stdin=json.dumps(check_workload.manifests(workload)))
        objects: Optional[Dict[str, Any]] = None
        until = started + min(self.options["timeout"] * 2 / 3, max(0.0, self.kubectl.seconds_left - 20))
        while True:
            try:
                objects = self.kubectl.get("deployments.apps,pods", f"--namespace={workload.namespace}")
            except KubectlError:
                if time.monotonic() >= until:
                    raise
            self.pods = sorted((pod for pod in parse_pods(objects) if pod.ready), key=lambda pod: pod.node)
            enough = judgement.available_replicas(objects) >= workload.replicas
            if enough or time.monotonic() >= until or not self.kubectl.pause(1):
                break
        waited = time.monotonic() - started
        events = None if enough else self._get("events", f"--namespace={workload.namespace}")
        return judgement.judge_deployment(objects, events, workload.replicas, waited)

    def check_spread(self) -> Verdict:
        """A pod runs on every node that takes pods."""
        return judgement.judge_spread(self.pods, self.nodes)

    def check_port_forward(self) -> Verdict:
        """A pod answers through a port-forward."""

        def ask(pod: Pod) -> None:
            with self.kubectl.forward(self.namespace, pod.name, self.options["port"]) as local_port:
                fetch("127.0.0.1", local_port, self.options["http_path"])

        pod = self.pods[0]
        where = f"pod {pod.name} on {pod.node}"
        fault = self._faults([pod], ask, self._settled()).get(pod)
        return Verdict(False, f"{where}: {fault}") if fault else Verdict(True, f"{where} answers")

    def check_logs(self) -> Verdict:
        """Read a pod's log on each node."""
        arguments = (f"--namespace={self.namespace}", f"--container={check_workload.CONTAINER}", "--tail=5")
        return self._judge_each("read on", lambda pod: self.kubectl.run("logs", pod.name, *arguments))

    def check_exec(self) -> Verdict:
        """Run a command in a pod on each node."""
        return self._judge_each("ran on", lambda pod: self._execute(pod, self.options["exec_command"]))

    def check_dns(self) -> Verdict:
        """Resolve a service's name in a pod on each node."""
        if not self.options["dns_client"]:
            return judgement.skipped("the option dns_client is empty")
        if not self._has_dns():
            missing = "DNS is not installed: there is no Service kube-system/kube-dns"
            return Verdict(False, missing) if self.options["require_dns"] else judgement.skipped(missing)
        address = (self._get("service", "kubernetes", "--namespace=default") or {})["spec"]["clusterIP"]
        name = f"kubernetes.default.svc.{self.options['dns_domain']}"
        command = check_workload.filled(self.options["dns_client"], name=name)

        def resolve(pod: Pod) -> None:
            # The answer counts: clients differ in what they exit with where a name has no IPv6 address.
            try:
                output = self._execute(pod, command)
            except KubectlError as error:
                if address not in error.stderr:
                    raise
                return
            if address not in output:
                raise ProbeError(f"{name} did not resolve to {address}: {one_line(output)}")

        return self._judge_each(f"{name} resolves on", resolve)

    def check_pod_network(self) -> Verdict:
        """Let pods ask pods on other nodes."""
        if not self.options["http_client"]:
            return judgement.skipped("the option http_client is empty")
        pods = spread_sample(self.pods, self.options["sample"])
        if len(pods) < 2:
            return judgement.skipped("only one node runs a pod")

        def ask(pair: Tuple[Pod, Pod]) -> None:
            target = check_workload.url(pair[1].ip, self.options["port"], self.options["http_path"])
            self._execute(pair[0], check_workload.filled(self.options["http_client"], url=target))

        asked = check_workload.pairs(pods, self.options["peers"])
        errors = self._faults(asked, ask, self._settled())
        faults = {f"{a.node} ({a.ip}) to {b.node} ({b.ip})": error for (a, b), error in errors.items()}
        good = f"{len(asked)} ways between pods work, on"
        return judgement.judge_answers(good, faults, [pod.node for pod in pods], len(self.pods))

    def check_node_port(self) -> Verdict:
        """Ask the service on every ready node, and through it pods on other nodes."""
        port = check_workload.node_port(self._get("service", check_workload.NAME, f"--namespace={self.namespace}"))
        nodes = [node for node in self.nodes if node.ready]
        seen: Dict[str, Set[str]] = {node.name: set() for node in nodes}
        names = {pod.name for pod in self.pods}

        def ask(node: Node) -> None:
            if not node.address:
                raise ProbeError("the node has no InternalIP")
            seen[node.name] = set()
            for _request in range(NODE_PORT_REQUESTS):
                seen[node.name].add(fetch(node.address, port, self.options["http_path"]).strip())
                if names <= seen[node.name]:
                    break
            # A node learns of a service's pods one after the other, so this is asked again for a while.
            fault = judgement.unseen(node, seen, self.pods)
            if fault:
                raise ProbeError(fault)

        faults = self._faults(nodes, ask, self._settled())
        found = self._get("endpoints", check_workload.NAME, f"--namespace={self.namespace}") if faults else None
        if faults and not check_workload.endpoints(found):
            return Verdict(False, "the service has no endpoints though its pods are ready: see the controller manager")
        return judgement.judge_node_port(port, nodes, faults, seen, self.pods)

    # Afterwards

    def _clean_up(self) -> None:
        """Remove the namespace and wait until it is gone."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        started = time.monotonic()
        kubectl = ConcurrentKubectl(self.module, self.options["kubeconfig"], CLEANUP_SECONDS + READ_SECONDS)
        until = started + CLEANUP_SECONDS
        forced = False

        def is_gone() -> bool:
            return kubectl.get("namespace", self.namespace) is None

        def record(passed: bool, text: str) -> None:
            self._record(CLEANUP, time.monotonic() - started, Verdict(passed, f"namespace {self.namespace} {text}"))

        try:
            delete = ("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")
            patiently(kubectl, lambda: kubectl.run(*delete), until)
            while not patiently(kubectl, is_gone, until):
                if not forced and time.monotonic() - started > FORCE_AFTER:
                    force = ("--all", "--force", "--grace-period=0", "--wait=false")
                    kubectl.run("delete", "pods", f"--namespace={self.namespace}", *force)
                    forced = True
                if time.monotonic() >= until or not kubectl.pause(1):
                    record(False, f"is still being deleted after {CLEANUP_SECONDS} s")
                    return
            record(True, "is gone")
        except KubectlError as error:
            record(False, f"was not removed: {one_line(str(error))}")
