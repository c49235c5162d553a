"""How files of sysctl.d are read, and which lines take back what ours sets."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import sysctl

OURS = "/etc/sysctl.d/99-kubernetes.conf"
FORWARD = {"net/ipv4/ip_forward": "1"}


def host(root: Path, files: dict[str, str]) -> str:
    """A host's files below a folder; content that begins with -> is a link."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            path.symlink_to(content[3:])
        else:
            path.write_text(content)
    return str(root)


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.enp3s0/200.forwarding", "net/ipv4/conf/enp3s0.200/forwarding"),
        ("net/ipv4/conf/enp3s0.200/forwarding", "net/ipv4/conf/enp3s0.200/forwarding"),
        ("/net//ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("vm", "vm"),
    ],
)
def test_normalize_key(written: str, normalized: str) -> None:
    assert sysctl.normalize_key(written) == normalized
    assert sysctl.normalize_key(sysctl.dotted(normalized)) == normalized


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ("", None),
        ("  # net.ipv4.ip_forward = 0", None),
        ("; net.ipv4.ip_forward = 0", None),
        ("net.ipv4.ip_forward", None),
        ("net.ipv4.ip_forward=0\r\n", ("net/ipv4/ip_forward", "0")),
        ("  net/ipv4/ip_forward =  0 ", ("net/ipv4/ip_forward", "0")),
        ("-net.ipv4.ip_forward = 0", ("net/ipv4/ip_forward", "0")),
        ("- net.ipv4.ip_forward = 0", ("net/ipv4/ip_forward", "0")),
        ("-net.ipv4.ip_forward", ("net/ipv4/ip_forward", None)),
        ("net.ipv4.ip_local_port_range = 1024\t 65000", ("net/ipv4/ip_local_port_range", "1024 65000")),
        ("kernel.core_pattern = |/bin/x a=b", ("kernel/core_pattern", "|/bin/x a=b")),
    ],
)
def test_parse_line(line: str, setting: tuple[str, str | None] | None) -> None:
    assert sysctl.parse_line(line) == setting


ORDER: list[tuple[str, dict[str, str], list[str]]] = [
    ("nothing", {}, []),
    ("earlier names do not count", {"/etc/sysctl.d/10-x.conf": "", "/usr/lib/sysctl.d/99-a.conf": ""}, []),
    (
        "names decide, not folders",
        {"/usr/lib/sysctl.d/99-z.conf": "", "/etc/sysctl.d/zz.conf": "", "/run/sysctl.d/99-m.conf": ""},
        ["/run/sysctl.d/99-m.conf", "/usr/lib/sysctl.d/99-z.conf", "/etc/sysctl.d/zz.conf"],
    ),
    (
        "one name, highest folder",
        {"/usr/lib/sysctl.d/z.conf": "", "/usr/local/lib/sysctl.d/z.conf": "", "/lib/sysctl.d/z.conf": ""},
        ["/usr/local/lib/sysctl.d/z.conf"],
    ),
    ("masked by a link", {"/usr/lib/sysctl.d/z.conf": "", "/etc/sysctl.d/z.conf": "-> /dev/null"}, []),
    ("other names", {"/etc/sysctl.d/README.sysctl": "", "/etc/sysctl.d/z.conf.bak": ""}, []),
    (
        "sysctl.conf is last",
        {"/etc/sysctl.conf": "", "/etc/sysctl.d/z.conf": ""},
        ["/etc/sysctl.d/z.conf", "/etc/sysctl.conf"],
    ),
    (
        "Debian's link, once",
        {"/etc/sysctl.conf": "", "/etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf"},
        ["/etc/sysctl.conf"],
    ),
    ("our name elsewhere is masked by ours", {"/usr/lib/sysctl.d/99-kubernetes.conf": ""}, []),
]


@pytest.mark.parametrize(("files", "later"), [case[1:] for case in ORDER], ids=[case[0] for case in ORDER])
def test_files_after(tmp_path: Path, files: dict[str, str], later: list[str]) -> None:
    assert sysctl.files_after(host(tmp_path, files), OURS) == later


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("net.ipv4.ip_forward = 1\n", []),
        ("a.b = 1\n# c\nnet.ipv4.ip_forward = 0\n", [3]),
        ("net/ipv4/ip_forward=0\nnet.ipv4.ip_forward = 0\n", [1, 2]),
        ("-net.ipv4.ip_forward\n", [1]),
        ("-net.ipv4.ip_forward = 0\n", [1]),
        ("net.ipv4.* = 0\nnet.ipv4.ip_forw* = 0\n", []),  # a key set by name is exempt from patterns
        ("net.ipv4.conf.all.forwarding = 0\n", [1]),  # the same switch by its other name
        ("net.ipv4.conf.*.forwarding = 0\n", [1]),
        ("net.ipv4.conf.* = 0\n", []),  # a pattern's star does not span separators
        ("net.ipv4.conf.all.forwarding = 1\n-net.ipv4.conf.all.forwarding\n", []),
    ],
)
def test_conflicts(tmp_path: Path, content: str, lines: list[int]) -> None:
    root = host(tmp_path, {"/etc/sysctl.conf": content, "/etc/sysctl.d/10-early.conf": "net.ipv4.ip_forward = 0\n"})
    assert [(found.path, found.line) for found in sysctl.conflicts(root, OURS, FORWARD)] == [
        ("/etc/sysctl.conf", line) for line in lines
    ]


@pytest.mark.parametrize(
    ("before", "lines", "after"),
    [
        (b"a=1\nb=2\nc=3\n", [2], b"a=1\n# off: b=2\nc=3\n"),
        (b"a=1\r\n\tb=2", [2, 1], b"# off: a=1\r\n# off: b=2"),
        (b"\xff\xfe\na=1\n\n", [2], b"\xff\xfe\n# off: a=1\n\n"),
    ],
)
def test_comment_out(before: bytes, lines: list[int], after: bytes) -> None:
    assert sysctl.comment_out(before, lines, "off:") == after


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"vm.overcommit_memory": 1, "kernel/panic": "10", "net.ipv4.tcp_rmem": "4096 131072 6291456"}, None),
        ({"net.ipv4.ip_forward": 0}, "is what this module sets by itself"),
        ({"net/ipv4/conf/all/forwarding": 1}, "is what this module sets by itself"),
        ({"kernel.panic": 10, "kernel/panic": 5}, "are the same key"),
        ({"net.ipv4.conf.*.rp_filter": 0}, "is no key"),
        ({"../../etc/passwd": "x"}, "is no key"),
        ({"kernel.panic = 1\nx": 1}, "is no key"),
        ({"kernel.panic": True}, "give a number or a text"),
        ({"kernel.panic": None}, "give a number or a text"),
        ({"kernel.panic": " "}, "give a number or a text"),
        ({"kernel.panic": "1\n2"}, "more than one line"),
    ],
)
def test_check_keys(settings: dict[str, Any], fault: str | None) -> None:
    faults = sysctl.check_keys(settings, FORWARD)
    assert len(faults) == (0 if fault is None else 1)
    assert fault is None or fault in faults[0]


def test_write_values(tmp_path: Path) -> None:
    root = host(tmp_path, {"/proc/sys/vm/a": "0\n", "/proc/sys/net/b": "1\t2\n"})
    sysctl.write_values(root, {"vm/a": "1", "net/b": "3 4"})
    assert [sysctl.read_value(root, key) for key in ("vm/a", "net/b", "vm/none")] == ["1", "3 4", None]


def test_write_values_puts_back(tmp_path: Path) -> None:
    root = host(tmp_path, {"/proc/sys/vm/a": "0\n", "/proc/sys/vm/folder/x": ""})
    with pytest.raises(sysctl.SysctlError, match=r"the kernel refused vm\.nowhere\.b = 1: No such file"):
        sysctl.write_values(root, {"vm/a": "1", "vm/nowhere/b": "1"})
    assert sysctl.read_value(root, "vm/a") == "0"


UNREADABLE = [
    (errno.EACCES, "sysctl: net.ipv4.route.flush cannot be read (Permission denied), so that its value cannot be"),
    (errno.EIO, "sysctl: net.ipv4.route.flush cannot be read (Input/output error)"),
    (errno.EINVAL, "sysctl: net.ipv4.route.flush cannot be read (Invalid argument)"),
]


def fail_to_open(path_end: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that cannot be opened; root opens every file of a folder, but not every one of /proc/sys."""

    def opened(path: str, *arguments: Any, **named: Any) -> Any:
        if str(path).endswith(path_end):
            raise OSError(number, os.strerror(number), path)
        return open(path, *arguments, **named)

    monkeypatch.setattr(sysctl, "open", opened, raising=False)


@pytest.mark.parametrize(("number", "message"), UNREADABLE)
def test_a_key_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, message: str) -> None:
    root = host(tmp_path, {"/proc/sys/net/ipv4/route/flush": "", "/proc/sys/vm/a": "0\n"})
    fail_to_open("route/flush", number, monkeypatch)
    assert message in sysctl.read_fault(root, "net/ipv4/route/flush")
    assert [sysctl.read_fault(root, key) for key in ("vm/a", "vm/none")] == ["", ""]
    with pytest.raises(sysctl.SysctlError, match="cannot be read"):
        sysctl.write_values(root, {"vm/a": "1", "net/ipv4/route/flush": "1"})
    assert sysctl.read_value(root, "vm/a") == "0"


def test_a_folder_of_keys_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    root = host(tmp_path, {"/proc/sys/vm/a": "0\n"})
    (tmp_path / "proc/sys/vm/b").write_bytes(b"\xff\n")
    assert sysctl.read_fault(root, "vm") == "sysctl: vm is a folder of settings: name one of them"
    assert sysctl.read_fault(root, "vm/b") == ""


def test_what_cannot_be_put_back_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = host(tmp_path, {"/proc/sys/vm/a": "0\n"})
    write = sysctl._write

    def write_once(root: str, key: str, value: str) -> None:
        if value == "0":
            raise OSError(errno.EPERM, "Operation not permitted")
        write(root, key, value)

    monkeypatch.setattr(sysctl, "_write", write_once)
    with pytest.raises(sysctl.SysctlError) as error:
        sysctl.write_values(root, {"vm/a": "1", "vm/nowhere/b": "1"})
    assert str(error.value).splitlines() == [
        "the kernel refused vm.nowhere.b = 1: No such file or directory",
        "vm.a cannot be put back to 0: Operation not permitted",
    ]


def test_write_values_kept_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = host(tmp_path, {"/proc/sys/vm/a": "7\n"})
    monkeypatch.setattr(sysctl, "_write", lambda *_: None)
    with pytest.raises(sysctl.SysctlError, match=r"the kernel turned vm\.a = 1 into 7"):
        sysctl.write_values(root, {"vm/a": "1"})
