"""How hosts are judged: what kubeadm gives by itself, what the profile adds, what each check says."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import hardening
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening import (
    ABSENT,
    FAILED,
    NONE,
    PASSED,
    UNKNOWN,
    Anonymous,
    Argument,
    Check,
    Closed,
    Encrypted,
    File,
    Found,
    Item,
    OwnAuthority,
    Owned,
    PodSecurity,
    Setting,
    judge,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.hardening_items import ITEMS, SUITES

API, PKI = "kube-apiserver", "/etc/kubernetes/pki"
# What kubeadm gives its components, the kubelet, and their files.
ARGUMENTS = {
    API: {
        "authorization-mode": "Node,RBAC",
        "client-ca-file": f"{PKI}/ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "etcd-cafile": f"{PKI}/etcd/ca.crt",
        "etcd-certfile": f"{PKI}/apiserver-etcd-client.crt",
        "etcd-keyfile": f"{PKI}/apiserver-etcd-client.key",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "service-account-key-file": f"{PKI}/sa.pub",
        "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
    },
    "kube-controller-manager": {
        "bind-address": "127.0.0.1",
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/sa.key",
        "use-service-account-credentials": "true",
    },
    "kube-scheduler": {"bind-address": "127.0.0.1"},
    "etcd": {
        "cert-file": f"{PKI}/etcd/server.crt",
        "client-cert-auth": "true",
        "key-file": f"{PKI}/etcd/server.key",
        "peer-cert-file": f"{PKI}/etcd/peer.crt",
        "peer-client-cert-auth": "true",
        "peer-key-file": f"{PKI}/etcd/peer.key",
    },
    "kubelet": {"config": "/var/lib/kubelet/config.yaml"},
    "kube-proxy": {"config": "/var/lib/kube-proxy/config.conf"},
}
KUBELET: dict[str, Any] = {
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": f"{PKI}/ca.crt"},
    },
    "authorization": {"mode": "Webhook"},
    "rotateCertificates": True,
    "streamingConnectionIdleTimeout": "0s",
}
OPEN = ("certificates", "etcd-data", "kubelet-unit", "kubelet-ca", "kubelet-config")
CLOSED = (
    *(f"manifest-{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")),
    *("cni", "admin", "scheduler", "controller-manager", "pki", "keys", "kubelet-kubeconfig"),
)
FILES = {
    **{name: [File(f"/{name}", 0o644, "root:root")] for name in OPEN},
    **{name: [File(f"/{name}", 0o600, "root:root")] for name in CLOSED},
    "etcd-data": [File("/var/lib/etcd", 0o755, "root:root")],
    "kube-proxy": [],
}
# What the profile adds.
HARDENED = {
    API: {
        "admission-control-config-file": "/a",
        "audit-log-maxage": "30",
        "audit-log-maxbackup": "10",
        "audit-log-maxsize": "100",
        "audit-log-path": "/var/log/audit.log",
        "audit-policy-file": "/p",
        "authentication-config": "/b",
        "enable-admission-plugins": "NodeRestriction,EventRateLimit,DenyServiceExternalIPs",
        "encryption-provider-config": "/e",
        "kubelet-certificate-authority": f"{PKI}/ca.crt",
        "profiling": "false",
        "request-timeout": "1m0s",
        "service-account-extend-token-expiration": "false",
        "tls-cipher-suites": ",".join(SUITES),
    },
    "kube-controller-manager": {"profiling": "false", "terminated-pod-gc-threshold": "1000"},
    "kube-scheduler": {"profiling": "false"},
}
HARDENED_KUBELET = {
    "eventRecordQPS": 50,
    "makeIPTablesUtilChains": True,
    "podPidsLimit": 4096,
    "readOnlyPort": 0,
    "seccompDefault": True,
    "serverTLSBootstrap": True,
    "streamingConnectionIdleTimeout": "1h0m0s",
    "tlsCipherSuites": list(SUITES[3:]),
}
HEALTH = {"anonymous": {"enabled": True, "conditions": [{"path": "/livez"}]}}
SETTINGS = {
    "admission": {"plugins": [{"name": "PodSecurity", "configuration": {"defaults": {"enforce": "baseline"}}}]},
    "authentication": HEALTH,
    "encryption": {"secrets": "secretbox"},
}
PLAIN = Found(
    arguments={program: [given] for program, given in ARGUMENTS.items()},
    files=FILES,
    settings={"kubelet": KUBELET, "kube-proxy": {}},
)
FULL = Found(
    arguments={program: [{**given, **HARDENED.get(program, {})}] for program, given in ARGUMENTS.items()},
    files={name: [File(file.path, file.mode & 0o700, file.owner) for file in files] for name, files in FILES.items()},
    settings={**SETTINGS, "kubelet": {**KUBELET, **HARDENED_KUBELET}, "kube-proxy": {}},
)
# What variables say.
NOTHING = Found(
    arguments={API: [{}], "kubelet": [{}]},
    closed={**dict.fromkeys(OPEN, False), "cni": True},
    settings={"kubelet": {}, "kube-proxy": {}},
)
WANTED = Found(
    arguments={**{program: [given] for program, given in HARDENED.items()}, "kubelet": [{}]},
    closed=dict.fromkeys((*OPEN, "cni"), True),
    settings={**SETTINGS, "kubelet": HARDENED_KUBELET, "kube-proxy": {}},
)


def numbers(**values: Any) -> set[str]:
    """The items with these values, of a host and what was wanted."""
    running, wanted = values.pop("running"), values.pop("wanted")
    found = [judge(item, running, wanted) for item in ITEMS]
    return {item["number"] for item in found if all(item[key] == value for key, value in values.items())}


def by(*reasons: str) -> set[str]:
    return {item.number for item in ITEMS if item.by in reasons}


# Which the kubelet does by itself although the profile says so, too.
BY_ITSELF = {"4.2.4", "4.2.5", "4.2.6", "4.2.8"}


def test_kubeadm_by_itself_fulfils_what_is_said_to_hold_by_default() -> None:
    assert numbers(running=PLAIN, wanted=NOTHING, result=PASSED) == by("default") - {"4.1.3", "4.1.4"} | BY_ITSELF | {
        "4.2.7"
    }
    assert numbers(running=PLAIN, wanted=NOTHING, result=NONE) == {"4.1.3", "4.1.4"}
    assert numbers(running=PLAIN, wanted=NOTHING, promised=True) == by("default")


def test_the_profile_fulfils_what_it_promises() -> None:
    assert numbers(running=FULL, wanted=WANTED, promised=True) == by("default", "profile")
    assert numbers(running=FULL, wanted=WANTED, promised=True, result=FAILED) == set()
    assert numbers(running=FULL, wanted=WANTED, promised=True, result=UNKNOWN) == set()
    assert numbers(running=FULL, wanted=WANTED, result=FAILED) == by("choice") | {"1.1.12"}


def test_a_promise_that_is_not_kept_is_seen() -> None:
    assert numbers(running=PLAIN, wanted=WANTED, promised=True, result=FAILED) == by("profile") - BY_ITSELF


def test_an_empty_host_fulfils_nothing_and_nothing_is_called_wrong() -> None:
    empty = Found(arguments={program: [] for program in ARGUMENTS}, files={name: [] for name in FILES})
    assert numbers(running=empty, wanted=WANTED, result=FAILED) == set()
    assert numbers(running=empty, wanted=WANTED, result=PASSED) == set()


@pytest.mark.parametrize(
    ("wanted", "lost"),
    [
        ({API: {"profiling": "true"}}, {"1.2.15"}),
        ({API: {"enable-admission-plugins": "PodNodeSelector"}}, {"1.2.3", "1.2.9", "1.2.14"}),
        ({API: {"authorization-mode": "AlwaysAllow"}}, {"1.2.6", "1.2.7", "1.2.8"}),
        ({API: {"anonymous-auth": "true", "authentication-config": ""}}, {"1.2.1"}),
        ({"kube-scheduler": {"bind-address": "0.0.0.0"}}, {"1.4.2"}),  # noqa: S104
        ({"kubelet": {"read-only-port": "10255"}}, {"4.2.4"}),
    ],
)
def test_what_the_user_sets_otherwise_is_not_promised(wanted: dict[str, dict[str, str]], lost: set[str]) -> None:
    arguments = {program: [{**found[0], **wanted.get(program, {})}] for program, found in {**WANTED.arguments}.items()}
    asked = Found(arguments, WANTED.files, WANTED.closed, WANTED.settings)
    assert by("default", "profile") - numbers(running=FULL, wanted=asked, promised=True) == lost


def of(*processes: dict[str, str], settings: dict[str, Any] | None = None, **files: list[File]) -> Found:
    """What was found of an API server, or of a kubelet with the settings."""
    return Found({API: list(processes), "kubelet": list(processes)}, dict(files), {}, settings or {})


LIST = Argument(API, ("plugins",), hardening.has("A"))
FIELD = Setting("kubelet", "a.b", hardening.at_least(5), argument="a-b")
LIMIT = Setting("kubelet", "t", hardening.NOT_ZERO, argument="t", unset="0s")
PROXY = Setting("kube-proxy", "m", hardening.LOCAL, everywhere=False)
MODE, OWNER = Closed("x"), Owned("x")
PSA = PodSecurity(("baseline", "restricted"))
ENCRYPTED = {"encryption-provider-config": "/e"}


@pytest.mark.parametrize(
    ("check", "found", "result", "detail"),
    [
        (LIST, of(), UNKNOWN, "no process kube-apiserver"),
        (LIST, of({}), ABSENT, "--plugins is not set"),
        (LIST, of({"plugins": "B,A"}), PASSED, "--plugins=B,A"),
        (LIST, of({"plugins": "AB"}), FAILED, "--plugins lacks A: AB"),
        # Every process counts, as two may run for a moment.
        (LIST, of({"plugins": "A"}, {"plugins": "B"}), FAILED, "--plugins lacks A: B"),
        (LIST, of({"plugins": "A"}, {}), ABSENT, "--plugins is not set"),
        (Argument(API, ("a", "b")), of({"a": "1"}), ABSENT, "--b is not set"),
        (Argument(API, ("a",)), of({"a": ""}), FAILED, "--a is empty"),
        (Argument(API, ("a",), instead="c"), of({"c": "1"}), NONE, "--c decides"),
        (Argument(API, ("a",), hardening.IS_TRUE), of({"a": "True"}), PASSED, "--a=True"),
        (Argument(API, ("a",), hardening.IS_FALSE), of({"a": "true"}), FAILED, "--a is not false: true"),
        (Argument(API, ("a",), hardening.LOCAL), of({"a": "::"}), FAILED, "--a is not 127.0.0.1: ::"),
        (Argument(API, ("a",), hardening.LOCAL), of({"a": "[::1]:80"}), PASSED, "--a=[::1]:80"),
        (
            Argument(API, ("a",), hardening.LOCAL),
            of({"a": "127.0.0.1.x"}),
            FAILED,
            "--a is not 127.0.0.1: 127.0.0.1.x",
        ),
        (Argument(API, ("a",), hardening.at_least(30)), of({"a": "x"}), FAILED, "--a is less than 30: x"),
        (
            Argument(API, ("a",), hardening.among(["S"])),
            of({"a": "S,T"}),
            FAILED,
            "--a has others than strong ones: S,T",
        ),
        (FIELD, of({}), UNKNOWN, "no configuration of kubelet is known"),
        (FIELD, of({}, settings={"kubelet": None}), UNKNOWN, "the configuration of kubelet cannot be read"),
        (FIELD, of({}, settings={"kubelet": {"a": 3}}), ABSENT, "a.b is not set"),
        (FIELD, of({}, settings={"kubelet": {"a": {"b": 5}}}), PASSED, "a.b=5"),
        (FIELD, of({"a-b": "4"}, settings={"kubelet": {"a": {"b": 5}}}), FAILED, "--a-b is less than 5: 4"),
        # kubeadm writes a time that was not set as zero.
        (LIMIT, of({}, settings={"kubelet": {"t": "0s"}}), ABSENT, "t is not set"),
        (LIMIT, of({}, settings={"kubelet": {"t": "4h0m0s"}}), PASSED, "t=4h0m0s"),
        (LIMIT, of({"t": "0"}), FAILED, "--t is 0: 0"),
        (PROXY, Found({"kube-proxy": []}), NONE, "no process kube-proxy"),
        (
            PROXY,
            Found({"kube-proxy": [{}]}, settings={"kube-proxy": {"m": "0.0.0.0:1"}}),
            FAILED,
            "m is not 127.0.0.1: 0.0.0.0:1",
        ),
        (PROXY, Found({"kube-proxy": [{}]}, settings={"kube-proxy": {"m": ""}}), PASSED, "m is empty"),
        (MODE, of(), UNKNOWN, "not looked at"),
        (MODE, of(x=[]), NONE, "there is none"),
        (MODE, of(x=[File("/a", 0o400, "root:root")]), PASSED, "mode 0400"),
        (MODE, of(x=[File("/a", 0o600, "a:b"), File("/b", 0o600, "a:b")]), PASSED, "mode 0600, 2 files"),
        (MODE, of(x=[File("/a", 0o600, "a:b"), File("/b", 0o400, "a:b")]), PASSED, "2 files"),
        (MODE, of(x=[File("/a", 0o600, "a:b"), File("/b", 0o640, "a:b")]), FAILED, "/b: mode 0640"),
        (MODE, of(x=[File("/a", 0o604, "a:b"), File("/b", 0o640, "a:b")]), FAILED, "/a: mode 0604 and 1 more"),
        (OWNER, of(x=[File("/a", 0o777, "root:root")]), PASSED, "root:root"),
        (OWNER, of(x=[File("/a", 0o600, "root:adm")]), FAILED, "/a: root:adm"),
        (Anonymous(), of({}), ABSENT, "--anonymous-auth is not set"),
        (Anonymous(), of({"anonymous-auth": "false"}), PASSED, "--anonymous-auth=false"),
        (
            Anonymous(),
            of({"authentication-config": "/b"}),
            UNKNOWN,
            "the file of --authentication-config cannot be read",
        ),
        (
            Anonymous(),
            of({"authentication-config": "/b"}, settings={"authentication": {"jwt": []}}),
            ABSENT,
            "--anonymous-auth is not set",
        ),
        (
            Anonymous(),
            of({"authentication-config": "/b"}, settings={"authentication": HEALTH}),
            PASSED,
            "without an account only 1 paths",
        ),
        (
            Anonymous(),
            of({"authentication-config": "/b"}, settings={"authentication": {"anonymous": {"enabled": True}}}),
            FAILED,
            "anonymous is on, for every path",
        ),
        (
            Anonymous(),
            of({"authentication-config": "/b"}, settings={"authentication": {"anonymous": {"enabled": False}}}),
            PASSED,
            "anonymous is off",
        ),
        (PSA, of(), UNKNOWN, "no process kube-apiserver"),
        (PSA, of({}), ABSENT, "no admission configuration"),
        (PSA, of({}, settings={"admission": None}), UNKNOWN, "the admission configuration cannot be read"),
        (
            PSA,
            of({}, settings={"admission": {"plugins": [{"name": "EventRateLimit"}]}}),
            ABSENT,
            "pod security admission has no defaults",
        ),
        (PSA, of({}, settings={"admission": {"plugins": [{"name": "PodSecurity"}]}}), ABSENT, "enforce is not set"),
        (PSA, of({}, settings={"admission": SETTINGS["admission"]}), PASSED, "enforce=baseline"),
        (
            PodSecurity(("restricted",)),
            of({}, settings={"admission": SETTINGS["admission"]}),
            FAILED,
            "enforce is not restricted: baseline",
        ),
        (Encrypted(("kms",)), of({}), ABSENT, "--encryption-provider-config is not set"),
        (Encrypted(("kms",)), of(ENCRYPTED), UNKNOWN, "the file of --encryption-provider-config cannot be read"),
        (
            Encrypted(("kms",)),
            of(ENCRYPTED, settings={"encryption": {"secrets": "identity"}}),
            FAILED,
            "provider is not kms: identity",
        ),
        (
            Encrypted(("kms",)),
            of(ENCRYPTED, settings={"encryption": {"configmaps": "kms"}}),
            ABSENT,
            "provider is not set",
        ),
        (
            OwnAuthority(),
            of({"etcd-cafile": "/a", "client-ca-file": "/a"}),
            FAILED,
            "--etcd-cafile is the cluster's: /a",
        ),
    ],
)
def test_checks(check: Check, found: Found, result: str, detail: str) -> None:
    verdict = check.look(found)
    assert (verdict.result, verdict.detail) == (result, detail)


def test_nothing_that_never_holds_is_promised() -> None:
    item = Item("1.1.12", "x", "etcd", "no", Owned("x", "etcd:etcd"))
    found = Found(files={"x": [File("/x", 0o700, "etcd:etcd")]})
    assert judge(item, found, found) == {
        "number": "1.1.12", "title": "x", "by": "no", "result": PASSED, "promised": False, "detail": "etcd:etcd",
    }  # fmt: skip
