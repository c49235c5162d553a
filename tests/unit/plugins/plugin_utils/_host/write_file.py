"""A module that writes one file, for the tests of programs."""

from __future__ import annotations

import io
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.install import (
    install_stream,
    parse_attributes,
)


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    options = {"path": text, "content": text, "mode": {"type": "str", "default": "0644"}}
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    path, content = module.params["path"], module.params["content"].encode()
    try:
        attributes = parse_attributes(module.params["mode"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    changed = not os.path.exists(path)
    if changed:
        install_stream(module, io.BytesIO(content), path, attributes)
    module.exit_json(changed=changed, path=path)


if __name__ == "__main__":
    main()
