"""Builds clusters in the lab, makes faults one after the other and proves recovery: python3 -m reliability."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from .cluster import LOGS, ROOT, TOPOLOGIES, Cluster, say
from .disk import FullDatabase, FullDisk
from .faults import HOST_FAULTS, Fault, Outcome
from .figures import Figures
from .interrupted import FIRST, LAST, MEMBERS, InterruptedJoin, InterruptedSite
from .losses import LOSSES
from .phases import InterruptedPhases
from .quorum import NoQuorum, NoQuorumRepair
from .repair import REPAIRS
from .report import notes, table, write

FAULTS: list[Fault] = [
    InterruptedSite(),
    InterruptedSite(topologies=("external",), points=(*MEMBERS, *FIRST, *LAST)),
    *HOST_FAULTS,
    FullDisk(),
    FullDatabase(),
    NoQuorum(),
    NoQuorumRepair(),
    *REPAIRS,
    *LOSSES,
    InterruptedJoin(),
    InterruptedPhases(),
]
# With one control plane there is nothing to choose from.
DEFAULT_ENDPOINTS = {"stacked": "haproxy", "small": "first", "external": "first"}
RESULTS = LOGS / "results.json"
PAGE = ROOT / "docs" / "reliability.md"


def chosen(topology: str, endpoint: str, only: list[str]) -> list[Fault]:
    """The faults that make sense with a topology and an endpoint; of those that are named, all or none.

    Raises:
        ValueError: if one is named that does not exist or does not fit.
    """
    fit = [
        fault
        for fault in FAULTS
        if topology in fault.topologies and (topology != "stacked" or endpoint in fault.endpoints)
    ]
    wrong = set(only) - {fault.name for fault in fit}
    if wrong:
        raise ValueError(f"no such fault with topology {topology} and endpoint {endpoint}: {', '.join(sorted(wrong))}")
    return [fault for fault in fit if not only or fault.name in only]


def remember(key: str, outcome: Outcome) -> None:
    """Keep a result, so that the table can be made of several runs."""
    results = load()
    results[f"{key}/{outcome.name}"] = outcome
    RESULTS.write_text(json.dumps({name: asdict(one) for name, one in results.items()}, indent=1) + "\n")


def load() -> dict[str, Outcome]:
    """All results that were kept."""
    if not RESULTS.exists():
        return {}
    return {
        name: Outcome(**{**one, "figures": one["figures"] and Figures(**one["figures"])})
        for name, one in json.loads(RESULTS.read_text()).items()
    }


def measured() -> str:
    """Tables of all that passed, one for each kind of cluster, in the order of the faults."""
    order = [fault.name for fault in FAULTS]
    results = {name: one for name, one in load().items() if not one.failures}
    parts = []
    for key in sorted({name.rsplit("/", 1)[0] for name in results}, reverse=True):
        own = [one for name, one in results.items() if name.rsplit("/", 1)[0] == key]
        own.sort(key=lambda one: order.index(one.name))
        topology, endpoint = key.split("/")
        command = "make reliability" if topology == "stacked" else f"make reliability TOPOLOGY={topology}"
        command += "" if endpoint == DEFAULT_ENDPOINTS[topology] else f" ENDPOINT={endpoint}"
        parts.append(f"`{command}`:\n\n{table(own)}\n\n{notes(own)}".rstrip())
    return "\n\n".join(parts)


def try_fault(cluster: Cluster, fault: Fault) -> Outcome:
    """Run a fault; that it cannot be run to its end is a failure of it."""
    try:
        return fault.run(cluster)
    except Exception as error:
        return Outcome(fault.name, fault.title, failures=[f"{type(error).__name__}: {error}"])


def main() -> None:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(prog="reliability", description=__doc__)
    parser.add_argument("--list", action="store_true", help="say which faults there are")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="one fault; can be repeated")
    parser.add_argument("--topology", choices=sorted(TOPOLOGIES), default="stacked", help="where etcd runs")
    parser.add_argument(
        "--endpoint",
        choices=("haproxy", "local", "first"),
        help="what leads to the control planes (haproxy; external: first)",
    )
    parser.add_argument("--extra", type=json.loads, default={}, metavar="JSON", help="further variables")
    parser.add_argument("--reuse", action="store_true", help="take the cluster that a former run left")
    parser.add_argument("--keep", action="store_true", help="leave the cluster there")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    endpoint = options.endpoint or DEFAULT_ENDPOINTS[options.topology]
    try:
        faults = chosen(options.topology, endpoint, options.only)
    except ValueError as error:
        parser.error(str(error))
    if options.list:
        print("\n".join(f"{fault.name:22} {fault.title}" for fault in faults))
        return
    cluster = Cluster(TOPOLOGIES[options.topology], endpoint, options.extra)
    LOGS.mkdir(parents=True, exist_ok=True)
    if not options.reuse and not faults[0].begins:
        cluster.up()
        cluster.site()
    outcomes = []
    for fault in faults:
        say(f"{fault.name}: {fault.title}")
        outcomes.append(try_fault(cluster, fault))
        remember(f"{options.topology}/{endpoint}", outcomes[-1])
        for failure in outcomes[-1].failures:
            say(f"{fault.name}: FAILED: {failure}")
        if outcomes[-1].failures and cluster.sick():
            say("the cluster is sick: no further fault is tried, and it is left for you to look at")
            break
    else:
        if not options.keep:
            cluster.lab.hosts.down()
    print(f"\n{table(outcomes)}\n\n{notes(outcomes)}")
    if options.write:
        write(PAGE, measured())
    if any(outcome.failures for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
