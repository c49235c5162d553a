#!/usr/bin/env python3
"""Packs a chart with a hook into a folder, and prints where it is, its checksum, and where Helm is, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/integration/_cluster/manifest")]

from chart_files import checksum, pack  # noqa: E402
from helm_programs import helm  # noqa: E402
from lab.settings import Settings  # noqa: E402

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: registry.k8s.io/groundwork/busybox:1
          command: [sh, -c, "mkdir -p /tmp/www && hostname > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www"]
          readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 2}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {ports: [{port: 80, targetPort: 8080, protocol: TCP}], selector: {app: {{ .Release.Name }}}}
"""
HOOK = """
apiVersion: batch/v1
kind: Job
metadata: {name: {{ .Release.Name }}-before, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - {name: one, image: "registry.k8s.io/groundwork/busybox:1", command: [echo, "{{ .Values.replicas }}"]}
"""


def main() -> None:
    """Pack it into the folder that is named."""
    path = pack(Path(sys.argv[1]), **{"templates/all.yaml": WEB, "templates/hook.yaml": HOOK, "crds/orders.yaml": ""})
    program = helm("4.2.3", Settings().cache)
    print(json.dumps({"chart": str(path), "checksum": checksum(path), "helm": str(program)}))


if __name__ == "__main__":
    main()
