#!/usr/bin/env python3
"""A cluster made by hand on the lab's hosts: by the shell script that site is measured against."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "bench"), str(ROOT / ".build" / "collections")]

from ansible_collections.groundwork.kubernetes.plugins.plugin_utils._kubeadm import releases  # noqa: E402
from lab.__main__ import Lab  # noqa: E402  the lab is found by the line above
from lab.hosts import REGISTRY_PORT  # noqa: E402
from timing import timed  # noqa: E402


def floor(lab: Lab, control_planes: int, log: Path) -> float:
    """The time of the shell script on the hosts that run now, the control planes first."""
    settings = lab.settings
    images = lab.images.present()
    pause = next(reference for reference in images if reference.startswith("pause:"))
    release = releases.release(settings.kubernetes)
    kubelet = ["oomScoreAdj: 0"]
    if releases.minor_of(settings.kubernetes) >= (1, 31):
        kubelet.append("failCgroupV1: false")
    environment = {
        "LAB_STATE": str(settings.state),
        "MIRROR": f"http://{settings.mirror}",
        "REGISTRY": f"http://{settings.mirror}:{REGISTRY_PORT}",
        "KUBERNETES_VERSION": settings.kubernetes,
        "CONTAINERD_VERSION": settings.containerd,
        "CNI_PLUGINS_VERSION": settings.cni_plugins,
        "RUNC_VERSION": settings.runc,
        "CRICTL_VERSION": settings.crictl,
        "ETCD_VERSION": settings.etcd,
        "PAUSE": pause,
        "CONTROL_PLANES": str(control_planes),
        "KUBEADM_API": release["kubeadm_api"],
        "KUBELET": "\n".join(kubelet),
        "SKIP_PHASES": "" if any("coredns" in reference for reference in images) else "--skip-phases=addon/coredns",
    }
    return timed(["tests/bench/floor", *(host.address for host in lab.hosts.running())], environment, log)[0]


def main() -> None:
    """Make it on the hosts that run now."""
    lab = Lab()
    control_planes = sum(host.group == "kube_control_plane" for host in lab.hosts.running())
    log = lab.settings.state / "by-hand.log"
    print(f"made in {floor(lab, control_planes, log):.0f} s; what the script printed: {log}")


if __name__ == "__main__":
    main()
