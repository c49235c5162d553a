# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pull container images in parallel."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_pull
version_added: 0.1.0
short_description: Pull container images in parallel
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Pulls the images that a host's container runtime does not have yet, several at a time, with C(crictl).
  - The images are named one by one, or are those that kubeadm needs for its configuration.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.no_diff]
attributes:
  check_mode:
    details:
      - On a host without kubeadm or crictl, check mode reports a change and only the images that are named.
  idempotent:
    details:
      - An image that is present is not pulled again, even if its tag has moved in the registry.
      - Of a name with a tag and a digest, only the digest counts.
      - With O(digests) an image that is present with another digest, or with none, is pulled again.
options:
  images:
    description: Images to have on the host.
    type: list
    elements: str
    default: []
  kubeadm_config:
    description:
      - kubeadm's configuration as YAML. All images that C(kubeadm config images list) names for it are pulled as well.
    type: str
  exclude:
    description:
      - Images to leave out, by their name without registry and tag, such as V(coredns).
      - For the add-ons that are not installed, which kubeadm lists all the same.
    type: list
    elements: str
    default: []
  digests:
    description:
      - What each image must be, C(sha256:) and digits by the image's name. With any, an image that is not named here is
        not pulled, and the task fails where an image has another digest once it is pulled.
      - An image that is something else, and that the host did not have before, is removed again.
    type: dict
    default: {}
  runtime_endpoint:
    description:
      - Address of the container runtime's socket, such as V(unix:///run/containerd/containerd.sock).
      - If left out, C(/etc/crictl.yaml) says it.
      - With C(/var/run/dockershim.sock), by which the kubelet speaks to Docker before Kubernetes 1.24, C(docker) is
        called instead of C(crictl), as nothing listens there before the kubelet runs.
    type: str
  parallel:
    description: How many images are pulled at the same time.
    type: int
    default: 4
  timeout:
    description: Seconds after which the pull of one image is given up.
    type: int
    default: 600
  retries:
    description: How often a pull that failed is tried again.
    type: int
    default: 2
seealso:
  - module: groundwork.kubernetes.kubeadm_init
"""

EXAMPLES = r"""
- name: Have all images of the control plane
  groundwork.kubernetes.image_pull:
    kubeadm_config: '{{ documents | groundwork.kubernetes.kubeadm_config(kubernetes_version) }}'

- name: Have one image
  groundwork.kubernetes.image_pull:
    images: ['registry.k8s.io/pause:3.10.2']
"""

RETURN = r"""
images:
  description: All images that are wanted.
  returned: success
  type: list
  elements: str
pulled:
  description: The images that were pulled, or would be in check mode.
  returned: success
  type: list
  elements: str
"""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import List, Set

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._cluster.kubectl import BINARY_FOLDERS
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.images import (
    ImageError,
    base_name,
    docker_listing,
    full_name,
    missing_images,
    present_images,
    proven_images,
    unlocked_images,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.running_settings import DOCKERSHIM
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import (
    Kubeadm,
    KubeadmError,
    private_file,
)

DOCKER_IMAGES = ("image", "ls", "--digests", "--no-trunc", "--format={{json .}}")


def wanted_images(module: AnsibleModule) -> List[str]:
    """The images named, and those that kubeadm needs."""
    images: List[str] = list(module.params["images"])
    if module.params["kubeadm_config"]:
        kubeadm = Kubeadm(module, module.params["timeout"])
        with private_file(module, module.params["kubeadm_config"]) as path:
            images += kubeadm.run("config", "images", "list", f"--config={path}").split()
    return [image for image in dict.fromkeys(images) if base_name(image) not in module.params["exclude"]]


def pull(command: List[str], timeout: int, retries: int) -> str:
    """Pull one image; gives what went wrong, or nothing."""
    fault = ""
    for _attempt in range(1 + retries):
        try:
            # run_command knows no time after which a program is given up.
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            fault = f"not done after {timeout} seconds"
            continue
        if done.returncode == 0:
            return ""
        fault = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
    return fault


def list_images(module: AnsibleModule, crictl: List[str]) -> str:
    """What the runtime has, in the form of crictl.

    Raises:
        ImageError: if it does not say.
    """
    of_docker = os.path.basename(crictl[0]) == "docker"
    command = [*DOCKER_IMAGES] if of_docker else ["images", "-o", "json"]
    rc, out, err = module.run_command([*crictl, *command], expand_user_and_vars=False)
    if rc != 0:
        asked = os.path.basename(crictl[0])
        raise ImageError(f"The container runtime does not list its images; is it running? {asked} says: {err.strip()}")
    return docker_listing(out) if of_docker else str(out)


def compare(module: AnsibleModule, crictl: List[str], images: List[str], before: Set[str]) -> None:
    """Make sure that what was pulled is what the digests say; anything else that is new goes again.

    Raises:
        ImageError: naming all that is something else.
    """
    digests = module.params["digests"]
    _proven, others = proven_images(images, digests, list_images(module, crictl))
    names = {full_name(image): digest for image, digest in digests.items()}
    for image in others:
        if full_name(image) not in {full_name(name) for name in before}:
            module.run_command([*crictl, "rmi", image], expand_user_and_vars=False)
    if others:
        lines = [f"- {image} has {digest}, not {names[full_name(image)]}" for image, digest in others.items()]
        raise ImageError(
            "These images are not what the lock says:\n" + "\n".join(lines) + "\n"
            "Find out who changed them in the registry or mirror. Nothing was started with them."
        )


def run(module: AnsibleModule) -> None:
    """List, compare, pull.

    Raises:
        ImageError: if the images cannot be listed, or some cannot be pulled.
    """
    params = module.params
    tool = "docker" if params["runtime_endpoint"] == DOCKERSHIM else "crictl"
    tools = [module.get_bin_path(tool, opt_dirs=BINARY_FOLDERS)]
    if params["kubeadm_config"]:
        tools.append(module.get_bin_path("kubeadm", opt_dirs=BINARY_FOLDERS))
    if module.check_mode and not all(tools):
        module.exit_json(changed=True, images=params["images"], pulled=params["images"])

    crictl = [module.get_bin_path(tool, required=True, opt_dirs=BINARY_FOLDERS)]
    if params["runtime_endpoint"] and tool == "crictl":
        crictl += ["-r", params["runtime_endpoint"]]
    images, digests = wanted_images(module), params["digests"]
    unlocked = unlocked_images(images, digests) if digests else []
    if unlocked:
        raise ImageError(
            "The lock has no digest of these images, so that none was pulled:\n"
            + "\n".join(f"- {image}" for image in unlocked)
            + "\nRun the playbook lock with this inventory, or correct what names them."
        )
    before = list_images(module, crictl)
    missing = missing_images(images, present_images(before))
    if digests:
        proven, _others = proven_images(images, digests, before)
        missing = [image for image in dict.fromkeys(images) if image not in proven]
    if missing and not module.check_mode:
        with ThreadPoolExecutor(max_workers=max(1, params["parallel"])) as pool:
            commands = [[*crictl, "pull", image] for image in missing]
            faults = list(pool.map(lambda command: pull(command, params["timeout"], params["retries"]), commands))
        failed = [f"- {image}: {fault}" for image, fault in zip(missing, faults) if fault]
        if failed:
            raise ImageError(
                "These images cannot be pulled:\n" + "\n".join(failed) + "\n"
                "Make them available, or set the repository that has them (kubernetes_image_repository)."
            )
        if digests:
            compare(module, crictl, missing, present_images(before))
    module.exit_json(changed=bool(missing), images=images, pulled=missing)


def main() -> None:
    """Pull what is missing."""
    module = AnsibleModule(
        {
            "images": {"type": "list", "elements": "str", "default": []},
            "kubeadm_config": {"type": "str"},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "digests": {"type": "dict", "default": {}},
            "runtime_endpoint": {"type": "str"},
            "parallel": {"type": "int", "default": 4},
            "timeout": {"type": "int", "default": 600},
            "retries": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
    )
    try:
        run(module)
    except (ImageError, KubeadmError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
