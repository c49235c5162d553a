"""What apt-get says of packages, read; packages for real are in the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.apt import Apt, AptError, Package, parse_uris

PLACE = "https://deb.debian.org/debian/pool/main/c/conntrack-tools"
LINE = f"'{PLACE}/conntrack_1.4.7-1%2bb2_amd64.deb' conntrack_1%3a1.4.7-1+b2_amd64.deb 35240 SHA256:{'a' * 64}"
SAID = f"Reading package lists...\nThe following NEW packages will be installed:\n  conntrack\n{LINE}\n"


def test_addresses() -> None:
    url = f"{PLACE}/conntrack_1.4.7-1%2bb2_amd64.deb"
    assert parse_uris(SAID) == [Package("conntrack", "1:1.4.7-1+b2", "amd64", url, "a" * 64, 35240)]
    assert parse_uris("Reading package lists...\n") == []


def test_an_address_without_sha256() -> None:
    with pytest.raises(AptError, match=r"apt-get tells no SHA-256 of 'https://deb\.debian"):
        parse_uris(SAID.replace("SHA256", "MD5Sum"))


def test_where_there_is_no_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AptError, match="apt-get is not on this machine"):
        Apt(["deb https://deb.debian.org/debian trixie main"], "amd64", tmp_path / "apt").update()
