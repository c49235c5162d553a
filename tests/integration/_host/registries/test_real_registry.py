"""containerd's files of registries against a real registry with TLS, client certificates and accounts.

With each containerd that the lab's cache has an archive of. It is not the CRI that pulls but ctr, with the same files
and the same code of containerd that reads them.
"""
# ruff: noqa: D103

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import ssl
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.filter.containerd_hosts_files import (
    containerd_hosts_files,
    containerd_registry_proofs,
    containerd_without_registries,
)
from ansible_collections.groundwork.kubernetes.plugins.filter.to_toml import to_toml
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import file_set, proofs, registries
from ansible_collections.groundwork.kubernetes.plugins.modules import files
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._host.containerd import configuration
from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._inputs import images

CACHE = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache/groundwork-kubernetes")
ARCHIVES = {path.name.split("-")[1]: path for path in sorted(CACHE.glob("containerd-*-linux-amd64.tar.gz"))}
PROGRAM = CACHE / "registry" / "docker-registry"
IMAGES = sorted(CACHE.glob("images/pause_*.tar"))
FOLDER = "/etc/containerd/certs.d"
USER, PASSWORD = "puller", "se:cret"


def own_address() -> str:
    """One that is not 127.0.0.1, whose servers containerd does not verify; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


ADDRESS = own_address()

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not ARCHIVES or not IMAGES or not PROGRAM.exists() or ADDRESS.startswith("127."),
    reason="needs root, containerd, a registry and an image in the lab's cache, and a route to elsewhere",
)
Run = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Registry:
    """Two servers with one storage: one asks for an account, one for a certificate.

    Attributes:
        folder: with ca.crt, other.crt, client.crt, client.key.
        account: host and port of the one.
        certificate: host and port of the other.
    """

    folder: Path
    account: str
    certificate: str

    def text(self, name: str) -> str:
        """A file of the folder."""
        return (self.folder / name).read_text()


def openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, cwd=cwd, stderr=subprocess.DEVNULL)


def make_certificates(folder: Path) -> None:
    for name in ("ca", "other"):
        subject = ["-subj", f"/CN={name}", "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.crt"]
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, cwd=folder)
    for name, extension in (("server", f"subjectAltName=IP:{ADDRESS}"), ("client", "extendedKeyUsage=clientAuth")):
        request = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"]
        openssl("req", "-newkey", "rsa:2048", "-nodes", *request, cwd=folder)
        (folder / "extension").write_text(extension)
        signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "extension"]
        openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.crt", cwd=folder)


def hashed(password: str) -> str:
    """As htpasswd -B has it."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return str(crypt(password.encode(), b"$2b$05$abcdefghijklmnopqrstuu").decode())


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    make_certificates(folder)
    (folder / "htpasswd").write_text(f"{USER}:{hashed(PASSWORD)}\n")
    found = Registry(folder, f"{ADDRESS}:{free_port()}", f"{ADDRESS}:{free_port()}")
    tls = {"certificate": f"{folder}/server.crt", "key": f"{folder}/server.key"}
    with_account = {"auth": {"htpasswd": {"realm": "test", "path": f"{folder}/htpasswd"}}}
    with_certificate = {"http": {"tls": {**tls, "clientcas": [f"{folder}/ca.crt"]}}}
    running = []
    for address, more in ((found.account, with_account), (found.certificate, with_certificate)):
        settings: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": f"{folder}/data"}},
            **more,
        }
        settings["http"] = {"tls": tls, **more.get("http", {}), "addr": address}
        path = folder / f"{address.rpartition(':')[2]}.yml"
        path.write_text(json.dumps(settings))
        running.append(subprocess.Popen([PROGRAM, "serve", path], stderr=subprocess.DEVNULL))
    wait_for(f"https://{found.account}/v2/", folder)
    target = f"docker://{found.account}/pause:1"
    (folder / "trust").mkdir()
    shutil.copy(folder / "ca.crt", folder / "trust")
    options = [
        "--insecure-policy",
        "copy",
        "--quiet",
        f"--dest-cert-dir={folder}/trust",
        f"--dest-creds={USER}:{PASSWORD}",
    ]
    subprocess.run(["skopeo", *options, f"docker-archive:{IMAGES[-1]}", target], check=True)
    yield found
    for process in running:
        process.terminate()
        process.wait(30)


def wait_for(url: str, folder: Path) -> None:
    deadline = time.monotonic() + 60
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    while not answers(url, context):
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(0.2)


def answers(url: str, context: ssl.SSLContext) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5, context=context)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.socket() as probe:
            probe.bind((ADDRESS, 0))
            return int(probe.getsockname()[1])

    return find


@dataclass(frozen=True)
class Host:
    """A containerd that runs, and the folder that stands for certs.d."""

    folder: Path
    ctr: list[str]

    def options(self, given: Any, configuration: Any = None) -> dict[str, Any]:
        """What the role gives the module files, in this folder."""
        here = f"{self.folder}/certs.d"
        wanted = [
            {**file, "path": file["path"].replace(FOLDER, here), "content": file["content"].replace(FOLDER, here)}
            for file in containerd_hosts_files(given, configuration)
        ]
        proven = [
            {
                **proof,
                "folder": proof["folder"].replace(FOLDER, here),
                "command": [*self.ctr, "content", "fetch", "--hosts-dir", here, proof["command"][2]],
            }
            for proof in containerd_registry_proofs(given, configuration)
        ]
        return {"files": wanted, "proofs": proven, "set": "registries"}

    def known(self) -> dict[str, tuple[int, str]]:
        """Mode and text of all files of the folder."""
        paths = [path for path in (self.folder / "certs.d").rglob("*") if path.is_file()]
        return {str(path): (path.stat().st_mode & 0o777, path.read_text()) for path in paths}


@pytest.fixture(scope="module", params=ARCHIVES)
def containerd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp(f"containerd-{request.param}")
    with tarfile.open(ARCHIVES[request.param]) as archive:
        archive.extractall(folder, filter="data")
    (folder / "config.toml").write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", '
        '"io.containerd.cri.v1.runtime"]\n'
        f'[grpc]\naddress = "{folder}/socket"\n'
    )
    command = [folder / "bin/containerd", "--config", folder / "config.toml"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (folder / "socket").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        yield Host(folder, [str(folder / "bin/ctr"), "--address", str(folder / "socket")])
        process.terminate()


@pytest.fixture
def host(containerd: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(file_set, "RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(proofs, "RECORDS", str(tmp_path / "unproven"))
    shutil.rmtree(containerd.folder / "certs.d", ignore_errors=True)
    return containerd


def with_account(registry: Registry, **changes: Any) -> list[dict[str, Any]]:
    entry = {"registry": registry.account, "ca": registry.text("ca.crt"), "username": USER, "password": PASSWORD}
    return [{**entry, "test_image": f"{registry.account}/pause:1", **changes}]


def with_certificate(registry: Registry, **changes: Any) -> list[dict[str, Any]]:
    names = {"client_certificate": "client.crt", "client_key": "client.key"}
    texts = {option: registry.text(name) for option, name in names.items()}
    entry = {"registry": registry.certificate, "ca": f"{registry.folder}/ca.crt", **texts}
    return [{**entry, "test_image": f"{registry.certificate}/pause:1", **changes}]


def as_mirror(registry: Registry, **changes: Any) -> list[dict[str, Any]]:
    entry = {"url": f"https://{registry.account}", **with_account(registry)[0]}
    mirror = {**{name: entry[name] for name in ("url", "ca", "username", "password")}, **changes}
    return [{"registry": "127.0.0.1:1", "mirrors": [mirror], "test_image": "127.0.0.1:1/pause:1"}]


def in_one(registry: Registry, **auth: Any) -> dict[str, Any]:
    """The same as 1.x has it in its configuration."""
    places = {
        "mirrors": {"127.0.0.1:1": {"endpoint": [f"https://{registry.account}"]}},
        "configs": {
            registry.account: {
                "tls": {"ca_file": f"{registry.folder}/ca.crt"},
                "auth": {"username": USER, "password": PASSWORD, **auth},
            }
        },
    }
    return {"plugins": {"io.containerd.grpc.v1.cri": {"registry": places}}}


GOOD: dict[str, Callable[[Registry], tuple[Any, Any]]] = {
    "account": lambda registry: (with_account(registry), None),
    "certificate": lambda registry: (with_certificate(registry), None),
    "mirror": lambda registry: (as_mirror(registry), None),
    "as 1.x has it": lambda registry: (
        [{"registry": "127.0.0.1:1", "test_image": "127.0.0.1:1/pause:1"}],
        in_one(registry),
    ),
}


@pytest.mark.parametrize("good", GOOD.values(), ids=list(GOOD))
def test_what_is_right_is_proven_by_a_pull(run: Run, host: Host, registry: Registry, good: Any) -> None:
    given, settings = good(registry)
    result = run(files, **host.options(given, settings))
    assert "unproven" in result, result["msg"]
    assert (result["changed"], result["unproven"]) == (True, [])
    again = run(files, **host.options(given, settings))
    assert (again["changed"], again["unproven"]) == (False, [])
    assert all(mode == 0o600 for mode, text in host.known().values() if "Basic" in text or "PRIVATE" in text)


BAD: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "password": (with_account, {"password": "wrong"}, "no basic auth credentials|401 Unauthorized"),
    "no account": (with_account, {"username": "", "password": ""}, "no basic auth credentials|401 Unauthorized"),
    "another CA": (with_account, {"ca": "other.crt"}, "certificate"),
    "no CA": (with_account, {"ca": ""}, "certificate"),
    "a CA that is not there": (with_account, {"ca": "missing.crt"}, "missing.crt"),
    "no client certificate": (with_certificate, {"client_certificate": "", "client_key": ""}, "certificate"),
    "a mirror's password": (as_mirror, {"password": "wrong"}, "."),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
def test_what_is_wrong_is_put_back_with_one_message(run: Run, host: Host, registry: Registry, bad: Any) -> None:
    make, changes, message = bad
    if changes.get("ca"):
        changes = {"ca": f"{registry.folder}/{changes['ca']}"}
    assert run(files, **host.options(make(registry)))["unproven"] == []
    before = host.known()
    result = run(files, **host.options(make(registry, **changes)))
    assert result["failed"], result
    assert "reaches the registry" in result["msg"]
    assert "as before" in result["msg"]
    assert any(word in result["msg"] for word in message.split("|")), result["msg"]
    assert PASSWORD not in result["msg"]
    assert host.known() == before
    # The right one is not proven anew, and nothing is written.
    assert run(files, **host.options(make(registry)))["changed"] is False


def test_a_new_host_is_left_without_what_does_not_work(run: Run, host: Host, registry: Registry) -> None:
    assert run(files, **host.options(with_account(registry, password=PASSWORD[:-1])))["failed"]
    assert host.known() == {}


@pytest.mark.parametrize("bad", [name for name in BAD if name != "a mirror's password"])
def test_preflight_finds_the_same_from_the_host_itself(registry: Registry, bad: str) -> None:
    make, changes, _message = BAD[bad]
    if changes.get("ca"):
        changes = {"ca": f"{registry.folder}/{changes['ca']}"}
    image = make(registry)[0]["test_image"]
    for values, there in ((make(registry), True), (make(registry, **changes), False)):
        asked = images.registries([image], {images.MIRRORS: values})
        assert bool(registries.all_missing([image], asked, {}, 10)) is not there


@pytest.mark.parametrize("newer", [0, 1, 9])
def test_a_file_of_others_that_containerd_does_not_take(run: Run, host: Host, tmp_path: Path, newer: int) -> None:
    """With it containerd would not start, so that the configuration that is there stays."""
    program = host.folder / "bin/containerd"
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    first = next(word for word in said.split() if word[0].isdigit())
    settings = containerd_without_registries(configuration(first, "pause:1", "systemd"))
    settings["imports"] = [f"{tmp_path}/conf.d/*.toml"]
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/other.toml").write_text(f"version = {settings['version'] + newer}\n")
    entry = {
        "path": f"{tmp_path}/config.toml",
        "content": to_toml(settings),
        "validate": f"{program} --config %s config dump",
    }
    result = run(files, files=[entry])
    # 1.6 reads any version from 2 on as 2.
    refused = bool(newer) and not first.startswith("1.6")
    assert result.get("failed", False) is refused, result
    assert (tmp_path / "config.toml").exists() is not refused
    if refused:
        assert f"{tmp_path}/conf.d/other.toml" in result["msg"]
