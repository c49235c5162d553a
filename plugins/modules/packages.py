# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install packages in given versions from a given repository, and hold them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Install packages in given versions from a given repository, and hold them
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Adds a package repository with its key, installs packages from it, and keeps the system's own updates from touching
    them, all in one round trip to the host.
  - Unlike M(ansible.builtin.apt) and M(ansible.builtin.dnf), it runs in check mode on a host that does not have the
    repository yet, needs no Python libraries on the host, and takes a version as upstream writes it.
  - Works with apt (Debian, Ubuntu) and dnf (the Red Hat family).
  - An installed package is left alone when its version is accepted. It is never downgraded.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
attributes:
  check_mode:
    details: Uses no network, so that a version that is not on offer is found by the real run only.
options:
  packages:
    description:
      - The packages, as C(name) or C(name=version).
      - A version may leave out the epoch and the packaging's own part; C(1.36.5) accepts C(0:1.36.5-1.1) and
        C(1.36.5~ds1-1), but no pre-release such as C(1.36.5~rc.0-1.1). Where they are given, they count.
      - Without a version it is what the package manager itself would install, with its pins and suites weighed.
    type: list
    elements: str
    required: true
  hold:
    description:
      - Packages that the system's own updates must not touch. Those that are not installed are left out.
      - With apt they are put on hold. With dnf they are excluded from O(repository) for everyone but this module.
    type: list
    elements: str
    default: []
  repository:
    description: A repository to add to the host's own.
    type: dict
    suboptions:
      name:
        description: Name of its file on the host.
        type: str
        required: true
      url:
        description: Where it is.
        type: str
        required: true
      key:
        description: URL of the OpenPGP key that signs it, or the key itself, armored.
        type: str
        required: true
      fingerprints:
        description:
          - Fingerprints of the keys that O(repository.key) may hold, in hexadecimal digits. Another key is refused, and
            replaced where the host has it already.
          - Without any, who holds the server of O(repository.key) decides which key it is.
        type: list
        elements: str
        default: []
      signed_metadata:
        description: Whether the repository's metadata must be signed, for dnf. With apt they must in any case.
        type: bool
        default: true
      suite:
        description: The suite, for apt. V(/) is a repository without suites.
        type: str
        default: /
      components:
        description: The components, for apt, where the suite has some.
        type: list
        elements: str
  allow_http:
    description: Whether O(repository) and its key may come over C(http), which can be read and changed on its way.
    type: bool
    default: false
notes:
  - A proxy is taken from the task's C(environment) (C(http_proxy), C(https_proxy), C(no_proxy)).
seealso:
  - module: ansible.builtin.apt
  - module: ansible.builtin.dnf
"""

EXAMPLES = r"""
- name: Install the kubelet and keep updates from touching it
  groundwork.kubernetes.packages:
    packages: [kubelet=1.36.5, kubernetes-cni]
    hold: [kubelet]
    repository:
      name: kubernetes
      url: https://pkgs.k8s.io/core:/stable:/v1.36/deb/
      key: https://pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key
      fingerprints: [DE15B14486CD377B9E876E1A234654DA9A296436]
"""

RETURN = r"""
versions:
  description:
    - The packages' installed versions. In check mode, a package that is not installed has the version that the host's
      package lists name, and is left out where they name none.
  returned: success
  type: dict
  sample:
    kubelet: 1.36.5-1.1
installed:
  description: The packages that were installed or updated, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [kubelet]
"""

import io
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader, DownloadError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import (
    FileChange,
    diffs,
    plan_file,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import Attributes, install_stream
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_versions import (
    debian_part,
    rpm_part,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.packages import (
    Offer,
    Repository,
    Request,
    choose,
    choose_all,
    find_unfulfilled,
    parse_dpkg,
    parse_policy,
    parse_repoquery,
    parse_repository,
    parse_request,
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
# Packages on hold are excluded; dnf 4 lifts that by "all", dnf 5 by "*", and each leaves the other's word alone.
DNF_OPTIONS = ["--assumeyes", "--setopt=disable_excludes=all,*"]
READABLE = Attributes(0o644, 0, 0)
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


class PackagesError(Exception):
    """Why the packages cannot be installed."""


class Manager:
    """What apt and dnf have in common: commands that fail with what they said."""

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


@dataclass
class Plan:
    """What is to be done. The key is fetched where it is due."""

    source: Optional[FileChange]
    key_path: str
    key_due: bool
    missing: List[Request]
    unheld: List[str]

    @property
    def changed(self) -> bool:
        """Whether that is anything."""
        return bool(self.missing or self.unheld or self.key_due or (self.source and self.source.changed))

    def diffs(self, versions: Dict[str, str]) -> List[Dict[str, Any]]:
        """The repository's file and the packages, before and after."""
        shown = diffs([self.source]) if self.source else []
        if self.key_due:
            key = {"before_header": self.key_path, "after_header": self.key_path}
            shown.append({**key, "before": "", "after": "the repository's key\n"})
        before = [f"{request.name}={versions[request.name]}" for request in self.missing if request.name in versions]
        after = [str(request) for request in self.missing] + [f"{name} on hold" for name in self.unheld]
        header = "packages"
        if after:
            text = {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}
            shown.append({"before_header": header, "after_header": header, **text})
        return shown


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


def key_is_due(repository: Repository, path: str) -> bool:
    """Whether the host lacks the repository's key, or has one that it may not have."""
    found = plan_file(path, repository.own_key)
    if repository.own_key or found.before is None:
        return found.changed or found.before is None
    try:
        repository.check_key(found.before.decode("utf-8", "replace"))
    except ValueError:
        return True
    return False


def fetch_key(repository: Repository, allow_http: bool) -> bytes:
    """The repository's key, armored.

    Raises:
        PackagesError: where it cannot be had, or is something else or another one.
    """
    if repository.own_key:
        return repository.own_key
    try:
        text = Downloader(allow_http=allow_http).text(repository.key)
    except DownloadError as error:
        raise PackagesError(f"repository {repository.name}: {error}") from None
    try:
        repository.check_key(text)
    except ValueError as error:
        raise PackagesError(f"repository {repository.name}: {repository.key} {error}") from None
    return text.strip().encode() + b"\n"


def write(module: AnsibleModule, change: FileChange) -> None:
    """Write a file that everyone may read, as apt's own user must."""
    if change.changed and change.after is not None:
        install_stream(module, io.BytesIO(change.after), change.path, READABLE)


def run(module: AnsibleModule) -> Dict[str, Any]:
    """What the module does; returns its result."""
    hold = module.params["hold"]
    allow_http = module.params["allow_http"]
    repository = parse_repository(module.params["repository"], allow_http)
    requests = [parse_request(text) for text in module.params["packages"]]
    names = [request.name for request in requests]
    manager = find_manager(module)
    present = manager.installed(sorted({*names, *hold}))
    versions = {name: present[name] for name in names if name in present}
    missing = [
        request for request in requests if request.name not in versions or not request.accepts(versions[request.name])
    ]
    refuse_downgrades(missing, versions, manager.part)
    source = manager.source(repository, hold) if repository else None
    held = [name for name in hold if name in present or name in names]
    key_path = manager.key_path(repository.name) if repository else ""
    key_due = repository is not None and key_is_due(repository, key_path)
    plan = Plan(source, key_path, key_due, missing, manager.unheld(held))
    result: Dict[str, Any] = {"changed": plan.changed, "installed": [request.name for request in missing]}
    if module._diff:
        result["diff"] = plan.diffs(versions)
    if plan.changed and not module.check_mode:
        if repository and source:
            if key_due or missing or source.changed:
                write(module, plan_file(key_path, fetch_key(repository, allow_http)))
            write(module, source)
        if missing:
            manager.install(missing, versions)
            versions = manager.installed(names)
            unfulfilled = find_unfulfilled(requests, versions)
            if unfulfilled:
                raise PackagesError("\n".join(unfulfilled))
        # apt takes a package that it updates off hold.
        unheld = manager.unheld(held) if missing else plan.unheld
        if unheld:
            manager.hold(unheld)
    elif missing:
        offers = manager.offers([request.name for request in missing])
        for request in missing:
            version = choose(request, offers.get(request.name, Offer()), manager.part)
            versions.update({request.name: version} if version else {})
    result["versions"] = versions
    return result


def main() -> None:
    """Run the module."""
    repository = {
        "name": {"type": "str", "required": True},
        "url": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "fingerprints": {"type": "list", "elements": "str", "default": []},
        "signed_metadata": {"type": "bool", "default": True},
        "suite": {"type": "str", "default": "/"},
        "components": {"type": "list", "elements": "str"},
    }
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "required": True},
            "hold": {"type": "list", "elements": "str", "default": []},
            "repository": {"type": "dict", "options": repository},
            "allow_http": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (PackagesError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
