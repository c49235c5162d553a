"""Manifests and charts in the form of the projects of network plugins: the same objects, names and keys of values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chart_files import pack

Object = dict[str, Any]
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
CILIUM_VALUES = """
image: {repository: quay.io/cilium/cilium, tag: v%s}
operator: {image: {repository: quay.io/cilium/operator-generic, tag: v%s}, replicas: 2}
kubeProxyReplacement: "false"
k8sServiceHost: ""
k8sServicePort: ""
ipam: {mode: cluster-pool}
ipv4: {enabled: true}
ipv6: {enabled: false}
enableIPv4Masquerade: true
enableIPv6Masquerade: true
routingMode: ""
tunnelProtocol: ""
autoDirectNodeRoutes: false
ipv4NativeRoutingCIDR: ""
ipv6NativeRoutingCIDR: ""
MTU: 0
devices: ""
encryption: {enabled: false, type: ipsec}
bgpControlPlane: {enabled: false}
hubble: {enabled: true, tls: {auto: {enabled: true, method: helm}}}
"""
CILIUM = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: cilium}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config}
data:
  kube-proxy-replacement: {{ .Values.kubeProxyReplacement | quote }}
  ipam: {{ .Values.ipam.mode | quote }}
  routing-mode: {{ .Values.routingMode | default "tunnel" | quote }}
  tunnel-protocol: {{ .Values.tunnelProtocol | quote }}
  ipv4-native-routing-cidr: {{ .Values.ipv4NativeRoutingCIDR | quote }}
  mtu: {{ .Values.MTU | quote }}
  enable-wireguard: {{ and .Values.encryption.enabled (eq .Values.encryption.type "wireguard") | quote }}
  enable-bgp-control-plane: {{ .Values.bgpControlPlane.enabled | quote }}
  devices: {{ join " " .Values.devices | quote }}
{{- if eq .Values.hubble.tls.auto.method "helm" }}
---
apiVersion: v1
kind: Secret
metadata: {name: cilium-ca}
stringData: {ca.key: {{ (genCA "Cilium CA" 10).Key | quote }}}
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: cilium}
rules: [{apiGroups: [""], resources: [nodes], verbs: [get, list, watch]}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: cilium, labels: {k8s-app: cilium}}
spec:
  selector: {matchLabels: {k8s-app: cilium}}
  template:
    metadata: {labels: {k8s-app: cilium}}
    spec:
      hostNetwork: true
      serviceAccountName: cilium
      containers:
        - name: cilium-agent
          image: {{ printf "%s:%s" .Values.image.repository .Values.image.tag }}
          env:
{{- if .Values.k8sServiceHost }}
            - {name: KUBERNETES_SERVICE_HOST, value: {{ .Values.k8sServiceHost | quote }}}
            - {name: KUBERNETES_SERVICE_PORT, value: {{ .Values.k8sServicePort | quote }}}
{{- else }}
            - {name: K8S_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
{{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cilium-operator}
spec:
  replicas: {{ .Values.operator.replicas }}
  selector: {matchLabels: {name: cilium-operator}}
  template:
    metadata: {labels: {name: cilium-operator}}
    spec:
      containers:
        - name: cilium-operator
          image: {{ printf "%s:%s" .Values.operator.image.repository .Values.operator.image.tag }}
"""
OPERATOR_VALUES = """
installation: {enabled: true, kubernetesProvider: "", kubeletVolumePluginPath: None}
apiServer: {enabled: true}
tigeraOperator: {image: tigera/operator, version: v1.42.3, registry: quay.io}
"""
OPERATOR = """
{{- if .Values.installation.enabled }}
apiVersion: operator.tigera.io/v1
kind: Installation
metadata: {name: default}
spec: {{ omit .Values.installation "enabled" | toJson }}
{{- end }}
---
apiVersion: batch/v1
kind: Job
metadata: {name: tigera-operator-uninstall, annotations: {helm.sh/hook: pre-delete}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: one, image: "x:1"}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tigera-operator}
spec:
  replicas: 1
  selector: {matchLabels: {name: tigera-operator}}
  template:
    metadata: {labels: {name: tigera-operator}}
    spec:
      hostNetwork: true
      containers:
        - name: tigera-operator
          image: {{ with .Values.tigeraOperator }}{{ printf "%s/%s:%s" .registry .image .version }}{{ end }}
"""
FLANNEL_VALUES = """
podCidr: 10.0.0.0/8
podCidrv6: ""
flannel:
  image: {repository: ghcr.io/flannel-io/flannel, tag: v0.28.9}
  backend: vxlan
  args: [--ip-masq, --kube-subnet-mgr]
"""
FLANNEL = """
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-flannel-cfg}
data:
  cni-conf.json: '{"name": "cbr0", "cniVersion": "0.3.1", "plugins": [{"type": "flannel", "delegate": {}}]}'
  net-conf.json: |
    {"Network": {{ .Values.podCidr | toJson }}, "Backend": {"Type": {{ .Values.flannel.backend | toJson }}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-flannel-ds}
spec:
  selector: {matchLabels: {app: flannel}}
  template:
    metadata: {labels: {app: flannel}}
    spec:
      hostNetwork: true
      containers:
        - name: kube-flannel
          image: {{ printf "%s:%s" .Values.flannel.image.repository .Values.flannel.image.tag }}
          args: {{ toJson .Values.flannel.args }}
"""


def crd(group: str, kind: str, plural: str) -> Object:
    """A definition of a resource of the whole cluster, with a free form."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": FREE}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Cluster", "versions": [version]},
    }


CALICO_KINDS = [
    crd("crd.projectcalico.org", kind, plural)
    for kind, plural in (("IPPool", "ippools"), ("BGPPeer", "bgppeers"), ("BGPConfiguration", "bgpconfigurations"))
]
INSTALLATION = crd("operator.tigera.io", "Installation", "installations")


def daemon_set(name: str, *containers: Object) -> Object:
    """A DaemonSet of the namespace kube-system."""
    labels = {"k8s-app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"hostNetwork": True, "containers": list(containers)}},
        },
    }


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap of the namespace kube-system."""
    metadata = {"name": name, "namespace": "kube-system"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def calico(version: str) -> str:
    """Calico's manifest."""
    network = '{"plugins": [{"type": "calico", "mtu": __CNI_MTU__, "ipam": {"type": "calico-ipam"}}]}'
    env = [{"name": "IP", "value": "autodetect"}, {"name": "CALICO_IPV4POOL_IPIP", "value": "Always"}]
    node = daemon_set("calico-node", {"name": "calico-node", "image": f"quay.io/calico/node:v{version}", "env": env})
    configuration = config_map("calico-config", veth_mtu="0", calico_backend="bird", cni_network_config=network)
    return "\n---\n".join(json.dumps(item) for item in [configuration, *CALICO_KINDS, node])


def canal(version: str) -> str:
    """Canal's manifest."""
    net = json.dumps({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan"}})
    configuration = config_map("canal-config", **{"veth_mtu": "0", "masquerade": "true", "net-conf.json": net})
    source = {"configMapKeyRef": {"name": "canal-config", "key": "canal_iface"}}
    flannel = {
        "name": "kube-flannel",
        "image": "docker.io/flannel/flannel:v0.24.4",
        "command": ["/opt/bin/flanneld", "--ip-masq", "--kube-subnet-mgr"],
        "env": [{"name": "FLANNELD_IFACE", "valueFrom": source}],
    }
    node = {"name": "calico-node", "image": f"quay.io/calico/node:v{version}", "env": [{"name": "IP", "value": ""}]}
    return "\n---\n".join(
        json.dumps(item) for item in [configuration, *CALICO_KINDS, daemon_set("canal", node, flannel)]
    )


def cilium(folder: Path, version: str) -> Path:
    """Cilium's chart."""
    files = {"values.yaml": CILIUM_VALUES % (version, version), "templates/all.yaml": CILIUM}
    return pack(folder, version, "cilium", **files, **OWN)


def operator(folder: Path, version: str = "v3.32.1") -> Path:
    """The chart of Calico's operator."""
    files = {"values.yaml": OPERATOR_VALUES, "templates/all.yaml": OPERATOR}
    return pack(folder, version, "tigera-operator", **files, **OWN)


def flannel(folder: Path, version: str = "v0.28.9") -> Path:
    """Flannel's chart."""
    return pack(folder, version, "flannel", **{"values.yaml": FLANNEL_VALUES, "templates/all.yaml": FLANNEL}, **OWN)


# What the other charts of the tests have.
OWN = {"values.schema.json": "", "crds/orders.yaml": ""}
