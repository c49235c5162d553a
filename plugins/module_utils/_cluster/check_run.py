# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How checks of a cluster are run: all at the same time, with patience, and each with its result."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster import check_report, judgement
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.check_report import Check
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.judgement import Verdict
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import KubectlError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.objects import Pod, one_line
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.probe import (
    ConcurrentKubectl,
    ProbeError,
    patiently,
    spread_sample,
)

Asked = TypeVar("Asked")

READING = ["api-server", "etcd", "nodes", "system-pods", "scheduler", "controller-manager", "kube-proxy"]
ON_PODS = [
    *("spread", "port-forward", "logs", "exec", "node-port", "pod-network", "dns"),
    *("service-name", "api-from-pods", "volumes", "cron-job", "ingress"),
]
NAMES = [*READING, "deployment", *ON_PODS]
CLEANUP = "cleanup"

# Questions at a time in one check; more only slow each other down on a small host.
PARALLEL = 4
# For how many seconds a plain read of the API is tried again after an error.
READ_SECONDS = 15


class CheckRun:
    """One run of checks, which run in threads; only the main thread touches the module and the results.

    A check is a method of a subclass, called check_ and its name.
    """

    def __init__(self, module: AnsibleModule, kubectl: ConcurrentKubectl) -> None:
        """Nothing is asked yet.

        Args:
            module: its options say what is checked and how.
            kubectl: asks the cluster.
        """
        self.module = module
        self.kubectl = kubectl
        self.options: Dict[str, Any] = module.params
        self.checks: Dict[str, Check] = {}
        self.removed: List[str] = []
        self.pods: List[Pod] = []
        self.pool = ThreadPoolExecutor(max_workers=len(NAMES))

    def _start(self, name: str) -> Future[Tuple[str, float, Verdict]]:
        check: Callable[[], Verdict] = getattr(self, "check_" + name.replace("-", "_"))

        def run() -> Tuple[str, float, Verdict]:
            started = time.monotonic()
            try:
                verdict = check()
            except (KubectlError, ProbeError) as error:
                verdict = Verdict(False, one_line(str(error)))
            return name, time.monotonic() - started, verdict

        return self.pool.submit(run)

    def _finish(self, future: Future[Tuple[str, float, Verdict]]) -> None:
        self._record(*future.result())

    def _record(self, name: str, seconds: float, verdict: Verdict) -> None:
        for warning in verdict.warnings:
            self.module.warn(warning)
        self.checks[name] = Check(name, verdict.passed, verdict.skipped, verdict.detail, round(seconds, 1))

    def _skip(self, name: str, reason: str) -> None:
        self.checks.setdefault(name, Check(name, False, True, reason, 0.0))

    def _skip_rest(self, reason: str, names: Optional[List[str]] = None) -> None:
        for name in names or NAMES:
            self._skip(name, reason)

    def result(self) -> Dict[str, Any]:
        """What the module returns of the checks made so far."""
        checks = [self.checks[name] for name in [*NAMES, CLEANUP] if name in self.checks]
        return {
            "changed": bool(self.removed),
            "checks": [check.as_dict() for check in checks],
            "table": check_report.table(checks),
            "removed_namespaces": self.removed,
        }

    def failure(self) -> str:
        """The message about all failed checks, empty where none has."""
        return check_report.failure([self.checks[name] for name in [*NAMES, CLEANUP] if name in self.checks])

    # Asking

    def _settled(self) -> float:
        """Until when a part that a check just began to look at may take to get healthy."""
        return time.monotonic() + self.options["settle"]

    def _get(self, *arguments: str) -> Any:
        """What kubectl get prints, parsed, with patience for an API server that is just away."""
        return patiently(self.kubectl, lambda: self.kubectl.get(*arguments), time.monotonic() + READ_SECONDS)

    def _until_passed(self, look: Callable[[], Verdict]) -> Verdict:
        """The first good verdict, or the last one within the time to settle."""
        until = self._settled()
        while True:
            try:
                verdict = look()
            except KubectlError as error:
                verdict = Verdict(False, one_line(str(error)))
            if verdict.passed or verdict.skipped or time.monotonic() >= until or not self.kubectl.pause(2):
                return verdict

    def _faults(self, asked: List[Asked], question: Callable[[Asked], Any], until: float) -> Dict[Asked, str]:
        """What went wrong with those to whom a question was put, a few at a time and not again after until."""

        def ask(one: Asked) -> str:
            try:
                patiently(self.kubectl, lambda: question(one), until)
            except KubectlError as error:
                return one_line(error.stderr) or str(error)
            except ProbeError as error:
                return one_line(str(error))
            return ""

        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            return {one: fault for one, fault in zip(asked, pool.map(ask, asked)) if fault}

    def _judge_each(self, good: str, question: Callable[[Pod], Any]) -> Verdict:
        """The verdict on a question that is put to a sample of the pods."""
        pods = spread_sample(self.pods, self.options["sample"])
        faults = {pod.node: fault for pod, fault in self._faults(pods, question, self._settled()).items()}
        return judgement.judge_answers(good, faults, [pod.node for pod in pods], len(self.pods))
