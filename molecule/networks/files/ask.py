"""Asks a service on every node until a file is there. Prints as JSON what came of it."""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path

PAUSE, LIMIT = 0.2, 5.0


def ask(address: str, port: int) -> str:
    """What is wrong with the answer; empty for a good one."""
    connection = http.client.HTTPConnection(address, port, timeout=LIMIT)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return "" if answer.status == http.HTTPStatus.OK else str(answer.status)


def main() -> None:
    """Ask until the end."""
    end, port, addresses = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    calls, failed = 0, []
    while not end.exists():
        for address in addresses:
            fault = ask(address, port)
            calls += 1
            failed += [f"{time.strftime('%H:%M:%S')} {address}: {fault}"] if fault else []
        time.sleep(PAUSE)
    print(json.dumps({"calls": calls, "failed": failed}))


main()
