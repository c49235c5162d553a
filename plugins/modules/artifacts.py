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
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.artifacts
attributes:
  check_mode:
    details: Uses no network, so that a wrong URL or checksum is found by the real run only.
  diff_mode:
    details: Shows which downloads are installed, not what is in them.
options:
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
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifact_run import LIMITS, OPTIONS, install
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import ArtifactError


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={**OPTIONS, **LIMITS}, supports_check_mode=True)
    try:
        result: Dict[str, Any] = install(module, module.params)
    except (ArtifactError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
