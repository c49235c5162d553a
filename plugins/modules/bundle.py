# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin bundle."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Fetches everything that locks name into a folder
version_added: 0.1.0
description:
  - Runs once on the controller, and connects to no host.
  - Programs, charts and manifests with an address lie in C(files/HOST/PATH), as a web server gives them. C(packages) is
    a repository for apt, with a suite for each lock that has packages, named as the lock without its ending. All images
    lie in one layout of OCI, C(images), whose index has their names with registry and tag. C(locks) has the locks,
    C(sbom.spdx.json) tells what is in the bundle (SPDX 2.3), and C(SHA256SUMS) has the checksum of every file.
  - Files are fetched several at a time. A file that a run did not finish goes on where it ended. Each is compared with
    its checksum before it gets its name.
  - Images are asked for by the digests of the locks, from mirrors first.
  - Every byte that is there is read. What is missing or altered is named, and fetched again.
  - What cannot be had is told in one message, once all the rest is there. Nothing is removed.
author:
  - groundwork.kubernetes contributors (@groundwork)
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
attributes:
  check_mode:
    details: Uses no network, so that an image of which the folder has no manifests is named as a whole.
options:
  locks:
    description: The locks, paths on the controller. For an upgrade those of both versions.
    type: list
    elements: path
    required: true
  folder:
    description: The bundle, a folder on the controller.
    type: path
    required: true
  older:
    description:
      - Bundles that the other side has. What they have by the same checksum is left out. Copied over them, the new
        bundle is whole.
    type: list
    elements: path
    default: []
  signing_key:
    description:
      - A private key of OpenSSH on the controller, without a passphrase, or the public key of one in an agent. By it
        C(SHA256SUMS) is signed, in C(SHA256SUMS.sig), for the namespace C(groundwork-bundle).
    type: path
  whole_images:
    description:
      - Whether images are fetched for all architectures that they have. A registry that is to be filled refuses an
        image that lacks some.
      - Else for those of their lock, which is enough for whoever serves the folder as it is.
    type: bool
    default: true
  registry_mirrors:
    description: Mirrors of registries, as C(container_runtime_registry_mirrors) has them.
    type: list
    elements: dict
    default: []
  registry_auth_file:
    description:
      - A file that C(docker login), C(podman login) or C(skopeo login) has written, with passwords of registries and
        mirrors. None for anybody's right.
    type: path
  render_charts:
    description:
      - Whether the variable C(charts_releases) is rendered into C(charts), a file NAMESPACE-NAME.yaml for each release,
        for O(groundwork.kubernetes.helm_template#module:rendered). C(charts_helm) is asked, for C(kubernetes_version).
      - Values are in such a file as the chart uses them, secrets too. Only its owner may read it.
    type: bool
    default: false
  allow_http:
    description: Whether addresses may be C(http), which can be read and changed on its way.
    type: bool
    default: false
  timeout:
    description: How long a server may be silent, in seconds.
    type: int
    default: 60
requirements:
  - ssh-keygen on the controller, for a signature
  - dpkg-deb on the controller, for packages
  - Helm 3 or 4 on the controller, for O(render_charts)
notes:
  - Set C(run_once).
seealso:
  - module: groundwork.kubernetes.lock
"""

EXAMPLES = r"""
- name: Fetch what the new version needs beside what there is
  groundwork.kubernetes.bundle:
    locks: [/srv/cluster/1.36.5.txt, /srv/cluster/1.36.6.txt]
    folder: /srv/bundle-2
    older: [/srv/bundle-1]
    signing_key: ~/.ssh/id_ed25519
  run_once: true
"""

RETURN = r"""
missing:
  description: The paths that the folder lacked; in check mode also C(image) and the names of whole images.
  returned: success
  type: list
  elements: str
altered:
  description: The paths that had other bytes.
  returned: success
  type: list
  elements: str
written:
  description: The paths that were written, or would be in check mode, and that come from no server.
  returned: success
  type: list
  elements: str
files:
  description: How many files of servers the folder has, or is to have.
  returned: success
  type: int
left_out:
  description: How many are left out, since older bundles have them.
  returned: success
  type: int
size:
  description: The bytes of O(folder)'s files of servers.
  returned: success
  type: int
"""
