# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install packages in given versions from a given repository, and hold them.

Why not ansible.builtin: for the packages of Kubernetes it takes eight round trips to a Debian host, in each run, where
this takes one (package_facts against a downgrade, apt for python3-debian, deb822_repository, gpg for the key's
fingerprint, apt, dpkg_selections for each of three packages), and four on Red Hat's family (package_facts, rpm_key,
yum_repository, dnf). None of them foretells anything in check mode on a host without the repository or the bindings.
"""

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

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_managers import find_manager
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.package_repository import (
    key_is_due,
    parse_repository,
    write_key,
    write_source,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.packages import (
    Offer,
    PackagePlan,
    PackagesError,
    choose,
    find_unfulfilled,
    parse_request,
    refuse_downgrades,
)


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
    plan = PackagePlan(source, key_path, key_due, missing, manager.unheld(held))
    result: Dict[str, Any] = {"changed": plan.changed, "installed": [request.name for request in missing]}
    if module._diff:
        result["diff"] = plan.diffs(versions)
    if plan.changed and not module.check_mode:
        if repository and source:
            if key_due or missing or source.changed:
                write_key(module, repository, key_path, allow_http)
            write_source(module, source)
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
