# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module reboot_info: whether a host waits for a reboot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reboot_info
short_description: Tells whether a host waits for a reboot
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - A host waits for a reboot if there is C(/run/reboot-required), as on Debian and Ubuntu, if C(needs-restarting -r)
    says so, as on the Red Hat family, or if C(/boot) has a newer kernel of the kind that runs.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.no_diff
options: {}
"""

EXAMPLES = r"""
- name: See whether the host waits for a reboot
  groundwork.kubernetes.reboot_info:
  register: reboot

- name: Say so
  ansible.builtin.debug:
    msg: "{{ reboot.reasons }}"
  when: reboot.needed
"""

RETURN = r"""
needed:
  description: Whether it does.
  returned: success
  type: bool
  sample: true
reasons:
  description: Why.
  returned: success
  type: list
  elements: str
  sample: [kernel 6.1.0-41-amd64 is installed]
boot_id:
  description: The id that the kernel gave itself when it started.
  returned: success
  type: str
  sample: 0e1f8f2f-1d1c-4a6e-9a35-0d4f6dbb5a1d
kernel:
  description: The release of the kernel that runs.
  returned: success
  type: str
  sample: 6.1.0-40-amd64
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.files import read_bytes
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reboot import (
    BOOT_ID,
    PACKAGES,
    REQUIRED,
    newer_kernel,
    reasons,
)

BOOT = "/boot"


def text_of(path: str) -> str:
    """A file's text; empty where there is none."""
    return (read_bytes(path) or b"").decode("utf-8", "replace").strip()


def restarting(module: AnsibleModule) -> bool:
    """Whether needs-restarting says that the host must be rebooted. It exits with 1 then."""
    program = module.get_bin_path("needs-restarting")
    if program is None:
        return False
    rc, out, err = module.run_command([program, "-r"], expand_user_and_vars=False)
    if rc not in (0, 1):
        module.fail_json(msg=f"needs-restarting -r failed with exit code {rc}: {(err or out).strip()}")
    return bool(rc)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    kernel = os.uname().release
    files = os.listdir(BOOT) if os.path.isdir(BOOT) else []
    found = reasons(os.path.exists(REQUIRED), text_of(PACKAGES), restarting(module), newer_kernel(kernel, files))
    module.exit_json(changed=False, needed=bool(found), reasons=found, boot_id=text_of(BOOT_ID), kernel=kernel)


if __name__ == "__main__":
    main()
