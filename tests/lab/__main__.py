"""The lab's command line: python3 -m lab, with tests/ on PYTHONPATH."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable

from .archives import Archives
from .debian import Debian
from .download import Upstream, download, fault, files
from .hosts import REGISTRY_PORT, Hosts, user
from .images import Images
from .kubernetes import Builder, built_here, release_folder
from .leaks import Leaks
from .packages import Packages
from .rootfs import RootFilesystems
from .settings import Settings
from .sizes import GROUPS, resize

STARTED = time.monotonic()


def say(text: str) -> None:
    """Progress, with the seconds since the start."""
    print(f"lab [{time.monotonic() - STARTED:4.0f} s] {text}", flush=True)


class Artifacts:
    """All that the cache has of one version of Kubernetes and what belongs to it."""

    def __init__(self, settings: Settings, debian: Debian, systems: RootFilesystems) -> None:
        self.settings = settings
        self.builder = Builder(settings.cache, debian, say)
        self.archives = Archives(settings, debian, say)
        self.images = Images(settings, self.archives, systems, say)
        self.packages = Packages(settings, say)

    def fill(self) -> list[str]:
        """Make and fetch what the cache lacks; returns the images that are there."""
        settings, upstream = self.settings, Upstream()
        if settings.choice.why:
            say(settings.choice.why)
        if not built_here(settings.kubernetes) and self._lacks(upstream):
            if reason := fault(upstream, settings.kubernetes):
                say(f"only what the cache has is used: {reason}")
            else:
                download(settings, say, upstream)
        self.builder.build(settings.kubernetes)
        self.archives.fill()
        self.packages.fill()
        return self.images.fill()

    def _lacks(self, upstream: Upstream) -> bool:
        """Whether the cache has not all that upstream has of this version."""
        if not all(file.path.exists() for file in files(self.settings, upstream)):
            return True
        return not all(self.images.tarball(reference).exists() for reference in self.images.references()[:-1])


class Lab:
    """The pieces, wired together."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.settings.cache.mkdir(parents=True, exist_ok=True)
        debian = Debian(self.settings.cache)
        systems = RootFilesystems(self.settings.cache, debian, say)
        # What the hosts are made with, and what they may be upgraded to.
        self.releases = [Artifacts(each, debian, systems) for each in (self.settings, *self.settings.upgrades)]
        self.images = self.releases[0].images
        self.hosts = Hosts(self.settings, debian, systems, say)

    def artifacts(self) -> list[str]:
        """Fill the cache with each version; returns the images that are there."""
        return list(dict.fromkeys(image for release in self.releases for image in release.fill()))

    def download(self) -> None:
        """Fetch what the cache lacks of each version."""
        for release in self.releases:
            download(release.settings, say)

    def up(self, counts: dict[str, int], name: str = "") -> None:
        """A lab with so many hosts of each group, made anew, and who logs in there."""
        images = self.artifacts()
        self.hosts.up(counts, name)
        self._serve(images, self.settings.debian)

    def resize(self, counts: dict[str, int]) -> None:
        """The same where the lab has no hosts; otherwise the hosts that exist stay, and others come or go.

        Raises:
            RuntimeError: What was asked for does not go together with the hosts that exist; nothing was done.
        """
        if not self.hosts.running():
            self.up(counts)
            return
        settings = self.settings
        other = [
            f"{variable} {wanted}, not {settings.remembered[variable]}"
            for variable, wanted in settings.variables().items()
            if wanted != settings.remembered.get(variable, wanted)
        ]
        if other:
            raise RuntimeError(
                f"the hosts that exist were made for other versions ({', '.join(other)}): make clean first"
            )
        self.hosts.keep_endpoint(resize(self.hosts.running(), counts, settings.address))
        images = self.artifacts()
        change = self.hosts.resize(counts)
        for text, hosts in (("kept", change.kept), ("made", change.added), ("taken away", change.removed)):
            if hosts:
                say(f"{text}: {', '.join(host.name for host in hosts)}")
        if change.removed:
            say(
                "what is taken away is lost with its disk; the cluster still has its node, NotReady after a minute: "
                "kubectl delete node NAME forgets it; a new host of that name joins anew"
            )
        self._serve(images, settings.remembered.get("lab_debian", settings.debian))

    def _serve(self, images: list[str], debian: str) -> None:
        """Push the images, and tell the inventory of this lab, so that later playbooks agree with what made it."""
        self.images.push(f"{self.settings.mirror}:{REGISTRY_PORT}", images)
        facts = {
            **self.settings.variables(),
            "lab_debian": debian,
            "lab_upgrades": [release.settings.kubernetes for release in self.releases[1:]],
            "kubernetes_dns_enabled": any("coredns" in image for image in images),
        }
        self.settings.facts.write_text(json.dumps(facts, indent=2) + "\n")
        folder = self.settings.state / "versions"
        folder.mkdir(exist_ok=True)
        for settings in (release.settings for release in self.releases):
            (folder / f"{settings.kubernetes}.json").write_text(json.dumps(settings.variables(), indent=2) + "\n")
        for host in self.hosts.running():
            say(f"{host.name} {host.address} ({host.group})")

    def addons(self) -> None:
        """Put images of add-ons into the registry of the lab that exists."""
        self.images.push(f"{self.settings.mirror}:{REGISTRY_PORT}", self.images.addons())

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
    up = commands.add_parser("up", help="make hosts, with their mirror; those that exist stay")
    for group, count in (("control-plane", 1), ("worker", 2), ("etcd", 0), ("load-balancer", 0), ("mirror", 0)):
        up.add_argument(f"--{group}", type=int, default=count, metavar="N")
    up.add_argument("--user", default="", metavar="NAME", help="who logs in and needs a password for sudo (root)")
    up.add_argument("--anew", action="store_true", help="remove the hosts that exist before")
    commands.add_parser("down", help="remove hosts, mirror and network")
    commands.add_parser("addons", help="make images of add-ons, and put them into the registry")
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
    simple: dict[str, Callable[[], object]] = {
        "artifacts": lab.artifacts,
        "addons": lab.addons,
        "download": lab.download,
        "down": lab.hosts.down,
        "usage": lambda: print(lab.usage()),
    }
    if options.command in simple:
        simple[options.command]()
    elif options.command == "up":
        counts = {group: getattr(options, group) for group in GROUPS}
        if options.anew or options.user:
            lab.up(counts, options.user)
        else:
            lab.resize(counts)
    elif options.command == "list":
        for host in lab.hosts.running():
            print(host.name, host.address, host.group)
    elif options.command == "leaks":
        found = Leaks(lab.settings).report(options.files)
        sys.exit("\n".join(found) or None)
    else:
        getattr(lab.hosts, options.command)(options.names)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"lab: {error}")
