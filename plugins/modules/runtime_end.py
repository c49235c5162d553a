# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module runtime_end: end all pods of a container runtime, and the services that nothing needs any more."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime_end
short_description: Ends all pods of a container runtime, and its services where another one takes its place
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Stops and removes all pods that a runtime has for Kubernetes; those in the host's network last. Images stay.
  - Then it stops and disables the runtime's services, if O(successor) is another runtime.
  - Containers that are not Kubernetes' stay. Docker goes on where it has some, with the containerd below it, and
    containerd where other namespaces than C(k8s.io) have some. A warning names them.
  - Where Docker or containerd would be stopped, and does not tell what it runs, nothing is changed.
  - The kubelet must be stopped, as it would start them again.
  - Where the runtime does not run, and processes of pods do, nothing is changed.
extends_documentation_fragment: [groundwork.kubernetes.attributes, groundwork.kubernetes.attributes.full]
options:
  socket:
    description: The socket of the runtime that is left, as RV(groundwork.kubernetes.runtime_info#module:socket) has it.
    type: str
    required: true
  successor:
    description: The socket of the runtime that the kubelet uses from now on. It may be the same.
    type: str
    required: true
seealso:
  - module: groundwork.kubernetes.runtime_info
  - module: groundwork.kubernetes.kubelet_runtime
"""

EXAMPLES = r"""
- name: Leave Docker
  groundwork.kubernetes.runtime_end:
    socket: /var/run/dockershim.sock
    successor: unix:///run/containerd/containerd.sock
"""

RETURN = r"""
pods:
  description: The pods that were, or would be, ended.
  returned: success
  type: list
  elements: str
  sample: [kube-system/kube-proxy-7xk2p]
services:
  description: The services that were, or would be, stopped or disabled.
  returned: success
  type: list
  elements: str
  sample: [docker.socket, docker.service]
"""

import os
from typing import Any, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_paths import ResetError
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.reset_runtime import (
    Pod,
    Runtime,
    is_abandoned,
    pod_processes,
    runtime_of,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.runtimes import (
    needed_by_others,
    reserved_by,
    runtime_name,
    services_to_end,
)
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.service import (
    ServiceError,
    Systemd,
    run_service,
)

KUBELET = "kubelet.service"


def find(module: AnsibleModule, runtime: Runtime) -> List[Pod]:
    """The runtime's pods, those in the host's network last.

    Raises:
        ResetError: if the kubelet runs, or the runtime cannot be asked though there are pods.
    """
    if not module.check_mode and Systemd(module, KUBELET).read().running:
        raise ResetError("The kubelet runs, and would start pods again. Nothing was changed. Stop it first")
    # Docker leaves its socket behind.
    if runtime.there and not is_abandoned(runtime.path):
        return sorted(runtime.pods(), key=lambda pod: pod.host_network)
    left = pod_processes()
    if left:
        raise ResetError(
            f"nobody listens at {runtime.path}, so the runtime cannot be asked, and {len(left)} processes of pods run, "
            f"such as {left[0]}. Nothing was changed. Start the runtime, or restart the host, and run it again"
        )
    return []


def end(runtime: Runtime, pods: List[Pod], module: AnsibleModule) -> None:
    """Stop and remove pods, and give back the addresses that are left."""
    for complaint in runtime.stop(pods):
        module.warn(f"The runtime could not end a pod as it should, which was then removed: {complaint}")
    complaints = runtime.remove(pods)
    left = {pod.identifier for pod in runtime.pods()} & {pod.identifier for pod in pods}
    if left:
        raise ResetError("These pods could not be removed:\n" + "\n".join(complaints or sorted(left)))
    for path in reserved_by([pod.identifier for pod in pods]):
        os.remove(path)


def run(module: AnsibleModule) -> Dict[str, Any]:
    """The module's result.

    Raises:
        ResetError: if pods cannot be ended.
        ServiceError: if a service cannot be stopped.
    """
    socket, successor = module.params["socket"], module.params["successor"]
    runtime = runtime_of(module, socket)
    pods = find(module, runtime)
    units = services_to_end(runtime_name(socket), runtime_name(successor))
    # Asked before anything ends.
    kept = needed_by_others(module, units)
    for unit, users in kept.items():
        module.warn(f"{unit} goes on, as containers run that are not Kubernetes': {', '.join(users)}")
    if pods and not module.check_mode:
        end(runtime, pods, module)
    ended = []
    for unit in [unit for unit in units if unit not in kept]:
        wanted: Dict[str, Any] = {"name": unit, "state": "stopped", "enabled": False, "restart": False, "reload": False}
        if (
            Systemd(module, unit).read().exists
            and run_service(module, {**wanted, "files": [], "reload_files": []})["changed"]
        ):
            ended.append(unit)
    names = [pod.name for pod in pods]
    result: Dict[str, Any] = {"changed": bool(pods or ended), "pods": names, "services": ended}
    if module._diff and result["changed"]:
        result["diff"] = {"before": "".join(f"{name}\n" for name in [*names, *ended]), "after": ""}
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"socket": {"type": "str", "required": True}, "successor": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (ResetError, ServiceError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
