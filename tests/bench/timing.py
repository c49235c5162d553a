"""How the benchmarks time a command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def timed(command: list[str], environment: dict[str, str], log: Path) -> tuple[float, str]:
    """Seconds and output of a command; its whole output is kept in a file."""
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )
    seconds = time.monotonic() - started
    log.write_text(done.stdout + done.stderr)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: see {log}")
    return seconds, done.stdout
