"""The playbook mirror fills a real registry that wants a password, and asks it for every digest."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from air_gap import ACCOUNT, NAME, PASSWORD, Inventory, registry


def test_a_registry_with_a_password_is_filled(inventory: Inventory, tmp_path: Path) -> None:
    """Check, run, again; a blob that is gone is noticed; an altered bundle changes nothing."""
    inventory.done("lock")
    images = [one for one in inventory.entries() if one["kind"] == "image"]
    inventory.lock.write_text(json.dumps({"format": 1, "architectures": ["amd64"], "artifacts": images}))
    folder, key = tmp_path / "bundle", tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", str(key)], check=True)
    inventory.variables |= {"bundle_folder": str(folder), "bundle_signing_key": str(key)}
    inventory.done("bundle")
    (tmp_path / "private").mkdir()
    with registry(tmp_path / "private", ACCOUNT) as address:
        inventory.variables |= {
            "mirror_folder": str(folder),
            "mirror_allowed_signers": [key.with_suffix(".pub").read_text()],
            "mirror_serve": False,
            "mirror_registry": f"{address}/k8s",
            "mirror_registry_auth_file": str(tmp_path / "auth.json"),
        }
        server = address.removeprefix("http://")
        login = ["skopeo", "login", "--tls-verify=false", f"--authfile={tmp_path}/auth.json", "--username=robot"]
        subprocess.run([*login, "--password-stdin", server], input=PASSWORD, text=True, check=True)
        assert f"to be copied: {NAME}/pause:3.2" in inventory.done("mirror", "--check")
        assert not (tmp_path / "private/data").exists()
        output = inventory.done("mirror")
        assert f"copied: {NAME}/pause:3.2" in output
        assert "signed by one of mirror_allowed_signers" in output
        for one in images:
            target = f"docker://{server}/k8s/{one['name'].partition('/')[2]}"
            inspect = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"--creds=robot:{PASSWORD}", target]
            told = subprocess.run(inspect, capture_output=True, check=True).stdout
            assert hashlib.sha256(told).hexdigest() == one["sha256"]
        for arguments in ((), ("--check",)):
            assert "copied" not in inventory.done("mirror", *arguments)
        wrong = tmp_path / "wrong.json"
        wrong.write_text(json.dumps({"auths": {server: {"auth": "eDp5"}}}))
        refused = inventory.refused("mirror", mirror_registry_auth_file=str(wrong))
        assert "does not have all images" in refused
        assert PASSWORD not in output + refused

        # A part of an image that the registry has lost
        lost = max((tmp_path / "private/data").rglob("_layers/sha256/*/link"))
        repository = str(lost.relative_to(tmp_path / "private/data")).split("/k8s/")[1].split("/_layers")[0]
        lost.unlink()
        assert f"to be copied: {NAME}/{repository}:" in inventory.done("mirror", "--check")
        assert f"copied: {NAME}/{repository}:" in inventory.done("mirror")
        assert "copied" not in inventory.done("mirror", "--check")

        blobs = sorted((folder / "images/blobs/sha256").iterdir())
        blobs[0].unlink()
        blobs[1].write_bytes(b"x")
        output = inventory.refused("mirror")
        assert f"missing: {blobs[0].relative_to(folder)}" in output
        assert f"altered: {blobs[1].relative_to(folder)}" in output


def test_a_mirror_without_a_host_or_a_bundle(inventory: Inventory) -> None:
    """What is missing is said."""
    assert "Set mirror_folder, where the bundle is on this host" in inventory.refused("mirror")
    assert "The inventory group kube_other has no host" in inventory.refused("mirror", "-e", "mirror_group=kube_other")
