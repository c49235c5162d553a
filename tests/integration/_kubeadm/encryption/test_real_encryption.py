"""Encryption at rest, audit and the hardened arguments on real API servers.

Two API servers share one etcd, as two control planes do. The role plans and writes the files; the restart is this
test's own. After every single restart, each of them must read everything, and what each of them writes.
"""

# ruff: noqa: D103

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / ".build" / "collections"))

from ansible_collections.groundwork.kubernetes.plugins.modules.encryption_info import new_key
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import encryption_at_rest
from cluster import FLAG, ApiServer, Cluster, missing, play

HOSTS = ["cp-1", "cp-2"]
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"), HOSTS)
    try:
        yield made
    finally:
        made.stop()


class Role:
    """The role's tasks before an API server starts, on the folders of the cluster's API servers."""

    def __init__(self, cluster: Cluster, absent: Sequence[str] = (), **variables: Any) -> None:
        self.cluster, self.absent = cluster, absent
        self.variables = {
            "kubernetes_version": "1.20.2",
            "kubernetes_node_ip": "127.0.0.1",
            "control_plane_audit_log": "{{ __control_plane_folder }}/audit.log",
            # No kubelet takes part here.
            "control_plane_verify_kubelets": False,
            "__control_plane_folder": f"{cluster.folder}/{{{{ inventory_hostname }}}}",
            # Where both API servers find it, as on hosts it has the same path.
            "__control_plane_encryption_folder": f"{cluster.folder}/encryption",
            "__control_plane_node": {"role": "control_plane", "interrupted": "", "missing": []},
            **variables,
        }

    def run(self, expect_failure: bool = False) -> dict[str, Any]:
        """What it would give kubeadm, by host, and its plan; or the message with which it failed."""
        shown = {
            "arguments": "{{ __control_plane_hardening.apiServer.extraArgs }}",
            "plan": "{{ __control_plane_encryption_plan }}",
        }
        role = {"name": "groundwork.kubernetes.control_plane", "tasks_from": "hardening.yml", "public": True}
        tasks = [
            {"name": "prepare", "ansible.builtin.include_role": role},
            {"name": "show", "ansible.builtin.debug": {"msg": shown}},
        ]
        result = play(self.cluster.folder, {"tasks": tasks}, list(self.cluster.servers), self.variables, self.absent)
        last = result["plays"][0]["tasks"][-1]["hosts"]
        if expect_failure:
            return {host: found.get("msg", "") for host, found in last.items()}
        assert all(isinstance(found.get("msg"), dict) for found in last.values()), result["output"]
        return {host: found["msg"] for host, found in last.items()}

    def arguments(self, shown: dict[str, Any], path: str) -> dict[str, str]:
        """The API server's arguments, with the keys of a step."""
        found = {item["name"]: str(item["value"]) for item in shown["arguments"] if item["name"] != FLAG}
        return {**found, **({FLAG: path} if path else {})}


def check(cluster: Cluster, name: str) -> None:
    """Each API server reads everything, and what each of them writes now."""
    for host, server in cluster.servers.items():
        server.add(f"{name}-{host}")
    everything = [server.secrets() for server in cluster.servers.values()]
    assert everything[0] == everything[1]
    assert all(value == f"of-{secret}" for secret, value in everything[0].items())


def rewrite(cluster: Cluster, server: ApiServer, resources: list[str]) -> dict[str, Any]:
    options = {"resources": resources, "kubeconfig": str(server.kubeconfig)}
    tasks = [{"name": "it", "groundwork.kubernetes.encryption_rewrite": options}]
    result = play(cluster.folder, {"tasks": tasks}, ["cp-1"], {})
    found: dict[str, Any] = result["plays"][0]["tasks"][0]["hosts"]["cp-1"]
    assert not found.get("failed"), found
    return found


def change(cluster: Cluster, role: Role, label: str, budget: int = 99) -> list[str]:
    """What the role does, cut off after so many restarts; the titles of the steps that were made to the end."""
    shown = role.run()
    plan = shown["cp-1"]["plan"]
    assert plan == shown["cp-2"]["plan"]
    assert plan["faults"] == []
    final = {"title": "the end", "path": plan["path"], "content": plan["content"], "rewrite": []}
    titles = []
    for number, stage in enumerate([*plan["transitions"], final]):
        for host, server in cluster.servers.items():
            own = stage["path"]
            if own:
                Path(own).write_text(stage["content"])
            wanted = role.arguments(shown[host], own)
            if f"--{FLAG}={own}\n" in server.manifest.read_text() or (
                not own and FLAG not in server.manifest.read_text()
            ):
                continue
            if budget == 0:
                return titles
            budget -= 1
            server.restart(wanted)
            check(cluster, f"{label}-{number}-{host}")
        if stage["rewrite"]:
            count = rewrite(cluster, cluster.servers["cp-2"], stage["rewrite"])["objects"]
            assert count == len(cluster.stored("secrets")) + len(cluster.stored("roles"))
        titles.append(stage["title"])
    return titles


def prefixes(cluster: Cluster, resource: str = "secrets") -> set[str]:
    """How etcd holds the objects: the API server's own mark with the key's name, or plain."""
    found = cluster.stored(resource).values()
    return {
        ":".join(value.decode("latin-1").split(":")[:5]) if value.startswith(b"k8s:enc:") else "plain"
        for value in found
    }


def keys(server: ApiServer) -> list[str]:
    """The names of the keys that an API server reads with; the first writes."""
    path = Path(server.manifest.read_text().partition(f"--{FLAG}=")[2].split()[0])
    config = encryption_at_rest.parse(path.read_text())
    assert config["secrets"] == config["roles.rbac.authorization.k8s.io"]
    return [provider.name for provider in config["secrets"]]


ENCRYPTED: dict[str, Any] = {
    "kubernetes_hardened": True,
    "control_plane_encryption_resources": ["secrets", "roles.rbac.authorization.k8s.io"],
}
SPREAD, SWITCH, END = (
    "let all read what is to be written",
    "write with the new key, and write anew what is stored",
    "the end",
)


def test_a_hardened_api_server_starts_with_what_the_role_gives(cluster: Cluster) -> None:
    """Also the state from which the following tests go on: two API servers with all but encryption, and old Secrets."""
    role = Role(cluster, kubernetes_hardened=True, control_plane_encryption_provider="none")
    shown = role.run()
    for host, server in cluster.servers.items():
        arguments = role.arguments(shown[host], "")
        assert {"profiling", "tls-min-version", "tls-cipher-suites", "audit-policy-file"} <= arguments.keys()
        assert FLAG not in arguments
        assert (Path(arguments["audit-policy-file"]).stat().st_mode & 0o777) == 0o600
        server.restart(arguments)
    first = cluster.servers["cp-1"]
    first.kubectl("create", "namespace", "other")
    first.kubectl("create", "role", "old", "--verb=get", "--resource=pods")
    # More than one portion.
    objects = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": f"old-{number}", "namespace": "other"},
            "stringData": {"value": f"of-old-{number}"},
        }
        for number in range(230)
    ]
    first.kubectl("create", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    check(cluster, "plain")
    assert prefixes(cluster) == {"plain"}
    assert first.kubectl("get", "--raw=/debug/pprof/", check=False).returncode != 0


def test_the_audit_log_tells_who_did_what_but_no_secret(cluster: Cluster) -> None:
    server = cluster.servers["cp-1"]
    server.kubectl("create", "clusterrole", "reader", "--verb=get", "--resource=pods")
    server.kubectl("get", "--raw=/healthz")
    server.kubectl("create", "configmap", "settings", "--from-literal=password=hunter2")
    events = [json.loads(line) for line in (server.folder / "audit.log").read_text().splitlines()]
    assert {event["level"] for event in events} == {"Metadata", "Request"}
    assert "hunter2" not in json.dumps(events)
    assert "b2Ytb2xkLTE" not in json.dumps(events)  # of-old-1
    of_secrets = [event for event in events if (event.get("objectRef") or {}).get("resource") == "secrets"]
    assert any(event["verb"] == "create" and event["user"]["username"] == "admin" for event in of_secrets)
    assert not any("requestObject" in event or "responseObject" in event for event in of_secrets)
    (role,) = [event for event in events if (event.get("objectRef") or {}).get("name") == "reader" or (
        event.get("requestObject") or {}).get("metadata", {}).get("name") == "reader"]  # fmt: skip
    assert role["requestObject"]["rules"][0]["resources"] == ["pods"]
    assert not any(event["requestURI"].startswith(("/healthz", "/readyz", "/livez")) for event in events)
    assert not any(event["stage"] == "RequestReceived" for event in events)


def test_encryption_is_turned_on_in_a_cluster_that_runs(cluster: Cluster) -> None:
    role = Role(cluster, **ENCRYPTED)
    assert change(cluster, role, "on") == [SPREAD, SWITCH, END]
    for resource in ("secrets", "roles"):
        (prefix,) = prefixes(cluster, resource)
        assert prefix.startswith("k8s:enc:secretbox:v1:key-")
    assert prefixes(cluster, "configmaps") == {"plain"}
    assert all(b"of-old" not in value for value in cluster.stored().values())
    assert role.run()["cp-1"]["plan"]["transitions"] == []
    assert keys(cluster.servers["cp-1"]) == keys(cluster.servers["cp-2"]) == [prefix.split(":")[4]]


def test_an_interrupted_rotation_is_resumed(cluster: Cluster) -> None:
    """Cut off when only one API server knows the new key, and again when only one writes with it."""
    (before,) = prefixes(cluster)
    old = before.split(":")[4]
    one, two = cluster.servers.values()
    rotate = Role(cluster, **ENCRYPTED, control_plane_encryption_rotate=True)
    assert change(cluster, rotate, "cut", 1) == []
    new = keys(one)[1]
    assert (keys(one), keys(two)) == ([old, new], [old])
    # It goes on without being asked to rotate.
    assert change(cluster, Role(cluster, **ENCRYPTED), "cut-again", 2) == [SPREAD]
    assert (keys(one), keys(two)) == ([new, old], [old, new])
    # It does not begin another rotation if it is asked to.
    assert change(cluster, rotate, "resumed") == [SWITCH, END]
    assert (keys(one), keys(two)) == ([new], [new])
    assert prefixes(cluster) == {before.replace(old, new)}


def test_rewriting_again_writes_nothing(cluster: Cluster) -> None:
    """What makes a rewrite that was cut off cheap to resume."""
    before = cluster.stored()
    assert rewrite(cluster, cluster.servers["cp-1"], ["secrets"])["objects"] == len(before)
    assert cluster.stored() == before


def test_a_missing_control_plane_stops_a_change(cluster: Cluster) -> None:
    """Neither of the two is touched while another one may be there."""
    role = Role(
        cluster,
        ["cp-3"],
        **ENCRYPTED,
        control_plane_encryption_rotate=True,
        __control_plane_hosts=[*HOSTS, "cp-3"],
    )
    assert "cp-3 did not take part in this run" in role.run(expect_failure=True)["cp-1"]


def test_encryption_is_turned_off(cluster: Cluster) -> None:
    role = Role(cluster, kubernetes_hardened=True, control_plane_encryption_provider="none")
    assert change(cluster, role, "off") == [SPREAD, SWITCH, END]
    for resource in ("secrets", "roles"):
        assert prefixes(cluster, resource) == {"plain"}
    assert all(FLAG not in server.manifest.read_text() for server in cluster.servers.values())


def test_an_api_server_reads_every_provider(cluster: Cluster) -> None:
    key = new_key(datetime.now(timezone.utc))
    made = [encryption_at_rest.Provider(kind, key["name"], key["secret"]) for kind in ("aesgcm", "aescbc", "secretbox")]
    path = cluster.folder / "encryption" / "all.yaml"
    path.write_text(encryption_at_rest.render({"secrets": (*made, encryption_at_rest.IDENTITY)}))
    server = cluster.servers["cp-1"]
    server.restart({FLAG: str(path)})
    server.add("gcm")
    assert server.secrets()["gcm"] == "of-gcm"
    assert f"k8s:enc:aesgcm:v1:{key['name']}" in prefixes(cluster)


def test_pod_security_is_refused_where_kubernetes_has_none(cluster: Cluster) -> None:
    role = Role(cluster, control_plane_pod_security={"enforce": "baseline"}, control_plane_patches="/none")
    message = role.run(expect_failure=True)["cp-1"]
    assert "control_plane_pod_security needs Kubernetes 1.23 or newer, and kubernetes_version is 1.20.2" in message
    assert "control_plane_patches: there is no file in /none" in message
