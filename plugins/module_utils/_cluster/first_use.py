# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a first user tries in pods: configuration in files, a service by its name, the API with the account's token."""

from __future__ import annotations

from typing import List

from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import check_workload, judgement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_run import CheckRun
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.judgement import Verdict
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import Pod, one_line
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.probe import ProbeError

# The API groups, which nobody may list who has not logged in.
GROUPS, GROUPS_KIND = "/apis", "APIGroupList"


class FirstUse(CheckRun):
    """Checks that run commands in the pods of the check deployment."""

    namespace = ""

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
