# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The items of the CIS Kubernetes Benchmark, version 1.11, that can be checked on what runs on hosts.

C(docs/hardening.md) lists these and all others, with the reasons.
"""

from __future__ import annotations

from typing import Iterator, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening import (
    CHOICE,
    CONTROL_PLANE,
    DEFAULT,
    ETCD,
    IS_FALSE,
    IS_TRUE,
    LEFT_OUT,
    LOCAL,
    NO,
    NODE,
    NOT_FALSE,
    NOT_ZERO,
    PROFILE,
    SET,
    Anonymous,
    Argument,
    Closed,
    Encrypted,
    Item,
    OwnAuthority,
    Owned,
    PodSecurity,
    Setting,
    among,
    at_least,
    equals,
    has,
    lacks,
)

API, MANAGER, SCHEDULER, ETCD_PROGRAM, KUBELET = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "kubelet",
)
# With forward secrecy and authenticated encryption. The last two are other names of suites that are there already.
SUITES = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
)
PLUGINS, MODE, STRUCTURED = ("enable-admission-plugins",), ("authorization-mode",), "authorization-config"
BASELINE, RESTRICTED = ("baseline", "restricted"), ("restricted",)


def _files() -> Iterator[Item]:
    """Section 1.1: the control plane's files."""
    pairs = (
        (1, "manifest of the API server", CONTROL_PLANE, DEFAULT, "manifest-kube-apiserver"),
        (3, "manifest of the controller manager", CONTROL_PLANE, DEFAULT, "manifest-kube-controller-manager"),
        (5, "manifest of the scheduler", CONTROL_PLANE, DEFAULT, "manifest-kube-scheduler"),
        (7, "manifest of etcd", CONTROL_PLANE, DEFAULT, "manifest-etcd"),
        (9, "CNI configuration", NODE, DEFAULT, "cni"),
    )
    for number, title, part, by, name in pairs:
        yield Item(f"1.1.{number}", f"{title}: mode 600", part, by, Closed(name))
        yield Item(f"1.1.{number + 1}", f"{title}: root's", part, by, Owned(name))
    yield Item("1.1.11", "data folder of etcd: mode 700", ETCD, PROFILE, Closed("etcd-data", 0o700))
    yield Item("1.1.12", "data folder of etcd: of user etcd", ETCD, NO, Owned("etcd-data", "etcd:etcd"))
    for number, title, name in (
        (13, "administrators' kubeconfigs", "admin"),
        (15, "kubeconfig of the scheduler", "scheduler"),
        (17, "kubeconfig of controller manager", "controller-manager"),
    ):
        yield Item(f"1.1.{number}", f"{title}: mode 600", CONTROL_PLANE, DEFAULT, Closed(name))
        yield Item(f"1.1.{number + 1}", f"{title}: root's", CONTROL_PLANE, DEFAULT, Owned(name))
    yield Item("1.1.19", "folder of certificates, all in it: root's", CONTROL_PLANE, DEFAULT, Owned("pki"))
    yield Item("1.1.20", "certificates: mode 600", CONTROL_PLANE, PROFILE, Closed("certificates"))
    yield Item("1.1.21", "private keys: mode 600", CONTROL_PLANE, DEFAULT, Closed("keys"))


def _api_server() -> Iterator[Item]:
    """Section 1.2: the API server."""
    for number, title, by, check in (
        (1, "without an account little", PROFILE, Anonymous()),
        (
            2,
            "no file of tokens",
            DEFAULT,
            Argument(API, ("token-auth-file",), LEFT_OUT, True),
        ),
        (3, "admission: DenyServiceExternalIPs", PROFILE, Argument(API, PLUGINS, has("DenyServiceExternalIPs"))),
        (
            4,
            "a certificate towards kubelets",
            DEFAULT,
            Argument(API, ("kubelet-client-certificate", "kubelet-client-key")),
        ),
        (5, "verifies kubelets' certificates", PROFILE, Argument(API, ("kubelet-certificate-authority",))),
        (
            6,
            "authorization: not AlwaysAllow",
            DEFAULT,
            Argument(API, MODE, lacks("AlwaysAllow"), instead=STRUCTURED),
        ),
        (7, "authorization: Node", DEFAULT, Argument(API, MODE, has("Node"), instead=STRUCTURED)),
        (8, "authorization: RBAC", DEFAULT, Argument(API, MODE, has("RBAC"), instead=STRUCTURED)),
        (9, "admission: EventRateLimit", PROFILE, Argument(API, PLUGINS, has("EventRateLimit"))),
        (10, "admission: not AlwaysAdmit", DEFAULT, Argument(API, PLUGINS, lacks("AlwaysAdmit"), True)),
        (11, "admission: AlwaysPullImages", CHOICE, Argument(API, PLUGINS, has("AlwaysPullImages"))),
        (
            12,
            "admission: ServiceAccount",
            DEFAULT,
            Argument(API, ("disable-admission-plugins",), lacks("ServiceAccount"), True),
        ),
        (
            13,
            "admission: NamespaceLifecycle",
            DEFAULT,
            Argument(API, ("disable-admission-plugins",), lacks("NamespaceLifecycle"), True),
        ),
        (14, "admission: NodeRestriction", DEFAULT, Argument(API, PLUGINS, has("NodeRestriction"))),
        (15, "no profiles", PROFILE, Argument(API, ("profiling",), IS_FALSE)),
        (16, "audit log", PROFILE, Argument(API, ("audit-log-path",))),
        (17, "audit log: 30 days", PROFILE, Argument(API, ("audit-log-maxage",), at_least(30))),
        (18, "audit log: 10 old files", PROFILE, Argument(API, ("audit-log-maxbackup",), at_least(10))),
        (19, "audit log: 100 MB a file", PROFILE, Argument(API, ("audit-log-maxsize",), at_least(100))),
        (20, "a time limit of requests", PROFILE, Argument(API, ("request-timeout",))),
        (
            21,
            "refuses tokens of gone accounts",
            DEFAULT,
            Argument(API, ("service-account-lookup",), IS_TRUE, True),
        ),
        (22, "a key for service accounts", DEFAULT, Argument(API, ("service-account-key-file",))),
        (23, "a certificate towards etcd", DEFAULT, Argument(API, ("etcd-certfile", "etcd-keyfile"))),
        (24, "a serving certificate", DEFAULT, Argument(API, ("tls-cert-file", "tls-private-key-file"))),
        (25, "an authority for clients", DEFAULT, Argument(API, ("client-ca-file",))),
        (26, "an authority for etcd", DEFAULT, Argument(API, ("etcd-cafile",))),
        (27, "encryption in etcd", PROFILE, Argument(API, ("encryption-provider-config",))),
        (28, "a strong provider of encryption", PROFILE, Encrypted(("aescbc", "kms", "secretbox"))),
        (29, "strong TLS cipher suites", PROFILE, Argument(API, ("tls-cipher-suites",), among(SUITES))),
        (
            30,
            "pods' tokens hold an hour",
            PROFILE,
            Argument(API, ("service-account-extend-token-expiration",), IS_FALSE),
        ),
    ):
        yield Item(f"1.2.{number}", f"API server: {title}", CONTROL_PLANE, by, check)


def _managers() -> Iterator[Item]:
    """Sections 1.3 and 1.4: controller manager and scheduler."""
    for number, title, by, check in (
        (1, "a limit of ended pods", PROFILE, Argument(MANAGER, ("terminated-pod-gc-threshold",))),
        (2, "no profiles", PROFILE, Argument(MANAGER, ("profiling",), IS_FALSE)),
        (
            3,
            "accounts by controller",
            DEFAULT,
            Argument(MANAGER, ("use-service-account-credentials",), IS_TRUE),
        ),
        (4, "a key that signs tokens", DEFAULT, Argument(MANAGER, ("service-account-private-key-file",))),
        (5, "an authority for pods", DEFAULT, Argument(MANAGER, ("root-ca-file",))),
        (
            6,
            "rotates certificates",
            DEFAULT,
            Argument(MANAGER, ("feature-gates",), lacks("RotateKubeletServerCertificate=false"), True),
        ),
        (7, "listens locally", DEFAULT, Argument(MANAGER, ("bind-address",), LOCAL)),
    ):
        yield Item(f"1.3.{number}", f"controller manager: {title}", CONTROL_PLANE, by, check)
    yield Item("1.4.1", "scheduler: no profiles", CONTROL_PLANE, PROFILE, Argument(SCHEDULER, ("profiling",), IS_FALSE))
    local = Argument(SCHEDULER, ("bind-address",), LOCAL)
    yield Item("1.4.2", "scheduler: listens locally", CONTROL_PLANE, DEFAULT, local)


def _audit() -> Iterator[Item]:
    """Section 3.2: the audit log."""
    policy = Argument(API, ("audit-policy-file",))
    yield Item("3.2.1", "API server: an audit policy", CONTROL_PLANE, PROFILE, policy)


def _etcd() -> Iterator[Item]:
    """Section 2: etcd."""
    for number, title, check in (
        (1, "a serving certificate", Argument(ETCD_PROGRAM, ("cert-file", "key-file"))),
        (2, "clients need a certificate", Argument(ETCD_PROGRAM, ("client-cert-auth",), IS_TRUE)),
        (3, "no certificates of its own making", Argument(ETCD_PROGRAM, ("auto-tls",), IS_FALSE, True)),
        (4, "a certificate between members", Argument(ETCD_PROGRAM, ("peer-cert-file", "peer-key-file"))),
        (5, "members need a certificate", Argument(ETCD_PROGRAM, ("peer-client-cert-auth",), IS_TRUE)),
        (6, "none of its own making between members", Argument(ETCD_PROGRAM, ("peer-auto-tls",), IS_FALSE, True)),
    ):
        yield Item(f"2.{number}", f"etcd: {title}", ETCD, DEFAULT, check)
    yield Item("2.7", "etcd: an authority of its own", CONTROL_PLANE, DEFAULT, OwnAuthority())


def _nodes() -> Iterator[Item]:
    """Section 4: kubelet and kube-proxy."""
    for number, title, by, name in (
        (1, "unit of the kubelet", PROFILE, "kubelet-unit"),
        (3, "kubeconfig of kube-proxy", DEFAULT, "kube-proxy"),
        (5, "kubeconfig of the kubelet", DEFAULT, "kubelet-kubeconfig"),
        (7, "authority of the kubelet's clients", PROFILE, "kubelet-ca"),
        (9, "configuration of the kubelet", PROFILE, "kubelet-config"),
    ):
        yield Item(f"4.1.{number}", f"{title}: mode 600", NODE, by, Closed(name))
        yield Item(f"4.1.{number + 1}", f"{title}: root's", NODE, DEFAULT, Owned(name))
    gate = "featureGates.RotateKubeletServerCertificate"
    for number, title, by, path, test, argument, absent in (
        (
            1,
            "nobody without an account",
            DEFAULT,
            "authentication.anonymous.enabled",
            IS_FALSE,
            "anonymous-auth",
            False,
        ),
        (
            2,
            "authorization by the API server",
            DEFAULT,
            "authorization.mode",
            equals("Webhook"),
            "authorization-mode",
            False,
        ),
        (3, "an authority for clients", DEFAULT, "authentication.x509.clientCAFile", SET, "client-ca-file", False),
        (4, "no port without authentication", PROFILE, "readOnlyPort", equals("0"), "read-only-port", True),
        (
            5,
            "idle streams end",
            PROFILE,
            "streamingConnectionIdleTimeout",
            NOT_ZERO,
            "streaming-connection-idle-timeout",
            True,
        ),
        (6, "keeps its iptables chains", PROFILE, "makeIPTablesUtilChains", IS_TRUE, "make-iptables-util-chains", True),
        (8, "enough of its events", PROFILE, "eventRecordQPS", at_least(0), "event-qps", True),
        (9, "the cluster's serving certificate", PROFILE, "serverTLSBootstrap", IS_TRUE, "", False),
        (10, "its certificate rotates", DEFAULT, "rotateCertificates", IS_TRUE, "rotate-certificates", True),
        (11, "its serving certificate rotates", DEFAULT, gate, NOT_FALSE, "", True),
        (12, "strong TLS cipher suites", PROFILE, "tlsCipherSuites", among(SUITES), "tls-cipher-suites", False),
        (13, "a limit of processes of a pod", PROFILE, "podPidsLimit", at_least(1), "pod-max-pids", False),
        (14, "the runtime's seccomp profile", PROFILE, "seccompDefault", IS_TRUE, "seccomp-default", False),
    ):
        check = Setting(KUBELET, path, test, absent, argument, unset="0s" if test is NOT_ZERO else "")
        yield Item(f"4.2.{number}", f"kubelet: {title}", NODE, by, check)
    own_name = Argument(KUBELET, ("hostname-override",), LEFT_OUT, True)
    yield Item("4.2.7", "kubelet: the host's own name", NODE, NO, own_name)
    metrics = Setting("kube-proxy", "metricsBindAddress", LOCAL, True, "metrics-bind-address", everywhere=False)
    yield Item("4.3.1", "kube-proxy: metrics locally", NODE, DEFAULT, metrics)


def _pods() -> Iterator[Item]:
    """Section 5.2: what pod security admission refuses in namespaces without labels."""
    for number, title, levels in (
        (1, "a policy for pods", BASELINE),
        (2, "no privileged containers", BASELINE),
        (3, "no process namespace of the host", BASELINE),
        (4, "no IPC namespace of the host", BASELINE),
        (5, "no network of the host", BASELINE),
        (6, "no privilege escalation", RESTRICTED),
        (7, "no containers as root", RESTRICTED),
        (8, "no capability NET_RAW", RESTRICTED),
        (9, "no added capabilities", BASELINE),
        (10, "all capabilities dropped", RESTRICTED),
        (11, "no HostProcess of Windows", BASELINE),
        (12, "no folders of the host", BASELINE),
        (13, "no ports of the host", BASELINE),
    ):
        by = PROFILE if levels == BASELINE else CHOICE
        yield Item(f"5.2.{number}", f"pods: {title}", CONTROL_PLANE, by, PodSecurity(levels))


def _key(item: Item) -> Tuple[int, ...]:
    return tuple(map(int, item.number.split(".")))


ITEMS = tuple(sorted([*_files(), *_api_server(), *_managers(), *_etcd(), *_audit(), *_nodes(), *_pods()], key=_key))
