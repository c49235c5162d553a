"""Runs the blocks of README.md as they stand there, in fresh copies of the repository; fails where a command fails.

Those of "Try it on one machine" run as root, as they need to. Those of "A real cluster" run as a user that is made for
it, in an empty home, on hosts of the lab: its editor is a program that writes the hosts' addresses, and what hosts
without internet need, into the copied inventory. `make test` is left out: `make test-all`, which this is a part of,
begins with it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from lab.__main__ import Lab, say  # noqa: E402  the lab is found by the line above
from lab.inventory import inventory  # noqa: E402
from lab.kubernetes import release_folder  # noqa: E402

USER = "groundwork-readme"
ONE_MACHINE, REAL = "Try it on one machine", "A real cluster"
LEFT_OUT = re.compile(r"^make test\b.*\n", re.MULTILINE)
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What hosts without internet need and a user's do not, but for what the README's inventory says itself.
OF_THE_LAB = ROOT / "inventories" / "lab" / "group_vars" / "all.yml"
OWN = ("control_plane_kubeconfig_local", "kubernetes_api_endpoint", "kubernetes_api_load_balancer")
EDITOR = """#!/usr/bin/env python3
import json, pathlib, sys, yaml
hosts_file, variables_file = map(pathlib.Path, sys.argv[1:])
given = json.loads((pathlib.Path.home() / "given.json").read_text())
hosts = yaml.safe_load(hosts_file.read_text())
for group in hosts["all"]["children"]["k8s_cluster"]["children"].values():
    for host in group["hosts"].values():
        host["ansible_host"] = given["addresses"][host["ansible_host"]]
hosts_file.write_text(yaml.safe_dump(hosts))
variables_file.write_text(yaml.safe_dump({**yaml.safe_load(variables_file.read_text()), **given["variables"]}))
"""


def blocks() -> dict[str, list[str]]:
    """The README's blocks of commands by heading."""
    sections = re.split(r"^## (.+)\n", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    found = {
        heading: BLOCK.findall(text) for heading, text in zip(sections[1::2], sections[2::2]) if BLOCK.search(text)
    }
    if sorted(found) != sorted([ONE_MACHINE, REAL]):
        sys.exit(f"README.md has blocks below {', '.join(found)}: say in {__file__} how each of them is run")
    return found


def copy_repository(folder: Path) -> Path:
    """A copy of what is in the repository, as it is now, and nothing else."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.rstrip("\0").split("\0")
    copy = folder / "groundwork.kubernetes"
    for name in names:
        if (ROOT / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name, follow_symlinks=False)
    return copy


def environment(**more: str) -> dict[str, str]:
    """What a fresh login has, and how this machine reaches its package index."""
    kept = {name: value for name, value in os.environ.items() if re.match(r"PIP_|LAB_|DEBIAN$|\w+_VERSIONS?$", name)}
    path = [part for part in os.environ["PATH"].split(":") if not part.startswith(str(ROOT))]
    return {"HOME": str(Path.home()), "LANG": "C.UTF-8", "TERM": "dumb", "PATH": ":".join(path), **kept, **more}


def run(block: str, folder: Path, variables: dict[str, str], user: str = "root") -> None:
    """Run a block in one shell."""
    command = ["bash", "-e", "-x", "-o", "pipefail", "-c", block]
    done = subprocess.run(command, cwd=folder, env=variables, check=False, stdin=subprocess.DEVNULL, user=user,
                          group=user, extra_groups=[])  # fmt: skip
    if done.returncode:
        sys.exit(f"this block of README.md failed with exit code {done.returncode}:\n{block}")


def on_one_machine(texts: list[str]) -> None:
    """The blocks of the first heading."""
    lab = Lab()
    kubectl = release_folder(lab.settings.cache, lab.settings.kubernetes)
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_repository(Path(folder))
        variables = environment()
        variables["PATH"] = f"{kubectl}:{variables['PATH']}"
        for text in texts:
            # Another lab's name stands in the place of the default's.
            run(LEFT_OUT.sub("", text).replace("/labs/groundwork/", f"/labs/{lab.settings.name}/"), copy, variables)


def edits(lab: Lab) -> dict[str, Any]:
    """What the user writes into the inventory: addresses by those of the example, and variables."""
    sample = yaml.safe_load((ROOT / "inventories" / "single" / "hosts.yml").read_text())
    groups = sample["all"]["children"]["k8s_cluster"]["children"].values()
    examples = [host["ansible_host"] for group in groups for host in group["hosts"].values()]
    running = [host.address for host in lab.hosts.running()]
    of_the_lab = {name: value for name, value in yaml.safe_load(OF_THE_LAB.read_text()).items() if name not in OWN}
    found = inventory()["all"]["vars"]
    ssh = ("ansible_ssh_private_key_file", "ansible_ssh_common_args")
    return {
        "addresses": dict(zip(examples, running, strict=True)),
        "variables": {
            **{name: value for name, value in found.items() if name not in ssh},
            **of_the_lab,
            "kubernetes_api_endpoint": f"{running[0]}:6443",
        },
    }


def on_hosts(texts: list[str]) -> None:
    """The blocks of the second heading."""
    lab = Lab()
    lab.up({"control_plane": 1, "worker": 2}, "admin")
    kubectl = release_folder(lab.settings.cache, lab.settings.kubernetes) / "kubectl"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", USER], check=True)
    try:
        home = Path("~" + USER).expanduser()
        (home / ".ssh").mkdir(mode=0o700)
        for name in ("id_ed25519", "known_hosts"):
            shutil.copy2(lab.settings.state / name, home / ".ssh" / name)
        (home / "bin").mkdir()
        shutil.copy2(kubectl, home / "bin" / "kubectl")
        (home / "bin" / "editor").write_text(EDITOR)
        (home / "bin" / "editor").chmod(0o755)
        (home / "given.json").write_text(json.dumps(edits(lab)))
        (home / "given.json").chmod(0o600)
        copy = copy_repository(home)
        subprocess.run(["chown", "--recursive", f"{USER}:{USER}", str(home)], check=True)
        variables = environment(HOME=str(home), USER=USER, LOGNAME=USER, EDITOR=f"{home}/bin/editor",
                                PATH=f"{home}/bin:/usr/local/bin:/usr/bin:/bin")  # fmt: skip
        for text in texts:
            run(text, copy, variables, USER)
    finally:
        # Connections to the hosts stay open for a while after Ansible has ended.
        subprocess.run(["pkill", "-KILL", "--uid", USER], check=False)
        subprocess.run(["userdel", "--remove", USER], check=True, capture_output=True)


def main() -> None:
    """Run all blocks."""
    found = blocks()
    try:
        say(f"README: {ONE_MACHINE}")
        on_one_machine(found[ONE_MACHINE])
        say(f"README: {REAL}")
        on_hosts(found[REAL])
        say("README: all blocks ran")
    finally:
        Lab().hosts.down()


if __name__ == "__main__":
    main()
