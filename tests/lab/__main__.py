"""The lab's command line: python3 -m lab, with tests/ on PYTHONPATH."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

from .archives import Archives
from .debian import Debian
from .download import download
from .hosts import REGISTRY_PORT, Hosts, user
from .images import Images
from .kubernetes import Builder, release_folder
from .leaks import Leaks
from .packages import Packages
from .rootfs import RootFilesystems
from .settings import Settings

STARTED = time.monotonic()


def say(text: str) -> None:
    """Progress, with the seconds since the start."""
    print(f"lab [{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


class Lab:
    """The pieces, wired together."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.settings.cache.mkdir(parents=True, exist_ok=True)
        debian = Debian(self.settings.cache)
        systems = RootFilesystems(self.settings.cache, debian, say)
        self.builder = Builder(self.settings.cache, debian, say)
        self.archives = Archives(self.settings, debian, say)
        self.images = Images(self.settings, self.archives, systems, say)
        self.packages = Packages(self.settings, say)
        self.hosts = Hosts(self.settings, debian, systems, say)

    def artifacts(self) -> list[str]:
        """Fill the cache; returns the images that are there."""
        self.builder.build(self.settings.kubernetes)
        self.archives.fill()
        self.packages.fill()
        return self.images.fill()

    def up(self, counts: dict[str, int], name: str = "") -> None:
        """A lab with so many hosts of each group, made anew, and who logs in there."""
        images = self.artifacts()
        self.hosts.up(counts, name)
        self.images.push(f"{self.settings.mirror}:{REGISTRY_PORT}", images)
        # What the inventory says of this lab, so that later playbooks agree with the one that made it.
        facts = {
            "kubernetes_version": self.settings.kubernetes,
            "kubernetes_crictl_version": self.settings.crictl,
            "container_runtime_containerd_version": self.settings.containerd,
            "container_runtime_runc_version": self.settings.runc,
            "container_runtime_cni_plugins_version": self.settings.cni_plugins,
            "etcd_version": self.settings.etcd,
            "kubernetes_dns_enabled": any("coredns" in image for image in images),
        }
        (self.settings.state / "lab.json").write_text(json.dumps(facts, indent=2) + "\n")
        for host in self.hosts.running():
            say(f"{host.name} {host.address} ({host.group})")

    def usage(self) -> str:
        """Commands to paste."""
        settings = self.settings
        first = self.hosts.running()[0]
        kubectl = release_folder(settings.cache, settings.kubernetes) / "kubectl"
        return "\n".join(
            [
                f"export KUBECONFIG={settings.state}/admin.conf",
                f"{kubectl} get nodes",
                f"ssh -i {self.hosts.key} -o UserKnownHostsFile={settings.state}/known_hosts "
                f"{user(settings)}@{first.address}",
                "make verify    # the end-to-end check",
                "make clean     # removes the hosts",
            ]
        )


def main() -> None:
    """Parse and dispatch."""
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("artifacts", help="build, pack and fetch what the cache lacks")
    commands.add_parser("download", help="fetch upstream's artifacts into the cache, where there is internet")
    up = commands.add_parser("up", help="make the hosts anew, with their mirror")
    for group, count in (("control-plane", 1), ("worker", 2), ("etcd", 0)):
        up.add_argument(f"--{group}", type=int, default=count, metavar="N")
    up.add_argument("--user", default="", metavar="NAME", help="who logs in and needs a password for sudo (root)")
    commands.add_parser("down", help="remove hosts, mirror and network")
    commands.add_parser("list", help="the hosts that exist")
    commands.add_parser("usage", help="how to use the cluster on them")
    leaks = commands.add_parser("leaks", help="look for the hosts' secrets in files, in journals and in users' folders")
    leaks.add_argument("files", nargs="*")
    for name, text in (
        ("reboot", "restart hosts (all)"),
        ("kill", "take the power away"),
        ("start", "give it back"),
        ("remove", "lose hosts with their disks"),
        ("rebuild", "put a new, empty host in the place of each"),
        ("cut", "pull the network cable"),
        ("plug", "plug it in again"),
    ):
        commands.add_parser(name, help=text).add_argument("names", nargs="*" if name == "reboot" else "+")
    options = parser.parse_args()
    lab = Lab()
    if options.command == "artifacts":
        lab.artifacts()
    elif options.command == "download":
        download(lab.settings, say)
    elif options.command == "up":
        counts = {"control_plane": options.control_plane, "worker": options.worker, "etcd": options.etcd}
        lab.up(counts, options.user)
    elif options.command == "down":
        lab.hosts.down()
    elif options.command == "list":
        for host in lab.hosts.running():
            print(host.name, host.address, host.group)
    elif options.command == "leaks":
        found = Leaks(lab.settings).report(options.files)
        sys.exit("\n".join(found) or None)
    elif options.command == "usage":
        print(lab.usage())
    else:
        getattr(lab.hosts, options.command)(options.names)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"lab: {error}")
