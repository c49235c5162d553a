# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a bundle's images into a registry, and prove that it has every one of their digests."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_images
short_description: Put a bundle's images into a registry, and prove that it has every digest
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Asks the registry for each image of the layout by its tag and by the digest of every manifest, configuration and
    layer, and copies with skopeo the images of which something is missing or something else. Then it asks again.
  - An image has its name without its registry, so that this one stands for all others. C(registry.k8s.io/pause:3.10.2)
    becomes C(pause:3.10.2), C(docker.io/library/busybox:1) becomes C(library/busybox:1). Two different images that
    would have one name are refused before anything is copied.
  - Digests stay what they are. Nothing is removed from the registry.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
attributes:
  check_mode:
    details: Asks the registry, too. Where it does not answer yet, all images are to be copied.
options:
  layout:
    description: The layout of OCI that has the images, C(images) of a bundle.
    type: path
    required: true
  registry:
    description: URL of the registry, with the path of the project if it has one, such as V(https://r.example.com/k8s).
    type: str
    required: true
  auth_file:
    description:
      - A file that C(skopeo login --authfile), C(podman login --authfile) or C(docker login) has written, with the
        account that may write there. None if everybody may.
    type: path
  ca:
    description: File with the certificate of the authority that has signed the registry's. The system's if left out.
    type: path
  timeout:
    description: How long the registry may be silent, in seconds.
    type: int
    default: 60
requirements:
  - skopeo 1.6 or newer
seealso:
  - module: groundwork.kubernetes.bundle
  - module: groundwork.kubernetes.bundle_proof
"""

EXAMPLES = r"""
- name: Fill the company's registry
  groundwork.kubernetes.mirror_images:
    layout: /srv/bundle/images
    registry: https://registry.example.com/kubernetes
    auth_file: /root/registry.json
"""

RETURN = r"""
images:
  description: How many images the layout has.
  returned: success
  type: int
copied:
  description: The images that were copied, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [registry.k8s.io/pause:3.10.2]
digests:
  description: For how many digests the registry was asked.
  returned: success
  type: int
"""

import base64
import os
import shutil
import tempfile
from typing import Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.image_layout import (
    LaidImage,
    LayoutError,
    Target,
    base,
    link_image,
    read_layout,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.registry_login import (
    LoginError,
    read_logins,
)

ARGUMENTS = {
    "layout": {"type": "path", "required": True},
    "registry": {"type": "str", "required": True},
    "auth_file": {"type": "path"},
    "ca": {"type": "path"},
    "timeout": {"type": "int", "default": 60},
}


class Copier:
    """Copies images with skopeo."""

    def __init__(self, module: AnsibleModule, place: str, folder: str) -> None:
        self.module, self.place = module, place
        params = module.params
        self.program = module.get_bin_path("skopeo")
        if not self.program:
            raise LayoutError("skopeo, which copies images, is not installed")
        self.options = ["--all", "--preserve-digests", "--quiet"]
        if params["registry"].startswith("http:"):
            self.options.append("--dest-tls-verify=false")
        if params["ca"]:
            shutil.copyfile(params["ca"], os.path.join(folder, "ca.crt"))
            self.options.append(f"--dest-cert-dir={folder}")
        if params["auth_file"]:
            self.options.append(f"--dest-authfile={params['auth_file']}")

    def copy(self, image: LaidImage) -> str:
        """Copy an image; returns why it could not be, or nothing."""
        with tempfile.TemporaryDirectory(dir=self.module.tmpdir) as folder:
            link_image(self.module.params["layout"], image, folder)
            return self.copy_folder(folder, image)

    def copy_folder(self, folder: str, image: LaidImage) -> str:
        """Copy an image from a folder of its own."""
        source = f"dir:{folder}"
        target = f"docker://{self.place}/{image.repository}:{image.tag}"
        command = [self.program, "--insecure-policy", "copy", *self.options, source, target]
        rc, out, err = self.module.run_command(command, expand_user_and_vars=False)
        lines = (err.strip() or out.strip()).splitlines()
        return "" if rc == 0 else f"{image.name}: {lines[-1] if lines else f'skopeo ended with {rc}'}"


def account(path: str, place: str) -> Dict[str, str]:
    """Who asks the registry.

    Raises:
        LoginError: where the file has no account for it.
    """
    server = place.partition("/")[0]
    logins = read_logins(path)
    if not path:
        return {}
    if server not in logins:
        raise LoginError(f"{path} has no account for {server}")
    try:
        user, _colon, password = base64.b64decode(logins[server]).decode().partition(":")
    except ValueError:
        raise LoginError(f"{path} has an account for {server} that cannot be read") from None
    return {"username": user, "password": password}


def fill(module: AnsibleModule, images: List[LaidImage], target: Target, place: str) -> List[str]:
    """Copy what is missing, or find it in check mode; returns the names.

    Raises:
        LayoutError: naming all that the registry still lacks.
    """
    lacking = target.faults(images)
    due = [image for image in images if image.name in lacking]
    if due and not module.check_mode:
        with tempfile.TemporaryDirectory(dir=module.tmpdir) as folder:
            copier = Copier(module, place, folder)
            faults = [fault for fault in map(copier.copy, due) if fault]
        if not faults:
            left: Dict[str, List[str]] = target.faults(due)
            faults = [f"{name}: the registry lacks {lack}" for name, lacks in left.items() for lack in lacks]
        if faults:
            raise LayoutError("\n".join(faults))
    return [image.name for image in due]


def main() -> None:
    """Ask, copy, ask again."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        images = read_layout(params["layout"])
        url, place = base(params["registry"])
        server = {"url": url, "ca": params["ca"], **account(params["auth_file"] or "", place)}
        copied = fill(module, images, Target(server, params["timeout"]), place)
    except (LayoutError, LoginError, OSError) as error:
        module.fail_json(msg=f"{params['registry']} does not have all images.\n{error}")
    result = {"changed": bool(copied), "images": len(images), "copied": copied}
    result["digests"] = sum(len(image.manifests) + len(image.blobs) for image in images)
    if module._diff and copied:
        header = params["registry"]
        after = "".join(f"{name}\n" for name in copied)
        result["diff"] = {"before_header": header, "after_header": header, "before": "", "after": after}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
