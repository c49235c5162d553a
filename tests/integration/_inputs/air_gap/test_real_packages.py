"""Packages resolved by real apt, fetched into a bundle, and found there by apt without any other source."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from pathlib import Path
from urllib.parse import unquote

import pytest
from air_gap import Inventory, Servers
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.apt import Apt, AptError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DEBIAN = "https://deb.debian.org/debian"
SOURCE = f"deb [signed-by={KEYRING}] {DEBIAN} bookworm main"


@pytest.fixture(scope="module", autouse=True)
def debian() -> None:
    """Debian's packages must be within reach."""
    try:
        urllib.request.urlopen(f"{DEBIAN}/dists/bookworm/Release", timeout=30).close()
    except OSError as error:
        pytest.skip(f"{DEBIAN} cannot be reached: {error}")


def test_packages_with_all_that_they_depend_on(inventory: Inventory, servers: Servers, tmp_path: Path) -> None:
    """The lock names them, twice the same; the bundle is a repository that is enough for itself."""
    inventory.variables["kubernetes_lock_apt_sources"] = [SOURCE]
    inventory.done("lock")
    text = inventory.lock.read_text()
    packages = {one["name"]: one for one in inventory.entries() if one["kind"] == "package"}
    assert packages.keys() >= {"conntrack", "iptables", "socat", "python3-cryptography", "libc6", "docker-registry"}
    assert packages["conntrack"]["roles"] == ["control_plane", "etcd", "worker"]
    assert packages["docker-registry"]["roles"] == ["mirror"]
    # cp1 is a worker, too.
    assert packages["python3-cryptography"]["roles"] == ["control_plane", "etcd", "worker"]
    assert packages["conntrack"]["url"].startswith(f"{DEBIAN}/pool/main/c/conntrack-tools/conntrack_")
    inventory.done("lock")
    assert inventory.lock.read_text() == text

    altered = text.replace(packages["conntrack"]["sha256"], "a" * 64)
    inventory.lock.write_text(altered)
    output = inventory.done("lock", "--check")
    assert f"package conntrack {packages['conntrack']['version']} amd64: sha256 {'a' * 64} is now" in output
    assert inventory.lock.read_text() == altered

    wanted = Apt([SOURCE], "amd64", tmp_path / "apt")
    wanted.update()
    few = [one for name in ("conntrack", "socat") for one in wanted.closure(*wanted.exact([name])[0])]
    digests = {one.sha256 for one in few}
    entries = [one for one in packages.values() if one["sha256"] in digests]
    inventory.lock.write_text(json.dumps({"format": 1, "architectures": ["amd64"], "artifacts": entries}))
    inventory.variables["bundle_folder"] = str(tmp_path / "bundle")
    inventory.done("bundle")
    assert "Every byte is as the locks say." in inventory.done("bundle", "--check")

    # Nothing but the bundle
    alone = Apt([f"deb [trusted=yes] file:{tmp_path}/bundle/packages lock main"], "amd64", tmp_path / "alone")
    alone.update()
    found = [one for name in ("conntrack", "socat") for one in alone.closure(*alone.exact([name])[0])]
    assert {one.sha256 for one in found} == digests
    for one in found:
        path = unquote(one.url.removeprefix("file:"))
        said = subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True).stdout
        assert said.split()[0] == one.sha256
    with pytest.raises(AptError, match=r"ipset: the sources have no package of this name"):
        alone.exact(["ipset", "socat"])


def test_sources_that_nobody_has_signed(tmp_path: Path) -> None:
    """apt refuses them."""
    (tmp_path / "empty.gpg").touch()
    apt = Apt([f"deb [signed-by={tmp_path}/empty.gpg] {DEBIAN} bookworm main"], "amd64", tmp_path / "apt")
    with pytest.raises(AptError, match=r"is not signed|GPG error|not available"):
        apt.update()
