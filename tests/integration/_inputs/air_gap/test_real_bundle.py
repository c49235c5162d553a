"""The playbook bundle, with a real registry; what other programs make of its folder."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from air_gap import NAME, Inventory, Servers


def test_a_bundle_that_other_programs_read(inventory: Inventory, servers: Servers, tmp_path: Path) -> None:
    """The sums, the signature and the images; what is missing or altered is named."""
    inventory.done("lock")
    folder, key = tmp_path / "bundle", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(key)], check=True)
    inventory.variables |= {"bundle_folder": str(folder), "bundle_signing_key": str(key)}
    # kubelet and the archives are large, and files are files.
    lock = json.dumps(
        {
            "format": 1,
            "architectures": ["amd64"],
            "artifacts": [
                one for one in inventory.entries() if one["kind"] == "image" or one["name"] in ("crictl", "runc")
            ],
        }
    )
    inventory.lock.write_text(lock)
    assert "fetched: images/blobs/" in inventory.done("bundle")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    (tmp_path / "allowed").write_text(f"me {key.with_suffix('.pub').read_text()}")
    verify = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "me", "-n", "groundwork-bundle"]
    with (folder / "SHA256SUMS").open("rb") as sums:
        subprocess.run([*verify, "-s", str(folder / "SHA256SUMS.sig")], stdin=sums, check=True)
    digests = {one["name"]: f"sha256:{one['sha256']}" for one in inventory.entries() if one["kind"] == "image"}
    for name, digest in digests.items():
        target = f"{servers.registry.removeprefix('http://')}/filled/{name.rpartition('/')[2]}"
        copy = [
            "skopeo",
            "--insecure-policy",
            "copy",
            "--all",
            "--preserve-digests",
            "--quiet",
            "--dest-tls-verify=false",
        ]
        subprocess.run([*copy, f"oci:{folder}/images:{name}", f"docker://{target}"], check=True)
        inspect = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{target}"]
        told = subprocess.run(inspect, capture_output=True, check=True).stdout
        assert f"sha256:{hashlib.sha256(told).hexdigest()}" == digest
    assert f"{NAME}/pause:3.2" in digests

    pause = folder / "images/blobs/sha256" / digests[f"{NAME}/pause:3.2"].partition(":")[2]
    crictl = next(folder.rglob("crictl-*"))
    pause.unlink()
    crictl.write_bytes(b"x")
    output = inventory.done("bundle", "--check")
    assert f"missing: image {NAME}/pause:3.2" in output
    assert f"altered: {crictl.relative_to(folder)}" in output
    inventory.done("bundle")
    assert "Every byte is as the locks say." in inventory.done("bundle", "--check")
