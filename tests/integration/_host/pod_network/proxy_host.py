"""A host of namespaces where kube-proxy has had all modes: the module kube_proxy_rules works on its real rules.

Started by test_real_proxy.py as the first process of its own namespaces. What tells the mode is played. Prints as JSON
what the module returned, and what there was before and after.
"""

from __future__ import annotations

import http.server
import io
import json
import os
import subprocess
import sys
import threading
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

COLLECTIONS = Path(sys.argv[1])
sys.path.insert(0, str(COLLECTIONS))

from ansible.module_utils.testing import patch_module_args  # noqa: E402 - the path stands before
from ansible_collections.groundwork.kubernetes.plugins.modules import kube_proxy_rules  # noqa: E402

RULES = """\
*nat
:MINE - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
:KUBE-SEP-IT2ZTR26TO4XFPTO - [0:0]
:KUBE-NODE-PORT - [0:0]
-A PREROUTING -j MINE
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-TCOU7JCQXEZGVUNU -j KUBE-SEP-IT2ZTR26TO4XFPTO
-A KUBE-SEP-IT2ZTR26TO4XFPTO -p udp -m udp -j DNAT --to-destination 10.244.0.2:53
-A KUBE-NODE-PORT -j KUBE-MARK-MASQ
COMMIT
*filter
:KUBE-FORWARD - [0:0]
:KUBE-FIREWALL - [0:0]
-A FORWARD -j KUBE-FORWARD
-A INPUT -j KUBE-FIREWALL
COMMIT
"""


class Mode(http.server.BaseHTTPRequestHandler):
    """Says what kube-proxy would."""

    mode = ""

    def do_GET(self) -> None:
        """Tell the mode."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.mode.encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def run(*command: str, stdin: str = "") -> str:
    """Standard output of a command."""
    return subprocess.run(command, check=True, capture_output=True, text=True, input=stdin).stdout


def chains() -> list[str]:
    """The chains that are there, and the interface of IPVS."""
    saved = run("iptables-legacy-save").splitlines()
    found = [line[1:].split()[0] for line in saved if line.startswith(":") and " - [" in line]
    return sorted(found) + [name for name in os.listdir("/sys/class/net") if name.startswith("kube")]


def call(**options: Any) -> dict[str, Any]:
    """The module's result, and what there was then."""
    output = io.StringIO()
    with patch_module_args(options), redirect_stdout(output), suppress(SystemExit):
        kube_proxy_rules.main()
    result: dict[str, Any] = json.loads(output.getvalue().strip().splitlines()[-1])
    return {**result, "chains": chains()}


def furnish() -> None:
    """All that the modes have made."""
    run("iptables-legacy-restore", stdin=RULES)
    run("ip", "link", "add", "kube-ipvs0", "type", "bridge")


def main() -> None:
    """Do all, one after the other."""
    run("mount", "-t", "sysfs", "sysfs", "/sys")
    run("ip", "link", "set", "lo", "up")
    furnish()
    report: dict[str, Any] = {"before": chains(), "silent": call(mode="iptables")}
    server = http.server.HTTPServer(("127.0.0.1", 10249), Mode)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Mode.mode = "nonsense"
    report["nonsense"] = call(mode="iptables")
    Mode.mode = "ipvs"
    report["other"] = call(mode="iptables")
    Mode.mode = "iptables"
    report["check"] = call(mode="iptables", _ansible_check_mode=True, _ansible_diff=True)
    report["iptables"] = call(mode="iptables")
    report["again"] = call(mode="iptables")
    report["none_while_it_runs"] = call(mode="none")
    furnish()
    Mode.mode = "nftables"
    report["nftables"] = call(mode="nftables")
    furnish()
    Mode.mode = "ipvs"
    report["ipvs"] = call(mode="ipvs")
    server.shutdown()
    server.server_close()
    with subprocess.Popen(["kube-proxy", "60"], executable="/bin/sleep") as process:
        report["elsewhere"] = call(mode="none")
        process.kill()
    report["none"] = call(mode="none")
    print(json.dumps(report))


main()
