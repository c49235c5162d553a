# Copyright: groundwork.kubernetes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module static_pods: stop or end static pods until they are gone, start or restart them until they answer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: static_pods
short_description: Stop, start and restart static pods
version_added: 0.1.0
author: groundwork.kubernetes contributors (@groundwork)
description:
  - Stops static pods, such as the API server of a control plane, by moving their manifests to a folder beside the
    kubelet's, and waits until none of their processes is left.
  - Starts them by moving the manifests back, and waits until they run and answer the probes in their manifests.
  - Manifests are moved in one step each, and never changed. An interrupted run leaves each of them in one of the two
    folders, and the next run goes on from there.
  - Restarts them by ending their processes, which the kubelet starts again, and waits likewise.
  - Ends them right before their host is shut down or leaves the cluster, so that an API server hands its callers over
    before its etcd goes.
  - A name of which the host has no manifest is left alone.
extends_documentation_fragment:
  - groundwork.kubernetes.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - V(state=restarted) restarts every time.
options:
  names:
    description: Names of the manifests, without C(.yaml). A pod's program has the same name.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(stopped) moves the manifests aside and waits for the end of the processes.
      - V(started) moves them back and waits for the processes, and with O(healthy) for their probes.
      - V(restarted) ends the processes of those that are not stopped, with C(SIGTERM), and waits for new ones as
        V(started) does. This is a change each time.
      - V(ended) ends the processes with C(SIGTERM), one pod after the other in the order of O(names), and waits for
        each of them at most O(timeout) seconds. What does not end in that time is no failure, but RV(left). A kubelet
        that runs starts them again, so shut the host down at once, or stop the kubelet before.
    type: str
    choices: [started, stopped, restarted, ended]
    required: true
  healthy:
    description: With O(state=started) and O(state=restarted), whether the pods must also answer their probes.
    type: bool
    default: true
  manifests:
    description: The kubelet's folder of manifests.
    type: path
    default: /etc/kubernetes/manifests
  aside:
    description: The folder for the manifests of stopped pods. It must be on the same file system.
    type: path
    default: /etc/kubernetes/manifests.stopped
  timeout:
    description: Seconds that stopping or starting may take, and with O(state=ended) the end of each pod.
    type: int
    default: 180
notes:
  - It is the kubelet that stops and starts, so it must run, unless with O(state=ended).
  - kubeadm takes a control plane whose manifests are aside for no control plane. Start it again before it is used.
    Modules of this collection refuse to work on it.
seealso:
  - name: Static pods
    description: How the kubelet treats them.
    link: https://kubernetes.io/docs/tasks/configure-pod-container/static-pod/
"""

EXAMPLES = r"""
- name: Stop the API server and what writes through it
  groundwork.kubernetes.static_pods:
    names: [kube-apiserver, kube-controller-manager, kube-scheduler]
    state: stopped

- name: Start the API server, and wait until it is ready
  groundwork.kubernetes.static_pods:
    names: [kube-apiserver]
    state: started

- name: Let clients of the API go to other control planes, before the host is shut down
  groundwork.kubernetes.static_pods:
    names: [kube-vip, kube-apiserver]
    state: ended
    timeout: 10
"""

RETURN = r"""
left:
  description: What still ran when the time was over.
  returned: with O(state=ended)
  type: list
  elements: str
  sample: [kube-apiserver still runs as process 4711]
moved:
  description:
    - Names of the pods whose manifests were, or would be, moved. With O(state=restarted), those restarted, and with
      O(state=ended) those that ran.
  returned: success
  type: list
  elements: str
  sample: [kube-apiserver]
pods:
  description: Names of the pods, of those asked for, that the host has.
  returned: success
  type: list
  elements: str
  sample: [kube-apiserver]
"""

import contextlib
import os
import signal
import time
from typing import Any, Callable, Dict, List

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.groundwork.kubernetes.plugins.module_utils._host.pod_manifest import probe
from ansible_collections.groundwork.kubernetes.plugins.module_utils._kubeadm.static_pods import (
    Place,
    StaticPodError,
    answer,
    move,
    places,
    processes,
)

PAUSE = 0.5


def running(place: Place) -> str:
    """What is left of a pod that was stopped, or nothing."""
    found = processes(place.name)
    return f"{place.name} still runs as process {', '.join(map(str, found))}" if found else ""


def unfit(place: Place, healthy: bool) -> str:
    """What a started pod lacks, or nothing."""
    if not processes(place.name):
        return f"{place.name} does not run"
    if not healthy:
        return ""
    with open(place.active, encoding="utf-8") as stream:
        asked = probe(stream.read())
    reason = answer(asked) if asked else ""
    return f"{place.name} runs, but {reason}" if reason else ""


def wait(module: AnsibleModule, found: List[Place], lacking: Callable[[Place], str], done: str) -> None:
    """Wait until no pod lacks anything.

    Raises:
        StaticPodError: if the time is over before.
    """
    deadline = time.monotonic() + module.params["timeout"]
    while True:
        left = [reason for reason in map(lacking, found) if reason]
        if not left:
            return
        if time.monotonic() >= deadline:
            break
        time.sleep(PAUSE)
    systemctl = module.get_bin_path("systemctl")
    state = (
        module.run_command([systemctl, "is-active", "kubelet"], expand_user_and_vars=False)[1].strip()
        if systemctl
        else "unknown"
    )
    raise StaticPodError(
        f"{'; '.join(left)}, {module.params['timeout']} seconds after its manifest was {done}. The kubelet, which has "
        f"to do it, is {state}: see 'journalctl -u kubelet' and 'crictl ps -a', then run this again"
    )


def end(numbers: List[int]) -> None:
    """Ask processes to end."""
    for number in numbers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)


def restart(module: AnsibleModule, todo: List[Place]) -> None:
    """End the pods' processes, and wait until others run in their place."""
    old = {place.name: processes(place.name) for place in todo}
    for place in todo:
        end(old[place.name])

    def unchanged(place: Place) -> str:
        left = sorted(set(old[place.name]) & set(processes(place.name)))
        return f"{place.name} still runs as process {', '.join(map(str, left))}" if left else ""

    wait(module, todo, unchanged, "read, and it was asked to end")
    wait(module, todo, lambda place: unfit(place, module.params["healthy"]), "read, and it ended to be started again")


def finish(module: AnsibleModule, todo: List[Place]) -> List[str]:
    """End the pods' processes, one pod after the other, and say what is left of them."""
    found: List[str] = []
    for place in todo:
        old = processes(place.name)
        end(old)
        deadline = time.monotonic() + module.params["timeout"]
        while (left := sorted(set(old) & set(processes(place.name)))) and time.monotonic() < deadline:
            time.sleep(PAUSE)
        found += [f"{place.name} still runs as process {', '.join(map(str, left))}"] if left else []
    return found


def run(module: AnsibleModule) -> Dict[str, Any]:
    """Move the manifests, or end the processes, and wait."""
    params = module.params
    start = params["state"] == "started"
    found = places(params["names"], params["manifests"], params["aside"])
    if params["state"] == "ended":
        todo = [place for place in found if processes(place.name)]
        names = [place.name for place in todo]
        left = [] if module.check_mode else finish(module, todo)
        return {"changed": bool(todo), "moved": names, "pods": [place.name for place in found], "left": left}
    if params["state"] == "restarted":
        todo = [place for place in found if place.is_active]
        if not module.check_mode:
            restart(module, todo)
        names = [place.name for place in todo]
        return {"changed": bool(todo), "moved": names, "pods": [place.name for place in found]}
    todo = [place for place in found if place.is_aside] if start else [place for place in found if place.is_active]
    if not module.check_mode:
        for place in todo:
            move(place.aside, place.active) if start else move(place.active, place.aside)
        if start:
            wait(module, found, lambda place: unfit(place, params["healthy"]), "put back")
            if os.path.isdir(params["aside"]) and not os.listdir(params["aside"]):
                os.rmdir(params["aside"])
        else:
            wait(module, found, running, "moved aside")
    names = [place.name for place in todo]
    result: Dict[str, Any] = {"changed": bool(todo), "moved": names, "pods": [place.name for place in found]}
    if module._diff and todo:
        was, will = ("stopped", "started") if start else ("started", "stopped")
        result["diff"] = {"before": dict.fromkeys(names, was), "after": dict.fromkeys(names, will)}
    return result


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["started", "stopped", "restarted", "ended"], "required": True},
            "healthy": {"type": "bool", "default": True},
            "manifests": {"type": "path", "default": "/etc/kubernetes/manifests"},
            "aside": {"type": "path", "default": "/etc/kubernetes/manifests.stopped"},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (StaticPodError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
