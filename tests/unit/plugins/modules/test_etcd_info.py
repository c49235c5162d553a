"""The module etcd_info: where an API server's etcd is, and how long it is waited for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._etcd.quorum import Cluster, Member
from ansible_collections.groundwork.kubernetes.plugins.modules import etcd_info

Run = Callable[..., dict[str, Any]]

MANIFEST = """\
spec:
  containers:
  - command:
    - kube-apiserver
    - --etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt
    - --etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client.crt
    - --etcd-keyfile=/etc/kubernetes/pki/apiserver-etcd-client.key
    - --etcd-servers=https://192.0.2.1:2379,https://192.0.2.2:2379
"""
GOOD = Member(1, "m1", ("https://192.0.2.1:2380",), ("https://192.0.2.1:2379",), healthy=True)
BAD = Member(2, "m2", ("https://192.0.2.2:2380",), ("https://192.0.2.2:2379",), error="refused")
HEALTHY, SICK, LOST = Cluster((GOOD,), 1), Cluster((GOOD, GOOD, BAD), 1), Cluster((BAD,))


@pytest.fixture
def ask(run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(AnsibleModule, "get_bin_path", lambda *_arguments, **_options: "/usr/local/bin/etcdctl")
    now = [0.0]
    monkeypatch.setattr(etcd_info.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(etcd_info.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))

    def run(*states: Cluster, **options: Any) -> dict[str, Any]:
        left = list(states)

        def read_cluster(etcd: Any) -> Cluster:
            asked.append(etcd)
            return left.pop(0) if len(left) > 1 else left[0]

        asked: list[Any] = []
        monkeypatch.setattr(etcd_info, "read_cluster", read_cluster)
        result = run_module(etcd_info, **options)
        return {**result, "asked": len(asked), "seconds": now[0]}

    return run


def test_an_api_servers_etcd_is_asked(ask: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "kube-apiserver.yaml"
    manifest.write_text(MANIFEST)
    seen: list[dict[str, Any]] = []
    begin = etcd_info.EtcdModule.__init__
    monkeypatch.setattr(
        etcd_info.EtcdModule,
        "__init__",
        lambda self, module: (begin(self, module), seen.append(dict(module.params)))[0],
    )
    result = ask(HEALTHY, api_server=str(manifest))
    assert (result["healthy"], result["faults"]) == (True, [])
    assert {name: seen[0][name] for name in ("endpoints", "cacert", "cert", "key")} == {
        "endpoints": ["https://192.0.2.1:2379", "https://192.0.2.2:2379"],
        "cacert": "/etc/kubernetes/pki/etcd/ca.crt",
        "cert": "/etc/kubernetes/pki/apiserver-etcd-client.crt",
        "key": "/etc/kubernetes/pki/apiserver-etcd-client.key",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), ("spec: {}\n", "has no option --etcd-servers: set endpoints, cacert, cert and key")],
)
def test_an_api_server_that_does_not_tell(ask: Run, tmp_path: Path, content: str | None, message: str) -> None:
    manifest = tmp_path / "kube-apiserver.yaml"
    if content is not None:
        manifest.write_text(content)
    result = ask(HEALTHY, api_server=str(manifest))
    assert result["failed"]
    assert result["msg"].startswith(f"api_server: {manifest} ")
    assert message in result["msg"]
    assert result["asked"] == 0


@pytest.mark.parametrize(
    ("states", "options", "healthy", "waited"),
    [
        ((SICK,), {}, False, False),
        ((SICK, HEALTHY), {"healthy_timeout": 60}, True, True),
        ((SICK,), {"healthy_timeout": 60}, False, True),
        ((SICK, HEALTHY), {"quorum_timeout": 60}, False, False),
        ((LOST, HEALTHY), {"quorum_timeout": 60}, True, True),
        ((LOST, HEALTHY), {"healthy_timeout": 60}, True, True),
        ((HEALTHY,), {"quorum_timeout": 60, "healthy_timeout": 60}, True, False),
    ],
)
def test_waiting(ask: Run, states: tuple[Cluster, ...], options: dict[str, int], healthy: bool, waited: bool) -> None:
    result = ask(*states, **options)
    assert (result["healthy"], result["seconds"] > 0) == (healthy, waited)
    assert bool(result["faults"]) is not healthy
