"""The images of the lab's hosts: labs with caches of their own run beside each other on one machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from lab.hosts import image_name, unused_images  # noqa: E402  it is no part of the collection

NAME = "localhost/groundwork-lab/host"


def system(folder: Path, recipe: str, made: int) -> Path:
    folder.mkdir(exist_ok=True)
    tarball = folder / f"host-{recipe}.tar"
    tarball.touch()
    os.utime(tarball, (made, made))
    return tarball


def test_name_of_the_image(tmp_path: Path) -> None:
    first = system(tmp_path / "a", "fd658cdc67f9", 100)
    assert image_name(first) == f"{NAME}:fd658cdc67f9-100"
    assert image_name(first) == image_name(system(tmp_path / "a", "fd658cdc67f9", 100))
    others = [system(tmp_path / "b", "0123456789ab", 100), system(tmp_path / "b", "fd658cdc67f9", 200)]
    assert image_name(first) not in [image_name(other) for other in others]


def test_images_that_can_go() -> None:
    images = [
        {"Id": "1", "Names": [f"{NAME}:a-1"]},
        {"Id": "2", "Names": [f"{NAME}:b-1"]},
        {"Id": "3", "Names": [f"{NAME}:latest"]},
        {"Id": "4", "Names": ["localhost/groundwork-lab/hosting:a-1"]},
        {"Id": "5", "Names": ["docker.io/library/debian:12"]},
        {"Id": "6"},
        {"Id": "7", "Names": [f"{NAME}:c-1"]},
    ]
    assert unused_images(images, used=["2"], current=[f"{NAME}:c-1"]) == [f"{NAME}:a-1", f"{NAME}:latest"]
