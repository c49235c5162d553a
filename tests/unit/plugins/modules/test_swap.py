"""The module swap on a host that is a folder: real files, and only the programs it runs are played."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap import is_due
from ansible_collections.groundwork.kubernetes.plugins.modules import swap

MARK = "# turned off by groundwork.kubernetes.swap: "
ETC_UNITS = "etc/systemd/system"
LSBLK = ["/bin/lsblk", "--pairs", "--paths", "--output", "NAME,PARTTYPE,PARTFLAGS"]
RELOAD = ["/bin/systemctl", "daemon-reload"]
GPT_PARTITION = 'NAME="/dev/sda3" PARTTYPE="0657fd6d-a4ab-43c4-84e5-0933c84b4f4f" PARTFLAGS=""\n'
SWAP_FILE = "/swapfile file 2048 1024 -2"
ZRAM = "/dev/zram0 partition 2048 0 100"

Result = dict[str, Any]


@dataclass
class Host:
    """A folder in the place of /, and the programs a host has."""

    root: Path
    run_module: Callable[..., Result]
    programs: set[str] = field(default_factory=lambda: {"swapoff", "systemctl"})
    failing: dict[str, str] = field(default_factory=dict)
    lsblk: str = ""
    ran: list[list[str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def write(self, path: str, content: str = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def link(self, path: str, target: str = "../x") -> None:
        link = self.root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)

    def swaps(self, *lines: str) -> None:
        self.write("proc/swaps", "\n".join(["Filename Type Size Used Priority", *lines, ""]))

    def files(self) -> dict[str, str]:
        """Every file below the root: its content, or where a link leads."""
        return {
            str(path.relative_to(self.root)): f"-> {path.readlink()}"
            if path.is_symlink()
            else path.read_bytes().decode()
            for path in self.root.rglob("*")
            if (path.is_symlink() or path.is_file()) and "proc" not in path.parts
        }

    def run_command(self, arguments: list[str], **_options: Any) -> tuple[int, str, str]:
        self.ran.append(arguments)
        program = Path(arguments[0]).name
        if program in self.failing:
            return 255, "", f"{self.failing[program]}\n"
        if program == "swapoff":
            lines = (self.root / "proc/swaps").read_text().splitlines()[1:]
            self.swaps(*(line for line in lines if line.split()[0].replace("\\040", " ") != arguments[1]))
        return 0, self.lsblk if program == "lsblk" else "", ""

    def __call__(self, **options: Any) -> Result:
        self.ran.clear()
        self.warnings.clear()
        return self.run_module(swap, **{"fstab": str(self.root / "etc/fstab"), **options})


@pytest.fixture
def host(tmp_path: Path, run_module: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path, run_module)
    monkeypatch.setattr(swap, "ROOT", str(tmp_path))
    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, arguments, **k: host.run_command(arguments, **k))
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, warning: host.warnings.append(warning))
    monkeypatch.setattr(
        AnsibleModule,
        "get_bin_path",
        lambda _module, name, required=False: f"/bin/{name}" if name in host.programs else None,
    )
    host.write("etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n")
    host.write("proc/meminfo", "MemAvailable: 1024 kB\n")
    host.write("proc/self/status", "CapEff:\t000001ffffffffff\n")
    host.swaps()
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return host


def everywhere(host: Host) -> None:
    """Swap from each place that the module knows."""
    host.write("etc/fstab", "/dev/sda1 / ext4 defaults 0 1\r\n  /swapfile\tnone swap sw 0 0")
    host.swaps(SWAP_FILE, ZRAM, "/my\\040$HOME file 4 0 -3")
    host.write("etc/systemd/zram-generator.conf", "[zram0]\n")
    host.write("usr/lib/systemd/system/zramswap.service")
    host.link(f"{ETC_UNITS}/multi-user.target.wants/zramswap.service", "/usr/lib/systemd/system/zramswap.service")
    host.write(f"{ETC_UNITS}/data-swap.swap", "[Swap]\nWhat=/data/swap\n")
    host.link(f"{ETC_UNITS}/swap.target.wants/data-swap.swap", "../data-swap.swap")
    host.write("run/systemd/generator/swapfile.swap", "[Unit]\nSourcePath=/etc/fstab\n")
    host.link("run/systemd/generator/swap.target.requires/swapfile.swap", "../swapfile.swap")


def test_all_of_it_is_turned_off_once(host: Host) -> None:
    everywhere(host)
    before = host.files()
    expected = {**before, "etc/fstab": f"/dev/sda1 / ext4 defaults 0 1\r\n{MARK}  /swapfile\tnone swap sw 0 0"}
    expected[f"{ETC_UNITS}/dev-zram0.swap"] = "-> /dev/null"
    expected[f"{ETC_UNITS}/zramswap.service"] = "-> /dev/null"
    del expected[f"{ETC_UNITS}/swap.target.wants/data-swap.swap"]

    checked = host(_ansible_check_mode=True, _ansible_diff=True)
    assert host.ran == []
    assert host.files() == before

    result = host(_ansible_diff=True)
    assert host.ran == [
        RELOAD,
        ["/bin/swapoff", "/swapfile"],
        ["/bin/swapoff", "/dev/zram0"],
        ["/bin/swapoff", "/my $HOME"],
    ]
    assert host.files() == expected
    assert checked == result
    assert result["changed"] is True
    assert result["turned_off"] == ["/swapfile", "/dev/zram0", "/my $HOME"]
    assert result["disabled"] == [
        str(host.root / "etc/fstab:2"),
        *(
            str(host.root / ETC_UNITS / name)
            for name in ("swap.target.wants/data-swap.swap", "dev-zram0.swap", "zramswap.service")
        ),
    ]
    assert [(found["path"], found["kind"], found["allowed"]) for found in result["configured"]] == [
        ("/swapfile", "file", False),
        ("/data/swap", "file", False),
        ("/dev/zram0", "zram", False),
        ("", "zram", False),
    ]
    assert result["active"][0] == {
        "path": "/swapfile",
        "kind": "file",
        "size": 2097152,
        "used": 1048576,
        "priority": -2,
        "allowed": False,
    }
    (warning,) = host.warnings
    assert "turns on /my $HOME; if it is back after a reboot, look for a script" in warning

    for check in (False, True):
        again = host(_ansible_check_mode=check, _ansible_diff=True)
        assert (again["changed"], again["diff"], again["turned_off"], again["disabled"]) == (False, [], [], [])
        assert host.ran == []
        assert host.files() == expected


def test_diff_shows_what_changes_and_no_other_line_of_fstab(host: Host) -> None:
    host.write("etc/fstab", "//nas/x /x cifs password=secret 0 0\n/dev/zram0 none swap sw 0 0\n")
    host.swaps(SWAP_FILE, ZRAM)
    host.write("usr/lib/systemd/zram-generator.conf", "[zram0]\n")

    diff = host(allow=["file"], _ansible_diff=True)["diff"]

    fstab, mask = str(host.root / "etc/fstab"), str(host.root / ETC_UNITS / "dev-zram0.swap")
    line = "/dev/zram0 none swap sw 0 0\n"
    assert diff == [
        {"before_header": fstab, "after_header": fstab, "before": line, "after": MARK + line},
        {"before_header": mask, "after_header": mask, "before": "", "after": "link to /dev/null\n"},
        {
            "before_header": "active swap",
            "after_header": "active swap",
            "before": "/swapfile\n/dev/zram0\n",
            "after": "/swapfile\n",
        },
    ]


def test_interrupted_before_swapoff_the_next_run_goes_on(host: Host) -> None:
    host.write("etc/fstab", f"{MARK}/swapfile none swap sw 0 0\n")
    host.swaps(SWAP_FILE)
    assert host()["turned_off"] == ["/swapfile"]
    assert host.ran == [RELOAD, ["/bin/swapoff", "/swapfile"]]


@pytest.mark.parametrize(
    ("allow", "turned_off", "disabled"),
    [
        (["file", "zram", "partition"], [], []),
        (["zram"], ["/swapfile", "/my $HOME"], ["etc/fstab:2", f"{ETC_UNITS}/swap.target.wants/data-swap.swap"]),
        (
            ["/swapfile", "/my $HOME", "/dev/zram0"],
            [],
            [f"{ETC_UNITS}/swap.target.wants/data-swap.swap", f"{ETC_UNITS}/zramswap.service"],
        ),
    ],
)
def test_what_is_allowed_stays(host: Host, allow: list[str], turned_off: list[str], disabled: list[str]) -> None:
    everywhere(host)
    result = host(allow=allow)
    assert result["turned_off"] == turned_off
    assert result["disabled"] == [str(host.root / path) for path in disabled]
    assert result["changed"] is bool(turned_off or disabled)
    assert host(allow=allow)["changed"] is False


def test_a_volume_is_allowed_under_any_of_its_names(host: Host) -> None:
    host.write("dev/dm-1")
    host.link("dev/mapper/vg-swap", "../dm-1")
    host.link("dev/disk/by-uuid/1-2", "../../dm-1")
    host.write("etc/fstab", "UUID=1-2 none swap sw 0 0\n")
    host.swaps("/dev/dm-1 partition 2048 0 -2")
    result = host(allow=["/dev/mapper/vg-swap"])
    assert result["changed"] is False
    assert [found["allowed"] for found in result["active"] + result["configured"]] == [True, True]


def test_noauto_stays_and_is_turned_off_while_active(host: Host) -> None:
    host.write("etc/fstab", "/swapfile none swap noauto 0 0\n")
    host.swaps(SWAP_FILE)
    before = host.files()
    assert host()["turned_off"] == ["/swapfile"]
    assert host.files() == before
    assert host()["changed"] is False


# GPT partitions


def generator(host: Host) -> None:
    host.programs.add("lsblk")
    host.lsblk = GPT_PARTITION
    host.write("usr/lib/systemd/system-generators/systemd-gpt-auto-generator")


@pytest.mark.parametrize(
    ("fstab", "allow", "masked", "warned"),
    [
        pytest.param("", [], True, False, id="nothing in fstab"),
        pytest.param("/dev/sda3 none swap sw 0 0\n", [], True, False, id="fstab's last entry goes"),
        pytest.param("/swapfile none swap sw 0 0\n", ["file"], False, False, id="fstab keeps an entry"),
        pytest.param("/dev/sda3 none swap noauto 0 0\n", [], False, False, id="noauto keeps the generator from it"),
        pytest.param("", ["/dev/sda3"], False, False, id="allowed"),
        pytest.param("", ["zram"], False, True, id="allowed swap needs swap.target"),
    ],
)
def test_gpt_partition(host: Host, fstab: str, allow: list[str], masked: bool, warned: bool) -> None:
    generator(host)
    host.write("etc/fstab", fstab)
    if allow == ["zram"]:
        host.write("etc/systemd/zram-generator.conf", "[zram0]\n")

    result = host(allow=allow)

    assert host.ran[0] == LSBLK
    assert (host.files().get(f"{ETC_UNITS}/swap.target") == "-> /dev/null") is masked
    assert bool(host.warnings) is warned
    assert result["changed"] is masked
    assert host(allow=allow)["changed"] is False


def test_gpt_unit_is_not_masked_by_its_name_that_changes(host: Host) -> None:
    name = r"dev-disk-by\x2ddiskseq-1\x2dpart3.swap"
    host.write("dev/sda3")
    host.link("dev/disk/by-diskseq/1-part3", "../../sda3")
    host.write(f"run/systemd/generator.late/{name}", "# Automatically generated by systemd-gpt-auto-generator\n")
    host.link(f"run/systemd/generator.late/swap.target.wants/{name}", f"../{name}")

    result = host()

    assert result["configured"] == [
        {"name": "systemd-gpt-auto-generator", "path": "/dev/sda3", "kind": "partition", "allowed": False}
    ]
    assert result["disabled"] == [str(host.root / ETC_UNITS / "swap.target")]
    again = host()
    assert (again["changed"], again["configured"]) == (False, [])


def test_lsblk_that_fails_finds_nothing(host: Host) -> None:
    generator(host)
    host.failing["lsblk"] = "lsblk: failed to access sysfs directory: /sys/dev/block"
    assert host()["changed"] is False


def test_masked_target_and_allowed_swap_is_told(host: Host) -> None:
    host.link(f"{ETC_UNITS}/swap.target", "/dev/null")
    host.write("etc/fstab", "/swapfile none swap sw 0 0\n")
    host(allow=["file"])
    (warning,) = host.warnings
    assert warning.startswith("swap.target is masked, so swap that is allowed stays off at boot (")


# Units


@pytest.mark.parametrize(
    ("folder", "configured"),
    [
        ("etc/systemd/system/swap.target.wants", True),
        ("run/systemd/generator/swap.target.requires", True),
        ("usr/lib/systemd/system/multi-user.target.upholds", True),
        ("usr/lib/systemd/system/dev-sda2.device.wants", True),
        ("usr/lib/systemd/system/swap.target.d", False),
        ("usr/lib/systemd/user/default.target.wants", False),
    ],
)
def test_units_that_something_pulls_in_are_masked(host: Host, folder: str, configured: bool) -> None:
    host.write("usr/lib/systemd/system/dev-sda2.swap")
    host.link(f"{folder}/dev-sda2.swap")
    result = host()
    assert [found["name"] for found in result["configured"]] == (["dev-sda2.swap"] if configured else [])
    assert (host.files().get(f"{ETC_UNITS}/dev-sda2.swap") == "-> /dev/null") is configured
    again = host()
    assert (again["changed"], again["configured"]) == (False, [])


def test_empty_unit_file_counts_as_masked(host: Host) -> None:
    host.write(f"{ETC_UNITS}/dev-sda2.swap")
    host.link("usr/lib/systemd/system/swap.target.wants/dev-sda2.swap")
    assert host()["configured"] == []


@pytest.mark.parametrize("missing", ["systemd is not running", "no systemctl"])
def test_without_systemd_the_files_are_written(host: Host, missing: str) -> None:
    (host.root / "run/systemd/system").rmdir()
    if missing == "no systemctl":
        host.programs.remove("systemctl")
    host.write("etc/fstab", "/swapfile none swap sw 0 0\n")
    host.swaps(SWAP_FILE)
    assert host()["changed"] is True
    assert host.ran == [["/bin/swapoff", "/swapfile"]]


def test_host_without_anything(host: Host) -> None:
    for path in ("etc/fstab", "proc/swaps", "proc/meminfo", "proc/self/status"):
        (host.root / path).unlink()
    assert host()["changed"] is False


# What stands in the way


def test_all_faults_are_told_at_once_and_nothing_changes(host: Host) -> None:
    everywhere(host)
    host.write("etc/fstab", "/swapfile none swap sw 0 0\n/dev/sda1 /\nswap\n")
    host.write("proc/meminfo", "MemAvailable: 1023 kB\n")
    host.write("proc/self/status", "CapEff:\t0000000000000000\n")
    host.link("usr/lib/systemd/system/swap.target.wants/data-swap.swap")
    before = host.files()

    for check in (True, False):
        result = host(allow=["nvme"], _ansible_check_mode=check)
        assert result["failed"] is True
        for part in (
            "allow: 'nvme' is neither a kind",
            "/etc/fstab line 2 has 2 of the fields",
            "/etc/fstab line 3 has 1 of the fields",
            "data-swap.swap cannot be masked",
            "cannot be turned off without CAP_SYS_ADMIN",
            "what is swapped out (/swapfile 1 MiB) does not fit into the 0 MiB of memory available",
        ):
            assert part in result["msg"]
        assert host.ran == []
        assert host.files() == before


@pytest.mark.parametrize(
    ("available", "options", "ok"),
    [
        (1024, {}, True),
        (1023, {}, False),
        (1023, {"force": True}, True),
        (1023, {"allow": ["file"]}, True),
        (1023, {"state": "query"}, True),
    ],
)
def test_what_is_swapped_out_must_fit_into_memory(
    host: Host, available: int, options: dict[str, Any], ok: bool
) -> None:
    host.swaps(SWAP_FILE)
    host.write("proc/meminfo", f"MemAvailable: {available} kB\n")
    assert host(**options).get("failed", False) is not ok


@pytest.mark.parametrize("options", [{}, {"force": True}, {"allow": ["partition", "file", "zram"]}])
@pytest.mark.parametrize("check", [False, True])
def test_swap_of_the_containers_host_is_refused(host: Host, options: dict[str, Any], check: bool) -> None:
    host.write("etc/fstab", "/swapfile none swap sw 0 0\n")
    host.swaps("none                                    virtual\t\t524288\t0\t0")
    before = host.files()
    result = host(_ansible_check_mode=check, **options)
    assert result["failed"], result
    assert result["msg"].startswith("this host is a container that may use 512 MiB of its host's swap (lxcfs lists it")
    assert "on the container's host, turn swap off, or let the container use none" in result["msg"]
    assert host.files() == before
    assert not [call for call in host.ran if "swapoff" in call[0]]
    assert [swap["kind"] for swap in host(state="query")["active"]] == ["virtual"]


def test_swapoff_that_fails_is_told_after_the_others_are_off(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "GONE_PAUSE", 0)
    host.swaps(SWAP_FILE, ZRAM)
    host.failing["swapoff"] = "swapoff: /x: swapoff failed: Operation not permitted"
    result = host()
    assert result["failed"] is True
    assert result["msg"].startswith(f"{host.failing['swapoff']}; {host.failing['swapoff']}; what turns it on at boot")
    assert [argv[1] for argv in host.ran[1:]] == ["/swapfile", "/dev/zram0"]


def test_swap_that_another_container_turned_off_meanwhile_is_off(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.swaps(SWAP_FILE)

    def lost_race(arguments: list[str], **options: Any) -> tuple[int, str, str]:
        if not arguments[0].endswith("swapoff"):
            return host.run_command(arguments, **options)
        # The other one is not done when this one fails.
        monkeypatch.setattr(swap.time, "sleep", lambda _seconds: host.run_command(arguments, **options))
        return 255, "", "swapoff failed: Invalid argument"

    monkeypatch.setattr(AnsibleModule, "run_command", lambda _module, arguments, **k: lost_race(arguments, **k))
    assert host()["turned_off"] == ["/swapfile"]


def test_reload_that_fails_is_told(host: Host) -> None:
    host.swaps(SWAP_FILE)
    host.failing["systemctl"] = "Access denied"
    result = host()
    assert result["msg"] == "systemctl daemon-reload failed: Access denied"
    assert host.ran == [RELOAD]


def test_fstab_that_cannot_be_read_is_told(host: Host) -> None:
    (host.root / "etc/fstab").unlink()
    (host.root / "etc/fstab").mkdir()
    result = host()
    assert result["failed"] is True
    assert "etc/fstab" in result["msg"]


# Reading only


def test_query_changes_nothing(host: Host) -> None:
    everywhere(host)
    before = host.files()
    result = host(state="query", allow=["zram"])
    assert host.ran == []
    assert host.files() == before
    assert (result["changed"], result["turned_off"], result["disabled"]) == (False, [], [])
    assert [found["path"] for found in result["active"] if found["allowed"]] == ["/dev/zram0"]
    assert len(result["configured"]) == 4


def test_query_of_a_faulty_fstab_fails(host: Host) -> None:
    host.write("etc/fstab", "/swapfile swap\n")
    assert "line 1 has 2 of the fields" in host(state="query")["msg"]


@pytest.mark.parametrize(
    ("fstab", "swaps", "due"),
    [
        ("", [], False),
        ("/swapfile none swap sw 0 0\n", [], True),
        ("/swapfile none swap sw,noauto 0 0\n", [], False),
        ("", [SWAP_FILE], True),
        ("/swapfile none\n", [], True),
    ],
    ids=["none", "at boot", "never", "active", "a fault"],
)
def test_it_is_known_whether_there_is_something_to_do(host: Host, fstab: str, swaps: list[str], due: bool) -> None:
    """As the module itself says."""
    host.write("etc/fstab", fstab)
    host.swaps(*swaps)
    assert is_due(object.__new__(AnsibleModule), str(host.root)) is due
    result = host(_ansible_check_mode=True)
    assert (result.get("failed", False) or result["changed"] or bool(host.warnings)) is due
