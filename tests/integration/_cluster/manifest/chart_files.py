"""Charts for the tests, packed as helm package packs them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: orders.shop.example.org}
spec:
  group: shop.example.org
  names: {kind: Order, plural: orders}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
"""
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"replicas": {"type": "integer"}, "password": {"type": "string", "pattern": "^[a-z0-9-]+$"}},
}
VALUES = "replicas: 1\npassword: none\nextra: true\nnote: {a: 1, b: 2}\n"
ALL = """
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}, labels: {app.kubernetes.io/managed-by: {{ .Release.Service }}}}
spec: {ports: [{port: 80, protocol: TCP}], selector: {app: {{ .Release.Name }}}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-password}
stringData: {password: {{ .Values.password | quote }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-facts, annotations: }
data:
  kubernetes: {{ .Capabilities.KubeVersion.Version | quote }}
  apps: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  monitoring: {{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  note: {{ toJson .Values.note | quote }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: {{ .Release.Name }}-reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: shop.example.org/v1
kind: Order
metadata: {name: first}
spec: {size: {{ .Values.replicas }}}
{{- if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-extra}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-kept, annotations: {helm.sh/resource-policy: keep}}
{{- end }}
"""
HOOK = """
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-%(name)s
  annotations: {helm.sh/hook: "%(events)s", helm.sh/hook-weight: "%(weight)s", helm.sh/hook-delete-policy: "%(policy)s"}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: one, image: "x:1", args: ["{{ .Values.replicas }}"]}]}
"""
TEST = """
apiVersion: v1
kind: Pod
metadata: {name: {{ .Release.Name }}-test, annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: one, image: "x:1"}]}
"""
RANDOM = """
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-tls}
stringData: {key: {{ (genCA "test" 10).Key | quote }}}
"""
LOOKUP = """
{{- $found := lookup "v1" "Secret" .Release.Namespace "there" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-looked}
data: {found: {{ $found | empty | not | quote }}}
"""
BUDGET = """
apiVersion: {{ .Capabilities.APIVersions.Has "policy/v1" | ternary "policy/v1" "policy/v1beta1" }}
kind: PodDisruptionBudget
metadata: {name: {{ .Release.Name }}}
spec: {minAvailable: 1, selector: {matchLabels: {app: x}}}
"""

HOOKED = {
    "templates/before.yaml": HOOK % {"name": "before", "events": "pre-install,pre-upgrade", "weight": 5, "policy": ""},
    "templates/first.yaml": HOOK
    % {"name": "first", "events": "pre-install", "weight": -5, "policy": "before-hook-creation,hook-succeeded"},
    "templates/after.yaml": HOOK % {"name": "after", "events": "post-upgrade", "weight": 0, "policy": ""},
    "templates/tests/test.yaml": TEST,
}


def pack(folder: Path, version: str = "1.0.0", name: str = "shop", **files: str) -> Path:
    """A chart's archive with these files beside the usual ones; a file that is empty is left out."""
    content = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\nkubeVersion: '>=1.19.0-0'\n",
        "values.yaml": VALUES,
        "values.schema.json": json.dumps(SCHEMA),
        "crds/orders.yaml": CRD,
        "templates/all.yaml": ALL,
        **files,
    }
    path = folder / f"{name}-{version}.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in content.items():
            if text:
                member = tarfile.TarInfo(f"{name}/{file}")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
    return path


def checksum(path: Path) -> str:
    """Its checksum, as tasks give it."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
