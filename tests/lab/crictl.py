#!/usr/bin/python3
"""What kubeadm and the collection call of crictl, done with containerd's ctr: the lab's stand-in for the real tool."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

NAMESPACE = "k8s.io"


def ctr(endpoint: str, *arguments: str) -> str:
    """Standard output of one ctr call in the CRI plugin's namespace."""
    command = ["ctr", "--address", endpoint, "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit("crictl (stand-in): {}: {}".format(" ".join(command), done.stderr.strip()))
    return done.stdout


def endpoint_of(option: str) -> str:
    """The socket: the option, or what /etc/crictl.yaml says."""
    if not option:
        try:
            with open("/etc/crictl.yaml") as stream:
                for line in stream:
                    key, _, value = line.partition(":")
                    if key.strip() == "runtime-endpoint":
                        option = value.strip().strip("'\"")
        except OSError:
            pass
    option = option or "/run/containerd/containerd.sock"
    return option[len("unix://") :] if option.startswith("unix://") else option


def images(endpoint: str) -> list[str]:
    """Names of the images that are complete, without digests' own entries."""
    names = ctr(endpoint, "images", "ls", "-q").split()
    return [name for name in names if not name.startswith("sha256:")]


def listing(endpoint: str) -> list[dict[str, Any]]:
    """The images by their tags, each with the digest that its repository calls it by."""
    rows = [line.split()[:3] for line in ctr(endpoint, "images", "ls").splitlines()[1:]]
    return [
        {"id": digest, "repoTags": [name], "repoDigests": ["{}@{}".format(name.rpartition(":")[0], digest)]}
        for name, _type, digest in rows
        if "@" not in name and not name.startswith("sha256:")
    ]


def sandboxes(endpoint: str) -> list[str]:
    """Ids of the pods' sandboxes."""
    out = ctr(endpoint, "containers", "ls", 'labels."io.cri-containerd.kind"==sandbox', "-q")
    return out.split()


def spec_of(endpoint: str, container: str) -> dict[str, Any]:
    """A container's runtime specification."""
    return json.loads(ctr(endpoint, "containers", "info", container)).get("Spec", {})


def end(endpoint: str, identifier: str, verb: str) -> None:
    """End a pod's tasks, and with rmp remove its containers."""
    base = ["ctr", "--address", endpoint, "--namespace", NAMESPACE]
    for container in ctr(endpoint, "containers", "ls", "-q").split():
        annotations = spec_of(endpoint, container).get("annotations", {})
        if container == identifier or annotations.get("io.kubernetes.cri.sandbox-id") == identifier:
            steps = [["tasks", "kill", "--signal", "SIGKILL", container], ["tasks", "delete", "--force", container]]
            for step in steps + [["containers", "delete", container]] * (verb == "rmp"):
                subprocess.run([*base, *step], check=False, stderr=subprocess.DEVNULL)


def inspect(endpoint: str, identifier: str) -> dict[str, Any]:
    """What is asked for of a pod: its name, whether it runs, and its network namespace."""
    spec = spec_of(endpoint, identifier)
    annotations = spec.get("annotations", {})
    spaces = [space for space in spec.get("linux", {}).get("namespaces", []) if space["type"] == "network"]
    name, namespace = (annotations.get(f"io.kubernetes.cri.sandbox-{key}", "") for key in ("name", "namespace"))
    running = identifier in ctr(endpoint, "tasks", "ls", "-q").split()
    return {
        "status": {
            "metadata": {"name": name, "namespace": namespace},
            "state": "SANDBOX_READY" if running else "SANDBOX_NOTREADY",
            "linux": {"namespaces": {"options": {"network": "POD" if spaces else "NODE"}}},
        },
        "info": {"runtimeSpec": {"linux": {"namespaces": spaces}}},
    }


def main() -> None:
    """Dispatch the few subcommands."""
    parser = argparse.ArgumentParser(prog="crictl")
    parser.add_argument("-v", "--version", action="version", version="crictl version v0.0.1 (stand-in around ctr)")
    parser.add_argument("-r", "--runtime-endpoint", default="")
    parser.add_argument("-i", "--image-endpoint", default="")
    parser.add_argument("-c", "--config", default="")
    parser.add_argument("-t", "--timeout", default="")
    parser.add_argument("-D", "--debug", action="store_true")
    parser.add_argument("command")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    endpoint = endpoint_of(options.runtime_endpoint)
    plain = [word for word in options.arguments if not word.startswith("-")]

    if options.command in ("info", "version"):
        ctr(endpoint, "version")
        print(json.dumps({"status": {"conditions": [{"type": "RuntimeReady", "status": True}]}}))
    elif options.command == "images":
        print(json.dumps({"images": listing(endpoint)}))
    elif options.command == "inspecti":
        if plain[-1] not in images(endpoint):
            sys.exit(f"no such image {plain[-1]}")
        print(json.dumps({"status": {"repoTags": [plain[-1]]}}))
    elif options.command == "rmi":
        ctr(endpoint, "images", "rm", *plain)
    elif options.command == "pull":
        ctr(endpoint, "images", "pull", "--hosts-dir", "/etc/containerd/certs.d", plain[-1])
        print(f"Image is up to date for {plain[-1]}")
    elif options.command == "pods":
        print("\n".join(sandboxes(endpoint)))
    elif options.command in ("stopp", "rmp"):
        for identifier in plain:
            end(endpoint, identifier, options.command)
    elif options.command == "inspectp":
        print(json.dumps(inspect(endpoint, plain[-1])))
    elif options.command == "ps":
        print(json.dumps({"containers": []}))
    else:
        sys.exit(
            f"crictl (stand-in): {options.command} is none of "
            "info, images, inspecti, inspectp, pull, pods, rmi, stopp, rmp"
        )


if __name__ == "__main__":
    main()
