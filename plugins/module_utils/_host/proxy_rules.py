# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kube-proxy has left on a host of a mode in which it does not run any more.

Newer versions of kube-proxy remove some of it themselves when they start; none removes all. Chains that the kubelet has
too (KUBE-MARK-MASQ, KUBE-POSTROUTING, KUBE-FIREWALL) stay.
"""

from __future__ import annotations

import http.client
import os
import re
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Mapping, Optional, Pattern, Tuple

from ansible_collections.groundwork.kubernetes.plugins.module_utils._host import reset_rules
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.processes import runs

IPTABLES, IPVS, NFTABLES, NONE = MODES = ("iptables", "ipvs", "nftables", "none")
# Where kube-proxy tells its mode, on the host's loopback address.
PORT = 10249
# By mode, the chains that it alone has; KUBE-SERVICES and KUBE-FORWARD are those of two.
OF_IPTABLES = r"KUBE-(SVC|SEP|SVL|FW|XLB|EXT)-[A-Z0-9]+|KUBE-(NODEPORTS|EXTERNAL-SERVICES|PROXY-CANARY)"
OF_IPVS = r"KUBE-(NODE-PORT|LOAD-BALANCER|SOURCE-RANGES-FIREWALL|IPVS-FILTER|IPVS-OUT-FILTER)"
OF_BOTH = r"KUBE-(SERVICES|FORWARD|PROXY-FIREWALL)"
STALE_CHAINS: Dict[str, str] = {
    IPTABLES: OF_IPVS,
    IPVS: OF_IPTABLES,
    NFTABLES: f"{OF_IPTABLES}|{OF_IPVS}|{OF_BOTH}",
    NONE: f"{OF_IPTABLES}|{OF_IPVS}|{OF_BOTH}",
}
IPVS_LINK = "kube-ipvs0"
NFT_TABLE = re.compile(r"table (?P<table>\S+ kube-proxy)")
SETS = re.compile(r"KUBE-.+")
NOTHING: Pattern[str] = re.compile(r"(?!)")


class ProxyError(Exception):
    """It is not known in which mode kube-proxy runs, or a program failed."""


@dataclass
class Stale:
    """What is left, each kind before what it names."""

    rules: List[Tuple[str, reset_rules.Removal]] = field(default_factory=list)
    tables: List[str] = field(default_factory=list)
    sets: List[str] = field(default_factory=list)
    link: bool = False

    def lines(self) -> List[str]:
        """One line for each thing."""
        rules = [
            f"{os.path.basename(program)[: -len('-save')]} {removal.table}: {len(removal.chains)} chains, "
            f"{removal.rules} rules in other chains"
            for program, removal in self.rules
        ]
        return [
            *(f"rules {one}" for one in rules),
            *(f"nftables {table}" for table in self.tables),
            *(f"set {name}" for name in self.sets),
            *([f"interface {IPVS_LINK}"] if self.link else []),
        ]


def running_mode(port: int = PORT, host: str = "127.0.0.1") -> str:
    """The mode in which kube-proxy says that it runs; none where nothing listens, and no process is it.

    Raises:
        ProxyError: where it runs and does not tell.
    """
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/proxyMode", headers={"Connection": "close"})
        answer = connection.getresponse()
        text = answer.read(64).decode("utf-8", "replace").strip()
    except ConnectionRefusedError:
        # It may listen elsewhere, or have just been started.
        if runs("kube-proxy"):
            raise ProxyError(f"kube-proxy runs and does not answer at {host}:{port}") from None
        return NONE
    except (OSError, http.client.HTTPException) as error:
        raise ProxyError(f"kube-proxy does not tell its mode: {error}") from error
    finally:
        connection.close()
    if answer.status != 200 or text not in MODES:
        raise ProxyError(f"kube-proxy does not tell its mode, but {answer.status} {text!r}")
    return text


def stale_rules(mode: str, program: str, saved: str) -> List[Tuple[str, reset_rules.Removal]]:
    """The chains of other modes in what a program like iptables-save prints, and the rules that lead there."""
    chain = re.compile(STALE_CHAINS[mode])
    removals = [reset_rules.removal(table, [], True, chain, NOTHING) for table in reset_rules.parse(saved)]
    return [(program, removal) for removal in removals if removal.lines]


def find(
    mode: str,
    savers: List[str],
    run: Callable[..., str],
    programs: Mapping[str, Optional[str]],
    links: List[str],
) -> Stale:
    """All that is left of other modes.

    Args:
        mode: in which kube-proxy runs.
        savers: the programs that print rules.
        run: runs a program and gives what it prints.
        programs: where nft and ipset are, as far as the host has them.
        links: the names of the host's interfaces.
    """
    stale, nft, ipset = Stale(), programs["nft"], programs["ipset"]
    for program in savers:
        stale.rules += stale_rules(mode, program, run(program))
    if nft and mode != NFTABLES:
        found = map(NFT_TABLE.fullmatch, run(nft, "list", "tables").splitlines())
        stale.tables = [one["table"] for one in found if one]
    if mode != IPVS:
        stale.sets = [name for name in run(ipset, "list", "-name").split() if SETS.fullmatch(name)] if ipset else []
        stale.link = IPVS_LINK in links
    return stale


def virtual_services(text: str) -> int:
    """How many services the kernel's IPVS has, by /proc/net/ip_vs: they stay when kube-proxy's interface goes."""
    return sum(line.split()[0] in ("TCP", "UDP", "SCTP") for line in text.splitlines() if line.split())
