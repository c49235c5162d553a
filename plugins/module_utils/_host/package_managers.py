# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""apt and dnf: which packages are installed and on offer, and how they are installed and held."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import FileChange, plan_file
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_repository import Repository
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_versions import debian_part, rpm_part
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.packages import (
    Offer,
    PackagesError,
    Request,
    choose,
    choose_all,
    parse_dpkg,
    parse_policy,
    parse_repoquery,
    parse_rpm,
    refuse_downgrades,
)

APT_OPTIONS = [
    "--yes",
    "--no-install-recommends",
    "--allow-change-held-packages",
    "--option=DPkg::Lock::Timeout=300",
    "--option=Dpkg::Options::=--force-confdef",
    "--option=Dpkg::Options::=--force-confold",
]
# Packages on hold are excluded; dnf 4 lifts that by "all", dnf 5 by "*", and each ignores the other's word.
DNF_OPTIONS = ["--assumeyes", "--setopt=disable_excludes=all,*"]
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


class Manager:
    """What apt and dnf have in common: commands that fail with the end of their output."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def call(self, *command: str, ok: Tuple[int, ...] = (0,)) -> str:
        """Standard output of a command."""
        rc, out, err = self.module.run_command(list(command), environ_update=ENVIRONMENT, expand_user_and_vars=False)
        if ok and rc not in ok:
            lines = (err.strip() or out.strip()).splitlines()[-15:]
            raise PackagesError("\n".join([f"{' '.join(command)} failed with exit code {rc}:", *lines]))
        return out


class Apt(Manager):
    """Debian's package manager."""

    part = staticmethod(debian_part)

    def key_path(self, name: str) -> str:
        """Where a repository's key is kept."""
        return f"/etc/apt/keyrings/{name}.asc"

    def source(self, repository: Repository, hold: List[str]) -> FileChange:
        """The file that describes a repository."""
        text = repository.deb822(self.key_path(repository.name))
        return plan_file(f"/etc/apt/sources.list.d/{repository.name}.sources", text.encode())

    def installed(self, names: List[str]) -> Dict[str, str]:
        """The versions of the packages that are installed."""
        form = "--showformat=${Package}\\t${Version}\\t${db:Status-Abbrev}\\n"
        return parse_dpkg(self.call("dpkg-query", "--show", form, *names, ok=(0, 1)))

    def offers(self, names: List[str]) -> Dict[str, Offer]:
        """What the package lists name."""
        return parse_policy(self.call("apt-cache", "policy", *names, ok=(0, 100)))

    def unheld(self, hold: List[str]) -> List[str]:
        """The packages that are yet to be put on hold."""
        held = self.call("apt-mark", "showhold").split() if hold else []
        return [name for name in hold if name not in held]

    def install(self, requests: List[Request], installed: Dict[str, str]) -> None:
        """Install or update packages; installed are the versions that are there."""
        self.call("apt-get", "update", "--option=DPkg::Lock::Timeout=300")
        chosen = choose_all(requests, self.offers([request.name for request in requests]), self.part)
        refuse_downgrades(list(map(Request, chosen, chosen.values())), installed, self.part)
        self.call("apt-get", "install", *APT_OPTIONS, *(f"{name}={version}" for name, version in chosen.items()))

    def hold(self, names: List[str]) -> None:
        """Keep updates from touching packages."""
        self.call("apt-mark", "hold", *names)


class Dnf(Manager):
    """The Red Hat family's package manager, versions 4 and 5."""

    part = staticmethod(rpm_part)

    def key_path(self, name: str) -> str:
        """Where a repository's key is kept."""
        return f"/etc/pki/rpm-gpg/RPM-GPG-KEY-{name}"

    def source(self, repository: Repository, hold: List[str]) -> FileChange:
        """The file that describes a repository; it is what holds packages, too."""
        text = repository.yum(self.key_path(repository.name), hold)
        return plan_file(f"/etc/yum.repos.d/{repository.name}.repo", text.encode())

    def installed(self, names: List[str]) -> Dict[str, str]:
        """The versions of the packages that are installed."""
        form = "--queryformat=%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\n"
        found = parse_rpm(self.call("rpm", "--query", form, *names, ok=()))
        for name in names:
            # dnf takes a name that another package provides, too.
            if name not in found:
                providers = parse_rpm(self.call("rpm", "--query", "--whatprovides", form, name, ok=()))
                if providers:
                    found[name] = next(iter(providers.values()))
        return found

    def offers(self, names: List[str]) -> Dict[str, Offer]:
        """Nothing: dnf has no package lists that can be read without the network."""
        return {}

    def unheld(self, hold: List[str]) -> List[str]:
        """Nothing: the repository's file holds them."""
        return []

    def install(self, requests: List[Request], installed: Dict[str, str]) -> None:
        """Install or update packages; installed are the versions that are there."""
        names = [request.name for request in requests if request.version is None]
        chosen = self._choose([request for request in requests if request.version is not None])
        refuse_downgrades(list(map(Request, chosen, chosen.values())), installed, self.part)
        exact = [f"{name}-{version}" for name, version in chosen.items()]
        self.call("dnf", "install", *DNF_OPTIONS, *names, *exact)

    def _choose(self, requests: List[Request]) -> Dict[str, str]:
        """The exact versions, of what dnf has read lately or, where that does not do, of what there is now."""
        query = ["repoquery", *DNF_OPTIONS, "--quiet", "--queryformat=%{name}\\t%{epoch}:%{version}-%{release}\\n"]
        names = [request.name for request in requests]
        offers = parse_repoquery(self.call("dnf", *query, *names)) if requests else {}
        if any(choose(request, offers.get(request.name, Offer()), self.part) is None for request in requests):
            offers = parse_repoquery(self.call("dnf", *query, "--refresh", *names))
        return choose_all(requests, offers, self.part)

    def hold(self, names: List[str]) -> None:
        """Nothing to do."""


def find_manager(module: AnsibleModule) -> Any:
    """The host's package manager.

    Raises:
        PackagesError: where it is neither of the two.
    """
    for program, manager in (("apt-get", Apt), ("dnf", Dnf)):
        if module.get_bin_path(program):
            return manager(module)
    raise PackagesError(
        "the host has neither apt-get nor dnf; install its programs by kubernetes_install_method=binary"
    )
