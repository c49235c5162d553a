# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a static pod another tag of its image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: static_pod_image
version_added: 0.1.0
short_description: Give a static pod another tag of its image
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Changes the tag of the image in a static pod's manifest, and nothing else, and waits until the new container answers
    its probe. kubeadm's stored configuration keeps what it says, so that a later upgrade is free to choose.
  - Where the container does not come up, the former manifest is put back, and the message has its last lines.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  name:
    description: The pod's name, which is its program's as well, such as V(etcd).
    type: str
    required: true
  tag:
    description: The tag, such as V(3.6.11-0).
    type: str
    required: true
  timeout:
    description: Seconds for the container to come up.
    type: int
    default: 300
seealso:
  - module: groundwork.kubernetes.static_pods
  - module: groundwork.kubernetes.image_pull
"""

EXAMPLES = r"""
- name: Raise etcd to the patch release that the next one needs
  groundwork.kubernetes.static_pod_image:
    name: etcd
    tag: 3.6.11-0
"""

RETURN = r"""
image:
  description: The image that the manifest names now.
  returned: success
  type: str
  sample: registry.k8s.io/etcd:3.6.11-0
"""

import time
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import (
    MANIFEST_IMAGE,
    manifest_image,
    probe,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.traces import FOLDER, manifest
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.container_exits import StaticPod
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.kubeadm import write_private
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import answer, processes

PLACE = FOLDER
PAUSE = 1.0


def with_tag(text: str, tag: str) -> str:
    """A manifest whose first image has this tag; a digest goes with the former one."""
    found = MANIFEST_IMAGE.search(text)
    if not found:
        return text
    name = found[1].partition("@")[0]
    folder, slash, last = name.rpartition("/")
    image = f"{folder}{slash}{last.partition(':')[0]}:{tag}"
    return text[: found.start(1)] + image + text[found.end(1) :]


class Change:
    """The change of one pod."""

    def __init__(self, module: AnsibleModule, path: str, before: str) -> None:
        """Take note of what runs."""
        self.module, self.path, self.before = module, path, before
        self.name: str = module.params["name"]
        self.watch = StaticPod(self.name, "*")
        self.former = set(processes(self.name))

    def lacks(self, text: str) -> str:
        """What is not as it should be yet."""
        running = set(processes(self.name))
        if running & self.former:
            return "the former container still runs"
        if not running:
            return "it does not run"
        asked = probe(text)
        return answer(asked) if asked else ""

    def make(self, after: str) -> str:
        """Write it and wait; gives why it did not come up, after the former manifest was put back."""
        write_private(self.module, self.path, after.encode())
        deadline = time.monotonic() + self.module.params["timeout"]
        while True:
            lacks = self.lacks(after)
            if not lacks:
                return ""
            hopeless = self.watch.hopeless()
            if hopeless or time.monotonic() >= deadline:
                break
            time.sleep(PAUSE)
        lines = "\n".join(self.watch.log())
        write_private(self.module, self.path, self.before.encode())
        return f"{hopeless or lacks}. Its last lines:\n{lines}"


def main() -> None:
    """Change the tag."""
    module = AnsibleModule(
        {
            "name": {"type": "str", "required": True},
            "tag": {"type": "str", "required": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    name, path = module.params["name"], manifest(PLACE, module.params["name"])
    before = (read_bytes(path) or b"").decode()
    image = manifest_image(before)
    if not image:
        module.fail_json(msg=f"{path} names no image, or is not there; nothing was changed.")
    after = with_tag(before, module.params["tag"])
    result: Dict[str, Any] = {"changed": before != after, "image": manifest_image(after)}
    if module._diff:
        result["diff"] = {"before": f"{image}\n", "after": f"{result['image']}\n", "before_header": path}
    if result["changed"] and not module.check_mode:
        fault = Change(module, path, before).make(after)
        if fault:
            module.fail_json(
                msg=f"{name} does not come up as {result['image']}, so {image} was put back. {fault}", image=image
            )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
