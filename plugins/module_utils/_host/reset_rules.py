# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of a cluster in the host's firewall, as iptables-save prints them, and what removes them.

Only chains of the cluster and rules that lead to them go. Tables, policies and everybody else's rules stay.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Dict, List, Pattern, Sequence, Set, Tuple

# Chains by the names that kube-proxy, the kubelet and the known network plugins give them.
CHAIN = re.compile(r"(KUBE|FLANNEL)-.+|cali-.+|(OLD_)?CILIUM_.+")
# What the CNI plugins of every program on the host call theirs, podman's too.
CNI_CHAIN = re.compile(r"CNI-.+")
# Rules that stand in chains of others, by the comments that they carry.
COMMENT = re.compile(r"cali:.*|flanneld .*|cilium[-:].*|kubernetes-pods")
NETWORK = re.compile(r'name: \\?"([^"\\]+)\\?"')
IPSET = re.compile(r"KUBE-.+|cali[46]\w.*|cilium_.+")
NFT_TABLE = re.compile(r"table (?P<table>\S+ (kube-proxy|calico|flannel-ipv[46]))")


@dataclass(frozen=True)
class Rule:
    """A rule as iptables-save writes it behind its -A."""

    chain: str
    text: str
    targets: Tuple[str, ...]
    comments: Tuple[str, ...]

    @property
    def networks(self) -> List[str]:
        """The CNI networks that it names."""
        return [name for comment in self.comments for name in NETWORK.findall(comment)]


@dataclass(frozen=True)
class Table:
    """A table's chains and rules."""

    name: str
    chains: Tuple[str, ...]
    rules: Tuple[Rule, ...]


@dataclass(frozen=True)
class Removal:
    """What goes of a table.

    Attributes:
        table: its name.
        chains: the cluster's chains.
        rules: how many rules outside of them.
        lines: what iptables-restore --noflush is given.
    """

    table: str
    chains: Tuple[str, ...]
    rules: int
    lines: Tuple[str, ...]


def parse(text: str) -> List[Table]:
    """The tables that iptables-save prints."""
    tables: List[Table] = []
    chains: List[str] = []
    rules: List[Rule] = []
    name = ""
    for line in text.splitlines():
        if line.startswith("*"):
            name, chains, rules = line[1:].strip(), [], []
        elif line.startswith(":"):
            chains.append(line[1:].split()[0])
        elif line.startswith("-A "):
            rules.append(_rule(line[3:]))
        elif line == "COMMIT":
            tables.append(Table(name, tuple(chains), tuple(rules)))
    return tables


def _rule(text: str) -> Rule:
    words = shlex.split(text)
    after = list(zip(words, words[1:]))
    return Rule(
        words[0],
        text,
        tuple(value for option, value in after if option in ("-j", "-g")),
        tuple(value for option, value in after if option == "--comment"),
    )


def removal(
    table: Table,
    networks: Sequence[str],
    shared: bool,
    chain: Pattern[str] = CHAIN,
    comment: Pattern[str] = COMMENT,
) -> Removal:
    """What goes of a table.

    Args:
        table: as it is.
        networks: the cluster's CNI networks.
        shared: whether the host has CNI networks of others, so that a chain of CNI plugins whose rules name no network
            may be theirs.
        chain: the names of chains that go.
        comment: the comments of rules that go from chains of others.
    """
    own = {name for name in table.chains if chain.fullmatch(name)}
    own |= _cni_chains(table, set(networks), shared)
    outside = [
        rule
        for rule in table.rules
        if rule.chain not in own
        and (own.intersection(rule.targets) or any(comment.fullmatch(text) for text in rule.comments))
    ]
    ordered = tuple(name for name in table.chains if name in own)
    commands = [
        *(f"-F {name}" for name in ordered),
        *(f"-D {rule.text}" for rule in outside),
        *(f"-X {name}" for name in ordered),
    ]
    lines = (f"*{table.name}", *commands, "COMMIT") if commands else ()
    return Removal(table.name, ordered, len(outside), lines)


def _cni_chains(table: Table, networks: Set[str], shared: bool) -> Set[str]:
    """The chains of CNI plugins that are the cluster's: never those whose rules name a network that is not."""
    chains = {name for name in table.chains if CNI_CHAIN.fullmatch(name)}
    named: Dict[str, Set[str]] = {name: set() for name in chains}
    for rule in table.rules:
        for chain in {rule.chain, *rule.targets} & chains:
            named[chain].update(rule.networks)
    return {name for name, found in named.items() if (found or not shared) and found <= networks}


def own_sets(text: str) -> List[str]:
    """The cluster's sets, of the names that ipset prints."""
    return [name for name in text.split() if IPSET.fullmatch(name)]


def own_nft_tables(text: str) -> List[str]:
    """The cluster's tables, of those that nft lists, each as family and name."""
    return [found["table"] for found in map(NFT_TABLE.fullmatch, text.splitlines()) if found]
