"""How swap is found in what the kernel, fstab, systemd and lsblk say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import swap_sources
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.swap_sources import Active

HEADER = b"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
MARK = swap_sources.MARK
GPT = "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"


def same(path: str) -> str:
    return path


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (HEADER, []),
        (
            HEADER + b"/dev/dm-1 partition\t976892\t\t12\t\t-2\n",
            [Active("/dev/dm-1", "partition", 1000337408, 12288, -2)],
        ),
        (HEADER + b"/dev/zram0 partition 4 0 100\n", [Active("/dev/zram0", "zram", 4096, 0, 100)]),
        (
            HEADER + b"/var/my\\040swap file 4 4 -3\n/a\\134b file 8 0 5\n",
            [Active("/var/my swap", "file", 4096, 4096, -3), Active("/a\\b", "file", 8192, 0, 5)],
        ),
        (
            HEADER + b"none                                    virtual\t\t524288\t0\t0\n",  # lxcfs
            [Active("none", "virtual", 536870912, 0, 0)],
        ),
        (HEADER + b"/gone\\040(deleted) file 4 4 -3\n", [Active("/gone (deleted)", "file", 4096, 4096, -3)]),
    ],
)
def test_proc_swaps(content: bytes, expected: list[Active]) -> None:
    assert swap_sources.parse_swaps(content) == expected


@pytest.mark.parametrize("line", [b"none virtual\n", b"/a b file 4 4 -3\n"])
def test_proc_swaps_of_no_meaning(line: bytes) -> None:
    with pytest.raises(swap_sources.SwapError, match="/proc/swaps has a line of no meaning"):
        swap_sources.parse_swaps(HEADER + line)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"/dev/sda2 none swap sw 0 0\n", "/dev/sda2"),
        (b"/dev/sda2\tnone\tswap\tsw\t0\t0\n", "/dev/sda2"),
        (b"  \t/swapfile   swap \t swap    defaults,pri=5\n", "/swapfile"),
        (b"/swapfile none swap", "/swapfile"),
        (b"/dev/mapper/vg-swap_1 none swap sw 0 0\r\n", "/dev/mapper/vg-swap_1"),
        (b"/swapfile none swap\r\n", "/swapfile"),
        (b"UUID=1-2 none swap sw 0 0 # at the end\n", "UUID=1-2"),
        (b'LABEL="my" none swap sw\n', 'LABEL="my"'),
        (b"/my\\040swap none swap sw 0 0\n", "/my swap"),
        (b"/dev/sda2 none swap nofail,x-systemd.device-timeout=5 0 0\n", "/dev/sda2"),
    ],
)
@pytest.mark.parametrize("around", [(b"", b""), (b"# fstab\n\n/dev/sda1 / ext4 defaults 0 1\n", b"")])
def test_fstab_entry_becomes_a_comment_and_nothing_else_changes(
    line: bytes, path: str, around: tuple[bytes, bytes]
) -> None:
    before, after = around
    content = before + line + after
    number = before.count(b"\n") + 1

    found = swap_sources.parse_fstab(content, "/etc/fstab", same)

    assert [(entry.name, entry.path, entry.line) for entry in found.entries] == [(f"/etc/fstab:{number}", path, number)]
    commented = swap_sources.comment(content, {number})
    assert commented == before + MARK + line + after
    assert swap_sources.parse_fstab(commented, "/etc/fstab", same).entries == []


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" \t\n",
        b"\r\n",
        b"#/dev/sda2 none swap sw 0 0\n",
        b"  # /dev/sda2 none swap sw 0 0\n",
        MARK + b"/dev/sda2 none swap sw 0 0\n",
        b"/dev/sda1 /swap ext4 defaults 0 1\n",
        b"/swapfile /mnt/swap none bind\n",
        b"/dev/sda2 none swapfs sw 0 0\n",
    ],
)
def test_other_lines_of_fstab_are_no_swap(line: bytes) -> None:
    found = swap_sources.parse_fstab(line, "/etc/fstab", same)
    assert (found.entries, found.noauto, found.faults) == ([], [], [])


def test_noauto_is_told_apart() -> None:
    found = swap_sources.parse_fstab(b"/a none swap sw,noauto 0 0\n/b none swap noautox\n", "/etc/fstab", same)
    assert [entry.path for entry in found.noauto] == ["/a"]
    assert [entry.path for entry in found.entries] == ["/b"]


def test_every_faulty_line_is_named() -> None:
    found = swap_sources.parse_fstab(b"/swapfile swap\n/a none swap\nswapon\n", "/etc/fstab", same)
    assert found.faults == [
        "/etc/fstab line 1 has 2 of the fields device, mount point, type: '/swapfile swap'; "
        "correct it or make it a comment",
        "/etc/fstab line 3 has 1 of the fields device, mount point, type: 'swapon'; correct it or make it a comment",
    ]


def test_bytes_that_are_no_text_are_kept() -> None:
    content = b"/caf\xe9 none swap sw 0 0\n\xff\xfe / ext4 x\n"
    (entry,) = swap_sources.parse_fstab(content, "/etc/fstab", same).entries
    assert os.fsencode(entry.path) == b"/caf\xe9"
    assert swap_sources.comment(content, {1}) == MARK + content


@pytest.mark.parametrize(
    ("what", "link", "target"),
    [
        ("/dev/mapper/vg-swap", "dev/mapper/vg-swap", "/dev/dm-1"),
        ("UUID=1-2", "dev/disk/by-uuid/1-2", "/dev/sda2"),
        ('LABEL="my swap/1"', "dev/disk/by-label/my\\x20swap\\x2f1", "/dev/sda2"),
        ("PARTUUID=3-4", "dev/disk/by-partuuid/3-4", "/dev/sda2"),
        ("PARTLABEL=caf\u00e9", "dev/disk/by-partlabel/caf\u00e9", "/dev/sda2"),
    ],
)
def test_links_and_tags_are_followed(tmp_path: Path, what: str, link: str, target: str) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / target[1:]).touch()
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(os.path.relpath(tmp_path / target[1:], (tmp_path / link).parent))
    assert swap_sources.resolver(str(tmp_path))(what) == target


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("/swapfile", "/swapfile"),
        ("UUID=none-such", "/dev/disk/by-uuid/none-such"),
        ("swapfile", "swapfile"),
    ],
)
def test_what_does_not_exist_stays(tmp_path: Path, what: str, expected: str) -> None:
    assert swap_sources.resolver(str(tmp_path))(what) == expected


@pytest.mark.parametrize(
    ("name", "path"),
    [  # as systemd-escape --path --suffix=swap has it
        ("dev-sda2.swap", "/dev/sda2"),
        (r"dev-disk-by\x2duuid-a\x2db.swap", "/dev/disk/by-uuid/a-b"),
        (r"dev-mapper-vg\x2dswap_1.swap", "/dev/mapper/vg-swap_1"),
        (r"swap\x20file.swap", "/swap file"),
        (r"\x2eswap-\xc3\xa9.swap", "/.swap/\u00e9"),
    ],
)
def test_path_of_a_unit(name: str, path: str) -> None:
    assert swap_sources.unit_path(name) == path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/dev/zram0", "zram"),
        ("/dev/zram12", "zram"),
        ("/dev/zramx", "partition"),
        ("/dev/dm-1", "partition"),
        ("/swapfile", "file"),
    ],
)
def test_kind(path: str, kind: str) -> None:
    assert swap_sources.kind_of(path) == kind


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("", []),
        ('NAME="/dev/sda" PARTTYPE="" PARTFLAGS=""\n', []),
        (f'NAME="/dev/sda3" PARTTYPE="{GPT}" PARTFLAGS=""\n', ["/dev/sda3"]),
        (f'NAME="/dev/sda3" PARTTYPE="{GPT.upper()}" PARTFLAGS="0x4"\n', ["/dev/sda3"]),
        (f'NAME="/dev/sda3" PARTTYPE="{GPT}" PARTFLAGS="0x8000000000000000"\n', []),
        ('NAME="/dev/sda3" PARTTYPE="0x82" PARTFLAGS="0x80"\n', []),
    ],
)
def test_gpt_partitions(output: str, expected: list[str]) -> None:
    assert swap_sources.parse_lsblk(output) == expected


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ([b""], []),
        ([b"[zram0]\nzram-size = ram / 2\n"], ["zram0"]),
        ([b"# [zram0]\n[other]\nmount-point = /x\n"], []),
        (
            [b"[zram0]\n[zram1]\nmount-point = /var/x\n[zram2]\nfs-type=swap\n[zram3]\nfs-type = ext4\n"],
            ["zram0", "zram2"],
        ),
        ([b"[zram0]\n", b"[zram0]\nmount-point=/x\n[zram1]\n"], ["zram1"]),
        ([b"\xff no ini\n[zram0\n[ zram1 ]\r\n"], ["zram1"]),
    ],
)
def test_zram_generator(contents: list[bytes], expected: list[str]) -> None:
    assert swap_sources.parse_zram(contents) == expected


def test_zram_generator_reads_the_first_file_and_the_first_drop_in_of_a_name(tmp_path: Path) -> None:
    for path, content in {
        "usr/lib/systemd/zram-generator.conf": "usr",
        "etc/systemd/zram-generator.conf": "etc",
        "usr/lib/systemd/zram-generator.conf.d/20-b.conf": "usr 20",
        "usr/lib/systemd/zram-generator.conf.d/10-a.conf": "usr 10",
        "etc/systemd/zram-generator.conf.d/20-b.conf": "etc 20",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    assert swap_sources.zram_files(str(tmp_path)) == [b"etc", b"usr 10", b"etc 20"]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (b"Name:\tx\nCapEff:\t000001ffffffffff\n", True),
        (b"CapEff:\t00000000a80425fb\n", False),
        (b"CapEff:\t0000000000000000\n", False),
        (b"", True),
    ],
)
def test_capability(status: bytes, expected: bool) -> None:
    assert swap_sources.may_swapoff(status) is expected


@pytest.mark.parametrize(
    ("meminfo", "expected"),
    [(b"MemTotal: 9 kB\nMemAvailable:   1024 kB\n", 1048576), (b"MemTotal: 9 kB\n", None)],
)
def test_memory_available(meminfo: bytes, expected: int | None) -> None:
    assert swap_sources.parse_available(meminfo) == expected
