"""What the modules around kubeadm share: a host's state from real files, and kubeadm's errors."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm import kubeadm
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    INIT_MARKER,
    Kubeadm,
    KubeadmError,
    cut_off_files,
    ended_jobs,
    explain,
    failed_checks,
    full_folders,
    in_progress,
    issued_files,
    list_option,
    reads_more,
    remove_files,
)

PREFLIGHT = """\
\t[WARNING Hostname]: hostname "cp1" could not be reached
error execution phase preflight: [preflight] Some fatal errors occurred:
\t[ERROR NumCPU]: the number of available CPUs 1 is less than the required 2
\t[ERROR SystemVerification]: unexpected kernel config: CONFIG_X
missing required cgroups: memory
\t[ERROR Port-6443]: Port 6443 is in use
[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`
To see the stack trace of this error execute with --v=5 or higher
"""
WAITING = """\
I1122 05:01:00.000000    1234 init.go:1] noise
error execution phase wait-control-plane: couldn't initialize a Kubernetes cluster
To see the stack trace of this error execute with --v=5 or higher
"""


def write(folder: Path, *names: str, content: str = "x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("record", "ended"),
    [
        ('{"started": true, "finished": false, "ansible_job_id": "j1.2"}', False),
        ('{"started": 1, "finished": 0, "ansible_job_id": "j1.2"}', False),
        ('{"changed": true, "invocation": {"module_args": {"content": "x"}}}', True),
        ('{"failed": true, "msg": "Timeout exceeded", "child_pid": 7}', True),
        ('{"started": 1, "finished": 1, "changed": true}', True),
        ("", False),
        ('{"chang', False),
        ("[]", False),
    ],
)
def test_jobs_that_have_ended(tmp_path: Path, record: str, ended: bool) -> None:
    assert ended_jobs(str(tmp_path / "none")) == []
    path = tmp_path / "j496462234591.1491"
    write(tmp_path, path.name, "notes", content=record)
    assert ended_jobs(str(tmp_path)) == ([str(path)] if ended else [])


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("manifests/kube-apiserver.yaml", "- --secure-port=6443", False),
        ("manifests/kube-apiserver.yaml", "- --encryption-provider-config=/etc/keys.yaml", True),
        ("audit/policy-0123456789abcdef.yaml", "x", True),
        ("patches/0123456789abcdef/etcd.yaml", "x", True),
    ],
)
def test_reads_more(tmp_path: Path, file: str, content: str, expected: bool) -> None:
    (tmp_path / "encryption").mkdir()
    assert not reads_more(str(tmp_path))
    write(tmp_path, file, content=content)
    assert reads_more(str(tmp_path)) == expected


@pytest.mark.parametrize(
    ("error", "stays"),
    [(None, False), ("anything", True), ("preflight", False), ("interrupt", True)],
)
def test_in_progress(tmp_path: Path, error: str | None, stays: bool) -> None:
    marker = tmp_path / "kubernetes" / INIT_MARKER

    def work() -> None:
        assert marker.exists()
        if error == "interrupt":
            raise KeyboardInterrupt
        if error:
            fault = KubeadmError("no")
            fault.untouched = error == "preflight"
            raise fault

    if error:
        with pytest.raises((KubeadmError, KeyboardInterrupt)), in_progress(str(marker)):
            work()
    else:
        with in_progress(str(marker)):
            work()
    assert marker.exists() is stays


def test_failed_checks() -> None:
    assert failed_checks(PREFLIGHT) == {
        "NumCPU": "the number of available CPUs 1 is less than the required 2",
        "SystemVerification": "unexpected kernel config: CONFIG_X missing required cgroups: memory",
        "Port-6443": "Port 6443 is in use",
    }


@pytest.mark.parametrize(
    ("rc", "output", "preflight", "parts"),
    [
        (1, PREFLIGHT, True, ["kubeadm init refuses this host:\n- NumCPU: the number", "ignore_preflight_errors"]),
        (1, WAITING, False, ["failed with exit code 1:\nerror execution phase wait-control-plane: couldn't"]),
        (2, "only here", False, ["failed with exit code 2:\nonly here\n", "journalctl -u kubelet", "Run again"]),
        (1, "error execution phase preflight: couldn't validate the identity", True, ["couldn't validate"]),
        (124, "", False, ["did not finish within 900 seconds", "Run again to resume"]),
        (137, "", False, ["did not finish within 900 seconds"]),
    ],
)
def test_explain(rc: int, output: str, preflight: bool, parts: list[str]) -> None:
    error = explain("init", rc, output, 900)
    assert error.untouched is preflight
    assert all(part in str(error) for part in parts)
    assert "stack trace" not in str(error)
    assert "noise" not in str(error)


def test_what_is_full_is_said_beside_kubeadms_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert full_folders([str(tmp_path), str(tmp_path / "absent")]) == []
    monkeypatch.setattr(kubeadm, "FULL_BELOW", 1 << 62)
    (full,) = full_folders([str(tmp_path), str(tmp_path / "absent")])
    assert full.startswith(f"{tmp_path}, where kubeadm writes, has ")
    words = "[upgrade/apply] FATAL: failed to back up etcd data: exit status 1"
    module: Any = SimpleNamespace(
        get_bin_path=lambda name, **_options: f"/usr/bin/{name}", run_command=lambda *_words, **_options: (1, "", words)
    )
    monkeypatch.setattr(kubeadm, "WRITTEN", [str(tmp_path)])
    with pytest.raises(KubeadmError) as failed:
        Kubeadm(module, 900).run("upgrade", "apply", "--yes")
    assert f"kubeadm upgrade apply failed with exit code 1:\n{words}\n{full}\nIf this" in str(failed.value)


@pytest.mark.parametrize(
    ("values", "expected"), [([], []), (["a"], ["--skip-phases=a"]), (["a", "b"], ["--skip-phases=a,b"])]
)
def test_list_option(values: list[str], expected: list[str]) -> None:
    assert list_option("skip-phases", values) == expected


def test_cut_off_files(tmp_path: Path) -> None:
    write(tmp_path, "pki/ca.crt", "pki/ca.key", "pki/sa.key", "pki/sa.pub", "pki/etcd/ca.crt", "kubelet.conf")
    write(tmp_path, "pki/apiserver.key", "pki/etcd/server.key")  # written just before the power went
    write(tmp_path, "pki/front-proxy-ca.crt", "admin.conf", "manifests/etcd.yaml", "kubeadm.txt", content="")
    write(tmp_path, "pki/front-proxy-ca.key")  # its certificate is empty
    found = cut_off_files(str(tmp_path))
    assert [str(Path(path).relative_to(tmp_path)) for path in found] == [
        "admin.conf",
        "manifests/etcd.yaml",
        "pki/apiserver.key",
        "pki/etcd/server.key",
        "pki/front-proxy-ca.crt",
        "pki/front-proxy-ca.key",
    ]
    assert remove_files([*found, str(tmp_path / "missing")]) == found
    assert cut_off_files(str(tmp_path)) == []


def test_cut_off_files_of_nothing(tmp_path: Path) -> None:
    assert cut_off_files(str(tmp_path)) == []


def test_issued_files_leave_out_what_an_external_authority_signs(tmp_path: Path) -> None:
    write(tmp_path, "pki/ca.crt", "pki/front-proxy-ca.key")
    found = [str(Path(path).relative_to(tmp_path)) for path in issued_files(str(tmp_path))]
    assert found == ["pki/front-proxy-client.crt", "pki/front-proxy-client.key"]


def test_issued_files_never_name_an_authority_or_the_service_accounts_key(tmp_path: Path) -> None:
    write(tmp_path, "pki/ca.key", "pki/front-proxy-ca.key", "pki/etcd/ca.key")
    names = {Path(path).name for path in issued_files(str(tmp_path))}
    assert {"apiserver.crt", "peer.key", "admin.conf", "super-admin.conf"} < names
    assert not names & {"ca.crt", "ca.key", "front-proxy-ca.key", "sa.key", "sa.pub"}


class PlayedModule:
    """The part of an Ansible module that is asked."""

    check_mode = False


@pytest.fixture(name="processes")
def _processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "proc"
    (folder / "17").mkdir(parents=True)
    (folder / "17" / "comm").write_text("bash\n")
    monkeypatch.setattr(kubeadm, "PROCESSES", str(folder))
    monkeypatch.setattr(kubeadm, "SETTLE_PAUSE", 0.01)
    return folder


@pytest.mark.usefixtures("processes")
def test_what_goes_on_is_waited_for(tmp_path: Path) -> None:
    marker = tmp_path / kubeadm.JOIN_MARKER
    module: Any = PlayedModule()
    with in_progress(str(marker)), pytest.raises(KubeadmError, match="at work on this host for more than 0 seconds"):
        kubeadm.settled_state(module, str(tmp_path), 0)
    assert kubeadm.settled_state(module, str(tmp_path), 0).interrupted == ""
    marker.touch()
    assert kubeadm.settled_state(module, str(tmp_path), 0).interrupted == "join"


def test_kubeadm_may_outlive_its_module(tmp_path: Path, processes: Path) -> None:
    module: Any = PlayedModule()
    (processes / "17" / "comm").write_text("kubeadm\n")
    assert kubeadm.settled_state(module, str(tmp_path), 0).interrupted == ""
    (tmp_path / kubeadm.INIT_MARKER).touch()
    with pytest.raises(KubeadmError, match="pkill kubeadm"):
        kubeadm.settled_state(module, str(tmp_path), 0)
    module.check_mode = True
    assert kubeadm.settled_state(module, str(tmp_path), 0).interrupted == "init"
