"""The cluster's authority is rotated on a real API server, by a real kubeadm: who gets through after which stage."""

# ruff: noqa: D103

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.groundwork.kubernetes.plugins.modules import ca_rotation, ca_rotation_info

sys.path.insert(0, str(Path(__file__).parent))

from real_control_plane import KUBERNETES, NEEDS, Host
from real_etcd import Run, wait

pytestmark = NEEDS


def gets_through(host: Host, kubeconfig: Path) -> bool:
    """Whether the API server takes a kubeconfig, and it takes the API server."""
    command = [
        str(KUBERNETES / "kubectl"), f"--kubeconfig={kubeconfig}", f"--server=https://127.0.0.1:{host.port}",
        f"--cache-dir={host.folder}/cache", "--tls-server-name=kubernetes", "get", "--raw=/api/v1/nodes",
    ]  # fmt: skip
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def restart(host: Host) -> None:
    host.stop()
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")


def test_who_gets_through_after_which_stage(host: Host, run: Run) -> None:
    host.start()
    wait(host.ready, host.folder / "kube-apiserver.log")

    def state() -> dict[str, Any]:
        found: dict[str, Any] = run(ca_rotation_info)["state"]
        return found

    made = run(ca_rotation, stage="create", config=str(host.config))
    new = {"authority": made["authority"], "config": str(host.config)}
    assert (host.folder / "pki" / "rotation" / "ca.key").stat().st_mode & 0o777 == 0o600
    before = state()
    old, following = before["authorities"][0], before["next"][0]
    assert (before["role"], before["errors"], before["shown"]) == ("control_plane", [], [old["fingerprint"]])
    assert old["key_id"] != following["key_id"] != ""
    assert set(before["issued"].values()) == {old["key_id"]}
    first = host.folder / "first.conf"
    shutil.copy(host.folder / "admin.conf", first)

    assert run(ca_rotation, stage="trust", **new)["changed"]
    trusting = host.folder / "trusting.conf"
    shutil.copy(host.folder / "admin.conf", trusting)
    restart(host)
    assert gets_through(host, first)
    assert gets_through(host, trusting)
    assert state()["shown"] == [old["fingerprint"]]

    assert run(ca_rotation, stage="issue", **new)["changed"]
    issued = host.folder / "issued.conf"
    shutil.copy(host.folder / "admin.conf", issued)
    restart(host)
    # Those of the old authority are still taken, and one that trusts it alone cannot come.
    assert (gets_through(host, first), gets_through(host, trusting), gets_through(host, issued)) == (False, True, True)
    now = state()
    assert now["shown"] == [following["fingerprint"]]
    assert {key for name, key in now["issued"].items() if name != "kubelet-client"} == {following["key_id"]}
    assert now["signs_with_next"]

    assert run(ca_rotation, stage="drop", **new)["changed"]
    restart(host)
    assert (gets_through(host, trusting), gets_through(host, issued), host.ready()) == (False, True, True)
    assert not run(ca_rotation, stage="drop", **new)["changed"]
