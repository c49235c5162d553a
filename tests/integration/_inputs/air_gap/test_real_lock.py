"""The playbook lock, with a real kubeadm, a real registry and real files."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from air_gap import CACHE, COMPONENTS, NAME, VERSION, Inventory, Servers

PROGRAMS = {"cni-plugins", "containerd", "crictl", "etcd", "kubeadm", "kubectl", "kubelet", "runc"}
MANIFEST = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: proof, namespace: default}}
spec:
  containers:
    - name: one
      image: {NAME}/groundwork/proof:1
"""


def test_the_lock_says_what_there_is_and_the_same_again(inventory: Inventory, servers: Servers) -> None:
    """Every program and image, with what sha256sum and skopeo say of them; a second run changes no byte."""
    checked = inventory.done("lock", "--check", "--diff")
    assert "+format: 1" in checked
    assert not inventory.lock.exists()
    inventory.done("lock")
    text = inventory.lock.read_text()
    entries = {entry["name"]: entry for entry in inventory.entries()}
    assert entries.keys() >= PROGRAMS
    named = {f"{NAME}/{name}:v{VERSION}" for name in COMPONENTS}
    named |= {f"{NAME}/{name}" for name in ("pause:3.2", "etcd:3.4.13-0", "groundwork/busybox:1")}
    assert entries.keys() - PROGRAMS == named
    kubelet = (CACHE / f"release/v{VERSION}/bin/linux/amd64/kubelet").read_bytes()
    assert entries["kubelet"]["sha256"] == hashlib.sha256(kubelet).hexdigest()
    assert entries["kubelet"]["size"] == len(kubelet)
    assert entries["kubelet"]["roles"] == ["control_plane", "worker"]
    pause = f"docker://{servers.registry.removeprefix('http://')}/pause:3.2"
    told = subprocess.run(["skopeo", "inspect", "--tls-verify=false", pause], capture_output=True, check=True)
    assert f"sha256:{entries[f'{NAME}/pause:3.2']['sha256']}" == json.loads(told.stdout)["Digest"]

    assert "Nothing differs" in inventory.done("lock")
    assert inventory.lock.read_text() == text
    assert "Nothing differs" in inventory.done("lock", "--check", "--diff")


def test_drift_is_told_and_nothing_written_in_check_mode(inventory: Inventory, servers: Servers) -> None:
    """A tag that moved, and programs that are not wanted any more."""
    inventory.variables["verify_image"] = f"{NAME}/groundwork/moved:1"
    servers.push("groundwork/moved:1")
    inventory.done("lock")
    before = inventory.lock.read_text()
    servers.push("groundwork/moved:1", "something else")
    output = inventory.done("lock", "--check", "--diff", kubernetes_install_method="package")
    assert f"image {NAME}/groundwork/moved:1: sha256 " in output
    assert "file kubelet 1.20.2 amd64: no host needs it any more" in output
    assert inventory.lock.read_text() == before


def test_images_of_manifests(inventory: Inventory, servers: Servers, tmp_path: Path) -> None:
    """Those of a file and of text in the inventory."""
    servers.push("groundwork/proof:1")
    path = tmp_path / "own.yml"
    path.write_text(MANIFEST)
    inventory.done("lock", cni_plugin="manifests", cni_manifests=[{"path": str(path)}, {"content": MANIFEST}])
    entries = {(entry["kind"], entry["name"]): entry for entry in inventory.entries()}
    assert ("image", f"{NAME}/groundwork/proof:1") in entries
    assert entries["manifest", str(path)]["sha256"] == hashlib.sha256(MANIFEST.encode()).hexdigest()


def test_all_that_cannot_be_had_is_told_and_the_lock_stays(inventory: Inventory) -> None:
    """Programs and images in one message."""
    inventory.done("lock")
    before = inventory.lock.read_text()
    output = inventory.refused("lock", verify_image=f"{NAME}/nothing:1", kubernetes_crictl_url="http://127.0.0.1:1/c")
    assert f"{NAME}/nothing:1 cannot be had" in output
    assert "crictl 0.0.1: cannot download http://127.0.0.1:1/c" in output
    assert inventory.lock.read_text() == before


def test_a_program_that_is_not_what_its_checksum_says(inventory: Inventory) -> None:
    """It is neither run nor locked."""
    wrong = {"kubeadm": {VERSION: {"amd64": "0" * 64}}}
    output = inventory.refused("lock", kubernetes_digests=wrong)
    assert f"is not the file whose checksum is sha256:{'0' * 64}, so it was not run" in output
    assert not inventory.lock.exists()


def test_a_run_is_refused_for_all_that_the_lock_lacks(inventory: Inventory) -> None:
    """Before any host is reached."""
    inventory.done("lock")
    lines = inventory.lock.read_text().replace("name: runc", "name: other").replace("pause:3.2", "pause:0")
    inventory.lock.write_text(lines)
    output = inventory.refused("site", "--check", kubernetes_digests={"etcd": {"3.4.23": {"amd64": "0" * 64}}})
    assert f"does not have image {NAME}/pause:3.2, runc 1.1.5 (amd64); run the playbook lock" in output
    assert f"differs: etcd 3.4.23 (amd64) is {'0' * 64} for the inventory" in output
    assert "Nothing was touched" in output


def test_a_lock_needs_a_name(inventory: Inventory) -> None:
    """The variable says where it is."""
    assert "it must name a file of the controller from the root on" in inventory.refused("lock", kubernetes_lock="")
