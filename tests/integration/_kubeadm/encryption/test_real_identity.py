"""The identity of a cluster, read from what a real API server has in a real etcd, plain and encrypted at rest."""

# ruff: noqa: D103

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[4] / ".build" / "collections"))

from ansible_collections.groundwork.kubernetes.plugins.modules import backup, backup_info
from cluster import ETCD, FLAG, KUBERNETES, ApiServer, Cluster, missing
from real_etcd import Run

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"), ["cp-1"])
    try:
        yield made
    finally:
        made.stop()


def encrypt_namespaces(server: ApiServer) -> None:
    key = {"name": "key-1", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
    rule = {"resources": ["namespaces"], "providers": [{"aescbc": {"keys": [key]}}, {"identity": {}}]}
    path = server.folder / "encryption.yaml"
    path.write_text(
        json.dumps({"apiVersion": "apiserver.config.k8s.io/v1", "kind": "EncryptionConfiguration", "resources": [rule]})
    )
    server.restart({FLAG: str(path)})
    server.kubectl("annotate", "namespace", "kube-system", "written=anew")


def test_the_identity_is_that_of_the_namespace(
    run: Run, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{KUBERNETES}:{os.environ['PATH']}")
    server = cluster.servers["cp-1"]
    server.restart({})
    uid = json.loads(server.kubectl("get", "namespace", "kube-system", "--output=json").stdout)["metadata"]["uid"]
    options = {
        "bin_dir": str(ETCD), "endpoints": [cluster.client], "directory": str(tmp_path / "backups"), "cluster": "test",
        "include": [], "kubeconfig": str(tmp_path / "none"), "keep": {"last": 1},
    }  # fmt: skip

    first = run(backup, **options)
    assert first["manifest"]["cluster_uid"] == uid
    assert first["path"].endswith(f"Z-{uid[:8]}.tar")
    assert first["proof"]["passed"]
    reported = run(backup_info, directory=options["directory"], kubeconfig=str(server.kubeconfig))
    assert [item["cluster_uid"] for item in reported["backups"]] == [uid]

    encrypt_namespaces(server)
    stored = cluster.stored("namespaces")["/registry/namespaces/kube-system"]
    assert stored.startswith(b"k8s:enc:aescbc:")
    # etcd does not tell, and nobody else is asked: then no archive is taken for its own, and none is removed.
    unknown = run(backup, **options)
    assert (unknown["manifest"]["cluster_uid"], unknown["removed"], unknown["others"]) == ("", [], [first["path"]])
    # The API tells.
    second = run(backup, **{**options, "kubeconfig": str(server.kubeconfig)})
    assert (second["manifest"]["cluster_uid"], second["removed"]) == (uid, [first["path"]])
    assert second["unidentified"] == [unknown["path"]]


def test_owners_and_labels_do_not_look_like_an_identity(run: Run, cluster: Cluster, tmp_path: Path) -> None:
    server = cluster.servers["cp-1"]
    server.restart({})
    other = "2ab4c9d0-11aa-4bbb-8ccc-d0d1d2d3d4d5"
    server.kubectl("annotate", "namespace", "kube-system", f"a=*${other}")
    server.kubectl("label", "namespace", "kube-system", f"owner={other}")
    uid = json.loads(server.kubectl("get", "namespace", "kube-system", "--output=json").stdout)["metadata"]["uid"]
    made = run(
        backup, bin_dir=str(ETCD), endpoints=[cluster.client], directory=str(tmp_path / "b"), cluster="test", include=[]
    )
    assert made["manifest"]["cluster_uid"] == uid
