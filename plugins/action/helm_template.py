# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a chart on the controller; the module of the same name tells what the cluster is and has."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.chart_record import (
    RecordError,
    read_record,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.manifest import ManifestError
from ansible_collections.groundwork.kubernetes.plugins.modules.helm_template import ARGUMENTS, EXCLUSIVE
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster import charts, manifests
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_objects import (
    Rendering,
    placed,
    unserved,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.chart_steps import (
    Release,
    Step,
    install_steps,
    removal_steps,
)
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._cluster.helm import Helm, HelmError, Target

PASSED_ON = ("name", "namespace", "kubeconfig")
# What of a step is no secret.
OUTLINE = ("name", "state", "owner", "recreate")


class ActionModule(ActionBase):
    """The controller's half of the module helm_template."""

    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the task."""
        result: Dict[str, Any] = super().run(tmp, task_vars)
        _spec, options = self.validate_argument_spec(
            argument_spec=ARGUMENTS,
            mutually_exclusive=EXCLUSIVE,
            required_if=[
                ("state", "present", ("chart", "url", "rendered", "objects"), True),
                ("ask", False, ("kubernetes_version",)),
            ],
        )
        cluster: Dict[str, Any] = {}
        if options["ask"]:
            asked = self._execute_module(
                module_name="groundwork.kubernetes.helm_template",
                module_args={name: self._task.args[name] for name in PASSED_ON if name in self._task.args},
                task_vars=task_vars,
            )
            if asked.get("failed"):
                return {**result, **asked, **self._told(str(asked.get("msg")))}
            if not asked["known"]:
                return {**result, **_planned([], options), "warnings": asked.get("warnings") or []}
            cluster = asked.get("cluster") or {}
        try:
            result.update(self._plan(options, cluster))
        except (ManifestError, HelmError, RecordError, AnsibleError, OSError) as error:
            result.update(self._told(f"{options['namespace']}/{options['name']}: {error}"))
        return result

    def _told(self, message: str) -> Dict[str, Any]:
        """A failure, which is printed where no_log would hide it; no value is in it."""
        if self._task.no_log:
            Display().error(message)
        return {"failed": True, "msg": message}

    def _plan(self, options: Dict[str, Any], cluster: Dict[str, Any]) -> Dict[str, Any]:
        record = read_record(cluster.get("record"))
        release = Release(options["name"], options["namespace"], record, cluster.get("namespace", not options["ask"]))
        if options["state"] == "absent":
            return self._removal(release, options, cluster)
        if cluster.get("helm") and not options["take_over"]:
            raise ManifestError(
                f"Helm has installed this release ({', '.join(cluster['helm'])}): remove it with helm uninstall, or "
                "set take_over to true, and no longer use Helm for it"
            )
        served = cluster.get("served") or {}
        version = served.get("version") or options["kubernetes_version"]
        if not version:
            raise ManifestError("there is no cluster to ask yet: give kubernetes_version")
        if options["rendered"]:
            return self._carried(release, options, version, served)
        paths = [self._find_needle("files", path) for path in options["values_files"]]
        path = self._find_needle("files", options["chart"]) if options["chart"] else None
        content = b""
        if path or options["url"]:
            content = charts.read_archive(path, options["url"], options["checksum"], options["allow_http"])
        kinds = served.get("kinds") or {}
        target = Target(
            release.name,
            release.namespace,
            version,
            sorted({*(served.get("api_versions") or []), *kinds, *options["api_versions"]}),
            charts.read_values(self._loader, paths, options["values"], options["base_values"]),
        )
        source = charts.Source(
            *(str(options["url"] or path), content, options["version"] or "", options["skip_hooks"]),
            {str(old): str(new) for old, new in options["replace"].items()},
            options["objects"] or [],
        )
        chart, rendering = charts.render(lambda: Helm(options["helm"]), source, target)
        skipped = charts.skipped_minors(release.record.chart, str(chart)) if release.record else ""
        if options["one_minor"] and skipped:
            raise ManifestError(skipped)
        if chart.lookups:
            Display().warning(
                f"{release.owner}: {', '.join(chart.lookups)} of {chart} look for objects of the cluster with lookup, "
                "which finds nothing here: what they make then is made anew or left out"
            )
        if not rendering.everything:
            return {**self._removal(release, options, cluster), "chart": str(chart), "objects": []}
        return self._steps(release, options, served, str(chart), rendering)

    def _carried(
        self, release: Release, options: Dict[str, Any], version: str, served: Dict[str, Any]
    ) -> Dict[str, Any]:
        """The steps of what was rendered elsewhere."""
        path = self._find_needle("files", options["rendered"])
        data = Path(path).read_bytes()
        if options["checksum"]:
            manifests.verify(data, options["checksum"], path)
        target = Target(release.name, release.namespace, version)
        chart, rendering = charts.read_rendered(data, path, target, options["skip_hooks"])
        return self._steps(release, options, served, chart, rendering)

    def _steps(
        self, release: Release, options: Dict[str, Any], served: Dict[str, Any], chart: str, rendering: Rendering
    ) -> Dict[str, Any]:
        kinds = served.get("kinds") or {}
        if kinds:
            self._require_served(unserved(rendering, kinds, served["silent"]), chart)
        rendering = placed(rendering, release.namespace, kinds)
        steps = install_steps(release, chart, rendering)
        return {**_planned(steps, options), "chart": chart, "objects": [*rendering.crds, *rendering.objects]}

    def _require_served(self, faults: Sequence[str], chart: str) -> None:
        if not faults:
            return
        text = (
            f"the cluster does not serve {', '.join(faults)} of {chart}: choose other values, or install what defines "
            "them first"
        )
        # What a task before this one would have installed is not there in check mode.
        if not self._task.check_mode:
            raise ManifestError(text)
        Display().warning(text)

    def _removal(self, release: Release, options: Dict[str, Any], cluster: Dict[str, Any]) -> Dict[str, Any]:
        if release.record is None and cluster.get("helm"):
            Display().warning(f"{release.owner} is a release of Helm, and stays: helm uninstall removes it")
        steps, stays = removal_steps(release, options["remove_crds"])
        if stays:
            Display().warning(f"{release.owner}: what stays: {', '.join(stays)}")
        return {**_planned(steps, options), "stays": stays}


def _planned(steps: List[Step], options: Dict[str, Any]) -> Dict[str, Any]:
    """The steps as a result."""
    return {
        "changed": False,
        "steps": [{"objects": step.objects} for step in steps],
        "outline": [
            {**{name: getattr(step, name) for name in OUTLINE}, "take_over": options["take_over"]} for step in steps
        ],
    }
