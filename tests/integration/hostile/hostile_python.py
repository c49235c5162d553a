"""The Python of a host that was taken over: it runs no module, says what it wants, and adds facts to each answer.

Beside it, answer.json is what it says, and heard is where it keeps what it is told.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent

payload = Path(sys.argv[1]).read_text() if len(sys.argv) > 1 and Path(sys.argv[1]).is_file() else sys.stdin.read()
with (FOLDER / "heard").open("a") as heard:
    heard.write(payload)
print((FOLDER / "answer.json").read_text())
