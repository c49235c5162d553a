# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install programs, write and remove many small files, and run the services that read them, in one step."""

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Install programs, write and remove many small files, and run the services that read them, in one step
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Gives whole files their content, mode and owner, and removes others, all in one round trip to the host.
  - Each file is written beside its target and renamed over it, so that no program ever reads half a file. It has its
    mode and owner before it has its name, and its draft is its owner's alone, so that a secret can be read by nobody
    else at any moment.
  - Every entry is checked before the first file is written, by a program of yours too. All faults are reported
    together. The files take their places only when all of them are written, a key and its certificate at once.
  - Programs are downloaded, verified and installed before the files are written, as the module
    M(groundwork.kubernetes.artifacts) does it. Where a download fails no file is written.
  - Services that read the files are started, and restarted or reloaded where that is due, as the module
    M(groundwork.kubernetes.service) does it.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
  - groundwork.kubernetes.attributes.full
  - groundwork.kubernetes.artifacts
options:
  files:
    description: The files.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Absolute path. Missing parent folders are created with mode 0755; list a folder before its files to give
            it another one.
          - A link is followed; the file that it points to is replaced and the link stays. Where others than root may
            write into the link's folder, or into one on the way to it, a link is refused.
        type: path
        required: true
      state:
        description:
          - With V(present), the file has this content.
          - With V(directory), there is a folder. It has its mode and owner before anything is in it.
          - With V(absent), there is no such file. A folder is never removed.
        type: str
        choices: [present, directory, absent]
        default: present
      content:
        description: The file's text, written as UTF-8. O(files[].state=present) needs it, or O(files[].source).
        type: str
      source:
        description: A file on the same host that has the content, instead of O(files[].content).
        type: path
      keep:
        description: With O(files[].state=directory), whether a folder that is there keeps its mode and owner.
        type: bool
        default: false
      mode:
        description: Permissions, as octal digits in quotes. V(0755) for a folder when not given, V(0644) for a file.
        type: str
      owner:
        description:
          - Name or number of the user who owns the file. When not given, an existing file's owner is kept; one that
            only its owner may read goes to the user who runs the task.
        type: str
      group:
        description: Name or number of the group that owns the file. An existing file's group is kept when not given.
        type: str
      validate:
        description:
          - A command that must succeed before the content takes its place, with C(%s) for the file that it is to check.
            No shell runs it.
          - All commands are run before the first file is written. A content that did not change is not checked.
          - In check mode it is left out where the host does not have the program yet, or gets another one.
        type: str
  set:
    description:
      - Name of this set of files, unique on the host. Files that an earlier run wrote under this name and that are no
        longer listed are removed.
      - Which files they are is recorded in C(/var/lib/groundwork/files).
    type: str
  keep_others:
    description:
      - Whether files that an earlier run wrote under the name of O(set) stay, and stay recorded, though not listed.
    type: bool
    default: false
  proofs:
    description:
      - Commands that show whether files do what they are for. One runs after the services where a file of its folder
        was written or removed, now or by a run that was cut off before.
      - Where it fails, these files are put back as they were and the task fails; other files stay written.
      - No command runs in check mode, or where the host does not have its program yet. It runs the next time then,
        where O(set) is given.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: What is proven, for the message.
        type: str
        required: true
      folder:
        description: The folder, with those in it.
        type: path
        required: true
      command:
        description: The program and its arguments.
        type: list
        elements: str
        required: true
  services:
    description: Services that are brought to what is asked for after the files, in this order.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: As of the module M(groundwork.kubernetes.service).
        type: str
        required: true
      state:
        description: As of the module M(groundwork.kubernetes.service).
        type: str
        choices: [started, stopped]
      enabled:
        description: As of the module M(groundwork.kubernetes.service).
        type: bool
      files:
        description:
          - As of the module M(groundwork.kubernetes.service). In check mode a restart is due too where this task would
            change one of them.
        type: list
        elements: path
        default: []
      check:
        description:
          - A command that must succeed before the service is started or restarted, such as one that reads what the
            service will read. Where it fails the service goes on as it is, and the task fails.
        type: list
        elements: str
        default: []
      reload_files:
        description:
          - As of the module M(groundwork.kubernetes.service). In check mode a reload is due too where this task would
            change one of them.
        type: list
        elements: path
        default: []
  secrets:
    description: Set by the action plugin, the texts of files that not everyone may read, by number.
    type: dict
    default: {}
notes:
  - The content of a file that not everyone may read, by its O(files[].mode), is in no output, diff or log, however
    verbose. Give a task C(no_log) when the name of a file or a loop's item is a secret too.
seealso:
  - module: groundwork.kubernetes.artifacts
  - module: groundwork.kubernetes.service
  - module: ansible.builtin.copy
"""

EXAMPLES = r"""
- name: Install containerd, configure it and run it
  groundwork.kubernetes.files:
    artifacts:
      - name: containerd
        url: https://github.com/containerd/containerd/releases/download/v2.3.4/containerd-2.3.4-linux-amd64.tar.gz
        checksum: '{{ containerd_sha256 }}'
        dest: /usr/local/bin
        strip: 1
    files:
      - path: /etc/containerd/config.toml
        content: "{{ containerd_config | groundwork.kubernetes.to_toml }}"
    services:
      - name: containerd
        state: started
        enabled: true
        files: [/usr/local/bin/containerd, /etc/containerd/config.toml]

- name: Write files of many kinds
  groundwork.kubernetes.files:
    set: example
    files:
      - path: /etc/crictl.yaml
        content: |
          runtime-endpoint: unix:///run/containerd/containerd.sock
      - path: /etc/default/kubelet
        content: ''
        mode: '0600'
      - path: /etc/example/private
        state: directory
        mode: '0700'
      - path: /etc/example/private/kubeconfig
        source: /etc/kubernetes/admin.conf
        mode: '0600'
      - path: /etc/systemd/system/old.service
        state: absent
      - path: /etc/haproxy/haproxy.cfg
        content: "{{ lookup('ansible.builtin.template', 'haproxy.cfg.j2') }}"
        validate: haproxy -c -f %s
"""

RETURN = r"""
artifacts:
  description: What was done for each download, by its name; see M(groundwork.kubernetes.artifacts).
  returned: success
  type: dict
  sample:
    containerd: {changed: true, checksum: 'sha256:94b1', paths: [/usr/local/bin/containerd]}
changed_paths:
  description:
    - The files that were installed, written or removed, or that got another mode or owner, or would in check mode.
  returned: success
  type: list
  elements: str
  sample: [/etc/crictl.yaml]
unproven:
  description: Files of O(proofs) whose command has not run yet, for want of its program.
  returned: success
  type: list
  elements: str
services:
  description: What was done to each service, or would be, and why; see M(groundwork.kubernetes.service).
  returned: success
  type: dict
  sample:
    containerd: {actions: [restart], reasons: [/etc/containerd/config.toml has changed since the service was started]}
"""

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.artifact_run import OPTIONS, install
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.file_set import (
    Entry,
    FilesError,
    Record,
    apply,
    dropped,
    plan_entries,
    validate,
    with_secrets,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.proofs import (
    Unproven,
    below,
    due,
    prove,
    save,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import ServiceError, run_service
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.unpacking import ArtifactError


def run(module: AnsibleModule) -> Dict[str, Any]:
    """What the module does; returns its result."""
    result = install(module, {name: module.params[name] for name in OPTIONS})
    files = with_secrets(module.params["files"], module.params["secrets"])
    record = Record(module.params["set"]) if module.params["set"] else None
    recorded = record.read() if record else []
    others = [] if module.params["keep_others"] else dropped(recorded, files)
    entries = [entry for entry in plan_entries([*files, *others]) if entry.changed]
    validate(module, entries, set(result["changed_paths"]))
    saved = save(entry.path for entry in entries if isinstance(entry, Entry))
    remembered = Unproven(module.params["set"]) if module.params["set"] else None
    result["changed"] |= bool(entries)
    result["changed_paths"] += [entry.path for entry in entries]
    if module._diff:
        installed = [result["diff"]] if "diff" in result else []
        result["diff"] = installed + [diff for entry in entries for diff in entry.diffs()]
    unproven = set(saved) | (remembered.read() if remembered else set())
    proofs = due(module.params["proofs"], unproven)
    if not module.check_mode:
        if remembered:
            remembered.write(module, {path for proof in proofs for path in below(proof, unproven)})
        apply(module, entries)
        written = {item["path"] for item in files if item["state"] == "present"}
        written |= set(recorded) if module.params["keep_others"] else set()
        if record and sorted(written) != recorded:
            record.write(module, sorted(written))
    result["services"] = {}
    ahead = set(result["changed_paths"]) if module.check_mode else set()
    for wanted in module.params["services"]:
        restart, reload = (not ahead.isdisjoint(wanted[name]) for name in ("files", "reload_files"))
        of_service = run_service(module, {**wanted, "restart": restart, "reload": reload})
        result["changed"] |= of_service["changed"]
        result["services"][wanted["name"]] = {name: of_service[name] for name in ("actions", "reasons")}
        if "diff" in of_service:
            result["diff"].append(of_service["diff"])
    left = set() if module.check_mode else prove(module, proofs, saved, unproven)
    if remembered and not module.check_mode:
        remembered.write(module, left)
    result["unproven"] = sorted(left)
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **OPTIONS,
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "path", "required": True},
                    "state": {
                        "type": "str",
                        "choices": ["present", "directory", "absent"],
                        "default": "present",
                    },
                    "content": {"type": "str"},
                    "source": {"type": "path"},
                    "keep": {"type": "bool", "default": False},
                    "mode": {"type": "str"},
                    "owner": {"type": "str"},
                    "group": {"type": "str"},
                    "validate": {"type": "str"},
                },
            },
            "set": {"type": "str"},
            "keep_others": {"type": "bool", "default": False},
            "proofs": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "folder": {"type": "path", "required": True},
                    "command": {"type": "list", "elements": "str", "required": True},
                },
            },
            "services": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "state": {"type": "str", "choices": ["started", "stopped"]},
                    "enabled": {"type": "bool"},
                    "check": {"type": "list", "elements": "str", "default": []},
                    "files": {"type": "list", "elements": "path", "default": []},
                    "reload_files": {"type": "list", "elements": "path", "default": []},
                },
            },
            "secrets": {"type": "dict", "default": {}, "no_log": True},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (ArtifactError, FilesError, ServiceError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
