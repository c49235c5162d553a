# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Download, verify and install programs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Download, verify and install programs
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Downloads files and archives in parallel, verifies each one's checksum, and installs them or the files in them.
  - Nothing is installed before every download of the task is there and verified. All faults are reported together.
  - Each file is written beside its target and renamed over it, so that a running program can be replaced.
  - What is installed is recorded in O(state_dir), so that a later run that has nothing to do needs no network.
  - A file of an archive is never written outside of the folder that it belongs to, and links are never created;
    a link within an archive is installed as a copy of what it points to.
  - A download may have 1 GiB. An archive may hold 10000 files and unpack to 2 GiB.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
attributes:
  check_mode:
    details: Uses no network, so that a wrong URL or checksum is found by the real run only.
  diff_mode:
    details: Shows which downloads are installed, not what is in them.
options:
  artifacts:
    description: The downloads.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the download, for messages and for the record of what is installed. Unique on the host.
        type: str
        required: true
      state:
        description:
          - With V(present), the files are installed, and those of an earlier version that this one lacks are removed.
          - With V(absent), the files that this module installed under this name are removed.
          - A file that was changed since it was installed is never removed.
        type: str
        choices: [present, absent]
        default: present
      url:
        description: Where to download from. Required for O(artifacts[].state=present).
        type: str
      checksum:
        description:
          - Required for O(artifacts[].state=present).
          - The SHA-256 or SHA-512 checksum as hexadecimal digits, which C(sha256:) or C(sha512:) may precede, or the
            URL of a file that holds it. Such a file proves nothing against who holds its server.
          - Such a file holds only the digits, or lines with the digits and a file name as C(sha256sum) writes them.
        type: str
      dest:
        description:
          - Absolute path of the file, or of the folder for the files of an archive.
          - Required for O(artifacts[].state=present).
        type: path
      members:
        description:
          - The files of an archive to install. All when not given and the URL ends in C(.tar), C(.tgz), C(.tar.gz),
            C(.tar.xz) or C(.tar.bz2).
        type: list
        elements: dict
        suboptions:
          source:
            description: Path within the archive, after O(artifacts[].strip).
            type: str
            required: true
          dest:
            description: Path of the file, relative to O(artifacts[].dest) or absolute. Its own name when not given.
            type: path
          mode:
            description: Permissions, where they differ from O(artifacts[].mode).
            type: str
          optional:
            description: Whether the archive may lack the file, as some versions do.
            type: bool
            default: false
      strip:
        description: How many leading folders to drop from the paths in the archive.
        type: int
        default: 0
      mode:
        description: Permissions of the installed files, as octal digits in quotes.
        type: str
        default: '0755'
      owner:
        description: Name or number of the user who owns the installed files.
        type: str
        default: '0'
      group:
        description: Name or number of the group that owns the installed files.
        type: str
        default: '0'
  state_dir:
    description: Folder for the record of what is installed, and for the downloads while they are being verified.
    type: path
    default: /var/lib/groundwork/artifacts
  timeout:
    description: How long a server may be silent, in seconds.
    type: int
    default: 30
  retries:
    description: How often a download is tried again after a fault of the network or of the server.
    type: int
    default: 3
  validate_certs:
    description: Whether servers' TLS certificates are verified.
    type: bool
    default: true
  allow_http:
    description:
      - Whether URLs may be C(http), which can be read and changed on its way.
      - A redirect from C(https) to anything else is never followed.
    type: bool
    default: false
  require_digests:
    description: Whether a checksum must be given as hexadecimal digits, so that no server is asked for it.
    type: bool
    default: false
notes:
  - A proxy is taken from the task's C(environment) (C(http_proxy), C(https_proxy), C(no_proxy)).
seealso:
  - module: ansible.builtin.get_url
  - module: ansible.builtin.unarchive
"""

EXAMPLES = r"""
- name: Install kubectl and the programs of containerd
  groundwork.kubernetes.artifacts:
    artifacts:
      - name: kubectl
        url: https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubectl
        checksum: https://dl.k8s.io/release/v1.36.4/bin/linux/amd64/kubectl.sha256
        dest: /usr/local/bin/kubectl
      - name: containerd
        url: https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz
        checksum: https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz.sha256sum
        dest: /usr/local/bin
        members:
          - source: bin/containerd
          - source: bin/containerd-shim-runc-v2
          - source: bin/ctr
"""

RETURN = r"""
artifacts:
  description: What was done for each download, by its name.
  returned: success
  type: dict
  sample:
    kubectl:
      changed: true
      checksum: sha256:94b1e2f1b4a7c1a2c7b0ac2b1b5ae5e0ee8e1a8f0a3a3ba1f3f0b2e6f9c9c111
      paths: [/usr/local/bin/kubectl]
changed_paths:
  description:
    - The files that were written, or that got another mode or owner. In check mode the files that would be, as far
      as they are known before the download (an archive's folder where the whole archive is installed).
  returned: success
  type: list
  elements: str
  sample: [/usr/local/bin/kubectl]
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifact_installer import Installer, act
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifact_plan import make_plan
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.download import Downloader
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import ArtifactError


def run(module: AnsibleModule) -> Dict[str, Any]:
    """What the module does; returns its result."""
    params = module.params
    downloader = Downloader(params["timeout"], params["retries"], params["validate_certs"], params["allow_http"])
    installer = Installer(module, downloader)
    plan = make_plan(params["artifacts"], params["state_dir"], params["allow_http"], params["require_digests"])
    changed = plan.changes()
    digests = {name: stamp.digest for name, stamp in plan.stamps.items() if stamp}
    if not module.check_mode and (plan.missing or plan.removed or any(changed.values())):
        for name, (paths, digest) in act(plan, installer).items():
            changed[name] = paths
            digests[name] = digest
    result: Dict[str, Any] = {
        "changed": any(changed.values()),
        "changed_paths": [path for paths in changed.values() for path in paths],
        "artifacts": {
            artifact.name: {
                "changed": bool(changed[artifact.name]),
                "checksum": digests.get(artifact.name, artifact.checksum),
                "paths": changed[artifact.name],
            }
            for artifact in plan.artifacts
        },
    }
    if module._diff and result["changed"]:
        result["diff"] = plan.diff()
    return result


def main() -> None:
    """Run the module."""
    member = {
        "source": {"type": "str", "required": True},
        "dest": {"type": "path"},
        "mode": {"type": "str"},
        "optional": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "artifacts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                    "url": {"type": "str"},
                    "checksum": {"type": "str"},
                    "dest": {"type": "path"},
                    "members": {"type": "list", "elements": "dict", "options": member},
                    "strip": {"type": "int", "default": 0},
                    "mode": {"type": "str", "default": "0755"},
                    "owner": {"type": "str", "default": "0"},
                    "group": {"type": "str", "default": "0"},
                },
                "required_if": [("state", "present", ("url", "checksum", "dest"))],
            },
            "state_dir": {"type": "path", "default": "/var/lib/groundwork/artifacts"},
            "timeout": {"type": "int", "default": 30},
            "retries": {"type": "int", "default": 3},
            "validate_certs": {"type": "bool", "default": True},
            "allow_http": {"type": "bool", "default": False},
            "require_digests": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
