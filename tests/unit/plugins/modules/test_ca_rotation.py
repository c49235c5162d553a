"""The stages of the rotation on a host, with stand-ins for kubeadm, kubelet and programs: files, order, restarts."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import ca_rotation as rotation
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.certificates import (
    Found,
    HostCertificates,
    Places,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import KubeadmError
from ansible_collections.groundwork.kubernetes.plugins.modules import ca_rotation, ca_rotation_info

sys.path.insert(0, str(Path(__file__).parents[1]))

import pki
from control_plane_files import KUBECONFIGS, LEAVES, ControlPlane, kubeconfig, signed

Run = Callable[..., dict[str, Any]]
NEW = pki.issue("kubernetes", key="the next")
STATIC = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
MANAGER = """spec:
  containers:
  - command:
    - kube-controller-manager
    - --client-ca-file={ca}
    - --cluster-signing-cert-file={ca}
    - --cluster-signing-key-file={pki}/ca.key
    - --root-ca-file={ca}
"""


class Host:
    """A node in a folder. Its programs are started again by those who change what they read."""

    def __init__(self, plane: ControlPlane, run_module: Run) -> None:
        self.plane, self.run_module = plane, run_module
        self.calls: list[tuple[str, ...]] = []
        self.restarts = 0
        self.old: set[str] = set()
        self.fails = ""
        self.follows = True
        self.ca, self.folder = plane.pki / "ca.crt", plane.pki / "rotation"
        self.manager = plane.kubernetes / "manifests" / "kube-controller-manager.yaml"
        self.manager.write_text(MANAGER.format(ca=self.ca, pki=plane.pki))
        (plane.kubernetes / "manifests" / "kube-scheduler.yaml").write_text("spec:\n")
        self.config = plane.kubernetes / "kubeadm.yaml"
        self.config.write_text("kind: InitConfiguration\n---\nkind: ClusterConfiguration\ncertificatesDir: /old\n")
        self.first = plane.ca
        self.written = self.content()

    def content(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in sorted(self.plane.kubernetes.rglob("*")) if path.is_file()}

    def make_next(self) -> None:
        self.folder.mkdir(mode=0o700)
        (self.folder / "ca.crt").write_text(NEW.crt)
        (self.folder / "ca.key").write_text(NEW.pem)

    def kubeadm(self, *arguments: str) -> str:
        self.calls.append(arguments)
        if arguments[:4] == ("init", "phase", "certs", "ca"):
            text = Path(arguments[4].partition("=")[2]).read_text()
            assert text.endswith(f"kind: ClusterConfiguration\ncertificatesDir: {self.folder}\n")
            (self.folder / "ca.crt").write_text(NEW.crt)
            (self.folder / "ca.key").write_text(NEW.pem)
            return ""
        name = arguments[2]
        if name == self.fails:
            raise KubeadmError("kubeadm certs renew failed")
        by = {NEW.pem: NEW, self.first.pem: self.first}[(self.plane.pki / "ca.key").read_text()]
        assert self.ca.read_text().startswith(by.crt)
        if name in LEAVES:
            (self.plane.pki / f"{name}.crt").write_text(signed(name, authority=by))
        else:
            # It lets what it renews trust the first authority alone.
            (self.plane.kubernetes / name).write_text(kubeconfig(signed(name, authority=by), by.crt))
        return ""

    def restart(self, _module: object) -> None:
        self.restarts += 1
        self.old.discard("kubelet")

    def running(self, _proc: str) -> list[str]:
        text = self.manager.read_text() if self.follows else MANAGER.format(ca=self.ca, pki=self.plane.pki)
        return rotation.SIGNING.findall(text)

    def old_programs(self, files: rotation.Files, _proc: str) -> list[str]:
        """Those that read what a run has changed, until the test says that they were started again."""
        now = self.content()
        changed = {path for path in {*now, *self.written} if now.get(path) != self.written.get(path)}
        self.old |= {name for name, read in files.readers().items() if set(read) & changed}
        self.written = now
        return sorted(self.old)

    def run(self, stage: str, **options: Any) -> dict[str, Any]:
        options = {"authority": NEW.crt, "config": str(self.config), "timeout": 1, **options}
        return self.run_module(ca_rotation, stage=stage, **options)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run_module(ca_rotation_info)["state"]
        return found

    def trusted(self, name: str) -> str:
        text = (self.plane.kubernetes / f"{name}.conf").read_text()
        return base64.b64decode(text.partition("certificate-authority-data: ")[2].split()[0]).decode()


@pytest.fixture
def host(tmp_path: Path, run_module: Run, monkeypatch: pytest.MonkeyPatch) -> Host:
    plane = ControlPlane(tmp_path)
    plane.write_kubelet()
    made = Host(plane, run_module)

    class Kubeadm:
        def __init__(self, _module: object, _timeout: int) -> None:
            self.run = made.kubeadm

    def ask(found: Found, _address: tuple[str, int], _pair: tuple[str, str] = ("", "")) -> Found:
        return Found(**{**vars(found), "served": found.serial, "address": "127.0.0.1:1"})

    places = Places(str(plane.kubernetes), str(plane.kubelet), str(tmp_path / "etcd"), str(plane.proc))
    for module in (ca_rotation, ca_rotation_info):
        monkeypatch.setattr(module, "PLACES", places)
        monkeypatch.setattr(module, "HostCertificates", lambda where: HostCertificates(where, ask))
    monkeypatch.setattr(ca_rotation, "Kubeadm", Kubeadm)
    monkeypatch.setattr(ca_rotation, "PAUSE", 0.01)
    monkeypatch.setattr(ca_rotation, "recover_kubelet", made.restart)
    for module in (ca_rotation, rotation):
        monkeypatch.setattr(module, "signing_running", made.running)
        monkeypatch.setattr(module, "old_programs", made.old_programs)
    monkeypatch.setattr(rotation, "is_shown_by", lambda _host, _port, _pem: True)
    return made


def test_kubeadm_makes_the_new_authority_once(host: Host) -> None:
    checked = host.run("create", _ansible_check_mode=True)
    assert (checked["changed"], host.calls, host.folder.exists()) == (True, [], False)
    # Half of a pair is what a run leaves that was killed.
    host.folder.mkdir()
    (host.folder / "ca.key").write_text("half")
    made = host.run("create")
    assert (made["changed"], made["authority"]) == (True, NEW.crt)
    assert not [word for call in host.calls for word in call if str(host.config) in word]
    again = host.run("create")
    assert (again["changed"], again["authority"], len(host.calls)) == (False, NEW.crt, 1)


def test_all_stages_of_a_control_plane(host: Host) -> None:
    before = host.content()
    host.make_next()
    first = host.first.crt

    done = host.run("trust")
    assert done["done"][:2] == [str(host.folder / "signing.crt"), str(host.manager)]
    # Last, since the kubelet's restart goes by it.
    assert done["done"][-2:] == [str(host.ca), "kubelet"]
    assert (done["stale"], host.restarts, host.calls) == (STATIC, 1, [])
    assert host.ca.read_text() == first + NEW.crt
    assert {host.trusted(name) for name in (*KUBECONFIGS, "kubelet")} == {first + NEW.crt}
    assert host.running("") == [str(host.folder / "signing.crt")]
    assert (host.folder / "signing.crt").read_text() == first
    host.old.clear()
    assert not host.run("trust")["changed"]

    done = host.run("issue")
    assert [call[:3] for call in host.calls] == [
        ("certs", "renew", name)
        for name in ("apiserver", "apiserver-kubelet-client", "admin.conf", "controller-manager.conf", "scheduler.conf")
    ]
    assert (done["stale"], host.ca.read_text()) == (STATIC, NEW.crt + first)
    assert (host.plane.pki / "ca.key").read_text() == NEW.pem
    assert {host.trusted(name) for name in (*KUBECONFIGS, "kubelet")} == {NEW.crt + first}
    assert (host.folder / "signing.crt").read_text() == NEW.crt
    host.old.clear()
    state = host.state()
    assert state["signs_with_next"]
    issued = {name: key == state["next"][0]["key_id"] for name, key in state["issued"].items()}
    assert issued.pop("kubelet-client") is False  # of kubelet_renewal
    assert all(issued.values())
    assert not host.run("issue")["changed"]

    done = host.run("drop")
    assert (done["stale"], host.ca.read_text()) == (STATIC, NEW.crt)
    assert host.manager.read_bytes() == before[str(host.manager)]
    assert {host.trusted(name) for name in (*KUBECONFIGS, "kubelet")} == {NEW.crt}
    host.old.clear()
    assert not host.run("drop")["changed"]
    assert NEW.pem not in str(host.state())


def test_a_worker_trusts_and_drops(host: Host) -> None:
    for path in (*host.plane.kubernetes.glob("manifests/*"), *host.plane.pki.glob("*.key")):
        path.unlink()
    for name in KUBECONFIGS:
        (host.plane.kubernetes / f"{name}.conf").unlink()
    host.written = host.content()
    done = host.run("trust")
    assert (done["done"], done["stale"]) == ([str(host.plane.kubernetes / "kubelet.conf"), str(host.ca), "kubelet"], [])
    assert host.ca.read_text() == host.first.crt + NEW.crt
    assert not host.run("trust")["changed"]
    assert host.state()["role"] == "worker"
    assert host.run("drop")["changed"]
    assert (host.ca.read_text(), host.trusted("kubelet"), host.restarts) == (NEW.crt, NEW.crt, 2)
    assert not host.folder.exists()


@pytest.mark.parametrize("stage", ["trust", "issue", "drop"])
def test_check_mode_changes_nothing(host: Host, stage: str) -> None:
    host.make_next()
    before = host.content()
    checked = host.run(stage, _ansible_check_mode=True)
    assert (checked["changed"], checked["stale"], "kubelet" in checked["done"]) == (True, STATIC, True)
    assert (host.content(), host.calls, host.restarts) == (before, [], 0)


def test_what_was_cut_off_goes_on(host: Host) -> None:
    host.make_next()
    host.run("trust")
    host.fails = "admin.conf"
    assert "kubeadm certs renew failed" in host.run("issue")["msg"]
    host.fails, host.calls = "", []
    host.run("issue")
    assert [call[2] for call in host.calls] == ["admin.conf", "controller-manager.conf", "scheduler.conf"]
    assert host.trusted("admin") == NEW.crt + host.first.crt


def test_the_file_gets_no_second_certificate_before_another_one_signs(host: Host) -> None:
    """The controller manager cannot start with two in the file that it signs with."""
    host.make_next()
    host.follows = False
    assert "does not run with --cluster-signing-cert-file=" in host.run("trust")["msg"]
    assert host.ca.read_text() == host.first.crt


def test_the_users_own_signing_certificate_is_refused(host: Host) -> None:
    host.make_next()
    host.manager.write_text(host.manager.read_text().replace(f"cert-file={host.ca}", "cert-file=/srv/own.crt"))
    assert "Another authority signs there" in host.run("trust")["msg"]
    assert host.ca.read_text() == host.first.crt


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("admin.conf", "", "/admin.conf: it has certificate-authority-data 0 times"),
        ("pki/ca.crt", "", "no certificate"),
    ],
)
def test_what_cannot_be_read_is_refused(host: Host, path: str, text: str, said: str) -> None:
    host.make_next()
    (host.plane.kubernetes / path).write_text(text)
    before = host.content()
    assert said in host.run("trust")["msg"]
    assert host.content() == before


def test_configuration_of_another_form() -> None:
    with pytest.raises(KubeadmError, match="no ClusterConfiguration"):
        ca_rotation.with_folder("kind: InitConfiguration\n", "/pki")


def test_programs_that_run_with_what_was_before(tmp_path: Path) -> None:
    """Started before the file was changed, by the clock of /proc."""
    proc, path = tmp_path / "proc", tmp_path / "ca.crt"
    proc.mkdir()
    (proc / "stat").write_text("cpu 1\nbtime 1000\n")
    ticks = 50 * os.sysconf("SC_CLK_TCK")
    for number, program, group in ((7, "/usr/bin/kubelet", "/system.slice"), (8, "kube-apiserver", "/kubepods/x")):
        folder = proc / str(number)
        folder.mkdir()
        (folder / "cmdline").write_bytes(f"{program}\0--x=y\0".encode())
        (folder / "cgroup").write_text(f"1:name=systemd:{group}\n")
        (folder / "stat").write_text(f"{number} ({program}) S {'0 ' * 18}{ticks} 0\n")
    path.write_text("")
    for changed, old in ((1040.0, False), (1050.5, False), (1060.0, True)):
        os.utime(path, (changed, changed))
        for program in ("kubelet", "kube-apiserver"):
            assert rotation.runs_older(program, [str(path), str(tmp_path / "none")], str(proc)) is old
        assert not rotation.runs_older("kube-scheduler", [str(path)], str(proc))
