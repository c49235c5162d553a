# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a first user tries: in pods configuration in files, a service by its name and the API with the account's token;

a job by the clock, and a service through an Ingress.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import check_workload, judgement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_run import CheckRun
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.judgement import Verdict
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import Node, Pod, items, one_line
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.probe import (
    ProbeError,
    fetch,
    spread_sample,
)

# The API groups, which nobody may list who has not logged in.
GROUPS, GROUPS_KIND = "/apis", "APIGroupList"
# How long it may take until the clock is at a full minute.
MINUTE = 60
INGRESS_PORT = 80


class FirstUse(CheckRun):
    """Checks that run commands in the pods of the check deployment."""

    namespace = ""
    nodes: List[Node]

    def _execute(self, pod: Pod, command: List[str]) -> str:
        namespace, container = f"--namespace={self.namespace}", f"--container={check_workload.CONTAINER}"
        return self.kubectl.run("exec", pod.name, namespace, container, "--", *command)

    def _has_dns(self) -> bool:
        return self._get("service", "kube-dns", "--namespace=kube-system") is not None

    def check_volumes(self) -> Verdict:
        """Read a ConfigMap and a Secret as files in a pod on each node."""
        if not self.options["read_command"]:
            return judgement.skipped("the option read_command is empty")

        def read(pod: Pod) -> None:
            for kind in check_workload.VOLUMES:
                path = check_workload.volume_path(kind)
                found = self._execute(pod, check_workload.filled(self.options["read_command"], path=path)).strip()
                if found != check_workload.volume_text(kind, self.namespace):
                    raise ProbeError(f"{path}, of a {kind}, holds something else: {one_line(found) or 'nothing'}")

        return self._judge_each("a ConfigMap and a Secret are files on", read)

    def check_service_name(self) -> Verdict:
        """Let pods ask the service by its name."""
        if not self.options["http_client"]:
            return judgement.skipped("the option http_client is empty")
        if not self._has_dns():
            return judgement.skipped("DNS is not installed: there is no Service kube-system/kube-dns")
        name = f"{check_workload.NAME}.{self.namespace}.svc.{self.options['dns_domain']}"
        url = check_workload.url(name, check_workload.SERVICE_PORT, self.options["http_path"])
        command = check_workload.filled(self.options["http_client"], url=url)
        return self._judge_each("a service answers to its name on", lambda pod: self._execute(pod, command))

    def check_api_from_pods(self) -> Verdict:
        """Let pods ask the API with their account's token."""
        if not self.options["api_client"]:
            return judgement.skipped("the option api_client is empty")
        service = self._get("service", "kubernetes", "--namespace=default") or {}
        # Where there is no DNS, pods know the address from their environment.
        host = "kubernetes.default.svc" if self._has_dns() else service["spec"]["clusterIP"]
        url = check_workload.url(host, service["spec"]["ports"][0]["port"], GROUPS, "https")
        command = check_workload.filled(self.options["api_client"], url=url)

        def ask(pod: Pod) -> None:
            found = self._execute(pod, command)
            if GROUPS_KIND not in found:
                raise ProbeError(f"{url} answers with something else: {one_line(found) or 'nothing'}")

        return self._judge_each(f"{host} knows the account's token on", ask)

    def _create(self, item: Dict[str, Any]) -> None:
        self.kubectl.run("create", "--filename=-", stdin=json.dumps(item))

    def check_cron_job(self) -> Verdict:
        """Let the cluster start a job by the clock."""
        if not self.options["cron_job"]:
            return judgement.skipped("the option cron_job is off, as it takes up to a minute")
        if not self.options["exec_command"]:
            return judgement.skipped("the option exec_command is empty")
        # Before Kubernetes 1.21 CronJobs have another API.
        resources = json.loads(self.kubectl.run("get", "--raw", "/apis/batch/v1")).get("resources") or []
        api = "batch/v1" if any(one.get("name") == "cronjobs" for one in resources) else "batch/v1beta1"
        command = self.options["exec_command"]
        self._create(check_workload.cron_job_manifest(self.namespace, api, self.options["image"], command))
        until = time.monotonic() + MINUTE + self.options["settle"]
        told = "no job was started"
        while time.monotonic() < until:
            jobs = items(self._get("jobs.batch", f"--namespace={self.namespace}"))
            statuses = [job.get("status") or {} for job in jobs]
            if any(status.get("succeeded") for status in statuses):
                return Verdict(True, f"a {api} CronJob has started a job that succeeded")
            if any(status.get("failed") for status in statuses):
                return Verdict(False, f"the job that a {api} CronJob has started failed")
            told = "the job that was started has not ended" if jobs else told
            if not self.kubectl.pause(2):
                break
        return Verdict(False, f"{told} by a {api} CronJob")

    def check_ingress(self) -> Verdict:
        """Reach the service through an Ingress by a host's name, where there is something that serves Ingresses."""
        classes = self._get("ingressclasses.networking.k8s.io")
        name = self.options["ingress_class"] or check_workload.default_ingress_class(classes)
        if not name:
            return judgement.skipped("no IngressClass is the default, and the option ingress_class names none")
        self._create(check_workload.ingress_manifest(self.namespace, name))
        port, host = self.options["ingress_port"], check_workload.host_name(self.namespace)
        if port:
            nodes = [node for node in self.nodes if node.address and node.ready]
            places = {node.name: (node.address, port) for node in spread_sample(nodes, self.options["sample"])}
        else:
            places = {address: (address, INGRESS_PORT) for address in self._ingress_addresses()}
        if not places:
            return judgement.skipped(
                f"the Ingress of class {name} has got no address, and the option ingress_port names no port of nodes"
            )

        def ask(place: str) -> str:
            address, number = places[place]
            return fetch(address, number, self.options["http_path"], host=host)

        faults = self._faults(list(places), ask, self._settled())
        return judgement.judge_answers(
            f"an Ingress of class {name} leads to a service on", faults, list(places), len(places)
        )

    def _ingress_addresses(self) -> List[str]:
        until = self._settled()
        while True:
            found = self._get("ingresses.networking.k8s.io", check_workload.NAME, f"--namespace={self.namespace}")
            addresses = check_workload.ingress_addresses(found)
            if addresses or time.monotonic() >= until or not self.kubectl.pause(2):
                return addresses
