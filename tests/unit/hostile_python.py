"""The Python of a host in tests: it runs no module, answers what it is told to, and keeps what it hears.

In the folder of its first argument, answer.json is what it says, and heard is where it keeps what it is sent. An answer
for one module alone is beside the others under the module's name.
"""

import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
sent = sys.argv[2] if len(sys.argv) > 2 else "-"
payload = sys.stdin.read() if sent == "-" or not Path(sent).is_file() else Path(sent).read_text()
with (folder / "heard").open("a") as heard:
    heard.write(payload)
answer = json.loads((folder / "answer.json").read_text())
for name in [name for name in answer if name.startswith("only ")]:
    own = answer.pop(name)
    if f"modules.{name[5:]}" in payload or f"modules/{name[5:]}" in payload:
        answer.update(own)
print(json.dumps(answer))
