# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin lock."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lock
short_description: Writes a file with everything that the hosts of an inventory get, by checksum
version_added: 0.1.0
description:
  - Runs once on the controller. It connects to no host, but to the servers and registries that the hosts would ask.
  - The file names programs and archives, packages with all that they depend on, manifests, charts, and images by
    digest, each with its address, size, and the parts of a cluster that need it. It is sorted, and the same inputs give
    the same bytes.
  - The images of Kubernetes are those that kubeadm of the version names. So that program is downloaded, verified, and
    run on the controller, which must be Linux, with nothing but a configuration.
  - A file whose digest is known, of the inventory or of the collection's release, is asked for its size only. Any other
    is downloaded, and compared with the checksum file beside it where there is one.
  - Charts of C(charts_releases) are rendered with Helm on the controller, for the images in them.
  - Where C(kubernetes_lock_apt_sources) names sources of packages, apt on the controller resolves them for an empty
    machine. It verifies the sources by their keys.
  - Of an image, its index and the manifests for the hosts' architectures are read.
  - Where something cannot be told, everything of that kind is named in one message and the file stays as it is.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
attributes:
  check_mode:
    details: Asks all sources as well, and tells what differs.
options:
  path:
    description: The file on the controller, from the root on.
    type: str
    default: ''
  hosts:
    description: The hosts for which it is made. Those of the play if left out.
    type: list
    elements: str
notes:
  - Set C(run_once), since one run looks at all hosts.
seealso:
  - module: groundwork.kubernetes.artifacts
  - module: groundwork.kubernetes.image_pull
"""

EXAMPLES = r"""
- name: Lock what the hosts of the play get
  groundwork.kubernetes.lock:
    path: '{{ inventory_dir }}/lock.yml'
  run_once: true
"""

RETURN = r"""
artifacts:
  description: How many artifacts the lock has.
  returned: success
  type: int
size:
  description: The bytes of all of them.
  returned: success
  type: int
drift:
  description: What differs from the file as it was, a line for each artifact. Empty where there was none.
  returned: success
  type: list
  elements: str
  sample: ['file kubectl 1.36.5 amd64: is not in the lock']
"""
